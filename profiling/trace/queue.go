package trace

// launch keeps the books of launches and of the queue.
func (s *sweep) launch(w *gpuWork) {
	l := &s.rank.Launch
	if w.launch == 0 {
		l.Unknown++
		return
	}
	l.Launches++
	delay := w.start - w.launch
	if delay < 0 {
		l.Early++
		delay = 0
	}
	if w.flags&graphFlag != 0 {
		if w.corr != 0 && !s.replays[w.corr] && len(s.replays) < maxReplays {
			s.replays[w.corr] = true
			s.rank.Graphs.Launches++
			l.GraphWait += delay
			if len(s.steps) > 0 {
				if m := &s.steps[s.near]; w.launch >= m.start && w.launch < m.start+m.dur {
					s.sums[s.near].Graphs++
				}
			}
		}
		return
	}
	l.Singles++
	l.Delay += delay
	l.DelayMax = max(l.DelayMax, delay)
	s.drain(w.start)
	if s.depth[w.track] > 0 {
		s.pass(w.start)
		s.depth[w.track]--
		s.sum--
		if s.depth[w.track] == queueFull-1 {
			s.full--
		}
	}
}

// drain counts the launches up to t into the queue.
func (s *sweep) drain(t int64) {
	for s.queue.ok && uint8(s.queue.head.place>>48) == s.device {
		at := int64(s.queue.head.place & placeMax)
		if at > t {
			return
		}
		s.pass(at)
		d := &s.depth[s.queue.head.track]
		*d++
		s.sum++
		if *d == queueFull {
			s.full++
		}
		s.rank.Launch.DepthMax = max(s.rank.Launch.DepthMax, int64(*d))
		s.queue.next()
	}
}

// launchStream are the launches of all devices by device and time.
type launchStream struct {
	walk *walk[waiting]
	head waiting
	ok   bool
}

func (l *launchStream) next() {
	rec := l.walk.next()
	if l.ok = rec != nil; l.ok {
		l.head = *rec
	}
}

// pass moves the queue's clock.
func (s *sweep) pass(t int64) {
	if !s.began {
		s.began, s.clock = true, t
		return
	}
	if t <= s.clock {
		return
	}
	l, dt := &s.rank.Launch, t-s.clock
	l.DepthTime += s.sum * dt
	l.QueueSpan += dt
	if s.full > 0 {
		l.Full += dt
	}
	if s.sum == 0 {
		l.Dry += dt
	}
	s.clock = t
}
