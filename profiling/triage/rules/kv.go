package rules

import (
	"fmt"
	"math"
	"slices"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// kvWhere from when on a KV pool counts as short without a retraction: SGLang
// keeps requests out whose answer might not fit, so that the pool is full and
// nothing is ever thrown out.
const (
	kvStays = 0.8
	// kvBusy is the share of the pool that retractions must meet: below it
	// they are the answer to something else, a rank of several say, that the
	// worker's mean does not show.
	kvBusy = 0.5
)

// short says how a worker is short of KV.
func (w member) short() verdict.Level {
	switch {
	case w.retracted >= retractLeast && (math.IsNaN(w.kv) || w.kvMost >= kvBusy):
		return verdict.Fires
	case w.kv >= kvFull && w.queues():
		return verdict.Fires
	case w.retracted > 0 && !(w.kvMost < kvStays), w.kv >= kvStays && w.queues():
		return verdict.Stays
	}
	return verdict.Clear
}

func kvCapacity() verdict.Rule {
	return verdict.Rule{
		Code: "kv-capacity", Title: "KV full", Rank: 30,
		Hold: 10 * time.Second, Release: 10 * time.Second,
		Needs: poolNeeds,
		Proof: []sources.Need{memberRetracted, memberKV, memberKVDynamo},
		Judge: judgeKV,
		Tell:  tellKV,
		Key:   "6",
		Help: "A worker threw at least 3 running requests out of its batch within a minute for lack of KV (retraction, preemption), or its KV pool is at least 90 % full (mean of 20 s) while requests wait. " +
			"Said of the pool where more than half of its workers are so, else of each worker. What is thrown out is computed again: throughput falls while GPUs look busy. " +
			"Critical where requests wait as long as the promised TTFT (5 s without a promise), or one request in four is thrown out.",
		Alert: verdict.Alert{
			Expr: "{engine.preemptions:increase:instance} >= 3 or ({kv.used_share:expr:instance} >= 0.9 and on (instance) {engine.waiting:now:instance} >= 1)",
			For:  30 * time.Second,
			Why:  "per worker only",
		},
	}
}

func judgeKV(m verdict.Moment) (out []verdict.Finding) {
	for _, p := range poolsOf(m) {
		fires, stays := 0, 0
		for _, w := range p.workers {
			switch w.short() {
			case verdict.Fires:
				fires++
			case verdict.Stays:
				stays++
			}
		}
		n := len(p.workers)
		if n > 1 && 2*(fires+stays) > n && fires > 0 {
			f := verdict.Finding{Culprit: p.culprit(m), Level: verdict.Stays, Severity: kvLately(m, p.name(), ""), Score: float64(fires)}
			if 2*fires > n {
				f.Level = verdict.Fires
			}
			out = append(out, f)
			if f.Level == verdict.Fires {
				continue
			}
		}
		for _, w := range p.workers {
			if l := w.short(); l != verdict.Clear {
				out = append(out, verdict.Finding{
					Culprit: m.CulpritOf(w.Instance), Level: l, Severity: kvLately(m, p.name(), w.Instance), Score: max(w.kv, w.retracted/retractLeast),
				})
			}
		}
	}
	return out
}

// kvThrown is the share of finished requests, thrown out at least once, from
// which on a KV shortage is critical: SGLang itself takes a batch of which a
// part is retracted as a sign to reserve more. No number of the references.
const kvThrown = 0.25

// kvLately is how bad a pool's lack of KV has been lately, or that of one worker
// in it.
func kvLately(m verdict.Moment, name, instance string) verdict.Severity {
	return lately(m, func(then verdict.Moment) verdict.Severity {
		p := poolNamed(then, name)
		if p == nil {
			return verdict.Info
		}
		if instance != "" {
			i := slices.IndexFunc(p.workers, func(w member) bool { return w.Instance == instance })
			if i < 0 {
				return verdict.Info
			}
			p = &pool{role: p.role, workers: p.workers[i : i+1]}
		}
		return p.kvSeverity(then)
	})
}

func (p *pool) kvSeverity(m verdict.Moment) verdict.Severity {
	if wait, _, ok := p.wait(); ok && p.waiting() >= queueLeast && severityOf(m, wait) == verdict.Critical {
		return verdict.Critical
	}
	done := p.sum(func(w member) float64 { return w.rate }) * verdict.Look.Seconds()
	if thrown := p.sum(func(w member) float64 { return w.retracted }); done >= waitLeast && thrown >= kvThrown*done {
		return verdict.Critical
	}
	return verdict.Warning
}

func tellKV(m verdict.Moment, f verdict.Finding) (s verdict.Story) {
	p := poolOf(m, f.Culprit)
	if p == nil {
		for _, q := range poolsOf(m) {
			for _, w := range q.workers {
				if w.Instance == f.Culprit.Instance {
					p = &pool{role: q.role, workers: []member{w}}
				}
			}
		}
	}
	if p == nil {
		return s
	}
	who := f.Culprit.Name
	if f.Culprit.Kind == "pool" {
		who = p.count(func(w member) bool { return w.short() != verdict.Clear })
	}
	thrown, kv, most := p.sum(func(w member) float64 { return w.retracted }), p.mean(func(w member) float64 { return w.kv }), 0.0
	for _, w := range p.workers {
		most = max(most, w.kvMost)
	}
	switch {
	case thrown > 0:
		s.Title = "KV full, retracting"
		s.Sentence = fmt.Sprintf("KV memory is too small for the load on %s: %s running requests were thrown out within %s and are computed again", who, text.Count(thrown), text.Age(verdict.Look))
	default:
		s.Sentence = fmt.Sprintf("KV memory is too small for the load on %s: %s used, and %s requests wait for room", who, text.Percent(kv), text.Count(p.waiting()))
	}
	if !math.IsNaN(kv) {
		s.Evidence = append(s.Evidence, m.Number(fmt.Sprintf("KV %s, at most %s", text.Percent(kv), text.Percent(most)), memberKV, p.where(), kv, kvFull))
	} else {
		s.Missing = append(s.Missing, "KV usage: retractions alone tell of the shortage")
	}
	if thrown > 0 {
		s.Evidence = append(s.Evidence, m.Number(text.Count(thrown)+" retractions", memberRetracted, p.where(), thrown, retractLeast))
	}
	s.Evidence = append(s.Evidence, m.Number(text.Count(p.waiting())+" requests wait", memberWaiting, p.where(), p.waiting(), none))
	if wait, little, ok := p.wait(); ok && !little {
		s.Evidence = append(s.Evidence, m.Number("queue wait "+text.Duration(wait)+" (exact mean)", memberWait, p.where(), wait, none))
	}
	running := p.sum(func(w member) float64 { return w.running })
	s.Evidence = append(s.Evidence, m.Number("running "+text.Count(running), memberRunning, p.where(), running, none))
	s.Advice = []string{
		"fewer requests at once: lower --max-running-requests to about what runs now, so that they wait instead of being thrown out",
		"more KV: raise --mem-fraction-static where GPU memory is free (GPU screen), a larger TP, FP8 KV (--kv-cache-dtype), or more workers",
		"raise --schedule-conservativeness: fewer retractions for somewhat smaller batches",
	}
	if f.Culprit.Kind != "pool" && len(m.Workers()) > 1 {
		s.Advice = append(s.Advice, "only this worker is short: compare its KV pool and its share of the load with the others' (KV screen)")
	}
	return s
}
