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
	// When its frontend sent it, to a worker or to a standalone router, and
	// when it was at the latter, if there is one.
	dispatched, atRouter time.Duration
	lost                 time.Duration // of the attempt before this one, when a migration
	migration            string

	made      int           // tokens that the engine has produced
	held      int           // of them not sent yet (stream interval)
	heldSince time.Duration // when the last one was sent
	delivered int
	handled   bool // has a handler's slot at its worker
	parked    bool // waits there for its KV cache
	relayed   bool // a standalone router has it in its books
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

// send takes an attempt over the request plane to its worker.
func (w *World) send(a *attempt) {
	a.sent = w.clock.now
	if w.routerOf(a.phase) == nil {
		a.dispatched = a.sent
		a.r.f.sending(a)
	}
	k := a.rank
	k.hold(a)
	if k.worker.dead {
		w.clock.after(w.connectTime(), func(time.Duration) { w.lose(a, true) })
		return
	}
	w.clock.after(w.transit(a, k.worker), func(time.Duration) {
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
	if w.routerOf(a.phase) == nil {
		a.r.f.sent(a)
	}
	a.r.f.resumed(a)
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
		ID: a.id, ISL: a.isl, OSL: a.osl, Prefix: a.r.known(), Arrive: a.r.arrived,
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
