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
	hitRatio     = sources.Need{Key: "engine.hit_ratio", Form: sources.FormExpr, By: "instance"}
	hitPrefilled = sources.Need{Key: "engine.prefill_tokens", Form: sources.FormRate, By: "instance"}
	hitDone      = sources.Need{Key: "engine.requests_done", Form: sources.FormRate, By: "instance"}
	hitTTFT      = sources.Need{Key: "frontend.ttft", Form: sources.FormMean}
	hitISL       = sources.Need{Key: "frontend.isl", Form: sources.FormMean}
)

const (
	// hitBefore is the least hit ratio that can collapse: upstream's
	// dashboards call anything below 0.3 red.
	hitBefore = 0.3
	// hitFactor and hitDrop are how far it must fall: to less than half, and
	// by at least so much. No number of the references.
	hitFactor = 0.5
	hitDrop   = 0.2
	// hitWork is how many times as many prompt tokens as before the workers
	// must compute: without that nothing is felt of it. A hit ratio of 0.3 that
	// falls to 0.1 makes it 1.3.
	hitWork = 1.3
	// hitPast is how long the ratio must have held to be what it was before.
	hitPast = 90 * time.Second
	// hitLeast is how many requests the look-back must hold.
	hitLeast = 20
)

// hits is the prefix cache of one pool at one moment, as means over its
// workers; decode workers look nothing up.
type hits struct {
	ratio    float64 // mean over the workers
	computed float64 // prompt tokens per second that had to be computed, all workers
	done     float64 // requests per second that ended, all workers
}

// hitsOf are the hits of one column by role and model.
func hitsOf(m verdict.Moment) map[[2]string]hits {
	return m.Once("prefix hits", func() any {
		ratio, computed, done := byInstance(m, hitRatio), byInstance(m, hitPrefilled), byInstance(m, hitDone)
		out, n := map[[2]string]hits{}, map[[2]string]float64{}
		for _, w := range m.Workers() {
			r, ok := ratio[w.Instance]
			if !ok || w.Role == "decode" {
				continue
			}
			k := [2]string{w.Role, w.Model}
			h := out[k]
			h.ratio, n[k] = h.ratio+r, n[k]+1
			h.computed += computed[w.Instance]
			h.done += done[w.Instance]
			out[k] = h
		}
		for k, h := range out {
			h.ratio /= n[k]
			out[k] = h
		}
		return out
	}).(map[[2]string]hits)
}

// held is the best hit ratio that a pool held for hitPast before the look-back
// of this moment, and the prefill of that time; ok is false where
// there is no such past.
func held(m verdict.Moment, k [2]string) (best hits, ok bool) {
	n := columnsIn(hitPast)
	var least hits
	run := 0
	best.ratio = math.Inf(-1)
	var past []hits
	for d := verdict.Look; ; d += verdict.Step {
		then, there := m.Before(d)
		if !there {
			break
		}
		h, has := hitsOf(then)[k]
		if !has {
			past, run = past[:0], 0
			continue
		}
		past = append(past, h)
		if run++; run < n {
			continue
		}
		least = hits{ratio: math.Inf(1)}
		for _, h := range past[len(past)-n:] {
			least.ratio = min(least.ratio, h.ratio)
			least.computed += h.computed / float64(n)
			least.done += h.done / float64(n)
		}
		if least.ratio > best.ratio {
			best, ok = least, true
		}
	}
	return best, ok
}

