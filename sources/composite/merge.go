package composite

import (
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources"
)

// combineBy is how two answers to one expression are put together where they
// have the same group: its outermost aggregation. Zero means that there is
// none to go by.
func combineBy(tree parser.Expr) (parser.ItemType, *parser.AggregateExpr) {
	agg, ok := unwrap(tree).(*parser.AggregateExpr)
	if !ok {
		return 0, nil
	}
	return agg.Op, agg
}

// fold puts two answers together: groups of one alone as they are, groups of
// both by op; without a rule the first counts.
func fold(first, second []sources.Series, op parser.ItemType) []sources.Series {
	at := map[string]int{}
	out := make([]sources.Series, 0, len(first)+len(second))
	for _, x := range first {
		at[x.Labels.Key()] = len(out)
		out = append(out, x)
	}
	for _, x := range second {
		i, both := at[x.Labels.Key()]
		if !both {
			out = append(out, x)
			continue
		}
		out[i].Points = pair(out[i].Points, x.Points, func(a, b float64) float64 {
			switch op {
			case parser.SUM, parser.COUNT:
				return a + b
			case parser.MAX:
				return max(a, b)
			case parser.MIN:
				return min(a, b)
			}
			return a
		})
	}
	return out
}

// pair joins two courses point by point; a time that one alone has stays.
func pair(a, b []sources.Point, f func(a, b float64) float64) []sources.Point {
	out := make([]sources.Point, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].T < b[0].T:
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || b[0].T < a[0].T:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, sources.Point{T: a[0].T, V: f(a[0].V, b[0].V)})
			a, b = a[1:], b[1:]
		}
	}
	return out
}

// divide is sums over counts, group by group.
func divide(sums, counts []sources.Series) []sources.Series {
	by := map[string][]sources.Point{}
	for _, c := range counts {
		by[c.Labels.Key()] = c.Points
	}
	out := make([]sources.Series, 0, len(sums))
	for _, s := range sums {
		n := map[int64]float64{}
		for _, p := range by[s.Labels.Key()] {
			n[p.T] = p.V
		}
		var ps []sources.Point
		for _, p := range s.Points {
			if c := n[p.T]; c > 0 {
				ps = append(ps, sources.Point{T: p.T, V: p.V / c})
			}
		}
		if len(ps) > 0 {
			out = append(out, sources.Series{Labels: s.Labels, Points: ps})
		}
	}
	return out
}
