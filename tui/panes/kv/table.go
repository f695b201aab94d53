package kv

import (
	"math"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/facts"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

var courseUsed = sources.Need{Key: "kv.used_share", Form: sources.FormExpr, By: "instance,dp_rank"}

// sparkWidth is the width of the course in the table, 0 without room.
func sparkWidth(w int) int {
	if w < 170 {
		return 0
	}
	return min(12+(w-170)/4, 40)
}

// column is one fact about a row.
type column struct {
	id, title string
	unit      string
	width     int
	priority  int
	text      func(*row) string
	cell      func(*row) triage.Cell
}

// columns in their order; the bar and the course have no id and are drawn by
// the table.
func columns() []column {
	number := func(id, title, unit string, width, priority int, cell func(*row) triage.Cell) column {
		return column{id: id, title: title, unit: unit, width: width, priority: priority, cell: cell}
	}
	return []column{
		{id: "worker", title: "worker", text: func(r *row) string { return r.name }},
		{id: "role", title: "role", width: 7, priority: 6, text: func(r *row) string { return short(r.Role) }},
		{id: "engine", title: "engine", width: 6, priority: 12, text: func(r *row) string { return r.Engine }},
		{title: "pool"},
		number("used", "used", "ratio", 6, 0, func(r *row) triage.Cell { return r.Used }),
		number("evict", "evict", "ratio", 6, 1, func(r *row) triage.Cell { return r.Evictable }),
		number("free", "free", "ratio", 6, 4, func(r *row) triage.Cell { return r.Free }),
		number("size", "size", "tokens", 6, 7, size),
		number("hit", "hit", "ratio", 6, 1, func(r *row) triage.Cell { return r.Hit }),
		number("device", "device", "ratio", 6, 5, func(r *row) triage.Cell { return r.Device }),
		number("host", "host", "ratio", 6, 5, func(r *row) triage.Cell { return r.Host }),
		number("storage", "stor", "ratio", 6, 6, func(r *row) triage.Cell { return r.Storage }),
		number("tier", "host used", "ratio", 9, 9, func(r *row) triage.Cell { return r.HostUsed }),
		number("evicted", "evict/s", "tokens", 7, 8, func(r *row) triage.Cell { return r.Evicted }),
		number("retract", "retract", "requests", 7, 2, func(r *row) triage.Cell { return r.Preemptions }),
		number("transfer", "xfer", "seconds", 8, 3, func(r *row) triage.Cell { return r.Transfer }),
		number("queue", "xfer q", "requests", 6, 4, func(r *row) triage.Cell { return r.TransferQueue }),
	}
}

// size is the pool in tokens, of engines that do not say it in blocks.
func size(r *row) triage.Cell {
	if !r.Pool.Has() && r.Blocks.Has() {
		return r.Blocks
	}
	return r.Pool
}

func short(role string) string {
	if role == "aggregated" {
		return "agg"
	}
	return role
}

func columnOf(id string) (column, bool) {
	for _, c := range columns() {
		if id != "" && c.id == id {
			return c, true
		}
	}
	return column{}, false
}

// table draws the rows in view.
func (p *Pane) table(f pane.Frame, h int) string {
	l := p.listing(f)
	t := cells.Table{Styles: f.Styles, Gap: 2, Selected: cells.None, Empty: p.empty(f, l), NoHeader: h <= 1}
	if f.W < 120 {
		t.Gap = 1
	}
	spark := sparkWidth(f.W)
	bar := min(max(f.W/7, 8), 40)
	var drawn []column
	for _, c := range columns() {
		head := cells.Column{Title: c.title, Min: c.width, Max: c.width, Priority: c.priority, Align: cells.Right}
		switch {
		case c.id == "worker":
			head.Min, head.Align = min(l.name, 22), cells.Left
			head.Max = head.Min
		case c.id == "":
			head.Min, head.Max, head.Priority, head.Align = bar, bar, 3, cells.Left
		case c.text != nil:
			head.Align = cells.Left
		case p.dead(l, c):
			continue // no worker has it: its facts below say why
		}
		if c.id != "" && c.id == p.order.column {
			head.Priority = 0
			t.Sort, t.Falling = c.title, c.text != nil == p.order.inverted
		}
		t.Columns = append(t.Columns, head)
		drawn = append(drawn, c)
	}
	if spark > 0 {
		t.Columns = append(t.Columns, cells.Column{Title: "used over time", Min: max(spark, 14), Max: max(spark, 14), Priority: 10})
	}
	selected := p.cursor.Place(l.keys)
	first, n := view(len(l.shown), h-1, selected)
	for i := first; i < first+n; i++ {
		r := l.shown[i]
		var line []cells.Cell
		for _, c := range drawn {
			line = append(line, cells.Text(paint(c, r, f, bar)))
		}
		if spark > 0 {
			s := chart.Spark(facts.Points(f, l.course(r, courseUsed.Over(f.Columns(spark))), spark), spark, chart.SparkOpts{Hi: 1, Style: f.Styles.Theme.Bar, Glyphs: f.Styles.G})
			line = append(line, cells.Text(s))
		}
		if i == selected && p.focus == partWorkers && p.cursor.Placed() {
			t.Selected = len(t.Rows)
		}
		t.Rows = append(t.Rows, line)
	}
	if n == len(l.shown) || h < 4 {
		return t.View(f.W, h)
	}
	more := f.Styles.Faint.Render(text.Count(float64(first+1)) + "–" + text.Count(float64(first+n)) + " of " + text.Count(float64(len(l.shown))))
	return cells.Stack(t.View(f.W, h-1), cells.FitRight(more, f.W))
}

// dead says whether no worker has a number in a column that not every
// deployment has.
func (p *Pane) dead(l *listing, c column) bool {
	if c.id == p.order.column || c.id == "used" || c.id == "hit" || len(l.all) == 0 {
		return false
	}
	for i := range l.all {
		if c.cell(&l.all[i]).Status != sources.StatusAbsent {
			return false
		}
	}
	return true
}

// view is which rows are drawn in h lines.
func view(rows, h, selected int) (first, n int) {
	if rows > h && h >= 3 {
		h-- // the line that says which
	}
	n = min(rows, max(h, 0))
	if selected >= n {
		first = min(selected-n+1, rows-n)
	}
	return max(first, 0), n
}

func paint(c column, r *row, f pane.Frame, bar int) string {
	st := f.Styles
	switch {
	case c.id == "":
		return poolBar(r, f, bar)
	case c.text != nil:
		s := c.text(r)
		switch {
		case s == "":
			return figure.None(sources.StatusAbsent, st)
		case r.old:
			return st.Stale.Render(s)
		}
		return s
	}
	x := c.cell(r)
	if c.id == "size" && x.Has() && x == r.Blocks {
		if x.Status == sources.StatusStale {
			return st.Stale.Render(text.SI(x.V) + "b")
		}
		return st.Value.Render(text.SI(x.V)) + st.Dim.Render("b")
	}
	if c.id == "retract" && x.Has() { // an increase: extrapolation leaves fractions
		if x.Status == sources.StatusStale {
			return st.Stale.Render(text.Count(x.V))
		}
		return st.Value.Render(text.Count(x.V))
	}
	if c.id == "transfer" && x.Has() {
		if x.Status == sources.StatusStale {
			return st.Stale.Render(text.Duration(x.V))
		}
		return st.Value.Render(text.Duration(x.V))
	}
	return figure.Cell(x, c.unit, st)
}

// poolBar draws what is used and what is evictable; the rest is track: free, or
// not told.
func poolBar(r *row, f pane.Frame, w int) string {
	if !r.Used.Has() {
		return cells.Fit(figure.None(r.Used.Status, f.Styles), w)
	}
	shares := make([]float64, 2)
	for i, c := range []triage.Cell{r.Used, r.Evictable} {
		if c.Has() && !math.IsInf(c.V, 0) {
			shares[i] = max(c.V, 0)
		}
	}
	if r.old {
		return f.Styles.Stale.Render(cells.Strip(facts.Shares(f, shares, w)))
	}
	return facts.Shares(f, shares, w)
}

func (p *Pane) empty(f pane.Frame, l *listing) string {
	switch {
	case f.Snap == nil:
		return "waiting for the first answer"
	case len(l.all) == 0:
		return "no workers: no router lists one, and no target is a worker's page. hint: start workers with DYN_SYSTEM_PORT and add --target HOST:PORT for each"
	}
	return "no worker matches " + p.filter.Text + ". hint: esc clears the filter"
}

func (p *Pane) pressTable(a pane.Action, f pane.Frame) bool {
	l := p.listing(f)
	switch a {
	case pane.Sort:
		p.order = p.order.next()
		return true
	case pane.Invert:
		p.order.inverted = !p.order.inverted
		return true
	case pane.Back:
		return p.cursor.Clear()
	case pane.Previous:
		a = pane.Up
	case pane.Next:
		a = pane.Down
	}
	at := p.cursor.Place(l.keys)
	if a == pane.Down && !p.cursor.Placed() {
		at = -1 // the first row is in view, not selected
	}
	to, ok := selection.Step(a, at, len(l.keys), max(p.layout(f).table-3, 1))
	return ok && p.cursor.Pick(l.keys, to)
}

// explainRow are the questions under the sorted column, then those of the row.
func (p *Pane) explainRow(f pane.Frame) []sources.Need {
	l := p.listing(f)
	i := p.cursor.Place(l.keys)
	if i < 0 {
		return triage.KVNeeds()
	}
	var out []sources.Need
	if c, ok := columnOf(p.order.column); ok && c.cell != nil {
		out = append(out, c.cell(l.shown[i]).Need)
	}
	for _, c := range columns() {
		if c.cell != nil {
			out = append(out, c.cell(l.shown[i]).Need)
		}
	}
	return append(out, triage.KVNeeds()...)
}
