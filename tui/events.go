package tui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
)

// eventsBack is how far the list of events looks back at least.
const eventsBack = time.Hour

// events is what happened, as the newest answer told it.
type events struct {
	all []sources.Event // newest first
}

// eventSpan is how far back is asked what happened: over the window, which
// charts show, and further while the list is open.
func (m *Model) eventSpan() time.Duration {
	if m.overlay.kind == actEvents {
		return max(m.window, eventsBack)
	}
	return m.window
}

// happened joins the events of the snapshot with those of the jobs that lie
// within what is shown.
func (m *Model) happened(jobs []sources.Event) {
	all := slices.Clone(m.snap.Events)
	for _, e := range jobs {
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

// eventRows are the events that match the filter.
func (m *Model) eventRows() []sources.Event {
	words := strings.Fields(strings.ToLower(m.overlay.input))
	if len(words) == 0 {
		return m.events.all
	}
	var out []sources.Event
	for _, e := range m.events.all {
		hay := strings.ToLower(strings.Join([]string{string(e.Kind), e.Subject, e.Detail, e.Instance, e.Worker}, "\n"))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(hay, w) }) {
			out = append(out, e)
		}
	}
	return out
}

// eventsKey moves in the list, narrows it, and goes to the event under the
// cursor.
func (m *Model) eventsKey(key string, msg tea.KeyPressMsg) tea.Cmd {
	o := &m.overlay
	if o.filtering {
		return m.typeEvents(key, msg)
	}
	if b, _ := m.keys.lookup(key); b.action == actEvents || b.action == actLive {
		m.overlay = overlay{}
		if b.action == actLive {
			return m.live()
		}
		return m.ask()
	}
	rows := m.eventRows()
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
		if o.pick >= len(rows) {
			return nil
		}
		e := rows[o.pick]
		m.overlay = overlay{}
		m.at = e.At
		m.say("at " + m.moment(e.At) + ": " + e.Subject + " " + string(e.Kind) + "; " + m.keyOf(actLive) + " is live")
		return m.ask()
	}
	o.pick = max(0, min(o.pick, len(rows)-1))
	return nil
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

// eventLines draw the list, the cursor in view.
func (m *Model) eventLines(w, h int) []string {
	s := m.styles
	rows := m.eventRows()
	title := "events of the last " + text.Age(m.eventSpan()) + ", newest first: enter goes there, / filters"
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
		case len(m.events.all) > 0:
			why = " no event matches"
		case m.snap == nil:
			why = " waiting for the first answer"
		}
		return append(lines, s.Dim.Render(why))
	}
	room := max(h-len(lines), 1)
	first := max(0, min(m.overlay.pick-room+1, len(rows)-room))
	for i := first; i < len(rows) && i < first+room; i++ {
		line := m.eventLine(rows[i], w)
		if i == m.overlay.pick {
			line = s.Select.Render(cells.Fit(cells.Strip(line), w))
		}
		lines = append(lines, line)
	}
	return lines
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
