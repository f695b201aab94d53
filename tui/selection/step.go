package selection

import (
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// Step is the row out of n that up, down, the pages, top and bottom lead to
// from one, -1 for none; ok is false for other actions and without rows. A page
// is so many rows. Lines that scroll are moved by the same keys: n is then one
// more than how far they can.
func Step(a pane.Action, at, n, page int) (to int, ok bool) {
	if n <= 0 {
		return 0, false
	}
	switch a {
	case pane.Up:
		at--
	case pane.Down:
		at++
	case pane.PageUp:
		at -= page
	case pane.PageDown:
		at += page
	case pane.Top:
		at = 0
	case pane.Bottom:
		at = n - 1
	default:
		return 0, false
	}
	return min(max(at, 0), n-1), true
}

// StepRound is Step where the next and the previous match are rows too: after
// the last one comes the first.
func StepRound(a pane.Action, at, n, page int) (to int, ok bool) {
	switch {
	case n > 0 && a == pane.Next:
		return (at + 1) % n, true
	case n > 0 && a == pane.Previous:
		return (at + n - 1) % n, true
	}
	return Step(a, at, n, page)
}

// WindowOf is the rows in view in a table of h lines, which has a header unless
// it is a single line.
func WindowOf(rows, h, offset, selected int) cells.Window {
	if h > 1 {
		h--
	}
	return cells.WindowOf(rows, h, offset, selected)
}

// Page is how many rows a page of a window moves: one stays in view.
func Page(v cells.Window) int { return max(v.N-1, 1) }
