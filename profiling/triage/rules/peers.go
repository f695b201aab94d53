package rules

import (
	"cmp"
	"math"
	"slices"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

// peers are workers that do the same work on the same engine, so that their
// numbers may be held against each other: of one namespace, role, model and
// engine.
type peers struct {
	role    string
	members []sources.Worker // that have a page
}

// peersOf groups the workers that have a page.
func peersOf(m verdict.Moment) []peers {
	return m.Once("peers", func() any {
		type key struct{ namespace, role, model, engine string }
		at := map[key]int{}
		var out []peers
		for _, w := range m.Workers() {
			if w.Instance == "" {
				continue
			}
			k := key{w.Namespace, w.Role, w.Model, w.Engine}
			i, ok := at[k]
			if !ok {
				i, at[k] = len(out), len(out)
				out = append(out, peers{role: w.Role})
			}
			out[i].members = append(out[i].members, w)
		}
		return out
	}).([]peers)
}

// median is NaN of nothing.
func median(vals []float64) float64 {
	if len(vals) == 0 {
		return math.NaN()
	}
	s := slices.Clone(vals)
	slices.SortFunc(s, cmp.Compare[float64])
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// rest are the values without one of them.
func rest(vals []float64, without int) []float64 {
	out := make([]float64, 0, len(vals))
	out = append(out, vals[:without]...)
	return append(out, vals[without+1:]...)
}
