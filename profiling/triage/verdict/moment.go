package verdict

import (
	"iter"
	"math"
	"sort"
	"time"

	"dynascope/sources"
)

// Baselines answers what a number is while there is little to do. Nil means
// that nothing was learned.
type Baselines interface {
	// Of returns the baseline of a catalogue key's mean ("frontend.ttft"), and
	// from how many observations it was learned; ok is false when it was not.
	Of(key string) (mean, n float64, ok bool)
}

// Moment is one column of everything that was asked, as a rule sees it.
// Numbers of a moment whose look-back the store does not fill yet are not
// there.
type Moment struct {
	c *matter
	i int
}

// matter is all columns of one judgement.
type matter struct {
	snap    *sources.Snapshot
	base    Baselines
	sla     SLA
	first   int64 // milliseconds of column 0
	columns int
	oldest  int64 // milliseconds of the store's first sample
	needs   map[sources.Need]*grid
	workers map[string]*sources.Worker // by instance
	shared  map[onceKey]any
}

// grid is one figure as columns.
type grid struct {
	fig    *sources.Figure
	groups []group
	by     map[string]map[string][]int // label → value → groups, for those that were looked for
	ready  int                         // first column whose look-back is filled
}

type group struct {
	labels sources.Labels
	vals   []float64 // NaN where there is no sample
}

func newMatter(snap *sources.Snapshot, rules []Rule, base Baselines, sla SLA) *matter {
	last := snap.At.UnixMilli() / Step.Milliseconds() * Step.Milliseconds()
	c := &matter{
		snap: snap, base: base, sla: sla, columns: int(Span / Step),
		needs: map[sources.Need]*grid{}, workers: map[string]*sources.Worker{},
		shared: map[onceKey]any{},
	}
	c.first = last - int64(c.columns-1)*Step.Milliseconds()
	c.oldest = c.first - (24 * time.Hour).Milliseconds()
	if !snap.Oldest.IsZero() {
		c.oldest = snap.Oldest.UnixMilli()
	}
	for _, r := range rules {
		for _, n := range r.Needs {
			if n = course(n); c.needs[n] == nil {
				c.needs[n] = c.grid(snap.Figure(n))
			}
		}
	}
	for i := range snap.Workers {
		if w := &snap.Workers[i]; w.Instance != "" {
			c.workers[w.Instance] = w
		}
	}
	return c
}

func (c *matter) grid(f *sources.Figure) *grid {
	g := &grid{fig: f}
	if looksBack(f.Need.Form) {
		window := max(f.Window, f.Need.Window)
		if wait := c.oldest + window.Milliseconds() - c.first; wait > 0 {
			g.ready = int((wait + Step.Milliseconds() - 1) / Step.Milliseconds())
		}
	}
	if !f.HasValue() {
		return g
	}
	for _, s := range f.Series {
		vals := make([]float64, c.columns)
		for i := range vals {
			vals[i] = math.NaN()
		}
		for _, p := range s.Points {
			if i := int((p.T - c.first) / Step.Milliseconds()); i >= g.ready && i < c.columns {
				vals[i] = p.V
			}
		}
		g.groups = append(g.groups, group{s.Labels, vals})
	}
	return g
}

// of is the grid of a need; one that no rule declared is a mistake of the rule.
func (m Moment) of(n sources.Need) *grid {
	g := m.c.needs[course(n)]
	if g == nil {
		panic("verdict: a rule reads " + n.Key + " in form " + string(n.Form) + " by " + n.By + " without naming it in its Needs")
	}
	return g
}

// At is the moment.
func (m Moment) At() time.Time {
	return time.UnixMilli(m.c.first + int64(m.i)*Step.Milliseconds()).UTC()
}

// SLA is what was promised.
func (m Moment) SLA() SLA { return m.c.sla }

// Newest says whether this is the last moment, at which the snapshot was taken.
func (m Moment) Newest() bool { return m.i == m.c.columns-1 }

// Value is a figure without groups, or its first group; ok is false where
// there is no number.
func (m Moment) Value(n sources.Need) (float64, bool) {
	for _, g := range m.of(n).groups {
		return g.vals[m.i], !math.IsNaN(g.vals[m.i])
	}
	return 0, false
}

// Or is Value, or another number where there is none.
func (m Moment) Or(n sources.Need, other float64) float64 {
	if v, ok := m.Value(n); ok {
		return v
	}
	return other
}

// Where is the first group that has all of want and a number.
func (m Moment) Where(n sources.Need, want sources.Labels) (float64, bool) {
	for g := range m.of(n).with(want) {
		if v := g.vals[m.i]; !math.IsNaN(v) {
			return v, true
		}
	}
	return 0, false
}

// Group is one group's number.
type Group struct {
	Labels sources.Labels
	V      float64
}

