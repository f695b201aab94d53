package rules

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/stat"
	"dynascope/sources/text"
)

// requests are the verdicts about requests that did not end well: who failed
// them, who refused them, who went away.
func requests() []verdict.Rule { return []verdict.Rule{failures(), refusals(), clientSide()} }

const (
	// failShare and failGrave are which part of the requests must have failed
	// for certain (the interval's lower end) to warn and to alarm. The
	// references name none; Dynamo's own tests call 99 % success well.
	failShare, failGrave = 0.01, 0.05
	// invalidShare is the same for requests that the server rightly refuses:
	// some client always sends some.
	invalidShare = 0.1
	// failCount is how many must have failed in the window.
	failCount = 5
	// refuseGrave is from when on refusals alarm: they are what a limit is for,
	// so a few of them are no disaster.
	refuseGrave = 0.1
	// blameLevel and blameShare: one worker is named when its share of failing
	// requests differs from the others' at this level and it has this much of
	// all failures.
	blameLevel = 0.001
	blameShare = 0.8
	// blameAfter is how long after a worker was lost failures are told with it.
	blameAfter = 90 * time.Second
)

var (
	doneIn       = grownOver("requests.done", verdict.Look, "")
	failedIn     = grownOver("requests.failed", verdict.Look, "error_type")
	failedNow    = grownOver("requests.failed", brief, "error_type")
	rejectedIn   = grownOver("requests.rejected", verdict.Look, "")
	rejectedNow  = grownOver("requests.rejected", brief, "")
	migratedIn   = grownOver("requests.migrated", verdict.Look, "")
	workerErrors = grownOver("worker.errors", verdict.Look, "instance,error_type")
	workerAsked  = grownOver("worker.requests", verdict.Look, "instance")

	pushedBack   = grownOver("router.queue.backpressure", verdict.Look, "reason")
	routerRefuse = grownOver("router.admission.rejected", verdict.Look, "reason")
	workerRefuse = grownOver("worker.admission.rejected", verdict.Look, "instance")
	handlerFull  = grownOver("worker.enqueue_rejected", verdict.Look, "instance")
)

// lostWorker are the verdicts that explain what fails on or with a worker.
func lostWorker() []verdict.Silence {
	return []verdict.Silence{{Code: "worker-down", Same: true}, {Code: "worker-hung", Same: true}, {Code: "worker-restarting", Same: true}, {Code: "worker-flapping", Same: true}}
}

// failed is what failed in one window, by error type.
type failed struct {
	done   float64
	types  []verdict.Group // of the server's doing, most first
	server float64         // their sum
	// invalid are those that the server rightly refuses; refused those turned
	// away for load; gone those whose client went away.
	invalid, refused, gone float64
	mixed                  bool // a frontend tells no types
}

func failedOf(m verdict.Moment, n sources.Need) (f failed) {
	for _, g := range m.Groups(n) {
		switch kind := g.Labels["error_type"]; {
		case !(g.V > 0):
		case kind == "cancelled":
			f.gone += g.V
		case kind == "overload":
			f.refused += g.V
		case kind == "validation" || kind == "not_found" || kind == "not_implemented":
			f.invalid += g.V
		default:
			f.mixed = f.mixed || kind == ""
			f.server += g.V
			f.types = append(f.types, g)
		}
	}
	slices.SortStableFunc(f.types, func(a, b verdict.Group) int { return cmp.Compare(b.V, a.V) })
	return f
}

// turnedAway is who refused requests for load in the last minute.
type turnedAway struct {
	total   float64         // at the frontends
	reasons []verdict.Group // by the router, labelled reason
	workers []verdict.Group // by workers, labelled instance
	told    float64         // of both
}

func turnedAwayIn(m verdict.Moment) (t turnedAway) {
	t.total = max(m.Or(rejectedIn, 0), failedOf(m, failedIn).refused)
	for _, n := range []sources.Need{pushedBack, routerRefuse} {
		sum := 0.0
		for _, g := range m.Groups(n) {
			if g.V > 0 {
				sum += g.V
			}
		}
		// The newer family counts the same refusals once more.
		if sum > t.told {
			t.told, t.reasons = sum, positive(m.Groups(n))
		}
	}
	for _, n := range []sources.Need{workerRefuse, handlerFull} {
		for _, g := range positive(m.Groups(n)) {
			t.workers = append(t.workers, g)
			t.told += g.V
		}
	}
	slices.SortStableFunc(t.workers, func(a, b verdict.Group) int { return cmp.Compare(b.V, a.V) })
	return t
}

func positive(in []verdict.Group) []verdict.Group {
	return slices.DeleteFunc(slices.Clone(in), func(g verdict.Group) bool { return !(g.V > 0) })
}

