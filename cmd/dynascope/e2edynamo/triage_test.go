//go:build e2e_dynamo

package e2edynamo

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
)

// told is what a check says, as far as these tests read it.
type told struct {
	State    string
	Exit     int
	Line     string
	Verdicts []struct {
		Code, Severity, Sentence string
		Culprit                  struct{ Kind, Name, Instance string }
		Missing                  []string
		Evidence                 []struct{ Text, Expr string }
	}
	Consequences []struct{ Code string }
	NotJudged    []struct{ Code, Note string } `json:"not_judged"`
}

func (c told) names(code string) bool {
	for _, v := range c.Verdicts {
		if v.Code == code && v.Severity != "info" {
			return true
		}
	}
	return false
}

func (c told) String() string {
	var b strings.Builder
	b.WriteString(c.State + ": " + c.Line)
	for _, v := range c.Verdicts {
		b.WriteString("\n  " + v.Severity + " " + v.Code + " " + v.Culprit.Kind + " " + v.Culprit.Name + ": " + v.Sentence)
	}
	for _, v := range c.Consequences {
		b.WriteString("\n  (" + v.Code + ")")
	}
	return b.String()
}

// check starts dynascope check, whose exit status must be what it says; what is
// returned waits for it.
func (d deployment) check(t testing.TB, args ...string) (wait func() told) {
	t.Helper()
	cmd := exec.Command(bin(t), slices.Concat([]string{"check", "--json"}, args, d.targets())...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (c told) {
		t.Helper()
		err := cmd.Wait()
		if jerr := json.Unmarshal(out.Bytes(), &c); jerr != nil {
			t.Fatalf("check: %v, %v\n%s\n%s", err, jerr, out.String(), stderr.String())
		}
		if got := cmd.ProcessState.ExitCode(); got != c.Exit {
			t.Errorf("exit status %d, the document says %d", got, c.Exit)
		}
		return c
	}
}

// stress is one way to hurt a real deployment, what its pages can prove of it,
// and what must therefore be said.
type stress struct {
	name, release, shape string
	up                   []string
	load                 load.Plan
	fault                string        // of worker 1, once the load has run for before
	before               time.Duration // how long it runs undisturbed
	watch                string
	// want are verdicts of which one must be told; never are causes that the
	// pages of this deployment cannot prove, or that are not there.
	want, never []string
	culprit     bool // worker 1 must be named
}

// overloaded are the verdicts of too much load. The requests of a mocker's batch
// end together, and on a busy machine its batch is full in one look and not in
// the next, so that nothing that binds holds for long enough to be named: then
// the general verdict is the right one.
var overloaded = []string{"queue-bound-decode", "queue-bound-prefill", "saturated", "sla-missed"}

// What the pages of real mockers can prove:
//
//   - vllm with few blocks: KV usage and preemptions are exported, so KV is
//     named;
//   - few sequences (sglang): engine queues and running requests are exported,
//     the limit by the model card; KV is not, so no KV verdict is possible;
//   - one worker slower: engine TTFT and running requests of each worker;
//   - killed: the router drops it and its page is dead; stopped: its page hangs
//     while the router still lists it;
//   - router queue threshold near 0: the router's queue gauges;
//   - disaggregated trtllm mockers: the frontend's failures by class;
//   - more load than the deployment serves: queues of the engines.
var stresses = []stress{
	{name: "few blocks", release: "1.6.1", shape: "agg", up: []string{"--engine", "vllm", "--worker-args", "--num-gpu-blocks-override 24"},
		load: load.Plan{Concurrency: 32, ISL: 200, OSL: 200}, watch: "100s", want: []string{"kv-capacity"}},
	{name: "few sequences", release: "1.4.2", shape: "agg", up: []string{"--worker-args", "--max-num-seqs 4"},
		load: load.Plan{Concurrency: 40, ISL: 200, OSL: 100}, watch: "115s",
		want: overloaded, never: []string{"kv-capacity"}},
	{name: "a slow worker", release: "1.6.1", shape: "agg", up: []string{"--workers", "3", "--router-mode", "round-robin", "--worker-args", "1:--speedup-ratio 0.2"},
		load: load.Plan{Concurrency: 6, ISL: 200, OSL: 60}, watch: "110s",
		want: []string{"straggler-worker", "load-imbalance"}, culprit: true},
	{name: "killed", release: "1.4.2", shape: "agg", up: []string{"--workers", "3"},
		load: load.Plan{Concurrency: 6, ISL: 200, OSL: 60}, fault: "kill", before: 20 * time.Second, watch: "60s",
		want: []string{"worker-down"}, never: []string{"worker-hung"}, culprit: true},
	{name: "stopped", release: "1.6.1", shape: "agg", up: []string{"--workers", "3"},
		load: load.Plan{Concurrency: 6, ISL: 200, OSL: 60}, fault: "stop", before: 20 * time.Second, watch: "60s",
		want: []string{"worker-hung"}, culprit: true},
	{name: "router queue", release: "1.6.1", shape: "agg", up: []string{"--router-queue-threshold", "0.01"},
		load: load.Plan{Concurrency: 40, ISL: 400, OSL: 100}, watch: "100s", want: []string{"router-queue"}},
	{name: "all fail", release: "1.6.1", shape: "disagg", up: []string{"--engine", "trtllm"},
		load: load.Plan{Concurrency: 4, ISL: 200, OSL: 20}, watch: "90s", want: []string{"errors"}},
	{name: "overload", release: "1.4.2", shape: "agg", up: []string{"--worker-args", "--max-num-seqs 8"},
		load: load.Plan{Concurrency: 120, ISL: 400, OSL: 150}, watch: "115s",
		want: overloaded, never: []string{"kv-capacity"}},
	{name: "calm", release: "1.6.1", shape: "agg", up: []string{"--workers", "3"},
		load: load.Plan{Concurrency: 3, ISL: 200, OSL: 60}, watch: "100s"},
}

// TestTheRightVerdictOfARealDynamo: where the pages prove the cause it is
// named, else the general verdict; what is calm is called nothing.
func TestTheRightVerdictOfARealDynamo(t *testing.T) {
	for i, s := range stresses {
		t.Run(strings.ReplaceAll(s.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			d := up(t, s.release, s.shape, s.up...)
			plan := s.load
			plan.Duration, plan.Seed = 4*time.Minute, int64(20+i)
			stop := d.background(t, plan)
			check := d.check(t, "--for", s.watch, "--sla-ttft", "500ms", "--sla-itl", "25ms")
			if s.fault != "" {
				time.Sleep(s.before)
				d.fault(t, s.fault, "1")
				if s.fault == "stop" {
					defer d.fault(t, "cont", "1")
				}
			}
			c := check()
			stop()
			t.Log(c)
			if len(s.want) == 0 && c.Exit != 0 {
				t.Errorf("a calm deployment is called %s", c.State)
			}
			if len(s.want) > 0 && !slices.ContainsFunc(s.want, c.names) {
				t.Errorf("want one of %v", s.want)
			}
			for _, code := range s.never {
				if c.names(code) {
					t.Errorf("%s cannot be proved here", code)
				}
			}
			address := strings.TrimPrefix(d.Workers[min(1, len(d.Workers)-1)].URL, "http://")
			named := !s.culprit
			for _, v := range c.Verdicts {
				if slices.Contains(s.want, v.Code) && v.Culprit.Instance == address {
					named = true
				}
				for _, e := range v.Evidence {
					if e.Text == "" {
						t.Errorf("%s has evidence without a text", v.Code)
					}
				}
			}
			if !named {
				t.Errorf("worker 1 (%s) is not named", address)
			}
		})
	}
}
