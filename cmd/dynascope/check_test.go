package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/profiling/triage/rules"
	"dynascope/sources/embedded"
	"dynascope/tui/report"
)

// What keeps check from judging ends with the status for not knowing, whoever
// refuses it.
func TestCheckFailures(t *testing.T) {
	for name, c := range map[string]struct {
		file, want string
		args       []string
	}{
		"flag":     {want: "unknown flag", args: []string{"--bogus"}},
		"argument": {want: "unknown command", args: []string{"now"}},
		"file":     {file: "broken: [\n", want: "config.yaml:1:", args: nil},
		"value":    {want: "--for", args: []string{"--for", "0s"}},
		"data":     {want: "hint:", args: []string{"--data", "/nowhere/at/all"}},
		"every":    {want: "hint: --scenario", args: []string{"--every", "5s"}},
		"scenario": {want: "none is called", args: []string{"--scenario", "helthy"}},
		"late":     {want: "the scenario ends", args: []string{"--scenario", "router-queue", "--at", "9h"}},
		"moment":   {want: "hint: --at 10m", args: []string{"--scenario", "healthy", "--at", "03:12"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut, code := program(t, c.file, "", append([]string{"check"}, c.args...)...)
			if code != 3 || !strings.Contains(errOut, c.want) || out != "" {
				t.Errorf("%d %q %q", code, out, errOut)
			}
		})
	}
}

// A page that nobody serves proves nothing.
func TestCheckUnknown(t *testing.T) {
	out, errOut, code := program(t, "", "", "check", "--target", "http://127.0.0.1:1", "--gpus=false", "--for", "50ms", "--json")
	var doc struct {
		Schema, State, Line string
		Exit                int
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v\n%s%s", err, out, errOut)
	}
	if doc.Schema != report.CheckSchema || doc.Exit != code || code == 0 {
		t.Errorf("%d %+v", code, doc)
	}
}

// The scenario of a configuration is the demo's: check looks at what runs.
func TestCheckIgnoresTheDemo(t *testing.T) {
	out, errOut, code := program(t, "scenario: healthy\n", "", "check", "--target", "http://127.0.0.1:1", "--gpus=false", "--for", "50ms")
	if code == 0 || !strings.Contains(out, "0 targets answer") {
		t.Errorf("%d %q %q", code, out, errOut)
	}
	if out, errOut, _ := program(t, "scenario: healthy\n", "", "demo", "--print-config"); !strings.Contains(out, `scenario: "healthy"`) {
		t.Errorf("%q %q", out, errOut)
	}
}

func TestCheckScenario(t *testing.T) {
	type line struct {
		Schema, Scenario, State string
		AtS                     float64 `json:"at_s"`
		Verdicts                []struct{ Code string }
	}
	play := func(args ...string) (lines []line) {
		t.Helper()
		out, errOut, code := program(t, "", "", append([]string{"check", "--json", "--scenario", "healthy"}, args...)...)
		if code != 0 {
			t.Fatalf("%d %s", code, errOut)
		}
		for in := bufio.NewScanner(strings.NewReader(out)); in.Scan(); {
			var l line
			if err := json.Unmarshal(in.Bytes(), &l); err != nil {
				t.Fatalf("%v: %s", err, in.Text())
			}
			if l.Schema != report.CodesSchema || l.Scenario != "healthy" {
				t.Errorf("%s", in.Text())
			}
			if len(rules.All()) > 0 && l.State != "healthy" && l.State != "learning" && l.AtS > 10 {
				t.Errorf("%s", in.Text())
			}
			lines = append(lines, l)
		}
		return lines
	}
	if got := play("--at", "30s"); len(got) != 1 || got[0].AtS != 30 {
		t.Errorf("one moment: %+v", got)
	}
	short := filepath.Join(t.TempDir(), "short.yaml")
	if err := os.WriteFile(short, []byte("name: healthy\nduration: 1m\ndeployment: {pools: [{workers: 1}]}\nload: [{rate: 1}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := play("--scenario", short, "--at", "30s", "--every", "10s"); len(got) != 4 || got[0].AtS != 30 || got[3].AtS != 60 {
		t.Errorf("from a moment on: %+v", got)
	}
	if testing.Short() {
		return
	}
	if got := play("--scenario", short); len(got) != 6 || got[0].AtS != 10 {
		t.Errorf("all of it: %+v", got)
	}
}

func TestRules(t *testing.T) {
	out, errOut, code := program(t, "window: 15m\n", "", "rules")
	if code != 0 || !strings.HasPrefix(out, "# Recording and alerting rules") || !strings.Contains(out, "groups:\n  - name: dynascope\n") || strings.Contains(out, "[15m]") {
		t.Errorf("%d %s\n%.300s", code, errOut, out)
	}
	if out, _, _ := program(t, "", "", "rules", "--frontend-prefix", "mine", "--window", "4m"); strings.Contains(out, "dynamo_frontend_") || !strings.Contains(out, "[4m]") {
		t.Errorf("%.300s", out)
	}
	for _, args := range [][]string{{"--format", "nagios"}, {"--window", "1s"}, {"--interval", "0s"}} {
		if out, errOut, code := program(t, "", "", append([]string{"rules"}, args...)...); code != 1 || out != "" || !strings.Contains(errOut, "hint:") {
			t.Errorf("%v: %d %s", args, code, errOut)
		}
	}
}

// The console's line on paper and check agree on one recording at one moment,
// sick and well, and a moment is judged the same whenever it is asked.
func TestCheckAgrees(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates six minutes")
	}
	dir := filepath.Join(t.TempDir(), "rec")
	record := func() {
		sc, err := scenario.Load("kv-pressure")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now().Add(-time.Hour).Truncate(time.Minute)
		w, err := world.New(world.Config{Scenario: sc, Start: start})
		if err != nil {
			t.Fatal(err)
		}
		store, err := embedded.Open(t.Context(), embedded.Options{Dir: dir, Record: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := virtual.Run(t.Context(), w, store, virtual.Options{Interval: 5 * time.Second, Until: 6 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	record()
	type judged struct {
		At       time.Time
		State    string
		Line     string
		Exit     int
		Verdicts []struct{ Code, Since string }
	}
	for at, state := range map[string]string{"-5m": "learning", "-4m": "healthy", "-2m": "critical"} {
		t.Run(state, func(t *testing.T) {
			var once struct{ Judgement judged }
			var check judged
			out, errOut, _ := program(t, "", "", "--once", "--json", "--data", dir, "--at", at)
			if err := json.Unmarshal([]byte(out), &once); err != nil {
				t.Fatalf("%v %s", err, errOut)
			}
			out, errOut, code := program(t, "", "", "check", "--json", "--data", dir, "--at", at)
			if err := json.Unmarshal([]byte(out), &check); err != nil {
				t.Fatalf("%v %s", err, errOut)
			}
			if code != check.Exit || check.State != state {
				t.Errorf("exit %d, %s, want %s", code, out, state)
			}
			check.Exit = 0
			if !reflect.DeepEqual(once.Judgement, check) || check.Line == "" {
				t.Errorf("--once says\n%+v\ncheck\n%+v", once.Judgement, check)
			}
		})
	}
}
