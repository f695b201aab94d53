package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"dynascope/tui/cells"
)

// The frame's rows: header, verdict, tabs above the pane and the footer below.
const (
	rowsAbove = 3
	rowsBelow = 1
)

// drawn remembers the last pane, which costs most: View runs after every
// message, and most of them change nothing in it.
type drawn struct {
	key  drawnKey
	text string
}

type drawnKey struct {
	seq    uint64
	judged int
	w, h   int
	active int
	source string
	zoom   bool
	paused bool
	window int64
}

// View draws the screen.
func (m *Model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	v.WindowTitle = "dynascope"
	if m.Mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

// marginFrom is the width from which the pane keeps a blank cell at each side,
// as the frame's own lines do.
const marginFrom = 100

// paneArea is what the frame leaves for the pane.
func (m *Model) paneArea() (w, h int) {
	w, h = m.w, max(m.h-rowsAbove-rowsBelow, 0)
	if w >= marginFrom {
		w -= 2
	}
	return w, h
}

func (m *Model) screen() string {
	if m.w <= 0 || m.h <= 0 {
		return ""
	}
	rows := []string{m.header(), m.verdictLine(), m.tabs()}
	w, h := m.paneArea()
	var body string
	if m.overlay.open() {
		body = m.overlayView(w, h)
	} else {
		body = m.paneView(w, h)
	}
	margin := strings.Repeat(" ", (m.w-w)/2)
	for _, line := range cells.Lines(body) {
		rows = append(rows, margin+line)
	}
	rows = append(rows, m.bottomLine())
	out := cells.Block(rows, m.w, m.h)
	if m.ASCII {
		out = cells.ASCII(out)
	}
	return out
}

// bottomLine is the footer, or the line being typed into.
func (m *Model) bottomLine() string {
	if line := m.overlay.prompt(m.styles, m.w); line != "" {
		return line
	}
	return m.footer()
}

func (m *Model) paneView(w, h int) string {
	p := m.pane()
	if p == nil || h <= 0 {
		return cells.Blank(w, h)
	}
	key := drawnKey{judged: m.judging.n, w: w, h: h, active: m.active, source: string(m.source), zoom: m.zoom, paused: !m.at.IsZero(), window: int64(m.window)}
	if m.snap != nil {
		key.seq = m.snap.Seq
	}
	if m.drawn.text == "" || m.drawn.key != key {
		m.drawn = drawn{key, p.View(m.frame())}
	}
	return m.drawn.text
}
