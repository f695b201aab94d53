package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dynascope/profiling/triage/advice"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
	"dynascope/sources/text"
	"dynascope/tui"
	"dynascope/tui/pane"
)

// advises answers the console's question for advice.
func advises(o *origin, cat *catalog.Catalog, sla pane.SLA) tui.Inquiry {
	ask := adviser(o, cat, verdict.SLA{TTFT: sla.TTFT, ITL: sla.ITL})
	return func(ctx context.Context, at time.Time, _ time.Duration, scope catalog.Scope) (string, error) {
		var b strings.Builder
		err := advice.Write(&b, ask(ctx, at, scope))
		return b.String(), err
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
