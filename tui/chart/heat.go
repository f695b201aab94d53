package chart

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dynascope/themes"
	"dynascope/tui/cells"
)

// HeatOpts says where and how a heat map is drawn.
type HeatOpts struct {
	W, H int
	// Columns is how many columns the whole window has, when the matrix may
	// hold fewer; the newest is at the right.
	Columns int
	// Format writes bucket edges.
	Format func(float64) string
	// Limit marks the bucket in which it lies, such as an SLA; 0 is none.
	Limit  float64
	Cursor time.Time // a picked column; zero is none
	Events []Event   // marked on the axis
	Empty  string    // said when no column is known
	Styles themes.Styles
}

// Heat draws a histogram over time in exactly W×H cells: a row is a bucket,
// the slowest at the top, labelled with its upper edge; a column is a step of
// time, shaded by the share of its observations. Blank is none, dots are
// missing samples. Empty buckets at both ends are left out, and neighbours are
// merged when there are more buckets than rows.
func Heat(m Matrix, o HeatOpts) string {
	l, ok := layHeat(m, o)
	if !ok {
		if o.W < LeastWidth || o.H < LeastHeight {
			return cells.Message("no room for a chart", o.W, o.H)
		}
		if o.Empty == "" {
			o.Empty = "no data"
		}
		return cells.Message(o.Styles.Dim.Render(o.Empty), o.W, o.H)
	}
	g := o.Styles.G.Or()
	p := newRaster(l.w, l.h)
	steps := heatSteps(o.Styles, g)
	inks := make([]int, len(steps))
	for i, s := range steps {
		inks[i] = p.ink(s.style)
	}
	gap := p.ink(o.Styles.Faint)
	for x := range l.w {
		c, ok := l.column(x)
		if !ok {
			continue
		}
		for y := range l.h {
			if l.shares[c] == nil {
				p.put(x, y, g.Gap, gap)
				continue
			}
			share := 0.0
			for _, i := range l.bands[l.bandOf(y)] {
				share += l.shares[c][i]
			}
			if k := heatStep(share, len(steps)); k >= 0 {
				p.put(x, y, steps[k].sign, inks[k])
			}
		}
	}
	picked := l.picked(m, o.Cursor)
	if picked >= 0 {
		ink := p.ink(o.Styles.Select)
		for x := range l.w {
			if c, ok := l.column(x); ok && c == picked {
				for y := range l.h {
					p.put(x, y, p.at(x, y), ink)
				}
			}
		}
	}
	return cells.Block(l.frame(p.rows(), m, picked, o, g), o.W, o.H)
}

// HeatColumn returns which column of the matrix is drawn at cell x of the
// picture, for the mouse.
func HeatColumn(m Matrix, o HeatOpts, x int) (column int, ok bool) {
	l, ok := layHeat(m, o)
	if !ok {
		return 0, false
	}
	column, ok = l.column(x - l.gutter - 1)
	return column + l.skip, ok
}

// HeatLegend explains the shades in one line.
func HeatLegend(s themes.Styles) string {
	g := s.G.Or()
	steps := heatSteps(s, g)
	var b strings.Builder
	b.WriteString(s.Dim.Render("share >0"))
	prev := rune(0)
	for i, st := range steps {
		if i > 0 && st.sign != prev {
			from := float64(i) / float64(len(steps))
			b.WriteString(s.Dim.Render(fmt.Sprintf(" %.0f%%", math.Ceil(from*from*100))))
		}
		b.WriteString(st.style.Render(string(st.sign)))
		prev = st.sign
	}
	return b.String()
}

type heatSign struct {
	sign  rune
	style themes.Style
}

// heatSteps returns the shades from weak to strong. With colours there are
// more of them than glyphs, and neighbours share a glyph.
func heatSteps(s themes.Styles, g themes.Glyphs) []heatSign {
	n := len(s.Heat)
	if s.NoColor || n == 0 || g.ASCII {
		n = len(g.Shade)
	}
	out := make([]heatSign, n)
	for i := range out {
		out[i].sign = g.Shade[i*len(g.Shade)/n]
		if len(s.Heat) > 0 {
			out[i].style = s.Heat[i*len(s.Heat)/n]
		}
	}
	return out
}

// heatStep maps a share to a shade, -1 for none. The square root keeps small
// tails visible, and any share above zero has at least the weakest shade.
func heatStep(share float64, n int) int {
	if !(share > 0) {
		return -1
	}
	return min(n-1, max(0, int(math.Ceil(math.Sqrt(share)*float64(n)-1e-9))-1))
}

// heatLayout is how a matrix lies on the cells of a picture.
type heatLayout struct {
	w, h, gutter int         // of the plot, and left of its axis
	shares       [][]float64 // of the columns shown, nil where unknown
	skip         int         // columns of the matrix that are not shown
	wide         int         // cells a column
	bands        [][]int     // buckets, slowest first
	labels       []string    // of the bands
	limit        int         // band that holds the limit, -1 for none
}

