package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

func saturated() verdict.Rule {
	return verdict.Rule{
		Code: "saturated", Title: "saturated", Rank: 60,
		Hold: 30 * time.Second, Release: 10 * time.Second,
		Needs: append([]sources.Need{
			demandQueue, demandBefore, demandTTFT, demandEngine, demandMean, demandCount, demandBuckets, demandArrived, demandDone, demandTimeouts, demandRouter, demandSlots,
		}, poolNeeds...),
		Proof: []sources.Need{memberWaiting, demandBefore},
		Judge: judgeSaturated,
		Tell:  tellSaturated,
		Silenced: silencedBy(
			"queue-bound-prefill", "queue-bound-decode", "kv-capacity", "prefix-cache-collapse", "prefill-decode-imbalance", "kv-transfer-bound",
			"router-queue", "router-stage", "frontend-event-loop", "worker-pool-exhausted", "admission-rejected", "memory-pressure",
			"straggler-worker", "straggler-gpu", "gpu-throttled", "host-bound", "load-imbalance", "dp-imbalance",
			"worker-down", "worker-hung", "worker-flapping", "worker-restarting",
		),
		Key: "4",
		Help: "Demand is beyond capacity, and nothing that is exported proves which resource binds. Any of: a pool's queue is too long (as for queue-bound-prefill) and nothing tells what binds it; " +
			"queue length and TTFT both rise (Mann–Kendall, p < 0.005 each, on 13 samples 10 s apart), TTFT to at least 1.5 times and the queue by 5 requests; " +
			"or two of: mean TTFT over 2 times its learned baseline (100 requests), completions below 95 % of arrivals over a minute (Poisson rates, p < 0.01), surely 1 % of requests timed out, " +
			"requests waiting in most workers of a pool, requests parked in the router, a worker without free handler slots. Silent beside every verdict that names the resource.",
		Alert: verdict.Alert{
			Expr: "{engine.queue_time:mean:model} > 1 and on (model) {engine.waiting:now:model} >= 1",
			For:  2 * time.Minute,
			Why:  "the queue only, with a fixed limit of 1 s: trends and baselines cannot be said in one expression",
		},
	}
}

func silencedBy(codes ...string) (out []verdict.Silence) {
	for _, c := range codes {
		out = append(out, verdict.Silence{Code: c})
	}
	return out
}

func judgeSaturated(m verdict.Moment) (out []verdict.Finding) {
	for _, p := range poolsOf(m) {
		if p.waiting() >= queueLeast && p.bound() != boundUnknown {
			return nil // there is a queue, and what binds it is for others to say
		}
		if level, wait := p.judge(m); level != verdict.Clear {
			out = append(out, verdict.Finding{Culprit: p.culprit(m), Level: level, Severity: queueSeverity(m, p.name()), Score: wait / waitLimit(m)})
		}
	}
	if len(out) > 0 {
		return out
	}
	f := verdict.Finding{Severity: verdict.Warning, Level: verdict.Clear}
	signs := demandSigns(m)
	switch _, rising := riseOf(m); {
	case rising, len(signs) >= 2:
		f.Level, f.Score = verdict.Fires, float64(len(signs))
	case len(signs) == 1 && signs[0].name != "service time":
		f.Level = verdict.Stays
	}
	if mean, ok := m.Value(demandMean); ok && m.SLA().TTFT > 0 && mean > m.SLA().TTFT.Seconds() {
		f.Severity = verdict.Critical
	}
	return []verdict.Finding{f}
}

func tellSaturated(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	s.Advice = []string{"send less or add workers: demand is beyond what this deployment does now", "see which worker or stage takes the time (Latency and Workers screens)"}
	if p := poolOf(m, f.Culprit); p != nil {
		wait, _, _ := p.wait()
		s.Sentence = fmt.Sprintf("demand is beyond capacity: %s requests wait %s in %s, and nothing exported proves what binds", text.Count(p.waiting()), text.Duration(wait), p.count(member.queues))
		s.Evidence = p.evidence(m)
		s.Missing = p.missing()
	} else {
		s.Sentence = "demand is beyond capacity, and nothing exported proves what binds"
		if len(poolsOf(m)) == 0 {
			s.Missing = append(s.Missing, "the engines' running and waiting requests: scrape the workers' pages")
		}
	}
	if t, rising := riseOf(m); rising {
		s.Evidence = append(s.Evidence,
			m.Number(fmt.Sprintf("queue %s → %s, rising (Mann–Kendall p %s, %d samples %s apart)", text.Count(t.queueFrom), text.Count(t.queueTo), pValue(t.queue.P), t.queue.N, text.Age(t.apart)), t.queueNeed, nil, t.queueTo, none),
			m.Number(fmt.Sprintf("TTFT %s → %s, rising (Mann–Kendall p %s)", text.Duration(t.from), text.Duration(t.to), pValue(t.ttft.P)), t.latencyNeed, nil, t.to, none))
	}
	for _, x := range demandSigns(m) {
		s.Evidence = append(s.Evidence, x.evidence)
	}
	return s
}

// missing names what would tell what binds a pool.
func (p *pool) missing() (out []string) {
	limit, kv := 0, 0
	for _, w := range p.workers {
		if w.limit > 0 {
			limit++
		}
		if !math.IsNaN(w.kv) {
			kv++
		}
	}
	if limit < len(p.workers) && p.role != "prefill" {
		out = append(out, "the most requests a worker runs at once: a frontend's page has it from the model's card")
	}
	if kv < len(p.workers) {
		out = append(out, "KV usage of the workers")
	}
	return out
}
