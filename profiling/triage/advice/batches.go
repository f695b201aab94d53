package advice

import (
	"fmt"
	"math"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// Batches and token budgets. Upstream's tuning guide: the smallest batch that
// saturates the GPU for prefill (often 1), a large one for decode; the token
// budget is the longest local prefill and the largest batch.
const (
	// atLimit is the share of its request limit at which a worker counts as
	// full, roomKV the share of KV below which more requests have room.
	atLimit = 0.95
	roomKV  = 0.7
	// prefillBatch is the mean number of prompts that run at once on a prefill
	// worker above which the batch counts as large; longPrompt the mean length
	// from which a single prompt is work enough (tuning guide: prefill is
	// inefficient below 1000 tokens).
	prefillBatch = 4
	longPrompt   = 1000
	// localPrefill is the longest prompt that a decode worker should prefill by
	// itself (upstream's threshold of conditional disaggregation).
	localPrefill = 2048
	// muchBudget is how many times what is needed makes a budget large.
	muchBudget = 4
)

func over(n sources.Need) sources.Need { return n.Over(Look, Step) }

var (
	needRunning  = over(sources.Need{Key: "engine.running", Form: sources.FormNow, By: "instance"})
	needWaiting  = over(sources.Need{Key: "engine.waiting", Form: sources.FormNow, By: "instance"})
	needMost     = sources.Need{Key: "engine.max_running", Form: sources.FormNow, By: "instance"}
	needKV       = over(sources.Need{Key: "kv.used_share", Form: sources.FormExpr, By: "instance"})
	needPreempts = sources.Need{Key: "engine.preemptions", Form: sources.FormIncrease, By: "instance", Window: Look}
)

func batches() []Rule {
	return []Rule{
		{
			Code: "batch-limit", Title: "the request limit holds work back", Settings: []string{"max_running"},
			Needs: []sources.Need{needRunning, needWaiting, needMost, needKV},
			Help: fmt.Sprintf("A decode or aggregated worker runs at least %.0f %% of its request limit while requests wait and KV is below %.0f %%, "+
				"at %.0f %% of the looks of %s. Decode wants large batches.", 100*atLimit, 100*roomKV, 100*lastingShare, Look),
			Judge: batchLimit,
		},
		{
			Code: "batch-prefill", Title: "prefill batches are large", Settings: []string{"max_running"},
			Needs: []sources.Need{needRunning, needLength, needPrompts},
			Help: fmt.Sprintf("A prefill worker runs more than %d prompts at once on average, and the mean prompt has %d tokens or more: one saturates the GPU, "+
				"and the others only wait for each other. Prefill wants the smallest batch that saturates the GPU, often 1.", prefillBatch, longPrompt),
			Judge: batchPrefill,
		},
		{
			Code: "token-budget-small", Title: "the token budget cuts long prompts", Settings: []string{"chunked_prefill_size", "max_running"},
			Needs: []sources.Need{needLengths, needPrompts, needMost},
			Help:  "The whole bucket of the input length's p95 lies above the token budget of a step, on a worker that prefills. The budget should be the longest local prefill and the largest batch.",
			Judge: budgetSmall,
		},
		{
			Code: "token-budget-large", Title: "decode keeps room for prefill it does not do", Settings: []string{"chunked_prefill_size", "max_running"},
			Needs: []sources.Need{needMost, needKV, needPreempts},
			Help: fmt.Sprintf("A decode worker beside prefill workers is short of KV, and its token budget is %d times the longest local prefill (%d) and its largest batch. "+
				"Decode wants a medium budget.", muchBudget, localPrefill),
			Judge: budgetLarge,
		},
	}
}

// most is the request limit of a worker, from its page or its flags.
func (m *Moment) most(p Process) (float64, bool) {
	if v, ok := m.number(needMost, p.own()); ok && v > 0 {
		return v, true
	}
	v, ok := p.numeric("max_running")
	return v, ok && v > 0
}

func batchLimit(m *Moment) {
	for _, p := range m.processes("decode", "aggregated") {
		running, waiting, kv := m.looks(needRunning, p.own()), m.looks(needWaiting, p.own()), m.looks(needKV, p.own())
		most, known := m.most(p)
		held, all, ok := lasting(func(v []float64) bool {
			return v[1] >= 1 && v[2] < roomKV && (!known || v[0] >= atLimit*most)
		}, running, waiting, kv)
		if !ok {
			continue
		}
		if !known {
			if p.Role == "decode" { // an aggregated worker may wait for prefill
				m.cannot(p, "max_running")
			}
			continue
		}
		queue, _ := mean(waiting)
		used, _ := mean(kv)
		m.give(p, Advice{
			Flag: p.set("max_running", plain(2*most)), Now: orElse(p.now("max_running"), plain(most)+" (its page)"),
			Observation: fmt.Sprintf("all %s places are taken and %s wait on average, with %s of KV used, at %d of %d looks in %s",
				plain(most), text.SI(queue), text.Percent(used), held, all, text.Age(Look)),
			Evidence: []verdict.Evidence{
				m.evidence("waiting "+text.SI(queue), needWaiting, p.own(), queue, 1),
				m.evidence("KV "+text.Percent(used), needKV, p.own(), used, roomKV),
			},
			Effect: "more requests decode at once, and the queue shortens by as many",
			Cost:   "each decode step takes longer, so ITL grows; KV fills sooner; a batch above the largest captured CUDA graph runs eager; restart",
		})
	}
}

func batchPrefill(m *Moment) {
	length, ok := m.number(needLength, nil)
	n, _ := m.number(needPrompts, nil)
	if !ok || n < leastPrompts || length < longPrompt {
		return
	}
	for _, p := range m.processes("prefill") {
		running, ok := mean(m.looks(needRunning, p.own()))
		if !ok || running <= prefillBatch {
			continue
		}
		limit, known := p.numeric("max_running")
		if known && limit <= prefillBatch {
			continue
		}
		a := Advice{
			Flag: p.set("max_running", plain(prefillBatch)), Now: p.now("max_running"),
			Observation: fmt.Sprintf("%s prompts of %s tokens run at once on average (n %s)", text.SI(running), text.Count(length), text.Count(n)),
			Evidence: []verdict.Evidence{
				m.evidence("running "+text.SI(running), needRunning, p.own(), running, prefillBatch),
				m.evidence("prompts "+text.Count(length)+" tokens", needLength, nil, length, longPrompt),
			},
			Effect: "the first of the waiting prompts is done sooner at the same throughput: lower mean TTFT",
			Cost:   "short prompts no longer fill a step together; where running counts prompts whose KV is still being fetched, throughput falls: watch it; restart",
		}
		if !known {
			a.Unknown = []Missing{p.unknown("max_running")}
		}
		m.give(p, a)
	}
}

func budgetSmall(m *Moment) {
	lengths, ok := m.histogram(needLengths)
	if !ok {
		return
	}
	q, ok := lengths.Quantile(0.95)
	if !ok || !q.Enough || q.Over {
		return
	}
	for _, p := range m.processes("prefill", "aggregated") {
		budget, known := p.numeric("chunked_prefill_size")
		switch {
		case !known && q.Lo >= 4*localPrefill: // the usual budget
			m.cannot(p, "chunked_prefill_size")
		case known && budget > 0 && q.Lo > budget:
			batch, hasBatch := m.most(p)
			want := math.Ceil((q.Hi+batch)/1024) * 1024
			a := Advice{
				Flag: p.set("chunked_prefill_size", plain(want)), Now: p.now("chunked_prefill_size"),
				Observation: fmt.Sprintf("prompts of p95 (%s, n %s) take several steps of %s tokens", text.Bounds(q, "tokens"), text.Count(q.N), plain(budget)),
				Evidence:    []verdict.Evidence{m.evidence("input p95 "+text.Bounds(q, "tokens"), needLengths, nil, q.Lo, budget)},
				Effect:      "long prompts are computed in one step: lower TTFT for them",
				Cost:        "activations for a larger step take memory from KV; restart",
			}
			if p.Role == "aggregated" {
				a.Cost = "decode waits while a long prompt is computed, so ITL has peaks; " + a.Cost
			}
			if !hasBatch {
				a.Unknown = []Missing{p.unknown("max_running")}
			}
			m.give(p, a)
		}
	}
}

func budgetLarge(m *Moment) {
	if !m.disaggregated() {
		return
	}
	for _, p := range m.processes("decode") {
		used, held, all, short := m.shortOfKV(p)
		if !short {
			continue
		}
		budget, known := p.numeric("chunked_prefill_size")
		batch, hasBatch := m.most(p)
		if !known || !hasBatch {
			if !known {
				m.cannot(p, "chunked_prefill_size")
			} else {
				m.cannot(p, "max_running")
			}
			continue
		}
		need := localPrefill + batch
		if budget < muchBudget*need {
			continue
		}
		m.give(p, Advice{
			Flag: p.set("chunked_prefill_size", plain(math.Ceil(need/1024)*1024)), Now: p.now("chunked_prefill_size"),
			Observation: fmt.Sprintf("KV is %s used at %d of %d looks, and a step of up to %s tokens is kept room for, on a worker that prefills no long prompt",
				text.Percent(used), held, all, plain(budget)),
			Evidence: []verdict.Evidence{m.evidence("KV "+text.Percent(used), needKV, p.own(), used, fullKV)},
			Effect:   "the memory of a smaller step's activations becomes KV",
			Cost:     "prompts that come without their KV are prefilled in more steps; restart",
		})
	}
}

// orElse is the first that is not empty.
func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

var nan = math.NaN()
