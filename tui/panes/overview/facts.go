package overview

import (
	"math"
	"slices"
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// reading is how a fact is read from its figure.
type reading int

const (
	count    reading = iota // a gauge of requests
	rate                    // a counter's growth per second
	quantile                // the bucket of one quantile
	within                  // the share within the limit
)

// fact is one live number and its course.
type fact struct {
	id, label string
	need      sources.Need
	as        reading
	q         float64       // of a quantile
	limit     time.Duration // the SLA's, 0 for none
}

// valueWidth is the cells kept for the value, so that nothing moves with it.
func (c fact) valueWidth() int {
	switch c.as {
	case quantile:
		return 12
	case within:
		return 10
	default:
		return 6
	}
}

// facts are the live numbers in reading order. Without a frontend the engines'
// stand in, and their labels say so.
func facts(f pane.Frame) []fact {
	engine := engineOnly(f.Snap)
	from, mark := "frontend", ""
	switch {
	case engine || f.Source == pane.FromEngine:
		from, mark = "engine", "engine "
	case f.Source == pane.FromRouter:
		from, mark = "router", "router "
	}
	tokens := fact{id: "tokens", label: "out tok/s", need: sources.Need{Key: "frontend.output_tokens", Form: sources.FormRate}, as: rate}
	requests := fact{id: "requests", label: "req/s", need: sources.Need{Key: "requests.done", Form: sources.FormRate}, as: rate}
	active := fact{id: "active", label: "inflight", need: sources.Need{Key: "frontend.active", Form: sources.FormNow}}
	if engine {
		tokens.label, tokens.need.Key = "engine tok/s", "engine.decode_tokens"
		requests.label, requests.need.Key = "engine req/s", "engine.requests_done"
		active.label, active.need.Key = "in engine", "engine.running"
	}
	ttft := sources.Need{Key: from + ".ttft", Form: sources.FormBuckets}
	itl := sources.Need{Key: from + ".itl", Form: sources.FormBuckets}
	return []fact{
		tokens,
		requests,
		{id: "ttft", label: mark + "TTFT p95", need: ttft, as: quantile, q: 0.95, limit: f.SLA.TTFT},
		{id: "sla", label: "in SLA", need: ttft, as: within, limit: f.SLA.TTFT},
		{id: "itl", label: mark + "ITL p99", need: itl, as: quantile, q: 0.99, limit: f.SLA.ITL},
		active,
		{id: "queue", label: "queue", need: sources.Need{Key: "engine.waiting", Form: sources.FormNow}},
	}
}

// value draws the number, without its age.
func (c fact) value(f pane.Frame) string {
	st := f.Styles
	fig := f.Snap.Figure(c.need)
	switch c.as {
	case quantile:
		return figure.Quantile(fig, c.q, st)
	case within:
		if c.limit <= 0 {
			return st.Dim.Render("no limit")
		}
		return figure.Within(fig, c.limit, st)
	}
	v, ok := fig.Value()
	switch {
	case !ok:
		return figure.None(fig.Status, st)
	case math.IsNaN(v):
		return figure.None(sources.StatusNaN, st)
	}
	s := text.Cell(v, "requests")
	if c.as == rate {
		s = text.SI(v)
	}
	if fig.Status != sources.StatusOK {
		return st.Stale.Render(s)
	}
	return st.Value.Render(s)
}

// age is how old the number is, empty when it is of now.
func (c fact) age(f pane.Frame) string {
	fig := f.Snap.Figure(c.need)
	if !fig.HasValue() || fig.Status == sources.StatusOK {
		return ""
	}
	return text.Age(f.Now().Sub(fig.At))
}

// course is a fact over time, on n columns of one step that end at to.
type course struct {
	from, to time.Time
	step     time.Duration
	// series is one line of numbers; of a quantile and a share two, the upper
	// bound first.
	series []sources.Series
	status sources.Status
}

func (c fact) courseNeed(f pane.Frame, n int) sources.Need { return c.need.Over(f.Columns(n)) }

// over reads the course of n columns.
func (c fact) over(f pane.Frame, n int) course {
	span, step := f.Columns(n)
	if f.Snap == nil || n <= 0 {
		return course{}
	}
	ms := max(step.Milliseconds(), 1)
	to := time.UnixMilli(f.Now().UnixMilli() / ms * ms).UTC()
	out := course{from: to.Add(-span), to: to, step: step}
	fig := f.Snap.Figure(c.courseNeed(f, n))
	out.status = fig.Status
	if len(fig.Series) == 0 {
		return out
	}
	if c.as != quantile && c.as != within {
		out.series = fig.Series[:1]
		return out
	}
	var hi, lo sources.Series
	for _, col := range chart.MatrixOf(fig.Series, out.from.Add(step), to, step).Columns {
		if !col.Known {
			continue
		}
		l, h, ok := c.bounds(col.Buckets)
		if !ok { // nothing was observed
			l, h = math.NaN(), math.NaN()
		}
		hi.Points = append(hi.Points, sources.Point{T: col.At.UnixMilli(), V: h})
		lo.Points = append(lo.Points, sources.Point{T: col.At.UnixMilli(), V: l})
	}
	out.series = []sources.Series{hi, lo}
	return out
}

// bounds are what a histogram knows of the fact. Past the last finite edge
// the edge stands for the upper bound: a chart has no place for infinity.
func (c fact) bounds(b sources.Buckets) (lo, hi float64, ok bool) {
	if c.as == within {
		if c.limit <= 0 {
			return 0, 0, false
		}
		return b.Within(c.limit.Seconds())
	}
	q, ok := b.Quantile(c.q)
	if ok && q.Over {
		return q.Lo, q.Lo, !math.IsInf(q.Lo, 0)
	}
	return q.Lo, q.Hi, ok
}

// points are the course for a sparkline: the bound that is the worse news.
// Columns before the first sample are left out: nothing was measured there,
// which is not a gap.
func (c fact) points(f pane.Frame, n int) []float64 {
	o := c.over(f, n)
	if len(o.series) == 0 {
		return nil
	}
	s := o.series[0]
	if c.as == within {
		s = o.series[1]
	}
	points := chart.Columns(s, o.from, o.to, o.step, n)
	if i := slices.IndexFunc(points, func(v float64) bool { return !math.IsNaN(v) }); i >= 0 {
		return points[i:]
	}
	return nil
}
