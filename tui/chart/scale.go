package chart

import (
	"math"
	"strconv"
	"time"
)

// huge bounds what is drawn: differences of two such values stay finite.
const huge = 1e300

// finite says whether a value can be drawn.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func clamp(v, lo, hi float64) float64 { return math.Min(hi, math.Max(lo, v)) }

// plainNumber writes a value where the caller gave no format.
func plainNumber(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// extent returns the least and greatest finite value.
func extent(vs []float64) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range vs {
		if finite(v) {
			v = clamp(v, -huge, huge)
			lo, hi = math.Min(lo, v), math.Max(hi, v)
		}
	}
	return lo, hi, lo <= hi
}

// round125 returns the least of 1, 2, 5 times a power of ten that is at least
// v, or 0 where there is none.
func round125(v float64) float64 {
	if !(v > 0) || !finite(v) {
		return 0
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*p >= v*(1-1e-9) {
			return m * p
		}
	}
	return 0
}

// ticks widens a range to round numbers and returns the step between about n
// labels.
func ticks(lo, hi float64, n int) (from, to, step float64) {
	if hi <= lo {
		switch {
		case lo == 0:
			hi = 1
		case lo > 0:
			lo, hi = lo*0.9, hi*1.1
		default:
			lo, hi = lo*1.1, hi*0.9
		}
	}
	step = round125((hi - lo) / float64(max(1, n)))
	if step == 0 || math.Abs(lo/step) > 1e12 || math.Abs(hi/step) > 1e12 {
		return lo, math.Max(hi, math.Nextafter(lo, huge)), hi - lo // beyond what doubles can step through
	}
	return math.Floor(lo/step+1e-9) * step, math.Ceil(hi/step-1e-9) * step, step
}

// axis is a time axis of n columns, each a whole number of milliseconds. Its
// end is a multiple of a column's width, so that a picture moves only when a
// column has passed and not with every tick.
type axis struct {
	from, col int64 // milliseconds
	n         int
}

func newAxis(from, to time.Time, n int) (axis, bool) {
	span := to.UnixMilli() - from.UnixMilli()
	if n <= 0 || span <= 0 || span > 100*365*24*3600*1000 {
		return axis{}, false
	}
	col := max(1, (span+int64(n)-1)/int64(n))
	end := to.UnixMilli()
	if rest := ((end % col) + col) % col; rest > 0 {
		end += col - rest
	}
	return axis{from: end - col*int64(n), col: col, n: n}, true
}

// column returns the column that holds a time; a point at a border belongs to
// the column that ends there, so that the newest one is on the axis.
func (a axis) column(t int64) (int, bool) {
	if t <= a.from {
		return 0, t == a.from
	}
	i := (t - a.from - 1) / a.col
	if i >= int64(a.n) {
		return a.n - 1, false
	}
	return int(i), true
}

// dot is column at a finer grain: which of per parts of the axis' columns.
func (a axis) dot(t int64, per int) int {
	x := (t - a.from - 1) * int64(per) / a.col
	return int(min(max(x, 0), int64(a.n*per-1)))
}

// timeSteps are the distances between labels on a time axis, in seconds.
var timeSteps = []int64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
	7 * 86400, 28 * 86400, 364 * 86400}

// timeLabels returns the line of labels below a time axis, w = a.n cells, in
// UTC and at round times.
func (a axis) timeLabels() string {
	line := make([]byte, a.n)
	for i := range line {
		line[i] = ' '
	}
	step, layout := int64(0), "15:04:05"
	for _, s := range timeSteps {
		layout = "15:04:05"
		if s%60 == 0 {
			layout = "15:04"
		}
		if s >= 86400 {
			layout = "01-02"
		}
		// Two blanks between labels at least.
		if s*1000/a.col >= int64(len(layout)+2) {
			step = s * 1000
			break
		}
	}
	if step == 0 {
		return string(line)
	}
	end := a.from + a.col*int64(a.n)
	free := 0
	for t := (a.from/step + 1) * step; t <= end; t += step {
		x, ok := a.column(t)
		if !ok {
			continue
		}
		label := time.UnixMilli(t).UTC().Format(layout)
		at := min(max(0, x-len(label)/2), a.n-len(label))
		if at < free {
			continue
		}
		copy(line[at:], label)
		free = at + len(label) + 1
	}
	return string(line)
}
