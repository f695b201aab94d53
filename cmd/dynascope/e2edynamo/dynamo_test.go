//go:build e2e_dynamo

package e2edynamo

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
	"dynascope/cmd/dynascope/e2e/tmux"
	"dynascope/sources"
)

// each runs a test against both naming generations.
func each(t *testing.T, test func(t *testing.T, release string)) {
	for _, r := range releases {
		t.Run(r, func(t *testing.T) { test(t, r) })
	}
}

// TestCountsAgreeWithThePages: after a bounded load, what dynascope says
// equals what a reader of the same pages counts, and what the client saw.
func TestCountsAgreeWithThePages(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "agg")
		r := d.run(t, load.Plan{Requests: 120, Concurrency: 12, ISL: 200, OSL: 30, Seed: 1})
		if r.OK != 120 || r.Failed != 0 {
			t.Fatalf("load: %+v", r)
		}
		doc := d.once(t, "4s")
		front := page(t, d.Frontend)

		if len(doc.Models) != 1 || doc.Models[0] != d.Model {
			t.Errorf("models %v, want %s", doc.Models, d.Model)
		}
		equal := func(what string, got, want float64) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %g, want %g", what, got, want)
			}
		}
		const front0 = "dynamo_frontend_"
		ok := sum(front, front0+"requests_total", `status="success"`, `request_type="stream"`)
		tokens := sum(front, front0+"output_tokens_total")
		equal("successful streaming requests on the page", ok, float64(r.OK))
		equal("output tokens on the page", tokens, float64(r.OutputTokens))
		equal("TTFT count", doc.total(t, "frontend.ttft"), ok)
		equal("TTFT count on the page", sum(front, front0+"time_to_first_token_seconds_count"), ok)
		equal("ITL count", doc.total(t, "frontend.itl"), tokens-ok)
		equal("ITL count on the page", sum(front, front0+"inter_token_latency_seconds_count"), tokens-ok)
		equal("output tokens", doc.total(t, "frontend.output_tokens"), tokens)
		equal("successful requests", doc.total(t, "requests.ok_stream"), ok)
		equal("router TTFT count", doc.total(t, "router.ttft"), sum(front, "dynamo_component_router_time_to_first_token_seconds_count"))

		engines, arrivals := 0.0, 0.0
		for _, w := range d.Workers {
			p := page(t, w.URL)
			engines += sum(p, "sglang:time_to_first_token_seconds_count")
			arrivals += sum(p, "dynamo_component_requests_total", `dynamo_endpoint="generate"`)
		}
		equal("engine TTFT count", doc.total(t, "engine.ttft"), engines)
		// Router chatter has endpoints of its own: it is not among the
		// workers' requests, and makes the request plane count two more.
		equal("worker requests", doc.total(t, "worker.requests"), arrivals)
		equal("worker requests against the client", arrivals, ok)
		if plane := doc.total(t, "request_plane.roundtrip_ttft"); plane <= ok {
			t.Errorf("request plane count %g: expected the router's own queries on top of %g; the pages changed", plane, ok)
		}
	})
}

// TestWorkersJoinAcrossTheirIDs: the hexadecimal id of a worker's page, the
// decimal id of the router and the address of the engine are one worker; the
// router's own worker_id is none.
func TestWorkersJoinAcrossTheirIDs(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "agg")
		stop := d.background(t, load.Plan{Duration: 60 * time.Second, Concurrency: 48, ISL: 200, OSL: 100, Seed: 2})
		// The eight requests of a batch end together: for a moment nothing runs,
		// and a gauge may be read just then.
		doc := d.once(t, "8s")
		for looks := 1; looks < 4 && idle(doc); looks++ {
			doc = d.once(t, "4s")
		}
		stop()
		if len(doc.Workers) != len(d.Workers) {
			t.Fatalf("%d workers, want %d: %+v", len(doc.Workers), len(d.Workers), doc.Workers)
		}
		front := page(t, d.Frontend)
		for _, w := range doc.Workers {
			if w.State != "up" || w.Engine != "sglang" || w.Instance == "" {
				t.Errorf("worker %+v: want up, sglang, with its page", w)
			}
			dec, err := sources.DecimalID(w.ID)
			if err != nil || dec != w.IDDecimal {
				t.Errorf("worker %s: decimal %s, want %s (%v)", w.ID, w.IDDecimal, dec, err)
			}
			if sum(front, "dynamo_component_router_worker_registered", `router_worker_id="`+dec+`"`) != 1 {
				t.Errorf("worker %s is not the router's %s", w.ID, dec)
			}
			if sum(front, "dynamo_component_uptime_seconds", `worker_id="`+w.ID+`"`) > 0 {
				t.Errorf("worker %s is the frontend itself", w.ID)
			}
			rank := w.Ranks[0]
			if v := rank.Belief["active_blocks"]; v.Status != "ok" || v.v() <= 0 {
				t.Errorf("worker %s: the router's belief did not join: %+v", w.ID, v)
			}
			// 48 in flight on 2 × 8 sequences: the engines queue.
			if v := rank.Figures["running"]; v.Status != "ok" || v.v() <= 0 {
				t.Errorf("worker %s: running %+v", w.ID, v)
			}
			if v := rank.Figures["waiting"]; v.Status != "ok" || v.v() <= 0 {
				t.Errorf("worker %s: waiting %+v; 48 requests on 16 slots must queue", w.ID, v)
			}
			if v := rank.Figures["decode_tokens_per_s"]; v.Status != "ok" || v.v() <= 0 {
				t.Errorf("worker %s: decode rate %+v", w.ID, v)
			}
			// A mocker of SGLang exports no KV usage: absent, and named.
			if v := rank.Figures["kv_usage"]; v.Status != "absent" || !strings.Contains(v.Missing, "token_usage") {
				t.Errorf("worker %s: KV %+v, want absent with the missing family named", w.ID, v)
			}
		}
	})
}