func prefixCacheCollapse() verdict.Rule {
	return verdict.Rule{
		Code: "prefix-cache-collapse", Title: "prefix cache lost", Rank: 25,
		Hold: 20 * time.Second, Release: 20 * time.Second,
		Needs: append([]sources.Need{hitRatio, hitPrefilled, hitDone, hitTTFT, hitISL}, poolNeeds...),
		Proof: []sources.Need{hitRatio},
		Judge: judgeHits,
		Tell:  tellHits,
		Silenced: []verdict.Silence{
			{Code: "worker-restarting"}, {Code: "worker-flapping"}, {Code: "planner-oscillation"},
		},
		Key: "6",
		Help: "The hit ratio of the prefix cache, from counters over a minute and at least 20 requests, is less than half of what the pool held for 90 s in the last ten minutes (at least 0.3) and 0.2 below it, " +
			"and the workers compute at least 1.3 times as many prompt tokens a second as then. After ten minutes there is no past left to compare with, and it ends. " +
			"Look at what clients put in front of their prompts, and whether the cache was flushed or is too small.",
		Alert: verdict.Alert{
			Expr: "{engine.hit_ratio:expr:model} < 0.3 and on (model) {engine.prefill_tokens:rate:model} > 1000",
			For:  5 * time.Minute,
			Why:  "a fixed limit in place of the pool's own past: a deployment whose prompts share nothing is always below it, so set it to what is usual",
		},
	}
}

func judgeHits(m verdict.Moment) (out []verdict.Finding) {
	for k, h := range hitsOf(m) {
		if h.done*verdict.Look.Seconds() < hitLeast {
			continue
		}
		before, ok := held(m, k)
		if !ok || before.ratio < hitBefore || before.computed <= 0 {
			continue
		}
		f := verdict.Finding{Culprit: hitCulprit(m, k), Severity: verdict.Warning, Score: before.ratio - h.ratio}
		switch {
		case h.ratio < hitFactor*before.ratio && h.ratio < before.ratio-hitDrop && h.computed >= hitWork*before.computed:
			f.Level = verdict.Fires
		case h.ratio < 1.5*hitFactor*before.ratio:
			f.Level = verdict.Stays
		}
		if ttft, ok := m.Value(hitTTFT); ok && m.SLA().TTFT > 0 && ttft > m.SLA().TTFT.Seconds() {
			f.Severity = verdict.Critical
		}
		out = append(out, f)
	}
	return out
}

// hitCulprit names the pool as queues do.
func hitCulprit(m verdict.Moment, k [2]string) verdict.Culprit {
	for _, p := range poolsOf(m) {
		if p.role == k[0] && p.model == k[1] {
			return p.culprit(m)
		}
	}
	name := k[0]
	if name == "" {
		name = k[1]
	}
	return verdict.Culprit{Kind: "pool", Name: name}
}

func tellHits(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	for k, h := range hitsOf(m) {
		if hitCulprit(m, k) != f.Culprit {
			continue
		}
		before, _ := held(m, k)
		var who sources.Labels
		if f.Culprit.Instance != "" {
			who = instanceOf(f.Culprit.Instance)
		}
		s.Sentence = fmt.Sprintf("the prefix cache finds %s of prompts, before it was %s: the workers compute %.1f times as many prompt tokens",
			text.Percent(h.ratio), text.Percent(before.ratio), h.computed/before.computed)
		s.Evidence = append(s.Evidence,
			m.Number("hit ratio "+text.Percent(h.ratio)+", was "+text.Percent(before.ratio), hitRatio, who, h.ratio, hitFactor*before.ratio),
			m.Number(fmt.Sprintf("prefill %s, was %s", text.Rate(h.computed, "tokens"), text.Rate(before.computed, "tokens")), hitPrefilled, who, h.computed, none))
		if v, ok := m.Value(hitTTFT); ok {
			limit := none
			if d := m.SLA().TTFT; d > 0 {
				limit = d.Seconds()
			}
			s.Evidence = append(s.Evidence, m.Number("TTFT mean "+text.Duration(v), hitTTFT, nil, v, limit))
		}
		if v, ok := m.Value(hitISL); ok {
			s.Evidence = append(s.Evidence, m.Number("input length mean "+text.Count(v)+" tokens", hitISL, nil, v, none))
		}
		s.Advice = []string{
			"see what changed in front of the prompts: a time, an id or a new system prompt at the beginning makes every prefix new",
			"see whether caches were flushed or workers restarted just before, and whether the router still sends equal prefixes to one worker (Routing screen)",
			"evictions with a full pool: the cache is too small for the prefixes in use (KV screen); HiCache keeps more in host memory",
		}
	}
	return s
}
