package chart

import (
	"math"
	"strings"
	"time"

	"github.com/NimbleMarkets/ntcharts/v2/canvas"
	"github.com/NimbleMarkets/ntcharts/v2/canvas/graph"
	"github.com/NimbleMarkets/ntcharts/v2/canvas/runes"

	"dynascope/sources"
	"dynascope/themes"
	"dynascope/tui/cells"
)

// The least size of a line chart; below it there is only a sentence.
const (
	LeastWidth  = 24
	LeastHeight = 5
)

// Limit is a value drawn across a chart, such as an SLA.
type Limit struct {
	Value float64
	Style themes.Style
}

// Event is a moment marked on the time axis.
type Event struct {
	At    time.Time
	Style themes.Style
	Sign  string // on the axis; empty is the glyph set's warning
}

// LineOpts says where and how a line chart is drawn.
type LineOpts struct {
	W, H     int
	From, To time.Time
	// Step is the distance between points; more than one and a half of it is
	// a gap. 0 means the least distance found.
	Step time.Duration
	// Format writes the values of the y axis; nil means plain numbers.
	Format func(float64) string
	// Zero keeps 0 on the axis. Lo and Hi fix the range when Hi > Lo.
	Zero   bool
	Lo, Hi float64
	Limits []Limit
	Events []Event
	Cursor time.Time // a picked moment; zero is none
	Empty  string    // said when there is nothing to draw
	Styles themes.Styles
}

// Line draws series over time in exactly W×H cells, the first one on top and
// each in the theme's series colour of its place. Gaps stay open and are
// dotted along the bottom; times are UTC.
func Line(series []sources.Series, o LineOpts) string {
	if o.W < LeastWidth || o.H < LeastHeight {
		return cells.Message("no room for a chart", o.W, o.H)
	}
	g := o.Styles.G.Or()
	lo, hi, ok := o.extent(series)
	if !ok {
		if o.Empty == "" {
			o.Empty = "no data"
		}
		return cells.Message(o.Styles.Dim.Render(o.Empty), o.W, o.H)
	}
	ph := o.H - 2
	labels, from, to := yAxis(lo, hi, ph, o)
	gutter := 0
	for _, l := range labels {
		gutter = max(gutter, cells.Width(l.text))
	}
	gutter = min(gutter, o.W/2)
	a, ok := newAxis(o.From, o.To, o.W-gutter-1)
	if !ok {
		return cells.Message(o.Styles.Dim.Render("no time range"), o.W, o.H)
	}
	p := plot{raster: newRaster(a.n, ph), axis: a, lo: from, hi: to, g: g, braille: dotted(o.Styles, len(series))}
	// The first series is drawn last, so that its colour wins where lines cross.
	covered := make([]bool, a.n)
	for i := len(series) - 1; i >= 0; i-- {
		p.trace(series[i], i, o, covered)
	}
	p.furnish(o, covered)

	lines := make([]string, 0, o.H)
	rows := p.rows()
	bar := o.Styles.Border.Render(g.VLine)
	for y, row := range rows {
		label, axis := "", bar
		for _, l := range labels {
			if l.row == y {
				label, axis = l.style.Render(l.text), o.Styles.Border.Render(g.Tick)
			}
		}
		lines = append(lines, cells.FitRight(label, gutter)+axis+row)
	}
	lines = append(lines,
		cells.Fit("", gutter)+o.Styles.Border.Render(g.Corner)+p.timeLine(o),
		cells.Fit("", gutter+1)+o.Styles.Dim.Render(a.timeLabels()))
	return cells.Block(lines, o.W, o.H)
}

// extent returns the range of the visible values and limits.
func (o LineOpts) extent(series []sources.Series) (lo, hi float64, ok bool) {
	var vs []float64
	from, to := o.From.UnixMilli(), o.To.UnixMilli()
	for _, s := range series {
		for _, p := range s.Points {
			if p.T >= from && p.T <= to {
				vs = append(vs, p.V)
			}
		}
	}
	lo, hi, ok = extent(vs)
	if !ok {
		return 0, 0, false
	}
	for _, l := range o.Limits {
		// A limit far above would flatten the data; it is drawn when near.
		if finite(l.Value) && l.Value <= 2*hi {
			lo, hi = math.Min(lo, l.Value), math.Max(hi, l.Value)
		}
	}
	if o.Zero {
		lo, hi = math.Min(lo, 0), math.Max(hi, 0)
	}
	if o.Hi > o.Lo && finite(o.Hi-o.Lo) {
		lo, hi = clamp(o.Lo, -huge, huge), clamp(o.Hi, -huge, huge)
	}
	return lo, hi, true
}

type yLabel struct {
	row   int
	text  string
	style themes.Style
}

// yAxis returns the labels of the y axis and the range it ends up with.
func yAxis(lo, hi float64, h int, o LineOpts) (labels []yLabel, from, to float64) {
	format := o.Format
	if format == nil {
		format = plainNumber
	}
	from, to, step := ticks(lo, hi, max(1, (h-1)/3))
	if o.Hi > o.Lo && finite(o.Hi-o.Lo) {
		from, to = lo, hi
	}
	used := map[int]bool{}
	for _, l := range o.Limits {
		if finite(l.Value) && l.Value >= from && l.Value <= to {
			y := rowOf(l.Value, from, to, h)
			if !used[y] {
				labels = append(labels, yLabel{y, format(l.Value), l.Style})
				used[y] = true
			}
		}
	}
	last := ""
	for v := from; v <= to+step/2 && len(labels) < h; v += step {
		if math.Abs(v) < step*1e-9 {
			v = 0 // sums of steps miss zero
		}
		y, text := rowOf(v, from, to, h), format(v)
		if text == last || used[y] {
			continue
		}
		labels = append(labels, yLabel{y, text, o.Styles.Dim})
		used[y], last = true, text
	}
	return labels, from, to
}

