package tui

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/tui/pane"
)

// probe is a command that notes whether it ran.
type probe struct {
	ran     int
	release chan struct{} // nil answers at once
	err     error
}

func (p *probe) command() *pane.Command {
	return &pane.Command{
		Title: "start profile on 7f3a", Request: "POST http://h:8081/engine/start_profile\n{\"num_steps\":10}", Note: "the worker stops for some seconds", Changes: true,
		Run: func(ctx context.Context) (string, error) {
			p.ran++
			if p.release != nil {
				select {
				case <-p.release:
				case <-ctx.Done():
					return "", ctx.Err()
				}
			}
			return "200 OK", p.err
		},
	}
}

// asked is a story whose console asks before the probe's command.
func asked(t *testing.T, p *probe, with ...func(*Options)) *story {
	t.Helper()
	s := tell(t, append([]func(*Options){func(o *Options) {
		o.Dummy = p.command()
		o.Log = NewActionLog(filepath.Join(t.TempDir(), "state", "actions.jsonl"))
	}}, with...)...)
	t.Cleanup(s.m.Close)
	s.keys(":")
	for _, r := range testAction {
		s.keys(string(r))
	}
	s.keys("enter")
	if s.m.overlay.kind != confirming {
		t.Fatal("nothing was asked")
	}
	return s
}

// answer presses a key once the question listens, and runs what follows.
func (s *story) answer(keys ...string) {
	s.Helper()
	s.feed.now = s.feed.now.Add(deaf)
	for _, k := range keys {
		_, cmd := s.m.Update(press(k))
		s.finish(cmd)
	}
}

// finish delivers what a command ends with.
func (s *story) finish(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case actedMsg, actionsMsg:
		_, next := s.m.Update(msg)
		s.finish(next)
	case tea.QuitMsg:
		s.quit = true
	}
}

func TestConfirm(t *testing.T) {
	for name, c := range map[string]struct {
		keys []string
		ran  int
		open bool
	}{
		"y runs":            {[]string{"y"}, 1, false},
		"enter does not":    {[]string{"enter", "enter"}, 0, true},
		"enter, then y":     {[]string{"enter", "y"}, 1, false},
		"esc cancels":       {[]string{"esc"}, 0, false},
		"another cancels":   {[]string{"x"}, 0, false},
		"a capital cancels": {[]string{"Y"}, 0, false},
		"cancel, then y":    {[]string{"n", "y"}, 0, false}, // that y copies
	} {
		t.Run(name, func(t *testing.T) {
			var p probe
			s := asked(t, &p)
			for _, want := range []string{"POST http://h:8081/engine/start_profile", `{"num_steps":10}`, "start profile on 7f3a", "stops for some seconds", "y runs it"} {
				s.shows(want)
			}
			s.answer(c.keys...)
			s.m.Close()
			if p.ran != c.ran || (s.m.overlay.kind == confirming) != c.open {
				t.Errorf("ran %d times, open %v", p.ran, s.m.overlay.kind)
			}
		})
	}
}

// What was typed before the question was there is no answer to it.
func TestConfirmIsDeafAtFirst(t *testing.T) {
	var p probe
	s := asked(t, &p)
	s.keys("y", "x", "esc")
	s.feed.now = s.feed.now.Add(deaf - time.Millisecond)
	s.keys("y", "q")
	if p.ran > 0 || s.m.overlay.kind != confirming {
		t.Fatal("an early key was taken")
	}
	s.feed.now = s.feed.now.Add(time.Millisecond)
	repeat := press("y")
	repeat.IsRepeat = true
	s.send(repeat)
	if p.ran > 0 || s.m.overlay.kind != confirming {
		t.Fatal("a held key was taken for an answer")
	}
	s.send(tea.PasteMsg{Content: "y"})
	s.send(tea.MouseClickMsg{X: 2, Y: 8, Button: tea.MouseLeft})
	if p.ran > 0 || s.m.overlay.kind != confirming {
		t.Fatal("something that is no key was taken for an answer")
	}
	s.answer("y")
	s.m.Close()
	if p.ran != 1 {
		t.Fatal("y did not run it")
	}
}

func TestConfirmReadOnly(t *testing.T) {
	var p probe
	s := asked(t, &p, func(o *Options) { o.ReadOnly = "read_only: pinned by /etc/dynascope/config.yaml:1:1" })
	s.shows("refused: read_only: pinned by /etc/dynascope/config.yaml:1:1")
	s.shows("POST http://h:8081") // what would be sent is still said
	s.answer("enter", "y")
	s.m.Close()
	if p.ran > 0 || s.m.overlay.open() {
		t.Error("it ran, or still asks")
	}
	if list, err := s.m.Log.Recent(10); err != nil || len(list) > 0 {
		t.Errorf("logged %v, %v", list, err)
	}
	s.shows("READ-ONLY")
}

