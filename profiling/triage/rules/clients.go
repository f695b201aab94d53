package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

const (
	// goneShare is which part of the requests must have been left by their
	// clients for certain, and goneFactor how many times the usual part that
	// must be; goneAlways is told without any usual part. Chat users stop
	// answers every day: no number of the references.
	goneShare, goneFactor, goneAlways = 0.1, 2.0, 0.25
	goneCount                         = 10
	// wellFactor is within how many times their usual means TTFT and ITL must
	// be for the server to be well: saturation begins at twice (dynamo.md §9).
	wellFactor = 2.0
	wellPast   = 2 * time.Minute
)

var (
	cancelledIn  = grownOver("requests.cancelled", verdict.Look, "")
	cancelledNow = grownOver("requests.cancelled", brief, "")
	leftIn       = grownOver("frontend.disconnects", verdict.Look, "")
	timeoutIn    = grownOver("requests.timeout", verdict.Look, "")
	ttftAll      = meanOver("frontend.ttft", verdict.Look, "")
	itlAll       = meanOver("frontend.itl", verdict.Look, "")
)

func clientSide() verdict.Rule {
	return verdict.Rule{
		Code: "client-side", Title: "clients leave", Rank: 80,
		Hold: 15 * time.Second, Release: 15 * time.Second,
		Needs: []sources.Need{doneIn, failedIn, cancelledIn, cancelledNow, leftIn, timeoutIn, ttftAll, itlAll},
		Proof: []sources.Need{cancelledIn, leftIn, doneIn},
		Judge: judgeClients,
		Tell:  tellClients,
		// Clients that leave while any of these is on have a reason.
		Silenced: because(
			"worker-down", "worker-hung", "worker-restarting", "worker-flapping", "saturated", "queue-bound-prefill", "queue-bound-decode",
			"kv-capacity", "prefill-decode-imbalance", "kv-transfer-bound", "prefix-cache-collapse", "router-queue", "router-stage", "frontend-event-loop",
			"worker-pool-exhausted", "straggler-worker", "straggler-gpu", "gpu-throttled", "host-bound", "load-imbalance", "sla-burn-long-prompts", "errors", "admission-rejected",
		),
		Key: "7",
		Help: "At least 10 requests and, at the lower end of the 99 % interval (Wilson), 10 % of those that ended in the last minute were left by their clients, twice the usual part of the last ten minutes (25 % where there is no past), in both halves of the minute, " +
			"while the server is well: mean TTFT and ITL within the promise and within twice their usual, no timeouts, fewer than 1 % failures. Any verdict about the server explains it away. Nothing on the server mends it: look at the clients' timeouts and the proxy before the frontend.",
		Alert: verdict.Alert{
			Expr: "{requests.cancel_share:expr} > 0.25", For: 2 * time.Minute,
			Why: "whether the server is well is not in it: read it beside the latency alerts",
		},
	}
}

func because(codes ...string) (out []verdict.Silence) {
	for _, c := range codes {
		out = append(out, verdict.Silence{Code: c})
	}
	return out
}

// leaving is how many requests were left by their clients in the last minute.
func leaving(m verdict.Moment) (gone float64, n sources.Need) {
	if v, ok := m.Value(cancelledIn); ok {
		return v, cancelledIn
	}
	return m.Or(leftIn, 0), leftIn
}

// usualLeaving is the part of requests that clients usually leave; NaN without
// enough past.
func usualLeaving(m verdict.Moment, n sources.Need) float64 {
	gone, done := m.Course(n, nil, verdict.Span), m.Course(doneIn, nil, verdict.Span)
	var shares []float64
	for i, d := range done {
		if !(d >= goneCount) {
			continue
		}
		// A counter that has not appeared yet is at nothing.
		g := 0.0
		if j := len(gone) - len(done) + i; j >= 0 && !math.IsNaN(gone[j]) {
			g = gone[j]
		}
		shares = append(shares, g/d)
	}
	if len(shares) < columnsIn(wellPast) {
		return math.NaN()
	}
	return lowerQuartile(shares)
}

func judgeClients(m verdict.Moment) []verdict.Finding {
	gone, n := leaving(m)
	done, ok := m.Value(doneIn)
	half, ok2 := m.Before(brief)
	share := shareAtLeast(gone, done)
	if !ok || !ok2 || gone < goneCount || share < goneShare/2 || !serverWell(m, done) {
		return nil
	}
	usual := usualLeaving(m, n)
	x := verdict.Finding{Level: verdict.Stays, Severity: verdict.Warning, Score: share / goneShare}
	goesOn := n != cancelledIn || m.Or(cancelledNow, 0) >= 1 && half.Or(cancelledNow, 0) >= 1
	if high := share >= goneAlways || share >= goneShare && share >= goneFactor*usual; high && goesOn {
		x.Level = verdict.Fires
	}
	return []verdict.Finding{x}
}

// serverWell says whether nothing that is measured here gives clients a reason.
// Where neither a promise nor enough past is known, it is not known to be.
func serverWell(m verdict.Moment, done float64) bool {
	f := failedOf(m, failedIn)
	if shareAtLeast(f.server, done) >= failShare || shareAtLeast(f.refused, done) >= failShare || m.Or(timeoutIn, 0) >= 1 {
		return false
	}
	known := false
	for _, x := range []struct {
		need  sources.Need
		limit time.Duration
	}{{ttftAll, m.SLA().TTFT}, {itlAll, m.SLA().ITL}} {
		v, ok := m.Value(x.need)
		if !ok {
			continue
		}
		if x.limit > 0 {
			known = true
			if v > x.limit.Seconds() {
				return false
			}
		}
		var past []float64
		for _, p := range m.Course(x.need, nil, verdict.Span) {
			if !math.IsNaN(p) {
				past = append(past, p)
			}
		}
		if len(past) >= columnsIn(wellPast) {
			known = true
			if v > wellFactor*lowerQuartile(past) {
				return false
			}
		}
	}
	return known
}

func tellClients(m verdict.Moment, _ verdict.Finding) (out verdict.Story) {
	gone, n := leaving(m)
	done := m.Or(doneIn, 0)
	share := min(gone/done, 1)
	out.Sentence = fmt.Sprintf("clients leave %s of the requests before their end, while the server is well", text.Percent(share))
	usual := usualLeaving(m, n)
	if !math.IsNaN(usual) {
		out.Sentence = fmt.Sprintf("clients leave %s of the requests before their end (usually %s), while the server is well", text.Percent(share), text.Percent(usual))
	}
	out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s left of %s, at least %s (99 %% interval)", text.Count(gone), text.Count(done), text.Percent(shareAtLeast(gone, done))), n, nil, gone, goneCount))
	for _, x := range []struct {
		name  string
		need  sources.Need
		limit time.Duration
	}{{"TTFT", ttftAll, m.SLA().TTFT}, {"ITL", itlAll, m.SLA().ITL}} {
		if v, ok := m.Value(x.need); ok {
			limit := none
			if x.limit > 0 {
				limit = x.limit.Seconds()
			}
			out.Evidence = append(out.Evidence, m.Number(x.name+" mean "+text.Duration(v), x.need, nil, v, limit))
		}
	}
	out.Advice = []string{"look at the clients' and the proxy's timeouts, and at a client release shortly before", "see whether one model is left more than others (Requests)"}
	if n == leftIn {
		out.Missing = append(out.Missing, "cancelled requests by type: this frontend counts only disconnects")
	}
	return out
}
