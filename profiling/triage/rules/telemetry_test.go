package rules

import (
	"math"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

func TestTelemetryMissing(t *testing.T) {
	const f, w, g = "f:8000", "w:9090", "g:9400"
	in := instanceOf
	id := sources.Labels{"worker_id": "255"}
	targets := []sources.Target{
		{Instance: f, Role: "frontend", Interval: time.Second}, {Instance: w, Role: "worker", Interval: time.Second}, {Instance: g, Role: "gpu", Interval: time.Second},
	}
	workers := []sources.Worker{{ID: "ff", Decimal: "255", Short: "ff", Instance: w}}
	nan := math.NaN()
	grows := func(i int) float64 { return float64(100 + 5*i) }
	stops := func(back time.Duration) func(int) float64 {
		return func(i int) float64 { return float64(100 + 5*min(i, columns-1-int(back.Seconds())/5)) }
	}
	well := func() map[sources.Need][]series {
		return map[sources.Need][]series{
			pageUp: {of(in(f), steady(1)), of(in(w), steady(1)), of(in(g), steady(1))}, listedBy: {of(id, steady(1))}, beliefBlocks: {of(id, steady(50))},
			askedNow: {of(nil, steady(100))}, ownRunning: {of(in(w), steady(4))}, ownUptime: {of(in(f), grows), of(in(w), grows)}, loopActive: {of(in(f), steady(4))},
		}
	}
	with := func(changes map[sources.Need][]series) map[sources.Need][]series { return plus(well(), changes) }
	down := func(who string, back time.Duration) []series {
		out := []series{}
		for _, x := range []string{f, w, g} {
			at := steady(1)
			if x == who || who == "all" {
				at = from(back, 1, 0)
			}
			out = append(out, of(in(x), at))
		}
		return out
	}
	falls := func(i int) float64 { return []float64{60, 40, 55, 30}[i%4] }
	for name, c := range map[string]struct {
		figures map[sources.Need][]series
		events  []sources.Event
		want    string
		says    string
	}{
		"all is there":                {well(), nil, "", ""},
		"the GPU's exporter is gone":  {with(map[sources.Need][]series{pageUp: down(g, time.Minute)}), nil, "warning " + g, "has not answered for 60 s"},
		"for a moment only":           {with(map[sources.Need][]series{pageUp: down(g, 10*time.Second)}), nil, "", ""},
		"the frontend serves on":      {with(map[sources.Need][]series{pageUp: down(f, time.Minute)}), nil, "warning " + f, "it serves on"},
		"the frontend may be down":    {with(map[sources.Need][]series{pageUp: down(f, time.Minute), askedNow: {of(nil, steady(0))}}), nil, "critical " + f, "may be down"},
		"the worker serves on":        {with(map[sources.Need][]series{pageUp: down(w, 35*time.Second), beliefBlocks: {of(id, falls)}}), nil, "warning ff", "by the router's books requests end there"},
		"the worker may be dying":     {with(map[sources.Need][]series{pageUp: down(w, 35*time.Second)}), nil, "", ""},
		"nothing tells of the worker": {with(map[sources.Need][]series{pageUp: down(w, 80*time.Second)}), nil, "warning ff", "whether it serves is not known"},
		"the worker hangs":            {with(map[sources.Need][]series{pageUp: down(w, 80*time.Second), inFlight: {of(id, steady(900))}}), nil, "", ""},
		"the worker is gone":          {with(map[sources.Need][]series{pageUp: down(w, 80*time.Second), listedBy: {of(sources.Labels{"worker_id": "7"}, steady(1))}}), nil, "", ""},
		"no KV router":                {with(map[sources.Need][]series{pageUp: down(w, 80*time.Second), listedBy: nil, beliefBlocks: nil}), nil, "warning ff", ""},
		"the page stands still":       {with(map[sources.Need][]series{ownUptime: {of(in(f), grows), of(in(w), stops(50*time.Second))}}), nil, "warning ff", "uptime stands still"},
		"for two scrapes":             {with(map[sources.Need][]series{ownUptime: {of(in(f), grows), of(in(w), stops(15*time.Second))}}), nil, "", ""},
		"it never told its uptime":    {with(map[sources.Need][]series{ownUptime: {of(in(f), grows), of(in(w), steady(0))}}), nil, "", ""},
		"families are lost":           {with(map[sources.Need][]series{ownRunning: {of(in(w), from(time.Minute, 4, nan))}}), nil, "warning ff", "has lost the engine's families"},
		"they were never there":       {with(map[sources.Need][]series{ownRunning: nil}), nil, "", ""},
		"another process has none yet": {with(map[sources.Need][]series{ownRunning: {of(in(w), from(time.Minute, 4, nan))}}),
			[]sources.Event{{At: laidAt.Add(-70 * time.Second), Kind: sources.EventRestarted, Instance: w, Worker: "ff"}}, "", ""},
		"nobody answers": {with(map[sources.Need][]series{pageUp: down("all", time.Minute)}), nil, "critical all targets", "no target answers"},
	} {
		j := laid{figures: c.figures, targets: targets, workers: workers, events: c.events}.judge(t, telemetryMissing())
		if got := is(j); got != c.want || len(j.Verdicts) > 1 || c.says != "" && !strings.Contains(j.Verdicts[0].Sentence, c.says) {
			t.Errorf("%s: %q, want %q; %+v", name, got, c.want, j.Verdicts)
		}
	}
}

// A page that ends with its worker's process is no telemetry of its own.
func TestPagesThatEndTogether(t *testing.T) {
	targets := []sources.Target{{Instance: "10.0.0.1:9090", Role: "worker", Interval: time.Second}, {Instance: "10.0.0.1:6880", Interval: time.Second}, {Instance: "10.0.0.2:6880", Interval: time.Second}}
	workers := []sources.Worker{{ID: "ff", Decimal: "255", Short: "ff", Instance: "10.0.0.1:9090"}}
	var up []series
	for _, g := range targets {
		up = append(up, of(instanceOf(g.Instance), from(35*time.Second, 1, 0)))
	}
	up = append(up, of(instanceOf("f:8000"), steady(1)))
	targets = append(targets, sources.Target{Instance: "f:8000", Role: "frontend", Interval: time.Second})
	j := laid{figures: map[sources.Need][]series{pageUp: up, listedBy: {of(sources.Labels{"worker_id": "7"}, steady(1))}}, targets: targets, workers: workers}.judge(t, telemetryMissing())
	if len(j.Verdicts) != 1 || j.Verdicts[0].Culprit.Instance != "10.0.0.2:6880" {
		t.Errorf("%+v", j.Verdicts)
	}
}

func TestOscillation(t *testing.T) {
	p := sources.Labels{"instance": "p:9085"}
	// Minutes before the end, and the number from then on.
	steps := func(text string) func(int) float64 {
		return func(i int) float64 {
			return float64(text[i*len(text)/columns] - '0')
		}
	}
	for name, c := range map[string]struct {
		count, wants string
		want         bool
	}{
		"up, down, up":               {"2222244224", "2222244224", true},
		"up and down":                {"2222442222", "2222442222", false},
		"a ramp":                     {"2222345678", "2222345678", false},
		"long ago":                   {"2424222222", "2424222222", false},
		"workers died and came back": {"2222212212", "2222222222", false},
		"its wish is not told":       {"2222244224", "", true},
	} {
		f := map[sources.Need][]series{replicaSides[0].count: {of(p, steps(c.count))}}
		if c.wants != "" {
			f[replicaSides[0].wants] = []series{of(p, steps(c.wants))}
		}
		j := laid{figures: f}.judge(t, oscillation())
		if got := is(j) == "warning decode replicas"; got != c.want {
			t.Errorf("%s: %+v", name, j.Verdicts)
		}
		if c.want && (len(j.Verdicts[0].Missing) > 0) != (c.wants == "") {
			t.Errorf("%s: missing %q", name, j.Verdicts[0].Missing)
		}
	}
}
