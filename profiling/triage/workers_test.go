package triage

import (
	"testing"
	"time"

	"dynascope/sources"
)

// A long window is read every few seconds: its figure is of that moment, and
// live; a value from before it was carried over from a page that died.
func TestFreshnessIsOfTheFiguresOwnMoment(t *testing.T) {
	j := join{snap: sources.NewSnapshot(sources.Snapshot{At: noon.Add(4 * time.Second)}, nil)}
	f := &sources.Figure{Status: sources.StatusOK, At: noon}
	for age, want := range map[time.Duration]sources.Status{0: sources.StatusOK, 50 * time.Millisecond: sources.StatusOK, 2 * time.Second: sources.StatusStale} {
		if got := j.freshness(f, sources.Point{T: noon.Add(-age).UnixMilli(), V: 1}); got != want {
			t.Errorf("%v before the figure's moment: %v, want %v", age, got, want)
		}
	}
}
