package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// copy hands the focused part, or the overlay, to the terminal's clipboard by
// OSC 52. Line ends are ours alone, and none is last: a pasted one would run
// a command.
func (m *Model) copy() tea.Cmd {
	lines := trimmed(m.copyLines())
	content, cut := text.OSC52(lines...)
	if content == "" {
		m.say("nothing to copy here")
		return nil
	}
	said := "copied " + plural(strings.Count(content, "\n")+1, "line")
	if cut {
		said += fmt.Sprintf(" of %d: the rest is too long for a terminal's clipboard", len(lines))
	}
	if m.Tmux {
		said += "; tmux passes it on with set-clipboard on"
	}
	m.say(said)
	return tea.SetClipboard(content)
}

func (m *Model) copyLines() []string {
	w, h := m.paneArea()
	if m.overlay.kind == showingEvidence {
		return m.evidenceLines(unwrapped)
	}
	if m.overlay.open() {
		return m.overlayLines(w, h)
	}
	p := m.pane()
	if p == nil {
		return nil
	}
	f := m.frame()
	if c, ok := p.(pane.Copier); ok {
		return c.Copy(f)
	}
	// The focused part alone, where what it shows is already known; else all
	// that is on screen.
	if alone := f; !alone.Zoom {
		alone.Zoom = true
		if known(m.snap, p.Needs(alone)) {
			f = alone
		}
	}
	return cells.Lines(p.View(f))
}

// known says whether a snapshot holds all these figures.
func known(snap *sources.Snapshot, needs []sources.Need) bool {
	have := map[sources.Need]bool{}
	for _, f := range snap.Figures() {
		have[f.Need] = true
	}
	for _, n := range needs {
		if !have[n] {
			return false
		}
	}
	return true
}

// trimmed are lines without styles and the blanks around the text.
func trimmed(lines []string) []string {
	var out []string
	for _, l := range lines {
		l = strings.TrimRight(cells.Strip(l), " ")
		if l != "" || len(out) > 0 {
			out = append(out, l)
		}
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}
