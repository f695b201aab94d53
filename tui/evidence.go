package tui

import (
	"maps"
	"math"
	"slices"
	"strings"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
)

const (
	// showingEvidence is the overlay of one verdict's evidence.
	showingEvidence = "evidence"
	// unwrapped is a width at which a query is one line, for the clipboard.
	unwrapped = 1 << 20
	// exprRunes is the most of a query that is shown.
	exprRunes = 20_000
)

// evidenceLines say on which numbers a verdict rests: each with its value
// against the threshold, the window, what the figure means and the query,
// which can be pasted into Prometheus.
func (m *Model) evidenceLines(w int) []string {
	s, v := m.styles, m.overlay.about
	if v == nil {
		return nil
	}
	title := cells.Rule("evidence of a verdict: y copies it with whole queries, esc back to the list", min(w, m.w), s)
	head := " " + s.Mark(judged.Level(v.Severity)) + " " + s.Title.Render(judged.Title(*v))
	if who := judged.Who(v.Culprit); who != "" {
		head += s.Dim.Render(" "+s.G.Or().Sep+" ") + s.Accent.Render(who)
	}
	lines := []string{title, head + s.Dim.Render("  "+judged.Since(*v, m.moment)+"  "+v.Code)}
	for _, l := range cells.Wrap(judged.Sentence(*v), max(w-4, 10)) {
		lines = append(lines, "   "+s.Text.Render(l))
	}
	row := func(label, body string) {
		for i, l := range cells.Wrap(body, max(w-16, 10)) {
			if i > 0 {
				label = ""
			}
			lines = append(lines, "   "+s.Label.Render(cells.Fit(label, 11))+" "+s.Text.Render(l))
		}
	}
	if len(v.Evidence) == 0 {
		lines = append(lines, "", s.Dim.Render("   it rests on no single number"))
	}
	for _, e := range v.Evidence {
		lines = append(lines, "", " "+s.Title.Render(text.Clean(e.Text, 200)))
		if e.Need == (sources.Need{}) {
			row("value", judged.Evidence(e))
			row("query", "none of its own: it is computed from several numbers")
			continue
		}
		metric, _ := m.Catalog.Metric(e.Need.Key)
		row("figure", strings.TrimSpace(metric.Title+"  "+e.Need.Key+" · "+string(e.Need.Form)))
		row("means", metric.Help)
		if !math.IsNaN(e.Value) {
			row("value", text.Value(e.Value, e.Unit))
		}
		if !math.IsNaN(e.Threshold) {
			row("threshold", text.Value(e.Threshold, e.Unit))
		}
		if e.Window > 0 {
			row("window", text.Age(e.Window))
		}
		if len(e.Labels) > 0 {
			row("of", labelWords(e.Labels))
		}
		row("query", text.Clean(e.Expr, exprRunes))
	}
	return lines
}

// labelWords spell the labels that pick one group of a query's answer.
func labelWords(l sources.Labels) string {
	var out []string
	for _, n := range slices.Sorted(maps.Keys(l)) {
		out = append(out, text.Clean(n, 60)+"="+text.Clean(l[n], 120))
	}
	return strings.Join(out, " ")
}
