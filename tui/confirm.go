package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// confirming is the overlay that asks before a server is changed.
const confirming = "confirm"

// deaf is how long the question ignores keys: what was typed before it was
// there is no answer to it.
const deaf = 400 * time.Millisecond

// confirm is the command that waits for its y.
type confirm struct {
	command pane.Command
	asked   time.Time
}

// propose runs a command that changes nothing, and asks before one that does.
// Under --read-only the question shows what would be sent and takes no yes.
func (m *Model) propose(c pane.Command) tea.Cmd {
	if !c.Changes {
		return m.act(c)
	}
	m.confirm = confirm{c, m.Now()}
	m.overlay = overlay{kind: confirming}
	return nil
}

// refused says why something that changes servers is not run.
func (m *Model) refused(changes bool) string {
	if !changes || m.ReadOnly == "" {
		return ""
	}
	return "refused: " + text.Clean(m.ReadOnly, 200)
}

// confirmKey takes the answer: y runs, enter does nothing, any other key
// cancels. A held key that repeats is no answer.
func (m *Model) confirmKey(msg tea.KeyPressMsg) tea.Cmd {
	if m.Now().Sub(m.confirm.asked) < deaf || msg.IsRepeat {
		return nil
	}
	switch key := msg.String(); {
	case key == "enter":
		return nil
	case key == "y" && m.refused(true) == "":
		if !m.confirmFits() {
			m.say("the request does not fit this screen: make it larger to run it")
			return nil
		}
		c := m.confirm.command
		m.overlay, m.confirm = overlay{}, confirm{}
		return m.act(c)
	default:
		title := m.confirm.command.Title
		m.overlay, m.confirm = overlay{}, confirm{}
		m.say("cancelled, nothing was sent: " + text.Clean(title, 100))
		return nil
	}
}

// confirmFits says whether the whole request is on screen: nobody confirms
// what cannot be read.
func (m *Model) confirmFits() bool {
	w, h := m.paneArea()
	return len(m.confirmLines(w)) <= h && w >= 30
}

func (m *Model) confirmLines(w int) []string {
	s, c := m.styles, m.confirm.command
	why := m.refused(c.Changes)
	body := s.Text
	if why != "" {
		body = s.Dim
	}
	lines := []string{cells.Rule("this changes a server", w, s), "", " " + s.Title.Render(text.Safe(c.Title, 200)), ""}
	for _, l := range requestLines(c.Request, max(w-4, 10)) {
		lines = append(lines, "   "+body.Render(l))
	}
	if c.Note != "" {
		lines = append(lines, "")
		for _, l := range cells.Wrap(text.Safe(c.Note, 1000), max(w-4, 10)) {
			lines = append(lines, " "+s.Warn.Render(l))
		}
	}
	lines = append(lines, "")
	switch {
	case why != "":
		for _, l := range cells.Wrap(why, max(w-4, 10)) {
			lines = append(lines, " "+s.Warn.Render(l))
		}
		return append(lines, " "+s.Dim.Render("any key closes"))
	default:
		return append(lines, " "+s.Accent.Render("y")+s.Text.Render(" runs it; any other key cancels"))
	}
}

// requestLines are a request's lines without secrets and control characters,
// broken to the width: nothing of it is left out.
func requestLines(request string, w int) []string {
	var out []string
	for _, clean := range text.Request(request) {
		for cells.Width(clean) > w {
			// By cells, not by words: blanks of a request count.
			head := cutCells(clean, w)
			out = append(out, head)
			clean = clean[len(head):]
		}
		out = append(out, clean)
	}
	return out
}

// cutCells is the longest beginning of a plain text that fits w cells, at
// least one character.
func cutCells(s string, w int) string {
	n := 0
	for i, r := range s {
		size := cells.Width(string(r))
		if n+size > w && i > 0 {
			return s[:i]
		}
		n += size
	}
	return s
}
