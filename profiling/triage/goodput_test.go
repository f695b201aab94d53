package triage

import (
	"math"
	"testing"
	"time"

	"dynascope/sources"
)

// histogram is a figure of cumulative counts by edge.
func histogram(n sources.Need, have time.Duration, counts map[string]float64) *sources.Figure {
	f := &sources.Figure{Need: n, Status: sources.StatusOK, Window: have}
	for le, v := range counts {
		f.Series = append(f.Series, sources.Series{Labels: sources.Labels{"le": le}, Points: []sources.Point{{V: v}}})
	}
	return f
}

func shot(figures ...*sources.Figure) *sources.Snapshot {
	by := map[sources.Need]*sources.Figure{}
	for _, f := range figures {
		by[f.Need] = f
	}
	return sources.NewSnapshot(sources.Snapshot{At: time.Unix(0, 0)}, by)
}

func about(a, b float64) bool { return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) }

func TestGoodput(t *testing.T) {
	minute := time.Minute
	ttft := histogram(keptNeed("frontend.ttft", minute), minute, map[string]float64{"0.22": 60, "0.47": 90, "1": 114, "+Inf": 120})
	nan := math.NaN()
	for name, c := range map[string]struct {
		sla            Promise
		lo, hi, rl, rh float64
	}{
		"on an edge":       {Promise{TTFT: time.Second}, 0.95, 0.95, 1.9, 1.9},
		"between edges":    {Promise{TTFT: 500 * time.Millisecond}, 0.75, 0.95, 1.5, 1.9},
		"nothing promised": {Promise{}, nan, nan, nan, nan},
	} {
		g := GoodputOf(shot(ttft), c.sla, minute)
		if !about(g.TTFT.Lo, c.lo) || !about(g.TTFT.Hi, c.hi) || !about(g.RequestsLo, c.rl) || !about(g.RequestsHi, c.rh) {
			t.Errorf("%s: %+v", name, g)
		}
		if !math.IsNaN(g.ITL.Lo) || g.ITL.Status != sources.StatusPending {
			t.Errorf("%s: ITL was not asked, and is %+v", name, g.ITL)
		}
	}
}

func TestBurn(t *testing.T) {
	page := func(window, have time.Duration, within float64) *sources.Figure {
		return histogram(keptNeed("frontend.ttft", window), have, map[string]float64{"1": within, "2.2": 100, "+Inf": 100})
	}
	promise := Promise{TTFT: time.Second}
	for name, c := range map[string]struct {
		short, long *sources.Figure
		sla         Promise
		lo          float64 // of the short window
		surely      bool
		part        bool // of the long one
	}{
		"both":             {page(BurnShort, BurnShort, 80), page(BurnLong, BurnLong, 90), promise, 4, true, false},
		"only just now":    {page(BurnShort, BurnShort, 80), page(BurnLong, BurnLong, 98), promise, 4, false, false},
		"over":             {page(BurnShort, BurnShort, 99), page(BurnLong, BurnLong, 80), promise, 0.2, false, false},
		"a stricter one":   {page(BurnShort, BurnShort, 99), page(BurnLong, BurnLong, 98), Promise{TTFT: time.Second, Objective: 0.999}, 10, true, false},
		"between edges":    {page(BurnShort, BurnShort, 80), page(BurnLong, BurnLong, 80), Promise{TTFT: 1500 * time.Millisecond}, 0, false, false},
		"ten minutes only": {page(BurnShort, BurnShort, 80), page(BurnLong, 10*time.Minute, 80), promise, 4, true, true},
	} {
		b, itl := BurnOf(shot(c.short, c.long), c.sla)
		if !(math.Abs(b.Short.Lo-c.lo) < 1e-9) || b.Surely() != c.surely || b.Long.Part != c.part {
			t.Errorf("%s: %+v", name, b)
		}
		if itl.Surely() || !math.IsNaN(itl.Long.Lo) {
			t.Errorf("%s: nothing is known of ITL: %+v", name, itl)
		}
	}
}
