package world

import (
	"time"

	"dynascope/bench/sim/page"
)

// frontend is one frontend process with the router inside it. Its methods are
// called at what happens to its requests and keep its books as the real one
// keeps them: which family is observed when was read off recorded pages.
type frontend struct {
	w        *World
	name     string
	number   int
	id       uint64 // its own instance
	routerID uint64
	book     *page.FrontendPage // nil for a plain SGLang deployment
	live     []*request
	fault    effects

	loopDebt time.Duration
}

// itlBatch: the frontend books a request's ITLs by so many, and the rest at
// its end.
const itlBatch = 64

func requestType(stream bool) string {
	if stream {
		return "stream"
	}
	return "unary"
}

func (f *frontend) stageMoved(stage string, ph phase, by float64) {
	label := ph.String()
	if stage == "preprocess" {
		label = ""
	}
	f.book.StageRequests.Add(by, stage, label)
}

func (f *frontend) started(r *request) {
	if f.book == nil {
		return
	}
	f.book.RequestStarted(r.m.name, r.endpoint, requestType(r.stream))
	f.stageMoved("preprocess", aggregated, 1)
}

// refused counts a request for a model that is not there.
func (f *frontend) refused(model, endpoint string, stream bool) {
	if f.book != nil {
		f.book.Finished.Inc(model, endpoint, requestType(stream), "error", "not_found")
	}
}

func (f *frontend) preprocessed(r *request, template, tokenize time.Duration) {
	if f.book == nil {
		return
	}
	b := f.book
	f.stageMoved("preprocess", aggregated, -1)
	b.StageDuration("preprocess", (r.preprocessed - r.arrived).Seconds())
	b.Template.Observe(template.Seconds())
	b.Tokenize.Observe(tokenize.Seconds())
	if b.CacheHits != nil {
		// The first prompt of a model finds nothing of its template.
		if r.m.seen {
			b.CacheHits.Inc()
		} else {
			r.m.seen = true
			b.CacheMisses.Inc()
		}
		b.CacheCached.Add(1, r.m.name)
		b.CacheUncached.Add(float64(r.isl-1), r.m.name)
	}
}

// asked: an attempt is before the router.
func (f *frontend) asked(a *attempt) {
	if f.book == nil {
		return
	}
	f.stageMoved("route", a.phase, 1)
	if f.w.embedded {
		f.book.Router.Admitted.Inc(a.r.m.name, a.phase.workerType(), "default")
	}
}

// handedOver: an attempt leaves for a standalone router.
func (f *frontend) handedOver(a *attempt) {
	if f.book == nil {
		return
	}
	f.stageMoved("route", a.phase, -1)
	f.stageMoved("dispatch", a.phase, 1)
	f.book.StageDuration("route", f.w.jitter(3e-6))
	f.sending(a)
}

// pushedBack: the router's queue is full.
func (f *frontend) pushedBack(a *attempt, reason string) {
	if f.book != nil {
		f.book.Router.Backpressure.Inc(a.r.m.name, a.phase.workerType(), "default", reason)
	}
}

// unasked: it went away before it was placed.
func (f *frontend) unasked(a *attempt) {
	if f.book == nil {
		return
	}
	if q := f.w.routerOf(a.phase); q != nil {
		f.stageMoved("dispatch", a.phase, -1)
		f.book.PlaneInflight.Add(-1)
		q.done(a)
		return
	}
	f.stageMoved("route", a.phase, -1)
}

