package main

import (
	"slices"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/cmd/dynascope/trial"
	"dynascope/profiling/triage/advice"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
)

// Advice and a baseline from one store, as check and the console ask for them.
func TestAdviceAndBaselineOfAStore(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	sc, err := scenario.Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Config{Scenario: sc, Start: trial.Epoch})
	if err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(t.Context(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	const until = 4 * time.Minute
	if _, err := virtual.Run(t.Context(), w, store, virtual.Options{Interval: 5 * time.Second, Until: until}); err != nil {
		t.Fatal(err)
	}
	o, cat, at := &origin{store: store}, catalog.Default(), trial.Epoch.Add(until)

	// The simulated TTFT grid has no edge at the SLA, and nobody here knows how
	// a simulated worker was started.
	r := adviser(o, cat, verdict.SLA{TTFT: 150 * time.Millisecond, ITL: 25 * time.Millisecond})(t.Context(), at, catalog.Scope{})
	if !slices.ContainsFunc(r.Advice, func(a advice.Advice) bool { return a.Code == "buckets-sla" || a.Code == "buckets-crowded" }) {
		t.Errorf("nothing about the buckets in %+v", r.Advice)
	}
	for _, u := range r.Unknown {
		if u.Reveal == "" || u.Setting == "" {
			t.Errorf("it is not said what would tell: %+v", u)
		}
	}

	got, path, err := learnBaselines(o, cat, true)(t.Context(), at, 3*time.Minute, catalog.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	kept := (settings{}).baselines()
	snap := o.feed(cat).Tick(t.Context(), feed.Ask{At: at, Window: time.Minute})
	mean, n, ok := kept.of(snap).Of("frontend.ttft")
	if want, _, _ := got.Set.Of(snap).Of("frontend.ttft"); !ok || mean != want || n < 50 {
		t.Errorf("%s keeps %v from %v, learned was %v", path, mean, n, want)
	}
}
