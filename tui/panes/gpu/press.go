package gpu

import (
	"slices"

	"dynascope/tui/pane"
)

// place is where the cursor's row stands now, -1 without rows. A cursor whose
// row is gone or filtered out stays where it was.
func (at *list) place(ids []string) int {
	if len(ids) == 0 {
		return -1
	}
	if at.cursor == "" {
		return 0
	}
	if i := slices.Index(ids, at.cursor); i >= 0 {
		return i
	}
	return min(max(at.at, 0), len(ids)-1)
}

// move puts the cursor on a row, and says whether that is another one.
func (at *list) move(ids []string, to, h int) bool {
	if to < 0 || to >= len(ids) {
		return false
	}
	moved := at.place(ids) != to
	at.cursor, at.at = ids[to], to
	at.offset = viewOf(len(ids), h, at.offset, to).first
	return moved
}

// Press moves the cursor, sorts, drills into a host and a GPU and back out.
// Whatever is pressed first pins the cursor to the row that was on screen.
func (p *Pane) Press(a pane.Action, f pane.Frame) bool {
	l := p.listing(f)
	if len(l.rows) == 0 {
		if a == pane.Back && (p.open || p.inHost) {
			p.open, p.inHost = false, false
			return true
		}
		return false
	}
	v := p.parts(f, l)
	at, ids := &p.gpus, names(l.shownGPUs)
	if v.level == levelHosts && !p.open {
		at, ids = &p.hosts, names(l.shownHosts)
	}
	i := at.place(ids)
	if p.open {
		return p.pressSheet(a, f, l, ids, i)
	}
	switch a {
	case pane.Sort, pane.Invert:
		at.move(ids, i, v.table)
		switch {
		case a == pane.Invert:
			at.order.inverted = !at.order.inverted
		case v.level == levelHosts:
			at.order = next(at.order, allHostColumns())
		default:
			at.order = next(at.order, p.gpuColumns(f, l))
		}
		return true
	case pane.Enter:
		if i < 0 {
			return false
		}
		at.move(ids, i, v.table)
		if v.level == levelHosts {
			p.inHost, p.host = true, ids[i]
			p.gpus.cursor, p.gpus.at, p.gpus.offset = "", 0, 0
			if h := l.hostRow(ids[i]); h != nil && h.Worst != nil {
				p.gpus.cursor = h.Worst.ID // what one drills in for
			}
			return true
		}
		p.open, p.scroll = true, 0
		return true
	case pane.Back:
		if !p.inHost {
			return false
		}
		p.inHost = false
		return true
	case pane.Next, pane.Previous:
		if p.filter.text == "" {
			return false
		}
	}
	to, ok := target(a, len(ids), i, viewOf(len(ids), v.table, at.offset, i).n)
	return ok && at.move(ids, to, v.table)
}

// pressSheet scrolls the sheet, or turns to the next GPU.
func (p *Pane) pressSheet(a pane.Action, f pane.Frame, l *listing, ids []string, i int) bool {
	was := p.scroll
	rows := max(f.H-2, 1)
	most := max(p.sheetLength(f, l)-rows, 0)
	p.scroll = min(p.scroll, most)
	switch a {
	case pane.Back:
		p.open, p.scroll = false, 0
		return true
	case pane.Next, pane.Previous:
		p.scroll = 0
		to, ok := target(a, len(ids), i, 1)
		return ok && p.gpus.move(ids, to, f.H)
	case pane.Up:
		p.scroll--
	case pane.Down:
		p.scroll++
	case pane.PageUp:
		p.scroll -= rows
	case pane.PageDown:
		p.scroll += rows
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
func target(a pane.Action, n, i, seen int) (int, bool) {
	if n == 0 {
		return 0, false
	}
	page := max(seen-1, 1)
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

func (l *listing) hostRow(name string) *hostRow {
	for i := range l.hosts {
		if l.hosts[i].Name == name {
			return &l.hosts[i]
		}
	}
	return nil
}
