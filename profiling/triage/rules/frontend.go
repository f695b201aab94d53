package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/stat"
	"dynascope/sources/text"
)

// frontend are the verdicts about processes that have too little room to hand
// requests on: a frontend's event loop, a worker's handler.
func frontend() []verdict.Rule { return []verdict.Rule{eventLoop(), workerPool()} }

const (
	// stallLine is from when on Dynamo counts a turn of the 10 ms canary as
	// stalled (dynamo.md §10: canary stall > 5 ms). A mean beyond it says that
	// most turns are. Recorded frontends of 1.4 and 1.6 under load, on two cores
	// that they shared with everything else: 1.0 to 1.7 ms.
	stallLine = 5e-3
	// tokioBusy is from when on a runtime thread counts as saturated
	// (dynamo.md §1.3: > 950 per mille).
	tokioBusy = 0.95
	// tokioQueue and tokioHold are Dynamo's own overload rule (dynamo.md §1.3):
	// runnable tasks of four times the threads, for 15 s.
	tokioQueue = 4
	tokioHold  = 15 * time.Second
	// loopCount is how many turns of the canary a window must hold; an idle loop
	// makes some 90 a second, one that is late by 100 ms still 9.
	loopCount = 50
	// quietPast is how much time with next to nothing in flight makes a
	// baseline of its own.
	quietPast = 10 * time.Second
)

var (
	loopMean   = meanOver("frontend.event_loop_delay", brief, "instance")
	loopTurns  = countOver("frontend.event_loop_delay", brief, "instance")
	loopStalls = grownOver("frontend.event_loop_stalls", brief, "instance")
	loopActive = nowOf("frontend.active", "instance")
	runBusy    = nowOf("tokio.busy", "instance,worker")
	runLocal   = nowOf("tokio.local_queue", "instance")
	runGlobal  = nowOf("tokio.global_queue", "instance")
)

func eventLoop() verdict.Rule {
	return verdict.Rule{
		Code: "frontend-event-loop", Title: "event loop late", Rank: 10,
		Hold: 15 * time.Second, Release: brief, // what it delays is told by look-backs as long
		Needs: []sources.Need{loopMean, loopTurns, loopStalls, loopActive, runBusy, runLocal, runGlobal},
		Proof: []sources.Need{loopMean, runLocal},
		Judge: judgeLoop,
		Tell:  tellLoop,
		Key:   "7",
		Help: "A frontend's event loop is overloaded: the 10 ms canary is late by more than 5 ms on average over 30 s (Dynamo counts a single turn beyond that as a stall) and by at least twice its idle baseline where one is known; " +
			"or, where the canary is not exported, runnable tasks have been at least four times the runtime's threads for 15 s (Dynamo's own rule) while those threads are busy beyond 950 per mille. " +
			"Everything that passes the frontend is late by it, tokens too; workers are not to blame.",
		Alert: verdict.Alert{
			Expr: "{frontend.event_loop_delay:mean:instance} > 0.005", For: 30 * time.Second,
			Why: "without the comparison with the idle baseline, and without the runtime's queues",
		},
	}
}

// loopLook is what a moment says of one frontend's runtime.
type loopLook struct {
	late, turns float64 // NaN without a canary
	idle        float64 // NaN without a baseline
	learned     string  // where the baseline is from
	busy        float64 // the mean over its threads, NaN when unknown
	threads     int
	queued      float64 // runnable tasks, NaN when unknown
	long        bool    // queued has been long
}

func judgeLoop(m verdict.Moment) (out []verdict.Finding) {
	seen := map[string]bool{}
	for _, n := range []sources.Need{loopMean, runLocal} {
		for _, g := range m.Groups(n) {
			in := g.Labels["instance"]
			if seen[in] || n == loopMean && g.V < stallLine/2 {
				seen[in] = true
				continue
			}
			seen[in] = true
			if f, ok := judgeLoopOf(m, in); ok {
				out = append(out, f)
			}
		}
	}
	return out
}

