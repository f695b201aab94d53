package triage

import (
	"math"
	"testing"
	"time"

	"dynascope/sources"
)

func figureOf(n sources.Need, st sources.Status, series ...sources.Series) *sources.Figure {
	return &sources.Figure{Need: n, Status: st, Series: series}
}

func line(instance string, from int64, values ...float64) sources.Series {
	s := sources.Series{Labels: sources.Labels{}}
	if instance != "" {
		s.Labels["instance"] = instance
	}
	for i, v := range values {
		s.Points = append(s.Points, sources.Point{T: from + int64(i)*30_000, V: v})
	}
	return s
}

func TestInterferences(t *testing.T) {
	const t0 = int64(1_700_000_000_000)
	step := sources.Need{}.Over(time.Hour, 30*time.Second)
	now := figureOf(sources.Need{}, sources.StatusOK, line("a", t0, 0.004), line("b", t0, 0.100), line("c", t0, math.NaN()))
	course := figureOf(step, sources.StatusOK, line("a", t0, 0.001, 0.0005, 0.002, 0.004), line("b", t0, 0.002, 0.003, 0.001, 0.1))
	for name, c := range map[string]struct {
		inflight     *sources.Figure
		base, factor map[string]float64
		held         map[string]int
	}{
		// Quiet at the second and third column's both ends.
		"quiet for a while": {figureOf(step, sources.StatusOK, line("", t0, 0, 1, 0, 40)),
			map[string]float64{"a": 0.0005, "b": 0.001}, map[string]float64{"a": 8, "b": 100}, map[string]int{"a": 1, "b": 2}},
		"busy all the time": {figureOf(step, sources.StatusOK, line("", t0, 9, 8, 7, 40)), nil, nil, map[string]int{"a": -1, "b": -1}},
		"unknown load":      {figureOf(step, sources.StatusError), nil, nil, map[string]int{"a": -1, "b": -1}},
		"no request yet": {figureOf(step, sources.StatusAbsent),
			map[string]float64{"a": 0.0005, "b": 0.001}, map[string]float64{"a": 8, "b": 100}, map[string]int{"a": 1, "b": 2}},
		// Requests first appear in the third column: what came before was idle.
		"started later": {figureOf(step, sources.StatusOK, line("", t0+60_000, 30, 30)),
			map[string]float64{"a": 0.0005, "b": 0.002}, map[string]float64{"a": 8, "b": 50}, map[string]int{"a": 1, "b": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Interferences(now, course, c.inflight)
			if len(got) != 2 || got[0].Instance != "b" || got[1].Instance != "a" {
				t.Fatalf("the worst of two with a number is not first: %+v", got)
			}
			for _, g := range got {
				base, ok := c.base[g.Instance]
				if !ok {
					if !math.IsNaN(g.Baseline) || !math.IsNaN(g.Factor) || math.IsNaN(g.Least) {
						t.Errorf("%+v, want no baseline", g)
					}
				} else if g.Baseline != base || math.Abs(g.Factor-c.factor[g.Instance]) > 1e-9 {
					t.Errorf("%+v, want baseline %v and factor %v", g, base, c.factor[g.Instance])
				}
				if g.Held() != c.held[g.Instance] {
					t.Errorf("%s is held %d, want %d", g.Instance, g.Held(), c.held[g.Instance])
				}
			}
		})
	}
}

func TestHeld(t *testing.T) {
	for factor, want := range map[float64]int{0.5: 0, 1.99: 0, 2: 1, 9.99: 1, 10: 2, math.Inf(1): 2} {
		if got := (Interference{Factor: factor}).Held(); got != want {
			t.Errorf("a factor of %v is %d, want %d", factor, got, want)
		}
	}
}

// A learned baseline counts before the one found in the courses.
func TestAgainst(t *testing.T) {
	found := Interference{Mean: 0.02, Baseline: 0.005, Factor: 4, Least: 0.005}
	if got := found.Against(0.001); got.Baseline != 0.001 || math.Abs(got.Factor-20) > 1e-9 || !got.Learned || got.Least != 0.005 {
		t.Errorf("%+v", got)
	}
	if got := found.Against(0); got.Factor != 0.02/leastLateness || !got.Learned {
		t.Errorf("%+v", got)
	}
	for _, no := range []float64{math.NaN(), -1} {
		if got := found.Against(no); got != found {
			t.Errorf("against %v: %+v", no, got)
		}
	}
}
