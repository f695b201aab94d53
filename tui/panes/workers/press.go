package workers

import (
	"slices"

	"dynascope/tui/pane"
)

// place is where the cursor's row stands now, -1 without rows. A cursor whose
// row is gone or filtered out stays where it was.
func (p *Pane) place(l *listing) int {
	if len(l.shown) == 0 {
		return -1
	}
	if p.cursor == (item{}) {
		return 0
	}
	if i := slices.IndexFunc(l.shown, func(r *row) bool { return r.item == p.cursor }); i >= 0 {
		return i
	}
	return min(max(p.at, 0), len(l.shown)-1)
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
		if p.filter.text == "" {
			return false
		}
	}
	to, ok := p.target(a, f, l, i)
	return ok && p.move(f, l, to)
}

// pressSheet scrolls the sheet, or turns to the next worker.
func (p *Pane) pressSheet(a pane.Action, f pane.Frame, l *listing, i int) bool {
	was := p.scroll
	most := max(len(p.sheetLines(f, l))-sheetRows(f.H), 0)
	p.scroll = min(p.scroll, most)
	switch a {
	case pane.Back:
		p.open, p.scroll = false, 0
		return true
	case pane.Next, pane.Previous:
		p.scroll = 0
		to, ok := p.target(a, f, l, i)
		return ok && p.move(f, l, to)
	case pane.Up:
		p.scroll--
	case pane.Down:
		p.scroll++
	case pane.PageUp:
		p.scroll -= sheetRows(f.H)
	case pane.PageDown:
		p.scroll += sheetRows(f.H)
	case pane.Top:
		p.scroll = 0
	case pane.Bottom:
		p.scroll = most
	default:
		return false
	}
	p.scroll = min(max(p.scroll, 0), most)
	return p.scroll != was
}

// target is the row that a move leads to.
func (p *Pane) target(a pane.Action, f pane.Frame, l *listing, i int) (int, bool) {
	n := len(l.shown)
	if n == 0 {
		return 0, false
	}
	page := max(viewOf(n, f.H-headLines(f.H), p.offset, i).n-1, 1)
	switch a {
	case pane.Up:
		i--
	case pane.Down:
		i++
	case pane.PageUp:
		i -= page
	case pane.PageDown:
		i += page
	case pane.Top:
		i = 0
	case pane.Bottom:
		i = n - 1
	case pane.Next:
		i = (i + 1) % n
	case pane.Previous:
		i = (i + n - 1) % n
	default:
		return 0, false
	}
	return min(max(i, 0), n-1), true
}

// move puts the cursor on a row, and says whether that is another one.
func (p *Pane) move(f pane.Frame, l *listing, to int) bool {
	if to < 0 {
		return false
	}
	moved := p.place(l) != to
	p.cursor, p.at = l.shown[to].item, to
	p.offset = viewOf(len(l.shown), f.H-headLines(f.H), p.offset, to).first
	return moved
}
