package world

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
)

// steady is a deployment under even load, with one fault from 20 s to 40 s.
const steady = `
duration: 2m
deployment:
  generation: "GEN"
  engine: sglang
  frontends: {count: 1, migration_limit: 2}
  pools: [{workers: 2, tp: 1}]
  exporters: {kvbm: kvbm_, planner: true, planner_interval: 10s}
load:
- {kind: closed, concurrency: 12, isl: 512, osl: 100}
faults:
- {at: 20s, for: 20s, FAULT}
`

func faulty(t testing.TB, fault string) *scenario.Scenario {
	return script(t, strings.NewReplacer("GEN", "1.6", "FAULT", fault).Replace(steady))
}

// between is the increase of a family's sum, and the mean of a histogram, over
// a stretch of a run.
type stretch struct{ a, b map[string]samples }

func (s stretch) rise(page, name string, labels ...string) float64 {
	before := s.a[page].of(name, labels...)
	if math.IsNaN(before) {
		before = 0
	}
	return s.b[page].of(name, labels...) - before
}

func (s stretch) mean(page, name string, labels ...string) float64 {
	return s.rise(page, name+"_sum", labels...) / s.rise(page, name+"_count", labels...)
}

func snapshot(t testing.TB, w *World) map[string]samples {
	out := map[string]samples{}
	for _, e := range w.Endpoints() {
		if p := w.Page(e.Name); p.State == PageOK {
			out[e.Name] = parse(t, p.Body)
		}
	}
	return out
}

