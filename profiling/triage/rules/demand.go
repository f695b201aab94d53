package rules

import (
	"fmt"
	"math"
	"slices"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/stat"
	"dynascope/sources/text"
)

var (
	demandQueue    = nowOf("engine.waiting", "")
	demandBefore   = nowOf("frontend.queued", "")
	demandTTFT     = meanOver("frontend.ttft", demandSlice, "")
	demandEngine   = meanOver("engine.ttft", demandSlice, "")
	demandMean     = meanOver("frontend.ttft", verdict.Look, "")
	demandCount    = countOver("frontend.ttft", verdict.Look, "")
	demandBuckets  = sources.Need{Key: "frontend.ttft", Form: sources.FormBuckets}
	demandArrived  = grownOver("requests.started", demandFlow, "")
	demandDone     = grownOver("requests.done", demandFlow, "")
	demandTimeouts = grownOver("requests.timeout", demandFlow, "")
	demandRouter   = nowOf("router.queue.pending", "")
	demandSlots    = sources.Need{Key: "worker.pool_usage", Form: sources.FormExpr, By: "instance"}
)

const (
	// demandSlice is the look-back of one sample of a trend: the samples are as
	// far apart, so that no request counts in two of them.
	demandSlice = 10 * time.Second
	// riseSamples is how many samples a trend is tested on. A single step up
	// between them, which is no saturation, reaches the level only by chance:
	// 6 before and 7 after it give a z of 2.5.
	riseSamples = 13
	// riseLevel is the level of Mann and Kendall's test, of queue and TTFT
	// each; two-sided, z = 2.81.
	riseLevel = 0.005
	// riseGrowth is how many times as long the TTFT of the last three samples
	// must be as that of the first three, and riseQueue how many requests more
	// must wait: significant is not yet relevant.
	riseGrowth = 1.5
	riseQueue  = 5
	// serviceFactor is upstream's bench rule: saturated above 2 times the
	// baseline, learned from at least serviceLeast requests.
	serviceFactor = 2
	serviceLeast  = 100
	// demandFlow is over how long arrivals and completions are compared, and
	// flowShare upstream's bench rule: achieved below 0.95 of the arrival rate.
	demandFlow = verdict.Look
	flowShare  = 0.95
	// flowLevel is the level of the test that the two counts are of one rate.
	flowLevel = 0.01
	// timeoutShare is the share of requests that surely (Wilson, 99 %) end in
	// a timeout. Upstream's bench rule is any; here clients set their own.
	timeoutShare = 0.01
)

// demandSign is one thing that speaks for saturation.
type demandSign struct {
	name     string
	evidence verdict.Evidence
}

// rise is a test of two courses.
type rise struct {
	queue, ttft            stat.Test
	from, to               float64 // TTFT: mean of the first and of the last three samples
	queueFrom, queueTo     float64
	queueNeed, latencyNeed sources.Need
	apart                  time.Duration
}

// riseOf tests whether queue and TTFT rise together.
func riseOf(m verdict.Moment) (t rise, rising bool) {
	t.queueNeed, t.latencyNeed = demandQueue, demandTTFT
	if !m.Known(demandQueue) {
		t.queueNeed = demandBefore
	}
	if !m.Known(demandTTFT) {
		t.latencyNeed = demandEngine
	}
	t.apart = max(demandSlice, m.Window(t.latencyNeed)).Truncate(verdict.Step)
	queue := apartSamples(m.Course(t.queueNeed, nil, verdict.Span), t.apart)
	ttft := apartSamples(m.Course(t.latencyNeed, nil, verdict.Span), t.apart)
	if len(queue) < 10 || len(ttft) < 10 {
		return t, false
	}
	t.queue, t.ttft = stat.MannKendall(queue), stat.MannKendall(ttft)
	t.from, t.to = firstAndLast(ttft)
	t.queueFrom, t.queueTo = firstAndLast(queue)
	rising = t.queue.Statistic > 0 && t.queue.P < riseLevel && t.ttft.Statistic > 0 && t.ttft.P < riseLevel &&
		t.to >= riseGrowth*t.from && t.queueTo >= t.queueFrom+riseQueue
	return t, rising
}

// apartSamples are the newest riseSamples of a course that lie so far apart, oldest
// first; gaps are left out.
func apartSamples(course []float64, apart time.Duration) (out []float64) {
	step := max(1, columnsIn(apart))
	for i := len(course) - 1; i >= 0 && len(out) < riseSamples; i -= step {
		if !math.IsNaN(course[i]) {
			out = append(out, course[i])
		}
	}
	slices.Reverse(out)
	return out
}

func firstAndLast(xs []float64) (from, to float64) {
	for i := range 3 {
		from += xs[i] / 3
		to += xs[len(xs)-1-i] / 3
	}
	return from, to
}

// demandSigns are what speaks for saturation without proving it alone.
func demandSigns(m verdict.Moment) (out []demandSign) {
	n := m.Or(demandCount, 0)
	if mean, ok := m.Value(demandMean); ok && n >= serviceLeast {
		if base, from, ok := m.Baseline("frontend.ttft"); ok && from >= serviceLeast && mean > serviceFactor*base {
			e := m.Number(fmt.Sprintf("TTFT mean %s, baseline %s", text.Duration(mean), text.Duration(base)), demandMean, nil, mean, serviceFactor*base)
			if b, ok := m.Buckets(demandBuckets, nil); ok {
				if q, ok := b.Quantile(0.5); ok && q.Enough && q.Lo > serviceFactor*base {
					e.Text += ", p50 " + text.Bounds(q, "seconds")
				}
			}
			out = append(out, demandSign{"service time", e})
		}
	}
	arrived, done := m.Or(demandArrived, 0), m.Or(demandDone, 0)
	if arrived >= serviceLeast && done < flowShare*arrived {
		w := m.Window(demandArrived).Seconds()
		if t := stat.PoissonRates(int(done), w, int(arrived), w); t.P < flowLevel {
			out = append(out, demandSign{"completions", m.Number(fmt.Sprintf("%s of %s arrivals completed (Poisson rates, p %s)", text.Percent(done/arrived), text.Count(arrived), pValue(t.P)), demandDone, nil, done, flowShare*arrived)})
		}
	}
	if k := m.Or(demandTimeouts, 0); done > 0 && shareAtLeast(k, done) > timeoutShare {
		out = append(out, demandSign{"timeouts", m.Number(text.Count(k)+" requests timed out", demandTimeouts, nil, k, timeoutShare*done)})
	}
	for _, p := range poolsOf(m) {
		if p.queueing() {
			out = append(out, demandSign{"queue", m.Number(text.Count(p.waiting())+" requests wait in "+p.count(member.queues), memberWaiting, p.where(), p.waiting(), none)})
			break
		}
	}
	if parked, ok := averageOf(m.Course(demandRouter, nil, brief), brief); ok && parked >= queueLeast {
		out = append(out, demandSign{"router", m.Number(text.Count(parked)+" requests parked in the router", demandRouter, nil, parked, queueLeast)})
	}
	for _, g := range m.Groups(demandSlots) {
		if g.V >= 1 {
			out = append(out, demandSign{"slots", m.Number("a worker's handler slots are used up", demandSlots, g.Labels, g.V, 1)})
			break
		}
	}
	return out
}

func pValue(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("= %.3f", p)
}
