package main

import (
	"context"
	"time"

	"dynascope/profiling/triage/advice"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/engine"
	"dynascope/sources/feed"
)

// adviser gives tuning advice by the figures of a moment (zero is the present)
// and by the flags that the processes were started with, as far as this host, an
// opened route or a figure tells them. It takes about as long as reading the
// processes' command lines, and belongs on a goroutine of its own: its feed is
// not the screen's.
func adviser(o *origin, cat *catalog.Catalog, sla verdict.SLA) func(ctx context.Context, at time.Time, scope catalog.Scope) advice.Report {
	reader := engine.NewReader()
	f := o.feed(cat).Feed
	rules := advice.All()
	needs := append(advice.Needs(rules), flagNeeds()...)
	return func(ctx context.Context, at time.Time, scope catalog.Scope) advice.Report {
		if at.IsZero() {
			at = o.now()
		}
		snap := f.Tick(ctx, feed.Ask{Needs: needs, At: at, Window: advice.Look, Scope: scope})
		models := map[string]string{}
		for _, w := range snap.Workers {
			models[w.Instance] = w.Model
		}
		all := advice.Processes(snap)
		for i := range all {
			p := &all[i]
			q := engine.Question{Instance: p.Instance, Engine: p.Flags.Engine, Figures: flagFiguresOf(snap, p.Instance, models[p.Instance])}
			if o.info != nil {
				q.Info = o.info(p.Instance)
			}
			p.Flags = reader.Flags(ctx, q)
		}
		return advice.Judge(advice.Input{Snap: snap, Processes: all, SLA: sla}, rules)
	}
}

// flagNeeds are the figures that tell settings.
func flagNeeds() (needs []sources.Need) {
	for _, k := range engine.FigureKeys() {
		needs = append(needs, sources.Need{Key: k.Key, Form: sources.FormNow, By: "instance"}, sources.Need{Key: k.Key, Form: sources.FormNow, By: "model"})
	}
	return needs
}

// flagFiguresOf are the figures of a snapshot that tell the settings of a worker
// or its model.
func flagFiguresOf(snap *sources.Snapshot, instance, model string) map[string]float64 {
	out := map[string]float64{}
	for _, k := range engine.FigureKeys() {
		if v, ok := snap.Figure(sources.Need{Key: k.Key, Form: sources.FormNow, By: "instance"}).Where(sources.Labels{"instance": instance}); ok {
			out[k.Key] = v
		} else if v, ok := snap.Figure(sources.Need{Key: k.Key, Form: sources.FormNow, By: "model"}).Where(sources.Labels{"model": model}); ok && model != "" && v > 0 { // a frontend says 0 of what was not registered
			out[k.Key] = v
		}
	}
	return out
}
