package latency

import (
	"time"

	"dynascope/sources"
	"dynascope/tui/chart"
)

// grid is the columns of a course: n of them, each step long, the newest one
// ending at to. They lie on whole multiples of the step, as the feed cuts
// them.
type grid struct {
	to   time.Time
	step time.Duration
	n    int
}

func gridOf(at time.Time, span, step time.Duration) grid {
	if at.IsZero() || span <= 0 {
		return grid{}
	}
	step = max(step, time.Second)
	ms := step.Milliseconds()
	to := at.UnixMilli() / ms * ms
	return grid{to: time.UnixMilli(to).UTC(), step: step, n: int(span / step)}
}

// time is the end of column i, 0 the oldest.
func (g grid) time(i int) time.Time { return g.to.Add(-time.Duration(g.n-1-i) * g.step) }

// index is the column nearest to a time; ok is false when it left the course.
func (g grid) index(t time.Time) (i int, ok bool) {
	if g.n == 0 {
		return 0, false
	}
	half := g.step / 2
	back := g.to.Sub(t) + half
	if back < 0 {
		return g.n - 1, false
	}
	i = g.n - 1 - int(back/g.step)
	return max(i, 0), i >= 0
}

// course is a histogram over time.
type course struct {
	grid
	matrix chart.Matrix
	// window is the look-back of one column: at least four scrapes, so that
	// narrow columns overlap.
	window time.Duration
	figure *sources.Figure
}

// courseOf reads a FormBuckets figure with a range. Columns before the first
// one with a sample are left out: nothing was measured yet. Missing ones after
// it stay, as gaps.
func courseOf(f *sources.Figure, at time.Time) course {
	c := course{grid: gridOf(at, f.Need.Span, f.Need.Step), figure: f, window: f.Window}
	if c.window <= 0 {
		c.window = c.step
	}
	if c.n == 0 || len(f.Series) == 0 {
		return c
	}
	c.matrix = chart.MatrixOf(f.Series, c.time(0), c.to, c.step)
	for i, col := range c.matrix.Columns {
		if col.Known {
			c.matrix.Columns = c.matrix.Columns[i:]
			return c
		}
	}
	c.matrix.Columns = nil
	return c
}

// known says whether any column has a sample.
func (c course) known() bool { return len(c.matrix.Columns) > 0 }

// at returns the column nearest to a time, with Known false where there is
// none.
func (c course) at(t time.Time) (col chart.Column, ok bool) {
	i, ok := c.index(t)
	if !ok {
		return chart.Column{At: t}, false
	}
	col = chart.Column{At: c.time(i)}
	if j := i - (c.n - len(c.matrix.Columns)); j >= 0 && j < len(c.matrix.Columns) {
		col = c.matrix.Columns[j]
	}
	return col, true
}

// find returns the course that answers a need. Right after the size changed
// it has not been asked yet; then the one of the size before is drawn.
func find(s *sources.Snapshot, n sources.Need) *sources.Figure {
	f := s.Figure(n)
	if f.Status != sources.StatusPending || len(f.Series) > 0 {
		return f
	}
	for _, old := range s.Figures() {
		if m := old.Need; m.IsRange() && m.Key == n.Key && m.Form == n.Form && m.By == n.By && len(old.Series) > 0 {
			return old
		}
	}
	return f
}
