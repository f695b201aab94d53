package profiling

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"time"

	"dynascope/sources/text"
)

// Timing is how long a session waits for what. Zero fields take the defaults.
type Timing struct {
	Poll   time.Duration // between looks at the files; 500 ms
	Quiet  time.Duration // files that are whole must rest this long; 3 s
	Lost   time.Duration // files that are not must rest this long until they are given up; 30 s
	Record time.Duration // longest recording without a file; 60 s. Then it is stopped
	Remote time.Duration // the same where files cannot be seen; 15 s
	Start  time.Duration // answer to a start; 2 min, since a worker may stand still for one
	Stop   time.Duration // answer to a stop, which comes after all ranks' exports; 10 min
}

func (t Timing) orDefault() Timing {
	for _, d := range []struct {
		at   *time.Duration
		unit time.Duration
	}{
		{&t.Poll, 500 * time.Millisecond}, {&t.Quiet, 3 * time.Second}, {&t.Lost, 30 * time.Second}, {&t.Record, time.Minute},
		{&t.Remote, 15 * time.Second}, {&t.Start, 2 * time.Minute}, {&t.Stop, 10 * time.Minute},
	} {
		if *d.at <= 0 {
			*d.at = d.unit
		}
	}
	return t
}

// Runner runs sessions. Start and Stop return when the session has ended, and
// with them everything they started: run each in a goroutine of your own.
// Sessions of different workers may run at once.
type Runner struct {
	Locks  string       // folder of locks and states; empty is DefaultLocks
	Key    string       // API or admin key, sent as a bearer token; empty for none
	Client *http.Client // nil takes one that follows no redirect
	Timing Timing
	Now    func() time.Time // nil is time.Now
}

// Event is what happened to a session, or only that time passed.
type Event struct {
	At      time.Time
	Elapsed time.Duration // in this phase
	Record  Record        // as it is now; not to be changed
}

// LeftError says that an earlier session of the worker was never seen to end.
type LeftError struct{ Left Record }

func (e *LeftError) Error() string {
	l := e.Left
	id := l.Plan.ID
	if id == "" {
		id = "of unknown name"
	}
	return fmt.Sprintf("profile a worker: the session %s of %s was left while %s and its profiler may be on; hint: dynascope profile stop, or let the start stop it first",
		id, text.Clean(l.User, 60), l.Phase)
}

// Left says that a session's profiler may still be on.
func (r Record) Left() bool { return r.Sent && !r.Phase.Ended() }

func (r *Runner) locks() string {
	if r.Locks == "" {
		return DefaultLocks()
	}
	return r.Locks
}

func (r *Runner) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// Start runs one session to its end. The error is nil when it is Done: files
// whole, or on another host and said to be written. When ctx ends while it
// records, the profiler is stopped, which may take until Timing.Stop.
func (r *Runner) Start(ctx context.Context, p Plan, emit func(Event)) (Record, error) {
	p, err := p.Check()
	if err != nil {
		return Record{}, err
	}
	lock, last, err := takeLock(r.locks(), p.Worker.URL)
	if err != nil {
		return Record{}, err
	}
	s := r.session(lock, Record{Producer: last.Producer, Plan: p}, emit)
	if last.Left() {
		if !p.Settle {
			return last, errors.Join(&LeftError{last}, lock.close())
		}
		if err := r.settle(ctx, lock, last, p.Worker, emit); err != nil {
			return last, errors.Join(err, lock.close())
		}
	}
	s.run(ctx)
	return s.end()
}

// settle stops what an earlier session may have left on.
func (r *Runner) settle(ctx context.Context, lock *lockFile, last Record, w Worker, emit func(Event)) error {
	last.Plan.Worker = w
	last.Phase = Unknown
	s := r.session(lock, last, emit)
	s.stop(ctx, "a session was left here")
	s.afterStop(ctx)
	if s.rec.Left() {
		return fmt.Errorf("stop the session that was left: %s", s.rec.Words)
	}
	return nil
}