func judgeLoopOf(m verdict.Moment, in string) (f verdict.Finding, ok bool) {
	l := lookLoop(m, in)
	f = verdict.Finding{Culprit: verdict.Culprit{Kind: "frontend", Name: in, Instance: in}, Severity: verdict.Warning}
	known := !math.IsNaN(l.idle)
	switch {
	case math.IsNaN(l.late):
		if !l.long || !(l.busy > tokioBusy) {
			return f, false
		}
		f.Level, f.Score = verdict.Fires, l.queued/float64(tokioQueue*l.threads)
		return f, true
	case l.turns < loopCount || l.late < stallLine/2 || known && l.late < triage.Mild*l.idle:
		return f, false
	case l.late < stallLine:
		f.Level = verdict.Stays
	default:
		f.Level = verdict.Fires
	}
	f.Score = l.late / stallLine
	// Every token is held up by it: beyond the promise for one, none is kept.
	if limit := m.SLA().ITL.Seconds(); limit > 0 && l.late >= limit {
		f.Severity = verdict.Critical
	}
	return f, true
}

func lookLoop(m verdict.Moment, in string) loopLook {
	who := instanceOf(in)
	l := loopLook{late: math.NaN(), idle: math.NaN(), busy: math.NaN(), queued: math.NaN()}
	if v, ok := m.Where(loopMean, who); ok {
		l.late = v
		l.turns, _ = m.Where(loopTurns, who)
		l.idle, l.learned = idleLoop(m, in)
	}
	sum := 0.0
	for _, g := range m.Groups(runBusy) {
		if g.Labels["instance"] == in {
			sum, l.threads = sum+g.V, l.threads+1
		}
	}
	if l.threads == 0 {
		return l
	}
	l.busy = sum / float64(l.threads)
	local, global := m.Course(runLocal, who, tokioHold+verdict.Step), m.Course(runGlobal, who, tokioHold+verdict.Step)
	all := make([]float64, len(local))
	for i, v := range local {
		all[i] = v
		if j := len(global) - len(local) + i; j >= 0 && j < len(global) && !math.IsNaN(global[j]) {
			all[i] += global[j]
		}
	}
	if len(all) > 0 && !math.IsNaN(all[len(all)-1]) {
		l.queued = all[len(all)-1]
	}
	l.long = lasted(all, tokioHold, func(v float64) bool { return v >= tokioQueue*float64(l.threads) })
	return l
}

// idleLoop is how late a loop is while it has nothing to do: what was learned,
// else the least of the judged columns at which, and one look-back before
// which, no more than a request was in flight.
func idleLoop(m verdict.Moment, in string) (idle float64, learned string) {
	if v, n, ok := m.Baseline("frontend.event_loop_delay"); ok && n >= loopCount {
		return v, "learned"
	}
	who := instanceOf(in)
	late, active := m.Course(loopMean, who, verdict.Span), m.Course(loopActive, who, verdict.Span)
	back, need := columnsIn(brief), columnsIn(quietPast)
	idle = math.NaN()
	quiet, run := 0, 0
	for i, v := range late {
		if i >= len(active) || math.IsNaN(active[i]) || active[i] > triage.QuietRequests {
			run = 0
			continue
		}
		if run++; run <= back || math.IsNaN(v) {
			continue // the look-back holds busy time too
		}
		quiet++
		if !(idle <= v) {
			idle = v
		}
	}
	if quiet < need {
		return math.NaN(), ""
	}
	return idle, "while idle in the last ten minutes"
}

func tellLoop(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	in := f.Culprit.Instance
	who, l := instanceOf(in), lookLoop(m, in)
	if math.IsNaN(l.late) {
		out.Sentence = fmt.Sprintf("the frontend's runtime is overloaded: %s tasks are runnable on %d threads", text.Count(l.queued), l.threads)
		out.Missing = append(out.Missing, "event-loop delay: how late each turn is is not exported by this frontend")
	} else {
		out.Sentence = fmt.Sprintf("the frontend's event loop is late by %s at every turn; all that passes it is", text.Duration(l.late))
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("late by %s over %s turns", text.Duration(l.late), text.Count(l.turns)), loopMean, who, l.late, stallLine))
		if stalls, ok := m.Where(loopStalls, who); ok && l.turns > 0 {
			out.Evidence = append(out.Evidence, m.Number(text.Percent(min(stalls/l.turns, 1))+" of the turns stalled (> 5 ms)", loopStalls, who, stalls, none))
		}
		if !math.IsNaN(l.idle) {
			out.Evidence = append(out.Evidence, verdict.Evidence{
				Text: fmt.Sprintf("baseline %s (%s)", text.Duration(l.idle), l.learned), Need: loopMean, Labels: who, Value: l.idle, Threshold: none, Unit: "seconds",
			})
		}
	}
	if l.threads > 0 {
		out.Evidence = append(out.Evidence, verdict.Evidence{
			Text: fmt.Sprintf("%d threads busy to %s", l.threads, text.Percent(l.busy)), Need: runBusy, Labels: who, Value: l.busy, Threshold: tokioBusy, Unit: "ratio",
		})
		if !math.IsNaN(l.queued) {
			out.Evidence = append(out.Evidence, verdict.Evidence{
				Text: text.Count(l.queued) + " tasks runnable", Need: runLocal, Labels: who, Value: l.queued, Threshold: float64(tokioQueue * l.threads), Unit: "tasks",
			})
		}
	} else {
		out.Missing = append(out.Missing, "runtime queues and busy share (dynamo_tokio_*): not exported by this frontend")
	}
	out.Advice = []string{
		"look for what shares the frontend's cores (CPU limits, a worker on the same cores)",
		"start another frontend, or give this one more cores",
		"raise --stream-interval on the workers: fewer chunks to pass on",
	}
	return out
}

