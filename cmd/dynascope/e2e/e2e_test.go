//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dynascope/cmd/dynascope/e2e/tmux"
)

func bin(t testing.TB) string {
	t.Helper()
	b := os.Getenv("DYNASCOPE_BIN")
	if b == "" {
		t.Fatal("DYNASCOPE_BIN is not set; hint: make e2e")
	}
	return b
}

// demo is the console on the recorded deployment, whose numbers are known.
func demo(t *testing.T, cols, rows int, args ...string) *tmux.Session {
	t.Helper()
	s := tmux.Start(t, cols, rows, nil, append([]string{bin(t), "demo", "--recorded"}, args...)...)
	s.Until(10*time.Second, "LIVE", "Over")
	return s
}

func TestEveryScreenAtEverySize(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {140, 42}, {250, 70}} {
		s := demo(t, size[0], size[1])
		s.Until(15*time.Second, "TTFT path", "unattributed", "preprocess")
		s.Keys("2")
		s.Until(10*time.Second, "ITL", "p95")
		s.Keys("3")
		s.Until(10*time.Second, "KV router", "find matches")
		s.Keys("4")
		s.Until(10*time.Second, "role", "up")
		for _, line := range strings.Split(s.Screen(), "\n") {
			if strings.Contains(line, "%!") || strings.Contains(line, "NaN") {
				t.Errorf("%v: a raw value on the screen: %s", size, line)
			}
		}
		s.Keys("q")
		if code := s.Ended(5 * time.Second); code != "0" {
			t.Errorf("%v: quit with status %s", size, code)
		}
	}
}

// back leaves an overlay. The next key waits for it: escape and a letter in
// one burst are alt and that letter.
func back(s *tmux.Session) {
	s.Keys("Escape")
	s.Until(3*time.Second, "TTFT path")
}