// Each fault changes the pages that it should, while it is on and not before.
func TestFaultsOnPages(t *testing.T) {
	const (
		ttft  = "dynamo_frontend_time_to_first_token_seconds"
		itl   = "dynamo_frontend_inter_token_latency_seconds"
		stage = "dynamo_frontend_stage_duration_seconds"
		front = "frontend0"
	)
	engineITL := func(s stretch, w string) float64 { return s.mean(w, "sglang:inter_token_latency_seconds") }
	for fault, check := range map[string]func(t *testing.T, healthy, on stretch){
		"kind: slow, target: worker1, factor: 3": func(t *testing.T, healthy, on stretch) {
			if r := engineITL(on, "worker1") / engineITL(healthy, "worker1"); r < 2 || r > 4 {
				t.Errorf("ITL ×%.2f on the slow worker", r)
			}
			if r := engineITL(on, "worker0") / engineITL(healthy, "worker0"); r > 1.3 {
				t.Errorf("ITL ×%.2f on the other", r)
			}
		},
		"kind: host_delay, target: worker1, delay: 30ms": func(t *testing.T, healthy, on stretch) {
			if d := engineITL(on, "worker1") - engineITL(healthy, "worker1"); d < 0.025 || d > 0.04 {
				t.Errorf("ITL +%v", d)
			}
		},
		"kind: throttle_gpu, target: gpu1, share: 0.4, reason: sw_power_cap": func(t *testing.T, healthy, on stretch) {
			if r := engineITL(on, "worker1") / engineITL(healthy, "worker1"); r < 1.3 {
				t.Errorf("ITL ×%.2f", r)
			}
			gpu := `gpu="1"`
			if r := on.b["dcgm0"].of("DCGM_FI_DEV_SM_CLOCK", gpu) / healthy.b["dcgm0"].of("DCGM_FI_DEV_SM_CLOCK", gpu); r > 0.41 {
				t.Errorf("clock ×%.2f", r)
			}
			if on.rise("dcgm0", "DCGM_FI_DEV_POWER_VIOLATION", gpu) <= 0 || healthy.rise("dcgm0", "DCGM_FI_DEV_POWER_VIOLATION", gpu) > 0 {
				t.Error("time throttled")
			}
			if on.b["dcgm0"].of("DCGM_FI_DEV_SM_CLOCK", `gpu="0"`) < 1900 {
				t.Error("the other GPU")
			}
		},
		"kind: gpu_xid, target: gpu0, xid: 79": func(t *testing.T, healthy, on stretch) {
			if on.b["dcgm0"].of("DCGM_FI_DEV_XID_ERRORS", `gpu="0"`) != 79 || healthy.b["dcgm0"].of("DCGM_FI_DEV_XID_ERRORS", `gpu="0"`) != 0 {
				t.Error("no XID")
			}
		},
		"kind: gpu_memory, target: gpu0, share: 0.1": func(t *testing.T, healthy, on stretch) {
			if d := on.b["dcgm0"].of("DCGM_FI_DEV_FB_USED", `gpu="0"`) - healthy.b["dcgm0"].of("DCGM_FI_DEV_FB_USED", `gpu="0"`); d < 5000 {
				t.Errorf("memory +%v MiB", d)
			}
		},
		"kind: shrink_kv, target: worker1, share: 0.01": func(t *testing.T, healthy, on stretch) {
			if r := on.b["worker1"].of("dynamo_component_total_blocks") / healthy.b["worker1"].of("dynamo_component_total_blocks"); r > 0.011 {
				t.Errorf("pool ×%v", r)
			}
			if on.b["worker1"].of("sglang:token_usage") <= healthy.b["worker1"].of("sglang:token_usage") {
				t.Error("usage did not rise")
			}
		},
		"kind: slow_stage, stage: tokenize, factor: 20": func(t *testing.T, healthy, on stretch) {
			if r := on.mean(front, stage, `stage="preprocess"`) / healthy.mean(front, stage, `stage="preprocess"`); r < 10 || r > 21 {
				t.Errorf("preprocess ×%.1f", r)
			}
			if r := on.mean(front, "dynamo_frontend_template_seconds") / healthy.mean(front, "dynamo_frontend_template_seconds"); r > 1.2 {
				t.Errorf("template ×%.1f", r)
			}
		},
		"kind: slow_stage, stage: find_matches, delay: 40ms": func(t *testing.T, healthy, on stretch) {
			d := on.mean(front, "dynamo_router_overhead_indexer_find_matches_ms") - healthy.mean(front, "dynamo_router_overhead_indexer_find_matches_ms")
			if math.Abs(d-40) > 1 {
				t.Errorf("find matches +%v ms", d)
			}
			if d := on.mean(front, "dynamo_router_overhead_scheduling_ms"); d > 1 {
				t.Errorf("scheduling %v ms", d)
			}
			if d := on.mean(front, ttft) - healthy.mean(front, ttft); d < 0.03 || d > 0.06 {
				t.Errorf("TTFT +%v", d)
			}
		},
		"kind: slow_stage, stage: transport, delay: 40ms": func(t *testing.T, healthy, on stretch) {
			if d := on.mean(front, stage, `stage="transport_roundtrip"`) - healthy.mean(front, stage, `stage="transport_roundtrip"`); d < 0.03 {
				t.Errorf("roundtrip +%v", d)
			}
			if d := on.mean("worker0", "sglang:time_to_first_token_seconds") - healthy.mean("worker0", "sglang:time_to_first_token_seconds"); d > 0.02 {
				t.Errorf("engine TTFT +%v", d)
			}
		},
		"kind: event_loop_delay, delay: 30ms": func(t *testing.T, healthy, on stretch) {
			if d := on.mean(front, "dynamo_frontend_event_loop_delay_seconds"); d < 0.02 || healthy.mean(front, "dynamo_frontend_event_loop_delay_seconds") > 0.002 {
				t.Errorf("loop delay %v", d)
			}
			if on.rise(front, "dynamo_frontend_event_loop_stall_total") < 100 {
				t.Error("no stalls")
			}
			if on.b[front].of("dynamo_tokio_worker_busy_ratio", `worker="0"`) < 900 {
				t.Error("tokio is not busy")
			}
		},
		"kind: network_delay, target: worker1, delay: 20ms": func(t *testing.T, healthy, on stretch) {
			if d := on.mean("worker1", "dynamo_work_handler_network_transit_seconds"); math.Abs(d-0.0202) > 0.001 {
				t.Errorf("transit %v", d)
			}
			if d := on.mean("worker0", "dynamo_work_handler_network_transit_seconds"); d > 0.001 {
				t.Errorf("transit of the other %v", d)
			}
		},
		"kind: clock_skew, target: worker1, delay: 3s": func(t *testing.T, healthy, on stretch) {
			if d := on.mean("worker1", "dynamo_work_handler_network_transit_seconds"); math.Abs(d-3) > 0.01 {
				t.Errorf("transit %v", d)
			}
		},
		"kind: errors, share: 0.3, error: overload": func(t *testing.T, healthy, on stretch) {
			bad, all := on.rise(front, "dynamo_frontend_requests_total", `error_type="overload"`), on.rise(front, "dynamo_frontend_requests_total")
			if r := bad / all; r < 0.2 || r > 0.4 {
				t.Errorf("%v of %v fail", bad, all)
			}
			if healthy.b[front].has("dynamo_frontend_requests_total", `status="error"`) {
				t.Error("errors before the fault")
			}
		},
		"kind: cancel, share: 0.5": func(t *testing.T, healthy, on stretch) {
			bad, all := on.rise(front, "dynamo_frontend_requests_total", `error_type="cancelled"`), on.rise(front, "dynamo_frontend_requests_total")
			if r := bad / all; r < 0.3 || r > 0.8 {
				t.Errorf("%v of %v are cancelled", bad, all)
			}
			if on.rise("worker0", "dynamo_component_cancellation_total", "generate") <= 0 {
				t.Error("the worker heard nothing")
			}
		},
		"kind: skew_routing, target: worker1, share: 1": func(t *testing.T, healthy, on stretch) {
			if n := on.rise("worker0", "dynamo_component_requests_total", "generate"); n > 6 {
				t.Errorf("%v requests at the other worker", n)
			}
		},
		"kind: hang, target: worker1": func(t *testing.T, healthy, on stretch) {
			if on.b["worker1"] != nil {
				t.Error("its page answers")
			}
			if on.rise(front, "dynamo_frontend_requests_total", `status="success"`) <= 0 {
				t.Error("the other worker serves nothing")
			}
			if on.b[front].has("dynamo_frontend_requests_total", `status="error"`) {
				t.Error("a hang is no error")
			}
			if on.b[front].of("dynamo_component_router_worker_registered") != 2 {
				t.Error("a hung worker stays registered")
			}
		},
		"kind: scale, target: aggregated, workers: 3": func(t *testing.T, healthy, on stretch) {
			if n := on.b[front].of("dynamo_component_router_worker_registered"); n != 3 {
				t.Errorf("%v registered", n)
			}
			if healthy.b["worker2"] != nil || on.b["worker2"].of("dynamo_component_requests_total", "generate") <= 0 {
				t.Error("worker2")
			}
			if n := on.b["planner"].of("dynamo_planner_num_decode_replicas"); n != 3 {
				t.Errorf("%v replicas", n)
			}
		},
	} {
		t.Run(fault, func(t *testing.T) {
			w := build(t, Config{Scenario: faulty(t, fault)})
			w.Advance(10 * time.Second)
			a := snapshot(t, w)
			w.Advance(20*time.Second - 1)
			b := snapshot(t, w)
			w.Advance(25 * time.Second)
			c := snapshot(t, w)
			w.Advance(39 * time.Second)
			d := snapshot(t, w)
			check(t, stretch{a, b}, stretch{c, d})
			// It is over when it is over.
			w.Advance(80 * time.Second)
			e := snapshot(t, w)
			w.Advance(110 * time.Second)
			after := stretch{e, snapshot(t, w)}
			was, is := stretch{a, b}.mean(front, itl), after.mean(front, itl)
			if r := is / was; !(r > 0.7 && r < 1.4) {
				t.Errorf("ITL ×%.2f after the fault", r)
			}
		})
	}
}

