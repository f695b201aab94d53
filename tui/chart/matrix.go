package chart

import (
	"math"
	"sort"
	"strconv"
	"time"

	"dynascope/sources"
)

// Column is the histogram of one step of time.
type Column struct {
	At      time.Time // its end
	Buckets sources.Buckets
	// Known is false where a sample is missing. A known column without
	// observations is idle time, which is another thing.
	Known bool
}

// Matrix is a histogram over time on a regular grid, oldest column first.
type Matrix struct {
	Edges   []float64 // upper bounds of all columns, ascending
	Columns []Column
}

// MatrixOf reads cumulative series with an le label, as a FormBuckets figure
// with a range has them, on columns of step from and to inclusive. Series of
// several groups must be picked apart before.
func MatrixOf(series []sources.Series, from, to time.Time, step time.Duration) Matrix {
	ms := step.Milliseconds()
	if ms <= 0 || to.Before(from) || to.Sub(from)/step > 100_000 {
		return Matrix{}
	}
	n := int((to.UnixMilli()-from.UnixMilli())/ms) + 1
	parts := make([][]sources.Series, n)
	edges := map[float64]bool{}
	for _, s := range series {
		le, err := strconv.ParseFloat(s.Labels["le"], 64)
		if err != nil || math.IsNaN(le) {
			continue
		}
		edges[le] = true
		for i, p := range s.Points {
			// Counted from the end, so that the newest point has a column.
			back := (to.UnixMilli() - p.T + ms/2) / ms
			if p.T > to.UnixMilli()+ms/2 || back >= int64(n) {
				continue
			}
			c := n - 1 - int(back)
			parts[c] = append(parts[c], sources.Series{Labels: s.Labels, Points: s.Points[i : i+1]})
		}
	}
	m := Matrix{Columns: make([]Column, n)}
	for e := range edges {
		m.Edges = append(m.Edges, e)
	}
	sort.Float64s(m.Edges)
	for i := range m.Columns {
		b, ok := sources.BucketsOf(parts[i])
		m.Columns[i] = Column{At: to.Add(-time.Duration(n-1-i) * step), Buckets: b, Known: ok}
		if ok && (len(m.Edges) == 0 || !math.IsInf(m.Edges[len(m.Edges)-1], 1)) {
			m.Edges = append(m.Edges, math.Inf(1)) // BucketsOf closes an open histogram
		}
	}
	return m
}

// shares returns a column's share of each bucket of the matrix, nil for an
// unknown one. A layout that is coarser than the matrix' keeps its counts at
// its own edges.
func (m Matrix) shares(c Column) []float64 {
	if !c.Known {
		return nil
	}
	out := make([]float64, len(m.Edges))
	if !(c.Buckets.N > 0) {
		return out
	}
	for i, e := range c.Buckets.Edges {
		if i >= len(c.Buckets.Counts) || !finite(c.Buckets.Counts[i]) {
			continue
		}
		if at := sort.SearchFloat64s(m.Edges, e); at < len(out) {
			out[at] += math.Max(0, c.Buckets.Counts[i]) / c.Buckets.N
		}
	}
	return out
}

// occupied returns the range of buckets worth drawing: those that ever held
// something and the limit's, with one more at each side.
func (m Matrix) occupied(shares [][]float64, limit float64) (lo, hi int) {
	lo, hi = len(m.Edges), -1
	note := func(i int) { lo, hi = min(lo, i), max(hi, i) }
	for _, col := range shares {
		for i, v := range col {
			if v > 0 {
				note(i)
			}
		}
	}
	if hi < 0 {
		return 0, len(m.Edges) - 1
	}
	if limit > 0 && finite(limit) {
		note(min(sort.SearchFloat64s(m.Edges, limit), len(m.Edges)-1))
	}
	return max(0, lo-1), min(len(m.Edges)-1, hi+1)
}
