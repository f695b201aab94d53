package tui

import (
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/themes"
	"dynascope/tui/pane"
)

// windows are the look-backs that w cycles through.
var windows = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}

// mostFollows bounds the questions that follow from answers: a pane whose
// needs never settle waits for the clock.
const mostFollows = 2

// Update handles one message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
		return m, m.ask() // courses depend on the width
	case tickedMsg:
		m.notice.tick()
		if !m.at.IsZero() {
			return m, m.clock() // paused: the view stands still
		}
		return m, tea.Batch(m.ask(), m.renewScope(), m.clock())
	case answeredMsg:
		return m, m.answered(msg)
	case judgedMsg:
		return m, m.judged(msg)
	case impatientMsg:
		return m, m.giveUp(msg.n)
	case deploymentsMsg:
		return m, m.listed(msg)
	case inquiryMsg:
		m.inquired(msg)
	case detailMsg:
		return m, m.detailed(msg)
	case actedMsg:
		return m, m.acted(msg)
	case actionsMsg:
		m.actions.list, m.actions.err = msg.list, msg.err
		return m, nil
	case tea.MouseClickMsg:
		return m, m.click(tea.Mouse(msg))
	case tea.MouseWheelMsg:
		return m, m.wheel(tea.Mouse(msg))
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

func (m *Model) key(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.String()
	if m.overlay.open() {
		return m.overlayKey(key, msg)
	}
	b, ok := m.keys.lookup(key)
	if !ok {
		return nil
	}
	if b.action == actScreen {
		return m.show(int(key[0] - '1'))
	}
	return m.do(b.action)
}

// do runs an action by name; keys and the palette both come here.
func (m *Model) do(action string) tea.Cmd {
	switch action {
	case actQuit:
		return m.quit()
	case actLog:
		return m.openActions()
	case actCopy:
		return m.copy()
	case actSuspend:
		return tea.Suspend
	case actRefresh:
		return m.ask()
	case actPause:
		return m.pause()
	case actEarlier:
		return m.step(-1)
	case actLater:
		return m.step(+1)
	case actLive:
		return m.live()
	case actWindow:
		return m.setWindow(windows[(slices.Index(windows, m.window)+1)%len(windows)])
	case actZoomIn:
		return m.zoomTime(-1)
	case actZoomOut:
		return m.zoomTime(+1)
	case actSource:
		m.source = m.source.After()
		m.say("latency as the " + string(m.source) + " measured it")
		return m.ask()
	case actMaximise:
		m.zoom = !m.zoom
		return m.ask()
	case actTheme:
		names := themes.Names()
		_ = m.setTheme(names[(slices.Index(names, m.theme)+1)%len(names)])
		m.say("theme " + m.theme)
		return nil
	case actHelp, actPalette, actTargets, actExplain, actFilter:
		return m.openOverlay(action)
	case actAdvice, actLearn:
		return m.inquire(action)
	case actDeployment:
		return m.openPicker()
	case actEvents:
		return m.openEvents()
	case actBaseline:
		return m.markBaseline()
	case actCompare:
		return m.toggleCompare()
	case actEscape:
		return m.escape()
	}
	return m.press(pane.Action(action))
}

func (m *Model) show(i int) tea.Cmd {
	if i < 0 || i >= len(m.Panes) || i == m.active {
		return nil
	}
	m.active, m.zoom, m.findings = i, false, 0
	return m.ask()
}

// press hands an action to the pane, and asks again: its needs may follow its
// cursor.
func (m *Model) press(a pane.Action) tea.Cmd {
	if actor, ok := m.pane().(pane.Actor); ok {
		if c, ok := actor.Act(a, m.frame()); ok {
			return m.propose(c)
		}
	}
	p, ok := m.pane().(pane.Presser)
	if !ok || !p.Press(a, m.frame()) {
		return nil
	}
	m.drawn = drawn{}
	return m.ask()
}

// escape backs out one step: filter, zoom, then the pane's own state.
func (m *Model) escape() tea.Cmd {
	if f, ok := m.pane().(pane.Filterer); ok && f.Filter() != "" {
		_ = f.SetFilter("")
		m.drawn = drawn{}
		return m.ask()
	}
	if m.zoom {
		m.zoom = false
		return m.ask()
	}
	return m.press(pane.Back)
}

func (m *Model) zoomTime(by int) tea.Cmd {
	i := slices.Index(windows, m.window) + by
	if i < 0 || i >= len(windows) {
		return nil
	}
	return m.setWindow(windows[i])
}

func (m *Model) setWindow(w time.Duration) tea.Cmd {
	m.window = w
	return m.ask()
}
