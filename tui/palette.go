package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
)

// paletteRow is one action that can be run by name.
type paletteRow struct {
	name, help, keys string
	run              func(*Model) tea.Cmd
}

// paletteRows lists what matches the typed text: every action of the key
// table, each screen, window and theme by its own name.
func (m *Model) paletteRows() []paletteRow {
	var all []paletteRow
	for i, p := range m.Panes {
		key := ""
		if i < 9 {
			key = string(rune('1' + i))
		}
		all = append(all, paletteRow{"screen " + p.ID(), "show " + text.Clean(p.Title(), 40), key, func(m *Model) tea.Cmd { return m.show(i) }})
	}
	for _, b := range m.keys {
		if b.action == actScreen || b.action == actPalette {
			continue
		}
		help := b.help
		if why := m.refused(b.changes); why != "" {
			help += " (" + why + ")"
		}
		all = append(all, paletteRow{b.action, help, strings.Join(b.keys, " "), func(m *Model) tea.Cmd { return m.do(b.action) }})
	}
	for _, w := range windows {
		all = append(all, paletteRow{"window " + text.Age(w), "look back this far", "", func(m *Model) tea.Cmd { return m.setWindow(w) }})
	}
	for _, name := range themes.Names() {
		all = append(all, paletteRow{"theme " + name, "colours", "", func(m *Model) tea.Cmd {
			if err := m.setTheme(name); err != nil {
				m.say(err.Error())
			}
			return nil
		}})
	}
	want := strings.ToLower(strings.TrimSpace(m.overlay.input))
	switch {
	case want == "":
		return all
	case want == testAction && m.Dummy != nil:
		return []paletteRow{{testAction, "an action without a server: see the confirmation and the log", "", func(m *Model) tea.Cmd { return m.propose(*m.Dummy) }}}
	}
	var first, rest []paletteRow
	for _, r := range all {
		switch {
		case strings.HasPrefix(r.name, want):
			first = append(first, r)
		case scattered(r.name+" "+r.help, want):
			rest = append(rest, r)
		}
	}
	return append(first, rest...)
}

// scattered says whether the letters of want stand in s in this order.
func scattered(s, want string) bool {
	for _, r := range want {
		i := strings.IndexRune(s, r)
		if i < 0 {
			return false
		}
		s = s[i+len(string(r)):]
	}
	return true
}

func (m *Model) paletteLines(w, h int) []string {
	s := m.styles
	rows := m.paletteRows()
	lines := []string{cells.Rule("command palette: type, up down, enter", w, s)}
	if len(rows) == 0 {
		return append(lines, s.Dim.Render(" no action of that name"))
	}
	from := max(0, m.overlay.pick-(h-3))
	for i := from; i < len(rows) && len(lines) < h; i++ {
		r := rows[i]
		line := cells.Line(w, cells.L(" "+cells.Fit(r.name, 22), 0), cells.L(r.help, 1), cells.R(r.keys+" ", 2))
		if i == m.overlay.pick {
			line = s.Select.Render(cells.Strip(line))
		}
		lines = append(lines, line)
	}
	return lines
}
