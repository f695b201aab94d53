package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"dynascope/tui/pane"
)

// copied is what a key hands to the terminal's clipboard.
func (s *story) copied() string {
	s.Helper()
	_, cmd := s.m.Update(press("y"))
	if cmd == nil {
		return ""
	}
	return fmt.Sprint(cmd())
}

// nasty is a pane that shows what a server sent.
type nasty struct{ stubPane }

func (*nasty) Copy(pane.Frame) []string {
	return []string{"", "  run 64\x1b[31m  ", "rm -rf /\nreboot\r\n", ""}
}

func TestCopy(t *testing.T) {
	s := tell(t)
	if got := s.copied(); !strings.HasPrefix(got, "alpha 98x20") && !strings.HasPrefix(got, "alpha 100x20") || strings.HasSuffix(got, "\n") || strings.Contains(got, "  ") {
		t.Errorf("%q", got)
	}
	s.shows("copied 1 line")
	s.keys("?")
	if got := s.copied(); !strings.Contains(got, "glossary") || strings.Contains(got, "\x1b") {
		t.Errorf("the overlay: %q", got)
	}

	s = tell(t, func(o *Options) { o.Panes, o.Tmux = []pane.Pane{&nasty{stubPane{id: "nasty"}}}, true })
	got := s.copied()
	if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x1b\r") || strings.HasSuffix(got, "\n") {
		t.Errorf("%q", got)
	}
	s.shows("copied 2 lines; tmux passes it on with set-clipboard on")
}

// clicked is a pane that notes where it was clicked.
type clicked struct {
	stubPane
	x, y int
}

func (c *clicked) Click(x, y int, _ pane.Frame) bool { c.x, c.y = x, y; return true }

func TestMouse(t *testing.T) {
	at := &clicked{stubPane: stubPane{id: "gamma"}}
	s := tell(t, func(o *Options) { o.Mouse, o.Panes = true, append(o.Panes, at) })
	if s.m.View().MouseMode != tea.MouseModeCellMotion {
		t.Error("the mouse is not asked for")
	}
	line := strings.Split(s.screen(), "\n")[tabsRow]
	for i, title := range []string{"Alpha", "Beta", "Gamma"} {
		x := strings.Index(line, title)
		s.send(tea.MouseClickMsg{X: x, Y: tabsRow, Button: tea.MouseLeft})
		if s.m.active != i {
			t.Errorf("a click on %s shows screen %d", title, s.m.active)
		}
	}
	s.send(tea.MouseClickMsg{X: 5, Y: 7, Button: tea.MouseLeft})
	if at.x != 4 || at.y != 4 {
		t.Errorf("clicked %d,%d", at.x, at.y)
	}
	s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	s.send(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
	if len(at.pressed) != 2 || at.pressed[0] != pane.Down || at.pressed[1] != pane.Up {
		t.Errorf("%v", at.pressed)
	}
	s.keys("?")
	s.send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	if s.m.overlay.scroll != 3 {
		t.Errorf("%+v", s.m.overlay)
	}
	if tell(t).m.View().MouseMode != tea.MouseModeNone {
		t.Error("the mouse is taken unasked")
	}
}