// TestRouterStagesAndThePath: the stages add up to the TTFT, and what the
// engine does not split is said.
func TestRouterStagesAndThePath(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "agg")
		stop := d.background(t, load.Plan{Duration: 60 * time.Second, Concurrency: 8, ISL: 300, OSL: 40, Seed: 3})
		doc := d.once(t, "10s")
		stop()
		if doc.Path.Status != "ok" || doc.Path.Mean == nil || doc.Path.N < 20 {
			t.Fatalf("no path: %+v", doc.Path)
		}
		total, seen := 0.0, map[string]float64{}
		for _, s := range doc.Path.Stages {
			total += s.Mean
			seen[s.Key] = s.Mean
			if s.Key == "engine" && !strings.Contains(strings.Join(s.Missing, " "), "sglang:queue_time_seconds") {
				t.Errorf("the engine is not split and the missing family is not named: %v", s.Missing)
			}
		}
		for _, k := range []string{"preprocess", "route", "transport", "engine", "unattributed"} {
			if _, ok := seen[k]; !ok {
				t.Errorf("no stage %s in %+v", k, doc.Path.Stages)
			}
		}
		if math.Abs(total-*doc.Path.Mean) > 1e-6 {
			t.Errorf("stages add to %g, the mean is %g", total, *doc.Path.Mean)
		}
		if share := math.Abs(seen["unattributed"]) / *doc.Path.Mean; share > 0.15 {
			t.Errorf("unattributed is %.0f %% of the TTFT: %+v", share*100, doc.Path.Stages)
		}
	})
}

// TestVLLMProvesKVAndPreemption: two DP ranks of one worker are two rows, KV
// fills, and few blocks bring preemptions.
func TestVLLMProvesKVAndPreemption(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "vllm-dp2", "--worker-args", "--num-gpu-blocks-override 24")
		stop := d.background(t, load.Plan{Duration: 90 * time.Second, Concurrency: 32, ISL: 200, OSL: 200, Seed: 4})
		doc := d.once(t, "12s")
		stop()
		ranks, preempted := 0, 0.0
		for _, w := range doc.Workers {
			if w.Engine != "vllm" || w.State != "up" {
				t.Errorf("worker %+v: want vllm, up", w)
			}
			ranks += len(w.Ranks)
			for _, r := range w.Ranks {
				if v := r.Figures["kv_usage"]; v.Status != "ok" || v.v() <= 0 || v.v() > 1 {
					t.Errorf("worker %s rank %s: KV %+v, want a share", w.ID, r.Rank, v)
				}
				preempted += r.Figures["preemptions"].v()
			}
		}
		if ranks != 3 {
			t.Errorf("%d ranks, want 3 (two of one worker, one of the other)", ranks)
		}
		if preempted <= 0 {
			t.Error("no preemption with 24 KV blocks a rank")
		}
	})
}

// TestDisaggregatedRoles: prefill and decode are told apart, and 503 on /live
// calls nobody down.
func TestDisaggregatedRoles(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "disagg")
		stop := d.background(t, load.Plan{Duration: 30 * time.Second, Concurrency: 2, ISL: 200, OSL: 20, Seed: 5})
		doc := d.once(t, "6s")
		stop()
		roles := map[string]string{}
		for _, w := range doc.Workers {
			roles[w.Role] = w.State
		}
		for _, w := range d.Workers {
			if code := status(t, w.URL+"/live"); code != http.StatusServiceUnavailable {
				t.Logf("/live of %s answers %d; mockers said 503 while they served", w.URL, code)
			}
		}
		if roles["prefill"] != "up" || roles["decode"] != "up" || len(doc.Workers) != 2 {
			t.Errorf("want one prefill and one decode worker up, got %+v", doc.Workers)
		}
	})
}

