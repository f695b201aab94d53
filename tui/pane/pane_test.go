package pane

import (
	"testing"
	"time"

	"dynascope/sources"
)

func TestChartsCoverWhatThereIs(t *testing.T) {
	for _, c := range []struct{ have, window, want time.Duration }{
		{0, 5 * time.Minute, time.Minute},
		{24 * time.Second, 5 * time.Minute, time.Minute},
		{61 * time.Second, 5 * time.Minute, 2 * time.Minute},
		{5 * time.Minute, 5 * time.Minute, 5 * time.Minute},
		{30 * time.Second, time.Minute, time.Minute},
		{40 * time.Minute, 2 * time.Hour, time.Hour},
	} {
		f := Frame{Window: c.window, Snap: sources.NewSnapshot(sources.Snapshot{Have: c.have}, nil)}
		if got := f.Span(); got != c.want {
			t.Errorf("have %v of %v: span %v, want %v", c.have, c.window, got, c.want)
		}
		for _, w := range []int{0, 1, 37, 60, 200, 5000} {
			span, step := f.Columns(w)
			if step < time.Second || step%time.Second != 0 || span < c.want || span != step*time.Duration(max(w, 1)) {
				t.Errorf("%d columns of %v: span %v step %v", w, c.want, span, step)
			}
		}
	}
}

func TestSourceCyclesThroughAll(t *testing.T) {
	if s := FromFrontend.After(); s != FromRouter || s.After() != FromEngine || s.After().After() != FromFrontend {
		t.Error("o does not come round")
	}
}
