package doctor

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/text"
)

// grids compares the histograms' edges with what was promised.
func grids(g *Gathered) (out []Finding) {
	told := map[string]bool{}
	for _, row := range gridRows {
		m, ok := g.Catalog.Metric(row.key)
		if !ok {
			continue
		}
		promise := map[string]time.Duration{"ttft": g.SLA.TTFT, "itl": g.SLA.ITL}[row.promise].Seconds()
		if promise <= 0 {
			continue
		}
		for _, set := range g.edgeSets(m, row.producer) {
			f, ok := gridFinding(row, m.Title, set, promise, g.SLA.Default)
			if id := f.Code + f.What + f.Do; ok && !told[id] {
				told[id] = true
				out = append(out, f)
			}
		}
	}
	return out
}

// edgeSet is one grid and whose it is.
type edgeSet struct {
	edges []float64
	who   []string
}

// edgeSets are the different grids of one metric: from the pages, or where no
// page could be read from the answer of the store.
func (g *Gathered) edgeSets(m catalog.Metric, producer string) (out []edgeSet) {
	for _, e := range g.Endpoints {
		if e.Page == nil {
			continue
		}
		edges, v := e.Page.edges(m)
		if edges == nil || v.Producer != producer {
			continue
		}
		if v.Factor != 0 && v.Factor != 1 {
			scaled := make([]float64, len(edges))
			for i, x := range edges {
				scaled[i] = x * v.Factor
			}
			edges = scaled
		}
		i := slices.IndexFunc(out, func(s edgeSet) bool { return slices.Equal(s.edges, edges) })
		if i < 0 {
			out, i = append(out, edgeSet{edges: edges}), len(out)
		}
		out[i].who = append(out[i].who, e.Instance)
	}
	if len(out) > 0 || g.Snap == nil {
		return out
	}
	f := g.Snap.Figure(sources.Need{Key: m.Key, Form: sources.FormBuckets})
	if !slices.ContainsFunc(m.Variants, func(v catalog.Variant) bool {
		return v.Producer == producer && slices.ContainsFunc(f.Found, func(n string) bool { return bare(n) == v.Name })
	}) && producer != "frontend" {
		return nil
	}
	if b, ok := f.Buckets(); ok && len(b.Edges) > 3 {
		out = append(out, edgeSet{edges: b.Edges[:len(b.Edges)-1]})
	}
	return out
}

func gridFinding(row grid, title string, set edgeSet, promise float64, byDefault bool) (Finding, bool) {
	edges := set.edges
	top := edges[len(edges)-1]
	if slices.ContainsFunc(edges, func(e float64) bool { return math.Abs(e-promise) <= 1e-9*promise }) {
		return Finding{}, false
	}
	flag := "--sla-" + row.promise
	promised := text.Duration(promise)
	if byDefault {
		promised += " (the default of " + flag + ")"
	}
	at, _ := slices.BinarySearch(edges, promise)
	var f Finding
	if promise >= top {
		f = found("grid-short", "", fmt.Sprintf("%s: promised are %s, and the edges end at %s.", title, promised, text.Duration(top)))
		f.Why = "what is slower than the last edge is only known to be slower"
	} else {
		lo := 0.0
		if at > 0 {
			lo = edges[at-1]
		}
		f = found("grid-off", "", fmt.Sprintf("%s: promised are %s, which lies between the edges %s and %s.", title, promised, text.Duration(lo), text.Duration(edges[at])))
		f.Why = "the share that keeps the promise is a range"
	}
	f.Subjects = set.who
	near := "judge by an edge: " + flag + " " + goDuration(edges[min(at, len(edges)-1)])
	switch row.how {
	case "formula":
		if lo, hi, n, ok := logGrid(edges, promise); ok {
			f.Do = "start the frontend with these, or " + near
			f.Lines = []string{
				fmt.Sprintf("%s_MIN=%s %s_MAX=%s %s_COUNT=%d", row.name, short(lo), row.name, short(hi), row.name, n),
			}
			f.Details = append(f.Details, "releases until September 2026 read DYN_HISTOGRAM_"+row.name+"_… instead")
		} else {
			f.Do = near + "; an edge has two significant digits"
		}
	case "list":
		f.Do = "start the engine with this, or " + near
		with := slices.Clone(edges)
		with = slices.Insert(with, at, promise)
		words := make([]string, len(with))
		for i, e := range with {
			words[i] = short(e)
		}
		f.Lines = []string{row.name + " " + strings.Join(words, " ")}
	default:
		f.Do = near + "; this engine's edges are fixed"
	}
	return f, true
}

// maxMove bounds how far a proposed grid may be from the present one: the
// logarithm of its top's ratio, and a fifth per added edge.
const maxMove = 1.2

// logGrid finds MIN, MAX and COUNT of the frontend's formula so that the
// promise is an edge: edge 0 is 0, edge i is min·(max/min)^(i/(count−1)) rounded to
// two significant digits. It keeps the present MIN and COUNT where a MAX near
// the present one does, and adds edges where the promise lies beyond them.
func logGrid(edges []float64, promise float64) (lo, hi float64, n int, ok bool) {
	n = len(edges)
	if n < 4 || edges[0] != 0 || twoDigits(promise) != promise {
		return 0, 0, 0, false
	}
	top := max(edges[n-1], 4*promise)
	if lo = lowest(edges); lo <= 0 || lo >= promise {
		return 0, 0, 0, false
	}
	best, present := maxMove, n
	for count := present; count <= present+4; count++ {
		for k := 1; k < count; k++ {
			want := lo * math.Pow(promise/lo, float64(count-1)/float64(k))
			off := math.Abs(math.Log(want/top)) + 0.2*float64(count-present)
			if off >= best {
				continue
			}
			for digits := 1; digits <= 4; digits++ {
				if most := rounded(want, digits); edgeOf(lo, most, count, k) == promise {
					best, hi, n, ok = off, most, count, true
					break
				}
			}
		}
	}
	return lo, hi, n, ok
}

// lowest is the MIN of the formula behind edges, which is none of them: the
// roundest number that gives the same edges again.
func lowest(edges []float64) float64 {
	n := len(edges)
	about := edges[1] / math.Pow(edges[n-1]/edges[1], 1/float64(n-2))
	for digits := 1; digits <= 2; digits++ {
		lo := rounded(about, digits)
		same := 0
		for i := 1; i < n; i++ {
			if edgeOf(lo, edges[n-1], n, i) == edges[i] {
				same++
			}
		}
		if 10*same >= 7*n {
			return lo
		}
	}
	return twoDigits(about)
}

// edgeOf is edge i of the frontend's formula.
func edgeOf(lo, hi float64, count, i int) float64 {
	if i == 0 {
		return 0
	}
	return twoDigits(lo * math.Pow(hi/lo, float64(i)/float64(count-1)))
}

// twoDigits rounds to two significant digits.
func twoDigits(v float64) float64 { return rounded(v, 2) }

func rounded(v float64, digits int) float64 {
	out, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', digits-1, 64), 64)
	return out
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }

// goDuration spells seconds as a flag takes them: 470ms, 1.2s.
func goDuration(s float64) string {
	return time.Duration(math.Round(s * 1e9)).Round(100 * time.Nanosecond).String()
}
