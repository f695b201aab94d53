package triage

import (
	"math"
	"testing"
	"time"

	"dynascope/sources"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// stage is a histogram's mean and count in the window.
type stage struct{ mean, count float64 }

func snap(stages map[string]stage) *sources.Snapshot {
	figures := map[sources.Need]*sources.Figure{}
	add := func(n sources.Need, v float64, ok bool) {
		f := &sources.Figure{Need: n, Status: sources.StatusAbsent, At: noon, Tried: []string{"family_of_" + n.Key}}
		if ok {
			f.Status = sources.StatusOK
			f.Series = []sources.Series{{Labels: sources.Labels{}, Points: []sources.Point{{T: noon.UnixMilli(), V: v}}}}
		}
		figures[n] = f
	}
	for _, n := range PathNeeds() {
		st, ok := stages[n.Key]
		if n.Form == sources.FormMean {
			add(n, st.mean, ok)
		} else {
			add(n, st.count, ok)
		}
	}
	return sources.NewSnapshot(sources.Snapshot{At: noon}, figures)
}

func keys(p Path) map[string]float64 {
	out := map[string]float64{}
	for _, s := range p.Stages {
		out[s.Key] = s.Mean
	}
	return out
}

// The figures of the recorded aggregated deployment: 200 requests, the
// transport's count holds two router queries more.
func TestPathOfTheRecordedDeployment(t *testing.T) {
	p := PathOf(snap(map[string]stage{
		"frontend.ttft":         {0.05857, 200},
		"stage.preprocess":      {0.00384, 200},
		"stage.route":           {0.000003, 200},
		"router.overhead.total": {0.000107, 200},
		"stage.transport":       {0.05397, 202},
		"engine.ttft":           {0.0538, 200},
	}))
	k := keys(p)
	if k["route"] != 0.000107 {
		t.Errorf("route %g, want the router's total", k["route"])
	}
	if math.Abs(k["transport"]-0.00017) > 1e-9 || k["engine"] != 0.0538 {
		t.Errorf("transport %g, engine %g", k["transport"], k["engine"])
	}
	sum := 0.0
	for _, v := range k {
		sum += v
	}
	if math.Abs(sum-p.Total) > 1e-12 {
		t.Errorf("stages add to %g of %g", sum, p.Total)
	}
	for _, s := range p.Stages {
		if s.Key == "engine" && (s.Title != "engine (not split)" || len(s.Missing) == 0) {
			t.Errorf("an unsplit engine must say so and name what is missing: %+v", s)
		}
	}
}

func TestPathSplitsAnEngineThatExportsItsStages(t *testing.T) {
	p := PathOf(snap(map[string]stage{
		"frontend.ttft": {1.42, 1000}, "stage.preprocess": {0.004, 1000}, "stage.transport": {1.40, 1000},
		"engine.ttft": {1.395, 1000}, "engine.queue_time": {1.189, 1001}, "engine.prefill_time": {0.196, 999},
	}))
	k := keys(p)
	if k["queue"] != 1.189 || k["prefill"] != 0.196 || math.Abs(k["engine"]-0.01) > 1e-9 {
		t.Errorf("%v", k)
	}
}

func TestPathWithoutWorkerPagesIsOnePart(t *testing.T) {
	k := PathOf(snap(map[string]stage{"frontend.ttft": {1, 100}, "stage.transport": {0.9, 100}}))
	if len(k.Stages) != 2 || k.Stages[0].Title != "transport + engine (not split)" {
		t.Errorf("%+v", k.Stages)
	}
}

// Half of the workers are not scraped: the mean of the others says nothing
// about all requests.
func TestPathRefusesAnotherPopulation(t *testing.T) {
	k := keys(PathOf(snap(map[string]stage{
		"frontend.ttft": {1, 100}, "stage.transport": {0.9, 100}, "engine.ttft": {0.2, 40},
	})))
	if _, split := k["transport"]; split {
		t.Errorf("an engine TTFT of 40 of 100 requests was subtracted: %v", k)
	}
}

func TestPathDoesNotAddOverlappingRoundTrips(t *testing.T) {
	p := PathOf(snap(map[string]stage{
		"frontend.ttft": {0.1638, 200}, "stage.preprocess": {0.004, 200}, "stage.transport": {0.1244, 401}, "engine.ttft": {0.12, 200},
	}))
	k := keys(p)
	if len(k) != 2 || p.Note == "" || k["unattributed"] < 0.15 {
		t.Errorf("%v, note %q", k, p.Note)
	}
}

func TestPathWithoutTrafficHasNoStages(t *testing.T) {
	if p := PathOf(snap(nil)); len(p.Stages) != 0 || p.Status != sources.StatusAbsent {
		t.Errorf("%+v", p)
	}
}

// In five seconds the workers' pages may hold half again as many requests as
// the frontend's: nobody passes a stage twice because of that. Parts that then
// exceed the whole are said to.
func TestPathInAShortWindow(t *testing.T) {
	short := map[string]stage{
		"frontend.ttft": {0.086, 28}, "stage.transport": {0.082, 40}, "engine.ttft": {0.081, 44},
		"engine.queue_time": {0.004, 44}, "engine.prefill_time": {0.101, 44},
	}
	p := PathOf(snap(short))
	if got := keys(p)["prefill"]; got != 0.101 {
		t.Errorf("prefill %g, want its own mean once", got)
	}
	if p.Note == "" {
		t.Error("parts of more than the whole are not explained")
	}
	for n, want := range map[float64]float64{28: 1, 100: 2, 12: 2} {
		count := map[float64]float64{28: 44, 100: 200, 12: 24}[n]
		p := PathOf(snap(map[string]stage{"frontend.ttft": {1, n}, "stage.preprocess": {0.1, count}}))
		if got := keys(p)["preprocess"]; got != 0.1*want {
			t.Errorf("%g visits of %g requests: %g, want %g times", count, n, got, want)
		}
	}
}
