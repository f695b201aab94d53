package workers

import (
	"dynascope/tui/cells"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// place is where the cursor's row stands now, -1 without rows.
func (p *Pane) place(l *listing) int { return p.cursor.Place(l.keys) }

// window is the rows in view.
func (p *Pane) window(f pane.Frame, l *listing, at int) cells.Window {
	return selection.WindowOf(len(l.shown), f.H-headLines(f.H), p.offset, at)
}

// Press moves the cursor, sorts, and opens and closes the sheet. Whatever is
// pressed first pins the cursor to the row that was on screen.
func (p *Pane) Press(a pane.Action, f pane.Frame) bool {
	l := p.listing(f)
	i := p.place(l)
	if p.open {
		return p.pressSheet(a, f, l, i)
	}
	switch a {
	case pane.Sort, pane.Invert:
		p.move(f, l, i)
		if a == pane.Sort {
			p.order = p.order.next()
		} else {
			p.order.inverted = !p.order.inverted
		}
		return true
	case pane.Enter:
		if i < 0 {
			return false
		}
		p.move(f, l, i)
		p.open, p.scroll = true, 0
		return true
	case pane.Next, pane.Previous:
		if p.filter.Text == "" {
			return false
		}
	}
	to, ok := selection.StepRound(a, i, len(l.shown), selection.Page(p.window(f, l, i)))
	return ok && p.move(f, l, to)
}

// pressSheet scrolls the sheet, or turns to the next worker.
func (p *Pane) pressSheet(a pane.Action, f pane.Frame, l *listing, i int) bool {
	was := p.scroll
	rows := sheetRows(f.H)
	most := max(len(p.sheetLines(f, l))-rows, 0)
	p.scroll = min(p.scroll, most)
	switch a {
	case pane.Back:
		p.open, p.scroll = false, 0
		return true
	case pane.Next, pane.Previous:
		p.scroll = 0
		to, ok := selection.StepRound(a, i, len(l.shown), 1)
		return ok && p.move(f, l, to)
	}
	to, ok := selection.Step(a, p.scroll, most+1, rows)
	if ok {
		p.scroll = to
	}
	return ok && to != was
}

// move puts the cursor on a row, and says whether that is another one.
func (p *Pane) move(f pane.Frame, l *listing, to int) bool {
	if to < 0 {
		return false
	}
	moved := p.cursor.Move(l.keys, to)
	p.offset = p.window(f, l, to).First
	return moved
}
