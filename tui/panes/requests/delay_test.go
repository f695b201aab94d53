package requests

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
	"dynascope/tui/pane/panetest"
)

// look runs a scenario up to a moment and gives what the pane would be fed
// with there, over the window.
func look(t *testing.T, p *Pane, name string, until, window time.Duration) (out *sources.Snapshot) {
	t.Helper()
	sc, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	epoch := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w, err := world.New(world.Config{Scenario: sc, Start: epoch})
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
	f := panetest.Frame(140, 38)
	f.Window = window
	ticks := feed.New(store, catalog.Default())
	_, err = virtual.Run(t.Context(), w, store, virtual.Options{Interval: 5 * time.Second, Until: until, OnScrape: func(at time.Time) error {
		if !at.Equal(epoch.Add(until)) {
			return nil
		}
		for range 2 { // what is asked follows what was found
			out = ticks.Tick(t.Context(), feed.Ask{Needs: p.Needs(f), At: at, Window: window})
			f.Snap = out
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The scenario makes the frontend's loop late by 100 ms from 3m to 6m.
func TestInjectedDelayIsMet(t *testing.T) {
	const injected = 0.100
	p, f := New(), panetest.Frame(140, 38)
	f.Window = time.Minute
	f.Snap = look(t, p, "event-loop-delay", 5*time.Minute, time.Minute)
	shown, ok := f.Snap.Figure(mean("frontend.event_loop_delay")).Value()
	if !ok || math.Abs(shown-injected) > 0.1*injected {
		t.Errorf("the mean delay is %v, injected were %v", shown, injected)
	}
	all := p.frontends(f)
	if len(all) != 1 || math.Abs(all[0].Mean-injected) > 0.1*injected {
		t.Fatalf("frontends: %+v", all)
	}
	// The load never rests, so there is no baseline, and the pane says so.
	if !math.IsNaN(all[0].Baseline) || !(all[0].Least < 0.01) {
		t.Errorf("a baseline without a quiet time: %+v", all[0])
	}
	screen := ansi.Strip(p.View(f))
	for _, want := range []string{"no baseline", "none, least 1.1"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the screen does not say %q:\n%s", want, screen)
		}
	}
}
