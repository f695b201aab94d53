package triage

import (
	"math"
	"testing"
	"time"

	"dynascope/sources"
)

var routingNow = time.Date(2026, 11, 23, 12, 3, 40, 0, time.UTC)

// answered is a snapshot of figures that were all answered now.
func answered(s sources.Snapshot, figures map[sources.Need]*sources.Figure) *sources.Snapshot {
	s.At = routingNow
	for n, f := range figures {
		f.Need, f.At = n, routingNow
		if n.Form != sources.FormNow {
			f.Window = 5 * time.Minute
		}
	}
	return sources.NewSnapshot(s, figures)
}

func live(series ...sources.Series) *sources.Figure {
	return &sources.Figure{Status: sources.StatusOK, Series: series}
}

func group(v float64, labels ...string) sources.Series {
	l := sources.Labels{}
	for i := 0; i+1 < len(labels); i += 2 {
		l[labels[i]] = labels[i+1]
	}
	return sources.Series{Labels: l, Points: []sources.Point{{T: routingNow.UnixMilli(), V: v}}}
}

// course is a line on an axis, the newest value last.
func course(c Course, values ...float64) sources.Series {
	var out sources.Series
	for i, v := range values {
		at := routingNow.Add(-time.Duration(len(values)-1-i) * c.Step)
		out.Points = append(out.Points, sources.Point{T: at.UnixMilli(), V: v})
	}
	return out
}

func stagesOf(figures map[sources.Need]*sources.Figure, c Course) map[string]RoutingStage {
	out := map[string]RoutingStage{}
	for _, st := range RoutingStages(answered(sources.Snapshot{}, figures), c) {
		out[st.Key] = st
	}
	return out
}

func TestShares(t *testing.T) {
	c := RoutingCourse(5*time.Minute, 5*time.Minute)
	figures := map[sources.Need]*sources.Figure{}
	for key, v := range map[string]struct{ mean, n float64 }{
		"stage.preprocess":              {0.004, 100},
		"router.overhead.scheduling":    {0.003, 200}, // visited twice
		"router.overhead.total":         {0.5, 200},
		"router.overhead.shared_cache":  {0.5, 200},
		"stage.transport":               {1.4, 200},
		"request_plane.roundtrip_ttft":  {1.4, 200},
		"router.overhead.block_hashing": {math.NaN(), 200},
	} {
		figures[mean(key)] = live(group(v.mean))
		figures[sources.Need{Key: key, Form: sources.FormBuckets}] = live(group(v.n, "le", "+Inf"))
	}
	got := stagesOf(figures, c)
	for key, want := range map[string]float64{"stage.preprocess": 0.4, "router.overhead.scheduling": 0.6} {
		if v := got[key].Share; math.Abs(v-want) > 1e-9 {
			t.Errorf("%s has a share of %v, want %v", key, v, want)
		}
	}
	for _, key := range []string{"router.overhead.total", "router.overhead.shared_cache", "stage.transport", "request_plane.roundtrip_ttft"} {
		if v := got[key].Share; !math.IsNaN(v) {
			t.Errorf("%s encloses others or is one of them again, and has a share of %v", key, v)
		}
	}
}

