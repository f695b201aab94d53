package profiling

import (
	"context"
	"fmt"
	"sync"
	"time"

	"dynascope/sources/text"
)

const frozen = "the worker writes its files and answers nobody meanwhile: 503 is expected now"

// run is a session from its checks to its files.
func (s *session) run(ctx context.Context) {
	s.to(Begin, "lock, disk, traffic")
	if why := s.check(ctx); why != "" {
		s.to(Refused, why)
		return
	}
	s.rec.Sent = true // on disk before it leaves
	s.rec.Words = "start sent"
	if err := s.lock.write(s.rec); err != nil {
		s.rec.Sent = false
		s.to(Refused, "not sent: "+err.Error())
		return
	}
	p := s.rec.Plan
	a := s.hail(context.WithoutCancel(ctx), actStart, p.body, s.t.Start)
	switch a.what {
	case said:
		s.rec.Producer = a.route.Producer
		s.to(Started, a.words)
		s.record(ctx)
	case lost:
		s.to(StartLost, a.words)
		s.stop(ctx, "the start had no answer")
	case overran:
		s.overran = "another session was recording and this start took it over: its trace is lost (" + a.words + ")"
		s.to(StartLost, s.overran)
		s.stop(ctx, "to leave no profiler on")
	case inProgress:
		s.to(NotStarted, "another session is recording, not one of this host's dynascope; it was left alone ("+a.words+")")
		return
	default:
		s.to(NotStarted, a.words)
		return
	}
	s.afterStop(ctx)
}

// check is what must hold before a start: nobody at the same pool, room for
// the files, and steps to record. It returns why not.
func (s *session) check(ctx context.Context) string {
	p := s.rec.Plan
	if !p.Beside {
		// After the own lock is taken: of two that start at once none misses the other.
		others, err := States(s.r.locks())
		if err != nil {
			return text.Safe(err.Error(), 300)
		}
		for _, o := range others {
			q := o.Plan
			if o.Held && q.Worker.URL != p.Worker.URL && (p.Pool == "" || q.Pool == "" || p.Pool == q.Pool) {
				return fmt.Sprintf("%s is at another worker, %s, that may be of the same pool; hint: one after the other, so that the pool keeps serving", o.User, q.Worker.URL)
			}
		}
	}
	if s.blind == "" {
		free, err := freeSpace(p.Dir)
		need := 2*p.Estimate() + 256<<20
		switch {
		case err != nil:
			return "the disk of " + p.Dir + ": " + text.Safe(err.Error(), 200)
		case free < need:
			return fmt.Sprintf("the disk of %s has %s free, and this may need %s", p.Dir, text.Bytes(float64(free)), text.Bytes(float64(need)))
		}
	} else {
		s.say("the disk is the worker's: its free space is unknown")
	}
	if p.Traffic == nil {
		return ""
	}
	flows, err := p.Traffic(ctx)
	switch {
	case ctx.Err() != nil:
		return "ended before anything was sent"
	case err != nil:
		s.say("whether there is traffic is not known: " + text.Safe(err.Error(), 200))
	case flows:
		s.rec.Plan.Burst = nil // not needed
	case p.Burst == nil:
		return "there is no traffic, and steps advance only with batches; hint: let a small burst of requests run along"
	}
	return ""
}

// say changes what is said, not where the session is.
func (s *session) say(words string) {
	s.rec.Words = words
	s.progress()
}

// record waits for the first file, or for the time to stop.
func (s *session) record(ctx context.Context) {
	p := s.rec.Plan
	burst, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	if p.Burst != nil {
		work.Go(func() { _ = p.Burst.Run(burst) }) // what it fails at shows in the files
	}
	limit, why := s.t.Record, "no file appeared: too few batches for its steps, or the files are not on this host"
	switch {
	case p.For > 0:
		limit, why = p.For, "its time is over"
	case s.blind != "":
		limit, why = s.t.Remote, "its files cannot be seen from here; if its steps are done this finds nothing in progress"
	}
	tick := time.NewTicker(s.t.Poll)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			s.stop(ctx, "asked to end")
			return
		case <-tick.C:
		}
		if s.blind == "" && p.For == 0 {
			files, _, err := s.dir.look(ctx)
			switch {
			case ctx.Err() != nil:
				continue
			case err != nil:
				s.blind = text.Safe(err.Error(), 300)
			case len(files) > 0:
				s.rec.Files = files
				s.to(FilesAppear, frozen)
				return
			}
		}
		if time.Since(began) >= limit {
			s.stop(ctx, why)
			return
		}
		s.progress()
	}
}

