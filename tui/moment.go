package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources/text"
)

// live goes back to the present: the clock's, or the newest moment of a
// recording.
func (m *Model) live() tea.Cmd {
	m.at = time.Time{}
	return m.ask()
}

// pause freezes the view at the moment on screen, or goes back to live.
func (m *Model) pause() tea.Cmd {
	if !m.at.IsZero() {
		return m.live()
	}
	if m.snap != nil {
		m.at = m.snap.At
	}
	return nil
}

// step moves the moment on screen by a tenth of the window, at least ten
// seconds; stepping past the present is live again.
func (m *Model) step(by int) tea.Cmd {
	if m.snap == nil {
		return nil
	}
	from := m.at
	if from.IsZero() {
		if by > 0 {
			return nil
		}
		from = m.snap.At
	}
	to := from.Add(time.Duration(by) * max(m.window/10, 10*time.Second))
	if oldest := m.span.oldest; by < 0 && !oldest.IsZero() && to.Before(oldest) {
		to = oldest
		m.say("this is the oldest moment there is")
	}
	if by > 0 && !to.Before(m.present()) {
		return m.live()
	}
	m.at = to
	return m.ask()
}

// present is the newest moment that can be shown.
func (m *Model) present() time.Time {
	if !m.Recording {
		return m.Now()
	}
	return m.span.newest // zero while unknown: forward is the newest then
}

// moment prints a time of day, with the date where that is not today's.
func (m *Model) moment(t time.Time) string {
	if t.IsZero() || sameDay(t, m.Now()) {
		return text.Clock(t)
	}
	return t.UTC().Format("2006-01-02 ") + text.Clock(t)
}

func sameDay(a, b time.Time) bool {
	const day = "2006-01-02"
	return a.UTC().Format(day) == b.UTC().Format(day)
}
