//go:build e2e

package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// secret is the password and token of every test. It must never be printed.
const secret = "Hunter2MarkerOfASecret"

// look is how long each run collects: the first look and one scrape of targets
// that have three seconds, so that a busy machine is no fault of theirs.
const look = 4 * time.Second

// maxRSS bounds the memory of a run, maxWall how much longer than look it may
// take on a busy machine.
const (
	maxRSS  = 300 << 20
	maxWall = 60 * time.Second
)

// turns holds the number of runs at once to what two cores bear.
var turns = make(chan struct{}, 6)

// result is one ended run.
type result struct {
	out, err string
	code     int
	rss      int64 // peak, bytes
	took     time.Duration
}

// dynascope runs the program to its end.
func dynascope(t *testing.T, args ...string) result {
	t.Helper()
	return dynascopeWithin(t, maxRSS, args...)
}

// dynascopeWithin bounds its memory otherwise.
func dynascopeWithin(t *testing.T, most int64, args ...string) result {
	t.Helper()
	bin := os.Getenv("DYNASCOPE_BIN")
	if bin == "" {
		t.Fatal("DYNASCOPE_BIN is not set; hint: make e2e")
	}
	turns <- struct{}{}
	defer func() { <-turns }()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var peak int64
	var watch sync.WaitGroup
	watch.Go(func() {
		// Not the Maxrss of the ended process: that holds what this process had
		// when it forked.
		for {
			peak = max(peak, highWater(cmd.Process.Pid))
			select {
			case <-ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	_ = cmd.Wait()
	close(ended)
	watch.Wait()
	r := result{out: out.String(), err: errOut.String(), code: cmd.ProcessState.ExitCode(), rss: peak, took: time.Since(began)}
	r.harmless(t, most)
	return r
}

// highWater is the peak resident memory of a running process.
func highWater(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib << 10
}

// harmless is what holds for every run whatever was thrown at it.
func (r result) harmless(t *testing.T, most int64) {
	t.Helper()
	for where, text := range map[string]string{"stdout": r.out, "stderr": r.err} {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(secret)); i >= 0 {
			t.Errorf("%s shows the secret: %s", where, around(text, i))
		}
		if i := badRune(text, "\n"); i >= 0 {
			t.Errorf("%s holds %q: %s", where, text[i:min(len(text), i+1)], around(text, i))
		}
		if strings.Contains(text, "goroutine ") || strings.Contains(text, "panic:") {
			t.Errorf("%s: a panic:\n%s", where, text)
		}
	}
	if r.rss > most {
		t.Errorf("peak memory %d MiB, more than %d", r.rss>>20, most>>20)
	}
	if r.rss == 0 {
		t.Error("the peak memory was not read")
	}
	if r.took > look+maxWall {
		t.Errorf("took %v", r.took)
	}
}

// badRune is the place of the first control or invalid character, or one that
// reorders text; -1 when there is none.
func badRune(s, allowed string) int {
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case strings.ContainsRune(allowed, r):
		case unicode.IsControl(r), r == utf8.RuneError && n == 1,
			r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return i
		}
	}
	return -1
}

func around(s string, i int) string {
	return strconv.Quote(s[max(0, i-60):min(len(s), i+60)])
}

// document is what the tests read of dynascope.once/1.
type document struct {
	Schema  string
	Warning string
	Models  []string
	Targets []struct {
		Instance, URL, Health, Error string
		LastGood                     *time.Time `json:"last_good"`
		Insecure                     bool       `json:"insecure_tls"`
		Samples                      int        `json:"scrape_samples"`
	}
	Totals map[string]struct {
		Value  *float64
		Status string
	}
	Latency []struct{ Key, Status string }
	Figures []struct{ Key, Form, Status, Error string }
}

// read decodes the document of a run, and checks every string in it: what
// JSON escapes, a program that prints it does not.
func (r result) read(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatalf("no document: %v\nstdout: %.400s\nstderr: %s", err, r.out, r.err)
	}
	if d.Schema != "dynascope.once/1" {
		t.Errorf("schema %q", d.Schema)
	}
	var all any
	_ = json.Unmarshal([]byte(r.out), &all) // it could be read just now
	walk(all, "", func(path, s string) {
		if i := badRune(s, ""); i >= 0 {
			t.Errorf("%s holds a control character: %s", path, around(s, i))
		}
		if len(s) > 20_000 {
			t.Errorf("%s has %d bytes", path, len(s))
		}
	})
	return d
}

func walk(v any, path string, see func(path, s string)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			see(path, k)
			walk(x, path+"."+k, see)
		}
	case []any:
		for _, x := range v {
			walk(x, path+"[]", see)
		}
	case string:
		see(path, v)
	}
}

// goodLine holds an error to its form: one short line, lower case, with a hint.
func goodLine(t *testing.T, line string) {
	t.Helper()
	switch {
	case line == "":
		t.Error("no error line")
		return
	case strings.ContainsAny(line, "\r\n"):
		t.Errorf("not one line: %q", line)
	case len(line) > 700:
		t.Errorf("%d bytes: %s", len(line), line)
	}
	if r, _ := utf8.DecodeRuneInString(line); unicode.IsUpper(r) && !strings.HasPrefix(line, "HTTP") {
		t.Errorf("not lower case: %s", line)
	}
	if !strings.Contains(line, "hint: ") {
		t.Errorf("no hint: %s", line)
	}
}

// within holds a line to the words it must have.
func within(t *testing.T, line string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(line, w) {
			t.Errorf("%q lacks %q", line, w)
		}
	}
}
