package advice

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Grid is how a Dynamo frontend lays out a histogram: by the least edge, the
// largest and their number, of which DYN_METRICS_<X>_{MIN,MAX,COUNT} are the
// settings.
type Grid struct {
	Min, Max float64
	Count    int // with the edge at 0
}

// Edges are the finite edges: 0, then Min·(Max/Min)^(i/(Count-1)) for i from 1,
// each rounded to two significant figures as Dynamo does.
func (g Grid) Edges() []float64 {
	out := make([]float64, 0, max(0, g.Count))
	for i := range g.Count {
		if i == 0 {
			out = append(out, 0)
			continue
		}
		out = append(out, significant(g.Min*math.Pow(g.Max/g.Min, float64(i)/float64(g.Count-1)), 2))
	}
	return slices.Compact(out)
}

// Env is the grid as the variables of one histogram.
func (g Grid) Env(x string) string {
	return fmt.Sprintf("DYN_METRICS_%[1]s_MIN=%[2]s DYN_METRICS_%[1]s_MAX=%[3]s DYN_METRICS_%[1]s_COUNT=%[4]d", x, short(g.Min), short(g.Max), g.Count)
}

// The bounds of a grid that is proposed: edges closer than fine lie within the
// rounding of neighbours, and each edge is a series for every label set.
const (
	fine      = 1.25
	mostEdges = 64
)

// gridThrough is a grid from low to high at least, on which anchor is an edge
// where two significant figures can say it, and else the nearest that can. A
// ratio between neighbours below fine is not used; more than mostEdges widen it.
func gridThrough(anchor, low, high, ratio float64) Grid {
	anchor = significant(anchor, 2)
	low, high = min(low, anchor/fine), max(high, anchor*fine)
	for ratio = max(ratio, fine); ; ratio *= 1.1 {
		below := math.Ceil(math.Log(anchor/low)/math.Log(ratio)) + 1 // the first edge lies a ratio above Min
		above := math.Ceil(math.Log(high/anchor) / math.Log(ratio))
		g := Grid{
			Min: significant(anchor/math.Pow(ratio, below), 6), Max: significant(anchor*math.Pow(ratio, above), 6), Count: int(below+above) + 1,
		}
		if g.Count <= mostEdges {
			return g
		}
	}
}

// significant rounds to some significant figures.
func significant(v float64, figures int) float64 {
	x, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', figures, 64), 64)
	if err != nil {
		return v
	}
	return x
}

// onGrid says whether a value is one of some edges.
func onGrid(edges []float64, v float64) bool {
	return slices.ContainsFunc(edges, func(e float64) bool { return math.Abs(e-v) <= 1e-9*math.Abs(v) })
}

// edgesWith is edges with more of them: those of extra, sorted, each once.
func edgesWith(edges []float64, extra ...float64) []float64 {
	out := slices.Clone(edges)
	for _, e := range extra {
		if !onGrid(out, e) && e > 0 {
			out = append(out, e)
		}
	}
	slices.Sort(out)
	return out
}

// words are numbers as the arguments of a flag.
func words(edges []float64) string {
	var out []string
	for _, e := range edges {
		out = append(out, short(e))
	}
	return strings.Join(out, " ")
}

// short is a number without an exponent.
func short(v float64) string { return strconv.FormatFloat(significant(v, 6), 'f', -1, 64) }
