package gpu

import (
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// move puts the cursor on a row, and says whether that is another one.
func (at *list) move(ids []string, to, h int) bool {
	if to < 0 || to >= len(ids) {
		return false
	}
	moved := at.cursor.Move(ids, to)
	at.offset = selection.WindowOf(len(ids), h, at.offset, to).First
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
	i := at.cursor.Place(ids)
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
			p.gpus.reset("")
			if h := l.hostRow(ids[i]); h != nil && h.Worst != nil {
				p.gpus.reset(h.Worst.ID) // what one drills in for
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
		if p.filter.Text == "" {
			return false
		}
	}
	to, ok := selection.StepRound(a, i, len(ids), selection.Page(selection.WindowOf(len(ids), v.table, at.offset, i)))
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
		to, ok := selection.StepRound(a, i, len(ids), 1)
		return ok && p.gpus.move(ids, to, f.H)
	}
	to, ok := selection.Step(a, p.scroll, most+1, rows)
	if ok {
		p.scroll = to
	}
	return ok && to != was
}

func (l *listing) hostRow(name string) *hostRow {
	for i := range l.hosts {
		if l.hosts[i].Name == name {
			return &l.hosts[i]
		}
	}
	return nil
}
