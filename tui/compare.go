package tui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/feed"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
)

// compare is the marked window, and whether numbers are compared with it. It
// holds no number: those are asked of the store again.
type compare struct {
	baseline feed.Baseline // zero until one is marked
	on       bool
	rows     []triage.Compared // of the newest answer
}

// asked is the baseline that goes into a question.
func (c compare) asked() feed.Baseline {
	if !c.on {
		return feed.Baseline{}
	}
	return c.baseline
}

// courses are the sub-windows that a comparison tests.
func (c compare) courses(time.Duration) []sources.Need {
	if !c.on {
		return nil
	}
	_, courses := triage.CompareNeeds(c.baseline.Window)
	return courses
}

// needs are the questions of the table.
func (c compare) needs() []sources.Need {
	if !c.on {
		return nil
	}
	instant, _ := triage.CompareNeeds(c.baseline.Window)
	return instant
}

// markBaseline takes the window on screen as the baseline.
func (m *Model) markBaseline() tea.Cmd {
	if m.snap == nil {
		return nil
	}
	w := min(m.window, m.snap.Have).Truncate(time.Second)
	if w < 10*time.Second {
		m.say("too little has been scraped to make a baseline of it: " + text.Age(m.snap.Have))
		return nil
	}
	m.compare.baseline = feed.Baseline{At: m.snap.At.UTC(), Window: w}
	m.say("baseline: the " + text.Age(w) + " up to " + m.moment(m.snap.At) + "; " + m.keyOf(actCompare) + " compares with it")
	m.drawn = drawn{}
	if m.compare.on {
		return m.ask()
	}
	return nil
}

// toggleCompare begins to compare, with the table over the pane, or ends it.
func (m *Model) toggleCompare() tea.Cmd {
	switch {
	case m.compare.baseline.At.IsZero():
		m.say("no baseline yet: " + m.keyOf(actBaseline) + " marks the window on screen as one")
		return nil
	case m.compare.on:
		m.compare.on = false
		m.drawn = drawn{}
		m.say("no longer compared with the baseline")
		return m.ask()
	}
	m.compare.on = true
	return m.openComparison()
}

// compared works the comparison out, once for each answer.
func (m *Model) compared() {
	m.compare.rows = nil
	if m.compare.on {
		m.compare.rows = triage.Compare(m.snap, m.SLA.TTFT, m.SLA.ITL)
	}
}

// openComparison shows the table.
func (m *Model) openComparison() tea.Cmd {
	if !m.compare.on {
		return m.toggleCompare()
	}
	m.overlay = overlay{kind: actCompare}
	m.drawn = drawn{}
	return m.ask()
}

// baselineMark says in the header with what is compared.
func (m *Model) baselineMark() string {
	if !m.compare.on {
		return ""
	}
	b := m.compare.baseline
	return "vs " + m.moment(b.At) + " " + text.Age(b.Window)
}

// comparisonLines draw the table: what, before, now, the difference, and what
// a test says of it.
func (m *Model) comparisonLines(w int) []string {
	s := m.styles
	b := m.compare.baseline
	lines := []string{cells.Rule("now against the baseline of "+m.moment(b.At)+", "+text.Age(b.Window)+": esc back to the screen, then "+m.keyOf(actCompare)+" ends comparing", w, s)}
	if m.snap == nil || m.snap.Baseline == nil {
		return append(lines, s.Dim.Render(" asking for both windows"+s.G.Ellipsis))
	}
	rows := m.compare.rows
	if len(rows) == 0 {
		return append(lines, s.Dim.Render(" neither window has a number to compare"))
	}
	t := cells.Table{
		Columns: []cells.Column{
			{Title: "", Min: 21, Max: 21}, {Title: "before", Min: 12, Max: 14, Align: cells.Right}, {Title: "now", Min: 12, Max: 14, Align: cells.Right},
			{Title: "change", Min: 10, Max: 10, Align: cells.Right}, {Title: "", Min: 14, Max: 14, Priority: 1}, {Title: "by which test", Min: 20, Priority: 2},
		},
		Selected: cells.None, Styles: s, Gap: 2,
	}
	for _, c := range rows {
		word, style := directionWords(c.Direction), s.Dim
		sign := figure.Change(c, s)
		switch c.Direction {
		case triage.ForBetter:
			style = s.Theme.Good
		case triage.ForWorse:
			style = s.Theme.Bad
		case triage.Differs:
			style = s.Value
		}
		t.Rows = append(t.Rows, []cells.Cell{
			cells.Styled(c.Title, s.Label), cells.Text(figure.Ranged(c, c.Before, s)), cells.Text(figure.Ranged(c, c.Now, s)),
			cells.Text(sign), cells.Styled(word, style), cells.Styled(c.Test, s.Dim),
		})
	}
	lines = append(lines, cells.Lines(t.View(w, len(t.Rows)+1))...)
	note := fmt.Sprintf(" both windows are %s long; sub-windows of %s are tested; noise alone calls a change in one of twenty such tables", text.Age(b.Window), text.Age(max(b.Window/20, time.Second).Truncate(time.Second)))
	return append(lines, "", s.Dim.Render(cells.Clip(note, w)))
}

func directionWords(d triage.Direction) string {
	switch d {
	case triage.NoChange:
		return "within noise"
	case triage.ForBetter:
		return "better"
	case triage.ForWorse:
		return "worse"
	case triage.Differs:
		return "changed"
	}
	return "cannot be told"
}
