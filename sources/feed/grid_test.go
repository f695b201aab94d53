package feed

import (
	"context"
	"slices"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

func TestGrid(t *testing.T) {
	for window, want := range map[time.Duration]time.Duration{
		time.Minute: 0, 99 * time.Second: 0, 100 * time.Second: 2 * time.Second, 5 * time.Minute: 5 * time.Second,
		15 * time.Minute: 5 * time.Second, 2 * time.Hour: 5 * time.Second,
	} {
		if got := grid(window); got != want {
			t.Errorf("%v: every %v, want %v", window, got, want)
		}
	}
}

// A look-back over minutes is asked for at moments of its own, which do not
// depend on when the ticks come; present values are of the tick.
func TestLookBacksKeepToTheirGrid(t *testing.T) {
	rate := sources.Need{Key: "engine.ttft", Form: sources.FormMean, Window: 15 * time.Minute}
	short := sources.Need{Key: "engine.ttft", Form: sources.FormMean, Window: time.Minute}
	now := sources.Need{Key: "engine.running", Form: sources.FormNow}
	f := New(&slowStore{}, catalog.Default())
	for s := range 12 {
		at := time.Unix(1_700_000_000+int64(s), 0)
		snap := f.Tick(context.Background(), Ask{Needs: []sources.Need{rate, short, now}, At: at})
		if got, want := snap.Figure(rate).At, at.Truncate(5*time.Second); !got.Equal(want) {
			t.Errorf("second %d: the rate is of %v, want %v", s, got, want)
		}
		for _, n := range []sources.Need{short, now} {
			if got := snap.Figure(n).At; !got.Equal(at) {
				t.Errorf("second %d: %v is of %v", s, n, got)
			}
		}
	}
}

// Live, each of these moments is asked for once, whenever the ticks come.
func TestOneQuestionAMoment(t *testing.T) {
	rate := sources.Need{Key: "engine.ttft", Form: sources.FormMean, Window: 15 * time.Minute}
	store := &slowStore{}
	f := New(store, catalog.Default())
	var moments []time.Time
	for range 20 {
		fig := f.Tick(context.Background(), Ask{Needs: []sources.Need{rate}}).Figure(rate)
		if !fig.Live() {
			t.Fatalf("%v %s", fig.Status, fig.Err)
		}
		if !slices.ContainsFunc(moments, fig.At.Equal) {
			moments = append(moments, fig.At)
		}
	}
	if asked := store.count("[15m]"); asked != len(moments) {
		t.Errorf("asked %d times for %d moments", asked, len(moments))
	}
}

// A course asks again for its newest column until the scrapes that belong to it
// must have landed, and then waits for the next.
func TestCoursesRestBetweenColumns(t *testing.T) {
	course := sources.Need{Key: "engine.ttft", Form: sources.FormCount, Window: 7 * time.Minute}.Over(10*time.Minute, 30*time.Second)
	store := &slowStore{} // scraped every 15 s
	f := New(store, catalog.Default())
	begin := time.Unix(1_700_000_010, 0) // a multiple of the step
	for s := range 60 {
		before := store.count("[7m]")
		snap := f.Tick(context.Background(), Ask{Needs: []sources.Need{course}, At: begin.Add(time.Duration(s) * time.Second)})
		if asks, want := store.count("[7m]") > before, s%30 <= 15; asks != want {
			t.Errorf("second %d: asks: %v, want %v", s, asks, want)
		}
		if fig := snap.Figure(course); !fig.Live() {
			t.Fatalf("second %d: %v %s", s, fig.Status, fig.Err)
		}
	}
}
