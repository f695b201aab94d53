package panetest

import (
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

// Judgement is one of everything about a snapshot's workers: a critical verdict
// on the third, a warning on the fourth that another one explains, one that
// ended, and one about the whole deployment.
func Judgement(s *sources.Snapshot, d Dataset) *verdict.Judgement {
	if s == nil {
		return nil
	}
	at := verdict.Column(s.At)
	out := func(plain string, i int) string {
		if d == Hostile {
			return hostile(i)
		}
		return plain
	}
	j := &verdict.Judgement{At: at, State: verdict.Critic, Have: 2 * time.Minute, Want: 2 * time.Minute}
	v := verdict.Verdict{
		Code: "kv-capacity", Title: "decode KV-bound", Severity: verdict.Critical, Key: "6",
		Sentence: out("the KV pool is full and running requests are preempted", 5),
		Evidence: []verdict.Evidence{
			{Text: out("KV 97 %", 6), Need: sources.Need{Key: "engine.kv_usage", Form: sources.FormNow}, Value: 0.97, Threshold: 0.9, Unit: "ratio"},
			{Text: "12 preempted in 60 s", Value: 12, Threshold: 0, Unit: "requests", Window: time.Minute},
			{Text: "TTFT p95 2.2–4.7 s", Value: math.NaN(), Threshold: math.NaN()},
		},
		Since: at.Add(-2 * time.Minute), After: &sources.Event{At: at.Add(-140 * time.Second), Kind: sources.EventRestarted, Subject: out("91c2", 7)},
		Advice: []string{out("raise --mem-fraction-static, or send shorter answers here", 8), "add a worker"}, Missing: []string{out("retractions of vLLM", 9)},
	}
	about := func(i int) verdict.Culprit {
		if i >= len(s.Workers) {
			return verdict.Culprit{Kind: "worker", Name: "gone"}
		}
		w := s.Workers[i]
		return verdict.Culprit{Kind: "worker", Name: w.Short, Instance: w.Instance, Worker: w.ID}
	}
	v.Culprit = about(2)
	silent, whole, past := v, v, v
	silent.Code, silent.Title, silent.Severity, silent.Culprit, silent.SilencedBy = "queue-bound-decode", "decode queue", verdict.Warning, about(3), v.Code
	whole.Code, whole.Title, whole.Severity, whole.Culprit, whole.Open = "sla-burn-long-prompts", "SLA burns", verdict.Warning, verdict.Culprit{}, true
	past.Code, past.Until = "worker-hung", at.Add(-time.Minute)
	j.Verdicts, j.Silenced, j.Past = []verdict.Verdict{v, whole}, []verdict.Verdict{silent}, []verdict.Verdict{past}
	j.Blind = []verdict.Blind{{Code: "kv-transfer-bound", Title: "KV transfer slow", Note: out("start the workers with --disaggregation-mode", 4)}}
	return j
}
