// Package overview is the first screen: where the time to first token goes,
// the live facts of the deployment, its busiest workers and its GPUs.
//
// It judges nothing: what is wrong, and which worker that is about, it takes
// from the judgement in its frame. It adds nothing up but the means that triage found to be parts of one path.
package overview

import (
	"slices"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// part is a piece of the screen that can have the focus.
type part int

const (
	partPath part = iota
	partFacts
	partWorkers
	parts // how many there are
)

// Pane is the screen. A cursor names what it stands on, not a place: stages,
// facts and workers come, go and change their order under it. An empty one
// stands on the part's first row and is not drawn.
type Pane struct {
	focus part

	stage  string // of the path, by key; empty is the total
	fact   string // by id
	worker selection.Cursor[item]
}

// New returns the pane with the path focused.
func New() *Pane { return &Pane{} }

// ID is "overview".
func (*Pane) ID() string { return "overview" }

// Title is the tab's text.
func (*Pane) Title() string { return "Overview" }

// Short is the tab's text on narrow screens.
func (*Pane) Short() string { return "Over" }

// Needs are the questions of the parts on screen: about forty, however many
// workers there are.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	l := p.layout(f)
	var out []sources.Need
	if l.path.h > 0 {
		out = append(out, triage.PathNeeds()...)
		if l.tokens.h > 0 || l.under || l.alone && p.focus == partPath {
			out = append(out, triage.TokenPathNeeds()...)
		}
	}
	if l.facts.h > 0 {
		out = append(out, needProbe) // tells whether there is a frontend
		out = append(out, l.board(f).needs()...)
	}
	if l.workers.h > 0 {
		out = append(out, workerNeeds()...)
	}
	if !l.alone {
		out = append(out, gpuNeeds(f.Snap)...)
	}
	return distinct(out)
}

// Explain are the questions under the cursor, then those of the rest of its
// part.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	l := p.layout(f)
	var first, rest []sources.Need
	switch p.focus {
	case partFacts:
		b := l.board(f)
		first, rest = b.explain(p.fact), b.needs()
	case partWorkers:
		first, rest = p.explainWorker(f), workerNeeds()
	default:
		first, rest = p.explainStage(f.Snap), append(triage.PathNeeds(), triage.TokenPathNeeds()...)
	}
	asked := map[sources.Need]bool{} // a part may have no room
	for _, n := range p.Needs(f) {
		asked[n] = true
	}
	return slices.DeleteFunc(distinct(append(first, rest...)), func(n sources.Need) bool { return !asked[n] })
}

func distinct(needs []sources.Need) []sources.Need {
	seen := make(map[sources.Need]bool, len(needs))
	return slices.DeleteFunc(needs, func(n sources.Need) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// View draws the parts.
func (p *Pane) View(f pane.Frame) string {
	if f.W <= 0 || f.H <= 0 {
		return cells.Blank(f.W, f.H)
	}
	l := p.layout(f)
	var path, facts, workers string
	if l.path.h > 0 {
		path = p.drawPath(f, l.path)
	}
	if l.tokens.h > 0 {
		path = cells.Stack(path, p.drawTokens(f, l.tokens))
	}
	if l.facts.h > 0 {
		facts = p.drawFacts(f, l)
	}
	if l.workers.h > 0 {
		workers = p.drawWorkers(f, l.workers)
	}
	sep := f.Styles.Border.Render(" " + f.Styles.G.Or().VLine + " ")
	top := cells.Stack(path, facts)
	switch {
	case l.under:
		top, workers = cells.Join(sep, cells.Stack(path, workers), facts), ""
	case l.beside:
		top = cells.Join(sep, path, facts)
	}
	return cells.Block(append(l.verdict, cells.Lines(cells.Stack(top, workers, drawGPUs(f, l.gpus)))...), f.W, f.H)
}