const (
	// permitTime is the mean wait for a handler slot from when on it counts, and
	// permitCount the waits that a window must hold. The references name no
	// limit (dynamo.md §10: own inference); the histogram is empty while slots
	// are free, so that any wait says that there was none.
	permitTime  = 10e-3
	permitCount = 10
	// permitShare is how much of the requests must have waited.
	permitShare = 0.05
	// poolFull is how much of the limit must be at work to be called all.
	poolFull = 0.99
	// poolHold is how long it must have been full.
	poolHold = 15 * time.Second
	// poolBehind is how many must lie in its queue, on average over the look-back.
	poolBehind = 0.5
	// queueFull is how much of the handler queue's room in use is critical.
	queueFull = 0.9
	// trendOver and trendLevel: over which time, and at which level of the
	// test, the wait is said to rise.
	trendOver  = 6 * time.Minute
	trendLevel = 0.01
)

var (
	permitMean  = meanOver("worker.permit_wait", brief, "instance")
	permitWaits = countOver("worker.permit_wait", brief, "instance")
	poolActive  = nowOf("worker.pool_active", "instance")
	poolLimit   = nowOf("worker.pool_capacity", "instance")
	poolQueue   = nowOf("worker.queue_depth", "instance")
	poolRoom    = nowOf("worker.queue_capacity", "instance")
	poolRefused = grownOver("worker.enqueue_rejected", brief, "instance")
	poolAsked   = grownOver("worker.requests", brief, "instance")
	ownRunning  = nowOf("engine.running", "instance")
	ownWaiting  = nowOf("engine.waiting", "instance")
)

func workerPool() verdict.Rule {
	return verdict.Rule{
		Code: "worker-pool-exhausted", Title: "handler slots used up", Rank: 24,
		Hold: 15 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{permitMean, permitWaits, poolActive, poolLimit, poolQueue, poolRoom, poolRefused, poolAsked, ownRunning, ownWaiting},
		Proof: []sources.Need{permitMean, poolActive},
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, g := range m.Groups(poolQueue) {
				if f, ok := judgePool(m, g.Labels["instance"]); ok {
					out = append(out, f)
				}
			}
			return out
		},
		Tell:     tellPool,
		Silenced: []verdict.Silence{{Code: "worker-hung", Same: true}, {Code: "worker-down", Same: true}},
		Key:      "4",
		Help: "A worker's request handler has no slot left: all slots were at work for 15 s or half a request lay in its queue on average, and over 30 s at least 10 requests and 5 % of those it got waited for a slot, 10 ms or more on average. " +
			"Critical when the handler's queue is nearly full, it refuses requests, or the mean wait alone is longer than the promised time to first token. Where the engine behind it has requests waiting too, the engine is the limit and more slots only move the queue. No upstream threshold exists; these are this program's.",
		Alert: verdict.Alert{
			Expr: "{worker.permit_wait:mean:instance} > 0.01 and on (instance) ({worker.queue_depth:now:instance} > 0 or {worker.pool_usage:expr:instance} >= 0.99)",
			For:  30 * time.Second, Why: "without the counts of requests that waited",
		},
	}
}