// TestTheScreenShowsTheDeployment: what the JSON says stands on the screens.
func TestTheScreenShowsTheDeployment(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "agg")
		stop := d.background(t, load.Plan{Duration: 60 * time.Second, Concurrency: 24, ISL: 200, OSL: 60, Seed: 8})
		doc := d.once(t, "4s")
		s := tmux.Start(t, 140, 42, nil, append([]string{bin(t)}, d.targets()...)...)
		s.Until(15*time.Second, d.Model, "1 frontend · 2 workers", "LIVE", "TTFT p95", "3 targets ok")
		s.Until(15*time.Second, "TTFT path", "preprocess", "route", "transport", "engine (not split)", "unattributed", "sglang:queue_time_seconds", "8/8")
		s.Keys("2")
		s.Until(10*time.Second, "TTFT · frontend", "ITL · frontend", "distribution", "in SLA")
		s.Keys("o")
		s.Until(10*time.Second, "TTFT · router")
		s.Keys("3")
		s.Until(10*time.Second, "KV router", "find matches", "transport round trip", "2 connected of 2", "PLANNER_PROMETHEUS_PORT")
		s.Keys("4")
		screen := s.Until(10*time.Second, "run/max", "2 up")
		for _, w := range doc.Workers {
			if !strings.Contains(screen, w.Short) {
				t.Errorf("worker %s is not on the screen:\n%s", w.Short, screen)
			}
		}
		s.Keys("g", "Enter")
		sheet := s.Until(5*time.Second, "id, hexadecimal", "id, decimal")
		found := false
		for _, w := range doc.Workers {
			found = found || strings.Contains(sheet, w.ID) && strings.Contains(sheet, w.IDDecimal)
		}
		if !found {
			t.Errorf("no worker with both spellings of its id:\n%s", sheet)
		}
		stop()
		s.Keys("Escape")
		time.Sleep(300 * time.Millisecond)
		s.Keys("q")
		if code := s.Ended(5 * time.Second); code != "0" {
			t.Errorf("status %s", code)
		}
	})
}

// screen is the console on a real terminal, on the workers' screen.
func screen(t *testing.T, d deployment) *tmux.Session {
	t.Helper()
	s := tmux.Start(t, 140, 42, nil, append([]string{bin(t)}, d.targets()...)...)
	s.Until(15*time.Second, "LIVE")
	s.Keys("4")
	s.Until(15*time.Second, "role", "2 up")
	return s
}

// TestAKilledWorkerGoes: its page dies, the router drops it, and the
// last-value gauges that come back do not revive it.
func TestAKilledWorkerGoes(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "agg", "--migration-limit", "2")
		stop := d.background(t, load.Plan{Duration: 120 * time.Second, Concurrency: 12, ISL: 100, OSL: 60, Seed: 6})
		s := screen(t, d)
		d.fault(t, "kill", "1")
		s.Until(10*time.Second, "stale")
		s.Until(40*time.Second, "gone")
		front := page(t, d.Frontend)
		if got := sum(front, "dynamo_component_router_worker_registered"); got != 1 {
			t.Errorf("the router lists %g workers, want 1", got)
		}
		doc := d.once(t, "4s")
		stop()
		up := 0
		for _, w := range doc.Workers {
			if w.State == "up" {
				up++
			}
			if w.State == "up" && w.Instance == strings.TrimPrefix(d.Workers[1].URL, "http://") {
				t.Errorf("the dead worker is up: %+v", w)
			}
		}
		if up != 1 {
			t.Errorf("%d workers up, want 1: %+v", up, doc.Workers)
		}
	})
}

// TestAStoppedWorkerIsStaleNotIdle: SIGSTOP brings no error anywhere; the
// worker keeps its last numbers, dim, with their age, and comes back.
func TestAStoppedWorkerIsStaleNotIdle(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		d := up(t, release, "agg")
		stop := d.background(t, load.Plan{Duration: 120 * time.Second, Concurrency: 12, ISL: 100, OSL: 60, Seed: 7, Timeout: 100 * time.Second})
		s := screen(t, d)
		time.Sleep(3 * time.Second)
		d.fault(t, "stop", "1")
		got := s.Until(10*time.Second, "stale")
		if strings.Contains(got, "idle") && !strings.Contains(got, "stale") {
			t.Errorf("a stopped worker looks idle:\n%s", got)
		}
		s.Until(10*time.Second, "1 of 3 targets stale")
		d.fault(t, "cont", "1")
		s.When(20*time.Second, "both workers up", func(x string) bool { return !strings.Contains(x, "stale") })
		stop()
	})
}

// idle says whether some worker runs nothing at the moment of the document.
func idle(d document) bool {
	for _, w := range d.Workers {
		if len(w.Ranks) > 0 && w.Ranks[0].Figures["running"].v() == 0 {
			return true
		}
	}
	return false
}
