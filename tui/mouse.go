package tui

import (
	tea "charm.land/bubbletea/v2"

	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// tabsRow is the frame's row with the screens' names.
const tabsRow = 2

// click goes to a screen by its tab, or to what the pane has there. A question
// about a server is answered by keys alone.
func (m *Model) click(at tea.Mouse) tea.Cmd {
	if at.Button != tea.MouseLeft || m.overlay.kind == confirming {
		return nil
	}
	if at.Y == tabsRow {
		if i := m.tabAt(at.X); i >= 0 {
			m.overlay = overlay{}
			return m.show(i)
		}
		return nil
	}
	if m.overlay.open() {
		return nil
	}
	w, h := m.paneArea()
	x, y := at.X-(m.w-w)/2, at.Y-rowsAbove
	c, ok := m.pane().(pane.Clicker)
	if !ok || x < 0 || x >= w || y < 0 || y >= h || !c.Click(x, y, m.frame()) {
		return nil
	}
	m.drawn = drawn{}
	return m.ask()
}

// tabAt is the screen whose tab covers a column, -1 for none.
func (m *Model) tabAt(x int) int {
	from := 0
	for i := range m.Panes {
		to := from + cells.Width(m.tabLabel(i))
		if x >= from && x < to {
			return i
		}
		from = to + 1
	}
	return -1
}

// wheel scrolls what is under it.
func (m *Model) wheel(at tea.Mouse) tea.Cmd {
	up := at.Button == tea.MouseWheelUp
	if !up && at.Button != tea.MouseWheelDown {
		return nil
	}
	o := &m.overlay
	step := +1
	if up {
		step = -1
	}
	switch {
	case o.kind == confirming:
		return nil
	case o.kind == actPalette:
		o.pick = max(0, min(o.pick+step, len(m.paletteRows())-1))
		return nil
	case o.kind == actDeployment:
		o.pick = max(0, min(o.pick+step, len(m.pickerRows())-1))
		return nil
	case o.kind == actEvents:
		o.pick = max(0, min(o.pick+step, len(m.happenedRows())-1))
		return nil
	case o.open() && o.kind != actFilter:
		o.scroll = max(0, min(o.scroll, m.overlayTop())+3*step)
		return nil
	case up:
		return m.press(pane.Up)
	}
	return m.press(pane.Down)
}
