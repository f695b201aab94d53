package chart

import (
	"math"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/themes"
)

// SparkOpts says how a sparkline is scaled and drawn.
type SparkOpts struct {
	// Zero starts the scale at 0; otherwise it starts at the least visible
	// value.
	Zero bool
	// Lo and Hi fix the scale when Hi > Lo; values beyond are clamped.
	Lo, Hi float64
	Style  themes.Style
	Glyphs themes.Glyphs // zero means Unicode
}

// Spark draws one line of exactly w cells, one cell a point, the newest at the
// right. More points than cells: the newest are shown, and the scale fits
// those alone. NaN and infinities are gaps. Values that do not differ draw a
// middle line, or a full one over a scale from zero.
func Spark(points []float64, w int, o SparkOpts) string {
	if w <= 0 {
		return ""
	}
	if len(points) > w {
		points = points[len(points)-w:]
	}
	g := o.Glyphs.Or()
	lo, hi, ok := extent(points)
	if o.Zero && ok {
		lo, hi = math.Min(0, lo), math.Max(0, hi)
	}
	if o.Hi > o.Lo && finite(o.Hi-o.Lo) {
		lo, hi = o.Lo, o.Hi
	}
	var b strings.Builder
	for _, v := range points {
		if !finite(v) {
			b.WriteRune(g.Gap)
			continue
		}
		b.WriteRune(g.Spark[height(clamp(v, lo, hi), lo, hi, len(g.Spark))])
	}
	left := strings.Repeat(" ", w-len(points))
	if b.Len() == 0 {
		return left
	}
	return left + o.Style.Render(b.String())
}

// height maps a value to one of n steps.
func height(v, lo, hi float64, n int) int {
	if hi <= lo {
		if hi == 0 {
			return 0 // nothing happened all the time
		}
		return n / 2
	}
	return int(math.Round((v - lo) / (hi - lo) * float64(n-1)))
}

// Columns lays a series on n columns of equal time, for Spark: the newest
// point of each column, and NaN where a sample is missing. A point stands for
// one step up to its time, so that columns finer than the step are no gaps; a
// step of 0 is taken from the points. Columns end at round times: the picture
// moves only when a column has passed.
func Columns(s sources.Series, from, to time.Time, step time.Duration, n int) []float64 {
	a, ok := newAxis(from, to, n)
	if !ok {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	ms := stepOf(s.Points, step)
	for _, p := range s.Points {
		if p.T > a.from+a.col*int64(n) || p.T < a.from {
			continue
		}
		last, _ := a.column(p.T)
		first, _ := a.column(p.T - ms + 1)
		for i := first; i < last; i++ {
			if math.IsNaN(out[i]) {
				out[i] = p.V
			}
		}
		out[last] = p.V
	}
	return out
}

// stepOf returns the distance between points in milliseconds: the one given,
// or the usual one found between them.
func stepOf(points []sources.Point, step time.Duration) int64 {
	if step > 0 {
		return max(1, step.Milliseconds())
	}
	least := int64(0)
	for i := 1; i < len(points); i++ {
		if d := points[i].T - points[i-1].T; d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return max(1, least)
}
