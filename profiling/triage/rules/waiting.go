package rules

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources/text"
)

const (
	// queueLeast is how many requests wait on average in a worker that has a
	// queue: below one it is empty part of the time.
	queueLeast = 1.0
	// waitLeast is how many waits must have ended in the look-back for their
	// mean to say anything.
	waitLeast = 10
	// atLimit is the share of the batch's limit from which on it is full: a
	// place is empty for a step after each request that ends.
	atLimit = 0.95
	// kvFull is the share of its KV pool from which on SGLang retracts
	// (reference: "retracts from about 0.9"); the dashboards' red is 0.95.
	kvFull = 0.9
	// retractLeast is how many retractions in the look-back are more than
	// a stray one.
	retractLeast = 3
)

func (w member) queues() bool { return w.waiting >= queueLeast }

// queueing says that most of the workers have a queue: nobody could have
// taken the requests instead.
func (p *pool) queueing() bool {
	n := 0
	for _, w := range p.workers {
		if w.queues() {
			n++
		}
	}
	return 2*n > len(p.workers)
}

// bound is what keeps a worker's queue from being run.
type bound string

const (
	boundSlots   bound = "slots"   // the batch is as large as it may be
	boundKV      bound = "kv"      // there is no KV room
	boundPrefill bound = "prefill" // neither: the work of prompts
	boundUnknown bound = "unknown" // the figures that would tell are not there
)

func (w member) bound() bound {
	switch {
	case w.running >= atLimit*w.limit:
		return boundSlots
	case w.retracted >= retractLeast || w.kv >= kvFull:
		return boundKV
	case math.IsNaN(w.kv) || math.IsNaN(w.limit) && w.Role != "prefill":
		return boundUnknown
	case w.kvMost >= kvFull:
		// Now and then full: the room reserved for what runs may be what
		// keeps others out, or may not.
		return boundUnknown
	case w.Role == "decode":
		return boundUnknown // there is no prefill to be bound by
	default:
		return boundPrefill
	}
}

// bound is what binds most of the queueing workers, which is first where they
// differ. Prefill is a conclusion from all else having room, and is drawn only
// where it holds of every one of them.
func (p *pool) bound() bound {
	n := map[bound]int{}
	all := 0
	for _, w := range p.workers {
		if w.queues() {
			n[w.bound()]++
			all++
		}
	}
	for _, b := range []bound{boundKV, boundSlots} {
		if 2*n[b] > all {
			return b
		}
	}
	if all > 0 && n[boundPrefill] == all {
		return boundPrefill
	}
	return boundUnknown
}

// wait is how long a request waits in the engines' queues, on average over the
// requests of the look-back. Where no engine measures that (or only a part of
// it: decode workers count the remote prefill) it is what Little's law makes
// of length and throughput, and little is true.
func (p *pool) wait() (seconds float64, little, ok bool) {
	total, n := 0.0, 0.0
	if p.role != "decode" {
		for _, w := range p.workers {
			if w.waits > 0 && !math.IsNaN(w.wait) {
				total, n = total+w.wait*w.waits, n+w.waits
			}
		}
	}
	if n >= waitLeast {
		return total / n, false, true
	}
	if rate := p.sum(func(w member) float64 { return w.rate }); n == 0 && rate*verdict.Look.Seconds() >= waitLeast {
		return p.waiting() / rate, true, true
	}
	return 0, false, false
}

const (
	// waitOfSLA is the part of the promised TTFT that the queue alone may
	// take: with half of it gone before any work begins, a request of ordinary
	// length has no room for a second one before it.
	waitOfSLA = 0.5
	// waitPlain is the limit without a promise.
	waitPlain = 1.0
	// waitFloor is what a wait must reach whatever was promised: a chunk of
	// prefill takes tenths of seconds, and to wait for one is no queue.
	waitFloor = 0.2
	// waitCritical is the wait without a promise from which on it is critical:
	// upstream's dashboards call prefill saturated above 5 s on average, 10 s
	// at p99.
	waitCritical = 5.0
)

// waitLimit is the mean wait that is too long.
func waitLimit(m verdict.Moment) float64 {
	if promised := m.SLA().TTFT.Seconds(); promised > 0 {
		return max(waitOfSLA*promised, waitFloor)
	}
	return waitPlain
}