func layHeat(m Matrix, o HeatOpts) (l heatLayout, ok bool) {
	if o.W < LeastWidth || o.H < LeastHeight || len(m.Edges) == 0 {
		return l, false
	}
	known := false
	for _, c := range m.Columns {
		l.shares = append(l.shares, m.shares(c))
		known = known || c.Known
	}
	if !known {
		return l, false
	}
	l.h = o.H - 2
	lo, hi := m.occupied(l.shares, o.Limit)
	n := min(l.h, hi-lo+1)
	l.limit = -1
	for b := n - 1; b >= 0; b-- { // bands from the slowest
		var band []int
		for i := lo + b*(hi-lo+1)/n; i < lo+(b+1)*(hi-lo+1)/n; i++ {
			band = append(band, i)
		}
		top := m.Edges[band[len(band)-1]]
		below := math.Inf(-1)
		if band[0] > 0 {
			below = m.Edges[band[0]-1]
		}
		if o.Limit > 0 && o.Limit > below && o.Limit <= top {
			l.limit = len(l.bands)
		}
		l.bands = append(l.bands, band)
		l.labels = append(l.labels, edgeLabel(m.Edges, band[len(band)-1], o.Format))
		l.gutter = max(l.gutter, cells.Width(l.labels[len(l.labels)-1]))
	}
	l.gutter = min(l.gutter, o.W/2)
	l.w = o.W - l.gutter - 1
	l.wide = max(1, l.w/max(1, len(l.shares), o.Columns))
	if fit := l.w / l.wide; len(l.shares) > fit {
		l.skip = len(l.shares) - fit
		l.shares = l.shares[l.skip:]
	}
	return l, true
}

// edgeLabel writes a bucket's upper edge; beyond the last one it is "> edge".
func edgeLabel(edges []float64, i int, format func(float64) string) string {
	if format == nil {
		format = plainNumber
	}
	switch {
	case !math.IsInf(edges[i], 1):
		return format(edges[i])
	case i > 0:
		return "> " + format(edges[i-1])
	default:
		return "any"
	}
}

// column returns which of the shown columns lies at cell x of the plot.
func (l heatLayout) column(x int) (int, bool) {
	if x < 0 || x >= l.w {
		return 0, false
	}
	c := len(l.shares) - 1 - (l.w-1-x)/l.wide
	return c, c >= 0
}

func (l heatLayout) bandOf(y int) int { return y * len(l.bands) / l.h }

// picked returns the shown column nearest to a time, -1 for none.
func (l heatLayout) picked(m Matrix, at time.Time) int {
	if at.IsZero() {
		return -1
	}
	best, dist := -1, time.Duration(math.MaxInt64)
	for i := range l.shares {
		if d := m.Columns[l.skip+i].At.Sub(at).Abs(); d < dist {
			best, dist = i, d
		}
	}
	return best
}

// frame adds the axes around the rows of a plot.
func (l heatLayout) frame(rows []string, m Matrix, picked int, o HeatOpts, g themes.Glyphs) []string {
	lines := make([]string, 0, o.H)
	for y, row := range rows {
		b := l.bandOf(y)
		label, axis, st := "", g.VLine, o.Styles.Border
		if y == 0 || l.bandOf(y-1) != b { // an edge belongs to the top of its band
			label, axis = l.labels[b], g.Tick
		}
		style := o.Styles.Dim
		if b == l.limit {
			st, style = o.Styles.Warn, o.Styles.Warn
			if label != "" {
				axis = g.Limit
			}
		}
		lines = append(lines, cells.FitRight(style.Render(label), l.gutter)+st.Render(axis)+row)
	}
	line := newRaster(l.w, 1)
	ink, accent := line.ink(o.Styles.Border), line.ink(o.Styles.Accent)
	for x := range l.w {
		line.put(x, 0, first(g.HLine), ink)
	}
	if a, ok := l.axis(m); ok {
		mark(line, a, o.Events, o.Styles)
	}
	for x := range l.w {
		if c, ok := l.column(x); ok && c == picked {
			line.put(x, 0, first(g.Cursor), accent)
		}
	}
	lines = append(lines, cells.Fit("", l.gutter)+o.Styles.Border.Render(g.Corner)+line.rows()[0])
	return append(lines, cells.Fit("", l.gutter+1)+o.Styles.Dim.Render(l.times(m)))
}

// times labels the axis where the columns' step is known.
func (l heatLayout) times(m Matrix) string {
	n := len(m.Columns)
	if n < 2 {
		return cells.FitRight(m.Columns[n-1].At.UTC().Format("15:04:05"), l.w)
	}
	a, ok := l.axis(m)
	if !ok {
		return cells.Fit("", l.w)
	}
	return a.timeLabels()
}

// axis is the time below the columns, where their step is known.
func (l heatLayout) axis(m Matrix) (axis, bool) {
	n := len(m.Columns)
	if n < 2 {
		return axis{}, false
	}
	end := m.Columns[n-1].At.UnixMilli()
	col := (end - m.Columns[n-2].At.UnixMilli()) / int64(l.wide)
	return axis{from: end - col*int64(l.w), col: col, n: l.w}, col > 0
}