// routed: the router has chosen.
func (f *frontend) routed(a *attempt) {
	if f.book == nil {
		return
	}
	b, m := f.book, a.r.m
	f.stageMoved("route", a.phase, -1)
	f.stageMoved("dispatch", a.phase, 1)
	// The stage "route" is not the router's time; it is near zero always.
	b.StageDuration("route", f.w.jitter(3e-6))
	if !f.w.embedded {
		return
	}
	r, p, ph := &b.Router, a.parts, a.phase.String()
	r.Started.Inc()
	if f.w.gen16 {
		r.ISL.Observe(float64(a.isl), m.name, ph)
	} else {
		r.ISL.Observe(float64(a.isl))
	}
	block := a.rank.block
	r.HitRate.Observe(min(float64(a.hit*block)/float64(a.isl), 1))
	r.BestPrefix.Add(float64(a.bestHit*block), m.name, ph)
	r.SelectedPrefix.Add(float64(a.hit*block), m.name, ph)
	r.ReusedTokens.Add(0, m.name, ph)
	r.BlockHashing.Observe(ms(p.blockHashing))
	r.SeqHashing.Observe(ms(p.seqHashing))
	r.FindMatches.Observe(ms(p.findMatches))
	// The rest is scheduling, which so holds the wait in the router's queue.
	total := a.routed - a.asked
	r.Scheduling.Observe(ms(total - p.findMatches - p.blockHashing - p.seqHashing))
	r.Total.Observe(ms(total))
	if m.disagg && a.phase == decoding {
		r.Transfer.Observe(f.w.transferEstimate(a).Seconds())
	}
	if a.stored > 0 {
		b.KVEvents(m.component(a.phase), "stored", "ok", a.stored)
		r.EventBatches.Inc(m.component(a.phase))
	}
	f.shareLoad(m, a.phase)
}

