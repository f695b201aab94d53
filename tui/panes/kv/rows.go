package kv

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// item names a row over ticks and orders.
type item struct{ worker, rank string }

// row is a worker's rank with clean strings.
type row struct {
	triage.KVRow
	item    item
	name    string
	address string // the instance as labels spell it
	old     bool   // its page does not answer
	words   string // what free text is looked for in
	index   int
}

// listing is what was worked out for one snapshot, order and filter.
type listing struct {
	snap   *sources.Snapshot
	order  order
	filter string
	all    []row
	shown  []*row
	keys   []item // of those shown
	name   int    // width of the names
	spark  map[item]sources.Series
}

func (p *Pane) listing(f pane.Frame) *listing {
	l := &p.memo
	fresh := l.snap != f.Snap || f.Snap == nil
	if fresh {
		*l = listing{snap: f.Snap, all: rowsOf(f.Snap), name: len("worker")}
		for i := range l.all {
			l.name = max(l.name, cells.Width(l.all[i].name))
		}
	}
	if fresh || l.order != p.order || l.filter != p.filter.Text {
		l.order, l.filter = p.order, p.filter.Text
		l.shown = nil
		for i := range l.all {
			if p.filter.Match(&l.all[i]) {
				l.shown = append(l.shown, &l.all[i])
			}
		}
		p.order.sort(l.shown)
		l.keys = nil
		for _, r := range l.shown {
			l.keys = append(l.keys, r.item)
		}
	}
	return l
}

func rowsOf(s *sources.Snapshot) []row {
	joined := triage.KVRows(s)
	out := make([]row, len(joined))
	for i, j := range joined {
		r := row{KVRow: j, index: i, item: item{cmp.Or(j.ID, j.Instance), j.Rank}, address: j.Instance}
		r.old = j.State == sources.WorkerStale || j.State == sources.WorkerGone
		for _, field := range []*string{&r.ID, &r.Short, &r.Instance, &r.Role, &r.Engine, &r.Rank, (*string)(&r.State)} {
			*field = text.Clean(*field, 64)
		}
		r.name = cmp.Or(r.Short, r.ID, r.Instance, "?")
		if len(j.Ranks) > 1 {
			r.name += "/dp" + r.Rank
		}
		r.words = strings.ToLower(strings.Join([]string{r.name, r.ID, r.Role, r.Engine, r.Instance, string(r.State)}, "\n"))
		out[i] = r
	}
	return out
}

// course is the row's KV usage over time.
func (l *listing) course(r *row, n sources.Need) sources.Series {
	if l.spark == nil {
		l.spark = map[item]sources.Series{}
		for _, s := range l.snap.Figure(n).Series {
			l.spark[item{s.Labels["instance"], s.Labels["dp_rank"]}] = s
		}
	}
	if r.address == "" {
		return sources.Series{}
	}
	if s, ok := l.spark[item{r.address, r.item.rank}]; ok || len(r.Ranks) > 1 {
		return s
	}
	return l.spark[item{r.address, ""}]
}

// order is the column that rows are sorted by; the zero order is the fullest
// pool first.
type order struct {
	column   string
	inverted bool
}

func (o order) words() string {
	c, ok := columnOf(o.column)
	switch {
	case !ok && o.inverted:
		return "emptiest first"
	case !ok:
		return "fullest first"
	case c.text != nil == o.inverted:
		return "by " + c.title + ", falling"
	}
	return "by " + c.title + ", rising"
}

func (o order) next() order {
	all := columns()
	at := slices.IndexFunc(all, func(c column) bool { return o.column != "" && c.id == o.column })
	for _, c := range all[at+1:] {
		if c.id != "" {
			return order{column: c.id}
		}
	}
	return order{}
}

// sort sorts rows in place; rows without a value are last in both directions.
func (o order) sort(rows []*row) {
	c, ok := columnOf(o.column)
	if !ok {
		c, _ = columnOf("used")
	}
	slices.SortFunc(rows, func(a, b *row) int {
		d := 0
		if c.text != nil {
			d = strings.Compare(c.text(a), c.text(b))
		} else {
			x, y := c.cell(a), c.cell(b)
			switch {
			case x.Has() != y.Has():
				if x.Has() {
					return -1
				}
				return 1
			case x.Has():
				d = cmp.Compare(y.V, x.V) // the greatest first
			}
		}
		if o.inverted {
			d = -d
		}
		return cmp.Or(d, cmp.Compare(a.index, b.index))
	})
}

// SetFilter takes terms that a row must all satisfy: free text, role:, engine:,
// state:, host:, and used>90 for the columns of numbers; a leading ! turns one
// round. With an error the filter in force stays. It knows less than other
// screens' filters and refuses less: an unknown key is free text.
func (p *Pane) SetFilter(s string) error {
	var terms []func(*row) bool
	for _, word := range strings.Fields(s) {
		not := strings.HasPrefix(word, "!")
		term, err := parse(strings.ToLower(strings.TrimPrefix(word, "!")))
		if err != nil {
			return err
		}
		terms = append(terms, func(r *row) bool { return term(r) != not })
	}
	p.filter = selection.FilterOf(s, terms...)
	return nil
}

// Filter is the filter in force.
func (p *Pane) Filter() string { return p.filter.Text }

func parse(word string) (func(*row) bool, error) {
	if key, want, ok := strings.Cut(word, ":"); ok {
		field, known := map[string]func(*row) string{
			"role": func(r *row) string { return r.Role }, "engine": func(r *row) string { return r.Engine },
			"state": func(r *row) string { return string(r.State) }, "host": func(r *row) string { return r.Instance },
		}[key]
		if known {
			return func(r *row) bool { return strings.Contains(strings.ToLower(field(r)), want) }, nil
		}
	}
	if i := strings.IndexAny(word, "<>"); i > 0 {
		c, ok := columnOf(word[:i])
		if !ok || c.cell == nil {
			return nil, fmt.Errorf("no column %q to compare, hint: used>90, hit<20, role:decode", text.Clean(word[:i], 20))
		}
		v, err := strconv.ParseFloat(word[i+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("compare %s: %q is not a number", c.id, text.Clean(word[i+1:], 20))
		}
		if c.unit == "ratio" {
			v /= 100
		}
		return func(r *row) bool {
			x := c.cell(r)
			return x.Has() && (word[i] == '>' && x.V > v || word[i] == '<' && x.V < v)
		}, nil
	}
	return func(r *row) bool { return strings.Contains(r.words, word) }, nil
}
