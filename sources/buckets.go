package sources

import (
	"math"
	"sort"
	"strconv"
)

// Buckets is one classic histogram over one window.
type Buckets struct {
	// Edges are the upper bounds, ascending, the last one +Inf.
	Edges []float64
	// Counts are the observations in each bucket (not cumulative), as long as
	// Edges, each at least 0. They may be fractional: increase() extrapolates.
	Counts []float64
	// N is their sum.
	N float64
}

// BucketsOf reads series that carry an le label (compared as a number) and
// cumulative counts, at their newest points. Spellings of one edge ("1" and
// "1.0", which sum by (le) leaves apart) come from different producers, so
// their counts are added. Cumulative counts that fall, which extrapolation and
// late scrapes can cause, are lifted to their predecessor. ok is false when
// there is no edge, or nothing but NaN.
func BucketsOf(series []Series) (b Buckets, ok bool) {
	type edge struct{ le, cum float64 }
	var es []edge
	for _, s := range series {
		le, err := strconv.ParseFloat(s.Labels["le"], 64)
		p, has := s.Last()
		if err != nil || !has || math.IsNaN(le) || math.IsNaN(p.V) || math.IsInf(p.V, 0) {
			continue
		}
		es = append(es, edge{le, p.V})
	}
	if len(es) == 0 {
		return Buckets{}, false
	}
	sort.Slice(es, func(i, j int) bool { return es[i].le < es[j].le })
	prev := 0.0
	for i := 0; i < len(es); {
		e := edge{le: es[i].le}
		for ; i < len(es) && es[i].le == e.le; i++ {
			e.cum += es[i].cum
		}
		cum := min(max(e.cum, prev), math.MaxFloat64)
		b.Edges = append(b.Edges, e.le)
		b.Counts = append(b.Counts, cum-prev)
		prev = cum
	}
	if last := len(b.Edges) - 1; !math.IsInf(b.Edges[last], 1) {
		b.Edges = append(b.Edges, math.Inf(1))
		b.Counts = append(b.Counts, 0)
	}
	b.N = prev
	return b, true
}

// Bounds is a quantile as what a histogram knows of it: the bucket it lies in.
type Bounds struct {
	Q float64
	// Lo < value ≤ Hi, and Lo ≤ value when First; Hi is +Inf past the last
	// finite edge.
	Lo, Hi float64
	N      float64 // observations in the window
	// Enough: N reaches the least number of samples for this quantile
	// (honesty.md rule 2); below it the bounds are drawn dim.
	Enough bool
	// First: the value lies in the first bucket that has a width; its lower
	// bound is not known better than 0.
	First bool
	// Over: the value lies beyond the last finite edge, Lo.
	Over bool
	// Pinned: the bucket ends at the last finite edge, where layouts that are
	// too short pile up their tail.
	Pinned bool
}

// LeastSamples is the number of observations below which a quantile says
// little: 11, 64, 130, 662, 6636 for p50, p90, p95, p99, p99.9 (honesty.md
// rule 2). Other quantiles take the next listed one above them.
func LeastSamples(q float64) float64 {
	switch {
	case q <= 0.5:
		return 11
	case q <= 0.9:
		return 64
	case q <= 0.95:
		return 130
	case q <= 0.99:
		return 662
	default:
		return 6636
	}
}

// Quantile returns the bucket in which the q-quantile lies: the first whose
// cumulative count reaches rank q·N. ok is false for an empty histogram and
// for q outside 0…1.
func (b Buckets) Quantile(q float64) (Bounds, bool) {
	if b.N <= 0 || !(q >= 0 && q <= 1) {
		return Bounds{}, false
	}
	rank, cum := q*b.N, 0.0
	at := len(b.Edges) - 1
	for i, c := range b.Counts {
		cum += c
		// The tolerance keeps rank 1.0·N inside the last filled bucket despite
		// the rounding of fractional counts.
		if c > 0 && cum >= rank-1e-9*b.N {
			at = i
			break
		}
	}
	out := Bounds{Q: q, Lo: b.lower(at), Hi: b.Edges[at], N: b.N, Enough: b.N >= LeastSamples(q)}
	out.Over = math.IsInf(out.Hi, 1)
	out.First = at == 0 || (at == 1 && b.Edges[0] == 0)
	out.Pinned = !out.Over && at == len(b.Edges)-2
	return out, true
}

// lower is the lower bound of a bucket. What is measured here is not negative
// unless the grid has negative edges.
func (b Buckets) lower(i int) float64 {
	switch {
	case i > 0:
		return b.Edges[i-1]
	case b.Edges[0] < 0:
		return math.Inf(-1)
	default:
		return 0
	}
}

// Within returns the share (0…1) of observations at or below a limit, as a
// range where the limit lies between two edges. ok is false when empty.
func (b Buckets) Within(limit float64) (lo, hi float64, ok bool) {
	if b.N <= 0 || math.IsNaN(limit) {
		return 0, 0, false
	}
	cum := 0.0
	for i, e := range b.Edges {
		if e <= limit {
			cum += b.Counts[i]
			continue
		}
		upper := cum
		if low := b.lower(i); low < limit || i == 0 && low == limit { // zeros are in the first
			upper += b.Counts[i]
		}
		// The clamp is for the rounding of fractional counts.
		return min(cum/b.N, 1), min(upper/b.N, 1), true
	}
	return 1, 1, true
}

// Overflow returns the share of observations past the last finite edge.
func (b Buckets) Overflow() float64 {
	if b.N <= 0 {
		return 0
	}
	return b.Counts[len(b.Counts)-1] / b.N
}
