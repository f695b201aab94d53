package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/server"
	"dynascope/bench/sim/world"
	"dynascope/profiling"
)

// profiled is a simulated deployment with its locks and logs apart.
func profiled(t *testing.T) (worker, frontend string, log func() string) {
	t.Helper()
	dir := t.TempDir()
	was := profileLocks
	profileLocks = filepath.Join(dir, "locks")
	t.Cleanup(func() { profileLocks = was })
	t.Setenv("XDG_STATE_HOME", dir)
	sc, err := scenario.Parse("test.yaml", []byte("duration: 1h\ndeployment:\n  models: [tiny]\n  full: true\n  pools: [{workers: 1, tp: 2}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Start(context.Background(), world.Config{Scenario: sc}, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	urls := map[string]string{}
	for _, e := range s.Endpoints() {
		urls[e.Name] = e.URL
	}
	return urls["worker0"], urls["frontend0"], func() string {
		raw, _ := os.ReadFile(filepath.Join(dir, "dynascope", "actions.jsonl")) // none is empty
		return string(raw)
	}
}

// Nothing is sent, and nothing logged, where it is not allowed or not confirmed.
func TestProfileRefuses(t *testing.T) {
	worker, _, log := profiled(t)
	for name, c := range map[string]struct {
		system string
		args   []string
		want   string
	}{
		"read only":         {"", []string{"start", worker, "--read-only", "--yes"}, "refused: --read-only"},
		"pinned":            {"read_only: true\n", []string{"start", worker, "--read-only=false", "--yes"}, "refused: read_only: "},
		"stop, pinned":      {"read_only: true\n", []string{"stop", worker, "--yes"}, "refused: read_only: "},
		"stop, nobody":      {"", []string{"stop", worker}, "no terminal to ask on"},
		"too many steps":    {"", []string{"start", worker, "--steps", "21", "--yes"}, "must be forced"},
		"no such engine":    {"", []string{"start", worker, "--engine", "trtllm", "--yes"}, "TLLM_PROFILE_START_STOP"},
		"no address":        {"", []string{"start", "ftp://x", "--yes"}, "hint:"},
		"an idle worker":    {"", []string{"start", worker, "--yes"}, "there is no traffic"},
		"a key not there":   {"", []string{"stop", worker, "--yes", "--admin-key-file", "/nowhere"}, "read the key"},
		"status of a ghost": {"", []string{"status", "ftp://x"}, "scheme"},
	} {
		if testing.Short() && name == "an idle worker" {
			continue // it watches a page for seconds
		}
		out, errOut, code := program(t, "", c.system, append([]string{"profile"}, c.args...)...)
		if code != 1 || !strings.Contains(errOut, c.want) || out != "" {
			t.Errorf("%s: %d %q %q", name, code, out, errOut)
		}
	}
	if got := log(); got != "" {
		t.Errorf("logged: %s", got)
	}
	out, errOut, code := program(t, "", "", "profile", "status", worker)
	if code != 0 || !strings.Contains(out, "no session of this host is known") {
		t.Errorf("%d %q %q", code, out, errOut)
	}
}

// A whole session with its burst, as a user runs it.
func TestProfileSession(t *testing.T) {
	if testing.Short() {
		t.Skip("it watches a page for seconds")
	}
	worker, frontend, log := profiled(t)
	dir := filepath.Join(t.TempDir(), "traces")
	out, errOut, code := program(t, "", "", "profile", "start", worker, "--ranks", "2", "--steps", "4", "--dir", dir, "--burst", frontend, "--yes", "--json")
	var rec profiling.Record
	if err := json.Unmarshal([]byte(out), &rec); err != nil || code != 0 || rec.Phase != profiling.Done || len(rec.Files) != 2 {
		t.Fatalf("%d %v %s\n%s", code, err, out, errOut)
	}
	for _, want := range []string{"POST " + worker + "/engine/control/start_profile {", `"num_steps":4`, `"with_stack":false`, "stop_profile", "meanwhile: POST " + frontend,
		"stands still", "no other host", "recording: ", "503 is expected now", "done: 2 files"} {
		if !strings.Contains(errOut, want) {
			t.Errorf("no %q in\n%s", want, errOut)
		}
	}
	if got := log(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `"state":"sent"`) || !strings.Contains(got, `"state":"ok"`) {
		t.Errorf("log: %s", got)
	}
	for _, args := range [][]string{{"status", worker}, {"list"}} {
		out, errOut, code = program(t, "", "", append([]string{"profile"}, args...)...)
		if code != 0 || !strings.Contains(out, rec.Plan.ID) || !strings.Contains(out, "done: 2 files") {
			t.Errorf("%v: %d %s%s", args, code, out, errOut)
		}
	}
	out, errOut, code = program(t, "", "", "profile", "stop", worker, "--yes")
	if code != 0 || !strings.Contains(errOut, "already stopped") {
		t.Errorf("%d %s%s", code, out, errOut)
	}
	// Where there is nothing to profile, both causes are told.
	_, errOut, code = program(t, "", "", "profile", "start", frontend, "--yes")
	if code != 1 || !strings.Contains(errOut, "not the port of a worker") || !strings.Contains(errOut, "an operator hides the route") {
		t.Errorf("%d %s", code, errOut)
	}
}
