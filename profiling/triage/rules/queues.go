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
	memberPrefilled = sources.Need{Key: "engine.prefill_tokens", Form: sources.FormRate, By: "instance"}
	memberITL       = sources.Need{Key: "engine.itl", Form: sources.FormMean, By: "instance"}
)

// queueHold is how long a queue must last: bursts of a few seconds come and go
// in every healthy deployment.
const (
	queueHold    = 20 * time.Second
	queueRelease = 20 * time.Second
)

// judgeQueues finds the pools whose queue is bound by one thing.
func judgeQueues(m verdict.Moment, by bound) (out []verdict.Finding) {
	for _, p := range poolsOf(m) {
		level, wait := p.judge(m)
		if level == verdict.Clear || p.bound() != by {
			continue
		}
		out = append(out, verdict.Finding{
			Culprit: p.culprit(m), Level: level, Severity: queueSeverity(m, p.name()), Score: wait / waitLimit(m),
		})
	}
	return out
}

const queueHelp = "Most workers of a pool have a queue (a mean of at least one request over 20 s), and requests wait in it for at least half of the promised TTFT (1 s without a promise, never below 0.2 s) by the exact mean of a minute over at least 10 requests, " +
	"or by Little's law where the engine measures no wait. Critical where the wait alone reaches the promise, or 5 s without one. "

func queueBoundPrefill() verdict.Rule {
	return verdict.Rule{
		Code: "queue-bound-prefill", Title: "prefill queue", Rank: 40,
		Hold: queueHold, Release: queueRelease,
		Needs: append([]sources.Need{memberPrefilled}, poolNeeds...),
		Proof: []sources.Need{memberWaiting},
		Judge: func(m verdict.Moment) []verdict.Finding { return judgeQueues(m, boundPrefill) },
		Tell:  tellPrefill,
		Silenced: []verdict.Silence{
			{Code: "prefix-cache-collapse"}, {Code: "prefill-decode-imbalance"},
		},
		Key: "4",
		Help: queueHelp + "None of them runs as many requests as it may (95 % of its limit) or is short of KV (90 %, or 3 retractions a minute), so only the work of prompts keeps the queue from being run. " +
			"Add workers, shorten or cache prompts, or move prefill to workers of its own.",
		Alert: verdict.Alert{
			Expr: "{engine.queue_time:mean:instance} > 1 and on (instance) {engine.waiting:now:instance} >= 1 and on (instance) {kv.used_share:expr:instance} < 0.9",
			For:  time.Minute,
			Why:  "judged per worker and with a fixed limit of 1 s; whether the batch is full is left out, since the limit is told by model and not by worker",
		},
	}
}

func tellPrefill(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	p := poolOf(m, f.Culprit)
	if p == nil {
		return s
	}
	wait, _, _ := p.wait()
	s.Sentence = fmt.Sprintf("prefill cannot keep up: %s requests wait %s in %s, while batches and KV have room",
		text.Count(p.waiting()), text.Duration(wait), p.count(member.queues))
	s.Evidence = p.evidence(m)
	if rates := byInstance(m, memberPrefilled); len(rates) > 0 {
		total := p.sum(func(w member) float64 { return known(rates, w.Instance) })
		s.Evidence = append(s.Evidence, m.Number("prefill "+text.Rate(total, "tokens"), memberPrefilled, p.where(), total, none))
	}
	s.Advice = []string{
		"add workers, or send less: the pool prefills as fast as it can",
		"raise the prefix hits (KV screen): cached prompt tokens cost no prefill",
	}
	if p.role == "aggregated" {
		s.Advice = append(s.Advice, "long prompts and long answers together: consider prefill workers of their own (disaggregation)",
			"--chunked-prefill-size: larger chunks prefill faster, and make each running request wait longer for its next token")
	} else {
		s.Advice = append(s.Advice, "prefill engines do best with small batches and a large token budget a step")
	}
	return s
}

func queueBoundDecode() verdict.Rule {
	return verdict.Rule{
		Code: "queue-bound-decode", Title: "batch full", Rank: 42,
		Hold: queueHold, Release: queueRelease,
		Needs:    append([]sources.Need{memberITL}, poolNeeds...),
		Proof:    []sources.Need{memberWaiting},
		Judge:    func(m verdict.Moment) []verdict.Finding { return judgeQueues(m, boundSlots) },
		Tell:     tellDecode,
		Silenced: []verdict.Silence{{Code: "prefill-decode-imbalance"}},
		Key:      "4",
		Help: queueHelp + "Most of those workers run as many requests as they may: at least 95 % of the engine's limit, or of the model card's. " +
			"Raise the limit where KV and ITL leave room, else add workers.",
		Alert: verdict.Alert{
			Expr: "{engine.queue_time:mean:model} > 1 and on (model) {engine.running:now:model} >= 0.95 * {model.max_num_seqs:now:model} * on (model) count by (model) ({engine.running:now:model,instance})",
			For:  time.Minute,
			Why:  "judged per model and with a fixed limit of 1 s, and only where the frontend tells the model card's limit",
		},
	}
}

func tellDecode(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	p := poolOf(m, f.Culprit)
	if p == nil {
		return s
	}
	wait, _, _ := p.wait()
	limit := p.sum(func(w member) float64 { return w.limit })
	s.Sentence = fmt.Sprintf("every place in the batch is taken: %s requests wait %s for one of %s to end in %s",
		text.Count(p.waiting()), text.Duration(wait), text.Count(limit), p.count(member.queues))
	s.Evidence = p.evidence(m)
	itl := byInstance(m, memberITL)
	if v := p.mean(func(w member) float64 { return known(itl, w.Instance) }); !math.IsNaN(v) {
		promised := m.SLA().ITL.Seconds()
		limit := none
		if promised > 0 {
			limit = promised
		}
		s.Evidence = append(s.Evidence, m.Number("ITL "+text.Duration(v), memberITL, p.where(), v, limit))
		if kv := p.mean(func(w member) float64 { return w.kv }); kv < 0.7 && (promised <= 0 || v < 0.8*promised) {
			s.Advice = append(s.Advice, "raise --max-running-requests: KV "+text.Percent(kv)+" used and ITL "+text.Duration(v)+" leave room; each more costs some ITL")
		}
	}
	s.Advice = append(s.Advice, "add workers, or shorten answers (max_tokens): a place is held for a whole answer")
	if p.sum(func(w member) float64 { return w.kv }) == 0 && math.IsNaN(p.mean(func(w member) float64 { return w.kv })) {
		s.Missing = append(s.Missing, "KV usage: nothing tells whether a larger batch would fit")
	}
	return s
}
