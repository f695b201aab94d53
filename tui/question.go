package tui

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources"
	"dynascope/sources/feed"
	"dynascope/tui/report"
)

// patience is how long a question that the user has moved on from may go on
// before it is given up.
const patience = 300 * time.Millisecond

// question is the tick under way.
type question struct {
	open   bool
	n      int // counts them
	ask    feed.Ask
	needs  []sources.Need // of the screen, when it was asked
	judges bool           // it is a judgement's
	scope  string         // the deployment's name
	began  time.Time
	again  bool // something changed meanwhile: ask again at once
	gaveUp bool
	cancel context.CancelFunc
}

// span is what the store holds.
type span struct{ oldest, newest time.Time }

// answeredMsg carries a snapshot and what was learned beside it.
type answeredMsg struct {
	snap  *sources.Snapshot
	at    time.Time // asked for
	scope string
	span  span
	tried []report.TriedLine
	jobs  []sources.Event
}

// impatientMsg asks whether question n still goes on.
type impatientMsg struct{ n int }

// ask starts a question unless one is under way; a skipped one is made up for
// when the answer comes (samples may be skipped, changes of mind may not). One
// that nobody waits for any more is given up before long: a slow store must
// not make keys slow.
func (m *Model) ask() tea.Cmd {
	q := &m.question
	if q.open {
		q.again = true
		if !m.movedOn() {
			return nil
		}
		n, rest := q.n, patience-m.Now().Sub(q.began)
		if rest <= 0 || q.judges { // what its questions answered so far is kept by the feed
			return m.giveUp(n)
		}
		return tea.Tick(rest, func(time.Time) tea.Msg { return impatientMsg{n} })
	}
	ctx, cancel := context.WithCancel(m.ctx)
	needs := m.needs()
	m.question = question{
		open: true, n: q.n + 1, began: m.Now(), scope: m.picker.chosen.Name, cancel: cancel, needs: needs,
		ask: feed.Ask{
			Needs: needs, At: m.at, Window: m.window, Scope: m.picker.chosen.Scope,
			Events: m.eventSpan(), Baseline: m.compare.asked(), Courses: m.compare.courses(m.window),
		},
	}
	ask, scope, f, recorded, tried, jobs := m.question.ask, m.question.scope, m.Feed, m.Recorded, m.Tried, m.JobEvents
	return func() tea.Msg {
		defer cancel()
		msg := answeredMsg{at: ask.At, scope: scope, snap: f.Tick(ctx, ask)}
		if recorded != nil {
			msg.span.oldest, msg.span.newest = recorded()
		}
		if tried != nil {
			msg.tried = tried()
		}
		if jobs != nil {
			msg.jobs = jobs()
		}
		return msg
	}
}

// movedOn says that the question under way is no longer what is wanted.
func (m *Model) movedOn() bool {
	q := m.question
	if !q.ask.At.Equal(m.at) || q.ask.Window != m.window || q.scope != m.picker.chosen.Name || !slices.Equal(q.needs, m.needs()) {
		return true
	}
	return !q.judges && (q.ask.Events != m.eventSpan() || q.ask.Baseline != m.compare.asked())
}

// giveUp ends question n where it still goes on and nobody waits for it.
func (m *Model) giveUp(n int) tea.Cmd {
	if q := &m.question; q.open && q.n == n && q.again && m.movedOn() {
		q.gaveUp = true
		q.cancel()
	}
	return nil
}

// answered takes the answer in, and asks for what follows from it.
func (m *Model) answered(msg answeredMsg) tea.Cmd {
	q := &m.question
	again := q.again
	if msg.snap != nil && !q.gaveUp && m.wanted(msg) {
		m.snap, m.span, m.tried = msg.snap, msg.span, msg.tried
		m.forget()
		m.events.jobs = msg.jobs
		m.happened()
		if m.findings > 0 {
			m.find(m.finding, m.findings-1)
		}
		m.compared()
	}
	q.open, q.gaveUp = false, false
	if again {
		return m.ask()
	}
	// What the pane needs can follow from what has just come (the span of its
	// charts, a worker that appeared): ask for the rest at once.
	if m.follows < mostFollows && !slices.Equal(q.needs, m.needs()) {
		m.follows++
		return m.ask()
	}
	m.follows = 0
	return tea.Batch(m.askJudgement(), m.askDetails())
}

// wanted drops an answer for a moment or a deployment that the user has left
// meanwhile.
func (m *Model) wanted(msg answeredMsg) bool {
	return msg.at.Equal(m.at) && msg.scope == m.picker.chosen.Name
}