// severityOf says how bad a mean wait is: critical where it breaks the promise
// by itself.
func severityOf(m verdict.Moment, wait float64) verdict.Severity {
	limit := m.SLA().TTFT.Seconds()
	if limit <= 0 {
		limit = waitCritical
	}
	if wait >= limit {
		return verdict.Critical
	}
	return verdict.Warning
}

// severeFor is how long a severity lasts at least: one that changed with every
// column would be news every five seconds.
const severeFor = 30 * time.Second

// lately is the worst severity of one culprit within severeFor. of finds it by
// itself at each moment, and says Info where it is not there.
func lately(m verdict.Moment, of func(verdict.Moment) verdict.Severity) (worst verdict.Severity) {
	for d := time.Duration(0); d <= severeFor; d += verdict.Step {
		then, ok := m.Before(d)
		if !ok {
			break
		}
		worst = max(worst, of(then))
	}
	return worst
}

// queueSeverity is how bad the queue of a pool of this name has been lately;
// at least a warning.
func queueSeverity(m verdict.Moment, name string) verdict.Severity {
	return max(verdict.Warning, lately(m, func(then verdict.Moment) verdict.Severity {
		if p := poolNamed(then, name); p != nil {
			if level, wait := p.judge(then); level != verdict.Clear {
				return severityOf(then, wait)
			}
		}
		return verdict.Info
	}))
}

func poolNamed(m verdict.Moment, name string) *pool {
	for _, p := range poolsOf(m) {
		if p.name() == name {
			return p
		}
	}
	return nil
}

// judge says whether a pool's queue is too long, whatever binds it.
func (p *pool) judge(m verdict.Moment) (l verdict.Level, wait float64) {
	wait, _, ok := p.wait()
	if !ok {
		return verdict.Clear, 0
	}
	limit := waitLimit(m)
	switch {
	case p.queueing() && wait >= limit:
		return verdict.Fires, wait
	case p.waiting() >= queueLeast && wait >= limit/2:
		return verdict.Stays, wait
	}
	return verdict.Clear, wait
}

// count words "2 of 3 workers".
func (p *pool) count(of func(member) bool) string {
	n := 0
	for _, w := range p.workers {
		if of(w) {
			n++
		}
	}
	who := "workers"
	if p.role != "aggregated" {
		who = p.role + " workers"
	}
	if p.several {
		who += " of " + p.model
	}
	if len(p.workers) == 1 {
		return "the only " + strings.Replace(who, "workers", "worker", 1)
	}
	return fmt.Sprintf("%d of %d %s", n, len(p.workers), who)
}

// evidence are the numbers behind a queue and what binds it.
func (p *pool) evidence(m verdict.Moment) (out []verdict.Evidence) {
	who := p.where()
	wait, little, _ := p.wait()
	if little {
		out = append(out, verdict.Evidence{
			Text: "queue wait " + text.Duration(wait) + " by Little's law, from length and throughput", Value: wait, Threshold: waitLimit(m), Unit: "seconds", Window: verdict.Look,
		})
	} else {
		out = append(out, m.Number("queue wait "+text.Duration(wait)+" (exact mean)", memberWait, who, wait, waitLimit(m)))
	}
	out = append(out, m.Number(text.Count(p.waiting())+" requests wait", memberWaiting, who, p.waiting(), queueLeast*float64(len(p.workers))))
	running, limit := p.sum(func(w member) float64 { return w.running }), p.sum(func(w member) float64 { return w.limit })
	if limit > 0 {
		out = append(out, m.Number(fmt.Sprintf("running %s of %s", text.Count(running), text.Count(limit)), memberRunning, who, running, atLimit*limit))
	}
	if kv := p.mean(func(w member) float64 { return w.kv }); !math.IsNaN(kv) {
		out = append(out, m.Number("KV "+text.Percent(kv), memberKV, who, kv, kvFull))
	}
	if n := p.sum(func(w member) float64 { return w.retracted }); n > 0 {
		out = append(out, m.Number(text.Count(n)+" retractions", memberRetracted, who, n, retractLeast))
	}
	return out
}
