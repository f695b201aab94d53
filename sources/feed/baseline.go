package feed

import (
	"context"
	"maps"
	"time"

	"dynascope/sources"
)

// Baseline is a marked window: the moment at its end and its length. It holds
// no number; whoever compares asks the store for them again.
type Baseline struct {
	At     time.Time
	Window time.Duration
}

// baselineKey names one baseline's answers.
type baselineKey struct {
	Baseline
	scope string
}

// baselines is the memo of the newest baseline. Its questions go through a
// feed of their own, whose memos of the past do not push out those of now.
type baselines struct {
	feed *Feed
	key  baselineKey
	snap *sources.Snapshot // may be nil
}

// settledAfter is how old a moment is when no scrape of it can still come in.
const settledAfter = 15 * time.Second

// baseline answers a tick's instant needs, and its courses, at the baseline's
// moment; nil without one. What was asked before is not asked again.
func (f *Feed) baseline(ctx context.Context, ask Ask) *sources.Snapshot {
	b := ask.Baseline
	if b.At.IsZero() {
		return nil
	}
	key := baselineKey{b, scopeKey(ask.Scope)}
	f.mu.Lock()
	memo := f.base
	f.mu.Unlock()
	if memo.feed == nil {
		memo.feed = New(f.store, f.cat)
	}
	memo.feed.Limit, memo.feed.Parallel = f.Limit, f.Parallel
	if memo.key != key {
		memo.key, memo.snap = key, nil
	}
	have := map[sources.Need]*sources.Figure{}
	for _, fig := range memo.snap.Figures() {
		have[fig.Need] = fig
	}
	var missing []sources.Need
	want := func(n sources.Need) {
		if fig := have[n]; fig == nil || fig.Status == sources.StatusError || fig.Status == sources.StatusPending {
			missing = append(missing, n)
		}
	}
	for _, n := range ask.Needs {
		if !n.IsRange() {
			want(n)
		}
	}
	for _, n := range ask.Courses {
		want(n)
	}
	if len(missing) == 0 && memo.snap != nil {
		return memo.snap
	}
	got := memo.feed.Tick(ctx, Ask{Needs: missing, At: b.At, Window: b.Window, Scope: ask.Scope})
	for _, fig := range got.Figures() {
		have[fig.Need] = fig
	}
	snap := sources.NewSnapshot(*got, maps.Clone(have))
	memo.snap = snap
	if ask.At.IsZero() && time.Since(b.At) < settledAfter {
		memo.snap = nil
	}
	f.mu.Lock()
	f.base = memo
	f.mu.Unlock()
	return snap
}