// stop ends the recording. It waits for the answer, which comes after the
// exports; when ctx has ended already it waits all the same, when it ends
// meanwhile the session is left to whoever comes next.
func (s *session) stop(ctx context.Context, why string) {
	words := frozen
	if why != "" {
		words = why + "; stopping: " + frozen
	}
	s.to(Stopping, words)
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	a := s.hail(ctx, actStop, Plan{}.body, s.t.Stop)
	s.asked, s.stopped = true, a.what
	switch {
	case a.what == said:
		s.rec.Producer = a.route.Producer
		s.to(Stopped, a.words)
	case a.what == notInProgress:
		s.rec.Producer = a.route.Producer
		s.to(NotInProgress, "nothing is in progress any more: it stopped by itself after its steps, or before")
	case ctx.Err() != nil:
		s.to(LeftThere, "left while the worker exports; the next start or stop picks it up")
	default:
		s.to(StopFailed, "the stop failed, and its profiler may be on: "+a.words)
	}
}

// hail sends and, while the answer is awaited, tells that time passes.
func (s *session) hail(ctx context.Context, action string, body func(string) []byte, limit time.Duration) answer {
	got := make(chan answer, 1)
	go func() { got <- s.r.hail(ctx, s.rec.Plan.Worker, action, s.rec.Producer, body, limit) }()
	tick := time.NewTicker(s.t.Poll)
	defer tick.Stop()
	for {
		select {
		case a := <-got:
			return a
		case <-tick.C:
			s.progress()
		}
	}
}

// afterStop sees the files through, from wherever the session is.
func (s *session) afterStop(ctx context.Context) {
	if s.asked && s.rec.Phase == Unknown {
		return // the stop failed
	}
	if s.overran != "" {
		s.to(Incomplete, s.overran)
		return
	}
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx) // it was stopped because of that: its files are still wanted
	}
	ok := s.blind == "" && s.await(ctx)
	if ctx.Err() != nil {
		s.to(LeftThere, "left while files were being written; the next start or stop picks it up")
		return
	}
	if s.blind == "" && !ok && !s.asked {
		// The stop waits for every rank, and makes sure that nothing is left on.
		s.stop(ctx, "files are missing or not whole")
		if s.rec.Phase != Verifying {
			return
		}
		ok = s.await(ctx)
	}
	if s.rec.Phase == Exporting {
		s.to(Look, "reading the files to their ends")
	}
	s.judgeFiles(ok)
}

// await waits until all files are whole and rest, or rest without being so.
func (s *session) await(ctx context.Context) bool {
	tick := time.NewTicker(s.t.Poll)
	defer tick.Stop()
	last := time.Now()
	began := last
	for time.Since(began) < s.t.Stop {
		files, changed, err := s.dir.look(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			s.blind = text.Safe(err.Error(), 300)
			return false
		}
		s.rec.Files, s.rec.Missing = files, missing(s.rec.Plan, files)
		if changed {
			last = time.Now()
		}
		good := allWhole(files) && len(s.rec.Missing) == 0
		if rest := time.Since(last); good && rest >= s.t.Quiet || rest >= s.t.Lost {
			return good
		}
		s.progress()
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return false
}

// judgeFiles is the last word.
func (s *session) judgeFiles(ok bool) {
	p, n := s.rec.Plan, len(s.rec.Files)
	switch {
	case p.ID == "" && s.stopped == notInProgress:
		s.to(NoFiles, "nothing was in progress")
	case p.ID == "":
		s.to(Whole, "stopped; "+s.blind)
	case s.blind != "" && s.stopped == notInProgress:
		s.to(Whole, "it had stopped by itself; "+s.blind)
	case s.blind != "":
		s.to(Whole, s.blind)
	case ok:
		var size int64
		for _, f := range s.rec.Files {
			size += f.Size
		}
		s.to(Whole, fmt.Sprintf("%d files, %s, all whole, in %s", n, text.Bytes(float64(size)), p.Dir))
	case n == 0 && s.stopped == notInProgress:
		s.to(NoFiles, "nothing was in progress, and no file of it is in "+p.Dir)
	case n == 0:
		s.to(Incomplete, "no file of it is in "+p.Dir+" on this host; a worker in a container writes to its own file system")
	case len(s.rec.Missing) > 0:
		s.to(Incomplete, fmt.Sprintf("%d files, and none of %v", n, s.rec.Missing))
	default:
		s.to(Incomplete, fmt.Sprintf("%d files, not all of them whole", n))
	}
}
