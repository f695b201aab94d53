package routing

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// believed is a row of the table.
type believed struct {
	triage.Belief
	id, name string
}

// orders are what the table can be sorted by, the usual one first.
var orders = [...]struct {
	name string
	by   func(believed) float64
}{
	// Rows below the mark keep the snapshot's order, so that they stand still.
	{"drifted first", func(b believed) float64 {
		if b.Drifted {
			return math.Abs(b.Drift)
		}
		return 0
	}},
	{"most believed blocks first", func(b believed) float64 { return worth(b.Blocks) }},
	{"most blocks in the engine first", func(b believed) float64 { return worth(b.EngineBlocks) }},
	{"most prefill tokens first", func(b believed) float64 { return worth(b.Prefill) }},
	{"longest engine queue first", func(b believed) float64 { return worth(b.EngineWaiting) }},
}

// worth is a number to sort by; without one a row goes last.
func worth(c triage.Cell) float64 {
	if !c.Has() {
		return -1
	}
	return c.V
}

// beliefs are the rows that the filter lets through, in the order picked.
func (p *Pane) beliefs(f pane.Frame) (list []believed, strangers []string) {
	rows, strangers := triage.Beliefs(f.Snap)
	out := make([]believed, 0, len(rows))
	for _, b := range rows {
		name := text.Clean(b.Short, 24)
		if name == "" {
			name = text.Clean(b.Instance, 24)
		}
		if len(b.Ranks) > 1 {
			name += "/dp" + text.Clean(b.Rank, 8)
		}
		hay := strings.ToLower(strings.Join([]string{name, b.ID, b.Decimal, b.Instance, "role:" + b.Role, "engine:" + b.Engine}, "\n"))
		if strings.Contains(hay, p.filter) {
			out = append(out, believed{b, fmt.Sprintf("%q %q %q", b.ID, b.Instance, b.Rank), name})
		}
	}
	by := orders[p.order].by
	slices.SortStableFunc(out, func(a, b believed) int { return cmp.Compare(by(b), by(a)) })
	return out, strangers
}

// drawBelief draws a worker's line: what the router believes, what the engine
// says, and how far they are apart.
func (p *Pane) drawBelief(f pane.Frame, a area) string {
	st := f.Styles
	needs := triage.BeliefNeeds()
	strangers := p.listing(f).lost
	if absent(f, needs[0], needs[1]) {
		return cells.Message(st.Dim.Render("beliefs "+why(f, needs[0])), a.w, a.h)
	}
	t := cells.Table{Styles: st, Gap: 1, Selected: cells.None, Empty: "no workers are known"}
	if p.filter != "" {
		t.Empty = "no worker matches " + p.filter + ". hint: esc clears the filter"
	}
	if a.w >= 90 {
		t.Gap = 2
	}
	col := func(title string, w, priority int, align cells.Align) {
		t.Columns = append(t.Columns, cells.Column{Title: title, Min: w, Max: w, Priority: priority, Align: align})
	}
	waiting := !absent(f, needs[2])
	queued := !absent(f, needs[len(needs)-1])
	col("worker", 12, 0, cells.Left)
	col("believed blk", 12, 0, cells.Right)
	col("engine blk", 10, 0, cells.Right)
	col("drift", 9, 0, cells.Right)
	col("bel. prefill tok", 16, 2, cells.Right)
	if queued {
		col("queued tok", 10, 3, cells.Right)
	}
	if waiting {
		col("bel. wait", 9, 4, cells.Right)
	}
	col("running", 7, 3, cells.Right)
	col("queue", 5, 1, cells.Right)
	lines := 0
	if len(strangers) > 0 && a.h >= 4 {
		lines = 1
	}
	rows := p.listing(f).belief
	// Only what is in view is drawn.
	room := max(a.h-1-lines, 1)
	at := slices.IndexFunc(rows, func(b believed) bool { return b.id == p.cursor[partBelief] })
	if p.focus != partBelief {
		at = -1
	}
	first, more := 0, len(rows) > room
	if more {
		room = max(room-1, 1)
		first = min(max(at-room+1, 0), len(rows)-room)
	}
	for i := first; i < min(first+room, len(rows)); i++ {
		b := rows[i]
		cell := func(c triage.Cell, unit string) cells.Cell { return cells.Text(figure.Cell(c, unit, st)) }
		name := cells.Styled(b.name, st.Label)
		if b.State == sources.WorkerStale || b.State == sources.WorkerGone {
			name = cells.Styled(b.name+" "+string(b.State), st.Stale)
		}
		row := []cells.Cell{
			name, cell(b.Blocks, "blocks"), cell(b.EngineBlocks, "blocks"), cells.Text(driftText(b.Belief, st)), cell(b.Prefill, "tokens"),
		}
		if queued {
			row = append(row, cell(b.EngineQueued, "tokens"))
		}
		if waiting {
			row = append(row, cell(b.Waiting, "requests"))
		}
		t.Rows = append(t.Rows, append(row, cell(b.EngineRunning, "requests"), cell(b.EngineWaiting, "requests")))
		if i == at {
			t.Selected = len(t.Rows) - 1
		}
	}
	var foot []string
	if more {
		foot = append(foot, cells.FitRight(st.Faint.Render(fmt.Sprintf("%d–%d of %d", first+1, min(first+room, len(rows)), len(rows))), a.w))
	}
	if lines > 0 {
		s := fmt.Sprintf("the router also has numbers for %d ids that are no known worker: %s", len(strangers), text.Clean(strangers[0], 24))
		foot = append(foot, cells.Fit(mark(f, true)+st.Dim.Render(s), a.w))
	}
	body := t.View(a.w, max(a.h-len(foot), 1))
	return cells.Block(append(cells.Lines(body), foot...), a.w, a.h)
}

func driftText(b triage.Belief, st themes.Styles) string {
	if math.IsNaN(b.Drift) || math.IsInf(b.Drift, 0) {
		return st.Dim.Render(st.G.Or().Absent)
	}
	s := text.Cell(b.Drift, "blocks")
	if b.Drift > 0 {
		s = "+" + s
	}
	if b.Drifted {
		return st.Mark(themes.Warn) + " " + st.Warn.Render(s)
	}
	return st.Dim.Render(s)
}
