package latency

import (
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
)

// row is one line of the quantiles.
type row struct {
	label, value string
	// drop says which rows go first in a low area: the highest number.
	drop int
}

// rows are the window's numbers. A figure of the engine's is never averaged
// with one of the frontend's: all are of one histogram.
func (p part) rows() []row {
	st := p.frame.Styles
	f := p.figure()
	out := []row{
		{"p50", figure.Quantile(f, 0.50, st), 4},
		{"p90", figure.Quantile(f, 0.90, st), 6},
		{"p95", figure.Quantile(f, 0.95, st), 0},
		{"p99", figure.Quantile(f, 0.99, st), 3},
		{"mean", figure.Value(p.frame.Snap.Figure(p.need(sources.FormMean)), p.frame.Now(), st), 2},
	}
	if limit := p.limit(p.frame.SLA); limit > 0 {
		v := figure.Within(f, limit, st)
		if _, ok := f.Buckets(); ok {
			v += st.Dim.Render(" ≤ " + text.Duration(limit.Seconds()))
		}
		out = append(out, row{"in SLA", v, 1})
	}
	b, ok := f.Buckets()
	if !ok {
		return append(out, row{"n", figure.None(f.Status, st), 5})
	}
	number := st.Value
	if f.Status != sources.StatusOK {
		number = st.Stale
	}
	if last := len(b.Edges) - 2; last >= 0 && b.N > 0 {
		out = append(out, row{"> " + p.edge(b.Edges[last]), number.Render(text.Percent(b.Overflow())), 7})
	}
	window := f.Window
	if window <= 0 {
		window = p.frame.Window
	}
	return append(out, row{"n", number.Render(text.Count(b.N)) + st.Dim.Render(" in "+text.Age(window)), 5})
}

// side draws the rows in exactly w×h cells.
func (p part) side(w, h int) string {
	rows := p.rows()
	for len(rows) > max(h, 0) {
		worst := 0
		for i, r := range rows {
			if r.drop >= rows[worst].drop {
				worst = i
			}
		}
		rows = append(rows[:worst], rows[worst+1:]...)
	}
	label := 0
	for _, r := range rows {
		label = max(label, cells.Width(r.label))
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = cells.Fit(p.frame.Styles.Label.Render(r.label), label) + " " + r.value
	}
	return cells.Block(lines, w, h)
}

// line is the part as one line, for where there is no room for more.
func (p part) line() string {
	st := p.frame.Styles
	style := st.Label
	if p.focused {
		style = st.Accent
	}
	parts := []cells.Part{cells.L(style.Render(p.String()+" · "+string(p.at)), 0)}
	if p.key == "" {
		return cells.Line(p.frame.W, append(parts, cells.L(st.Dim.Render(st.G.Or().Absent+" "+p.why), 0))...)
	}
	if p.hint != "" && !p.focused {
		parts = append(parts, cells.R(st.Dim.Render(p.hint), 8))
	}
	if f := p.figure(); !f.HasValue() {
		return cells.Line(p.frame.W, append(parts, cells.L(figure.None(f.Status, st), 0))...)
	}
	for _, r := range p.rows() {
		text := r.value
		if r.label != "" {
			text = st.Label.Render(r.label+" ") + text
		}
		parts = append(parts, cells.L(text, r.drop))
	}
	return cells.Line(p.frame.W, parts...)
}
