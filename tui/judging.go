package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/feed"
)

// settled is how long after a column of judgement began it is judged: the
// scrape that belongs to it has to land first.
const settled = time.Second

// A judgement of a large fleet, or by a slow store, rests eight times as long as
// it took, so that judging takes no more than a ninth of the time; half a minute
// at most.
const (
	restFor  = 8
	mostRest = 30 * time.Second
)

// judging is the judgement of the moment on screen. It is a question of its
// own, asked behind the screen's: keys wait for pictures, not for verdicts.
type judging struct {
	is    *verdict.Judgement // nil: not known
	n     int                // counts changes, for the drawing
	needs []sources.Need     // of the rules, found once

	// What was asked last, and by which snapshot's moment.
	at     time.Time
	scope  string
	column time.Time
	took   time.Duration
}

// judgedMsg carries a judgement.
type judgedMsg struct {
	is    *verdict.Judgement
	at    time.Time // asked for
	scope string
}

// askJudgement judges the moment on screen, once for each column of it.
func (m *Model) askJudgement() tea.Cmd {
	j := &m.judging
	if m.question.open || len(m.Court.Rules) == 0 || m.snap == nil {
		return nil
	}
	at, scope, column := m.at, m.picker.chosen.Name, verdict.Column(m.snap.At.Add(-settled))
	if j.at.Equal(at) && j.scope == scope {
		rest := min(restFor*j.took, mostRest)
		if j.column.Equal(column) || j.is != nil && column.Sub(j.column) < rest {
			return nil
		}
	}
	if j.needs == nil {
		j.needs = m.Court.Needs()
	}
	j.at, j.scope, j.column = at, scope, column
	ctx, cancel := context.WithCancel(m.ctx)
	q := &m.question
	*q = question{
		open: true, judges: true, n: q.n + 1, began: m.Now(), scope: scope, cancel: cancel, needs: m.needs(),
		ask: feed.Ask{Needs: j.needs, At: at, Window: m.window, Scope: m.picker.chosen.Scope, Events: verdict.Span},
	}
	ask, f, court := q.ask, m.Feed, m.Court
	return func() tea.Msg {
		defer cancel()
		snap := f.Tick(ctx, ask)
		if ctx.Err() != nil {
			return judgedMsg{at: ask.At, scope: scope} // half of the numbers prove nothing
		}
		return judgedMsg{court.Judge(snap), ask.At, scope}
	}
}

// judged takes a judgement in, and asks for what waited behind it.
func (m *Model) judged(msg judgedMsg) tea.Cmd {
	q := &m.question
	again := q.again
	q.open, q.gaveUp = false, false
	switch {
	case msg.is == nil:
		m.judging.column = time.Time{} // it was given up: ask again
	case msg.at.Equal(m.at) && msg.scope == m.picker.chosen.Name:
		m.judging.is, m.judging.took = msg.is, m.Now().Sub(q.began)
		m.judging.n++
		m.happened()
	}
	if again {
		return m.ask()
	}
	if msg.is != nil {
		return m.askJudgement() // of where the view was stopped meanwhile
	}
	return nil
}

// forget drops a judgement that is of another moment or deployment than the
// snapshot that has just come.
func (m *Model) forget() {
	if j := &m.judging; j.is != nil && (!j.at.Equal(m.at) || j.scope != m.picker.chosen.Name) {
		j.is = nil
		j.n++
	}
}
