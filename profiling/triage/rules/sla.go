package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

var (
	promptTTFT     = sources.Need{Key: "frontend.ttft", Form: sources.FormBuckets, By: "model"}
	promptISL      = sources.Need{Key: "frontend.isl", Form: sources.FormBuckets, By: "model"}
	promptUncached = sources.Need{Key: "engine.uncached_isl", Form: sources.FormBuckets, By: "model"}
	promptHits     = sources.Need{Key: "engine.hit_ratio", Form: sources.FormExpr, By: "model"}
	promptTime     = sources.Need{Key: "engine.prefill_time", Form: sources.FormSumRate, By: "model"}
	promptTokens   = sources.Need{Key: "engine.prefill_tokens", Form: sources.FormRate, By: "model"}
)

const (
	// burnShare is the share of requests that may miss the promise: the usual
	// reading of one without a percentile is p95.
	burnShare = 0.05
	// burnLong is how much of the share that misses must be prompts too long to
	// make it.
	burnLong = 0.7
	// burnQueue is the part of the promise that the queue may take for a
	// deployment that is not short of anything.
	burnQueue = 0.25
	// fewHits is the hit ratio up to which all of a prompt counts as computed,
	// where the engine does not tell how much of each was cached.
	fewHits = 0.1
)

// prompts are the lengths of one model's prompts against its promise.
type prompts struct {
	missLo, missHi float64 // share of requests over the promise, as known from buckets
	surely         float64 // what the share is at least (Wilson, 99 %)
	perToken       float64 // seconds of prefill per token computed
	length         float64 // a prompt of so many tokens misses by its prefill alone
	long           float64 // share of prompts at least as long
	n              float64
	lengths        sources.Need // where the lengths come from
}

// promptsOf reads one model; ok is false where something is missing.
func promptsOf(m verdict.Moment, model sources.Labels) (x prompts, ok bool) {
	promised := m.SLA().TTFT.Seconds()
	ttft, has := m.Buckets(promptTTFT, model)
	if promised <= 0 || !has {
		return x, false
	}
	lo, hi, ok := ttft.Within(promised)
	if !ok {
		return x, false
	}
	x.missLo, x.missHi, x.n = 1-hi, 1-lo, ttft.N
	x.surely = shareAtLeast(x.missLo*ttft.N, ttft.N)
	work, hasWork := m.Where(promptTime, model)
	tokens, hasTokens := m.Where(promptTokens, model)
	if !hasWork || !hasTokens || work <= 0 || tokens <= 0 {
		return x, false
	}
	x.perToken = work / tokens
	x.lengths = promptUncached
	lengths, has := m.Buckets(promptUncached, model)
	if !has {
		hits, told := m.Where(promptHits, model)
		if lengths, has = m.Buckets(promptISL, model); !has || told && hits > fewHits {
			return x, false
		}
		x.lengths = promptISL
	}
	x.length = math.NaN()
	for i, edge := range lengths.Edges {
		if !math.IsInf(edge, 1) && edge*x.perToken >= promised {
			x.length = edge
			for _, k := range lengths.Counts[i+1:] {
				x.long += k / lengths.N
			}
			break
		}
	}
	return x, true
}

// calm says that no pool is short of anything: no queue to speak of, no
// retraction.
func calm(m verdict.Moment) bool {
	pools := poolsOf(m)
	for _, p := range pools {
		wait, _, ok := p.wait()
		if !ok && p.role != "decode" || wait > burnQueue*m.SLA().TTFT.Seconds() {
			return false
		}
		for _, w := range p.workers {
			if w.queues() || w.retracted > 0 {
				return false
			}
		}
	}
	return len(pools) > 0
}

