package overview

import (
	"slices"

	"dynascope/profiling/triage"
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
	case pane.Back:
		return p.clear()
	}
	switch p.focus {
	case partFacts:
		ids := p.layout(f).board(f).ids()
		to, ok := step(a, slices.Index(ids, p.fact), len(ids))
		return ok && set(&p.fact, ids[to])
	case partWorkers:
		rows := busiest(f)
		at := -1
		if p.worker != (item{}) {
			at = p.place(rows)
		}
		to, ok := step(a, at, len(rows))
		if !ok {
			return false
		}
		p.at = to
		return set(&p.worker, itemOf(&rows[to]))
	default:
		keys := []string{""} // the total
		for _, st := range triage.PathOf(f.Snap).Stages {
			keys = append(keys, st.Key)
		}
		to, ok := step(a, slices.Index(keys, p.stage), len(keys))
		return ok && set(&p.stage, keys[to])
	}
}

// clear puts the focused part's cursor back to where it began.
func (p *Pane) clear() bool {
	switch p.focus {
	case partFacts:
		return set(&p.fact, "")
	case partWorkers:
		return set(&p.worker, item{})
	default:
		return set(&p.stage, "")
	}
}

func set[T comparable](to *T, v T) bool {
	changed := *to != v
	*to = v
	return changed
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
