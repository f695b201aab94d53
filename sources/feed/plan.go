package feed

import (
	"math"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// plan is how one need is asked.
type plan struct {
	fig      *sources.Figure
	query    catalog.Query
	interval time.Duration // of the slowest target that can expose it
	window   time.Duration
	scope    catalog.Scope
	at       time.Time // the moment it is asked for, see grid
	// ready is false while the store is too young for any answer.
	ready bool
}

// plan turns needs into questions and figures. A need that the catalogue
// refuses becomes a figure in error at once.
func (t *tick) plan(needs []sources.Need, into map[sources.Need]*sources.Figure, scope catalog.Scope) {
	for _, n := range needs {
		if _, done := into[n]; done {
			continue
		}
		fig := &sources.Figure{Need: n, At: t.At}
		into[n] = fig
		m, _ := t.cat.Metric(n.Key) // an unknown key is refused below
		fig.Title, fig.Unit, fig.Better = m.Title, m.Unit, m.Better
		interval := t.interval(m, n.Span)
		window := t.lookBack(n, interval)
		q, err := t.cat.Query(n, window, scope)
		if err != nil {
			fig.Status, fig.Err = sources.StatusError, err.Error()
			continue
		}
		at := t.At
		if g := grid(window); g > 0 && q.LooksBack && !n.IsRange() {
			at = t.At.Truncate(g)
			// As far back as before where the store is too young for more.
			if w := min(window, t.have-t.At.Sub(at)).Truncate(g); w < window && w >= 4*interval {
				if shorter, err := t.cat.Query(n, w, scope); err == nil {
					q, window = shorter, w
				}
			}
		}
		fig.Expr, fig.Tried, fig.Note = q.Expr, q.Families, q.Note
		// Where nothing else is served there is nothing to be told apart.
		fig.AllModels = q.AllModels && t.mixed.touches(m)
		if n.Form != sources.FormNow && n.Form != sources.FormTotal {
			fig.Window = window
		}
		t.plans = append(t.plans, &plan{fig: fig, query: q, interval: interval, window: window, scope: scope, at: at, ready: t.have > 0})
	}
}

// grid is how far apart the moments lie at which a look-back is asked for: a
// fiftieth of its window, in whole seconds, two at least and five at most, so
// that a window of five minutes is read again every fifth second and not with
// every tick. Such questions read the most samples, and their answers change
// the least. Zero asks for the moment itself. Which moments those are does not
// depend on what was asked before: a figure stays a function of the store and
// the moment.
func grid(window time.Duration) time.Duration {
	g := min(window/50, 5*time.Second).Truncate(time.Second)
	if g < 2*time.Second {
		return 0
	}
	return g
}

// lookBack is the window of a need: what was asked, but no longer than the
// store is old (a rate over five minutes of which twelve seconds are filled
// would be 25 times too low), and never below four scrapes at the given
// interval.
func (t *tick) lookBack(n sources.Need, interval time.Duration) time.Duration {
	w := n.Window
	switch {
	case n.IsRange() && w <= 0:
		w = n.Step
	case w <= 0:
		w = t.Window
	}
	least := 4 * interval
	if !n.IsRange() {
		w = min(w, t.have)
	}
	return max(w, least).Truncate(time.Second)
}

// judge gives every figure its status from what came back and what exists;
// unknown says that the latter could not be asked.
func (t *tick) judge(found presence, unknown error) {
	for _, p := range t.plans {
		f, n := p.fig, p.fig.Need
		f.Found = found.families(p.query)
		if f.Status == sources.StatusError || f.Status == sources.StatusStale {
			continue
		}
		switch {
		case len(f.Series) > 0:
			f.Status = valueStatus(f)
		case t.silent():
			f.Status, f.Note = sources.StatusAbsent, "no target answers"
		case !p.ready || !t.anyGood():
			f.Status = sources.StatusPending
		case unknown != nil:
			f.Status, f.Err = sources.StatusError, "ask which families exist: "+failure(unknown, t.limit())
		case !found.any(p.query):
			f.Status = sources.StatusAbsent
		case t.have < 2*p.interval+p.interval/2 && n.Form != sources.FormNow && n.Form != sources.FormTotal:
			f.Status = sources.StatusPending // one scrape makes no rate
		default:
			f.Status = sources.StatusIdle
		}
		if f.Status == sources.StatusIdle || f.Status == sources.StatusAbsent || f.Status == sources.StatusPending {
			f.Series = nil
		}
	}
}

// silent says that every target was asked, and none ever answered.
func (t *tick) silent() bool {
	for _, g := range t.targets {
		if g.Health != sources.HealthDown || !g.LastGood.IsZero() {
			return false
		}
	}
	return len(t.targets) > 0
}

// anyGood says whether any target has ever answered.
func (t *tick) anyGood() bool {
	for _, g := range t.targets {
		if !g.LastGood.IsZero() {
			return true
		}
	}
	return len(t.targets) == 0
}

// valueStatus judges an answer that holds series.
func valueStatus(f *sources.Figure) sources.Status {
	if f.Need.Form == sources.FormBuckets {
		if b, ok := sources.BucketsOf(f.Series); !f.Need.IsRange() && (!ok || b.N <= 0) {
			return sources.StatusIdle
		}
		return sources.StatusOK
	}
	for _, s := range f.Series {
		if p, ok := s.Last(); ok && !math.IsNaN(p.V) {
			return sources.StatusOK
		}
	}
	return sources.StatusNaN
}
