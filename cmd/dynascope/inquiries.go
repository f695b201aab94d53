package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
	"dynascope/sources/text"
	"dynascope/tui"
	"dynascope/tui/pane"
	"dynascope/tui/report"
)

// advises answers the console's question for advice: what is promised and how
// much more fits, then what could be set better.
func advises(o *origin, cat *catalog.Catalog, sla pane.SLA) tui.Inquiry {
	promised := verdict.SLA{TTFT: sla.TTFT, ITL: sla.ITL}
	ask := adviser(o, cat, promised)
	return func(ctx context.Context, at time.Time, window time.Duration, scope catalog.Scope) (string, error) {
		if at.IsZero() {
			at = o.now()
		}
		snap := o.feed(cat).Tick(ctx, feed.Ask{Needs: report.OutlookNeeds(), At: at, Window: window, Scope: scope})
		var b strings.Builder
		b.WriteString("promise and room\n")
		for _, l := range report.OutlookOf(snap, promised).Lines() {
			b.WriteString("  " + l + "\n")
		}
		lines := report.TuningLines(ask(ctx, at, scope), true)
		if len(lines) == 0 {
			lines = []string{"nothing could be set better, as far as these figures show"}
		}
		for _, l := range lines {
			if strings.Contains(l, "  ") {
				l = "  " + l
			}
			b.WriteString(l + "\n")
		}
		return b.String(), nil
	}
}

// learns learns baselines from the window on screen, judges by them from then
// on, and says what it learned. Those of a demo end with it.
func learns(o *origin, cat *catalog.Catalog, known *knownBaselines) tui.Inquiry {
	learn := learnBaselines(o, cat, !known.demo)
	return func(ctx context.Context, at time.Time, window time.Duration, scope catalog.Scope) (string, error) {
		got, path, err := learn(ctx, at, window, scope)
		if err != nil {
			return "", err
		}
		known.learned(got.Set)
		var b strings.Builder
		fmt.Fprintf(&b, "%d figures learned from %d of %d looks in %s\n", got.Set.Len(), got.Low, got.Columns, text.Age(window))
		switch {
		case known.given:
			fmt.Fprintf(&b, "  kept in %s; --baseline named another file, which is not changed\n", path)
		case known.demo:
			b.WriteString("  judged by from now on; a demo's baselines end with it\n")
		default:
			fmt.Fprintf(&b, "  kept in %s, and judged by from now on\n", path)
		}
		for _, e := range got.Set.Entries() {
			m, _ := cat.Metric(e.Key)
			fmt.Fprintf(&b, "  %s  %s of %s\n", text.Value(e.Mean, m.Unit), m.Title, text.Count(e.N))
		}
		return b.String(), nil
	}
}
