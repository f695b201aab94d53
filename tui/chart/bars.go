package chart

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"dynascope/sources"
	"dynascope/themes"
	"dynascope/tui/cells"
)

// Bar is one row of a bar chart.
type Bar struct {
	Label string
	Value float64 // not below 0; NaN draws a dash
	Text  string  // the value as written at the right
	// Level colours the bar when it is good or bad; Unknown is neutral.
	Level themes.Level
	// Rule, when set, draws a titled line above this bar: a limit.
	Rule string
	// Before is a value to compare with, drawn as a line across the bar where
	// Compared is set.
	Before   float64
	Compared bool
}

// BarsOpts says where bars are drawn. Max is the value of a full bar; 0 means
// the greatest one.
type BarsOpts struct {
	W, H   int
	Max    float64
	Empty  string
	Styles themes.Styles
}

// Bars draws horizontal bars in exactly W×H cells, the first at the top, with
// the values at the right. When there are too many, the last line says how
// many are missing.
func Bars(bars []Bar, o BarsOpts) string {
	if len(bars) == 0 {
		return cells.Message(o.Styles.Dim.Render(cells.Strip(o.Empty)), o.W, o.H)
	}
	if o.W <= 0 || o.H <= 0 {
		return cells.Blank(o.W, o.H)
	}
	label, text := 0, 0
	top := o.Max
	for _, b := range bars {
		label = max(label, cells.Width(b.Label))
		text = max(text, cells.Width(b.Text))
		if !(o.Max > 0) && finite(b.Value) {
			top = math.Max(top, b.Value)
		}
		if !(o.Max > 0) && b.Compared && finite(b.Before) {
			top = math.Max(top, b.Before)
		}
	}
	label = min(label, max(1, o.W/3))
	text = min(text, max(1, o.W/3))
	width := max(1, o.W-label-text-2)
	var lines []string
	for i, b := range bars {
		need := 1
		if b.Rule != "" {
			need = 2
		}
		rest := len(bars) - i
		if len(lines)+need > o.H || len(lines)+need == o.H && rest > 1 {
			lines = append(lines, o.Styles.Faint.Render(fmt.Sprintf("%d more", rest)))
			break
		}
		if b.Rule != "" {
			lines = append(lines, limitRule(b.Rule, o.W, o.Styles))
		}
		share := math.NaN()
		if finite(b.Value) {
			share = 0
			if top > 0 {
				share = b.Value / top
			}
		}
		st := o.Styles
		if b.Level != themes.Unknown {
			st.Theme.Bar = st.Of(b.Level)
		}
		lines = append(lines, cells.Fit(o.Styles.Label.Render(cells.Clip(cells.Strip(b.Label), label)), label)+
			" "+b.draw(share, top, width, st)+" "+cells.FitRight(b.Text, text))
	}
	return cells.Block(lines, o.W, o.H)
}

// draw draws the bar, with a line across it where the value before was.
func (b Bar) draw(share, top float64, w int, s themes.Styles) string {
	if !b.Compared || !finite(b.Before) || !(top > 0) || w < 3 {
		return cells.Bar(share, w, s)
	}
	x := min(int(math.Round(b.Before/top*float64(w))), w-1)
	full := share * float64(w)
	out := s.Accent.Render(s.G.Or().VLine)
	if x > 0 {
		out = cells.Bar(min(full/float64(x), 1), x, s) + out
	}
	if rest := w - x - 1; rest > 0 {
		out += cells.Bar(min(max(full-float64(x)-1, 0)/float64(rest), 1), rest, s)
	}
	return out
}

func limitRule(title string, w int, s themes.Styles) string {
	g := s.G.Or()
	text := strings.Repeat(g.Dotted, 2) + " " + cells.Clip(cells.Strip(title), max(0, w-6)) + " "
	return s.Warn.Render(text + strings.Repeat(g.Dotted, max(0, w-cells.Width(text))))
}

// DistOpts says how a distribution is cut into bars.
type DistOpts struct {
	// Rows is how many lines there are, the limit's line included.
	Rows int
	// Range writes a bucket, Format a single value.
	Range  func(lo, hi float64) string
	Format func(float64) string
	// Limit is the SLA, called Name; 0 is none. Its line stands above the
	// bucket in which it lies, and says so when it is not the bucket's edge.
	Limit float64
	Name  string
	// Before is a histogram of the same edges to compare with; others are not
	// drawn.
	Before sources.Buckets
}

