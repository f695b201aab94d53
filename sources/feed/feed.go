// Package feed turns the needs of panes into one immutable Snapshot per tick:
// it asks every distinct question once, extends courses over time by their
// newest columns only, tells stale from absent from idle, joins workers over
// the spellings of their ids, and limits all of that to the scope picked.
//
// It does not scrape, names no metric (only catalogue keys), keeps no state
// that the store could not give again (its caches are memos), and never fails
// a tick: a question that fails or hangs degrades its own figure.
package feed

import (
	"context"
	"sync"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// presenceWindow is how far back a family counts as known: within it a
// missing series is stale or idle, past it absent.
const presenceWindow = 5 * time.Minute

// Feed answers needs from one store. Tick may be called from one goroutine at
// a time; snapshots may be read from any. The exported fields are set before
// the first call.
type Feed struct {
	// Limit is the longest one question may take; zero means ten seconds. A
	// whole tick takes three times that at most.
	Limit time.Duration
	// Parallel is the number of questions in flight; zero means two, which
	// keeps one core free for the screen on the small machines this runs on.
	// One that waits long for its answer does not count.
	Parallel int
	// Newest is the present of a store that is a recording: the newest moment
	// it holds, asked in every tick without a moment of its own. Nil means
	// that the present is the clock's.
	Newest func() time.Time

	// Warning is what goes into the snapshots under this name. May be nil.
	Warning func() string

	store sources.Store
	cat   *catalog.Catalog

	mu      sync.Mutex        // guards what is below
	role    map[string]string // instance → role, as ticks found it
	slowed  map[string]slowed // instance → the slowest its scrapes have been
	columns map[columnKey]*columns
	stale   map[staleKey][]sources.Series
	good    map[goodKey]good
	past    map[pastKey]*pastRuns
	base    baselines
	unknown unknown
	seq     uint64
}

// New makes a feed over a store.
func New(store sources.Store, cat *catalog.Catalog) *Feed {
	return &Feed{
		store:   store,
		cat:     cat,
		role:    map[string]string{},
		slowed:  map[string]slowed{},
		columns: map[columnKey]*columns{},
		stale:   map[staleKey][]sources.Series{},
		good:    map[goodKey]good{},
		past:    map[pastKey]*pastRuns{},
	}
}

// Ask is one tick's question.
type Ask struct {
	Needs  []sources.Need
	At     time.Time // zero means now, and a live snapshot
	Window time.Duration
	// Scope limits the snapshot: figures, workers, targets and models. A model
	// or a namespace in Match is resolved into the instances that serve it
	// anew in every tick, so that a restarted worker joins by itself.
	Scope catalog.Scope
	// Events, when positive, asks for what happened in this span up to At.
	Events time.Duration
	// Baseline, when its moment is set, is asked the same instant needs, and
	// those of Courses; Courses are asked at both moments.
	Baseline Baseline
	Courses  []sources.Need
}

// tick is the work of one Tick: what is known of this moment, and the answers
// so far.
type tick struct {
	*Feed
	Ask
	live    bool
	have    time.Duration
	every   []sources.Target     // the store's
	targets []sources.Target     // those in the scope
	down    map[string]time.Time // instance → newest good scrape, zero when none in the presence window

	figures map[sources.Need]*sources.Figure
	plans   []*plan
	// who holds the answers from which roles, models and workers are read.
	// Without a scope they are figures like the others; with one they are
	// asked of everything, since who is outside is told by what is there.
	who   map[sources.Need]*sources.Figure
	mixed mixed // what the scope's pages hold besides its model

	qmu     sync.Mutex
	queries int
}

// begin starts the work of one moment.
func (f *Feed) begin(ask Ask) *tick {
	t := &tick{Feed: f, Ask: ask, live: ask.At.IsZero(), figures: map[sources.Need]*sources.Figure{}}
	switch {
	case t.live && f.Newest != nil:
		// A recording has no present of its own scrapes: what was up is read
		// from it, as for any other moment.
		t.live = false
		if t.At = f.Newest(); t.At.IsZero() {
			t.At = time.Now()
		}
	case t.live:
		t.At = time.Now()
	}
	if t.Window <= 0 {
		t.Window = 5 * time.Minute
	}
	t.have = presenceWindow * 1000
	if oldest := f.store.Oldest(); !oldest.IsZero() {
		t.have = max(0, t.At.Sub(oldest))
	}
	t.every = f.store.Targets()
	t.targets = append([]sources.Target(nil), t.every...)
	t.noteSlowed()
	return t
}

// Tick answers the needs at one moment. It returns when everything has been
// answered or given up on; what was not answered is marked.
func (f *Feed) Tick(ctx context.Context, ask Ask) *sources.Snapshot {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 3*f.limit())
	defer cancel()
	t := f.begin(ask)
	t.health(ctx)

	scoped := len(t.Scope.Match) > 0 || t.Scope.Instances != nil
	var fleet *fleet
	if scoped {
		t.askWho(ctx)
		fleet = t.fleet()
		t.enter(fleet)
	} else {
		t.who = t.figures
		t.plan(identityNeeds, t.figures, catalog.Scope{})
	}
	happened := t.events(ctx)
	t.plan(ask.Needs, t.figures, t.Scope)
	if !ask.Baseline.At.IsZero() {
		t.plan(ask.Courses, t.figures, t.Scope)
	}
	t.ask(ctx)
	t.settle(ctx)

	if fleet == nil {
		fleet = t.fleet()
	}
	workers := fleet.inside(t)
	t.noteSilentEngines(workers)
	events, eventsErr := happened() // ends all that counts questions

	f.mu.Lock()
	f.seq++
	seq := f.seq
	for _, g := range t.targets {
		f.role[g.Instance] = g.Role
	}
	f.prune(t)
	f.mu.Unlock()

	snap := sources.Snapshot{
		Seq: seq, At: t.At.UTC(), Live: t.live, Window: t.Window, Have: min(t.have, t.Window),
		Oldest: f.store.Oldest(), Store: f.store.Name(), Targets: t.targets, Models: fleet.models(t.Scope), Workers: workers,
		Took: time.Since(began), Queries: t.queries,
	}
	if f.Warning != nil {
		snap.Warning = f.Warning()
	}
	snap.Events, snap.EventsErr = events, eventsErr
	snap.Baseline = f.baseline(ctx, ask)
	return sources.NewSnapshot(snap, t.figures)
}

// settle gives the figures that were asked so far their status.
func (t *tick) settle(ctx context.Context) {
	found, err := t.presence(ctx)
	if err == nil {
		t.fillStale(ctx, found)
	}
	t.judge(found, err)
}

// askWho asks, of everything, from what the fleet is read.
func (t *tick) askWho(ctx context.Context) {
	t.who = map[sources.Need]*sources.Figure{}
	t.plan(identityNeeds, t.who, catalog.Scope{})
	t.ask(ctx)
	t.settle(ctx)
	t.plans = nil
}
