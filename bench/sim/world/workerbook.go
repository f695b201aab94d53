package world

import (
	"time"

	"dynascope/bench/sim/engine"
	"dynascope/bench/sim/page"
	"dynascope/bench/sim/scenario"
)

// workerBook keeps a worker's page: Dynamo's runtime, and each rank's engine.
type workerBook struct {
	k    *worker
	page *page.WorkerPage
	last []engine.Stats // of each rank, when the page was last brought up to date

	recent []recentRank
}

// recentRank is what a rank did in the last second.
type recentRank struct {
	at         time.Duration
	stats      engine.Stats
	throughput float64
	hitRate    float64
	tokens     float64 // computed and generated
}

func newWorkerBook(k *worker) *workerBook {
	d := &k.w.sc.Deployment
	role := "unified"
	if k.pool.spec.Role != scenario.Aggregated {
		role = string(k.pool.spec.Role)
	}
	b := &workerBook{
		k: k,
		page: page.Worker(page.Gen(k.pool.spec.Generation), page.WorkerOptions{
			ID: k.id, Namespace: d.Namespace, Component: k.pool.component, Model: k.pool.model.name, Engine: k.pool.spec.Engine,
			DPRanks: len(k.ranks), Plain: k.w.plain, Full: d.Full, Role: role, PID: 1000 + k.number, Features: features(k.pool),
		}),
		last: make([]engine.Stats, len(k.ranks)), recent: make([]recentRank, len(k.ranks)),
	}
	limits := limitsOf(&k.pool.params)
	limits.Startup = []page.Startup{
		{Phase: "load_weight", Seconds: 14.2}, {Phase: "kv_cache_allocation", Seconds: 0.4},
		{Phase: "scheduler_e2e", Seconds: 31}, {Phase: "tokenizer_e2e", Seconds: 33},
	}
	for i := range k.ranks {
		b.page.Engine(i).Started(limits)
	}
	if slots, _ := k.handler.limits(); slots > 0 && k.pool.spec.Params.HandlerPool != nil {
		b.page.PoolCapacity.Set(float64(slots))
	}
	if n := k.pool.spec.Params.HandlerQueue; n != nil {
		b.page.QueueCapacity.Set(float64(*n))
	}
	return b
}

// limitsOf are an engine's constants but for the phases of its start.
func limitsOf(p *engine.Params) page.Limits {
	return page.Limits{
		KVTokens: p.KVPages * p.PageSize, PageSize: p.PageSize, MaxRunning: p.MaxRunning, ContextLength: 40960,
		WeightsGiB: p.GPU.WeightBytes / float64(p.TP) / (1 << 30),
		KVGiB:      float64(p.KVPages*p.PageSize) * p.KVTransferBytesPerToken / float64(p.TP) / (1 << 30),
		GraphGiB:   1.8, FreeGiB: 12,
	}
}

// features are those of a pool's engines that a scenario switches on.
func features(p *pool) (out []string) {
	if n := p.spec.Params.HostKVPages; n != nil && *n > 0 {
		out = append(out, "hicache")
	}
	if on := p.spec.Params.DeviceTimer; on != nil && *on {
		out = append(out, "device_timer")
	}
	if on := p.spec.Params.DPAttention; on != nil && *on && p.params.DP > 1 {
		out = append(out, "dp_attention")
	}
	return out
}

// queried: a router asked a rank for its KV events.
func (b *workerBook) queried(rank int, took, transit float64) {
	b.page.KVQuery(rank, 472, 89, took, transit)
}

func (b *workerBook) received(r *rank, a *attempt) {
	// Clocks that differ falsify what is measured over two machines.
	transit := (a.in - a.sent + b.k.fault.clock - a.r.f.fault.clock).Seconds()
	b.page.RequestReceived(requestBytes(a.isl), max(transit, 0))
	b.page.RequestAccepted(b.k.prologue.Seconds())
}

// admitted: the attempt has a slot of the handler.
func (b *workerBook) admitted(a *attempt) {
	if wait := b.k.w.clock.now - a.in; wait > 0 {
		b.page.PermitWait.Observe(wait.Seconds())
	}
	b.page.Received.Inc()
	b.page.AdmittedBy.Inc("direct")
}

func (b *workerBook) refused() { b.page.Refusals.Inc() }

func (b *workerBook) scheduled(r *rank, a *attempt) {
	e := b.page.Engine(r.index)
	e.Queued((a.scheduled - a.in).Seconds())
	if a.phase != decoding {
		e.Prefilled(a.isl-a.cached, a.cached, 0, 0)
	}
	a.r.cachedUsage = max(a.r.cachedUsage, a.cached)
}

func (b *workerBook) firstToken(r *rank, a *attempt) {
	if a.phase != prefilling {
		b.page.Engine(r.index).TTFT((a.firstAt - a.in).Seconds(), a.r.stream)
	}
}

func (b *workerBook) token(r *rank, gap time.Duration) {
	b.page.Engine(r.index).ITL(gap.Seconds(), 1)
}

func (b *workerBook) retracted(r *rank, a *attempt) {
	b.page.Engine(r.index).Retracted(1, a.isl, a.made)
}

