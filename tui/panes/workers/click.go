package workers

import "dynascope/tui/pane"

// Click puts the cursor on a row, and opens the sheet of the row that has it
// already.
func (p *Pane) Click(_, y int, f pane.Frame) bool {
	l := p.listing(f)
	if p.open || len(l.shown) == 0 {
		return false
	}
	h := f.H - headLines(f.H)
	at := p.place(l)
	v := viewOf(len(l.shown), h, p.offset, at)
	row := y - headLines(f.H)
	if h > 1 {
		row-- // the table's header
	}
	if row < 0 || row >= v.n {
		return false
	}
	if to := v.first + row; to != at {
		return p.move(f, l, to)
	}
	return p.Press(pane.Enter, f)
}