// ownErrors are the errors that each worker counts itself. That an answer could
// not be sent happens too when the client went away: it is left out.
func ownErrors(m verdict.Moment) map[string]float64 {
	out := map[string]float64{}
	for _, g := range m.Groups(workerErrors) {
		if kind := g.Labels["error_type"]; g.V > 0 && kind != "publish_response" && kind != "publish_final" {
			out[g.Labels["instance"]] += g.V
		}
	}
	return out
}

// failedByWorkers moves refusals that no limit accounts for, and that workers
// count as their own errors, to the failures.
func (f *failed) failedByWorkers(m verdict.Moment) {
	if f.refused < failCount {
		return
	}
	own := 0.0
	for _, v := range ownErrors(m) {
		own += v
	}
	if rest := f.refused - turnedAwayIn(m).told; rest >= failCount && own-f.server >= rest/2 {
		f.types = append(f.types, verdict.Group{Labels: sources.Labels{"error_type": "overload"}, V: rest})
		f.server += rest
		f.refused -= rest
		slices.SortStableFunc(f.types, func(a, b verdict.Group) int { return cmp.Compare(b.V, a.V) })
	}
}

func failures() verdict.Rule {
	return verdict.Rule{
		Code: "errors", Title: "requests fail", Rank: 60,
		Hold: 15 * time.Second, Release: 10 * time.Second, // a burst that is over lies in both windows for less
		Needs: []sources.Need{doneIn, failedIn, failedNow, rejectedIn, migratedIn, workerErrors, workerAsked, pushedBack, routerRefuse, workerRefuse, handlerFull},
		Proof: []sources.Need{doneIn, failedIn},
		Judge: judgeFailures,
		Tell:  tellFailures,
		// Failures of another worker, or of nobody known, stay.
		Silenced: lostWorker(),
		Key:      "7",
		Help: "At least 5 requests and, at the lower end of the 99 % interval (Wilson), 1 % of those that ended in the last minute failed by the server's doing (critical: 5 %), in both halves of it; cancelled ones, invalid ones and those refused for load are not among them. " +
			"A worker is named when its own error counter differs from the others' (p < 0.001) and it has four fifths of all; or when it was lost shortly before. Invalid requests (validation, not_found, not_implemented) are told apart, from 10 % on.",
		Alert: verdict.Alert{
			Expr: "({requests.failed:rate} - ({requests.cancelled:rate} or 0 * {requests.failed:rate}) - ({requests.overloaded:rate} or 0 * {requests.failed:rate})) / ({requests.done:rate} > 0) > 0.05",
			For:  time.Minute, Why: "a plain share without its interval and without a least count; invalid requests are in it",
		},
	}
}

var invalidRequests = verdict.Culprit{Kind: "model", Name: "invalid requests"}

func judgeFailures(m verdict.Moment) (out []verdict.Finding) {
	f := failedOf(m, failedIn)
	if f.server < failCount && f.invalid < failCount && f.refused < failCount {
		return nil
	}
	done, ok := m.Value(doneIn)
	half, ok2 := m.Before(brief)
	if !ok || !ok2 {
		return nil
	}
	f.failedByWorkers(m)
	now, then := failedOf(m, failedNow), failedOf(half, failedNow)
	if share := shareAtLeast(f.server, done); f.server >= failCount && share >= failShare/2 {
		x := verdict.Finding{Culprit: blame(m), Level: verdict.Stays, Severity: verdict.Warning, Score: share / failShare}
		if goesOn := now.server+now.refused >= 1 && then.server+then.refused >= 1; goesOn && share >= failShare {
			x.Level = verdict.Fires
		}
		if share >= failGrave {
			x.Severity = verdict.Critical
		}
		out = append(out, x)
	}
	if share := shareAtLeast(f.invalid, done); f.invalid >= failCount && share >= invalidShare && now.invalid >= 1 && then.invalid >= 1 {
		out = append(out, verdict.Finding{Culprit: invalidRequests, Level: verdict.Fires, Severity: verdict.Warning, Score: share / invalidShare})
	}
	return out
}

// blame names the worker that fails requests; nobody where nothing tells it.
func blame(m verdict.Moment) verdict.Culprit {
	own := ownErrors(m)
	asked := map[string]float64{}
	errors, requests := 0.0, 0.0
	worst := ""
	for _, g := range m.Groups(workerAsked) {
		asked[g.Labels["instance"]] = g.V
		requests += g.V
	}
	for in, v := range own {
		errors += v
		if worst == "" || v > own[worst] || v == own[worst] && in < worst {
			worst = in
		}
	}
	if errors >= failCount && own[worst] >= blameShare*errors {
		n := max(asked[worst], own[worst])
		others := max(requests-asked[worst], errors-own[worst])
		if t := stat.Proportions(math.Floor(own[worst]), math.Ceil(n), math.Floor(errors-own[worst]), math.Ceil(others)); t.P < blameLevel || others == 0 && len(asked) > 1 {
			return m.CulpritOf(worst)
		}
	}
	if e, ok := lostBefore(m); ok {
		c := verdict.Culprit{Kind: "worker", Name: e.Subject, Instance: e.Instance, Worker: e.Worker}
		return c
	}
	return verdict.Culprit{}
}