// Distribution turns a histogram into bars, the slowest bucket at the top.
// Empty ends are left out; neighbours are merged when there are more buckets
// than rows. Buckets that lie wholly above the limit are marked bad.
func Distribution(b sources.Buckets, o DistOpts) []Bar {
	if !(b.N > 0) || len(b.Edges) == 0 || o.Rows <= 0 {
		return nil
	}
	if o.Format == nil {
		o.Format = plainNumber
	}
	m := Matrix{Edges: b.Edges}
	shares := m.shares(Column{Buckets: b, Known: true})
	seen := [][]float64{shares}
	var before []float64
	if o.Before.N > 0 && slices.Equal(o.Before.Edges, b.Edges) {
		before = m.shares(Column{Buckets: o.Before, Known: true})
		seen = append(seen, before)
	}
	lo, hi := m.occupied(seen, o.Limit)
	rows := o.Rows
	if o.Limit > 0 {
		rows = max(1, rows-1)
	}
	n := min(rows, hi-lo+1)
	var out []Bar
	for k := n - 1; k >= 0; k-- {
		from, to := lo+k*(hi-lo+1)/n, lo+(k+1)*(hi-lo+1)/n
		share := 0.0
		for _, v := range shares[from:to] {
			share += v
		}
		lower := math.Min(0, b.Edges[0])
		if from > 0 {
			lower = b.Edges[from-1]
		}
		bar := Bar{Label: o.label(lower, b.Edges[to-1]), Value: share, Text: percent(share)}
		if before != nil {
			bar.Compared = true
			for _, v := range before[from:to] {
				bar.Before += v
			}
		}
		if o.Limit > 0 && lower >= o.Limit {
			bar.Level = themes.Bad
		}
		if o.Limit > lower && o.Limit <= b.Edges[to-1] {
			bar.Rule = strings.TrimSpace(o.Name + " " + o.Format(o.Limit))
			if o.Limit < b.Edges[to-1] {
				bar.Rule += ", within the bucket below"
			}
		}
		out = append(out, bar)
	}
	return out
}

func (o DistOpts) label(lo, hi float64) string {
	switch {
	case o.Range != nil:
		return o.Range(lo, hi)
	case math.IsInf(hi, 1):
		return "> " + o.Format(lo)
	default:
		return "≤ " + o.Format(hi)
	}
}

// percent writes a share so that some is never 0 % and not all never 100 %.
func percent(v float64) string {
	switch {
	case v > 0 && v <= 0.005:
		return "<1 %"
	case v < 1 && v >= 0.995:
		return ">99 %"
	default:
		return fmt.Sprintf("%.0f %%", v*100)
	}
}

// Stack draws shares side by side in exactly w cells, in the order given and
// in the series colours; without colours the parts differ by glyph. Shares
// that sum to more than 1 are scaled down, less leaves blanks. A share above
// zero gets a cell while there are enough of them.
func Stack(shares []float64, w int, s themes.Styles) string {
	if w <= 0 {
		return ""
	}
	g := s.G.Or()
	parts := allot(shares, w)
	var b strings.Builder
	used := 0
	for i, n := range parts {
		if n == 0 {
			continue
		}
		sign := g.BarFull
		if s.NoColor || g.ASCII || len(s.Series) == 0 {
			sign = string(g.Segment[i%len(g.Segment)])
		}
		b.WriteString(s.SeriesStyle(i).Render(strings.Repeat(sign, n)))
		used += n
	}
	return b.String() + strings.Repeat(" ", w-used)
}

// allot gives each share its cells out of w: at least one where it is above
// zero and there is room, the rest by largest remainder.
func allot(shares []float64, w int) []int {
	out := make([]int, len(shares))
	want := make([]float64, len(shares))
	sum := 0.0
	for i, v := range shares {
		if finite(v) && v > 0 {
			want[i] = math.Min(v, huge/1e6)
			sum += want[i]
		}
	}
	if !(sum > 0) {
		return out
	}
	scale := float64(w) / math.Max(1, sum)
	total := min(w, int(math.Round(sum*scale)))
	order := make([]int, 0, len(shares))
	for i := range want {
		want[i] *= scale
		if want[i] > 0 {
			order = append(order, i)
		}
	}
	total = min(w, max(total, len(order)))
	sort.SliceStable(order, func(a, b int) bool { return want[order[a]] > want[order[b]] })
	left := total
	for _, i := range order { // the largest first, so that they stay when cells run out
		if left > 0 {
			out[i], left = 1, left-1
		}
	}
	for left > 0 {
		best := order[0]
		for _, i := range order {
			if want[i]-float64(out[i]) > want[best]-float64(out[best]) {
				best = i
			}
		}
		out[best]++
		left--
	}
	return out
}
