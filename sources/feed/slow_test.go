package feed

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// slowStore answers 1 to everything, but hangs or fails on questions that
// hold a text.
type slowStore struct {
	mu    sync.Mutex
	hangs string
	fails string
	asked map[string]int
}

func (s *slowStore) Name() string      { return "slow" }
func (s *slowStore) Oldest() time.Time { return time.Time{} }
func (s *slowStore) Targets() []sources.Target {
	now := time.Now()
	return []sources.Target{{Instance: "h:1", Health: sources.HealthUp, LastGood: now, LastScrape: now, Interval: 15 * time.Second}}
}

func (s *slowStore) answer(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	s.mu.Lock()
	hang := s.hangs != "" && strings.Contains(expr, s.hangs)
	fail := s.fails != "" && strings.Contains(expr, s.fails)
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[expr]++
	s.mu.Unlock()
	switch {
	case hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case fail:
		return nil, errors.New("query: 503 service unavailable")
	}
	return []sources.Series{{Labels: sources.Labels{"instance": "h:1"}, Points: []sources.Point{{T: at.UnixMilli(), V: 1}}}}, nil
}

func (s *slowStore) Instant(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	return s.answer(ctx, expr, at)
}

func (s *slowStore) Range(ctx context.Context, expr string, span sources.Span) ([]sources.Series, error) {
	return s.answer(ctx, expr, span.To)
}

func (s *slowStore) set(hangs, fails string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs, s.fails = hangs, fails
}

func (s *slowStore) count(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for expr, k := range s.asked {
		if strings.Contains(expr, text) && !strings.Contains(expr, "__name__") {
			n += k
		}
	}
	return n
}

var (
	hung    = sources.Need{Key: "engine.running", Form: sources.FormNow}
	alsoUp  = sources.Need{Key: "frontend.active", Form: sources.FormNow}
	hungFor = hung.Over(time.Minute, time.Second)
)

// Questions that hang cost their own figures, which keep their last good
// values; the others are answered, however few questions may be in flight.
func TestHungQuestionsDegradeTheirOwnFigures(t *testing.T) {
	store := &slowStore{}
	f := New(store, catalog.Default())
	f.Limit = 300 * time.Millisecond
	needs := []sources.Need{alsoUp, hung, hungFor}
	for _, key := range []string{"engine.waiting", "engine.kv_usage", "engine.max_running"} {
		needs = append(needs, sources.Need{Key: key, Form: sources.FormNow})
	}
	s := f.Tick(t.Context(), Ask{Needs: needs, Window: time.Minute})
	if v, ok := s.Figure(hung).Value(); !ok || v != 1 || s.Figure(hung).Status != sources.StatusOK {
		t.Fatalf("before: %+v", s.Figure(hung))
	}
	good := s.At

	store.set("sglang:", "")
	s = f.Tick(t.Context(), Ask{Needs: needs, Window: time.Minute})
	if fig := s.Figure(alsoUp); !fig.Live() || !fig.At.Equal(s.At) {
		t.Errorf("a question beside the hung ones: %+v", fig)
	}
	for _, n := range needs[1:] {
		fig := s.Figure(n)
		if fig.Status != sources.StatusError || !strings.Contains(fig.Err, "no answer within 300ms") || !fig.HasValue() {
			t.Errorf("%v: %v %q %v", n, fig.Status, fig.Err, fig.Series)
		}
		if fig.At.After(good) {
			t.Errorf("%v: the last good value is of %v, not of %v", n, fig.At, good)
		}
	}

	// A question that hung rests: it does not hold up the next tick.
	before := store.count("sglang:num_running_reqs")
	s = f.Tick(t.Context(), Ask{Needs: needs, Window: time.Minute})
	if fig := s.Figure(hung); fig.Status != sources.StatusError || !fig.HasValue() {
		t.Errorf("while it rests: %+v", fig)
	}
	if n := store.count("sglang:num_running_reqs"); n != before {
		t.Errorf("asked %d times more while it rests", n-before)
	}

	// Another moment is another question, and the last good value of now is
	// not shown there.
	past := s.At.Add(-time.Hour)
	if fig := f.Tick(t.Context(), Ask{Needs: []sources.Need{hung}, At: past, Window: time.Minute}).Figure(hung); fig.Status != sources.StatusError || fig.HasValue() {
		t.Errorf("an hour ago: %v %v", fig.Status, fig.Series)
	}
}

func TestAFailingStoreIsNotAnAbsentFamily(t *testing.T) {
	store := &slowStore{}
	store.set("", "e") // whatever is asked
	s := New(store, catalog.Default()).Tick(t.Context(), Ask{Needs: []sources.Need{hung, hungFor}, Window: time.Minute})
	for _, n := range []sources.Need{hung, hungFor} {
		if fig := s.Figure(n); fig.Status != sources.StatusError || !strings.Contains(fig.Err, "503") {
			t.Errorf("%v: %v %q", n, fig.Status, fig.Err)
		}
	}
	store.set("", "")
	quiet := &empty{slowStore: store}
	s = New(quiet, catalog.Default()).Tick(t.Context(), Ask{Needs: []sources.Need{hung}, Window: time.Minute})
	if fig := s.Figure(hung); fig.Status != sources.StatusError || !strings.Contains(fig.Err, "which families exist") {
		t.Errorf("nothing found and presence unknown: %v %q", fig.Status, fig.Err)
	}
}

// empty finds nothing, and cannot say which families exist.
type empty struct{ *slowStore }

func (s *empty) Instant(_ context.Context, expr string, _ time.Time) ([]sources.Series, error) {
	if strings.Contains(expr, "__name__") {
		return nil, errors.New("query: 422 too many series")
	}
	return nil, nil
}

// Windows hold four scrapes of a target that is scraped every 15 s, however
// short the one asked for.
func TestWindowsHoldFourScrapes(t *testing.T) {
	rate := sources.Need{Key: "frontend.output_tokens", Form: sources.FormRate, Window: 10 * time.Second}
	course := rate.Over(5*time.Minute, 5*time.Second)
	s := New(&slowStore{}, catalog.Default()).Tick(t.Context(), Ask{Needs: []sources.Need{rate, course}, Window: time.Minute})
	for _, n := range []sources.Need{rate, course} {
		if w := s.Figure(n).Window; w != time.Minute {
			t.Errorf("%v: window %v", n, w)
		}
	}
}

// The present of a recording is its newest moment.
func TestARecordingIsFollowed(t *testing.T) {
	newest := time.Date(2026, 11, 23, 3, 12, 0, 0, time.UTC)
	f := New(&slowStore{}, catalog.Default())
	f.Newest = func() time.Time { return newest }
	for range 2 {
		if s := f.Tick(t.Context(), Ask{Window: time.Minute}); !s.At.Equal(newest) || s.Live {
			t.Errorf("at %v live %v, want the newest moment %v", s.At, s.Live, newest)
		}
		newest = newest.Add(5 * time.Second)
	}
	at := newest.Add(-time.Minute)
	if s := f.Tick(t.Context(), Ask{At: at, Window: time.Minute}); !s.At.Equal(at) {
		t.Errorf("at %v, want %v", s.At, at)
	}
}