func TestOverlaysAndKeys(t *testing.T) {
	s := demo(t, 140, 42)
	s.Until(15*time.Second, "TTFT path")
	s.Keys("?")
	s.Until(3*time.Second, "focus the next part")
	s.Keys("G")
	s.Until(3*time.Second, "glossary")
	back(s)
	s.Keys("e")
	s.Until(3*time.Second, "explain", "query", "families")
	back(s)
	s.Keys("t")
	s.Until(3*time.Second, "what each scrape costs", "frontend")
	back(s)
	s.Keys(":")
	s.Type("screen workers")
	s.Keys("Enter")
	s.Until(5*time.Second, "role", "decode spread")
	s.Keys("/")
	s.Type("nosuchworker")
	s.Keys("Enter")
	s.Until(3*time.Second, "/nosuchworker")
	s.Keys("Escape")
	s.When(3*time.Second, "no filter", func(x string) bool { return !strings.Contains(x, "nosuchworker") })
	s.Keys("Space")
	s.Until(3*time.Second, "PAUSED")
	s.Keys("[")
	s.Until(3*time.Second, "PAUSED")
	s.Keys(`\`)
	s.Until(3*time.Second, "LIVE")
	s.Keys("w")
	s.Until(3*time.Second, "window 15 m")
	s.Keys("Escape") // never quits
	time.Sleep(300 * time.Millisecond)
	s.Until(3*time.Second, "LIVE")
	s.Keys("q")
	s.Ended(5 * time.Second)
}

func TestSummaryStaysAndTheTerminalIsRestored(t *testing.T) {
	s := shell(t)
	s.Until(15*time.Second, "TTFT path", "unattributed")
	s.Keys("q")
	s.Until(5*time.Second, "dynascope  tiny", "frontend.ttft", "worker", "status=0")
	if s.Ask("#{alternate_on}") != "0" || s.Ask("#{cursor_flag}") != "1" || s.Ask("#{mouse_any_flag}") != "0" {
		t.Error("the terminal is not restored")
	}
}

// shell starts the demo from an interactive shell, as a user would.
func shell(t *testing.T) *tmux.Session {
	s := tmux.Shell(t, 100, 30)
	s.Type(bin(t) + " demo --recorded; echo status=$?")
	s.Keys("Enter")
	s.Until(10*time.Second, "LIVE")
	return s
}

func TestSuspendAndResume(t *testing.T) {
	s := shell(t)
	s.Keys("C-z")
	s.When(5*time.Second, "the shell", func(string) bool { return s.Ask("#{alternate_on}") == "0" })
	s.Type("echo in-the-shell")
	s.Keys("Enter")
	s.Until(5*time.Second, "in-the-shell")
	s.Type("fg")
	s.Keys("Enter")
	s.Until(5*time.Second, "LIVE", "TTFT")
	s.Keys("q")
	s.Until(5*time.Second, "ready$")
}

func TestSignalsRestoreTheTerminal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		s := shell(t)
		pid := child(t, s)
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
		s.Until(5*time.Second, "status=")
		if s.Ask("#{alternate_on}") != "0" || s.Ask("#{cursor_flag}") != "1" {
			t.Errorf("%v: the terminal is not restored:\n%s", sig, s.Screen())
		}
		s.Type("echo typ''ed")
		s.Keys("Enter")
		s.Until(5*time.Second, "typed")
	}
}

func child(t *testing.T, s *tmux.Session) int {
	t.Helper()
	out, err := exec.Command("pgrep", "-P", s.Ask("#{pane_pid}"), "dynascope").Output()
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || convErr != nil {
		t.Fatalf("find the program under the shell: %v %q", err, out)
	}
	return pid
}

func TestAPanicRestoresTheTerminal(t *testing.T) {
	panicky := filepath.Join(t.TempDir(), "panicky")
	build := exec.Command("go", "build", "-tags", "e2e", "-o", panicky, "./panicky")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s := tmux.Shell(t, 80, 24)
	s.Type(panicky + "; echo status=$?")
	s.Keys("Enter")
	s.Until(10*time.Second, "status=", "panic")
	if s.Ask("#{alternate_on}") != "0" || s.Ask("#{cursor_flag}") != "1" {
		t.Errorf("the terminal is not restored:\n%s", s.Screen())
	}
}

func TestResizeFromTinyToLarge(t *testing.T) {
	s := demo(t, 140, 42)
	for _, size := range [][2]int{{20, 5}, {1, 1}, {250, 70}, {80, 24}} {
		s.Resize(size[0], size[1])
		time.Sleep(200 * time.Millisecond)
	}
	s.Until(5*time.Second, "LIVE", "TTFT")
	s.Keys("q")
	if code := s.Ended(5 * time.Second); code != "0" {
		t.Errorf("status %s", code)
	}
}

func TestNoColorAndASCII(t *testing.T) {
	s := tmux.Start(t, 100, 30, []string{"NO_COLOR=1"}, bin(t), "demo", "--recorded")
	s.Until(15*time.Second, "TTFT path", "unattributed")
	if colour := regexp.MustCompile(`\x1b\[(?:[0-9;]*;)?(3[0-8]|4[0-8]|9[0-7])[;m]`).FindString(s.Styled()); colour != "" {
		t.Errorf("NO_COLOR draws a colour: %q", colour)
	}
	s = tmux.Start(t, 100, 30, nil, bin(t), "demo", "--recorded", "--ascii")
	s.Until(15*time.Second, "TTFT path", "unattributed")
	for _, key := range []string{"1", "2", "3", "4"} {
		s.Keys(key)
		time.Sleep(1500 * time.Millisecond)
		for _, r := range s.Screen() {
			if r > '~' {
				t.Errorf("--ascii draws %q on screen %s", r, key)
				break
			}
		}
	}
}

func TestLinuxConsole(t *testing.T) {
	s := tmux.Start(t, 80, 24, []string{"TERM=linux"}, bin(t), "demo", "--recorded")
	s.Until(15*time.Second, "TTFT path", "unattributed")
	s.Keys("q")
	s.Ended(5 * time.Second)
}

func TestDeadServerSaysWhatToDo(t *testing.T) {
	s := tmux.Start(t, 100, 30, nil, bin(t), "--target", "http://127.0.0.1:1")
	s.Until(10*time.Second, "NO DATA", "refused", "hint:")
	s.Keys("q")
	if code := s.Ended(5 * time.Second); code != "0" {
		t.Errorf("status %s", code)
	}
}

// blackHole accepts connections and never answers.
func blackHole(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var held []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range held {
					c.Close()
				}
				return
			}
			held = append(held, c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func TestBlackHoleAnswersKeysAndQuits(t *testing.T) {
	s := tmux.Start(t, 100, 30, nil, bin(t), "--target", blackHole(t))
	s.Until(5*time.Second, "dynascope")
	s.Keys("?")
	s.Until(2*time.Second, "focus the next part")
	s.Keys("Escape")
	s.Until(10*time.Second, "NO DATA", "hint:")
	s.Keys("q")
	if code := s.Ended(3 * time.Second); code != "0" {
		t.Errorf("status %s", code)
	}
}

func TestNotATerminalPrintsOnce(t *testing.T) {
	var out, errOut bytes.Buffer
	cmd := exec.Command(bin(t), "demo", "--recorded", "--for", "4s")
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errOut.String())
	}
	for _, want := range []string{"== overview ==", "TTFT path", "== workers ==", "== targets =="} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("escape sequences without a terminal")
	}
}

func TestOnceJSON(t *testing.T) {
	out, err := exec.Command(bin(t), "demo", "--recorded", "--once", "--json", "--for", "4s").Output()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Schema  string
		Models  []string
		Workers []struct{ ID, State string }
		Latency []struct {
			Key string
			N   float64
		}
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Schema != "dynascope.once/1" || len(doc.Models) != 1 || len(doc.Workers) < 2 {
		t.Errorf("unexpected document: %+v", doc)
	}
	for _, w := range doc.Workers {
		if w.State != "up" || w.ID == "" {
			t.Errorf("worker %+v is not up under its id", w)
		}
	}
}

func TestOnceFailsWhenNothingAnswers(t *testing.T) {
	out, err := exec.Command(bin(t), "--once", "--json", "--for", "1s", "--target", "http://127.0.0.1:1").Output()
	var exit *exec.ExitError
	if err == nil || !asExit(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("want exit status 1, got %v", err)
	}
	if !json.Valid(out) || !strings.Contains(string(out), "hint:") {
		t.Errorf("no valid document with the target's error:\n%s", out)
	}
	if !strings.Contains(string(exit.Stderr), "hint:") {
		t.Errorf("no hint: %s", exit.Stderr)
	}
}

func asExit(err error, to **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*to = e
	return ok
}
