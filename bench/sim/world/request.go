package world

import (
	"time"

	"dynascope/bench/sim/engine"
)

// request is what a client asked of a frontend, from its arrival to its end.
type request struct {
	id       uint64
	f        *frontend
	m        *model
	endpoint string // "chat_completions" or "completions"
	stream   bool
	isl, osl int
	prefix   []uint64 // hashes of the prompt's full pages
	shared   int      // leading pages of them that other prompts may have too

	user *user // who waits for it; nil for external requests
	call *Call // an external request
	// cancelAfter is the number of tokens after which the client goes away;
	// negative: it stays.
	cancelAfter int

	arrived, preprocessed, first, last, ended time.Duration
	sentTo                                    *rank     // the first it was sent to: the frontend's books name that one, also after a migration
	only                                      *worker   // a plain SGLang server that was called directly
	kvArrived                                 bool      // of a disaggregated pair
	cachedUsage                               int       // cached tokens that the engine's usage told
	got                                       int       // tokens delivered
	gaps                                      []float64 // s between tokens, not yet observed: the frontend books them by 64
	allGaps                                   []time.Duration

	main, prefill *attempt
	migrations    int
	over          bool
	outcome       string // error_type of requests_total, "" for success
	place         int    // in frontend.live
}

type phase uint8

const (
	aggregated phase = iota
	prefilling
	decoding
)

func (p phase) String() string { return [...]string{"aggregated", "prefill", "decode"}[p] }

// workerType is how the router calls the pool: aggregated workers are
// "decode".
func (p phase) workerType() string {
	if p == prefilling {
		return "prefill"
	}
	return "decode"
}

// attempt is one way of a request (or of its prefill half) through router and
// worker. A migration makes a second one.
type attempt struct {
	id       uint64
	r        *request
	phase    phase
	isl, osl int // of this attempt: a migrated prompt holds the tokens delivered so far
	rank     *rank
	claim    claim
	hit      int // blocks that the router believed to be cached there
	bestHit  int // and the most on any worker
	stored   int // blocks that were new to the router's index
	cached   int // prompt tokens that the engine found
	parts    routeParts

	asked, routed, sent, in, scheduled, firstAt, lastAt, out time.Duration
	lost                                                     time.Duration // of the attempt before this one, when a migration
	migration                                                string

	made      int           // tokens that the engine has produced
	held      int           // of them not sent yet (stream interval)
	heldSince time.Duration // when the last one was sent
	delivered int
	handled   bool // has a handler's slot at its worker
	parked    bool // waits there for its KV cache
	answered  bool
	left      bool // its worker has booked its end
	over      bool
	place     int // in rank.live
}

// known are the leading pages that other prompts may have too.
func (r *request) known() []uint64 { return r.prefix[:r.shared] }

// arrive starts a request at its frontend.
func (w *World) arrive(r *request) {
	f := r.f
	w.requests++
	r.id = w.requests
	r.arrived = w.clock.now
	r.place = len(f.live)
	f.live = append(f.live, r)
	f.started(r)
	if limit := w.sc.Deployment.Frontends.MaxRequests; limit > 0 && len(f.live) > limit {
		w.clock.after(w.jittered(200*time.Microsecond), func(time.Duration) { w.fail(r, "overload") })
		return
	}
	template, tokenize := w.preprocessTime(f, r)
	w.clock.after(template+tokenize, func(now time.Duration) {
		if r.over {
			return
		}
		r.preprocessed = now
		f.preprocessed(r, template, tokenize)
		if kind := drawError(f.fault.errors, r.m, w.faultRand); kind != "" {
			w.fail(r, kind)
			return
		}
		ph := aggregated
		if r.m.disagg {
			ph = prefilling
		}
		w.ask(w.newAttempt(r, ph, r.isl, r.osl))
	})
}

func (w *World) newAttempt(r *request, ph phase, isl, osl int) *attempt {
	w.attempts++
	a := &attempt{id: w.attempts, r: r, phase: ph, isl: isl, osl: osl, place: -1}
	if ph == prefilling {
		a.osl = 1
		r.prefill = a
	} else {
		r.main = a
	}
	return a
}

