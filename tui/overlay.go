package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"dynascope/profiling/triage/verdict"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// overlay is what lies over the pane, or is typed in the bottom line.
type overlay struct {
	kind   string // an action, "" when closed
	input  string // of the filter and the palette
	err    string
	scroll int
	pick   int
	// about is the verdict whose evidence is shown.
	about *verdict.Verdict
	// filtering: keys edit the input that narrows the list of events.
	filtering bool
}

func (o overlay) open() bool { return o.kind != "" }

// typing says whether keys are text.
func (o overlay) typing() bool { return o.kind == actFilter || o.kind == actPalette }

// prompt is the bottom line while typing.
func (o overlay) prompt(s themes.Styles, w int) string {
	sign := map[string]string{actFilter: "/", actPalette: ":"}[o.kind]
	if o.kind == actEvents && o.filtering {
		sign = "/"
	}
	if sign == "" {
		return ""
	}
	parts := []cells.Part{cells.L(" "+s.Accent.Render(sign)+s.Text.Render(o.input)+s.Select.Render(" "), 0)}
	if o.err != "" {
		parts = append(parts, cells.R(s.Bad.Render(o.err)+" ", 0))
	}
	return cells.Line(w, parts...)
}

func (m *Model) openOverlay(kind string) tea.Cmd {
	if kind == actFilter {
		f, ok := m.pane().(pane.Filterer)
		if !ok {
			m.say("nothing to filter on this screen")
			return nil
		}
		m.overlay = overlay{kind: kind, input: f.Filter()}
		return nil
	}
	m.overlay = overlay{kind: kind}
	return nil
}

// filter is the filter in force on the active pane.
func (m *Model) filter() string {
	if f, ok := m.pane().(pane.Filterer); ok {
		return f.Filter()
	}
	return ""
}

func (m *Model) overlayKey(key string, msg tea.KeyPressMsg) tea.Cmd {
	if key == "ctrl+c" {
		return m.quit()
	}
	if key == "ctrl+z" {
		return tea.Suspend
	}
	if m.overlay.typing() {
		return m.typeKey(key, msg)
	}
	if m.overlay.kind == confirming {
		return m.confirmKey(msg)
	}
	if m.overlay.kind == actDeployment {
		return m.pickerKey(m.shipped(key))
	}
	if m.overlay.kind == actEvents {
		return m.eventsKey(key, msg)
	}
	switch m.shipped(key) {
	case "esc", "q", "enter":
		m.closeOverlay()
	case "j", "down":
		m.overlay.scroll++
	case "k", "up":
		m.overlay.scroll = max(0, min(m.overlay.scroll, m.overlayTop())-1)
	case "pgdown", "ctrl+d":
		m.overlay.scroll += 10
	case "pgup", "ctrl+u":
		m.overlay.scroll = max(0, min(m.overlay.scroll, m.overlayTop())-10)
	case "g", "home":
		m.overlay.scroll = 0
	case "G", "end":
		m.overlay.scroll = 1 << 20 // the drawing stops at the last page
	default:
		// The key that opened it closes it.
		switch b, _ := m.keys.lookup(key); b.action {
		case m.overlay.kind:
			m.overlay = overlay{}
		case actExplain:
			m.closeOverlay()
		case actCopy:
			return m.copy()
		}
	}
	return nil
}

// closeOverlay backs out of it: from a verdict's evidence to the list.
func (m *Model) closeOverlay() {
	o := m.overlay
	m.overlay = overlay{}
	if o.kind == showingEvidence {
		m.overlay = overlay{kind: actEvents, pick: o.pick, input: o.input}
	}
}

// typeKey edits the filter or the palette's text. The filter works while it
// is typed; esc leaves it as it was before.
func (m *Model) typeKey(key string, msg tea.KeyPressMsg) tea.Cmd {
	o := &m.overlay
	switch key {
	case "esc":
		if o.kind == actFilter {
			_ = m.setFilter("")
		}
		m.overlay = overlay{}
		return m.ask()
	case "enter":
		kind, pick, err := o.kind, m.paletteRows(), o.err
		if kind == actFilter {
			if err == "" {
				m.overlay = overlay{}
			}
			return nil
		}
		i := o.pick
		m.overlay = overlay{}
		if i < len(pick) {
			return pick[i].run(m)
		}
		return nil
	case "backspace":
		if r := []rune(o.input); len(r) > 0 {
			o.input = string(r[:len(r)-1])
		}
	case "ctrl+u":
		o.input = ""
	case "up":
		o.pick = max(0, o.pick-1)
		return nil
	case "down", "tab":
		o.pick = min(o.pick+1, max(len(m.paletteRows())-1, 0))
		return nil
	default:
		if msg.Text == "" {
			return nil
		}
		o.input += strings.Map(printable, msg.Text)
	}
	o.pick = 0
	if o.kind == actFilter {
		o.err = ""
		if err := m.setFilter(o.input); err != nil {
			o.err = err.Error()
		}
		return m.ask()
	}
	return nil
}

func printable(r rune) rune {
	if r < ' ' || (r >= 0x7f && r < 0xa0) {
		return -1
	}
	return r
}

func (m *Model) setFilter(text string) error {
	f, ok := m.pane().(pane.Filterer)
	if !ok {
		return nil
	}
	m.drawn = drawn{}
	return f.SetFilter(text)
}

// overlayLines are the lines of an overlay that scrolls.
func (m *Model) overlayLines(w, h int) []string {
	switch m.overlay.kind {
	case actHelp:
		return m.helpLines(w)
	case actPalette:
		return m.paletteLines(w, h)
	case actExplain:
		return m.explainLines(w)
	case actTargets:
		return append(m.targetLines(w), m.triedLines(w)...)
	case actDeployment:
		return m.pickerLines(w, h)
	case actEvents:
		return m.eventLines(w, h)
	case showingEvidence:
		return m.evidenceLines(w)
	case actCompare:
		return m.comparisonLines(w)
	case actLog:
		return m.actionLines(w)
	case actAdvice, actLearn:
		return m.inquiryLines(w)
	case confirming:
		return m.confirmLines(w)
	}
	return nil
}

// overlayTop is the scroll position of the last page.
func (m *Model) overlayTop() int {
	w, h := m.paneArea()
	return max(0, len(m.overlayLines(w, h))-h)
}

// overlayView draws what lies over the pane; while a filter is typed that is
// the pane itself.
func (m *Model) overlayView(w, h int) string {
	if m.overlay.kind == actFilter {
		return m.paneView(w, h)
	}
	lines := m.overlayLines(w, h)
	from := min(m.overlay.scroll, max(0, len(lines)-h))
	return cells.Block(lines[from:], w, h)
}