// rowOf returns the row of a value, 0 at the top.
func rowOf(v, lo, hi float64, h int) int { return dotOf(v, lo, hi, h*4) / 4 }

func dotOf(v, lo, hi float64, dots int) int {
	if hi <= lo {
		return dots - 1
	}
	return int(math.Round((1 - (clamp(v, lo, hi)-lo)/(hi-lo)) * float64(dots-1)))
}

// plot is a raster with a time axis and a value range.
type plot struct {
	*raster
	axis   axis
	lo, hi float64
	g      themes.Glyphs
	// braille: lines are drawn in dots; otherwise each in its own sign.
	braille bool
}

// dotted says whether n lines can be drawn in braille dots: several lines
// without colours could not be told apart.
func dotted(s themes.Styles, n int) bool {
	return s.G.Or().Braille && (n < 2 || !s.NoColor)
}

// Legend names the series of a chart in their order, in at most w cells and
// in the signs and colours that Line uses for as many series.
func Legend(names []string, w int, s themes.Styles) string {
	g := s.G.Or()
	var parts []string
	for i, name := range names {
		sign := "━"
		if !dotted(s, len(names)) {
			sign = string(g.Point[i%len(g.Point)])
		}
		parts = append(parts, s.SeriesStyle(i).Render(sign)+" "+cells.Strip(name))
	}
	return cells.Clip(strings.Join(parts, "  "), w)
}

// segments cuts points at gaps; points that cannot be drawn, or lie outside
// the axis, are gaps too.
func (p plot) segments(points []sources.Point, step time.Duration) [][]sources.Point {
	ms := stepOf(points, step)
	end := p.axis.from + p.axis.col*int64(p.axis.n)
	var out [][]sources.Point
	open := false
	for _, q := range points {
		if !finite(q.V) || q.T < p.axis.from || q.T > end {
			open = false
			continue
		}
		if n := len(out); open && q.T-out[n-1][len(out[n-1])-1].T <= ms*3/2 {
			out[n-1] = append(out[n-1], q)
			continue
		}
		out = append(out, []sources.Point{q})
		open = true
	}
	return out
}

// trace draws one series and notes the columns that it covers.
func (p plot) trace(s sources.Series, i int, o LineOpts, covered []bool) {
	ink := p.ink(o.Styles.SeriesStyle(i))
	perX, perY := 2, 4
	if !p.braille {
		perX, perY = 1, 1
	}
	// ntcharts owns the dots and the line between two of them; it is given
	// positions inside its grid only.
	grid := graph.NewBrailleGrid(p.w, p.h, 0, 1, 0, 1)
	point := p.g.Point[i%len(p.g.Point)]
	for _, seg := range p.segments(s.Points, o.Step) {
		var prev canvas.Point
		for j, q := range seg {
			at := canvas.Point{X: p.axis.dot(q.T, perX), Y: dotOf(q.V, p.lo, p.hi, p.h*perY)}
			if j == 0 {
				prev = at
			}
			for _, d := range graph.GetLinePoints(prev, at) {
				if p.braille {
					grid.Set(d)
				} else {
					p.put(d.X, d.Y, point, ink)
				}
				if c := d.X / perX; c >= 0 && c < len(covered) {
					covered[c] = true
				}
			}
			prev = at
		}
	}
	if !p.braille {
		return
	}
	for y, row := range grid.BraillePatterns() {
		for x, r := range row {
			if r == runes.BrailleBlockOffset {
				continue
			}
			if old := p.at(x, y); old != 0 {
				r = runes.CombineBraillePatterns(old, r)
			}
			p.put(x, y, r, ink)
		}
	}
}

// furnish draws what lies under the lines: limits, events, cursor, gaps.
func (p plot) furnish(o LineOpts, covered []bool) {
	faint := p.ink(o.Styles.Faint)
	for i, before := 0, true; i < len(covered); i++ { // before the first sample is no gap
		if covered[i] {
			before = false
		} else if !before {
			p.under(i, p.h-1, p.g.Gap, faint)
		}
	}
	if x, ok := p.axis.column(o.Cursor.UnixMilli()); ok && !o.Cursor.IsZero() {
		ink := p.ink(o.Styles.Accent)
		for y := range p.h {
			p.under(x, y, first(p.g.VLine), ink)
		}
	}
	for _, l := range o.Limits {
		if finite(l.Value) && l.Value >= p.lo && l.Value <= p.hi {
			ink, y := p.ink(l.Style), rowOf(l.Value, p.lo, p.hi, p.h)
			for x := range p.w {
				p.under(x, y, first(p.g.Dotted), ink)
			}
		}
	}
	for _, e := range o.Events {
		if x, ok := p.axis.column(e.At.UnixMilli()); ok {
			for y := range p.h {
				p.under(x, y, first(p.g.VDotted), faint)
			}
		}
	}
}

// timeLine is the axis below the plot, with events and the cursor on it.
func (p plot) timeLine(o LineOpts) string {
	line := newRaster(p.w, 1)
	ink := line.ink(o.Styles.Border)
	for x := range p.w {
		line.put(x, 0, first(p.g.HLine), ink)
	}
	mark(line, p.axis, o.Events, o.Styles)
	if x, ok := p.axis.column(o.Cursor.UnixMilli()); ok && !o.Cursor.IsZero() {
		line.put(x, 0, first(p.g.Cursor), line.ink(o.Styles.Accent))
	}
	return line.rows()[0]
}
