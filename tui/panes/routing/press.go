package routing

import (
	"slices"

	"dynascope/tui/pane"
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
	to, ok := step(a, slices.Index(ids, p.cursor[at]), len(ids))
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

// step is the place out of n that an action leads to, from -1 for none; ok is
// false for other actions and where there is nothing to stand on.
func step(a pane.Action, at, n int) (to int, ok bool) {
	if n == 0 {
		return 0, false
	}
	switch a {
	case pane.Up, pane.Left:
		at = max(at, 0) - 1
	case pane.Down, pane.Right:
		at++
	case pane.Top:
		at = 0
	case pane.Bottom:
		at = n - 1
	case pane.PageUp:
		at -= page
	case pane.PageDown:
		at += page
	default:
		return 0, false
	}
	return min(max(at, 0), n-1), true
}
