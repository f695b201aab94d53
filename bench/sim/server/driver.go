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

	mu    sync.Mutex // the simulation
	sim   simulation
	dirty []*stream // have something to write; filled while advancing
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
		if sleep <= 0 {
			if ctx.Err() != nil {
				return
			}
			continue
		}
		timer.Reset(sleep)
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
	dirty := d.dirty
	d.dirty = d.dirty[:0]
	for _, s := range dirty {
		s.publish()
	}
	d.mu.Unlock()
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

// stream is one answer on its way to a client: the driver fills it, its
// handler writes it out.
type stream struct {
	d     *driver
	ready chan struct{} // one place: there is something to take

	// Filled while the driver advances.
	staged []time.Duration // times at which tokens were due
	marked bool
	done   bool
	err    *world.Failure

	mu  sync.Mutex
	out streamState
}

// streamState is what the handler takes at once.
type streamState struct {
	due  []time.Duration
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

// publish hands what was staged to the handler.
func (s *stream) publish() {
	s.marked = false
	s.mu.Lock()
	s.out.due = append(s.out.due, s.staged...)
	s.out.done, s.out.err = s.done, s.err
	s.mu.Unlock()
	s.staged = s.staged[:0]
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// take moves what is there into st, whose slice is used again.
func (s *stream) take(st *streamState) {
	s.mu.Lock()
	st.due, s.out.due = s.out.due, st.due[:0]
	st.done, st.err = s.out.done, s.out.err
	s.mu.Unlock()
}