// finished: the engine has completed an attempt.
func (b *workerBook) finished(r *rank, a *attempt) {
	b.page.Engine(r.index).Finished(page.Finished{
		ISL: a.isl, OSL: a.made, Device: a.cached, E2E: (a.out - a.in).Seconds(),
		Prefill: (a.firstAt - a.scheduled).Seconds(), Decode: (a.out - a.firstAt).Seconds(), Streaming: a.r.stream,
	})
	b.leaves(a, a.out)
	w := b.k.w
	if b.k.pool.spec.Generation == "1.4" && !w.plain && w.faultRand.Float64() < 0.01 {
		// The older release counts some requests as cancelled that were read to
		// their end.
		b.page.RequestCancelled()
	}
}

// cancelled: an attempt went away before its end.
func (b *workerBook) cancelled(r *rank, a *attempt) {
	b.page.RequestCancelled()
	if a.scheduled > 0 {
		b.page.Engine(r.index).Aborted()
	}
	b.leaves(a, b.k.w.clock.now)
}

// failed: the worker refused an attempt or failed it.
func (b *workerBook) failed(r *rank, a *attempt) {
	b.page.RequestFailed("generate")
	b.leaves(a, b.k.w.clock.now)
}

func (b *workerBook) leaves(a *attempt, now time.Duration) {
	if !a.left {
		a.left = true
		b.page.RequestDone(answerBytes(a.made), (now - a.in).Seconds())
	}
}

func answerBytes(tokens int) int { return 320 + 140*tokens }

func (b *workerBook) transferred(r *rank, a *attempt, waited, total time.Duration) {
	b.page.Engine(r.index).Transferred(page.Transfer{
		BootstrapMs: 1.5, AllocMs: 0.4 + ms(waited), TotalMs: ms(total),
		MiB: float64(a.isl) * r.base.KVTransferBytesPerToken / (1 << 20),
	})
}

// second notes what each rank did in the last second, and returns how many
// blocks left its cache.
func (b *workerBook) second(now time.Duration) (removed int) {
	for i, r := range b.k.ranks {
		s, q := r.engine.Stats(), &b.recent[i]
		if dt := (now - q.at).Seconds(); dt > 0 {
			q.throughput = float64(s.OutputTokens-q.stats.OutputTokens) / dt
		}
		cached, computed := s.CachedTokens-q.stats.CachedTokens, s.PrefillTokens-q.stats.PrefillTokens
		if cached+computed > 0 {
			q.hitRate = float64(cached) / float64(cached+computed)
		}
		removed += int(s.EvictedPages - q.stats.EvictedPages)
		q.tokens = float64(s.OutputTokens - q.stats.OutputTokens + computed)
		q.at, q.stats = now, s
	}
	b.shared()
	return removed
}

// shared counts what unequal ranks cost in the last second.
func (b *workerBook) shared() {
	most := 0.0
	for _, q := range b.recent {
		most = max(most, q.tokens)
	}
	for i, q := range b.recent {
		b.page.Engine(i).Shared(q.tokens, most-q.tokens)
	}
}

// load is a rank's state as its engine would report it.
func (b *workerBook) load(r *rank) page.Load {
	s := r.engine.Stats()
	l := page.Load{
		Running: s.Running, Waiting: s.Waiting, ContextSum: s.ContextTokens, NewTokenRatio: s.NewTokenRatio,
		Throughput: b.recent[r.index].throughput, HitRate: b.recent[r.index].hitRate,
		KVTokens: s.TotalPages * r.page, KVUsed: s.UsedPages * r.page, KVEvictable: s.EvictablePages * r.page,
		CUDAGraph: true, Prefills: s.Prefills, Decodes: s.Decodes, StepSeconds: s.LastStep.Seconds(),
	}
	if n := b.k.pool.spec.Params.HostKVPages; n != nil {
		l.HostAll = *n * r.page
		l.HostUsed = min(s.EvictablePages*r.page, l.HostAll)
	}
	switch b.k.pool.phase {
	case prefilling:
		l.Inflight = len(r.link.queue)
	case decoding:
		for _, a := range r.live {
			if a.parked {
				l.TransferQueue++
			}
		}
	}
	return l
}

// refresh sets what the page shows of the present, and counts the engine's
// steps since the last time.
func (b *workerBook) refresh() {
	k, p := b.k, b.page
	p.Uptime.Set((k.w.clock.now - k.started + startedBefore).Seconds())
	slots, _ := k.handler.limits()
	if limit := k.pool.spec.Params.EngineRequestLimit; limit != nil && *limit <= slots {
		p.Held.Set(float64(len(k.handler.queue)))
	} else if slots > 0 {
		p.QueueDepth.Set(float64(len(k.handler.queue)))
		p.PoolActive.Set(float64(k.handler.active))
	}
	p.Engaged.Set(float64(k.handler.active))
	for i, r := range k.ranks {
		l := b.load(r)
		e := p.Engine(i)
		s, was := r.engine.Stats(), b.last[i]
		b.last[i] = s
		e.Decoded(int(s.DecodeTokens - was.DecodeTokens))
		for range s.PrefillSteps + s.MixedSteps - was.PrefillSteps - was.MixedSteps {
			e.Pass(true, false)
		}
		for range s.DecodeSteps - was.DecodeSteps {
			e.Pass(false, true)
		}
		busy := s.PrefillBusy + s.DecodeBusy + s.MixedBusy - was.PrefillBusy - was.DecodeBusy - was.MixedBusy
		host := s.Host - was.Host
		e.Looped(busy.Seconds(), host.Seconds(), (s.Idle - was.Idle - host).Seconds())
		e.Report(l)
		if k.w.sc.Deployment.Full && !k.w.plain {
			p.KVUsage(i, s.TotalPages, s.UsedPages)
		}
	}
}
