package world

import "time"

// finish ends an attempt that the engine has completed.
func (w *World) finish(a *attempt, now time.Duration) {
	if a.over {
		return
	}
	w.release(a)
	a.r.f.attemptEnded(a, now)
	if a.phase != prefilling {
		w.end(a.r, "")
	}
	w.drain(a.r.m)
}

// release takes an attempt off its rank and the router's books.
func (w *World) release(a *attempt) {
	a.over = true
	a.claim.ended()
	if a.rank != nil {
		a.rank.letGo(a)
	}
}

// abandon drops an attempt wherever it is.
func (w *World) abandon(a *attempt) {
	if a == nil || a.over {
		return
	}
	k := a.rank
	w.release(a)
	if k == nil {
		a.r.f.unasked(a)
		return
	}
	if !k.worker.dead && a.in > 0 {
		k.worker.reach(func() {
			if k.engine.Cancel(w.clock.now, a.id) {
				k.worker.book.cancelled(k, a)
			}
			w.rearm(k)
		})
	}
	a.r.f.attemptLost(a)
}

// lose is what a worker's death does to an attempt: the request goes to
// another worker, or fails.
func (w *World) lose(a *attempt, connecting bool) {
	if a.over {
		return
	}
	r, now := a.r, w.clock.now
	k := a.rank
	w.release(a)
	r.f.attemptLost(a)
	if w.gen16 {
		k.worker.suspect = now + suspectFor
	}
	kind := "new_request"
	if r.got > 0 {
		kind = "ongoing_request"
	}
	if r.migrations >= w.migrationLimit || !w.gen16 && connecting {
		w.fail(r, "internal")
		return
	}
	r.migrations++
	r.f.migrated(r, kind)
	if !w.gen16 && r.got > 0 {
		w.fail(r, "internal") // the older release counts the migration and breaks the stream
		return
	}
	if r.m.disagg {
		w.abandon(r.prefill)
		w.abandon(r.main)
		r.prefill, r.main, r.kvArrived = nil, nil, false
	}
	ph := a.phase
	if r.m.disagg {
		ph = prefilling
	}
	n := w.newAttempt(r, ph, r.isl+r.got, r.osl-r.got)
	n.lost, n.migration = now, kind
	w.ask(n)
}

// fail ends a request with an error type of requests_total.
func (w *World) fail(r *request, kind string) { w.end(r, kind) }

// cancel is the client going away.
func (w *World) cancel(r *request) { w.end(r, "cancelled") }

func (w *World) end(r *request, outcome string) {
	if r.over {
		return
	}
	r.over = true
	r.ended, r.outcome = w.clock.now, outcome
	// Booked first: ending its attempts may place others.
	r.f.ended(r)
	w.abandon(r.prefill)
	w.abandon(r.main)
	f := r.f
	last := len(f.live) - 1
	f.live[r.place] = f.live[last]
	f.live[r.place].place = r.place
	f.live[last] = nil
	f.live = f.live[:last]
	w.truth.request(w, r)
	w.planner.ended(r)
	if r.call != nil {
		r.call.end(outcome, w.clock.now)
	}
	if r.user != nil {
		r.user.done(r)
	}
	if outcome != "" {
		w.drain(r.m)
	}
}
