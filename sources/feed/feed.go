// Package feed turns the needs of panes into one immutable Snapshot per tick:
// it asks every distinct question once, extends courses over time by their
// newest columns only, tells stale from absent from idle, and joins workers
// over the spellings of their ids.
//
// It does not scrape, names no metric (only catalogue keys), keeps no state
// that the store could not give again (its caches are memos), and never fails
// a tick: a question that fails degrades its own figure.
package feed

import (
	"context"
	"sort"
	"sync"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// presenceWindow is how far back a family counts as known: within it a
// missing series is stale or idle, past it absent.
const presenceWindow = 5 * time.Minute

// parallel is the number of questions in flight; two keep one core free for
// the screen on the small machines this runs on.
const parallel = 2

// Feed answers needs from one store. Tick may be called from one goroutine at
// a time; snapshots may be read from any.
type Feed struct {
	store sources.Store
	cat   *catalog.Catalog

	role   map[string]string // instance → role, as the last tick found it
	slowed map[string]slowed // instance → the slowest its scrapes have been

	mu      sync.Mutex // guards the memos below
	columns map[columnKey]*columns
	stale   map[staleKey][]sources.Series
	seq     uint64
}

// New makes a feed over a store.
func New(store sources.Store, cat *catalog.Catalog) *Feed {
	return &Feed{
		store:   store,
		slowed:  map[string]slowed{},
		cat:     cat,
		columns: map[columnKey]*columns{},
		stale:   map[staleKey][]sources.Series{},
	}
}

// Ask is one tick's question.
type Ask struct {
	Needs  []sources.Need
	At     time.Time // zero means now, and a live snapshot
	Window time.Duration
	Scope  catalog.Scope
}

// tick is the work of one Tick: what is known of this moment, and the answers
// so far.
type tick struct {
	*Feed
	Ask
	live    bool
	have    time.Duration
	targets []sources.Target
	down    map[string]time.Time // instance → newest good scrape, zero when none in the presence window

	figures map[sources.Need]*sources.Figure
	plans   map[sources.Need]plan

	mu      sync.Mutex
	queries int
}

// Tick answers the needs at one moment. It returns when everything has been
// answered or the context ended; what was not answered is marked.
func (f *Feed) Tick(ctx context.Context, ask Ask) *sources.Snapshot {
	began := time.Now()
	t := &tick{Feed: f, Ask: ask, live: ask.At.IsZero(), figures: map[sources.Need]*sources.Figure{}, plans: map[sources.Need]plan{}}
	if t.live {
		t.At = began
	}
	if t.Window <= 0 {
		t.Window = 5 * time.Minute
	}
	t.have = presenceWindow * 1000
	if oldest := f.store.Oldest(); !oldest.IsZero() {
		t.have = max(0, t.At.Sub(oldest))
	}
	t.targets = f.store.Targets()
	t.noteSlowed()
	t.health(ctx)

	t.plan(identityNeeds)
	t.plan(ask.Needs)
	t.ask(ctx)
	found := t.presence(ctx)
	t.fillStale(ctx, found)
	t.judge(found)

	f.mu.Lock()
	f.seq++
	seq := f.seq
	f.prune(t)
	f.mu.Unlock()

	targets := t.roles()
	f.role = map[string]string{}
	for _, g := range targets {
		f.role[g.Instance] = g.Role
	}
	workers := t.workers()
	t.noteSilentEngines(workers)
	snap := sources.Snapshot{
		Seq: seq, At: t.At.UTC(), Live: t.live, Window: t.Window, Have: min(t.have, t.Window),
		Store: f.store.Name(), Targets: targets, Models: t.models(), Workers: workers,
		Took: time.Since(began), Queries: t.queries,
	}
	return sources.NewSnapshot(snap, t.figures)
}

// slowed is a target's longest interval since it was last above the one asked
// for, and when that was.
type slowed struct {
	interval time.Duration
	at       time.Time
}

// noteSlowed remembers intervals that grew: a course still shows the time when
// scrapes came less often, and would have gaps there at today's least window.
func (t *tick) noteSlowed() {
	if !t.live {
		return
	}
	for _, g := range t.targets {
		was := t.slowed[g.Instance]
		switch {
		case g.Slowed:
			t.slowed[g.Instance] = slowed{max(g.Interval, was.interval), t.At}
		case t.At.Sub(was.at) > 2*time.Hour:
			delete(t.slowed, g.Instance)
		}
	}
}

// interval is the longest interval among the targets that can expose a metric,
// now and within the span that is shown: the yardstick of its least window. A
// frontend's figures do not blur because a worker is scraped less often.
func (t *tick) interval(m catalog.Metric, span time.Duration) time.Duration {
	frontendOnly := len(m.Variants) > 0
	for _, v := range m.Variants {
		frontendOnly = frontendOnly && (v.Producer == "frontend" || v.Producer == "router")
	}
	d := time.Second
	for _, g := range t.targets {
		if role := t.role[g.Instance]; frontendOnly && (role == "worker" || role == "gpu") {
			continue
		}
		d = max(d, g.Interval)
		if was := t.slowed[g.Instance]; span > 0 && t.At.Sub(was.at) < span+4*was.interval {
			d = max(d, was.interval)
		}
	}
	return d
}

// health finds the targets that are down at the tick's moment, and when each
// was last good. Live, the store knows; for the past the up series does.
func (t *tick) health(ctx context.Context) {
	t.down = map[string]time.Time{}
	if t.live {
		for _, g := range t.targets {
			// A target whose scrapes stopped coming is as dead as one whose
			// scrapes fail: three intervals old is never live.
			late := g.Health == sources.HealthUp && t.At.Sub(g.LastGood) > g.StaleAfter()
			if g.Health == sources.HealthDown || late {
				t.down[g.Instance] = withinPresence(g.LastGood, t.At)
			}
		}
		return
	}
	up := map[string]bool{}
	for _, s := range t.instant(ctx, "up", t.At) {
		if p, ok := s.Last(); ok && p.V == 1 {
			up[s.Labels["instance"]] = true
		}
	}
	dead := false
	for i, g := range t.targets {
		t.targets[i] = sources.Target{Instance: g.Instance, URL: g.URL, Interval: g.Interval, BaseInterval: g.BaseInterval, Insecure: g.Insecure, Health: sources.HealthUp, LastGood: t.At, LastScrape: t.At}
		if !up[g.Instance] {
			t.targets[i].Health, t.targets[i].LastGood = sources.HealthDown, time.Time{}
			t.down[g.Instance], dead = time.Time{}, true
		}
	}
	if !dead {
		return
	}
	// The subquery runs only when something is down: 300 steps over up.
	const lastGood = `max by (instance) (max_over_time(timestamp(up == 1)[5m:1s]))`
	for _, s := range t.instant(ctx, lastGood, t.At) {
		p, ok := s.Last()
		in := s.Labels["instance"]
		if _, isDown := t.down[in]; !ok || !isDown {
			continue
		}
		at := time.UnixMilli(int64(p.V * 1000))
		t.down[in] = at
		for i := range t.targets {
			if t.targets[i].Instance == in {
				t.targets[i].LastGood = at
			}
		}
	}
}

func withinPresence(good, at time.Time) time.Time {
	if good.IsZero() || at.Sub(good) > presenceWindow {
		return time.Time{}
	}
	return good
}

// instant runs a helper question whose failure only means knowing less.
func (t *tick) instant(ctx context.Context, expr string, at time.Time) []sources.Series {
	t.count()
	got, err := t.store.Instant(ctx, expr, at)
	if err != nil {
		return nil
	}
	return got
}

func (t *tick) count() {
	t.mu.Lock()
	t.queries++
	t.mu.Unlock()
}

// each runs do over n items, a few at a time, and waits for all.
func each(n int, do func(i int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}

func sortSeries(in []sources.Series) {
	sort.Slice(in, func(i, j int) bool { return in[i].Labels.Key() < in[j].Labels.Key() })
}
