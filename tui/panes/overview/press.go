package overview

import (
	"slices"

	"dynascope/profiling/triage"
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
	case pane.Back:
		return p.clear()
	case pane.Left:
		a = pane.Up
	case pane.Right:
		a = pane.Down
	}
	switch p.focus {
	case partFacts:
		ids := p.layout(f).board(f).ids()
		to, ok := selection.Step(a, slices.Index(ids, p.fact), len(ids), page)
		return ok && set(&p.fact, ids[to])
	case partWorkers:
		keys, at := items(busiest(f)), -1
		if p.worker.Placed() {
			at = p.worker.Place(keys)
		}
		to, ok := selection.Step(a, at, len(keys), page)
		return ok && p.worker.Pick(keys, to)
	default:
		keys := []string{""} // the total
		for _, st := range triage.PathOf(f.Snap).Stages {
			keys = append(keys, st.Key)
		}
		if p.layout(f).tokens.h > 0 {
			keys = append(keys, keyTokens)
			for _, st := range triage.TokenPathOf(f.Snap).Stages {
				keys = append(keys, st.Key)
			}
		}
		to, ok := selection.Step(a, slices.Index(keys, p.stage), len(keys), page)
		return ok && set(&p.stage, keys[to])
	}
}

// clear puts the focused part's cursor back to where it began.
func (p *Pane) clear() bool {
	switch p.focus {
	case partFacts:
		return set(&p.fact, "")
	case partWorkers:
		return p.worker.Clear()
	default:
		return set(&p.stage, "")
	}
}

func set[T comparable](to *T, v T) bool {
	changed := *to != v
	*to = v
	return changed
}
