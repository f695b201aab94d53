package routing

import (
	"fmt"
	"math"
	"slices"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// rows are the stages that exist here.
func (p *Pane) rows(f pane.Frame) []triage.RoutingStage { return p.listing(f).stages }

// span says minutes as the peaks do: "10-min".
func span(d time.Duration) string { return fmt.Sprintf("%d min", int(d.Minutes())) }

// charted are the parts of the picture of shares: the leaves with most of the
// window's time, as many as can be told apart, in their order. The last part
// is all the others.
func charted(stages []triage.RoutingStage, s themes.Styles) []string {
	most := chart.ShareParts(s) - 1
	by := slices.DeleteFunc(slices.Clone(stages), func(st triage.RoutingStage) bool {
		return st.Part != triage.Leaf || math.IsNaN(st.Share)
	})
	slices.SortStableFunc(by, func(a, b triage.RoutingStage) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	by = by[:min(len(by), max(most, 0))]
	var out []string
	for _, st := range stages {
		if slices.ContainsFunc(by, func(b triage.RoutingStage) bool { return b.Key == st.Key }) {
			out = append(out, st.Key)
		}
	}
	return out
}

// drawStages draws a row a stage. Those that are exported nowhere are named in
// the last line.
func (p *Pane) drawStages(f pane.Frame, a area) string {
	st := f.Styles
	stages := p.rows(f)
	signs := charted(stages, st)
	t := cells.Table{Styles: st, Gap: 2, Selected: cells.None, Empty: "no stage is exported here. hint: --router-mode kv on the frontend brings the router's"}
	if f.Snap == nil {
		t.Empty = "waiting for the first answer"
	}
	if a.w < 160 {
		t.Gap = 1
	}
	spark, bar, bounds, share := 0, 8, 15, 15
	switch {
	case a.w >= 200:
		spark, bar, share = 40, 16, 23
	case a.w >= 128:
		spark = 14
	case a.w < 100:
		bar, share = 0, 8
	}
	peak := 16
	switch {
	case a.w >= 160:
		peak = 36
	case a.w < 100:
		peak = 13
	}
	col := func(title string, w, priority int, align cells.Align) {
		t.Columns = append(t.Columns, cells.Column{Title: title, Min: w, Max: w, Priority: priority, Align: align})
	}
	col("stage", 22, 0, cells.Left)
	col("visits", 6, 2, cells.Right)
	col("mean", 8, 0, cells.Right)
	col("p50", bounds, 6, cells.Right)
	col("p95", bounds, 1, cells.Right)
	col("p99", bounds+1, 5, cells.Right)
	col("share", share, 3, cells.Left)
	if spark > 0 {
		col(span(course(f).Span), spark, 7, cells.Left)
	}
	col("peak", peak, 4, cells.Left)
	for i, s := range stages {
		row := []cells.Cell{cells.Text(stageTitle(s, signs, st))}
		row = append(row, p.numbers(f, s)...)
		row = append(row, cells.Text(drawShare(s, bar, st)))
		if spark > 0 {
			means := squeeze(triage.StageMeans(f.Snap, s.Key, course(f)), spark)
			row = append(row, cells.Text(chart.Spark(means, spark, chart.SparkOpts{Zero: true, Style: st.Theme.Bar, Glyphs: st.G})))
		}
		row = append(row, cells.Text(peakText(s.Peak, peak, st)))
		if p.focus == partStages && s.Key == p.cursor[partStages] {
			t.Selected = i
		}
		t.Rows = append(t.Rows, row)
	}
	missing := ""
	if len(stages) > 0 && a.h > len(stages)+1 {
		missing = p.absentStages(f)
	}
	if missing == "" {
		return t.View(a.w, a.h)
	}
	return cells.Stack(t.View(a.w, a.h-1), cells.Fit(st.Dim.Render(missing), a.w))
}

// stageTitle is the name with its sign in the picture; what is never added is
// set in.
func stageTitle(s triage.RoutingStage, signs []string, st themes.Styles) string {
	title := cells.Clip(s.Title, 20)
	switch k := slices.Index(signs, s.Key); {
	case k >= 0:
		return chart.ShareSign(k, st) + " " + st.Label.Render(title)
	case s.Part == triage.Leaf:
		return "  " + st.Label.Render(title)
	default:
		return "  " + st.Dim.Render(title)
	}
}

// numbers are visits, mean and quantiles.
func (p *Pane) numbers(f pane.Frame, s triage.RoutingStage) []cells.Cell {
	st := f.Styles
	m := f.Snap.Figure(s.Needs[0])
	b := f.Snap.Figure(s.Needs[1])
	visits := figure.None(b.Status, st)
	if n, ok := b.Buckets(); ok {
		visits = st.Dim.Render(text.SI(math.Round(n.N)))
	}
	avg := figure.None(m.Status, st)
	if v, ok := m.Value(); ok {
		switch {
		case math.IsNaN(v):
			avg = figure.None(sources.StatusNaN, st)
		case m.Status != sources.StatusOK:
			avg = st.Stale.Render(text.Duration(v))
		default:
			avg = st.Value.Render(text.Duration(v))
		}
	}
	out := []cells.Cell{cells.Text(visits), cells.Text(avg)}
	for _, q := range []float64{0.5, 0.95, 0.99} {
		out = append(out, cells.Text(figure.Quantile(b, q, st)))
	}
	return out
}

func drawShare(s triage.RoutingStage, w int, st themes.Styles) string {
	switch s.Part {
	case triage.Leaf:
	case triage.Again:
		return st.Dim.Render("same interval")
	case triage.Apart:
		return st.Dim.Render("not added")
	default:
		return st.Dim.Render("encloses")
	}
	if math.IsNaN(s.Share) {
		return ""
	}
	number := st.Value
	if s.Status != sources.StatusOK {
		number = st.Stale
	}
	return cells.Bar(s.Share, w, st) + cells.FitRight(number.Render(text.Percent(s.Share)), 7)
}

// peakText says how far the highest mean stood out and when.
func peakText(k triage.Peak, w int, st themes.Styles) string {
	if !k.Marked {
		return ""
	}
	at := k.At.UTC().Format("15:04:05")
	factor := fmt.Sprintf("%.0f×", k.Factor)
	switch {
	case k.Factor < 9.95:
		factor = fmt.Sprintf("%.1f×", k.Factor)
	case k.Factor > 999:
		factor = ">999×"
	}
	s := factor + " " + at
	switch {
	case w < 16:
		s = factor + " " + at[:5]
	case w >= 34:
		s = fmt.Sprintf("%s its %d-min median at %s", factor, max(int(k.Over.Minutes()), 1), at)
	}
	return st.Mark(themes.Warn) + " " + st.Warn.Render(s)
}

// absentStages names what is not exported here.
func (p *Pane) absentStages(f pane.Frame) string {
	out, note := "", ""
	for _, st := range p.listing(f).absent {
		if out != "" {
			out += ", "
		}
		out += st.Title
		if note == "" {
			note = hint(f, f.Snap.Figure(st.Needs[0]))
		}
	}
	if out == "" {
		return ""
	}
	out = "not exported here: " + out
	if note != "" {
		out += " (" + note + ")"
	}
	return out
}

// drawShares draws who had which part of the time; the table's signs are its
// legend.
func (p *Pane) drawShares(f pane.Frame, a area) string {
	keys := charted(p.rows(f), f.Styles)
	columns := triage.StageShares(f.Snap, triage.Leaves(), course(f))
	at := make([]int, 0, len(keys))
	for _, k := range keys {
		at = append(at, slices.Index(triage.Leaves(), k))
	}
	for i, c := range columns {
		if c == nil {
			continue
		}
		shares, rest := make([]float64, len(at)+1), 1.0
		for k, from := range at {
			shares[k] = c[from]
			rest -= c[from]
		}
		shares[len(at)] = math.Max(rest, 0)
		columns[i] = shares
	}
	h := a.h
	legend := ""
	if h >= 4 {
		legend = p.legend(f, keys, a.w)
		h--
	}
	return cells.Stack(chart.Shares(columns, chart.SharesOpts{W: a.w, H: h, Empty: "no stage has a course yet", Styles: f.Styles}), legend)
}

func (p *Pane) legend(f pane.Frame, keys []string, w int) string {
	var out []cells.Part
	stages := p.rows(f)
	for i, k := range keys {
		larger := 0
		own := stages[slices.IndexFunc(stages, func(st triage.RoutingStage) bool { return st.Key == k })]
		for _, st := range stages {
			if st.Share > own.Share {
				larger++
			}
		}
		out = append(out, cells.L(chart.ShareSign(i, f.Styles)+" "+f.Styles.Dim.Render(own.Title), larger+1))
	}
	if len(keys) > 0 {
		out = append(out, cells.L(chart.ShareSign(len(keys), f.Styles)+" "+f.Styles.Dim.Render("others"), 0))
	}
	return cells.Line(w, out...)
}

// squeeze lays points on at most n columns, the highest of each, so that peaks
// stay. Columns before the first known one are left out.
func squeeze(points []float64, n int) []float64 {
	first := slices.IndexFunc(points, func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) })
	if first < 0 || n <= 0 {
		return nil
	}
	per := (len(points) + n - 1) / n
	var out []float64
	for end := len(points); end > first; end -= per {
		most := math.NaN()
		for _, v := range points[max(end-per, first):end] {
			if !math.IsNaN(v) && !math.IsInf(v, 0) && !(v <= most) {
				most = v
			}
		}
		out = append(out, most)
	}
	slices.Reverse(out)
	return out
}
