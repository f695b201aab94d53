package workers

import "dynascope/tui/pane"

// Click puts the cursor on a row, and opens the sheet of the row that has it
// already.
func (p *Pane) Click(_, y int, f pane.Frame) bool {
	l := p.listing(f)
	if p.open || len(l.shown) == 0 {
		return false
	}
	at := p.place(l)
	v := p.window(f, l, at)
	row := y - headLines(f.H)
	if f.H-headLines(f.H) > 1 {
		row-- // the table's header
	}
	if row < 0 || row >= v.N {
		return false
	}
	if to := v.First + row; to != at {
		return p.move(f, l, to)
	}
	return p.Press(pane.Enter, f)
}
