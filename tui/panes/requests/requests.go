// Package requests is the screen of the requests themselves: how many come, how
// long they are, where they wait, what becomes of them, and whether the
// frontend's event loop holds them all up.
//
// It states facts and judges none of them but the interference factor, whose
// bounds are given (profiling/triage). Latencies have their own screen.
package requests

import (
	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/facts"
	"dynascope/tui/pane"
)

// part is a piece of the screen that can have the focus.
type part int

const (
	partFacts part = iota
	partOutcomes
	partLengths
	parts
)

// Pane is the screen.
type Pane struct {
	focus part
	board facts.Board

	order    order
	filter   string
	cursor   string // of the outcomes, by name
	at       int
	inverted bool

	memo struct {
		snap      *sources.Snapshot
		frontends []triage.Interference
	}
}

// New returns the pane with its facts focused.
func New() *Pane { return &Pane{} }

// ID is "requests".
func (*Pane) ID() string { return "requests" }

// Title is the tab's text.
func (*Pane) Title() string { return "Requests" }

// Short is the tab's text on narrow screens.
func (*Pane) Short() string { return "Req" }

// layout is the heights of the parts, from the top. The middle holds the
// outcomes and, beside them from lengthsFrom cells on, the lengths.
type layout struct {
	charts, middle, facts int
	lengths               bool
}

const (
	leastCharts = 9
	mostCharts  = 34
	leastMiddle = 5
	goodMiddle  = 9
	mostMiddle  = 12
	lengthsFrom = 110
)

func (p *Pane) layout(f pane.Frame) layout {
	l := layout{lengths: f.W >= lengthsFrom}
	if f.Zoom {
		if p.focus == partFacts {
			l.facts = f.H
		} else {
			l.middle, l.lengths = f.H, f.W >= lengthsFrom || p.focus == partLengths
		}
		return l
	}
	want := p.board.Height(f.Size(f.W, 0), p.groups(f))
	rest := f.H
	l.middle = leastMiddle
	if rest < 14 {
		l.middle = 0
	}
	l.facts = min(want, rest-l.middle)
	rest -= l.facts + l.middle
	grow := func(most int) {
		if more := min(rest, most-l.middle); l.middle > 0 && more > 0 {
			l.middle += more
			rest -= more
		}
	}
	grow(goodMiddle)
	if rest >= leastCharts && f.W >= 60 {
		l.charts = min(rest, mostCharts)
		rest -= l.charts
	}
	grow(mostMiddle)
	l.facts += max(rest, 0)
	return l
}

// charts are drawn side by side at the top where there is height.
func charts() []facts.Chart {
	return []facts.Chart{
		{Title: "requests/s", Names: []string{"arrived", "succeeded", "failed"}, Needs: []sources.Need{rate("requests.started"), rate("requests.ok"), rate("requests.failed")}, Format: text.SI},
		{Title: "event-loop delay, mean", Names: []string{"all frontends"}, Needs: []sources.Need{mean("frontend.event_loop_delay")}, Format: text.Duration},
	}
}

func chartWidth(f pane.Frame) int { return max((f.W-3)/2, 0) }

// Needs are the questions of the parts on screen.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	l := p.layout(f)
	var out []sources.Need
	if l.charts > 0 {
		for _, c := range charts() {
			out = append(out, c.Questions(f, chartWidth(f))...)
		}
	}
	if l.middle > 0 {
		out = append(out, p.outcomeNeeds(f)...)
		if l.lengths {
			out = append(out, lengthNeeds(f)...)
		}
	}
	if l.facts > 0 {
		out = append(out, p.board.Needs(f.Size(f.W, l.facts), p.groups(f))...)
	}
	return facts.Distinct(out)
}

// Explain are the questions under the cursor, then those of the rest.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	l := p.layout(f)
	var out []sources.Need
	switch {
	case p.focus == partOutcomes && l.middle > 0:
		out = p.outcomeNeeds(f)
	case p.focus == partLengths && l.middle > 0 && l.lengths:
		out = lengthNeeds(f)
	case l.facts > 0:
		out = p.board.Explain(f.Size(f.W, l.facts), p.groups(f))
	}
	return facts.Distinct(append(out, p.Needs(f)...))
}

// View draws the parts.
func (p *Pane) View(f pane.Frame) string {
	if f.W <= 0 || f.H <= 0 {
		return cells.Blank(f.W, f.H)
	}
	l := p.layout(f)
	var out []string
	if l.charts > 0 {
		w := chartWidth(f)
		var row []string
		for _, c := range charts() {
			row = append(row, c.View(f, w, l.charts))
		}
		out = append(out, cells.Block(cells.Lines(cells.Join("   ", row...)), f.W, l.charts))
	}
	if l.middle > 0 {
		out = append(out, p.middle(f, l))
	}
	if l.facts > 0 {
		out = append(out, p.board.View(f.Size(f.W, l.facts), p.groups(f), p.focus == partFacts))
	}
	return cells.Block(cells.Lines(cells.Stack(out...)), f.W, f.H)
}

func (p *Pane) middle(f pane.Frame, l layout) string {
	switch {
	case !l.lengths:
		return p.outcomes(f.Size(f.W, l.middle))
	case f.Zoom && p.focus == partLengths:
		w := (f.W - 3) / 2
		return cells.Block(cells.Lines(cells.Join("   ", p.length(f.Size(w, l.middle), 0), p.length(f.Size(w, l.middle), 1))), f.W, l.middle)
	case f.Zoom:
		return p.outcomes(f.Size(f.W, l.middle))
	}
	w := max((f.W-6)/3, 1)
	return cells.Block(cells.Lines(cells.Join("   ", p.outcomes(f.Size(f.W-6-2*w, l.middle)), p.length(f.Size(w, l.middle), 0), p.length(f.Size(w, l.middle), 1))), f.W, l.middle)
}

// Press moves the focus, and the cursor in the focused part.
func (p *Pane) Press(a pane.Action, f pane.Frame) bool {
	switch a {
	case pane.Focus:
		p.focus = (p.focus + 1) % parts
		return true
	case pane.Unfocus:
		p.focus = (p.focus + parts - 1) % parts
		return true
	}
	switch p.focus {
	case partOutcomes:
		return p.pressOutcomes(a, f)
	case partFacts:
		if a == pane.Back {
			return p.board.Clear()
		}
		return p.board.Press(a, f.Size(f.W, p.layout(f).facts), p.groups(f))
	}
	return false
}
