package engine

import "time"

// Bound is what a queue waits for.
type Bound uint8

// What a queue's head waits for: nothing but the step under way, the prefill
// budget of a step, a place among the running requests, or pages.
const (
	Unbound Bound = iota
	BoundPrefill
	BoundRunning
	BoundKV
)

// String returns the bound's name.
func (b Bound) String() string {
	switch b {
	case Unbound:
		return "none"
	case BoundPrefill:
		return "prefill"
	case BoundRunning:
		return "running"
	case BoundKV:
		return "kv"
	}
	return "unknown"
}

// Stats is what an engine's gauges and counters would show.
type Stats struct {
	// Requests in the batch (those in prefill included), in the queue, and
	// finished prefills whose KV is still held for another engine.
	Running, Waiting, Held int
	// Requests whose prompts and whose next tokens the step under way computes.
	Prefills, Decodes int
	// LastStep is how long the last completed step took, the host's part
	// included.
	LastStep time.Duration
	// Pages in use, holding a prefix nobody uses, and free: together Total.
	// After a shrink, Used can exceed Total until the next step.
	UsedPages, EvictablePages, FreePages, TotalPages int
	// ContextTokens is the sum of the contexts of the running requests.
	ContextTokens int
	// NewTokenRatio is the admission estimate's ratio now.
	NewTokenRatio float64
	Frozen        bool
	// Bound is what the queue waited for when the last step began; Unbound
	// without a queue.
	Bound Bound

	// Requests since the start. Submitted = Finished + Rejected + Cancelled +
	// those the engine still has.
	Submitted, Finished, Rejected, Cancelled uint64
	// PrefillTokens were computed, CachedTokens found in the prefix cache
	// instead; both again when a retracted request comes back.
	PrefillTokens, CachedTokens uint64
	// OutputTokens were handed out; DecodeTokens of them by decode.
	OutputTokens, DecodeTokens uint64
	// Retractions, and the answers' tokens whose KV they lost.
	Retractions, RetractedTokens uint64
	// EvictedPages held a prefix that is forgotten.
	EvictedPages uint64
	// Steps by kind.
	PrefillSteps, DecodeSteps, MixedSteps uint64
	// Time of the GPU by kind, up to the last completed step: together the time
	// since the start, but for the wait in a freeze or an idle engine under way.
	// The host work after a step is idle time.
	PrefillBusy, DecodeBusy, MixedBusy, Idle time.Duration
	// Host is the idle time in which a step waited for the host.
	Host time.Duration
}

// Stats returns the state now and the counters up to the last completed step.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Running = len(e.running)
	for _, r := range e.batch {
		if !r.gone {
			s.Running++
		}
	}
	if e.chunked != nil && len(e.batch) == 0 {
		s.Running++
	}
	if e.doing > waking {
		s.Prefills, s.Decodes = s.Running-len(e.running), e.work.DecodeSeqs
	}
	s.Waiting, s.Held = len(e.waiting), len(e.held)
	s.UsedPages, s.EvictablePages, s.TotalPages = e.pool.used, e.pool.evictable, e.pool.total
	s.FreePages = max(0, e.pool.free())
	for _, r := range e.running {
		s.ContextTokens += r.ctx
	}
	s.NewTokenRatio, s.Frozen = e.ratio, e.frozen
	if s.Waiting > 0 {
		s.Bound = e.bound
	}
	s.EvictedPages = e.pool.evicted
	return s
}

// account books the step that ended.
func (e *Engine) account() {
	d := e.busyTo - e.from
	s := &e.stats
	switch e.doing {
	case prefilling:
		s.PrefillSteps++
		s.PrefillBusy += d
	case decoding:
		s.DecodeSteps++
		s.DecodeBusy += d
		s.DecodeTokens += uint64(len(e.running))
	case mixing:
		s.MixedSteps++
		s.MixedBusy += d
		s.DecodeTokens += uint64(len(e.running))
	}
	s.Idle += e.end - e.busyTo
	s.Host += e.end - e.busyTo
	s.LastStep = e.end - e.from
	e.gpu.add(e.from, e.busyTo, e.p.activity(e.work, d))
}