// A killed worker as it was recorded: registered for ten seconds, its beliefs
// gone at once, its last values gone with the registration; requests migrate
// in the newer release and fail in the older.
func TestKill(t *testing.T) {
	for _, gen := range []string{"1.6", "1.4"} {
		t.Run(gen, func(t *testing.T) {
			w := build(t, Config{Scenario: script(t, strings.NewReplacer("GEN", gen, "FAULT", "kind: kill, target: worker1").Replace(steady))})
			w.Advance(20*time.Second - 1)
			var id uint64
			for _, e := range w.Endpoints() {
				if e.Name == "worker1" {
					id = e.WorkerID
				}
			}
			dead := `worker_id="` + strconv.FormatUint(id, 10) + `"`
			registered := func(s samples) float64 {
				return s.of("dynamo_component_router_worker_registered", `router_`+dead)
			}
			before := scrape(t, w, "frontend0")
			if registered(before) != 1 || !before.has("dynamo_frontend_worker_last_time_to_first_token_seconds", dead) || before.of("dynamo_frontend_worker_active_decode_blocks", dead) <= 0 {
				t.Fatal("it did not serve before")
			}
			w.Advance(23 * time.Second)
			early := scrape(t, w, "frontend0")
			if registered(early) != 1 || !early.has("dynamo_frontend_worker_last_time_to_first_token_seconds", dead) {
				t.Error("at 3 s it is still registered")
			}
			if gen == "1.6" && early.of("dynamo_frontend_worker_active_decode_blocks", dead) != 0 {
				t.Errorf("belief of the dead worker: %v", early.of("dynamo_frontend_worker_active_decode_blocks", dead))
			}
			if w.Page("worker1").State != PageDown {
				t.Error("its page is there")
			}
			w.Advance(32 * time.Second)
			late := scrape(t, w, "frontend0")
			for _, name := range []string{"dynamo_component_router_worker_registered", "dynamo_frontend_worker_active_decode_blocks", "dynamo_frontend_worker_last_time_to_first_token_seconds"} {
				if late.has(name, dead) {
					t.Errorf("at 12 s there still is %s", name)
				}
			}
			migrated, failed := late.of("dynamo_frontend_model_migration_total", "ongoing_request"), late.of("dynamo_frontend_requests_total", `status="error"`)
			switch {
			case gen == "1.6" && (!(migrated > 0) || !math.IsNaN(failed)):
				t.Errorf("%v migrated, %v failed", migrated, failed)
			case gen == "1.4" && (!(migrated > 0) || !(failed > migrated)):
				t.Errorf("%v migrated, %v failed", migrated, failed)
			case gen == "1.6":
				// The router counts the lost halves again.
				router, front := late.of("dynamo_component_router_requests_total"), late.of("dynamo_frontend_requests_total")
				if router != front+migrated {
					t.Errorf("the router counts %v, the frontend %v and %v migrated", router, front, migrated)
				}
			}
			// It comes back as another, at its old address.
			w.Advance(45 * time.Second)
			for _, e := range w.Endpoints() {
				if e.Name == "worker1" && e.WorkerID == id {
					t.Error("the same id after the restart")
				}
			}
			again := scrape(t, w, "worker1")
			if up := again.of("dynamo_component_uptime_seconds"); up > 10 {
				t.Errorf("up for %v s", up)
			}
			if scrape(t, w, "frontend0").of("dynamo_component_router_worker_registered") != 2 {
				t.Error("two are registered again")
			}
		})
	}
}

