// Package tmux drives a program on a real terminal: it starts it in a private
// tmux server, types keys and reads the screen.
//
// It knows nothing of dynascope.
package tmux

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Session is one terminal.
type Session struct {
	t    testing.TB
	sock string
}

// Start runs a command line on a terminal of the given size. The session ends
// with the test. When the command ends, its status stands on the screen (tmux
// itself loses it now and then).
func Start(t testing.TB, cols, rows int, env []string, args ...string) *Session {
	t.Helper()
	return start(t, cols, rows, quoted(env, args)+`; echo "[exit $?]"; sleep 600`)
}

// Shell runs an interactive bash whose prompt is "ready$ ".
func Shell(t testing.TB, cols, rows int) *Session {
	t.Helper()
	s := start(t, cols, rows, "exec env 'PS1=ready$ ' bash --norc --noprofile -i")
	s.Until(5*time.Second, "ready$")
	return s
}

func quoted(env, args []string) string {
	line := append([]string{"env"}, env...)
	for _, a := range args {
		line = append(line, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(line, " ")
}

func start(t testing.TB, cols, rows int, line string) *Session {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Fatal("tmux is not installed; hint: apt-get install tmux")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "tmux.conf")
	if err := os.WriteFile(conf, []byte("set -g status off\nset -sg escape-time 0\nset -g default-terminal tmux-256color\nset -ga terminal-overrides ',*:Tc'\nset -g history-limit 5000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Session{t: t, sock: filepath.Join(dir, "s")}
	s.run("-f", conf, "new-session", "-d", "-s", "s", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows), "export LC_ALL=C.UTF-8 COLORTERM=truecolor; "+line)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", s.sock, "kill-server").Run() })
	return s
}

func (s *Session) run(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", s.sock}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Keys types keys by tmux's names: "q", "Enter", "C-z".
func (s *Session) Keys(keys ...string) {
	s.t.Helper()
	s.run(append([]string{"send-keys", "-t", "s"}, keys...)...)
}

// Type types text as it is.
func (s *Session) Type(text string) {
	s.t.Helper()
	s.run("send-keys", "-t", "s", "-l", text)
}

// Screen is the text on the screen.
func (s *Session) Screen() string { return s.run("capture-pane", "-p", "-t", "s") }

// Styled is the screen with its colours.
func (s *Session) Styled() string { return s.run("capture-pane", "-p", "-e", "-t", "s") }

// Resize changes the terminal's size.
func (s *Session) Resize(cols, rows int) {
	s.t.Helper()
	s.run("resize-window", "-t", "s", "-x", fmt.Sprint(cols), "-y", fmt.Sprint(rows))
}

// Ask returns a tmux format of the pane: "#{pane_dead}", "#{alternate_on}".
func (s *Session) Ask(format string) string {
	return strings.TrimSpace(s.run("display-message", "-p", "-t", "s", format))
}

// Until waits until all texts stand on the screen at once, and returns it.
func (s *Session) Until(d time.Duration, texts ...string) string {
	s.t.Helper()
	return s.When(d, strings.Join(texts, ", "), func(screen string) bool {
		for _, x := range texts {
			if !strings.Contains(screen, x) {
				return false
			}
		}
		return true
	})
}

// When waits until the screen satisfies a condition, and returns it.
func (s *Session) When(d time.Duration, what string, ok func(screen string) bool) string {
	s.t.Helper()
	end := time.Now().Add(d)
	for {
		screen := s.Screen()
		if ok(screen) {
			return screen
		}
		if time.Now().After(end) {
			s.t.Fatalf("after %s the screen does not show %s:\n%s", d, what, screen)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

var exited = regexp.MustCompile(`\[exit (\d+)\]`)

// Ended waits for the program's end and returns its exit status.
func (s *Session) Ended(d time.Duration) string {
	s.t.Helper()
	screen := s.When(d, "the end of the program", exited.MatchString)
	return exited.FindStringSubmatch(screen)[1]
}
