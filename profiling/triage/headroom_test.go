package triage

import (
	"math"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

// drawn is a course of an hour's minutes.
func drawn(n sources.Need, of func(minute int) float64) *sources.Figure {
	f := &sources.Figure{Need: n, Status: sources.StatusOK, Title: n.Key, Window: n.Window}
	s := sources.Series{}
	for i := range 60 {
		if v := of(i); !math.IsNaN(v) {
			s.Points = append(s.Points, sources.Point{T: int64(i) * 60_000, V: v})
		}
	}
	f.Series = []sources.Series{s}
	return f
}

func roomOf(figures ...*sources.Figure) *sources.Snapshot {
	by := map[sources.Need]*sources.Figure{}
	for _, n := range HeadroomNeeds() {
		by[n] = &sources.Figure{Need: n, Status: sources.StatusAbsent, Title: n.Key}
	}
	for _, f := range figures {
		by[f.Need] = f
	}
	return sources.NewSnapshot(sources.Snapshot{
		At: time.Unix(3600, 0), Workers: []sources.Worker{{Instance: "a", Ranks: []string{"0"}}, {Instance: "b", Ranks: []string{"0"}}},
	}, by)
}

func card(v float64) *sources.Figure {
	return &sources.Figure{Need: roomCard, Status: sources.StatusOK, Series: []sources.Series{{Labels: sources.Labels{"model": "m"}, Points: []sources.Point{{V: v}}}}}
}

// day is a load between 2 and 10 a second, with some noise.
func day(i int) float64   { return 6 + 4*math.Sin(float64(i)/9) }
func noise(i int) float64 { return 1 + 0.02*math.Sin(float64(i*i)) }
func even(i int) float64  { return 5 * noise(i) }

func TestHeadroom(t *testing.T) {
	running := func(load func(int) float64) *sources.Figure {
		return drawn(roomRunning, func(i int) float64 { return 4 * load(i) * noise(i+1) })
	}
	kv := drawn(roomKV, func(i int) float64 { return 0.02 * day(i) * noise(i+2) })
	for name, c := range map[string]struct {
		snap   *sources.Snapshot
		sla    Promise
		first  string  // what binds first
		rate   float64 // about
		method string
	}{
		"batch binds":          {roomOf(drawn(roomArrivals, day), running(day), kv, card(64)), Promise{}, "batch", 32, "Theil–Sen"},
		"KV binds":             {roomOf(drawn(roomArrivals, day), running(day), kv, card(640)), Promise{}, "KV", 45, "Theil–Sen"},
		"an even load":         {roomOf(drawn(roomArrivals, even), running(even), card(64)), Promise{}, "batch", 32, "Little"},
		"the promise binds":    {roomOf(drawn(roomArrivals, day), running(day), card(64), drawn(roomTTFT, func(i int) float64 { return 0.1 + 0.02*day(i)*noise(i+3) })), Promise{TTFT: 500 * time.Millisecond}, "TTFT promise", 20, "Theil–Sen"},
		"the batch is full":    {roomOf(drawn(roomArrivals, even), drawn(roomRunning, func(int) float64 { return 128 }), card(64)), Promise{}, "batch", 5, "met"},
		"nothing of the load":  {roomOf(running(day), card(64)), Promise{}, "", 0, ""},
		"latency, even load":   {roomOf(drawn(roomArrivals, even), drawn(roomTTFT, even)), Promise{TTFT: 20 * time.Second}, "", 0, ""},
		"nothing is told":      {roomOf(), Promise{}, "", 0, ""},
		"latency against load": {roomOf(drawn(roomArrivals, day), drawn(roomTTFT, func(i int) float64 { return 1 - 0.01*day(i) })), Promise{TTFT: 20 * time.Second}, "", 0, ""},
	} {
		h := HeadroomOf(c.snap, c.sla)
		left, first, ok := h.Left()
		if ok != (c.first != "") || first.Resource != c.first {
			t.Errorf("%s: %q first (%v), want %q", name, first.Resource, ok, c.first)
			continue
		}
		if !ok {
			for _, x := range h.Ceilings {
				if x.Why == "" {
					t.Errorf("%s: no reason why %s is not known", name, x.Resource)
				}
			}
			continue
		}
		if math.Abs(first.Rate.Value/c.rate-1) > 0.1 || !strings.Contains(first.Method, c.method) {
			t.Errorf("%s: at %v by %q, want %v by %q", name, first.Rate.Value, first.Method, c.rate, c.method)
		}
		if want := max(0, first.Rate.Value/h.Rate-1); math.Abs(left-want) > 1e-9 {
			t.Errorf("%s: %v left of %v at %v", name, left, first.Rate.Value, h.Rate)
		}
		if c.method == "Theil–Sen" && !(first.Rate.Lo <= first.Rate.Value && first.Rate.Value <= first.Rate.Hi) {
			t.Errorf("%s: %+v", name, first.Rate)
		}
	}
}

// What is not exported is named.
func TestHeadroomMissing(t *testing.T) {
	got := strings.Join(HeadroomOf(roomOf(), Promise{}).Missing, ", ")
	for _, want := range []string{"arrivals", "most running requests", "kv.used_share"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q does not name %s", got, want)
		}
	}
}

// A rate that looks back further than the store does is no arrival rate.
func TestHeadroomOfAYoungStore(t *testing.T) {
	figures := roomOf(drawn(roomArrivals, func(i int) float64 {
		if i == 59 { // half filled: half as high as it is
			return 3
		}
		return math.NaN()
	}), drawn(roomRunning, func(int) float64 { return 20 }), card(64))
	young := *figures
	young.Oldest = time.UnixMilli(59*60_000 - 30_000)
	h := HeadroomOf(&young, Promise{})
	if !math.IsNaN(h.Rate) || !math.IsNaN(h.Ceilings[0].Rate.Value) || h.Ceilings[0].Why == "" {
		t.Errorf("%+v", h)
	}
	old := *figures
	old.Oldest = time.UnixMilli(57 * 60_000)
	if h := HeadroomOf(&old, Promise{}); h.Rate != 3 {
		t.Errorf("rate %v of a store that is old enough", h.Rate)
	}
}
