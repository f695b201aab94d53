package server

import (
	"context"
	"sync"
	"time"

	"dynascope/bench/sim/world"
)

// simulation is what a driver moves: a world, or a schedule.
type simulation interface {
	Next() (time.Duration, bool)
	Advance(to time.Duration)
}

// driver moves a simulation with the wall clock. Its goroutine alone advances
// it; others look at it, and leave it messages, under the lock.
type driver struct {
	start time.Time
	wake  chan struct{}

	dirty []*stream // have something to write; the driver's own

	mu    sync.Mutex // the simulation
	sim   simulation
	after func()    // called under the lock every afterEvery, may be nil
	last  time.Time // when it was

	inboxMu sync.Mutex
	inbox   []func()
}

func newDriver(sim simulation, start time.Time) *driver {
	return &driver{sim: sim, start: start, wake: make(chan struct{}, 1)}
}

// afterEvery is how often a driver calls what is to follow a turn.
const afterEvery = 10 * time.Millisecond

// longestSleep bounds how long the driver does nothing.
const longestSleep = 100 * time.Millisecond

// run moves the simulation until ctx ends.
func (d *driver) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		d.turn()
		d.mu.Lock()
		next, ok := d.sim.Next()
		d.mu.Unlock()
		sleep := longestSleep
		if ok {
			sleep = min(sleep, time.Until(d.start.Add(next)))
		}
		if sleep < napBelow || sleep <= 0 {
			if ctx.Err() != nil {
				return
			}
			if sleep > 0 {
				nap(sleep)
			}
			continue
		}
		timer.Reset(sleep - napBelow)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-d.wake:
		}
	}
}

// turn brings the simulation up to now, with what was left in the inbox, and
// wakes the streams that have something to write.
func (d *driver) turn() {
	d.inboxMu.Lock()
	inbox := d.inbox
	d.inbox = nil
	d.inboxMu.Unlock()
	d.mu.Lock()
	d.sim.Advance(time.Since(d.start))
	for _, fn := range inbox {
		fn()
	}
	if now := time.Now(); d.after != nil && now.Sub(d.last) >= afterEvery {
		d.last = now
		d.after()
	}
	d.mu.Unlock()
	// Only this goroutine marks streams; writing needs no lock of the
	// simulation.
	for i, s := range d.dirty {
		s.publish()
		d.dirty[i] = nil
	}
	d.dirty = d.dirty[:0]
}

// post leaves something to be done in the simulation at the next turn, which
// comes at once. fn runs under the lock.
func (d *driver) post(fn func()) {
	d.inboxMu.Lock()
	d.inbox = append(d.inbox, fn)
	d.inboxMu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// look reads the simulation between two turns.
func (d *driver) look(fn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
}

// stream is one answer on its way to a client. The driver fills it while it
// advances, and after each turn either writes it out itself, for a streamed
// answer, or wakes the handler that collects it.
type stream struct {
	d     *driver
	ready chan struct{} // one place: there is something to take, or the end was written

	// The driver's own.
	staged []time.Duration // times at which tokens were due
	marked bool
	done   bool
	err    *world.Failure

	mu   sync.Mutex
	sink sink // nil: the handler collects, or has gone
	out  streamState
}

// sink writes a part of an answer out, on the driver's goroutine; it must not
// wait. It says whether that was the last.
type sink interface {
	write(due []time.Duration, done bool, err *world.Failure) (last bool)
}

// streamState is what the handler takes at once.
type streamState struct {
	due  int
	done bool
	err  *world.Failure
}

func newStream(d *driver) *stream { return &stream{d: d, ready: make(chan struct{}, 1)} }

func (s *stream) token(n int, at time.Duration) {
	for range n {
		s.staged = append(s.staged, at)
	}
	s.mark()
}

func (s *stream) end(err *world.Failure) {
	s.done, s.err = true, err
	s.mark()
}

func (s *stream) mark() {
	if !s.marked {
		s.marked = true
		s.d.dirty = append(s.d.dirty, s)
	}
}

// publish writes what was staged, or hands it to the handler.
func (s *stream) publish() {
	s.marked = false
	s.mu.Lock()
	wake := true
	if s.sink != nil {
		if wake = s.sink.write(s.staged, s.done, s.err); wake {
			s.sink = nil
		}
	} else {
		s.out.due += len(s.staged)
		s.out.done, s.out.err = s.done, s.err
	}
	s.mu.Unlock()
	s.staged = s.staged[:0]
	if wake {
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
}

// take is what came since the last time.
func (s *stream) take() streamState {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.out
	s.out.due = 0
	return st
}

// detach ends the driver's writing; after it the handler may return.
func (s *stream) detach() {
	s.mu.Lock()
	s.sink = nil
	s.mu.Unlock()
}
