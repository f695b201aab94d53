package workers

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// item names a row over ticks and orders: a worker, by id or by address where
// it has none, and its DP rank.
type item struct{ worker, rank string }

// row is a worker's rank with what is drawn of it worked out. Its strings are
// clean.
type row struct {
	triage.WorkerRow
	item    item
	name    string // "7f3a", "7f3a/dp1"
	address string // the instance as labels spell it
	// old: its page no longer answers, or has not for longer than its scrapes
	// may take, so that its engine's numbers are not of now whatever their
	// status says. gone: nor will they be again.
	old, gone bool
	// age is the time since the last good scrape, known once there was one.
	age      time.Duration
	aged     bool
	haystack string // what free text is looked for in, lower case
	index    int    // in the snapshot's order
}

// listing is what the pane worked out for one snapshot, order and filter.
type listing struct {
	snap   *sources.Snapshot
	order  order
	filter string

	all       []row
	shown     []*row // of all, those that match, in order
	keys      []item // of those shown
	nameWidth int
	hostWidth int
	courses   map[sources.Need]courses
}

// courses are those of all workers for one need.
type courses struct {
	by   map[item]sources.Series
	most float64 // of all their points: the scale that rows are compared on
}

// listing joins, filters and sorts once per snapshot; snapshots are immutable.
func (p *Pane) listing(f pane.Frame) *listing {
	l := &p.memo
	fresh := l.snap != f.Snap || f.Snap == nil
	if fresh {
		*l = listing{snap: f.Snap, all: rowsOf(f.Snap), nameWidth: len("worker") + 1, hostWidth: len("host:port") + 1}
		for i := range l.all {
			l.nameWidth = max(l.nameWidth, cells.Width(l.all[i].name))
			l.hostWidth = max(l.hostWidth, cells.Width(l.all[i].Instance))
		}
	}
	if fresh || l.order != p.order || l.filter != p.filter.Text {
		l.order, l.filter = p.order, p.filter.Text
		l.shown = l.shown[:0:0]
		for i := range l.all {
			if p.filter.Match(&l.all[i]) {
				l.shown = append(l.shown, &l.all[i])
			}
		}
		p.order.sort(l.shown)
		l.keys = l.keys[:0:0]
		for _, r := range l.shown {
			l.keys = append(l.keys, r.item)
		}
	}
	return l
}

func rowsOf(s *sources.Snapshot) []row {
	joined := triage.WorkerRows(s)
	if len(joined) == 0 {
		return nil
	}
	targets := make(map[string]sources.Target, len(s.Targets))
	for _, t := range s.Targets {
		targets[t.Instance] = t
	}
	out := make([]row, len(joined))
	for i, j := range joined {
		r := row{WorkerRow: j, index: i, item: item{j.ID, j.Rank}, address: j.Instance}
		if j.ID == "" {
			r.item.worker = j.Instance
		}
		r.old = j.State == sources.WorkerStale || j.State == sources.WorkerGone
		r.gone = j.State == sources.WorkerGone
		last := j.LastGood
		page, scraped := targets[j.Instance]
		if scraped = scraped && j.Instance != "" && !page.LastGood.IsZero(); scraped {
			last = page.LastGood // a live worker's own LastGood is the tick's time
		}
		if !last.IsZero() {
			r.age, r.aged = max(0, s.At.Sub(last)), true
			r.old = r.old || scraped && r.age > page.StaleAfter()
		}
		for _, field := range []*string{&r.ID, &r.Decimal, &r.Short, &r.Instance, &r.Namespace, &r.Component, &r.Role, &r.Engine, &r.Model, &r.Rank, (*string)(&r.State)} {
			*field = text.Clean(*field, 64)
		}
		r.name = cmp.Or(r.Short, r.ID, r.Instance, "?")
		if len(j.Ranks) > 1 {
			r.name += "/dp" + r.Rank
		}
		r.haystack = strings.ToLower(strings.Join([]string{r.name, r.ID, r.Decimal, r.Role, r.Engine, r.Instance, string(r.State)}, "\n"))
		out[i] = r
	}
	return out
}

