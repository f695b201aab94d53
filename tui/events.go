package tui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// eventsBack is how far the list of events looks back at least.
const eventsBack = time.Hour

// events is what happened, as the newest answer told it.
type events struct {
	all  []sources.Event // newest first
	jobs []sources.Event // of this program
}

// eventSpan is how far back is asked what happened: over the window, which
// charts show, and further while the list is open.
func (m *Model) eventSpan() time.Duration {
	if m.overlay.kind == actEvents {
		return max(m.window, eventsBack)
	}
	return m.window
}

// happened joins the events of the snapshot with those of the jobs and the
// verdicts that lie within what is shown.
func (m *Model) happened() {
	all := slices.Clone(m.snap.Events)
	for _, e := range slices.Concat(m.judging.is.Events(), m.events.jobs) {
		if !e.At.After(m.snap.At) && m.snap.At.Sub(e.At) <= m.eventSpan() {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b sources.Event) int { return b.At.Compare(a.At) })
	m.events.all = all
}

func (m *Model) openEvents() tea.Cmd {
	m.overlay = overlay{kind: actEvents}
	return m.ask()
}

// eventsKey moves in the list, narrows it, and goes to what is under the
// cursor.
func (m *Model) eventsKey(key string, msg tea.KeyPressMsg) tea.Cmd {
	o := &m.overlay
	if o.filtering {
		return m.typeEvents(key, msg)
	}
	rows := m.happenedRows()
	switch b, _ := m.keys.lookup(key); b.action {
	case actEvents, actLive:
		m.overlay = overlay{}
		if b.action == actLive {
			return m.live()
		}
		return m.ask()
	case actExplain:
		if o.pick < len(rows) && rows[o.pick].verdict != nil {
			v := *rows[o.pick].verdict
			m.overlay = overlay{kind: showingEvidence, about: &v, pick: o.pick, input: o.input}
		}
		return nil
	case actCopy:
		return m.copy()
	}
	_, h := m.paneArea()
	switch key = m.shipped(key); key {
	case "esc", "q":
		if key == "esc" && o.input != "" {
			o.input, o.pick = "", 0
			return nil
		}
		m.overlay = overlay{}
		return m.ask()
	case "/":
		o.filtering = true
	case "j", "down":
		o.pick++
	case "k", "up":
		o.pick--
	case "pgdown", "ctrl+d":
		o.pick += max(h-2, 1)
	case "pgup", "ctrl+u":
		o.pick -= max(h-2, 1)
	case "g", "home":
		o.pick = 0
	case "G", "end":
		o.pick = len(rows) - 1
	case "enter":
		if o.pick < len(rows) {
			return m.goTo(rows[o.pick])
		}
	}
	o.pick = max(0, min(o.pick, len(rows)-1))
	return nil
}

// goTo goes to the moment of an event, or to the screen and the culprit of a
// verdict in force.
func (m *Model) goTo(r happenedRow) tea.Cmd {
	if e := r.event; e != nil {
		m.overlay = overlay{}
		m.at = e.At
		m.say("at " + m.moment(e.At) + ": " + e.Subject + " " + string(e.Kind) + "; " + m.keyOf(actLive) + " is live")
		return m.ask()
	}
	i := m.screenOf(*r.verdict)
	if i < 0 {
		m.say("no screen shows more of it")
		return nil
	}
	m.overlay = overlay{}
	m.active, m.zoom, m.drawn = i, false, drawn{}
	m.find(r.verdict.Culprit, mostFollows)
	return m.ask()
}

// find puts the pane's cursor on a verdict's culprit. What is not there yet is
// looked for again in the next answers, which hold the pane's own needs.
func (m *Model) find(c verdict.Culprit, tries int) {
	m.finding, m.findings = c, 0
	if f, ok := m.pane().(pane.Finder); ok && !f.Find(c, m.frame()) {
		m.findings = tries
	}
}

