// Package workers is the table of all workers and their DP ranks: who serves,
// how full each one is and how fast, as the engine, the runtime around it and
// the router say it, and a fact sheet of any one of them.
//
// It judges nothing: whom a verdict names it takes from the judgement in its
// frame. What the
// router believes has its own columns and is never merged with what the
// engine says.
package workers

import (
	"fmt"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// Pane is the workers screen. Its cursor stays on a worker and rank, not on a
// place in the table.
type Pane struct {
	order  order
	filter selection.Filter[*row]

	cursor selection.Cursor[item]
	offset int // the first row drawn

	open   bool // the fact sheet of the cursor's worker lies over the table
	scroll int  // of the sheet

	memo listing // what was worked out for the last snapshot
}

// New returns the pane with the worst row first and no filter.
func New() *Pane { return &Pane{} }

// ID is "workers".
func (*Pane) ID() string { return "workers" }

// Title is the tab's text.
func (*Pane) Title() string { return "Workers" }

// Short is the tab's text on narrow screens.
func (*Pane) Short() string { return "Work" }

// Needs are the figures behind the rows, and the courses that are drawn: each
// one question for all workers.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	needs := triage.WorkerNeeds()
	switch {
	case p.open:
		n := sheetSpark(f.W)
		for _, c := range sheetCourses {
			needs = append(needs, c.need.Over(f.Columns(n)))
		}
		needs = append(needs, sheetGPUNeeds()...)
		needs = append(needs, triage.EnginePathNeeds()...)
	case sparkWidth(f.W) > 0:
		n := sparkWidth(f.W)
		needs = append(needs, courseRunning.Over(f.Columns(n)), courseQueue.Over(f.Columns(n)))
	}
	return needs
}

// View draws the table, or the sheet of one worker over it.
func (p *Pane) View(f pane.Frame) string {
	if f.W <= 0 || f.H <= 0 {
		return cells.Blank(f.W, f.H)
	}
	l := p.listing(f)
	if p.open {
		return p.sheet(f, l)
	}
	head := p.head(f, l)
	return cells.Stack(cells.Block(head, f.W, len(head)), p.table(f, l, f.H-len(head)))
}

// headLines is how many lines stand above the table in an area of height h.
func headLines(h int) int {
	switch {
	case h < 5:
		return 0
	case h < 10:
		return 1
	case h < 30:
		return 2
	default:
		return 3 // with a blank one
	}
}

// table draws the rows in view: 256 workers cost what fits on the screen.
func (p *Pane) table(f pane.Frame, l *listing, h int) string {
	t := cells.Table{Styles: f.Styles, Gap: 2, NoHeader: h <= 1, Empty: p.empty(f, l)}
	if f.W < 100 {
		t.Gap = 1
	}
	cols := columnsFor(f.W, p.order, l, judged.Names(f.Judgement))
	for _, c := range cols {
		t.Columns = append(t.Columns, c.head)
		if c.id != "" && c.id == p.order.column {
			t.Sort, t.Falling = c.head.Title, p.order.falling()
		}
	}
	t.Selected, t.Offset, t.Len = p.place(l), p.offset, len(l.shown)
	t.Row = func(i int) []cells.Cell {
		line := make([]cells.Cell, len(cols))
		for k, c := range cols {
			line[k] = cells.Text(c.draw(l.shown[i], f, l))
		}
		return line
	}
	return t.View(f.W, h)
}

// empty is why there are no rows, and what would bring some.
func (p *Pane) empty(f pane.Frame, l *listing) string {
	switch {
	case f.Snap == nil:
		return "waiting for the first answer"
	case len(l.all) == 0:
		return "no workers: no router lists one, and no target is a worker's page. hint: start workers with DYN_SYSTEM_PORT and add --target HOST:PORT for each"
	default:
		return "no worker matches " + p.filter.Text + ". hint: esc clears the filter"
	}
}

// Explain are the questions under the sorted column first, then those of the
// rest of the row. In the sheet the courses follow.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	l := p.listing(f)
	i := p.place(l)
	if i < 0 {
		return triage.WorkerNeeds()
	}
	var out []sources.Need
	seen := map[sources.Need]bool{}
	add := func(needs ...sources.Need) {
		for _, n := range needs {
			if n.Key != "" && !seen[n] {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	for _, id := range p.order.keys() {
		if c, ok := columnOf(id); ok {
			add(c.needs(l.shown[i])...)
		}
	}
	for _, c := range columns() {
		add(c.needs(l.shown[i])...)
	}
	asked := p.Needs(f)
	add(asked[len(triage.WorkerNeeds()):]...)
	return out
}

// SetFilter takes terms that a row must all satisfy; see language. With an
// error the filter in force stays.
func (p *Pane) SetFilter(text string) error { return p.filter.Set(language(), text) }

// Filter is the filter in force.
func (p *Pane) Filter() string { return p.filter.Text }

// head is the lines above the table.
func (p *Pane) head(f pane.Frame, l *listing) []string {
	n := headLines(f.H)
	if n == 0 {
		return nil
	}
	s := f.Styles
	var filter string
	if p.filter.Text != "" {
		filter = s.Accent.Render("filter "+cells.Strip(p.filter.Text)) + s.Dim.Render(fmt.Sprintf("  %d of %d", len(l.shown), len(l.all)))
	}
	counts := strings.Join(counted(l, s), "  ")
	total := s.Title.Render(l.total(f.W))
	if n == 1 {
		return []string{cells.Line(f.W, cells.L(total, 0), cells.L(counts, 2), cells.R(filter, 1))}
	}
	lines := []string{
		cells.Line(f.W, cells.L(total, 0), cells.L(counts, 0), cells.R(s.Dim.Render(p.order.words(f.W)), 1)),
		cells.Line(f.W, cells.L(spread(l, s), 1), cells.R(filter, 0)),
	}
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines
}
