package virtual

import (
	"testing"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
)

// compared compares the window up to a moment with that of a baseline.
func (b *bed) compared(f *feed.Feed, baseline, at, window time.Duration) map[string]triage.Compared {
	b.Helper()
	instant, courses := triage.CompareNeeds(window)
	snap := f.Tick(b.Context(), feed.Ask{
		Needs: instant, Courses: courses, At: epoch.Add(at), Window: window,
		Baseline: feed.Baseline{At: epoch.Add(baseline), Window: window},
	})
	out := map[string]triage.Compared{}
	for _, c := range triage.Compare(snap, 500*time.Millisecond, 25*time.Millisecond) {
		out[c.ID] = c
	}
	return out
}

// What differs no more than windows do anyway is not called a change: in at
// most one of twenty tables of a healthy deployment.
func TestNoiseIsNoChange(t *testing.T) {
	names := []string{"healthy", "bursty-healthy"}
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, name)
			until := min(12*time.Minute, b.world.Scenario().Duration)
			if testing.Short() {
				until = 8 * time.Minute
			}
			b.run(Options{Interval: 5 * time.Second, Until: until})
			f := feed.New(b.store, catalog.Default())
			tables, wrong := 0, 0
			for _, w := range []time.Duration{90 * time.Second, 2 * time.Minute} {
				for at := 2 * w; at <= until; at += w {
					tables++
					rows := b.compared(f, w, at, w)
					if len(rows) < 15 {
						t.Fatalf("at %v the table has %d rows", at, len(rows))
					}
					changed := false
					for _, c := range rows {
						if c.Direction > triage.NoChange {
							changed = true
							t.Logf("%v at %v: %s %v to %v: %s", w, at, c.Title, c.Before.Lo, c.Now.Lo, c.Test)
						}
					}
					if changed {
						wrong++
					}
				}
			}
			t.Logf("%d of %d tables tell a change", wrong, tables)
			if wrong > max(1, tables/20) {
				t.Errorf("%d of %d tables of a healthy deployment tell a change", wrong, tables)
			}
		})
	}
}

// A true step is found, the bad way round, and what it does not touch is not.
func TestAStepIsAChange(t *testing.T) {
	b := open(t, "prefix-cache-collapse")
	b.run(Options{Interval: 5 * time.Second, Until: 6 * time.Minute})
	f := feed.New(b.store, catalog.Default())
	const w = 2 * time.Minute
	rows := b.compared(f, w+90*time.Second, 6*time.Minute, w)
	for _, id := range []string{"ttft", "ttft.p95", "itl", "hit", "stage.prefill"} {
		if c := rows[id]; c.Direction != triage.ForWorse {
			t.Errorf("%s %v to %v: direction %d, %s", id, c.Before, c.Now, c.Direction, c.Test)
		}
	}
	if c := rows["requests"]; c.Direction > triage.NoChange {
		t.Errorf("the load did not change, and %v to %v is called so: %s", c.Before.Lo, c.Now.Lo, c.Test)
	}
	// And back again: the same numbers, the good way round.
	rows = b.compared(f, 6*time.Minute, w+90*time.Second, w)
	if c := rows["ttft"]; c.Direction != triage.ForBetter {
		t.Errorf("ttft %v to %v: direction %d, %s", c.Before, c.Now, c.Direction, c.Test)
	}
	// Without the memo the answer is the same.
	again := b.compared(feed.New(b.store, catalog.Default()), 6*time.Minute, w+90*time.Second, w)
	for id, c := range rows {
		if o := again[id]; o.Now != c.Now || o.Before != c.Before || o.Direction != c.Direction {
			t.Errorf("%s asked again: %+v, was %+v", id, o, c)
		}
	}
}