// transferEstimate is how long the router expects the KV transfer to take: a
// mocker says nothing of it.
func (w *World) transferEstimate(a *attempt) time.Duration {
	if !w.sc.Deployment.Full {
		return 0
	}
	return a.rank.base.TransferTime(a.isl)
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// shareLoad counts a load event of the router's own bookkeeping.
func (f *frontend) shareLoad(m *model, ph phase) {
	if ph == prefilling {
		return // only decode load is shared
	}
	f.book.Router.LoadEvents.Inc(m.name, ph.workerType(), "default")
	f.book.Router.LoadBatches.Inc(m.name, ph.workerType(), "default")
}

// sending: the message is prepared and leaves.
func (f *frontend) sending(a *attempt) {
	if f.book == nil {
		return
	}
	f.book.PlaneQueue.Observe(f.w.jitter(28e-6))
	f.book.PlaneInflight.Add(1)
	f.book.BytesSent.Add(float64(requestBytes(a.isl)))
}

// sent: the worker, or a standalone router, has acknowledged.
func (f *frontend) sent(a *attempt) {
	if f.book == nil {
		return
	}
	var prologue time.Duration
	if q := f.w.routerOf(a.phase); q != nil {
		prologue = q.prologue
	} else {
		prologue = a.rank.worker.prologue
	}
	f.book.PlaneSend.Observe((f.w.clock.now - a.dispatched).Seconds() + prologue.Seconds())
}

// resumed: an attempt is at its worker, which ends a migration.
func (f *frontend) resumed(a *attempt) {
	if f.book != nil && a.migration != "" {
		f.book.MigrationSeconds.Observe((f.w.clock.now - a.lost).Seconds(), a.r.m.name, a.migration, "success")
	}
}

// answered: the first response of an attempt.
func (f *frontend) answered(a *attempt, now time.Duration) {
	if f.book == nil {
		return
	}
	b := f.book
	d := (now - a.dispatched).Seconds()
	b.PlaneRoundtrip.Observe(d)
	b.StageDuration("transport_roundtrip", d)
	f.stageMoved("dispatch", a.phase, -1)
	if q := f.w.routerOf(a.phase); q != nil {
		q.answered(a, now)
		return
	}
	if f.w.kvRouter {
		// The router's clock starts with the frontend's, so it contains the
		// preprocessing.
		b.Router.TTFT.Observe(max((now-a.r.arrived).Seconds()-30e-6, 0))
	}
	if a.phase == prefilling {
		b.WorkerLast(a.rank.id, a.rank.index, "prefill", (now - a.r.arrived).Seconds(), a.r.isl)
	}
}

func (f *frontend) firstToken(r *request, now time.Duration) {
	if f.book == nil {
		return
	}
	b := f.book
	ttft := (now - r.arrived).Seconds()
	if r.stream {
		b.FirstToken(r.m.name, ttft, r.isl)
	} else {
		b.Queued.Add(-1, r.m.name)
		b.ISL.Observe(float64(r.isl), r.m.name)
	}
	b.TokenizerMs.Observe(ms(r.preprocessed-r.arrived), "tokenize")
	b.Media(r.m.name, 0, 0, 0)
	b.Output.Inc(r.m.name)
	if !r.m.disagg && f.w.embedded && r.stream {
		b.WorkerLast(r.sentTo.id, r.sentTo.index, "decode", ttft, r.isl)
	}
}

// nextTokens books n tokens that came after a gap.
func (f *frontend) nextTokens(r *request, gap time.Duration, n int) {
	if f.book == nil {
		return
	}
	f.w.outputs.add(f, r.m, n)
	if !r.stream {
		return
	}
	each := gap.Seconds() / float64(n)
	for range n {
		if r.gaps = append(r.gaps, each); len(r.gaps) == itlBatch {
			f.bookGaps(r)
		}
	}
}

// outputs sums the tokens of one delivery, so that their counter is looked up
// once for many.
type outputs struct {
	f *frontend
	m *model
	n int
}

func (o *outputs) add(f *frontend, m *model, n int) {
	if o.f != f || o.m != m {
		o.book()
		o.f, o.m = f, m
	}
	o.n += n
}

func (o *outputs) book() {
	if o.n > 0 {
		o.f.book.Output.Add(float64(o.n), o.m.name)
		o.n = 0
	}
}

func (f *frontend) bookGaps(r *request) {
	for _, g := range r.gaps {
		f.book.ITL.Observe(g, r.m.name)
	}
	if n := len(r.gaps); n > 0 && f.w.embedded {
		k := r.sentTo
		if r.m.disagg && r.main != nil && r.main.rank != nil {
			k = r.main.rank
		}
		f.book.WorkerLastITL(k.id, k.index, "decode", r.gaps[n-1])
	}
	r.gaps = r.gaps[:0]
}

// attemptEnded: the engine has completed an attempt.
func (f *frontend) attemptEnded(a *attempt, now time.Duration) {
	if f.book == nil {
		return
	}
	f.book.PlaneInflight.Add(-1)
	f.routerDone(a)
}

// routerDone counts what the router calls a request: each attempt that had
// answered, migrated ones too.
func (f *frontend) routerDone(a *attempt) {
	if q := f.w.routerOf(a.phase); q != nil {
		q.done(a)
	}
	if !f.w.embedded {
		return
	}
	f.book.Router.Requests.Inc()
	f.book.Router.OSL.Observe(float64(a.delivered))
	f.shareLoad(a.r.m, a.phase)
}

// attemptLost: an attempt that was sent ended before its end.
func (f *frontend) attemptLost(a *attempt) {
	if f.book == nil {
		return
	}
	f.book.PlaneInflight.Add(-1)
	if a.answered {
		f.routerDone(a)
		return
	}
	f.stageMoved("dispatch", a.phase, -1)
	if q := f.w.routerOf(a.phase); q != nil {
		q.done(a)
	}
}

func (f *frontend) migrated(r *request, kind string) {
	if f.book != nil {
		f.book.Migrations.Inc(r.m.name, kind)
	}
}

// failureClass is how the newer release counts a failure besides its type.
var failureClass = map[string][2]string{
	"internal":    {"Internal", "runtime.internal"},
	"unavailable": {"Unavailable", "transport.cannot_connect"},
	"overload":    {"Unavailable", "runtime.overloaded"},
	"validation":  {"InvalidArgument", "request.validation"},
	"cancelled":   {"Cancelled", "client.disconnected"},
}

func (f *frontend) ended(r *request) {
	if f.book == nil {
		return
	}
	b, now := f.book, r.ended
	if r.preprocessed == 0 {
		f.stageMoved("preprocess", aggregated, -1)
	}
	f.bookGaps(r)
	status := "success"
	if r.outcome != "" {
		status = "error"
		if c, ok := failureClass[r.outcome]; ok && r.outcome != "cancelled" {
			b.Failures.Inc(c[0], c[1])
		}
	}
	if r.outcome == "cancelled" {
		b.Disconnected.Inc()
		b.Cancelled.Inc(r.m.name, r.endpoint, requestType(r.stream))
	}
	if r.outcome == "overload" {
		b.Rejected.Inc(r.m.name, r.endpoint)
	}
	b.RequestDone(r.m.name, r.endpoint, requestType(r.stream), status, r.outcome, (now - r.arrived).Seconds(), r.got > 0)
	if r.got > 0 {
		b.OSL.Observe(float64(r.got), r.m.name)
		if f.w.gen16 { // the older release leaves these empty
			b.TokenizerMs.Observe(f.w.jitter(0.002*float64(r.got)/64), "detokenize")
			b.Detokenized.Add(float64(r.got))
			b.DetokenizeUs.Add(float64(r.got) * 4.5)
		}
		// SGLang reports cached tokens only with --enable-cache-report; the older
		// release reads nobody's.
		if f.w.gen16 && r.main != nil && r.main.rank != nil && r.main.rank.worker.pool.spec.Engine == "vllm" {
			b.Cached.Observe(float64(r.cachedUsage), r.m.name)
		}
	}
}

// workerJoined: a worker has registered; the router asks each rank for its KV
// events.
func (f *frontend) workerJoined(k *worker) {
	if f.book == nil {
		return
	}
	m := k.pool.model
	// The card's migration limit and context length are 0 whatever the
	// frontend's own limit is: every recorded page shows that.
	f.book.ModelAdded(m.name, page.Card{
		KVBlocks: k.pool.params.KVPages, BlockSize: k.pool.params.PageSize, MaxSeqs: k.pool.params.MaxRunning,
		MaxBatchedTokens: k.pool.params.MaxPrefillTokens,
	})
	f.book.WorkerJoined(k.id, len(k.ranks), k.pool.phase.workerType(), k.pool.component, f.w.embedded && k.pool.indexed())
	if !f.w.embedded || !k.pool.indexed() {
		return
	}
	for rank := range k.ranks {
		d := f.w.jitter(0.0006)
		f.book.Roundtrip(f.w.jitter(28e-6), d, d)
		k.book.queried(rank, d, f.w.jitter(0.0002))
	}
}

func (f *frontend) workerLeft(k *worker, id uint64, ranks int) {
	if f.book != nil {
		f.book.WorkerLeft(id, ranks, k.pool.component, f.w.embedded && k.pool.indexed())
	}
}

// refresh sets what the page shows of the present.
func (f *frontend) refresh() {
	if f.book == nil {
		return
	}
	w, b := f.w, f.book
	b.Uptime.Set((w.clock.now + startedBefore).Seconds())
	if !w.embedded {
		return
	}
	for _, m := range w.models {
		for _, ph := range m.phases() {
			tokens, cached := 0, 0
			q := *m.queue(ph)
			for _, a := range q {
				tokens += a.isl
				best := 0
				for _, k := range m.ranks(ph) {
					best = max(best, k.match(a.r)*k.block)
				}
				cached += best
			}
			t := ph.workerType()
			b.Router.Pending.Set(float64(len(q)), m.name, t, "default")
			b.Router.PendingISL.Set(float64(tokens), m.name, t, "default")
			b.Router.PendingCached.Set(float64(cached), m.name, t, "default")
			if w.requests == 0 {
				continue // beliefs appear with the first request
			}
			for _, k := range m.ranks(ph) {
				if k.used {
					b.WorkerActive(k.id, k.index, t, float64(k.belief.decodeBlocks), float64(k.belief.prefillTokens))
				}
			}
		}
	}
}

// requestBytes is a request's size on the request plane.
func requestBytes(isl int) int { return 900 + 4*isl }