func slaBurnLongPrompts() verdict.Rule {
	return verdict.Rule{
		Code: "sla-burn-long-prompts", Title: "prompts too long for the promise", Rank: 50,
		Hold: 30 * time.Second, Release: 30 * time.Second,
		Needs: append([]sources.Need{promptTTFT, promptISL, promptUncached, promptHits, promptTime, promptTokens}, poolNeeds...),
		Proof: []sources.Need{promptTime},
		Judge: judgePrompts,
		Tell:  tellPrompts,
		Silenced: []verdict.Silence{
			{Code: "queue-bound-prefill"}, {Code: "prefix-cache-collapse"}, {Code: "kv-transfer-bound"}, {Code: "straggler-worker"}, {Code: "straggler-gpu"}, {Code: "gpu-throttled"},
		},
		Key: "2",
		Help: "More than 5 % of requests surely miss the promised TTFT (lower end of a 99 % interval of what the buckets prove, over a minute) though nothing is saturated: no pool queues, waits take less than a quarter of the promise, nothing is retracted. " +
			"Of those that miss, at least 70 % are explained by prompts so long that computing them alone, at the measured prefill time per token, takes longer than the promise. More workers would not help: limit or chunk such prompts, cache them, or promise by length.",
		Alert: verdict.Alert{
			Why: "compares shares of two histograms at an edge that depends on the measured prefill speed",
		},
	}
}

func judgePrompts(m verdict.Moment) (out []verdict.Finding) {
	if m.SLA().TTFT <= 0 || !calm(m) {
		return nil
	}
	for _, model := range modelsIn(m, promptTTFT) {
		x, ok := promptsOf(m, model)
		if !ok || math.IsNaN(x.length) {
			continue
		}
		f := verdict.Finding{Culprit: modelCulprit(m, model, promptTTFT), Severity: verdict.Warning, Score: x.missLo / burnShare}
		switch explained := x.long >= burnLong*x.missLo; {
		case x.surely > burnShare && explained:
			f.Level = verdict.Fires
		case x.missLo > burnShare/2 && x.long >= burnLong/2*x.missLo:
			f.Level = verdict.Stays
		}
		out = append(out, f)
	}
	return out
}

// modelsIn are the models of a need that is asked by model.
func modelsIn(m verdict.Moment, n sources.Need) (out []sources.Labels) {
	seen := map[string]bool{}
	for _, g := range m.Groups(n) {
		name := g.Labels["model"]
		if seen[name] {
			continue
		}
		seen[name] = true
		if name == "" {
			out = append(out, nil)
		} else {
			out = append(out, sources.Labels{"model": name})
		}
	}
	return out
}

// modelCulprit is the whole deployment where it serves one model.
func modelCulprit(m verdict.Moment, model sources.Labels, n sources.Need) verdict.Culprit {
	if len(modelsIn(m, n)) < 2 {
		return verdict.Culprit{}
	}
	return verdict.Culprit{Kind: "model", Name: model["model"]}
}

func tellPrompts(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	for _, model := range modelsIn(m, promptTTFT) {
		x, ok := promptsOf(m, model)
		if !ok || modelCulprit(m, model, promptTTFT) != f.Culprit {
			continue
		}
		promised := m.SLA().TTFT.Seconds()
		s.Sentence = fmt.Sprintf("%s of requests miss the promised TTFT of %s though nothing queues: %s of prompts are over %s tokens, which take longer to compute",
			text.Share(x.missLo, x.missHi), text.Duration(promised), text.Percent(x.long), text.Count(x.length))
		s.Evidence = []verdict.Evidence{
			m.Number(fmt.Sprintf("%s of %s requests over %s, surely %s", text.Share(x.missLo, x.missHi), text.Count(x.n), text.Duration(promised), text.Percent(x.surely)), promptTTFT, model, x.missLo, burnShare),
			m.Number(fmt.Sprintf("%s of prompts over %s tokens", text.Percent(x.long), text.Count(x.length)), x.lengths, model, x.long, burnLong*x.missLo),
			m.Number(fmt.Sprintf("prefill %s a token: %s for %s tokens", text.Duration(x.perToken), text.Duration(x.perToken*x.length), text.Count(x.length)), promptTime, model, x.perToken*x.length, promised),
		}
		for _, p := range poolsOf(m) {
			if wait, _, ok := p.wait(); ok && p.role != "decode" {
				s.Evidence = append(s.Evidence, m.Number("queue wait "+text.Duration(wait), memberWait, p.where(), wait, burnQueue*promised))
			}
		}
		s.Advice = []string{
			"more workers do not help: each of these prompts is too long by itself; a larger TP of the prefill computes it faster",
			"limit prompt length, or promise TTFT by length",
			"shared long beginnings: see why they are not cached (KV screen)",
			"context parallelism or prefill workers with a larger TP for the long ones",
		}
	}
	return s
}
