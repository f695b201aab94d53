package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/tui/pane"
)

const (
	// detailsAge is how old what is known of a worker may be before it is
	// asked again: its log goes on.
	detailsAge = 10 * time.Second
	// detailLimit is how long one look may take.
	detailLimit = 5 * time.Second
	// mostDetails bounds what is remembered.
	mostDetails = 64
)

// details is what was found out about workers. The map is replaced, never
// changed: frames hold it.
type details struct {
	known  map[pane.DetailNeed]pane.Detail
	asking bool
}

// detailMsg is the answer of Options.Details.
type detailMsg struct {
	need   pane.DetailNeed
	detail pane.Detail
}

// askDetails asks for what the pane on screen wants to know and what is not
// known or old, one worker at a time.
func (m *Model) askDetails() tea.Cmd {
	p, ok := m.pane().(pane.Detailer)
	if !ok || m.Details == nil || m.details.asking {
		return nil
	}
	for _, need := range p.Details(m.frame()) {
		if d, ok := m.details.known[need]; ok && m.Now().Sub(d.At) < detailsAge {
			continue
		}
		m.details.asking = true
		parent, find, now := m.ctx, m.Details, m.Now()
		return func() tea.Msg {
			ctx, cancel := context.WithTimeout(parent, detailLimit)
			defer cancel()
			d := find(ctx, need)
			d.At = now
			return detailMsg{need, d}
		}
	}
	return nil
}

// detailed takes an answer in.
func (m *Model) detailed(msg detailMsg) tea.Cmd {
	m.details.asking = false
	known := map[pane.DetailNeed]pane.Detail{msg.need: msg.detail}
	for n, d := range m.details.known {
		if n != msg.need && len(known) < mostDetails && m.Now().Sub(d.At) < time.Hour {
			known[n] = d
		}
	}
	m.details.known = known
	m.drawn = drawn{}
	return m.askDetails()
}