// lostBefore is the newest loss of a worker within blameAfter.
func lostBefore(m verdict.Moment) (sources.Event, bool) {
	for _, e := range m.Events() {
		if m.At().Sub(e.At) > blameAfter {
			break
		}
		switch e.Kind {
		case sources.EventVanished, sources.EventRestarted, sources.EventUnlisted, sources.EventScrapeLost:
			if e.Worker != "" {
				return e, true
			}
		}
	}
	return sources.Event{}, false
}

func tellFailures(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	done := m.Or(doneIn, 0)
	x := failedOf(m, failedIn)
	if f.Culprit == invalidRequests {
		share := min(x.invalid/done, 1)
		out.Title = "invalid requests"
		out.Sentence = fmt.Sprintf("%s of the requests are refused as invalid: what clients send, or a model that is not served", text.Percent(share))
		out.Evidence = append(out.Evidence, typesOf(m, "validation", "not_found", "not_implemented")...)
		out.Evidence = append(out.Evidence, m.Number(text.Count(done)+" requests ended", doneIn, nil, done, none))
		out.Advice = []string{"see by type (Requests): not_found is a model name that nobody serves, validation a request beyond the model's limits"}
		return out
	}
	x.failedByWorkers(m)
	names := make([]string, 0, len(x.types))
	for _, g := range x.types {
		kind := cmp.Or(text.Clean(g.Labels["error_type"], 40), "unknown type")
		names = append(names, kind)
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s %s", text.Count(g.V), kind), failedIn, sources.Labels{"error_type": g.Labels["error_type"]}, g.V, failCount))
	}
	share := min(x.server/done, 1)
	out.Sentence = fmt.Sprintf("%s of the requests fail: %s", text.Percent(share), strings.Join(names, ", "))
	out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s requests ended, at least %s failed (99 %% interval)", text.Count(done), text.Percent(shareAtLeast(x.server, done))), doneIn, nil, done, none))
	if v := m.Or(migratedIn, 0); v >= 1 {
		out.Evidence = append(out.Evidence, m.Number(text.Count(v)+" migrations: their workers were lost", migratedIn, nil, v, none))
	}
	own := ownErrors(m)
	switch {
	case f.Culprit.Instance != "" && own[f.Culprit.Instance] >= failCount:
		v := own[f.Culprit.Instance]
		out.Sentence += ", counted by " + f.Culprit.Name
		out.Evidence = append(out.Evidence, verdict.Evidence{Text: text.Count(v) + " errors on its own page", Need: workerErrors, Labels: instanceOf(f.Culprit.Instance), Value: v, Threshold: none, Unit: "errors"})
		out.Advice = []string{"read that worker's log", "take it out of service when it goes on: restart it"}
	case f.Culprit.Kind == "worker":
		out.Sentence += ", since " + f.Culprit.Name + " was lost"
		out.Advice = []string{"see why the worker was lost (Workers)", "--migration-limit lets requests of a lost worker go on elsewhere"}
	default:
		out.Advice = []string{"read the frontend's log for the error type; no worker stands out"}
		if len(own) == 0 {
			out.Sentence += "; no worker counts them as its own"
		}
	}
	if !m.Known(workerErrors) {
		out.Missing = append(out.Missing, "errors by worker: which one fails them is not known; expose the workers' pages (DYN_SYSTEM_PORT)")
	}
	if x.mixed {
		out.Missing = append(out.Missing, "error types: this frontend does not tell them apart, so cancelled requests may be among them")
	}
	return out
}

func typesOf(m verdict.Moment, kinds ...string) (out []verdict.Evidence) {
	for _, k := range kinds {
		who := sources.Labels{"error_type": k}
		if v, ok := m.Where(failedIn, who); ok && v > 0 {
			out = append(out, m.Number(text.Count(v)+" "+k, failedIn, who, v, none))
		}
	}
	return out
}

