package triage

import (
	"cmp"
	"math"
	"slices"

	"dynascope/sources"
)

// Interference compares how late an event loop is now with how late it is
// while it has nothing to do: what a dashboard of a mean alone cannot tell.
type Interference struct {
	Instance string  // the frontend
	Mean     float64 // seconds of lateness in the window
	Baseline float64 // seconds while idle; NaN without any
	Factor   float64 // Mean over Baseline; NaN without a baseline
	Learned  bool    // Baseline was learned or given, not found in the courses
	// Least is the lowest course value, whatever the load: what there is to
	// say without a baseline. NaN without a course.
	Least float64
}

// The bounds of an interference factor: below Mild the loop is as good as
// idle, below Strong it is held up now and then.
const (
	Mild   = 2
	Strong = 10
)

// Against returns the same measured by a baseline that was learned or given, in
// seconds: over a whole window with little to do, it says more than the quietest
// column of the courses. One that is no number leaves everything as it is.
func (i Interference) Against(baseline float64) Interference {
	if math.IsNaN(baseline) || baseline < 0 {
		return i
	}
	i.Baseline, i.Learned = baseline, true
	i.Factor = i.Mean / max(baseline, leastLateness)
	return i
}

// Held says how much the loop is held up: 0 as good as idle, 1 now and then, 2
// strongly; -1 without a baseline.
func (i Interference) Held() int {
	switch {
	case math.IsNaN(i.Factor):
		return -1
	case i.Factor < Mild:
		return 0
	case i.Factor < Strong:
		return 1
	}
	return 2
}

// QuietRequests is how many requests in flight, all frontends together, still
// count as idle.
const QuietRequests = 1

// leastLateness is what a baseline is held to be at least: a loop that is never
// late by the canary's resolution would make any factor infinite.
const leastLateness = 50e-6

// Interferences reads the mean lateness of each frontend's event loop (one
// group an instance), its course over the window, and the course of requests in
// flight; the two courses have equal steps. The idle baseline is the lowest
// lateness of the columns in which no more than QuietRequests were in flight; a
// family of requests that had not yet appeared means none. Frontends come with
// the worst first.
func Interferences(now, course, inflight *sources.Figure) []Interference {
	quiet := quietTimes(inflight)
	courses := make(map[string][]sources.Point, len(course.Series))
	for _, s := range course.Series {
		courses[s.Labels["instance"]] = s.Points
	}
	var out []Interference
	for _, s := range now.Series {
		p, ok := s.Last()
		if !ok || math.IsNaN(p.V) {
			continue
		}
		in := Interference{Instance: s.Labels["instance"], Mean: p.V, Baseline: math.NaN(), Factor: math.NaN(), Least: math.NaN()}
		for _, p := range courses[in.Instance] {
			if math.IsNaN(p.V) || p.V < 0 {
				continue
			}
			if !(in.Least <= p.V) {
				in.Least = p.V
			}
			if quiet(p.T) && !(in.Baseline <= p.V) {
				in.Baseline = p.V
			}
		}
		if !math.IsNaN(in.Baseline) {
			in.Factor = in.Mean / max(in.Baseline, leastLateness)
		}
		out = append(out, in)
	}
	slices.SortStableFunc(out, func(a, b Interference) int { return cmp.Compare(b.Mean, a.Mean) })
	return out
}

// quietTimes says of a time whether next to nothing was in flight. Without any
// answer about requests nothing is known to be quiet.
func quietTimes(inflight *sources.Figure) func(int64) bool {
	if inflight == nil || inflight.Status != sources.StatusOK && inflight.Status != sources.StatusStale && inflight.Status != sources.StatusAbsent {
		return func(int64) bool { return false }
	}
	load := map[int64]float64{}
	first, step := int64(math.MaxInt64), inflight.Need.Step.Milliseconds()
	for _, s := range inflight.Series {
		for _, p := range s.Points {
			load[p.T] += p.V
			first = min(first, p.T)
		}
	}
	low := func(t int64) bool {
		v, known := load[t]
		return known && v <= QuietRequests || !known && t < first
	}
	// A gauge says what was in flight at a column's end; both of its ends
	// must be quiet.
	memo := map[int64]bool{}
	return func(t int64) bool {
		out, known := memo[t]
		if !known {
			out = low(t) && low(t-step)
			memo[t] = out
		}
		return out
	}
}
