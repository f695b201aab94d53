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
	was          string // in the baseline
	// drop says which rows go first in a low area: the highest number.
	drop int
}

// rows are the window's numbers. A figure of the engine's is never averaged
// with one of the frontend's: all are of one histogram.
func (p part) rows() []row {
	st := p.frame.Styles
	f := p.figure()
	before := p.before()
	quantile := func(label string, q float64, drop int) row {
		r := row{label: label, value: figure.Quantile(f, q, st), drop: drop}
		if before != nil {
			r.was = figure.Quantile(before, q, st)
		}
		return r
	}
	mean := row{label: "mean", value: figure.Value(p.frame.Snap.Figure(p.need(sources.FormMean)), p.frame.Now(), st), drop: 2}
	if b := p.frame.Baseline(); b != nil {
		mean.was = figure.Value(b.Figure(p.need(sources.FormMean)), b.At, st)
	}
	out := []row{quantile("p50", 0.50, 4), quantile("p90", 0.90, 6), quantile("p95", 0.95, 0), quantile("p99", 0.99, 3), mean}
	if limit := p.limit(p.frame.SLA); limit > 0 {
		v := figure.Within(f, limit, st)
		if _, ok := f.Buckets(); ok {
			v += st.Dim.Render(" ≤ " + text.Duration(limit.Seconds()))
		}
		r := row{label: "in SLA", value: v, drop: 1}
		if before != nil {
			r.was = figure.Within(before, limit, st)
		}
		out = append(out, r)
	}
	b, ok := f.Buckets()
	if !ok {
		return append(out, row{label: "n", value: figure.None(f.Status, st), drop: 5})
	}
	number := st.Value
	if f.Status != sources.StatusOK {
		number = st.Stale
	}
	if last := len(b.Edges) - 2; last >= 0 && b.N > 0 {
		out = append(out, row{label: "> " + p.edge(b.Edges[last]), value: number.Render(text.Percent(b.Overflow())), drop: 7})
	}
	window := f.Window
	if window <= 0 {
		window = p.frame.Window
	}
	return append(out, row{label: "n", value: number.Render(text.Count(b.N)) + st.Dim.Render(" in "+text.Age(window)), drop: 5})
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
	value := 0
	for _, r := range rows {
		label, value = max(label, cells.Width(r.label)), max(value, cells.Width(r.value))
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = cells.Fit(p.frame.Styles.Label.Render(r.label), label) + " " + r.value
		if r.was != "" && w >= label+value+7 {
			lines[i] = cells.Fit(lines[i], label+1+value) + p.frame.Styles.Dim.Render(" was ") + r.was
		}
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