// poolLook is what a moment says of a worker's handler.
type poolLook struct {
	wait, waits, asked     float64
	active, limit          float64
	queued, room           float64
	full, behind, starving bool
}

func lookPool(m verdict.Moment, in string) (l poolLook) {
	who := instanceOf(in)
	l.wait, _ = m.Where(permitMean, who)
	l.waits, _ = m.Where(permitWaits, who)
	l.asked, _ = m.Where(poolAsked, who)
	l.active, _ = m.Where(poolActive, who)
	l.limit, _ = m.Where(poolLimit, who)
	l.queued, _ = m.Where(poolQueue, who)
	l.room, _ = m.Where(poolRoom, who)
	l.full = l.limit > 0 && lasted(m.Course(poolActive, who, poolHold), poolHold, func(v float64) bool { return v >= poolFull*l.limit })
	if v, ok := averageOf(m.Course(poolQueue, who, brief), brief); ok {
		l.behind = v >= poolBehind
	}
	l.starving = l.waits >= permitCount && l.waits >= permitShare*l.asked && l.wait >= permitTime
	return l
}

func judgePool(m verdict.Moment, in string) (f verdict.Finding, ok bool) {
	l := lookPool(m, in)
	f = verdict.Finding{Culprit: m.CulpritOf(in), Severity: verdict.Warning, Score: l.wait / permitTime}
	refused, _ := m.Where(poolRefused, instanceOf(in))
	switch {
	case l.starving && (l.full || l.behind):
		f.Level = verdict.Fires
	case l.starving || l.full:
		f.Level = verdict.Stays
	default:
		return f, false
	}
	// Refused, soon to be, or the wait alone breaks the promise.
	limit := m.SLA().TTFT.Seconds()
	if refused >= 1 || l.room > 0 && l.queued >= queueFull*l.room || limit > 0 && l.wait > limit && l.starving {
		f.Severity = verdict.Critical
	}
	return f, true
}

func tellPool(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	in := f.Culprit.Instance
	who, l := instanceOf(in), lookPool(m, in)
	out.Sentence = fmt.Sprintf("requests wait %s for a slot of %s's handler", text.Duration(l.wait), f.Culprit.Name)
	out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("wait %s, %s requests", text.Duration(l.wait), text.Count(l.waits)), permitMean, who, l.wait, permitTime))
	switch {
	case l.full:
		out.Sentence += fmt.Sprintf(": all %s are at work", text.Count(l.limit))
	case l.limit > 0:
		out.Sentence += fmt.Sprintf(" although %s of %s are counted as at work: slots are stuck", text.Count(l.active), text.Count(l.limit))
	}
	if l.limit > 0 {
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s of %s slots", text.Count(l.active), text.Count(l.limit)), poolActive, who, l.active, l.limit))
	}
	out.Evidence = append(out.Evidence, m.Number(text.Count(l.queued)+" wait in the handler", poolQueue, who, l.queued, none))
	if rise := stat.MannKendall(disjoint(m.Course(permitMean, who, trendOver), brief)); rise.P < trendLevel && rise.Statistic > 0 && !rise.Small {
		out.Evidence = append(out.Evidence, verdict.Evidence{Text: fmt.Sprintf("the wait rises (Mann–Kendall p < %g)", trendLevel), Need: permitMean, Labels: who, Value: none, Threshold: none})
	}
	waiting, known := m.Where(ownWaiting, who)
	switch running, _ := m.Where(ownRunning, who); {
	case !known:
		out.Missing = append(out.Missing, "the engine's queue: whether the engine is the limit is not known (sglang: --enable-metrics)")
		out.Advice = append(out.Advice, "see what the engine does: where it has room, raise DYN_TCP_WORKER_POOL_SIZE")
	case waiting >= 1:
		out.Evidence = append(out.Evidence, m.Number("engine queue "+text.Count(waiting), ownWaiting, who, waiting, none))
		out.Advice = append(out.Advice, "the engine has a queue of its own: more workers, not more slots")
	default:
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("engine queue empty, %s running", text.Count(running)), ownRunning, who, running, none))
		out.Advice = append(out.Advice, "raise DYN_TCP_WORKER_POOL_SIZE: the engine behind the handler has room")
		if !l.full && l.limit > 0 {
			out.Advice = append(out.Advice, "look at the worker's log for handlers that never end, and restart it when they do not")
		}
	}
	return out
}