// Nobody confirms what cannot be read.
func TestConfirmNeedsRoom(t *testing.T) {
	var p probe
	s := asked(t, &p)
	s.send(tea.WindowSizeMsg{Width: 60, Height: 9})
	s.answer("y")
	if s.m.Close(); p.ran > 0 {
		t.Fatal("ran a request that was not on screen")
	}
	s.shows("does not fit")
	s.send(tea.WindowSizeMsg{Width: 60, Height: 24})
	s.answer("y")
	if s.m.Close(); p.ran != 1 {
		t.Fatal("did not run")
	}
}

func TestRequestLines(t *testing.T) {
	got := requestLines("POST http://u:hunter2@h/x\n{\"api_key\": \"hunter2\"}\nabc\x1b[31mdef  ghi\a", 12)
	all := strings.Join(got, "")
	if strings.ContainsAny(all, "\x1b\a") || strings.Contains(all, "hunter2") || !strings.Contains(all, "ghi") {
		t.Errorf("%q", got)
	}
	if got := requestLines("{\n  \"a\":  1\n}", 40); strings.Join(got, "|") != `{|  "a":  1|}` {
		t.Errorf("blanks are gone: %q", got)
	}
	for _, l := range requestLines(strings.Repeat("日本語", 20), 11) {
		if n := len([]rune(l)); n > 5 {
			t.Errorf("%q is too wide", l)
		}
	}
}

func TestActionsAreLogged(t *testing.T) {
	for name, err := range map[string]error{"answered": nil, "failed": errors.New("404 Not Found")} {
		t.Run(name, func(t *testing.T) {
			p := probe{err: err}
			s := asked(t, &p)
			s.answer("y")
			list, rerr := s.m.Log.Recent(10)
			if rerr != nil || len(list) != 1 || list[0].Title != "start profile on 7f3a" || !strings.HasPrefix(list[0].Request, "POST http://h:8081") {
				t.Fatalf("%+v, %v", list, rerr)
			}
			want := stateOK
			if err != nil {
				want = stateFailed
				s.shows("404 Not Found")
			}
			if list[0].State != want || list[0].Answer != "200 OK" {
				t.Errorf("%+v", list[0])
			}
			_, cmd := s.m.Update(press("@"))
			s.finish(cmd)
			s.shows("POST http://h:8081/engine/start_profile")
			s.shows("newest first")
			s.keys("@")
			if s.m.overlay.open() {
				t.Error("@ does not close what it opened")
			}
		})
	}
}

// What cannot be logged is not sent.
func TestNoLogNoRequest(t *testing.T) {
	var p probe
	s := asked(t, &p, func(o *Options) { o.Log = NewActionLog("/dev/null/actions.jsonl") })
	s.answer("y")
	if s.m.Close(); p.ran > 0 {
		t.Fatal("sent without a log")
	}
	s.shows("not sent: write the action log")
}

func TestQuitNamesWhatRuns(t *testing.T) {
	p := probe{release: make(chan struct{})}
	s := asked(t, &p)
	s.feed.now = s.feed.now.Add(deaf)
	_, wait := s.m.Update(press("y"))
	s.shows("1 request under way")
	s.keys("q")
	if s.quit {
		t.Fatal("quit over a request under way")
	}
	s.shows("under way (start profile on 7f3a): q again ends it")
	s.keys("q")
	if !s.quit {
		t.Fatal("the second q does not quit")
	}
	s.m.Close() // ends and waits for it
	s.finish(wait)
	if list, _ := s.m.Log.Recent(1); len(list) != 1 || list[0].State != stateFailed || !strings.Contains(list[0].Error, "canceled") {
		t.Errorf("%+v", list)
	}
}

func TestPanickingAction(t *testing.T) {
	s := tell(t)
	_ = s.m.propose(pane.Command{Title: "x", Run: func(context.Context) (string, error) { panic("boom") }})
	s.m.Close()
	got := perform(context.Background(), pane.Command{Run: func(context.Context) (string, error) { panic("boom") }}, Sent{}, nil, time.Now)
	if got.sent.State != stateFailed || !strings.Contains(got.sent.Error, "boom") {
		t.Errorf("%+v", got)
	}
}
