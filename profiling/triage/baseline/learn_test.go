package baseline

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
)

// played is a scenario as a store holds it after a time.
func played(t *testing.T, name string, until time.Duration) (*feed.Feed, time.Time) {
	t.Helper()
	sc, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Config{Scenario: sc, Start: noon})
	if err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(t.Context(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := virtual.Run(t.Context(), w, store, virtual.Options{Interval: 5 * time.Second, Until: until}); err != nil {
		t.Fatal(err)
	}
	return feed.New(store, catalog.Default()), noon.Add(until)
}

func TestLearnFromAHealthyDeployment(t *testing.T) {
	f, at := played(t, "healthy", 4*time.Minute)
	got, err := From(t.Context(), f, at, 3*time.Minute, catalog.Scope{})
	t.Logf("%+v", got)
	for _, e := range got.Set.Entries() {
		t.Logf("%+v", e)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"frontend.ttft", "frontend.itl", "frontend.event_loop_delay", "engine.queue_time", "stage.route"} {
		mean, n, ok := got.Set.For(got.Deployment, got.Model).Of(key)
		if !ok || !(mean > 0) || n < LeastN {
			t.Errorf("%s is %v from %v, %v", key, mean, n, ok)
		}
	}
	// The mean of the whole window is near it: the deployment is calm.
	snap := f.Tick(t.Context(), feed.Ask{At: at, Needs: []sources.Need{{Key: "frontend.ttft", Form: sources.FormMean, Window: 3 * time.Minute}}})
	whole, _ := snap.Figure(sources.Need{Key: "frontend.ttft", Form: sources.FormMean, Window: 3 * time.Minute}).Value()
	if mean, _, _ := got.Set.For(got.Deployment, got.Model).Of("frontend.ttft"); math.Abs(mean/whole-1) > 0.25 {
		t.Errorf("TTFT %v while little is to do, %v over the whole window", mean, whole)
	}
	// Asked again, of a feed that has seen nothing else.
	if again, err := From(t.Context(), f, at, 3*time.Minute, catalog.Scope{}); err != nil || !reflect.DeepEqual(got, again) {
		t.Errorf("asked again: %+v (%v), was %+v", again, err, got)
	}
}

func TestNothingIsLearnedUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	f, at := played(t, "saturation-decode", 6*time.Minute)
	got, err := From(t.Context(), f, at, 2*time.Minute, catalog.Scope{})
	t.Logf("%+v %v", got, err)
	if err == nil || got.Set.Len() > 0 || !strings.Contains(err.Error(), "hint:") {
		t.Errorf("%v, %+v", err, got.Set.Entries())
	}
}

// built is a snapshot of courses over the last minutes, of the same values in
// every look and column.
func built(p Plan, values map[sources.Need]map[string]float64) *sources.Snapshot {
	figures := map[sources.Need]*sources.Figure{}
	for n, groups := range values {
		step := n.Step
		last := noon.UnixMilli() / step.Milliseconds() * step.Milliseconds()
		f := &sources.Figure{Need: n, Status: sources.StatusOK, Window: n.Window}
		for in, v := range groups {
			s := sources.Series{Labels: sources.Labels{}}
			if in != "" {
				s.Labels["instance"] = in
			}
			for at := last - (n.Span + time.Minute).Milliseconds(); at <= last; at += step.Milliseconds() {
				s.Points = append(s.Points, sources.Point{T: at, V: v})
			}
			f.Series = append(f.Series, s)
		}
		figures[n] = f
	}
	return sources.NewSnapshot(sources.Snapshot{At: noon, Models: []string{"m"}, Workers: []sources.Worker{{Namespace: "d"}}}, figures)
}

func TestWhatCountsAsLittleToDo(t *testing.T) {
	p := PlanOf(3*time.Minute, time.Second)
	one := func(v float64) map[string]float64 { return map[string]float64{"": v} }
	over := p.load
	for name, c := range map[string]struct {
		change map[sources.Need]map[string]float64 // nil takes the figure away
		low    bool
		want   string
	}{
		"calm":                    {nil, true, ""},
		"one waits":               {map[sources.Need]map[string]float64{over(waitingNeeds[0]): one(1)}, false, "waited in 18"},
		"one waits at the router": {map[sources.Need]map[string]float64{over(waitingNeeds[1]): one(1)}, false, "waited in 18"},
		"a batch is large":        {map[sources.Need]map[string]float64{over(needRunning): {"a": 2, "b": 17}}, false, "busy in 18"},
		"a pool is filled":        {map[sources.Need]map[string]float64{over(needKV): {"a": 0.31, "b": 0.1}}, false, "busy in 18"},
		"no limit, a pool":        {map[sources.Need]map[string]float64{over(needMost): nil}, true, ""},
		"engines are silent":      {map[sources.Need]map[string]float64{over(waitingNeeds[0]): nil}, false, "in 0 of 18"},
		"silent, one by one":      {map[sources.Need]map[string]float64{over(waitingNeeds[0]): nil, over(needActive): one(1)}, true, ""},
		"nothing tells":           {map[sources.Need]map[string]float64{over(waitingNeeds[0]): nil, over(needActive): nil}, false, "no load is known"},
		"few requests":            {map[sources.Need]map[string]float64{p.count("frontend.ttft"): one(2)}, false, "36 observations"},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[sources.Need]map[string]float64{
				over(waitingNeeds[0]): one(0), over(waitingNeeds[1]): one(0), over(needActive): one(9),
				over(needRunning): {"a": 4, "b": 4}, over(needMost): {"a": 64, "b": 64}, over(needKV): {"a": 0.1, "b": 0.1},
				p.sum("frontend.ttft"): one(0.8), p.count("frontend.ttft"): one(40),
			}
			for n, v := range c.change {
				values[n] = v
				if v == nil {
					delete(values, n)
				}
			}
			got, err := p.Learn(built(p, values))
			if !c.low {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want %q; %+v", err, c.want, got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := []Entry{{Deployment: "d", Model: "m", Key: "frontend.ttft", Mean: 0.2, N: 720, Learned: noon}}
			if e := got.Set.Entries(); len(e) != 1 || math.Abs(e[0].Mean-0.2) > 1e-12 || e[0].N != 720 || e[0].Deployment != "d" || !e[0].Learned.Equal(noon) {
				t.Errorf("%+v, want %+v", e, want)
			}
		})
	}
}

func TestPlanOf(t *testing.T) {
	for _, c := range []struct{ span, interval, wantSpan, wantStep time.Duration }{
		{10 * time.Minute, time.Second, 10 * time.Minute, 10 * time.Second},
		{10 * time.Minute, 5 * time.Second, 10 * time.Minute, 20 * time.Second},
		{10 * time.Minute, 17 * time.Second, 9*time.Minute + 20*time.Second, 70 * time.Second},
		{5 * time.Second, 0, 10 * time.Second, 10 * time.Second},
	} {
		if p := PlanOf(c.span, c.interval); p.Span != c.wantSpan || p.Step != c.wantStep {
			t.Errorf("PlanOf(%v, %v) = %+v", c.span, c.interval, p)
		}
	}
}
