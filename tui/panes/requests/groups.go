package requests

import (
	"math"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/facts"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

func now(key string) sources.Need      { return sources.Need{Key: key, Form: sources.FormNow} }
func expr(key string) sources.Need     { return sources.Need{Key: key, Form: sources.FormExpr} }
func rate(key string) sources.Need     { return sources.Need{Key: key, Form: sources.FormRate} }
func mean(key string) sources.Need     { return sources.Need{Key: key, Form: sources.FormMean} }
func increase(key string) sources.Need { return sources.Need{Key: key, Form: sources.FormIncrease} }
func buckets(key string) sources.Need  { return sources.Need{Key: key, Form: sources.FormBuckets} }

// needDone is what outcomes are part of.
var needDone = rate("requests.done")

// groups are the facts in reading order.
func (p *Pane) groups(f pane.Frame) []facts.Group {
	return []facts.Group{flow(), lengths(f), queues(), losses(), migrations(), p.loop()}
}

func flow() facts.Group {
	return facts.Group{ID: "flow", Title: "arrivals and completions", Facts: []facts.Fact{
		{Label: "arrivals", Need: rate("requests.started"), As: facts.PerSecond, Course: true},
		{Label: "finished", Need: needDone, As: facts.PerSecond, Course: true},
		{Label: "engine completions", Need: rate("engine.requests_done"), As: facts.PerSecond, Priority: 2},
		{Label: "succeeded", Need: expr("requests.success_share"), Course: true},
		{Label: "failed", Need: expr("requests.error_share"), Priority: 1},
		{Label: "cancelled", Need: expr("requests.cancel_share"), Priority: 1},
		{Label: "streaming", Need: expr("requests.stream_share"), Priority: 1},
		{Label: "in the frontend", Need: now("frontend.active"), Priority: 1, Course: true},
		{Label: "on the workers", Need: now("worker.inflight"), Priority: 2},
		{Label: "output", Need: rate("frontend.output_tokens"), As: facts.PerSecond, Priority: 2},
		{Label: "embedding mean", Need: mean("frontend.embedding_latency"), Priority: facts.Rare},
		{Label: "images a request", Need: mean("frontend.images_per_request"), Priority: facts.Rare, Nonzero: true},
	}}
}

// place is where lengths are measured, by the o key.
func place(f pane.Frame) string {
	switch f.Source {
	case pane.FromRouter:
		return "router"
	case pane.FromEngine:
		return "engine"
	}
	return "frontend"
}

func lengths(f pane.Frame) facts.Group {
	at := place(f)
	isl, osl := at+".isl", at+".osl"
	return facts.Group{ID: "lengths", Title: "lengths · " + at, Facts: []facts.Fact{
		{Label: "ISL mean", Need: mean(isl), Course: true},
		{Label: "ISL p50", Need: buckets(isl), As: facts.Quantile, Q: 0.5, Priority: 2},
		{Label: "ISL p95", Need: buckets(isl), As: facts.Quantile, Q: 0.95, Priority: 1},
		{Label: "OSL mean", Need: mean(osl), Course: true},
		{Label: "OSL p50", Need: buckets(osl), As: facts.Quantile, Q: 0.5, Priority: 2},
		{Label: "OSL p95", Need: buckets(osl), As: facts.Quantile, Q: 0.95, Priority: 1},
		{Label: "cached of prompts", Need: expr("frontend.cached_share"), Priority: 2},
		{Label: "computed, mean", Need: mean("engine.uncached_isl"), Priority: facts.Rare},
	}}
}

// queues are where requests wait, from the frontend inwards.
func queues() facts.Group {
	return facts.Group{ID: "queues", Title: "where requests are now", Facts: []facts.Fact{
		{Label: "before 1st token", Need: now("frontend.queued"), Course: true},
		stage("preprocess", "preprocess"),
		stage("route", "route"),
		stage("dispatch", "dispatch, all below"),
		{Label: "router queue", Need: now("router.queue.pending"), Priority: 1},
		{Label: "handler queue", Need: now("worker.queue_depth"), Priority: 1},
		{Label: "held for the engine", Need: now("worker.admission.queue"), Priority: facts.Rare},
		{Label: "engine queue", Need: now("engine.waiting"), Course: true},
		{Label: "engine queue time", Need: mean("engine.queue_time"), Priority: 2},
		{Label: "waiting, grammar", Need: now("engine.waiting_grammar"), Priority: facts.Rare, Nonzero: true},
		{Label: "paused", Need: now("engine.paused"), Priority: facts.Rare, Nonzero: true},
		{Label: "prefill bootstrap", Need: now("pd.prefill_bootstrap"), Priority: facts.Rare, Nonzero: true},
		{Label: "KV leaving", Need: now("pd.prefill_inflight"), Priority: facts.Rare, Nonzero: true},
		{Label: "wait for KV room", Need: now("pd.decode_prealloc"), Priority: facts.Rare, Nonzero: true},
		{Label: "KV arriving", Need: now("pd.decode_transfer"), Priority: facts.Rare, Nonzero: true},
		{Label: "running", Need: now("engine.running"), Priority: 1, Course: true},
	}}
}

// needStages are the frontend's stages, one group each.
var needStages = sources.Need{Key: "frontend.stage_requests", Form: sources.FormNow, By: "stage"}

func stage(name, label string) facts.Fact {
	return facts.Fact{Label: label, More: []sources.Need{needStages}, Priority: 2, Draw: func(f pane.Frame) string {
		return group(f, needStages, sources.Labels{"stage": name}, func(v float64) string { return text.Value(v, "requests") })
	}}
}

// group draws one group of a figure. A group that others have and this one
// does not is none of what happened.
func group(f pane.Frame, n sources.Need, want sources.Labels, spell func(float64) string) string {
	fig := f.Snap.Figure(n)
	v, ok := fig.Where(want)
	switch {
	case !ok && fig.Live() && n.Form == sources.FormIncrease:
		return f.Styles.Dim.Render("0")
	case !ok && fig.HasValue():
		return figure.None(sources.StatusAbsent, f.Styles)
	case !ok:
		return figure.None(fig.Status, f.Styles)
	case math.IsNaN(v):
		return figure.None(sources.StatusNaN, f.Styles)
	case fig.Status != sources.StatusOK:
		return f.Styles.Stale.Render(spell(v))
	}
	return f.Styles.Value.Render(spell(v))
}

func losses() facts.Group {
	counted := func(label, key string, priority int) facts.Fact {
		return facts.Fact{Label: label, Need: increase(key), As: facts.Counted, Priority: priority, Basis: needDone}
	}
	cancelled, shed := counted("cancelled", "requests.cancelled", 0), counted("shed by frontend", "requests.rejected", 1)
	cancelled.Course = true
	return facts.Group{ID: "losses", Title: "cancelled, refused, timed out", Facts: []facts.Fact{
		cancelled,
		counted("clients hung up", "frontend.disconnects", 1),
		counted("passed to workers", "requests.cancellations", 2),
		counted("on the workers", "worker.cancellations", facts.Rare),
		shed,
		counted("overload", "requests.overloaded", 1),
		counted("router back-pressure", "router.queue.backpressure", 2),
		counted("router admission", "router.admission.rejected", 2),
		counted("engine admission", "worker.admission.rejected", facts.Rare),
		counted("handler", "worker.enqueue_rejected", facts.Rare),
		counted("timeouts", "requests.timeout", 1),
		counted("worker errors", "worker.errors", 1),
		counted("engine aborts", "engine.aborted", 2),
	}}
}

// needMigrated tells requests that had begun to answer from those that had
// not.
var needMigrated = sources.Need{Key: "requests.migrated", Form: sources.FormIncrease, By: "migration_type"}

func migrations() facts.Group {
	of := func(label, kind string) facts.Fact {
		return facts.Fact{Label: label, More: []sources.Need{needMigrated}, Priority: 1, Draw: func(f pane.Frame) string {
			return group(f, needMigrated, sources.Labels{"migration_type": kind}, text.Count)
		}}
	}
	return facts.Group{ID: "migrations", Title: "migrations", Facts: []facts.Fact{
		{Label: "migrated", Need: increase("requests.migrated"), As: facts.Counted, Course: true, Basis: needDone},
		of("before 1st token", "new_request"),
		of("amid an answer", "ongoing_request"),
		{Label: "took, mean", Need: mean("requests.migration_time"), Priority: 2},
		{Label: "too long to move", Need: increase("requests.migration_refused"), As: facts.Counted, Priority: 2, Basis: needDone},
		{Label: "limit, worker's card", Need: now("model.migration_limit"), Priority: facts.Rare},
	}}
}
