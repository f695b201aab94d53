// Package tui is the console: the one Bubble Tea model, its frame around the
// panes, its keys and overlays.
//
// It does no I/O: questions go to the Feed in commands, and what comes back
// is an immutable snapshot. It knows no metric name and no chart library.
package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
	"dynascope/themes"
	"dynascope/tui/pane"
)

// Feed answers one tick; *feed.Feed is the real one.
type Feed interface {
	Tick(ctx context.Context, ask feed.Ask) *sources.Snapshot
}

// Options are what the console needs from its caller.
type Options struct {
	Feed    Feed
	Catalog *catalog.Catalog
	Panes   []pane.Pane
	// Name is the deployment's name in the title; empty shows the model.
	Name string
	// Tick is how often the feed is asked while live; zero means a second.
	Tick time.Duration
	// Window is the look-back to start with, one of windows.
	Window time.Duration
	SLA    pane.SLA
	Theme  string
	ASCII  bool
	// NoColor: bold, dim and reverse only, whatever the theme (NO_COLOR).
	NoColor bool
	// Warning returns trouble of the store that concerns every number (a full
	// disk); it is shown in the footer. May be nil.
	Warning func() string
	// Now is the clock; nil means time.Now. Tests set it.
	Now func() time.Time
}

// Model is the console's state. Only Update changes it, on Bubble Tea's
// goroutine.
type Model struct {
	Options
	ctx    context.Context
	styles themes.Styles
	theme  string

	w, h   int
	active int
	source pane.Source
	zoom   bool

	snap   *sources.Snapshot
	window time.Duration
	at     time.Time // zero while live

	asking  bool // a tick is under way
	asked   []sources.Need
	follows int  // questions in a row that followed from an answer
	again   bool // something changed meanwhile: ask again at once
	overlay overlay
	notice  notice
	drawn   drawn
}

// New makes the console. The context ends its questions; the caller cancels
// it after the program has returned.
func New(ctx context.Context, o Options) (*Model, error) {
	if o.Tick <= 0 {
		o.Tick = time.Second
	}
	if o.Window <= 0 {
		o.Window = 5 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Model{Options: o, ctx: ctx, window: o.Window, source: pane.FromFrontend}
	if err := m.setTheme(o.Theme); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Model) setTheme(name string) error {
	t, err := themes.Get(name)
	if err != nil {
		return err
	}
	m.theme = t.Name
	if m.NoColor {
		t = t.Plain()
	}
	m.styles = themes.NewStyles(t, m.ASCII)
	m.drawn = drawn{}
	return nil
}

// Snapshot is the newest answer, nil before the first.
func (m *Model) Snapshot() *sources.Snapshot { return m.snap }

// Init asks at once and starts the clock.
func (m *Model) Init() tea.Cmd { return tea.Batch(m.ask(), m.clock()) }

// tickedMsg is the clock.
type tickedMsg struct{}

// answeredMsg carries a snapshot.
type answeredMsg struct{ snap *sources.Snapshot }

func (m *Model) clock() tea.Cmd {
	return tea.Tick(m.Tick, func(time.Time) tea.Msg { return tickedMsg{} })
}

// ask starts a question unless one is under way; a skipped one is made up for
// when the answer comes (samples may be skipped, changes of mind may not).
func (m *Model) ask() tea.Cmd {
	if m.asking {
		m.again = true
		return nil
	}
	m.asking, m.again = true, false
	m.asked = m.needs()
	ask := feed.Ask{Needs: m.asked, At: m.at, Window: m.window}
	ctx, f := m.ctx, m.Feed
	return func() tea.Msg { return answeredMsg{f.Tick(ctx, ask)} }
}

// needs is the union of what the visible pane and the facts line draw.
func (m *Model) needs() []sources.Need {
	out := append([]sources.Need(nil), factNeeds...)
	if p := m.pane(); p != nil {
		out = append(out, p.Needs(m.frame())...)
	}
	return out
}

func (m *Model) pane() pane.Pane {
	if m.active < 0 || m.active >= len(m.Panes) {
		return nil
	}
	return m.Panes[m.active]
}

// frame is what the active pane draws from.
func (m *Model) frame() pane.Frame {
	w, h := m.paneArea()
	return pane.Frame{
		W: w, H: h, Snap: m.snap, Styles: m.styles, SLA: m.SLA, Window: m.window,
		Source: m.source, Zoom: m.zoom, Paused: !m.at.IsZero(),
	}
}
