// Package user draws the panes that users define in their configuration: a
// grid of titled expressions, each as a line chart, sparklines, a table or a
// heat map.
//
// It neither parses nor checks expressions: each is a key of the catalogue,
// asked for like any other figure.
package user

import (
	"slices"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// Kind is how an expression is drawn.
type Kind string

// The kinds.
const (
	Line      Kind = "line"
	Sparkline Kind = "sparkline"
	Table     Kind = "table"
	Heatmap   Kind = "heatmap" // of a histogram: series with an le label
)

// Widget is one expression of a pane.
type Widget struct {
	Key    string // of the catalogue
	Title  string
	Kind   Kind
	Unit   string
	Legend string // "{{pod}} of {{node}}"; empty lists what tells series apart
}

// Spec says what a pane shows: rows from the top, widgets from the left.
type Spec struct {
	ID, Title, Short string
	Rows             [][]Widget
}

// Pane is one user's pane with its focus.
type Pane struct {
	spec   Spec
	all    []Widget // row by row
	focus  int
	scroll int // rows of the focused table or list
}

// mostTitle is how long a tab may be.
const mostTitle = 16

// New makes a pane. Its texts come from a file: they are stripped here.
func New(s Spec) *Pane {
	s.Title, s.Short = text.Clean(s.Title, mostTitle), text.Clean(s.Short, 6)
	p := &Pane{spec: s}
	for _, row := range s.Rows {
		p.all = append(p.all, row...)
	}
	return p
}

// ID, Title and Short name the pane.
func (p *Pane) ID() string    { return p.spec.ID }
func (p *Pane) Title() string { return p.spec.Title }
func (p *Pane) Short() string { return p.spec.Short }

// box is where a widget stands.
type box struct {
	Widget
	n          int // in reading order
	x, y, w, h int
}

// The least size of a widget; a grid that gives less drops to its focused row
// or widget.
const (
	leastHeight = 4
	leastWidth  = 26
)

// boxes are the widgets in sight, row by row.
func (p *Pane) boxes(f pane.Frame) [][]box {
	if len(p.all) == 0 || f.W <= 0 || f.H <= 0 {
		return nil
	}
	rows, first := p.spec.Rows, 0
	if f.Zoom {
		return [][]box{{{p.all[p.focus], p.focus, 0, 0, f.W, f.H}}}
	}
	if most := max(f.H/leastHeight, 1); len(rows) > most {
		// The rows around the focused one.
		at, n := 0, 0
		for i, row := range rows {
			if n += len(row); p.focus < n {
				at = i
				break
			}
		}
		from := max(0, min(at-most/2, len(rows)-most))
		for _, row := range rows[:from] {
			first += len(row)
		}
		rows = rows[from : from+most]
	}
	var out [][]box
	y := 0
	for i, row := range rows {
		h := (f.H - y) / (len(rows) - i)
		out = append(out, p.row(row, first, y, f.W, h))
		first, y = first+len(row), y+h
	}
	return out
}

// row lays widgets beside each other; those that find no room are dropped from
// the end that the focus is not at.
func (p *Pane) row(row []Widget, first, y, w, h int) []box {
	most := max((w+1)/(leastWidth+1), 1)
	from := 0
	if len(row) > most {
		from = max(0, min(p.focus-first-most/2, len(row)-most))
		row = row[from : from+most]
	}
	var out []box
	x := 0
	for i, wi := range row {
		width := (w - x - (len(row) - i - 1)) / (len(row) - i)
		out = append(out, box{wi, first + from + i, x, y, width, h})
		x += width + 1
	}
	return out
}

// Needs asks each widget's question in the form that it draws.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	var out []sources.Need
	for _, row := range p.boxes(f) {
		for _, b := range row {
			for _, n := range b.needs(f) {
				if !slices.Contains(out, n) {
					out = append(out, n)
				}
			}
		}
	}
	return out
}

// Explain gives the focused widget's figures.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	for _, row := range p.boxes(f) {
		for _, b := range row {
			if b.n == p.focus {
				return b.needs(f)
			}
		}
	}
	return nil
}

// View draws the grid.
func (p *Pane) View(f pane.Frame) string {
	var blocks []string
	for _, row := range p.boxes(f) {
		var parts []string
		for _, b := range row {
			parts = append(parts, b.view(f, b.n == p.focus && (len(p.all) > 1), p.scrollOf(b)))
		}
		blocks = append(blocks, cells.Join(" ", parts...))
	}
	if len(blocks) == 0 {
		return cells.Blank(f.W, f.H)
	}
	return cells.Block(cells.Lines(cells.Stack(blocks...)), f.W, f.H)
}

func (p *Pane) scrollOf(b box) int {
	if b.n != p.focus {
		return 0
	}
	return p.scroll
}

// page is how many rows page-up and page-down scroll.
const page = 10

// Press moves the focus, and scrolls what has it.
func (p *Pane) Press(a pane.Action, f pane.Frame) bool {
	was, at := p.focus, p.scroll
	if len(p.all) == 0 {
		return false
	}
	switch a {
	case pane.Focus, pane.Right:
		p.focus = (p.focus + 1) % len(p.all)
	case pane.Unfocus, pane.Left:
		p.focus = (p.focus + len(p.all) - 1) % len(p.all)
	default:
		to, ok := selection.Step(a, at, p.most(f)+1, page)
		if ok {
			p.scroll = to
		}
		return ok && at != to
	}
	if was != p.focus {
		p.scroll = 0
	}
	p.scroll = max(0, min(p.scroll, p.most(f)))
	return was != p.focus || at != p.scroll
}

// most is how far the focused widget scrolls.
func (p *Pane) most(f pane.Frame) int {
	for _, row := range p.boxes(f) {
		for _, b := range row {
			if b.n == p.focus {
				return b.hidden(f)
			}
		}
	}
	return 0
}

// Copy gives the focused widget as text: a line a series, its name and value,
// the largest first.
func (p *Pane) Copy(f pane.Frame) []string {
	for _, row := range p.boxes(f) {
		for _, b := range row {
			if b.n == p.focus {
				return b.copy(f)
			}
		}
	}
	return nil
}

// Click focuses what stands there.
func (p *Pane) Click(x, y int, f pane.Frame) bool {
	for _, row := range p.boxes(f) {
		for _, b := range row {
			if x >= b.x && x < b.x+b.w && y >= b.y && y < b.y+b.h && b.n != p.focus {
				p.focus, p.scroll = b.n, 0
				return true
			}
		}
	}
	return false
}