// ask brings an attempt before the router.
func (w *World) ask(a *attempt) {
	a.asked = w.clock.now
	a.r.f.asked(a)
	a.parts = w.routeTime(a.r.f)
	w.clock.after(a.parts.total(), func(time.Duration) {
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
		a.r.f.pushedBack(a, reason)
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
	a.r.f.routed(a)
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

// send takes an attempt over the request plane to its worker.
func (w *World) send(a *attempt) {
	a.sent = w.clock.now
	a.r.f.sending(a)
	k := a.rank
	k.hold(a)
	if k.worker.dead {
		w.clock.after(w.connectTime(), func(time.Duration) { w.lose(a, true) })
		return
	}
	w.clock.after(w.transit(a.r.f, k.worker), func(time.Duration) {
		if a.over {
			return
		}
		if k.worker.dead {
			w.lose(a, true)
			return
		}
		k.worker.reach(func() { w.receive(a) })
	})
}

// receive takes an attempt into its worker's handler.
func (w *World) receive(a *attempt) {
	if a.over {
		return
	}
	a.in = w.clock.now
	k := a.rank
	k.worker.book.received(k, a)
	a.r.f.sent(a)
	if kind := drawError(k.worker.fault.errors, a.r.m, w.faultRand); kind != "" {
		k.worker.book.failed(k, a)
		w.fail(a.r, kind)
		return
	}
	if limit := maxContext(k.worker.pool); limit > 0 && a.isl+a.osl > limit {
		k.worker.book.failed(k, a)
		w.fail(a.r, "validation")
		return
	}
	if !k.worker.handler.enter(a) {
		k.worker.book.refused()
		w.fail(a.r, "overload")
	}
}

// handle hands an attempt that has a slot to the engine.
func (w *World) handle(a *attempt) {
	if a.phase == decoding && !a.r.m.handed(a.r) {
		a.parked = true
		return // it waits for its KV cache; the transfer submits it
	}
	w.submit(a)
}

func (w *World) submit(a *attempt) {
	k := a.rank
	a.parked = false
	k.engine.Submit(w.clock.now, engine.Request{
		ID: a.id, ISL: a.isl, OSL: a.osl, Prefix: a.r.prefix, Arrive: a.r.arrived,
		RemotePrefilled: a.phase == decoding,
	})
	w.rearm(k)
}

// handed says whether a request's KV cache has arrived for decoding.
func (m *model) handed(r *request) bool { return r.prefill == nil || r.kvArrived }

// transferred is the end of a KV transfer: the decode half starts, here or
// when it reaches its worker.
func (w *World) transferred(r *request) {
	if r.over || r.prefill == nil {
		return
	}
	r.kvArrived = true
	if d := r.main; d != nil && !d.over && d.parked {
		d.rank.worker.reach(func() {
			if !d.over && d.parked {
				w.submit(d)
			}
		})
	}
}

// answer is the first sign of life of an attempt at the frontend.
func (w *World) answer(a *attempt, now time.Duration) {
	a.answered = true
	a.claim.prefilled()
	a.r.f.answered(a, now)
	w.drain(a.r.m)
}

// tokens delivers n tokens of an attempt to the frontend.
func (w *World) tokens(a *attempt, n int, now time.Duration) {
	if a.over {
		return
	}
	a.delivered += n
	if !a.answered {
		w.answer(a, now)
	}
	r := a.r
	if a.phase == prefilling || r.over {
		return // its token is the decode half's first
	}
	before := r.got
	r.got += n
	if before == 0 {
		r.first, r.last = now, now
		r.f.firstToken(r, now)
		if n > 1 {
			r.f.nextTokens(r, 0, n-1)
		}
	} else {
		gap := now - r.last
		r.last = now
		r.f.nextTokens(r, gap, n)
		if w.truth.tokens() {
			for range n {
				r.allGaps = append(r.allGaps, gap/time.Duration(n))
			}
		}
	}
	if r.call != nil && r.call.ext.OnToken != nil {
		r.call.ext.OnToken(n, now)
	}
	if r.cancelAfter >= 0 && r.got >= max(r.cancelAfter, 1) {
		w.cancel(r)
	}
}

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