// typeEvents edits what narrows the list.
func (m *Model) typeEvents(key string, msg tea.KeyPressMsg) tea.Cmd {
	o := &m.overlay
	o.pick = 0
	switch key {
	case "esc":
		o.filtering, o.input = false, ""
	case "enter":
		o.filtering = false
	case "backspace":
		if r := []rune(o.input); len(r) > 0 {
			o.input = string(r[:len(r)-1])
		}
	case "ctrl+u":
		o.input = ""
	default:
		if len(o.input) < 200 {
			o.input += strings.Map(printable, msg.Text)
		}
	}
	return nil
}

// eventLines draw the list, the cursor in view: verdicts in force, what
// happened, and at its end what cannot be judged.
func (m *Model) eventLines(w, h int) []string {
	s := m.styles
	rows := m.happenedRows()
	title := "verdicts, worst first, and events of the last " + text.Age(m.eventSpan()) + ", newest first: enter goes there, " + m.keyOf(actExplain) + " shows the evidence, / filters"
	if m.w < 130 {
		title = "verdicts and events of the last " + text.Age(m.eventSpan()) + ": enter, " + m.keyOf(actExplain) + " evidence, /"
	}
	if m.overlay.input != "" && !m.overlay.filtering {
		title += " · /" + text.Clean(m.overlay.input, 40)
	}
	lines := []string{cells.Rule(title, w, s)}
	if m.snap != nil && m.snap.EventsErr != "" {
		lines = append(lines, s.Warn.Render(" "+s.G.Warn+" some may be missing: ")+s.Dim.Render(text.Safe(m.snap.EventsErr, 200)))
	}
	if len(rows) == 0 {
		why := " nothing happened"
		switch {
		case m.overlay.input != "":
			why = " no verdict and no event matches"
		case m.snap == nil:
			why = " waiting for the first answer"
		case len(m.Court.Rules) > 0 && m.judging.is == nil:
			why = " nothing happened; nothing is judged yet"
		case m.judging.is != nil && m.judging.is.State == verdict.Healthy:
			why = " nothing is wrong, and nothing happened"
		}
		return append(append(lines, s.Dim.Render(why)), m.blindLines(w)...)
	}
	pick := min(m.overlay.pick, len(rows)-1)
	room := max(h-len(lines), 1)
	for i := m.firstRow(rows, pick, room, w); i < len(rows) && len(lines) < h; i++ {
		if i > 0 && rows[i].event != nil && rows[i-1].event == nil {
			lines = append(lines, "")
		}
		lines = append(lines, m.happenedLines(rows[i], i == pick, w)...)
	}
	return append(lines, m.blindLines(w)...)
}

// firstRow is the first row drawn, so that the one under the cursor is seen
// whole where it fits.
func (m *Model) firstRow(rows []happenedRow, pick, room, w int) int {
	room -= len(m.happenedLines(rows[pick], true, w))
	first := pick
	for first > 0 {
		need := 1
		if r := rows[first-1]; r.event == nil {
			need = 3 // with its sentence and the blank line that may follow
		}
		if room -= need; room < 0 {
			break
		}
		first--
	}
	return first
}

// eventLine is one event: when, what, whom, and how so.
func (m *Model) eventLine(e sources.Event, w int) string {
	s := m.styles
	sign, style := s.Dim.Render(s.G.Idle), s.Text
	if e.Kind.Bad() {
		sign, style = s.Warn.Render(s.G.Warn), s.Warn
	}
	ago := ""
	if m.snap != nil {
		ago = text.Age(m.snap.At.Sub(e.At)) + " ago"
	}
	return cells.Line(w,
		cells.L(" "+sign+" "+s.Value.Render(m.moment(e.At)), 0),
		cells.L(style.Render(cells.Fit(string(e.Kind), 11)), 0),
		cells.L(s.Value.Render(cells.Fit(text.Clean(e.Subject, 24), 16)), 0),
		cells.L(s.Text.Render(text.Clean(e.Detail, 160)), 0),
		cells.R(s.Dim.Render(text.Clean(e.Instance, 60)), 3), cells.R(s.Dim.Render(cells.FitRight(ago, 9))+" ", 2))
}
