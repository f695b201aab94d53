// Package tui is the console: the one Bubble Tea model, its frame around the
// panes, its keys and overlays.
//
// It does no I/O: questions go to the Feed in commands, and what comes back
// is an immutable snapshot. It knows no metric name and no chart library.
package tui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
	"dynascope/themes"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
	"dynascope/tui/report"
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
	// Court is by what every moment is judged; without rules none is.
	Court verdict.Court
	// Name is the deployment's name in the title; empty shows the model.
	Name string
	// Tick is how often the feed is asked while live; zero means a second.
	Tick time.Duration
	// Pace is the least time between two questions as the store has it now; a
	// remote server's is known only once it answered. May be nil.
	Pace func() time.Duration
	// LowBandwidth draws at most every eight seconds, keys aside.
	LowBandwidth bool
	// At is a moment to open paused at; zero opens live.
	At time.Time
	// Recording: the store holds the past only. Its present is the newest
	// moment recorded, which moves on while a recorder is still writing.
	Recording bool
	// Recorded tells the span that the store holds; zero times are unknown. It
	// is asked beside each tick, never while drawing. May be nil.
	Recorded func() (oldest, newest time.Time)
	// Deployments lists what the scope can be limited to; asked when the
	// picker opens, and now and then while one is picked, so that its scope
	// follows a fleet that changes. Nil: there is nothing to pick.
	Deployments func(ctx context.Context) ([]Deployment, error)
	// Deployment is picked from the start; the zero value is everything.
	Deployment Deployment
	// Tried lists what discovery tried and found; asked beside each tick. May
	// be nil.
	Tried func() []report.TriedLine
	// JobEvents lists what this program's own jobs did, in any order; asked
	// beside each tick. May be nil.
	JobEvents func() []sources.Event
	// Details finds out about one worker what no store holds: its flags and
	// its log. It is asked in a command, never while drawing. May be nil.
	Details func(ctx context.Context, need pane.DetailNeed) pane.Detail
	// Advice tells which flags could be set better; Learn learns baselines from
	// the window on screen and says what it kept. Each may be nil.
	Advice, Learn Inquiry
	// Window is the look-back to start with, one of windows.
	Window time.Duration
	SLA    pane.SLA
	Theme  string
	ASCII  bool
	// NoColor: bold, dim and reverse only, whatever the theme (NO_COLOR).
	NoColor bool
	// Keys replaces the keys of actions, by their names (CheckKeys).
	Keys map[string][]string
	// ReadOnly says why nothing that changes a server is run; empty runs it
	// after it was confirmed.
	ReadOnly string
	// Log keeps what was sent to servers; nil keeps nothing.
	Log *ActionLog
	// Mouse takes clicks and the wheel from the terminal.
	Mouse bool
	// Tmux: a multiplexer stands between the console and the terminal.
	Tmux bool
	// Dummy is an action without a server, in the palette for who types
	// test-action: a way to see the confirmation and the log. May be nil.
	Dummy *pane.Command
	// Now is the clock; nil means time.Now. Tests set it.
	Now func() time.Time
}

// lowBandwidthTick is the least time between drawings that no key asked for.
// A screen full of moving columns is some 11 KB at 200×50.
const lowBandwidthTick = 8 * time.Second

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
	span   span
	tried  []report.TriedLine

	question question
	follows  int // questions in a row that followed from an answer
	picker   picker
	events   events
	judging  judging
	finding  verdict.Culprit // whom the pane has not found yet
	findings int             // how often it is looked for again
	compare  compare
	details  details
	inquiry  inquiry
	overlay  overlay
	notice   notice
	keys     keyTable
	confirm  confirm
	actions  actions
	drawn    drawn
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
	if o.LowBandwidth {
		o.Tick = max(o.Tick, lowBandwidthTick)
	}
	keys, err := remap(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("take the keys: %w", err)
	}
	m := &Model{Options: o, keys: keys, ctx: ctx, window: o.Window, at: o.At, source: pane.FromFrontend}
	m.picker.chosen = o.Deployment
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

func (m *Model) clock() tea.Cmd {
	tick := m.Tick
	if m.Pace != nil {
		tick = max(tick, m.Pace())
	}
	return tea.Tick(tick, func(time.Time) tea.Msg { return tickedMsg{} })
}

// needs is the union of what the visible pane and the verdict line draw.
func (m *Model) needs() []sources.Need {
	out := judged.Needs()
	out = append(out, m.compare.needs()...)
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
		W: w, H: h, Snap: m.snap, Judgement: m.judging.is, Styles: m.styles, SLA: m.SLA, Window: m.window,
		Source: m.source, Zoom: m.zoom, Paused: !m.at.IsZero(), LowBandwidth: m.LowBandwidth,
		Events: m.events.all, Compare: m.compare.on, Changes: m.compare.rows, Details: m.details.known,
	}
}