// row finds a row whatever the filter, nil when the snapshot has none such.
func (l *listing) row(it item) *row {
	for i := range l.all {
		if l.all[i].item == it {
			return &l.all[i]
		}
	}
	return nil
}

// live says whether the row's engine can be read now.
func (r *row) live() bool {
	return !r.old && r.State != sources.WorkerUnscraped
}

// late says whether the last good scrape is too long ago although none failed.
func (r *row) late() bool {
	return r.old && r.State != sources.WorkerStale && r.State != sources.WorkerGone
}

// engine returns a number of the worker's own page: at most stale when the
// page no longer answers. That nothing happens on a dead page is not known.
func (r *row) engine(c triage.Cell) triage.Cell {
	switch {
	case r.old && c.Status == sources.StatusOK:
		c.Status = sources.StatusStale
	case r.old && c.Status == sources.StatusIdle:
		c.Status = sources.StatusAbsent
	}
	return c
}

// course finds the courses of a need, indexed once per snapshot.
func (l *listing) course(n sources.Need) courses {
	if c, ok := l.courses[n]; ok {
		return c
	}
	c := courses{by: map[item]sources.Series{}}
	for _, s := range l.snap.Figure(n).Series {
		c.by[item{s.Labels["instance"], s.Labels["dp_rank"]}] = s
		for _, p := range s.Points {
			if p.V > c.most && !math.IsInf(p.V, 0) {
				c.most = p.V
			}
		}
	}
	if l.courses == nil {
		l.courses = map[sources.Need]courses{}
	}
	l.courses[n] = c
	return c
}

// of is a worker's own course. Lines without a rank are the only rank's.
func (c courses) of(r *row) sources.Series {
	if r.address == "" {
		return sources.Series{}
	}
	s, ok := c.by[item{r.address, r.item.rank}]
	if !ok && len(r.Ranks) == 1 {
		s = c.by[item{r.address, ""}]
	}
	return s
}

// order is the column that rows are sorted by; the zero order is the worst
// row first: by queue, then KV, then running.
type order struct {
	column   string // a column's id
	inverted bool
}

// worst is what the zero order sorts by.
var worst = [...]string{"queue", "kv", "run"}

func (o order) keys() []string {
	if o.column == "" {
		return worst[:]
	}
	return []string{o.column}
}

func (o order) falling() bool {
	c, ok := columnOf(o.column)
	return (!ok || c.text == nil) != o.inverted
}

// words says the order, in two words for narrow screens.
func (o order) words(w int) string {
	switch {
	case o.column == "" && o.inverted:
		return "least loaded first"
	case o.column == "" && w < 100:
		return "busiest first"
	case o.column == "":
		return "busiest first: queue, KV, running"
	case o.falling():
		return "by " + o.title() + ", falling"
	default:
		return "by " + o.title() + ", rising"
	}
}

func (o order) title() string {
	c, _ := columnOf(o.column)
	return c.title
}

// next is the order that the sort key switches to: column by column, then the
// busiest first again.
func (o order) next() order {
	all := columns()
	at := slices.IndexFunc(all, func(c column) bool { return c.id == o.column })
	if o.column == "" {
		at = -1
	}
	for _, c := range all[at+1:] {
		if c.id != "" {
			return order{column: c.id}
		}
	}
	return order{}
}

// sort sorts rows in place. Rows without a value are last in both directions,
// and equal ones keep the snapshot's order.
func (o order) sort(rows []*row) {
	var by []column
	for _, id := range o.keys() {
		if c, ok := columnOf(id); ok {
			by = append(by, c)
		}
	}
	falling := o.falling()
	slices.SortFunc(rows, func(a, b *row) int {
		for _, c := range by {
			if d := c.compare(a, b, falling); d != 0 {
				return d
			}
		}
		return cmp.Compare(a.index, b.index)
	})
}
