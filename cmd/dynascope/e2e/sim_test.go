//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dynascope/bench/load"
	"dynascope/bench/sim/scenario"
	"dynascope/cmd/dynascope/e2e/tmux"
)

// TestTheSimulatedDemoIsAlive: the demo a newcomer sees has its first four screens.
func TestTheSimulatedDemoIsAlive(t *testing.T) {
	s := tmux.Start(t, 140, 42, nil, bin(t), "demo")
	s.Until(10*time.Second, "LIVE", "demo (demo, simulated)", "4 workers")
	s.Until(15*time.Second, "TTFT path  mean", "engine queue", "prefill", "GPU")
	s.Until(20*time.Second, "LEARNING")
	s.Keys("v")
	s.Until(10*time.Second, "verdicts, worst first")
	s.Keys("v")
	s.Keys("2")
	s.Until(10*time.Second, "TTFT · frontend", "p95", "in SLA")
	s.Keys("3")
	s.Until(10*time.Second, "KV router", "find matches", "predicted hit")
	s.Keys("4")
	s.Until(10*time.Second, "4 up", "KV", "tok/s")
	s.Keys("q")
	if code := s.Ended(5 * time.Second); code != "0" {
		t.Errorf("status %s", code)
	}
}

// TestSimNamesItsEndpointsServesAndStops: one JSON line, every page answers,
// requests stream, a signal ends it, and the truth is on disk.
func TestSimNamesItsEndpointsServesAndStops(t *testing.T) {
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	cmd := exec.Command(bin(t), "sim", "--scenario", "healthy", "--truth", truth)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Endpoints []struct{ Name, Role, URL, Metrics string }
	}
	if err := json.Unmarshal(line, &doc); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	roles := map[string]int{}
	var frontend string
	for _, e := range doc.Endpoints {
		roles[e.Role]++
		resp, err := http.Get(e.Metrics)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "# TYPE ") {
			t.Errorf("%s: %s", e.Metrics, resp.Status)
		}
		if e.Role == "frontend" {
			frontend = e.URL
		}
	}
	if roles["frontend"] < 1 || roles["worker"] < 2 {
		t.Fatalf("roles %v", roles)
	}
	sc, err := scenario.Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	model := modelOf(t, frontend)
	r, err := load.New().Run(context.Background(), load.Plan{URL: frontend, Model: model, Stream: true, Requests: 20, Concurrency: 4, ISL: 100, OSL: 10, Timeout: 30 * time.Second})
	if err != nil || r.OK != 20 || r.OutputTokens != 200 {
		t.Errorf("%s: %+v %v", sc.Name, r, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	info, err := os.Stat(truth)
	if err != nil || info.Size() == 0 || info.Mode().Perm() != 0o600 {
		t.Errorf("truth log: %v %v", info, err)
	}
}

func modelOf(t *testing.T, frontend string) string {
	t.Helper()
	resp, err := http.Get(frontend + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Data []struct{ ID string } }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Data) == 0 {
		t.Fatalf("no model: %v", err)
	}
	return list.Data[0].ID
}

func TestAScenarioMistakeNamesItsLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte("description: x\nduration: 1m\ndeploymant: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(bin(t), "sim", "--scenario", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "bad.yaml:3") || !strings.Contains(string(out), "deployment") {
		t.Errorf("want an error with line 3 and the nearest key, got %v\n%s", err, out)
	}
}
