package tui

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// testAction is the palette's name of the dummy.
const testAction = "test-action"

// mostShown is how many requests the log's list holds.
const mostShown = 200

// actions are the commands under way and the log as it was last read.
type actions struct {
	n       int
	running []running
	asked   bool // quitting was asked for while some were
	work    sync.WaitGroup
	list    []Sent
	err     error
}

type running struct {
	id     string
	title  string
	cancel context.CancelFunc
}

// actedMsg is the end of a command.
type actedMsg struct {
	sent   Sent
	logErr error // the answer came, and could not be logged
}

// actionsMsg is the log, read.
type actionsMsg struct {
	list []Sent
	err  error
}

// act runs a command as a job: logged before it leaves, and again with its
// answer. What cannot be logged is not sent.
func (m *Model) act(c pane.Command) tea.Cmd {
	a := &m.actions
	a.n++
	began := m.Now()
	e := Sent{Time: began, ID: fmt.Sprintf("%d-%d-%d", os.Getpid(), began.UnixNano(), a.n), State: stateSent, Title: c.Title, Request: c.Request}
	ctx, cancel := context.WithCancel(m.ctx)
	a.running = append(a.running, running{e.ID, c.Title, cancel})
	log, now, done := m.Log, m.Now, make(chan actedMsg, 1)
	// Its own goroutine, not Bubble Tea's: Close waits for it.
	a.work.Go(func() {
		defer cancel()
		done <- perform(ctx, c, e, log, now)
	})
	m.say("sent: " + text.Clean(c.Title, 100))
	return func() tea.Msg { return <-done }
}

func perform(ctx context.Context, c pane.Command, e Sent, log *ActionLog, now func() time.Time) actedMsg {
	began := e.Time
	if err := log.Append(e); err != nil {
		e.State, e.Error = stateFailed, "not sent: "+err.Error()
		return actedMsg{sent: e}
	}
	answer, err := safely(ctx, c.Run)
	e.Time, e.State, e.Answer = now(), stateOK, answer
	e.TookMS = e.Time.Sub(began).Milliseconds()
	if err != nil {
		e.State, e.Error = stateFailed, err.Error()
	}
	return actedMsg{e, log.Append(e)}
}

// safely turns a panic into an error: the answer of a strange server must not
// take the console down.
func safely(ctx context.Context, run func(context.Context) (string, error)) (answer string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("run the action: %v", p)
		}
	}()
	return run(ctx)
}

// acted takes the end of a command in.
func (m *Model) acted(msg actedMsg) tea.Cmd {
	a, e := &m.actions, msg.sent
	a.running = slices.DeleteFunc(a.running, func(r running) bool { return r.id == e.ID })
	if len(a.running) == 0 {
		a.asked = false
	}
	switch {
	case e.State == stateFailed:
		m.say(text.Safe(e.Title, 60) + " failed: " + text.Safe(e.Error, 200))
	case msg.logErr != nil:
		m.say(text.Safe(e.Title, 60) + " is done, but " + text.Safe(msg.logErr.Error(), 200))
	default:
		m.say(text.Safe(e.Title, 60) + ": " + text.Safe(e.Answer, 200))
	}
	if m.overlay.kind == actLog {
		return m.readActions()
	}
	return nil
}

// quit ends the program; with requests under way it says so first, and takes
// the second time for a yes.
func (m *Model) quit() tea.Cmd {
	a := &m.actions
	if len(a.running) == 0 || a.asked {
		return tea.Quit
	}
	a.asked = true
	m.say(fmt.Sprintf("%s under way (%s): %s again ends it and quits", plural(len(a.running), "request"), text.Clean(a.running[0].title, 60), m.keyOf(actQuit)))
	return nil
}

// Close ends what is under way and waits for it. Call it once the program has
// returned.
func (m *Model) Close() {
	for _, r := range m.actions.running {
		r.cancel()
	}
	m.actions.work.Wait()
}

// actionsMark says in the footer that something is under way.
func (m *Model) actionsMark() string {
	if n := len(m.actions.running); n > 0 {
		return m.styles.Accent.Render(plural(n, "request") + " under way")
	}
	return ""
}

func (m *Model) openActions() tea.Cmd {
	m.overlay = overlay{kind: actLog}
	return m.readActions()
}

func (m *Model) readActions() tea.Cmd {
	log := m.Log
	return func() tea.Msg {
		list, err := log.Recent(mostShown)
		return actionsMsg{list, err}
	}
}

// actionLines are the log, newest first.
func (m *Model) actionLines(w int) []string {
	s := m.styles
	lines := []string{cells.Rule("action log: every request sent to a server, newest first", w, s)}
	if m.actions.err != nil {
		lines = append(lines, " "+s.Warn.Render(text.Safe(m.actions.err.Error(), 300)))
	}
	if m.ReadOnly != "" {
		lines = append(lines, " "+s.Dim.Render("nothing that changes a server is sent: "+text.Clean(m.ReadOnly, 200)))
	}
	if len(m.actions.list) == 0 {
		return append(lines, " "+s.Dim.Render("nothing was sent to any server yet; scraping and questions are not listed"))
	}
	for _, e := range m.actions.list {
		mark, tail := s.Dim.Render(s.G.Idle), "under way, or ended without an answer"
		switch e.State {
		case stateOK:
			mark, tail = s.Good.Render(s.G.Good), text.Safe(e.Answer, 500)
		case stateFailed:
			mark, tail = s.Bad.Render(s.G.Bad), text.Safe(e.Error, 500)
		}
		took := ""
		if e.TookMS > 0 {
			took = text.Duration(float64(e.TookMS) / 1000)
		}
		lines = append(lines, "", cells.Line(w, cells.L(" "+mark+" "+s.Dim.Render(m.moment(e.Time)), 0), cells.L(s.Text.Render(text.Safe(e.Title, 200)), 0), cells.R(s.Dim.Render(took)+" ", 1)))
		for _, l := range requestLines(e.Request, max(w-8, 10)) {
			lines = append(lines, "     "+s.Accent.Render(l))
		}
		for _, l := range cells.Wrap(tail, max(w-8, 10)) {
			lines = append(lines, "     "+s.Dim.Render(l))
		}
	}
	return lines
}
