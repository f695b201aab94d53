package routing

import (
	"slices"

	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// page is how many rows page-up and page-down move.
const page = 8

// Press moves the focus between the parts and the cursor within one.
func (p *Pane) Press(a pane.Action, f pane.Frame) bool {
	switch a {
	case pane.Focus:
		p.focus = (p.focus + 1) % parts
		return true
	case pane.Unfocus:
		p.focus = (p.focus + parts - 1) % parts
		return true
	case pane.Left:
		a = pane.Up
	case pane.Right:
		a = pane.Down
	}
	if a == pane.Sort {
		p.order = (p.order + 1) % len(orders)
		p.focus = partBelief
		return true
	}
	at := p.focus
	if at == partShares {
		at = partStages // its legend is their table
	}
	if a == pane.Back {
		changed := p.cursor[at] != ""
		p.cursor[at] = ""
		return changed
	}
	ids := p.ids(at, f)
	to, ok := selection.Step(a, slices.Index(ids, p.cursor[at]), len(ids), page)
	if !ok || p.cursor[at] == ids[to] {
		return false
	}
	p.cursor[at] = ids[to]
	return true
}

// ids are the places of a part's cursor.
func (p *Pane) ids(i part, f pane.Frame) []string {
	var out []string
	switch i {
	case partStages:
		for _, st := range p.rows(f) {
			out = append(out, st.Key)
		}
	case partBelief:
		for _, b := range p.listing(f).belief {
			out = append(out, b.id)
		}
	default:
		for _, l := range p.lines(i, f) {
			out = append(out, l.id)
		}
	}
	return out
}
