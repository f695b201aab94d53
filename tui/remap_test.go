package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"dynascope/tui/pane"
)

func TestCheckKeys(t *testing.T) {
	for name, c := range map[string]struct {
		keys map[string][]string
		want string
	}{
		"moved":            {map[string][]string{"pause": {"p"}}, ""},
		"swapped":          {map[string][]string{"sort": {"i"}, "invert": {"s"}}, ""},
		"several":          {map[string][]string{"pause": {"p", "f5", "ctrl+p", "alt+x"}}, ""},
		"its own capital":  {map[string][]string{"bottom": {"G"}}, ""},
		"unknown action":   {map[string][]string{"pauze": {"p"}}, `no action "pauze"`},
		"conflict":         {map[string][]string{"pause": {"e"}}, "the key e is wanted by pause and by explain"},
		"conflict of two":  {map[string][]string{"pause": {"p"}, "window": {"p"}}, "the key p is wanted by pause and by window"},
		"digit":            {map[string][]string{"pause": {"1"}}, "wanted by screen and by pause"},
		"no key":           {map[string][]string{"pause": {"pp"}}, `"pp" is no key`},
		"none left":        {map[string][]string{"pause": {}}, "no key left"},
		"fixed":            {map[string][]string{"escape": {"x"}}, "fixed"},
		"capital":          {map[string][]string{"pause": {"P"}}, "the capital letter P is kept for what changes servers"},
		"ctrl-c is quit's": {map[string][]string{"pause": {"ctrl+c"}}, "the key ctrl+c is wanted by pause and by quit"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckKeys(c.keys)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "hint:") {
				t.Errorf("no hint: %v", err)
			}
		})
	}
}

// What changes servers stands on a capital letter and nothing else does, as
// shipped and in every configuration.
func TestCapitalsChangeServers(t *testing.T) {
	for _, b := range bindings {
		for _, k := range b.keys {
			if b.changes && !capital(k) {
				t.Errorf("%s changes servers on the key %s", b.action, k)
			}
			if k != "G" && k != "N" && capital(k) && !b.changes {
				t.Errorf("%s changes nothing, and stands on %s", b.action, k)
			}
			if !isKey(k) {
				t.Errorf("%s: %q is no key to CheckKeys", b.action, k)
			}
		}
	}
	b := binding{action: "profile", keys: []string{"P"}, changes: true}
	if b.takes("p") == nil || b.takes("ctrl+p") == nil || b.takes("X") != nil {
		t.Error("an action that changes servers takes any key, or no other capital")
	}
}

func TestRemapped(t *testing.T) {
	s := tell(t, func(o *Options) {
		o.Keys = map[string][]string{"pause": {"p"}, "quit": {"x"}, "help": {"ctrl+g"}, "down": {"m"}}
	})
	s.keys("space")
	if !s.m.at.IsZero() {
		t.Error("space still pauses")
	}
	s.shows("p pause")
	s.shows("ctrl+g keys")
	s.keys("p")
	if s.m.at.IsZero() {
		t.Error("p does not pause")
	}
	s.keys("m")
	if n := len(s.a.pressed); n != 1 || s.a.pressed[0] != pane.Down {
		t.Errorf("pressed %v", s.a.pressed)
	}
	s.keys("ctrl+g", "m")
	if s.m.overlay.kind != actHelp || s.m.overlay.scroll != 1 {
		t.Errorf("%+v", s.m.overlay)
	}
	s.shows("m              move down")
	s.keys("ctrl+g", "q")
	if s.m.overlay.open() || s.quit {
		t.Error("ctrl-g does not close, or q quits")
	}
	s.keys("x")
	if !s.quit {
		t.Error("x does not quit")
	}
	s.quit = false
	s.send(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl})
	if !s.quit {
		t.Error("ctrl-c does not quit")
	}
}