func TestPeak(t *testing.T) {
	c := RoutingCourse(5*time.Minute, 5*time.Minute)
	flat := func(n int, v float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	with := func(v []float64, at int, x float64) []float64 { v[at] = x; return v }
	for name, x := range map[string]struct {
		means, visits []float64
		factor        float64 // 0: not marked
	}{
		"high":          {with(flat(30, 0.01), 20, 0.37), flat(30, 100), 37},
		"not by factor": {with(flat(30, 0.01), 20, 0.02), flat(30, 100), 0},
		"not by time":   {with(flat(30, 0.000001), 20, 0.0004), flat(30, 100), 0},
		"of few visits": {with(flat(30, 0.01), 20, 0.37), with(flat(30, 100), 20, 2), 0},
		"too short":     {with(flat(8, 0.01), 4, 0.37), flat(8, 100), 0},
	} {
		spent := make([]float64, len(x.means))
		for i := range spent {
			spent[i] = x.means[i] * x.visits[i] / c.Look.Seconds()
		}
		key := "router.overhead.find_matches"
		got := stagesOf(map[sources.Need]*sources.Figure{
			mean(key): live(group(0.01)), c.spent(key): live(course(c, spent...)), c.visits(key): live(course(c, x.visits...)),
		}, c)[key].Peak
		if got.Marked != (x.factor > 0) || got.Marked && math.Abs(got.Factor-x.factor) > 1e-6 {
			t.Errorf("%s: %+v", name, got)
		}
		if want := routingNow.Add(-9 * c.Step); got.Marked && (!got.At.Equal(want) || got.Over != 30*c.Step) {
			t.Errorf("%s: at %v over %v, want %v", name, got.At, got.Over, want)
		}
	}
}

func TestCourse(t *testing.T) {
	for _, x := range []struct{ window, have, span time.Duration }{
		{5 * time.Minute, 5 * time.Minute, 10 * time.Minute},
		{5 * time.Minute, 40 * time.Second, time.Minute},
		{5 * time.Minute, 3 * time.Minute, 5 * time.Minute},
		{30 * time.Minute, 30 * time.Minute, 30 * time.Minute},
		{0, 0, 10 * time.Minute},
	} {
		if got := RoutingCourse(x.window, x.have).Span; got != x.span {
			t.Errorf("%v of %v: %v, want %v", x.have, x.window, got, x.span)
		}
	}
	c := RoutingCourse(0, 0)
	points := c.Points(course(c, 1, 2, 3), routingNow)
	if points[CourseColumns-1] != 3 || points[CourseColumns-3] != 1 || !math.IsNaN(points[0]) {
		t.Errorf("%v", points)
	}
	if got := c.At(CourseColumns-1, routingNow); !got.Equal(routingNow) {
		t.Errorf("the newest column ends at %v", got)
	}
}

func TestRouterMode(t *testing.T) {
	front := sources.Target{Instance: "front:8000", Role: "frontend"}
	router := sources.Target{Instance: "router:9090"}
	absent := func() *sources.Figure { return &sources.Figure{Status: sources.StatusAbsent} }
	idle := func() *sources.Figure { return live(group(0, "instance", "front:8000")) }
	for name, x := range map[string]struct {
		decisions, routed, listed, events *sources.Figure
		want                              RouterMode
	}{
		"not asked":             {&sources.Figure{}, &sources.Figure{}, absent(), absent(), ModeUnknown},
		"has decided":           {live(group(9)), idle(), absent(), absent(), ModeKV},
		"lists workers":         {live(group(0)), idle(), live(group(1, "worker_id", "1")), absent(), ModeKV},
		"older, applies events": {live(group(0)), idle(), absent(), &sources.Figure{Status: sources.StatusOK}, ModeKV},
		"round robin at 1.6":    {live(group(0)), idle(), absent(), absent(), ModePlain},
		"round robin":           {absent(), idle(), absent(), absent(), ModePlain},
		"standalone":            {live(group(0)), live(group(0, "instance", "front:8000"), group(12, "instance", "router:9090")), live(group(1, "worker_id", "1")), absent(), ModeStandalone},
		"nothing":               {absent(), absent(), absent(), absent(), ModeNone},
	} {
		s := answered(sources.Snapshot{Targets: []sources.Target{front, router}}, map[sources.Need]*sources.Figure{
			needDecisions: x.decisions, needRouted: x.routed, needRegistered: x.listed, needKVEvents: x.events,
		})
		if got := RouterModeOf(s); got != x.want {
			t.Errorf("%s: got %q, want %q", name, got, x.want)
		}
	}
}

func TestRegret(t *testing.T) {
	by := func(a, b float64) *sources.Figure { return live(group(a, "model", "one"), group(b, "model", "two")) }
	s := answered(sources.Snapshot{}, map[sources.Need]*sources.Figure{
		needBest: by(1000, 500), needChosen: by(900, 500), needReused: by(600, 0), needPrompt: by(10, 5),
		needNonMax: live(group(7)), needLost: live(group(0.5)), needBlockSize: by(16, 16),
	})
	all, models := RoutingRegret(s)
	if all.GivenAway != 100 || all.WrongBelief != 800 || all.Prompt != 4500 || all.Share(all.GivenAway) != 100.0/4500 {
		t.Errorf("all: %+v", all)
	}
	if len(models) != 2 || models[0].WrongBelief != 300 || models[0].Silent || !models[1].Silent || !math.IsNaN(models[1].WrongBelief) {
		t.Errorf("by model: %+v", models)
	}
	if o := OverlapLostOf(s); o.Decisions != 7 || o.Blocks != 150 || o.Tokens != 2400 {
		t.Errorf("overlap lost: %+v", o)
	}
	if none, _ := RoutingRegret(answered(sources.Snapshot{}, nil)); !math.IsNaN(none.GivenAway) || !math.IsNaN(none.Share(1)) {
		t.Errorf("without families: %+v", none)
	}
}

// One worker has a decimal id at the router and a hexadecimal one on its page.
func TestBeliefs(t *testing.T) {
	w := sources.Worker{ID: "7f3a000000000001", Decimal: "9167444949186772993", Instance: "node:9090", Model: "M", Ranks: []string{"0", "1"}, State: sources.WorkerUp}
	router := func(rank string, v float64) sources.Series {
		return group(v, "worker_id", w.Decimal, "dp_rank", rank)
	}
	engine := func(rank string, v float64) sources.Series {
		return group(v, "instance", w.Instance, "dp_rank", rank)
	}
	s := answered(sources.Snapshot{Workers: []sources.Worker{w}}, map[sources.Need]*sources.Figure{
		needBlocks:      live(router("0", 1000), router("1", 400), group(5, "worker_id", "42", "dp_rank", "0")),
		needTokens:      live(router("0", 10), router("1", 20)),
		needUsedTokens:  live(engine("0", 16*300)),
		needKV:          live(engine("0", 0.9), engine("1", 0.5)),
		needBlockSize:   live(group(16, "model", "m")),
		needTotalBlocks: live(group(1000, "model", "m")),
	})
	rows, strangers := Beliefs(s)
	if len(rows) != 2 || len(strangers) != 1 || strangers[0] != "42" {
		t.Fatalf("%d rows, strangers %v", len(rows), strangers)
	}
	if b := rows[0]; b.Blocks.V != 1000 || b.EngineBlocks.V != 300 || b.Drift != 700 || !b.Drifted {
		t.Errorf("from tokens: %+v", b)
	}
	if b := rows[1]; b.EngineBlocks.V != 500 || b.Drift != -100 || b.Drifted {
		t.Errorf("from a share of the pool: %+v", b)
	}
}

func TestSight(t *testing.T) {
	listed := func(router, id, rank, kind string) sources.Series {
		return group(1, "instance", router, "namespace", "dynamo", "worker_id", id, "dp_rank", rank, "worker_type", kind)
	}
	for name, x := range map[string]struct {
		sources, registered []sources.Series
		want                Sight
	}{
		"one of four is missing": {
			[]sources.Series{group(3, "instance", "a", "state", "active"), group(1, "instance", "a", "state", "preconnected")},
			[]sources.Series{listed("a", "1", "0", "decode"), listed("a", "1", "1", "decode"), listed("a", "2", "0", "decode"), listed("a", "3", "0", "decode")},
			Sight{Connected: 3, Indexed: 4, Blind: 1, Listed: 4, Routers: 1},
		},
		"disaggregated: prefill alone is indexed": {
			[]sources.Series{group(1, "instance", "a", "state", "active")},
			[]sources.Series{listed("a", "1", "0", "prefill"), listed("a", "2", "0", "decode")},
			Sight{Connected: 1, Indexed: 1, Listed: 2, Routers: 1, Prefill: true},
		},
		"two routers, one of them half blind": {
			[]sources.Series{group(2, "instance", "a", "state", "active"), group(1, "instance", "b", "state", "active")},
			[]sources.Series{listed("a", "1", "0", "decode"), listed("a", "2", "0", "decode"), listed("b", "1", "0", "decode"), listed("b", "2", "0", "decode")},
			Sight{Connected: 3, Indexed: 4, Blind: 1, Listed: 2, Routers: 2},
		},
	} {
		x.want.Known, x.want.Status = true, sources.StatusOK
		got := RouterSight(answered(sources.Snapshot{}, map[sources.Need]*sources.Figure{needSources: live(x.sources...), needRegistered: live(x.registered...)}))
		if got != x.want {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
	}
}

func TestDecisions(t *testing.T) {
	f := live(group(0, "state", "unset"), group(1, "state", "scale_down_refused_consolidation"))
	if got := DecisionWords(Decision(f)); got != "no scale down: the rest could not take the load" {
		t.Errorf("%q", got)
	}
	if got := DecisionWords("some_new_state"); got != "some new state" {
		t.Errorf("%q", got)
	}
}
