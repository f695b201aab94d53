package workers

import (
	"math"
	"time"

	"dynascope/sources"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

const perRank = "instance,dp_rank"

// The courses over the window, each asked once for all workers.
var (
	courseRunning = sources.Need{Key: "engine.running", Form: sources.FormNow, By: perRank}
	courseQueue   = sources.Need{Key: "engine.waiting", Form: sources.FormNow, By: perRank}
	courseKV      = sources.Need{Key: "engine.kv_usage", Form: sources.FormNow, By: perRank}
	courseDecode  = sources.Need{Key: "engine.decode_tokens", Form: sources.FormRate, By: perRank}
)

// sparkWidth is the width of a sparkline in the table, 0 where there is no
// room for any.
func sparkWidth(w int) int {
	if w < 170 {
		return 0
	}
	return 10 + min(max((w-246)/2, 0), 20)
}

// course is a column that draws a course, on one scale for all workers, so that
// rows can be compared.
func course(of string, need sources.Need) column {
	return column{title: of, priority: 6, paint: func(r *row, f pane.Frame, l *listing) string {
		n := sparkWidth(f.W)
		points := l.points(need, r, f, n)
		st := f.Styles.Theme.Bar
		if r.old {
			st = f.Styles.Stale
		}
		if points == nil {
			return figure.None(l.snap.Figure(need.Over(f.Columns(n))).Status, f.Styles)
		}
		return chart.Spark(points, n, chart.SparkOpts{Zero: true, Hi: l.course(need.Over(f.Columns(n))).most, Style: st, Glyphs: f.Styles.G})
	}}
}

// points are a worker's course on n columns, without those before its first
// sample: nothing was measured there, which is not a gap. Nil when it has none.
func (l *listing) points(need sources.Need, r *row, f pane.Frame, n int) []float64 {
	span, step := f.Columns(n)
	s := l.course(need.Over(span, step)).of(r)
	if len(s.Points) == 0 {
		return nil
	}
	to := time.UnixMilli(f.Now().UnixMilli() / step.Milliseconds() * step.Milliseconds())
	points := chart.Columns(s, to.Add(-span), to, step, n)
	for i, v := range points {
		if !math.IsNaN(v) {
			return points[i:]
		}
	}
	return nil
}
