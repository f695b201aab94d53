package world

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
)

// load reads a shipped scenario.
func load(t testing.TB, name string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func build(t testing.TB, c Config) *World {
	t.Helper()
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Every shipped scenario runs, and two runs of one seed are alike to the byte:
// the truth and every page.
func TestShippedScenariosRepeat(t *testing.T) {
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(step time.Duration) (string, map[string]string) {
				var truth bytes.Buffer
				w := build(t, Config{Scenario: load(t, name), Truth: &truth})
				// How it is advanced changes nothing.
				for at := step; at <= 45*time.Second; at += step {
					w.Advance(at)
				}
				pages := map[string]string{}
				for _, e := range w.Endpoints() {
					pages[e.Name] = string(w.Page(e.Name).Body)
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				return truth.String(), pages
			}
			a, pagesA := run(45 * time.Second)
			b, pagesB := run(1665 * time.Millisecond / 37)
			if a != b || len(a) < 100 {
				t.Errorf("the truth differs from run to run, or there is none (%d and %d bytes)", len(a), len(b))
			}
			for n := range pagesA {
				if d := firstDifference(pagesA[n], pagesB[n]); d != "" {
					t.Errorf("page %s differs from run to run: %s", n, d)
				}
			}
		})
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return x[i] + " | " + y[i]
		}
	}
	if len(x) != len(y) {
		return "their lengths"
	}
	return ""
}
