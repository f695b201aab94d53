package overview

import (
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// board lays the facts on a grid: sparklines of one width behind their
// values, or charts below them.
type board struct {
	frame  pane.Frame
	facts  []fact
	charts bool
	a      area
}

func (l layout) board(f pane.Frame) board { return board{f, facts(f), l.charts, l.facts} }

const (
	leastSpark    = 10
	chartAxis     = 8  // cells of a chart's axis, about
	leastChart    = 26 // cells
	chartHeight   = chart.LeastHeight + 1
	goodChart     = 8
	mostChart     = 16
	outcomesWidth = 50 // of the line of outcomes, about
)

// threeWide is the order in three columns: long values below each other.
var threeWide = [...]int{0, 1, 2, 5, 3, 4, 6}

// grid is the columns of sparklines that fit: the width of each label and
// value column, and of all sparklines.
type grid struct {
	facts         []fact // in reading order
	cols          int
	labels, value []int
	spark         int
}

func (b board) grid(w int) grid {
	for cols := 3; ; cols-- {
		g := grid{cols: cols, facts: b.facts, labels: make([]int, cols), value: make([]int, cols)}
		if cols == 3 {
			g.facts = make([]fact, len(b.facts))
			for i, at := range threeWide {
				g.facts[i] = b.facts[at]
			}
		}
		for i, c := range g.facts {
			g.labels[i%cols] = max(g.labels[i%cols], cells.Width(c.label))
			g.value[i%cols] = max(g.value[i%cols], c.valueWidth())
		}
		used := 2 * (cols - 1)
		for i := range cols {
			used += g.labels[i] + g.value[i] + 2
		}
		if g.spark = (w - used) / cols; g.spark >= leastSpark || cols == 1 {
			if g.spark < leastSpark {
				g.spark = 0
			}
			return g
		}
	}
}

// width of column i.
func (g grid) width(i int) int { return g.labels[i] + 1 + g.value[i] + 1 + g.spark }

func (g grid) rows() int { return (len(g.facts) + g.cols - 1) / g.cols }

// tail is the cells left in the last row; outcomes go there when they fit.
func (g grid) tail(w int) int {
	used := 0
	for i := range (len(g.facts)-1)%g.cols + 1 {
		used += g.width(i) + 2
	}
	return w - used
}

// sparkRows is the height of the facts with sparklines.
func (b board) sparkRows(w int) int {
	g := b.grid(w)
	rows := g.rows() + 1
	if g.tail(w) >= outcomesWidth {
		rows--
	}
	if len(b.frame.Events) > 0 {
		rows++
	}
	return rows
}

// chartCells are the facts and, as the last one, the outcomes.
func (b board) chartCells() int { return len(b.facts) + 1 }

// mostCols is how many charts fit side by side.
func mostCols(w int) int { return min(max((w+2)/(leastChart+2), 1), 4) }

func (b board) rowsOf(cols int) int { return (b.chartCells() + cols - 1) / cols }

// chartLeast is the height that charts need at this width.
func (b board) chartLeast(w int) int { return b.rowsOf(mostCols(w)) * chartHeight }

// chartCols is how many charts stand side by side: as few as leave each a
// good height, since a wide chart tells more than a high one.
func (b board) chartCols() int {
	most := mostCols(b.a.w)
	for cols := 1; cols < most; cols++ {
		if b.a.h/b.rowsOf(cols) >= goodChart {
			return cols
		}
	}
	return most
}

// columns is how many columns each course has; 0 without room for any. All
// facts share them.
func (b board) columns() int {
	if b.charts {
		n := b.chartCols()
		// No more columns than seconds: a wide chart does not look back
		// further than a narrow one.
		return max(min((b.a.w-2*(n-1))/n-chartAxis, int(b.frame.Span()/time.Second)), 1)
	}
	return b.grid(b.a.w).spark
}

// needs are all questions of the facts.
func (b board) needs() []sources.Need {
	var out []sources.Need
	for _, c := range b.facts {
		out = append(out, b.of(c)...)
	}
	return append(out, outcomeNeeds()...)
}

// of are the questions of one fact.
func (b board) of(c fact) []sources.Need {
	out := []sources.Need{c.need}
	if n := b.columns(); n > 0 {
		out = append(out, c.courseNeed(b.frame, n))
	}
	return out
}

// explain are the questions under the cursor.
func (b board) explain(id string) []sources.Need {
	if id == outcomesID {
		return outcomeNeeds()
	}
	for _, c := range b.facts {
		if c.id == id {
			return b.of(c)
		}
	}
	return b.of(b.facts[0])
}

// ids are the places of the cursor, in reading order.
func (b board) ids() []string {
	list := b.facts
	if !b.charts {
		list = b.grid(b.a.w).facts
	}
	var out []string
	for _, c := range list {
		out = append(out, c.id)
	}
	return append(out, outcomesID)
}

func (p *Pane) drawFacts(f pane.Frame, l layout) string {
	b := l.board(f)
	if b.charts {
		return p.drawCharts(b)
	}
	return p.drawSparks(b)
}

// label draws a fact's name, in the accent's colour while the facts have the
// focus.
func (p *Pane) label(b board, s string) string {
	if p.focus == partFacts {
		return b.frame.Styles.Accent.Render(s)
	}
	return b.frame.Styles.Label.Render(s)
}

// picked draws a piece in reverse video when the cursor is on it.
func (p *Pane) picked(b board, id, piece string, w int) string {
	piece = cells.Fit(piece, w)
	if p.focus == partFacts && p.fact == id {
		return b.frame.Styles.Select.Render(cells.Fit(cells.Strip(piece), w))
	}
	return piece
}

func (p *Pane) drawSparks(b board) string {
	g := b.grid(b.a.w)
	var lines []string
	line := ""
	for i, c := range g.facts {
		k := i % g.cols
		if k > 0 {
			line += "  "
		}
		text := cells.Fit(p.label(b, c.label), g.labels[k]) + " " + cells.Fit(c.value(b.frame), g.value[k]) + " " + b.spark(c, g.spark)
		line += p.picked(b, c.id, text, g.width(k))
		if k == g.cols-1 {
			lines, line = append(lines, line), ""
		}
	}
	if tail := g.tail(b.a.w); tail >= outcomesWidth && line != "" {
		lines = append(lines, line+"  "+p.outcomeLine(b, tail))
	} else {
		if line != "" {
			lines = append(lines, line)
		}
		lines = append(lines, p.outcomeLine(b, b.a.w))
	}
	if len(b.frame.Events) > 0 {
		lines = append(lines, b.eventLine(g))
	}
	return cells.Block(lines, b.a.w, b.a.h)
}

// eventLine marks what happened below the first column of sparklines, and
// says the newest of it.
func (b board) eventLine(g grid) string {
	st := b.frame.Styles
	newest := b.frame.Events[0]
	marks := ""
	if n := b.columns(); n > 0 {
		span, step := b.frame.Columns(n)
		ms := max(step.Milliseconds(), 1)
		to := time.UnixMilli(b.frame.Now().UnixMilli() / ms * ms).UTC()
		marks = chart.EventRow(chart.Events(b.frame.Events, st), chart.LineOpts{W: n, From: to.Add(-span), To: to, Styles: st}, st.G.Or().Dotted)
	}
	words := st.Dim
	if newest.Kind.Bad() {
		words = st.Theme.Warn
	}
	count := cells.Fit(st.Value.Render(text.Count(float64(len(b.frame.Events)))), g.value[0])
	return cells.Line(b.a.w, cells.L(cells.Fit(st.Label.Render("events"), g.labels[0])+" "+count+" "+cells.Fit(marks, g.spark), 0),
		cells.L(words.Render(text.Clock(newest.At)+" "+text.Clean(newest.Subject, 24)+" "+string(newest.Kind)), 1),
		cells.L(st.Dim.Render(text.Clean(newest.Detail, 80)), 2))
}

// spark draws the course in w cells. An old number's age takes the place of
// its newest columns, which are missing anyway.
func (b board) spark(c fact, w int) string {
	st := b.frame.Styles
	age := c.age(b.frame)
	if age != "" {
		age = cells.Clip(" "+age, w)
	}
	if change, ok := b.change(c); ok && change.Direction > triage.NoChange && w > 2 {
		// The sign of a change takes the place of the oldest column.
		return figure.Sign(change.Direction, st) + b.course(c, w-1, cells.Clip(age, w-1))
	}
	return b.course(c, w, age)
}

// change is the comparison of a fact with the baseline, while comparing.
func (b board) change(c fact) (triage.Compared, bool) {
	id, ok := map[string]string{
		"tokens": "tokens", "requests": "requests", "ttft": "ttft.p95", "sla": "ttft.sla", "itl": "itl.p99", "active": "inflight", "queue": "queue",
	}[c.id]
	if !ok {
		return triage.Compared{}, false
	}
	change, ok := b.frame.Change(id)
	return change, ok && change.Need.Key == c.need.Key // not the router's beside the frontend's
}

func (b board) course(c fact, w int, age string) string {
	st := b.frame.Styles
	points := c.points(b.frame, b.columns())
	o := chart.SparkOpts{Zero: c.as == count || c.as == rate, Style: st.Theme.Bar, Glyphs: st.G}
	if c.as == within {
		o.Lo, o.Hi = 0, 1
	}
	if age != "" {
		o.Style = st.Stale
	}
	return chart.Spark(points, w-cells.Width(age), o) + st.Stale.Render(age)
}

// drawCharts draws every fact as a chart below its number.
func (p *Pane) drawCharts(b board) string {
	cols := b.chartCols()
	rows := b.rowsOf(cols)
	w := (b.a.w - 2*(cols-1)) / cols
	h := min(b.a.h/rows, mostChart)
	var lines []string
	for r := range rows {
		var row []string
		for i := r * cols; i < min((r+1)*cols, b.chartCells()); i++ {
			if i < len(b.facts) {
				row = append(row, p.chart(b, b.facts[i], w, h))
				continue
			}
			var list []string
			for _, s := range b.outcomes(p) {
				list = append(list, p.picked(b, outcomesID, s, w))
			}
			row = append(row, cells.Block(list, w, h))
		}
		lines = append(lines, cells.Lines(cells.Join("  ", row...))...)
	}
	return cells.Block(lines, b.a.w, b.a.h)
}

func (p *Pane) chart(b board, c fact, w, h int) string {
	st := b.frame.Styles
	title := p.label(b, c.label) + " " + c.value(b.frame)
	if age := c.age(b.frame); age != "" {
		title += " " + st.Stale.Render(age)
	}
	note := ""
	if c.as == quantile || c.as == within {
		note = st.Dim.Render("both bounds")
	}
	if c, ok := b.change(c); ok {
		note = st.Dim.Render("was ") + figure.Ranged(c, c.Before, st) + " " + figure.Change(c, st)
	}
	title = cells.Line(w, cells.L(title, 0), cells.R(note, 1))
	o := c.over(b.frame, b.columns())
	lo := chart.LineOpts{
		W: w, H: h - 1, From: o.from, To: o.to, Step: o.step, Zero: true, Styles: st,
		Empty: o.status.String(), Format: c.axis, Events: chart.Events(b.frame.Events, st),
	}
	switch {
	case o.status == sources.StatusOK:
		lo.Empty = "nothing observed"
	case o.status == sources.StatusPending:
		lo.Empty = "waiting for the course"
	}
	switch {
	case c.as == within:
		lo.Lo, lo.Hi = 0, 1
	case c.limit > 0:
		lo.Limits = []chart.Limit{{Value: c.limit.Seconds(), Style: st.Dim}}
	}
	return cells.Stack(p.picked(b, c.id, title, w), chart.Line(o.series, lo))
}

// axis writes a value of the chart's axis.
func (c fact) axis(v float64) string {
	switch c.as {
	case quantile:
		return text.Duration(v)
	case within:
		return text.Percent(v)
	default:
		return text.SI(v)
	}
}
