package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/baseline"
	"dynascope/sources"
)

func TestBaselineFiles(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	_, errOut, code := program(t, "", "", "baseline", "show")
	if code != 1 || !strings.Contains(errOut, "hint: dynascope baseline learn") {
		t.Errorf("%d %s", code, errOut)
	}
	set := baseline.SetOf(baseline.Entry{Deployment: "dynamo", Model: "m", Key: "frontend.ttft", Mean: 0.25, N: 431, Learned: time.Date(2031, 2, 3, 4, 5, 0, 0, time.UTC)})
	path, err := baseline.Save(baselineFolder(), "dynamo", set)
	if err != nil || !strings.HasPrefix(path, state) {
		t.Fatal(path, err)
	}
	for _, args := range [][]string{{"baseline", "show"}, {"baseline", "show", path}} {
		out, errOut, code := program(t, "", "", args...)
		if code != 0 || errOut != "" || !strings.Contains(out, "dynamo      m      frontend.ttft  250 ms  431  2031-02-03T04:05:00Z") {
			t.Errorf("%v: %d %s\n%s", args, code, errOut, out)
		}
	}
	snap := &sources.Snapshot{Models: []string{"m"}, Workers: []sources.Worker{{Namespace: "dynamo"}}}
	if mean, _, ok := (settings{}).baselines().of(snap).Of("frontend.ttft"); !ok || mean != 0.25 {
		t.Errorf("the learned baseline is %v %v", mean, ok)
	}
	if (settings{dummy: dummy()}).baselines().of(snap) != nil {
		t.Error("a demo has somebody's baselines")
	}

	// A file that is given counts alone; one that is wrong stops the program.
	mine := filepath.Join(state, "mine.prom")
	if err := baseline.WriteFile(mine, baseline.SetOf(baseline.Entry{Key: "frontend.ttft", Mean: 0.5, N: 60})); err != nil {
		t.Fatal(err)
	}
	var s settings
	if err := s.baseline.Set(mine); err != nil {
		t.Fatal(err)
	}
	if mean, _, ok := s.baselines().of(snap).Of("frontend.ttft"); !ok || mean != 0.5 {
		t.Errorf("the given baseline is %v %v", mean, ok)
	}
	if err := os.WriteFile(mine, []byte("ttft 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errOut, code = program(t, "", "", "--once", "--baseline", mine)
	if code != 1 || !strings.Contains(errOut, "mine.prom: read baselines: line 1") {
		t.Errorf("%d %s", code, errOut)
	}
	_, errOut, code = program(t, "", "", "baseline", "learn", "--for", "3s")
	if code != 1 || !strings.Contains(errOut, "at least 1m") {
		t.Errorf("%d %s", code, errOut)
	}
}
