package latency

import (
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// part draws one measure in the area of its frame.
type part struct {
	reading
	frame   pane.Frame
	cursor  time.Time
	focused bool
	hint    string // keys, at the right of the title
}

// shape is how a part's area is divided: title, heat map, one line for the
// cursor or the legend, a rule, and at the bottom the distribution beside the
// quantiles. In a low area the quantiles stand at the right of the heat map.
type shape struct {
	heatW, heatH int
	note         bool
	rule         bool
	distW        int
	sideW, sideH int
	beside       bool // the quantiles stand beside the heat map
}

const (
	sideWidth  = 25 // of the quantiles
	sideRows   = 8  // their number
	distWidth  = 28 // below which bars say nothing
	labelWidth = 8  // of the heat map's axis, about
	leastView  = 4  // rows; below that there is only the summary line
	fullHeight = 17 // below the title; less has no room for the distribution
)

func (p part) shape() shape {
	w, h := p.frame.W, p.frame.H-1
	s := shape{sideW: w, sideH: h}
	if p.frame.H < leastView || w < chart.LeastWidth || h < chart.LeastHeight {
		return s
	}
	if h < fullHeight && w >= chart.LeastWidth+2+sideWidth {
		s.beside, s.heatW, s.sideW = true, w-sideWidth-2, sideWidth
		s.note, s.heatH = h > chart.LeastHeight, h
		if s.note {
			s.heatH--
		}
		s.sideH = s.heatH
		return s
	}
	if h < chart.LeastHeight+1+sideRows {
		return s
	}
	s.note, s.sideH = true, sideRows
	if h >= 24 {
		s.rule, s.sideH = true, min(max(h/3, sideRows), 18)
	}
	s.heatW, s.heatH = w, h-1-s.sideH
	if s.rule {
		s.heatH--
	}
	if d := w - sideWidth - 2; d >= distWidth {
		s.distW, s.sideW = d, sideWidth
	}
	return s
}

// needs are the part's questions: the histogram of the window first, its mean,
// and its course where a heat map is drawn.
func (p part) needs() []sources.Need {
	if p.key == "" {
		return nil
	}
	out := []sources.Need{p.need(sources.FormBuckets), p.need(sources.FormMean)}
	if s := p.shape(); s.heatH > 0 {
		out = append(out, p.courseNeed(s))
	}
	return out
}

func (p part) need(form sources.Form) sources.Need { return sources.Need{Key: p.key, Form: form} }

func (p part) courseNeed(s shape) sources.Need {
	return p.need(sources.FormBuckets).Over(p.frame.Columns(s.heatW - labelWidth))
}

func (p part) figure() *sources.Figure { return p.frame.Snap.Figure(p.need(sources.FormBuckets)) }

// before is the histogram of the baseline, nil when nothing is compared.
func (p part) before() *sources.Figure {
	if b := p.frame.Baseline(); b != nil && p.key != "" {
		return b.Figure(p.need(sources.FormBuckets))
	}
	return nil
}

// against says with what the distribution is compared.
func (p part) against() string {
	f := p.before()
	if f == nil {
		return ""
	}
	st := p.frame.Styles
	at := text.Clock(p.frame.Baseline().At)
	if !f.HasValue() {
		return st.Dim.Render(" · the baseline of " + at + " has none")
	}
	return " " + st.Accent.Render(st.G.Or().VLine) + st.Dim.Render(" baseline of "+at)
}

func (p part) course() course {
	if p.key == "" || p.frame.Snap == nil {
		return course{figure: &sources.Figure{}}
	}
	return courseOf(find(p.frame.Snap, p.courseNeed(p.shape())), p.frame.Now())
}

// view draws the part in exactly its area.
func (p part) view() string {
	w, h := p.frame.W, p.frame.H
	if h < leastView {
		return cells.Block([]string{p.line()}, w, h)
	}
	if why := p.missing(); why != "" {
		return cells.Stack(p.title(), cells.Message(why, w, h-1))
	}
	s := p.shape()
	side := p.side(s.sideW, s.sideH)
	if s.heatH == 0 {
		return cells.Stack(p.title(), side)
	}
	c := p.course()
	heat, note := p.heat(c, s), ""
	if s.note {
		note = p.note(c)
	}
	if s.beside {
		return cells.Stack(p.title(), cells.Join("  ", heat, side), note)
	}
	rule := ""
	if s.rule {
		rule = cells.Rule("distribution "+p.over()+p.against(), w, p.frame.Styles)
	}
	if s.distW > 0 {
		side = cells.Join("  ", p.distribution(s.distW, s.sideH), side)
	}
	return cells.Stack(p.title(), heat, note, rule, side)
}

// title is the part's rule: what, where measured, by which estimator.
func (p part) title() string {
	st := p.frame.Styles
	f := p.figure()
	style := st.Label
	if p.focused {
		style = st.Accent
	}
	name := style.Render(p.String() + " · " + string(p.at))
	if p.frame.W >= 50 {
		name += st.Dim.Render(" · " + p.per)
	}
	switch {
	case p.key == "":
	case f.Status == sources.StatusStale:
		name += " " + st.Stale.Render(st.G.Or().Stale+" stale "+text.Age(p.frame.Now().Sub(f.At)))
	case f.Status == sources.StatusError && f.HasValue():
		name += " " + st.Warn.Render(st.G.Or().Warn+" last good "+text.Age(p.frame.Now().Sub(f.At)))
	}
	if f.AllModels {
		name += st.Dim.Render(" · all models")
	}
	w := p.frame.W
	hint := ""
	if n := cells.Width(p.hint) + 2; p.hint != "" && w-n >= cells.Width(name)+6 {
		hint, w = " "+st.Dim.Render(p.hint)+" ", w-n
	}
	return cells.Rule(name, w, st) + hint
}

// missing says why the part has nothing to draw at all, "" when it has.
func (p part) missing() string {
	st := p.frame.Styles
	g := st.G.Or()
	what := p.String() + " at the " + string(p.at)
	if p.key == "" {
		return st.Dim.Render(g.Absent + " " + p.why)
	}
	f := p.figure()
	if f.HasValue() || p.course().known() {
		return ""
	}
	var out []string
	switch f.Status {
	case sources.StatusPending:
		out = append(out, st.Dim.Render(g.Ellipsis+" "+what+": waiting for two scrapes"))
	case sources.StatusAbsent:
		out = append(out, g.Absent+" no "+what)
		if len(f.Tried) > 0 {
			out = append(out, st.Dim.Render("looked for "+text.Clean(strings.Join(f.Tried, ", "), 200)))
		}
	case sources.StatusIdle:
		out = append(out, st.Dim.Render(g.Idle+" "+what+": idle, nothing observed "+p.over()))
		if p.quiet != "" {
			out = append(out, st.Dim.Render(p.quiet))
		}
	case sources.StatusError:
		return st.Warn.Render(g.Unknown) + " " + what + ": " + text.Safe(f.Err, 300)
	default:
		return st.Dim.Render(g.Absent + " " + what + ": not a number")
	}
	if f.Note != "" {
		out = append(out, st.Dim.Render("hint: "+text.Clean(f.Note, 300)))
	}
	return strings.Join(out, "\n")
}

// over says which time the window's numbers cover: what was filled, which is
// less than asked for in the first minutes.
func (p part) over() string {
	w := p.figure().Window
	if w <= 0 {
		w = p.frame.Window
	}
	return "over the last " + text.Age(w)
}

func (p part) heat(c course, s shape) string {
	empty := "nothing observed"
	if c.figure.Status == sources.StatusPending {
		empty = "waiting for the course"
	}
	o := chart.HeatOpts{
		W: s.heatW, H: s.heatH, Columns: c.n, Limit: p.limit(p.frame.SLA).Seconds(),
		Format: func(v float64) string { return p.edge(v) }, Empty: empty, Styles: p.frame.Styles,
		Events: chart.Events(p.frame.Events, p.frame.Styles),
	}
	if _, ok := c.index(p.cursor); ok && !p.cursor.IsZero() {
		o.Cursor = p.cursor
	}
	return chart.Heat(c.matrix, o)
}

// unit is the catalogue's.
func (p part) unit() string {
	if u := p.figure().Unit; u != "" {
		return u
	}
	return "seconds"
}

// edge writes a bucket's edge as the quantiles do.
func (p part) edge(v float64) string { return text.Bounds(sources.Bounds{Lo: v, Hi: v}, p.unit()) }

// note is the line below the heat map: the picked column, or the legend.
func (p part) note(c course) string {
	st := p.frame.Styles
	w := p.frame.W
	if p.cursor.IsZero() {
		return cells.Line(w, cells.L(chart.HeatLegend(st), 2), cells.L(st.Dim.Render(string(st.G.Or().Gap)+" no sample"), 3),
			cells.R(st.Dim.Render("h l cursor"), 1))
	}
	at := st.Accent.Render(text.Clock(p.cursor))
	col, ok := c.at(p.cursor)
	switch {
	case !ok:
		return cells.Line(w, cells.L(at, 0), cells.L(st.Dim.Render("outside the picture"), 0), cells.R(st.Dim.Render("esc clears"), 1))
	case !col.Known:
		return cells.Line(w, cells.L(at, 0), cells.L(st.Dim.Render("no sample"), 0), cells.R(st.Dim.Render("esc clears"), 1))
	}
	at = st.Accent.Render(text.Clock(col.At))
	b := col.Buckets
	if b.N <= 0 {
		return cells.Line(w, cells.L(at, 0), cells.L(st.Dim.Render("idle"), 0), cells.R(st.Dim.Render("esc clears"), 1))
	}
	quantile := func(q float64) string {
		v, _ := b.Quantile(q)
		return figure.Bounds(v, p.unit(), sources.StatusOK, st)
	}
	parts := []cells.Part{
		cells.L(at, 0),
		cells.L(st.Label.Render("n ")+st.Value.Render(text.Count(b.N))+st.Dim.Render(" in "+text.Age(c.window)), 1),
		cells.L(st.Label.Render("p50 ")+quantile(0.5), 4),
		cells.L(st.Label.Render("p95 ")+quantile(0.95), 2),
		cells.L(st.Label.Render("p99 ")+quantile(0.99), 5),
	}
	if limit := p.limit(p.frame.SLA); limit > 0 {
		if lo, hi, ok := b.Within(limit.Seconds()); ok {
			parts = append(parts, cells.L(st.Label.Render("in SLA ")+st.Value.Render(text.Share(lo, hi)), 3))
		}
	}
	return cells.Line(w, append(parts, cells.R(st.Dim.Render("esc clears"), 6))...)
}

// distribution draws the window's histogram as bars with the SLA's line.
func (p part) distribution(w, h int) string {
	empty := "idle " + p.over()
	f := p.figure()
	b, ok := f.Buckets()
	if !ok {
		empty = f.Status.String()
	}
	before, _ := p.before().Buckets()
	bars := chart.Distribution(b, chart.DistOpts{
		Before: before,
		Rows:   h, Format: text.Duration, Limit: p.limit(p.frame.SLA).Seconds(), Name: "SLA",
		Range: func(lo, hi float64) string {
			return text.Bounds(sources.Bounds{Lo: lo, Hi: hi, First: lo <= 0}, p.unit())
		},
	})
	return chart.Bars(bars, chart.BarsOpts{W: w, H: h, Empty: empty, Styles: p.frame.Styles})
}
