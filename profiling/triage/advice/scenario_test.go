package advice

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
)

// advised plays a scenario and judges its last moment; nobody knows any flag.
func advised(t *testing.T, name string, until time.Duration) Report {
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
	snap := feed.New(store, catalog.Default()).Tick(t.Context(), feed.Ask{At: noon.Add(until), Needs: Needs(All()), Window: Look})
	return Judge(Input{Snap: snap, Processes: Processes(snap), SLA: verdict.SLA{TTFT: sc.SLA.TTFT, ITL: sc.SLA.ITL}}, All())
}

// What the scenarios show is advised, and a healthy deployment gets no advice
// but about what it could measure better.
func TestScenarios(t *testing.T) {
	for _, c := range []struct {
		name  string
		until time.Duration
		codes []string // beside those about buckets
		long  bool
	}{
		{"healthy", 5 * time.Minute, nil, false},
		{"kv-pressure", 8 * time.Minute, []string{"memory-share-low", "tp-for-kv"}, true},
		{"kv-transfer-bound", 6 * time.Minute, []string{"page-size-small"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("long")
			}
			t.Parallel()
			r := advised(t, c.name, c.until)
			var got []string
			for _, a := range r.Advice {
				if !strings.HasPrefix(a.Code, "buckets-") && !slices.Contains(got, a.Code) {
					got = append(got, a.Code)
				}
			}
			if !slices.Equal(got, c.codes) {
				t.Errorf("advised %v, want %v\n%+v", got, c.codes, r)
			}
		})
	}
}
