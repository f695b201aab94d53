package world

import "time"

// ask brings an attempt before the router.
func (w *World) ask(a *attempt) {
	a.asked = w.clock.now
	a.r.f.asked(a)
	if q := w.routerOf(a.phase); q != nil {
		w.relay(a, q)
		return
	}
	w.decide(a)
}

// decide lets the router work out where an attempt goes.
func (w *World) decide(a *attempt) {
	q := w.routerOf(a.phase)
	if q != nil {
		q.deciding++
	}
	a.parts = w.routeTime(a)
	w.clock.after(a.parts.total(), func(time.Duration) {
		if q != nil {
			q.deciding--
		}
		if a.over {
			return
		}
		q := a.r.m.queue(a.phase)
		if len(*q) > 0 && w.sc.Deployment.Router.Policy == "fcfs" || !w.tryRoute(a) {
			w.enqueue(q, a)
		}
	})
}

// enqueue lets an attempt wait in the router, or refuses it.
func (w *World) enqueue(q *[]*attempt, a *attempt) {
	if a.over {
		return // failed for want of any worker
	}
	ro := &w.sc.Deployment.Router
	tokens := a.isl
	for _, b := range *q {
		tokens += b.isl
	}
	reason := ""
	switch {
	case ro.QueueLimit > 0 && len(*q) >= ro.QueueLimit:
		reason = "request_limit"
	case ro.QueueTokenLimit > 0 && tokens > ro.QueueTokenLimit:
		reason = "raw_isl_token_limit"
	}
	if reason != "" {
		if q := w.routerOf(a.phase); q != nil {
			q.pushedBack(a)
		} else {
			a.r.f.pushedBack(a, reason)
		}
		w.abandon(a)
		w.fail(a.r, "overload")
		return
	}
	*q = append(*q, a)
}

// tryRoute places an attempt, or fails its request when there is no worker at
// all; false and not over: it has to wait.
func (w *World) tryRoute(a *attempt) bool {
	m := a.r.m
	ranks := m.ranks(a.phase)
	if only := a.r.only; only != nil {
		ranks = only.ranks
	}
	some := false
	for _, k := range ranks {
		some = some || k.registered
	}
	if !some {
		w.abandon(a)
		w.fail(a.r, "unavailable")
		return false
	}
	k, hit := w.pick(m, ranks, a)
	if k == nil {
		return false
	}
	a.routed = w.clock.now
	a.rank, a.hit = k, hit
	k.used = true
	a.claim = k.take(a, hit)
	if a.r.sentTo == nil {
		a.r.sentTo = k
	}
	if q := w.routerOf(a.phase); q != nil {
		q.placed(a)
	} else {
		a.r.f.routed(a)
	}
	w.send(a)
	if a.phase == prefilling && !a.r.over {
		// The decode half is routed while the prompt is computed.
		w.ask(w.newAttempt(a.r, decoding, a.r.isl, a.r.osl))
	}
	return true
}

// drain places what waits in the router until one has to wait on.
func (w *World) drain(m *model) {
	if w.draining {
		return
	}
	w.draining = true
	defer func() { w.draining = false }()
	for _, ph := range m.phases() {
		q := m.queue(ph)
		for len(*q) > 0 {
			i := w.nextOf(*q)
			a := (*q)[i]
			if !a.over && !w.tryRoute(a) && !a.over {
				break
			}
			*q = append((*q)[:i], (*q)[i+1:]...)
		}
	}
}

// nextOf is whose turn it is by the router's policy.
func (w *World) nextOf(q []*attempt) int {
	best := 0
	for i, a := range q {
		switch w.sc.Deployment.Router.Policy {
		case "lcfs":
			best = len(q) - 1
		case "wspt": // the least uncached work first
			if a.isl < q[best].isl {
				best = i
			}
		default:
			return 0
		}
	}
	return best
}