func refusals() verdict.Rule {
	return verdict.Rule{
		Code: "admission-rejected", Title: "requests refused", Rank: 50,
		Hold: 15 * time.Second, Release: 10 * time.Second,
		Needs: []sources.Need{doneIn, failedIn, failedNow, rejectedIn, rejectedNow, workerErrors, pushedBack, routerRefuse, workerRefuse, handlerFull},
		Proof: []sources.Need{rejectedIn, failedIn, pushedBack},
		Judge: judgeRefusals,
		Tell:  tellRefusals,
		Key:   "7",
		Help: "At least 5 requests and, at the lower end of the 99 % interval (Wilson), 1 % of those that ended in the last minute were refused for load (critical: 10 %), in both halves of it. The router's back-pressure is told by its reason, a worker's limit by the worker; " +
			"refusals that no limit accounts for are the frontend's own (busy thresholds), and those that workers count as errors of theirs are errors.",
		Alert: verdict.Alert{
			Expr: "{requests.rejected:rate} / ({requests.done:rate} > 0) > 0.05", For: time.Minute,
			Why: "a plain share without its interval and without a least count",
		},
	}
}

func judgeRefusals(m verdict.Moment) []verdict.Finding {
	f := failedOf(m, failedIn)
	t := turnedAwayIn(m)
	if t.total < failCount {
		return nil
	}
	f.refused = t.total
	f.failedByWorkers(m)
	done, ok := m.Value(doneIn)
	half, ok2 := m.Before(brief)
	share := shareAtLeast(f.refused, done)
	if !ok || !ok2 || f.refused < failCount || share < failShare/2 {
		return nil
	}
	x := verdict.Finding{Culprit: t.by(m), Level: verdict.Stays, Severity: verdict.Warning, Score: share / failShare}
	goes := func(m verdict.Moment) bool {
		return failedOf(m, failedNow).refused >= 1 || m.Or(rejectedNow, 0) >= 1
	}
	if share >= failShare && goes(m) && goes(half) {
		x.Level = verdict.Fires
	}
	if share >= refuseGrave {
		x.Severity = verdict.Critical
	}
	return []verdict.Finding{x}
}

// by is who turned requests away, where most of them are accounted for.
func (t turnedAway) by(m verdict.Moment) verdict.Culprit {
	router, workers := 0.0, 0.0
	for _, g := range t.reasons {
		router += g.V
	}
	for _, g := range t.workers {
		workers += g.V
	}
	switch {
	case router >= t.total/2:
		return verdict.Culprit{Kind: "router", Name: "router"}
	case len(t.workers) > 0 && t.workers[0].V >= blameShare*t.total:
		return m.CulpritOf(t.workers[0].Labels["instance"])
	case workers >= t.total/2:
		return verdict.Culprit{Kind: "pool", Name: "workers"}
	}
	return verdict.Culprit{}
}

func tellRefusals(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	done := m.Or(doneIn, 0)
	t := turnedAwayIn(m)
	share := min(t.total/done, 1)
	out.Sentence = fmt.Sprintf("%s of the requests are refused for load", text.Percent(share))
	out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s refused of %s, at least %s (99 %% interval)", text.Count(t.total), text.Count(done), text.Percent(shareAtLeast(t.total, done))), rejectedIn, nil, t.total, failCount))
	for _, g := range t.reasons {
		reason := cmp.Or(text.Clean(g.Labels["reason"], 40), "no reason given")
		n := pushedBack
		if _, ok := m.Where(pushedBack, g.Labels); !ok {
			n = routerRefuse
		}
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("router: %s for %s", text.Count(g.V), reason), n, g.Labels, g.V, none))
	}
	for _, g := range t.workers {
		in := g.Labels["instance"]
		n := workerRefuse
		if _, ok := m.Where(workerRefuse, g.Labels); !ok {
			n = handlerFull
		}
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s refused %s", m.CulpritOf(in).Name, text.Count(g.V)), n, g.Labels, g.V, none))
	}
	switch {
	case f.Culprit.Kind == "router":
		out.Sentence += " by the router's queue limit"
		out.Advice = []string{"see what keeps the queue full: the engines (Workers) or a low queue threshold (Routing)", "raise the limit that is named only where waiting is better than an error"}
	case f.Culprit.Name != "":
		out.Sentence += " by the admission limit of " + f.Culprit.Name
		out.Advice = []string{"see whether the engine behind it has room (Workers): then raise --engine-request-limit or its queue", "else add workers"}
	default:
		out.Sentence += "; no queue limit of router or workers accounts for them"
		out.Advice = []string{"see the busy thresholds of the frontend (/busy_threshold) and its request limit", "add workers, or shed load earlier"}
		if !m.Known(pushedBack) && !m.Known(workerRefuse) {
			out.Missing = append(out.Missing, "back-pressure by reason, refusals by worker: who refuses is not known (router queue policy; DYN_SYSTEM_PORT)")
		}
	}
	return out
}