// Stop ends whatever is recording on a worker, and checks the files of the
// session that this host knows of. Nothing in progress is no error.
func (r *Runner) Stop(ctx context.Context, w Worker, emit func(Event)) (Record, error) {
	base, err := origin(w.URL)
	if err != nil {
		return Record{}, fmt.Errorf("stop a profile: %w; hint: http://host:port of the worker", err)
	}
	w.URL = base
	lock, last, err := takeLock(r.locks(), base)
	if err != nil {
		return Record{}, err
	}
	if w.Engine == "" {
		w.Engine = SGLang
	}
	rec := Record{Producer: last.Producer, Plan: Plan{Worker: w}, Phase: Idle}
	if last.Left() {
		rec = last
		w.Ranks = max(w.Ranks, last.Plan.Worker.Ranks)
		rec.Plan.Worker, rec.Phase = w, Unknown
	}
	s := r.session(lock, rec, emit)
	s.stop(ctx, "")
	s.afterStop(ctx)
	if s.rec.Phase == AlreadyStopped && last.Schema != "" && !last.Left() {
		// Nothing happened: the session before is still the last one.
		if err := lock.write(last); err != nil && s.writeErr == nil {
			s.writeErr = err
		}
	}
	return s.end()
}

// session is one under way; only the goroutine that runs it touches it.
type session struct {
	r     *Runner
	t     Timing
	lock  *lockFile
	rec   Record
	since time.Time // of the phase
	emit  func(Event)
	dir   folder
	// blind: the files cannot be seen from here, and why.
	blind    string
	stopped  outcome // answer to the stop, once there was one
	asked    bool    // a stop was answered
	overran  string
	writeErr error
}

func (r *Runner) session(lock *lockFile, rec Record, emit func(Event)) *session {
	now := r.now()
	if emit == nil {
		emit = func(Event) {}
	}
	if rec.Phase == "" {
		rec.Phase = Idle
	}
	if rec.Began.IsZero() {
		rec.Began = now
	}
	rec.Schema, rec.User, rec.PID = Schema, userName(), os.Getpid()
	rec.Host, _ = os.Hostname() // for people
	p := rec.Plan
	s := &session{r: r, t: r.Timing.orDefault(), lock: lock, rec: rec, since: now, emit: emit}
	s.dir = folder{dir: p.Dir, id: p.ID, since: rec.Began}
	if p.Worker.Engine == VLLM {
		s.dir.id = "" // it names files by itself
	}
	switch {
	case p.ID == "":
		s.blind = "which files are its is not known"
	case p.Dir == "":
		s.blind = "the files are on the worker, in the folder that it was started with"
	case !p.Worker.Local:
		s.blind = "the files are on the worker's host in " + p.Dir + ", not checked from here"
	}
	return s
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return text.Clean(u.Username, 60)
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

// to moves the session, keeps its state on disk and tells of it.
func (s *session) to(in Input, words string) {
	next, err := Next(s.rec.Phase, in)
	if err != nil { // ours to find; never to hide
		next, words = Unknown, err.Error()
	}
	now := s.r.now()
	if next != s.rec.Phase {
		s.since = now
	}
	s.rec.Phase, s.rec.Words, s.rec.Changed = next, words, now
	if err := s.lock.write(s.rec); err != nil && s.writeErr == nil {
		s.writeErr = err
	}
	s.progress()
}

func (s *session) progress() {
	now := s.r.now()
	s.emit(Event{At: now, Elapsed: now.Sub(s.since), Record: s.rec})
}

// end lets go of the lock and says how it went.
func (s *session) end() (Record, error) {
	err := errors.Join(s.writeErr, s.lock.close())
	switch s.rec.Phase {
	case Done:
	case AlreadyStopped:
		if s.rec.Sent && s.rec.Plan.ID != "" {
			err = errors.Join(fmt.Errorf("profile a worker: already stopped: %s", s.rec.Words), err)
		}
	default:
		err = errors.Join(fmt.Errorf("profile a worker: %s: %s", s.rec.Phase, s.rec.Words), err)
	}
	return s.rec, err
}
