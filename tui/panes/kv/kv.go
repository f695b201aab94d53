// Package kv is the screen of the KV cache: how full each worker's pool is and
// with what, where prompts find their prefixes again (device, host, storage),
// what moves between the tiers and from prefill to decode, and what is evicted
// and retracted for lack of room.
//
// It states facts and judges none of them. Hit rates are of the window, from
// counters, never the engines' gauge of their last batch; what the router or a
// backend says of the same thing stands beside them.
package kv

import (
	"fmt"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/tui/cells"
	"dynascope/tui/facts"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// part is a piece of the screen that can have the focus.
type part int

const (
	partWorkers part = iota
	partFacts
	parts
)

// Pane is the screen. Its cursor stays on a worker and rank, not on a place in
// the table.
type Pane struct {
	focus  part
	order  order
	filter selection.Filter[*row]
	cursor selection.Cursor[item]
	board  facts.Board

	memo listing
}

// New returns the pane with the table focused, the fullest pool first.
func New() *Pane { return &Pane{} }

// ID is "kv".
func (*Pane) ID() string { return "kv" }

// Title is the tab's text.
func (*Pane) Title() string { return "KV" }

// Short is the tab's text on narrow screens.
func (*Pane) Short() string { return "KV" }

// layout is the heights of the parts, from the top.
type layout struct{ head, charts, table, facts int }

// The heights that the charts want.
const (
	leastCharts = 9
	mostCharts  = 34
	leastTable  = 6 // the header, four rows, and which of them
)

func (p *Pane) layout(f pane.Frame) layout {
	var l layout
	if f.Zoom {
		if p.focus == partFacts {
			l.facts = f.H
		} else {
			l.table = f.H
		}
		return l
	}
	rest := f.H
	if rest >= 8 {
		l.head = 1
		rest--
	}
	rows := len(p.listing(f).all) + 1
	want := p.board.Height(f.Size(f.W, 0), groups())
	least := min(max(rows, 2), max(leastTable, rest/3))
	l.facts = min(want, max(rest-least-1, 0))
	if f.H < 8 {
		l.facts = 0
	}
	rest -= l.facts
	if l.facts > 0 && rest > least {
		rest-- // a blank line between
	}
	if spare := rest - min(rows, max(rest*2/3, least)); spare >= leastCharts && f.W >= 60 && charted(f) {
		l.charts = min(spare, mostCharts)
		rest -= l.charts
	}
	l.table = max(rest, 0)
	return l
}

// charted says whether the charts can have anything to show.
func charted(f pane.Frame) bool {
	for _, n := range []sources.Need{needUsed, needHit} {
		if f.Snap.Figure(n).Status != sources.StatusAbsent {
			return true
		}
	}
	return false
}

// charts are drawn side by side above the table where there is height.
func charts() []facts.Chart {
	now := func(key string) sources.Need { return sources.Need{Key: key, Form: sources.FormExpr} }
	return []facts.Chart{
		{Title: "pool, all workers", Ratio: true, Names: []string{"used", "evictable"}, Needs: []sources.Need{needUsed, needEvictable}},
		{Title: "hit rate", Ratio: true, Names: []string{"all", "device", "host", "storage"},
			Needs: []sources.Need{needHit, now("kv.hit_device"), now("kv.hit_host"), now("kv.hit_storage")}},
	}
}

// Needs are the questions of the parts on screen, however many workers there
// are.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	l := p.layout(f)
	var out []sources.Need
	if l.charts > 0 {
		for _, c := range charts() {
			out = append(out, c.Questions(f, chartWidth(f))...)
		}
	}
	if l.table > 0 {
		out = append(out, triage.KVNeeds()...)
		if w := sparkWidth(f.W); w > 0 {
			out = append(out, courseUsed.Over(f.Columns(w)))
		}
	}
	if l.facts > 0 {
		out = append(out, p.board.Needs(f.Size(f.W, l.facts), groups())...)
	}
	return facts.Distinct(append(out, needUsed, needHit))
}

// Explain are the questions under the cursor, then those of the rest.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	l := p.layout(f)
	var out []sources.Need
	if p.focus == partFacts && l.facts > 0 {
		out = p.board.Explain(f.Size(f.W, l.facts), groups())
	} else if l.table > 0 {
		out = p.explainRow(f)
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
	if l.head > 0 {
		out = append(out, p.head(f))
	}
	if l.charts > 0 {
		w := chartWidth(f)
		var row []string
		for _, c := range charts() {
			row = append(row, c.View(f, w, l.charts))
		}
		out = append(out, cells.Block(cells.Lines(cells.Join("   ", row...)), f.W, l.charts))
	}
	if l.table > 0 {
		out = append(out, p.table(f, l.table))
	}
	if l.facts > 0 {
		if l.head+l.charts+l.table+l.facts < f.H {
			out = append(out, cells.Blank(f.W, 1))
		}
		out = append(out, p.board.View(f.Size(f.W, l.facts), groups(), p.focus == partFacts))
	}
	return cells.Block(cells.Lines(cells.Stack(out...)), f.W, f.H)
}

func chartWidth(f pane.Frame) int { return max((f.W-3)/2, 0) }

// head is the line above the table: how many pools, and the filter.
func (p *Pane) head(f pane.Frame) string {
	l := p.listing(f)
	st := f.Styles
	style := st.Title
	if p.focus == partWorkers {
		style = st.Accent
	}
	names := map[string]bool{}
	for i := range l.all {
		names[l.all[i].item.worker] = true
	}
	total := style.Render("KV pools") + " " + st.Dim.Render(fmt.Sprintf("of %d workers", len(names)))
	if len(names) == 1 {
		total = style.Render("KV pools") + " " + st.Dim.Render("of 1 worker")
	}
	filter := ""
	if p.filter.Text != "" {
		filter = st.Accent.Render("filter "+cells.Strip(p.filter.Text)) + st.Dim.Render(fmt.Sprintf("  %d of %d", len(l.shown), len(l.all)))
	}
	legend := ""
	for i, name := range []string{"used", "evictable"} {
		legend += facts.Swatch(f, i) + st.Dim.Render(" "+name+"  ")
	}
	return cells.Line(f.W, cells.L(total, 0), cells.L(legend, 3), cells.R(filter, 1), cells.R(st.Dim.Render(p.order.words()), 2))
}

// Press moves the focus, the cursor in the focused part, and sorts.
func (p *Pane) Press(a pane.Action, f pane.Frame) bool {
	switch a {
	case pane.Focus, pane.Unfocus:
		p.focus = (p.focus + 1) % parts
		return true
	}
	if p.focus == partFacts {
		l := p.layout(f)
		if a == pane.Back {
			return p.board.Clear()
		}
		return p.board.Press(a, f.Size(f.W, l.facts), groups())
	}
	return p.pressTable(a, f)
}