// Requests with a long answer that had migrated bring the last values of the
// dead id back.
func TestLastValuesComeBack(t *testing.T) {
	y := strings.NewReplacer("GEN", "1.6", "FAULT", "kind: kill, target: worker1", "osl: 100", "osl: 3000").Replace(steady)
	w := build(t, Config{Scenario: script(t, y)})
	w.Advance(19 * time.Second)
	id := uint64(0)
	for _, e := range w.Endpoints() {
		if e.Name == "worker1" {
			id = e.WorkerID
		}
	}
	dead := `worker_id="` + strconv.FormatUint(id, 10) + `"`
	const last = "dynamo_frontend_worker_last_inter_token_latency_seconds"
	gone, back := false, false
	for at := 19 * time.Second; at < 45*time.Second; at += 50 * time.Millisecond {
		w.Advance(at)
		has := scrape(t, w, "frontend0").has(last, dead)
		gone = gone || !has
		back = back || gone && has
	}
	if !gone || !back {
		t.Errorf("gone %v, back %v", gone, back)
	}
}

// What faults do to the page itself.
func TestPageStates(t *testing.T) {
	for kind, check := range map[string]func(t *testing.T, healthy, now Scrape, w *World){
		"kind: metrics_down, target: worker0": func(t *testing.T, _, now Scrape, w *World) {
			if now.State != PageDown {
				t.Errorf("state %d", now.State)
			}
		},
		"kind: metrics_hang, target: worker0": func(t *testing.T, _, now Scrape, w *World) {
			if now.State != PageHang {
				t.Errorf("state %d", now.State)
			}
		},
		"kind: metrics_slow, target: worker0, delay: 3s": func(t *testing.T, healthy, now Scrape, w *World) {
			if now.State != PageOK || now.Delay != 3*time.Second || len(now.Body) < len(healthy.Body)/2 {
				t.Errorf("state %d, delay %v", now.State, now.Delay)
			}
		},
		"kind: metrics_truncated, target: worker0": func(t *testing.T, healthy, now Scrape, w *World) {
			if now.State != PageTruncated || now.Body[len(now.Body)-1] == '\n' || len(now.Body) > len(healthy.Body) {
				t.Errorf("state %d, %d bytes", now.State, len(now.Body))
			}
		},
		"kind: metrics_garbage, target: worker0": func(t *testing.T, _, now Scrape, w *World) {
			if now.State != PageGarbage || !bytes.Contains(now.Body, []byte("<html>")) {
				t.Errorf("state %d", now.State)
			}
		},
		"kind: metrics_huge, target: worker0": func(t *testing.T, healthy, now Scrape, w *World) {
			if now.State != PageHuge || len(now.Body) < hugeBytes || now.Body[len(now.Body)-1] != '\n' {
				t.Errorf("state %d, %d bytes", now.State, len(now.Body))
			}
		},
		"kind: metrics_frozen, target: worker0": func(t *testing.T, _, now Scrape, w *World) {
			w.Advance(39 * time.Second)
			if later := w.Page("worker0"); !bytes.Equal(now.Body, later.Body) {
				t.Error("it moved")
			}
		},
		"kind: metrics_missing, target: worker0, families: ['sglang:']": func(t *testing.T, healthy, now Scrape, w *World) {
			if bytes.Contains(now.Body, []byte("sglang:")) || !bytes.Contains(now.Body, []byte("dynamo_component_requests_total")) {
				t.Error("the wrong families are missing")
			}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			w := build(t, Config{Scenario: faulty(t, kind)})
			w.Advance(15 * time.Second)
			healthy := w.Page("worker0")
			w.Advance(30 * time.Second)
			check(t, healthy, w.Page("worker0"), w)
			if other := w.Page("worker1"); other.State != PageOK || other.Delay != 0 {
				t.Error("the other worker's page too")
			}
			w.Advance(41 * time.Second)
			if p := w.Page("worker0"); p.State != PageOK || p.Delay != 0 || !bytes.Contains(p.Body, []byte("sglang:")) {
				t.Error("it is not over")
			}
		})
	}
}

// The truth tells what was on and what bound.
func TestTruthOfFaults(t *testing.T) {
	w, lines := run(t, load(t, "kv-pressure"), 5*time.Minute)
	_ = w
	seen := map[string]bool{}
	for _, l := range lines {
		if l.Fault != "" {
			seen["fault "+l.Fault+strconv.FormatBool(l.On)] = true
		}
		if l.Bound != "" {
			seen["bound "+l.Bound] = true
		}
	}
	if !seen["bound kv"] || !seen["bound none"] {
		t.Errorf("%v", seen)
	}
	_, lines = run(t, load(t, "router-queue"), time.Minute*3)
	router := false
	for _, l := range lines {
		router = router || l.Bound == "router"
	}
	if !router {
		t.Error("the router's queue never bound")
	}
}