// Groups are the groups that have a number, in the order of their labels. The
// labels must not be changed.
func (m Moment) Groups(n sources.Need) []Group {
	g := m.of(n)
	out := make([]Group, 0, len(g.groups))
	for _, s := range g.groups {
		if v := s.vals[m.i]; !math.IsNaN(v) {
			out = append(out, Group{s.labels, v})
		}
	}
	return out
}

// Buckets are the buckets of a FormBuckets need, of the groups that have all of
// want.
func (m Moment) Buckets(n sources.Need, want sources.Labels) (sources.Buckets, bool) {
	var in []sources.Series
	for s := range m.of(n).with(want) {
		if v := s.vals[m.i]; !math.IsNaN(v) {
			in = append(in, sources.Series{Labels: s.labels, Points: []sources.Point{{V: v}}})
		}
	}
	b, ok := sources.BucketsOf(in)
	return b, ok && b.N > 0
}

// Course is the last d of the first group that has all of want, up to this
// moment, a value every Step, oldest first, NaN for a gap. It is shorter near
// the first column, and must not be changed.
func (m Moment) Course(n sources.Need, want sources.Labels, d time.Duration) []float64 {
	for g := range m.of(n).with(want) {
		return g.vals[max(0, m.i+1-int(d/Step)) : m.i+1]
	}
	return nil
}

// Before is the same moment some time earlier, ok is false when that was not
// judged.
func (m Moment) Before(d time.Duration) (Moment, bool) {
	i := m.i - int(d/Step)
	return Moment{m.c, i}, i >= 0
}

// Known says whether any spelling of a need's family exists.
func (m Moment) Known(n sources.Need) bool {
	f := m.of(n).fig
	return f.Status != sources.StatusAbsent && f.Status != sources.StatusPending && f.Status != sources.StatusError || f.HasValue()
}

// Window is the look-back that was really used for a need.
func (m Moment) Window(n sources.Need) time.Duration { return m.of(n).fig.Window }

// Baseline is what a key's mean is while there is little to do, and from how
// many observations that was learned.
func (m Moment) Baseline(key string) (mean, n float64, ok bool) {
	if m.c.base == nil {
		return 0, 0, false
	}
	return m.c.base.Of(key)
}

// Worker is the worker whose page an instance is; ok is false for any other
// target.
func (m Moment) Worker(instance string) (sources.Worker, bool) {
	if w := m.c.workers[instance]; w != nil {
		return *w, true
	}
	return sources.Worker{}, false
}

// Workers are the workers as the snapshot lists them: those of its own moment.
func (m Moment) Workers() []sources.Worker { return m.c.snap.Workers }

// Targets are the targets as the snapshot lists them: those of its own moment.
func (m Moment) Targets() []sources.Target { return m.c.snap.Targets }

// Events are what happened up to this moment, newest first.
func (m Moment) Events() []sources.Event {
	all, at := m.c.snap.Events, m.At()
	return all[sort.Search(len(all), func(i int) bool { return !all[i].At.After(at) }):]
}

// CulpritOf names the worker behind an instance, or the instance itself.
func (m Moment) CulpritOf(instance string) Culprit {
	if w, ok := m.Worker(instance); ok {
		name := w.Short
		if name == "" {
			name = instance
		}
		return Culprit{Kind: "worker", Name: name, Instance: instance, Worker: w.ID}
	}
	return Culprit{Kind: "target", Name: instance, Instance: instance}
}

// Number is evidence of one figure: its group with all of want, at this
// moment.
func (m Moment) Number(text string, n sources.Need, want sources.Labels, value, threshold float64) Evidence {
	g := m.of(n)
	return Evidence{
		Text: text, Need: n, Labels: want, Value: value, Threshold: threshold,
		Unit: g.fig.Unit, Window: g.fig.Window, Expr: g.fig.Expr,
	}
}

// with are the groups that have all of want, in their order. With hundreds of
// workers a rule looks each up in each column, so they are found by an index.
func (g *grid) with(want sources.Labels) iter.Seq[*group] {
	return func(yield func(*group) bool) {
		for _, name := range [...]string{"instance", "worker_id"} {
			value, ok := want[name]
			if !ok {
				continue
			}
			for _, i := range g.indexed(name)[value] {
				if has(g.groups[i].labels, want) && !yield(&g.groups[i]) {
					return
				}
			}
			return
		}
		for i := range g.groups {
			if has(g.groups[i].labels, want) && !yield(&g.groups[i]) {
				return
			}
		}
	}
}

// indexed are the groups by the values of one label, found once.
func (g *grid) indexed(name string) map[string][]int {
	if by, ok := g.by[name]; ok {
		return by
	}
	by := map[string][]int{}
	for i := range g.groups {
		v := g.groups[i].labels[name]
		by[v] = append(by[v], i)
	}
	if g.by == nil {
		g.by = map[string]map[string][]int{}
	}
	g.by[name] = by
	return by
}

func has(have, want sources.Labels) bool {
	for n, v := range want {
		if have[n] != v {
			return false
		}
	}
	return true
}
