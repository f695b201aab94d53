package world

import (
	"math"
	"strings"
	"testing"
	"time"
)

// faultStory is a run with one fault from 20 s to 40 s, or without.
const faultStory = `
duration: 1m
deployment:
  models: [tiny-8B]
  frontends: {migration_limit: 2}
  pools: [POOLS]
load:
- {LOAD, osl: 40}
FAULT`

// told runs a story and returns its truth, and the rises of its pages from
// before the fault to its middle and end.
func told(t *testing.T, pools, load, fault string) (w *World, lines []truthLine, on stretch) {
	t.Helper()
	if fault != "" {
		fault = "faults:\n- {at: 20s, for: 20s, " + fault + "}\n"
	}
	return toldOf(t, strings.NewReplacer("POOLS", pools, "LOAD", load, "FAULT", fault).Replace(faultStory))
}

func toldOf(t *testing.T, yaml string) (w *World, lines []truthLine, on stretch) {
	t.Helper()
	var truth strings.Builder
	w = build(t, Config{Scenario: script(t, yaml), Truth: &truth})
	w.Advance(20*time.Second - 1)
	on.a = snapshot(t, w)
	w.Advance(39 * time.Second)
	on.b = snapshot(t, w)
	w.Advance(time.Minute)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return w, readTruth(t, strings.NewReader(truth.String())), on
}

// meanTTFT is the true mean of the requests that arrived within a stretch.
func meanTTFT(lines []truthLine, from, to float64) float64 {
	sum, n := 0.0, 0.0
	for _, l := range lines {
		if r := l.Request; r != nil && r.TTFT > 0 && r.Arrived >= from && r.Arrived < to {
			sum, n = sum+r.TTFT, n+1
		}
	}
	return sum / n
}

// With its slots stuck, a worker lets few requests in: the rest wait before the
// engine, where the pages show them, and the capacity shown stays.
func TestShrinkPool(t *testing.T) {
	const pools, load = "{workers: 1, params: {handler_pool: 32}}", "kind: closed, concurrency: 16, isl: 256"
	_, lines, on := told(t, pools, load, "kind: shrink_pool, target: worker0, share: 0.125")
	_, _, healthy := told(t, pools, load, "")
	k, was := on.b["worker0"], healthy.b["worker0"]
	if n := k.of("dynamo_work_handler_pool_active_tasks"); n != 4 {
		t.Errorf("%v tasks in a pool of 4", n)
	}
	if k.of("dynamo_work_handler_pool_capacity") != 32 {
		t.Error("the capacity shown is not that of the settings")
	}
	if n := k.of("sglang:num_running_reqs"); n > 4 {
		t.Errorf("%v requests run", n)
	}
	if k.of("dynamo_work_handler_queue_depth") < 8 || was.of("dynamo_work_handler_queue_depth") != 0 {
		t.Errorf("%v wait, %v without the fault", k.of("dynamo_work_handler_queue_depth"), was.of("dynamo_work_handler_queue_depth"))
	}
	if wait := on.mean("worker0", "dynamo_work_handler_permit_wait_seconds"); !(wait > 0.3) || healthy.rise("worker0", "dynamo_work_handler_permit_wait_seconds_count") > 0 {
		t.Errorf("wait for a permit %v s", wait)
	}
	if a, b := meanTTFT(lines, 0, 20), meanTTFT(lines, 22, 38); b < 5*a {
		t.Errorf("TTFT %v s, and %v s with the fault", a, b)
	}
	if a, b := meanTTFT(lines, 5, 20), meanTTFT(lines, 45, 58); b > 1.5*a {
		t.Errorf("TTFT %v s before the fault and %v s after it", a, b)
	}
}

// A slow transfer delays the first token by as much as it takes longer, and
// nothing that the engines do.
func TestSlowTransfer(t *testing.T) {
	const pools, load = "{role: prefill, workers: 1}, {role: decode, workers: 1}", "rate: 1, arrival: constant, isl: 2000"
	_, lines, on := told(t, pools, load, "kind: slow_transfer, target: prefill, factor: 20")
	w, _, healthy := told(t, pools, load, "")
	took := w.workerNamed("worker0").ranks[0].base.TransferTime(2000).Seconds()
	d := meanTTFT(lines, 21, 38) - meanTTFT(lines, 2, 19)
	if want := 19 * took; math.Abs(d/want-1) > 0.1 {
		t.Errorf("TTFT +%.1f ms, the transfer takes %.1f ms longer", d*1e3, want*1e3)
	}
	const shown = "dynamo_frontend_time_to_first_token_seconds"
	if got := on.mean("frontend0", shown) - healthy.mean("frontend0", shown); math.Abs(got-d) > 0.05*d {
		t.Errorf("TTFT +%.1f ms on the page", got*1e3)
	}
	const transfer = "sglang:kv_transfer_latency_ms"
	if r := on.mean("worker0", transfer) / healthy.mean("worker0", transfer); math.Abs(r-20) > 1 {
		t.Errorf("%s ×%.1f", transfer, r)
	}
	const itl = "sglang:inter_token_latency_seconds"
	if r := on.mean("worker1", itl) / healthy.mean("worker1", itl); math.Abs(r-1) > 0.05 {
		t.Errorf("ITL ×%.2f", r)
	}
}

// Transfers that wait when the link is mended go at its speed, and the one
// under way goes on at it.
func TestSlowTransferEnds(t *testing.T) {
	_, lines, _ := told(t, "{role: prefill, workers: 1}, {role: decode, workers: 1}", "rate: 1, arrival: constant, isl: 2000",
		"kind: slow_transfer, target: prefill, factor: 2000")
	stuck := 0
	for _, l := range lines {
		if r := l.Request; r != nil && r.Arrived < 39 && r.First > 40 {
			stuck++
			if r.First > 41 {
				t.Errorf("arrived at %.1f s, answered at %.1f s: a second after the fault it should be", r.Arrived, r.First)
			}
		}
	}
	if stuck < 10 {
		t.Errorf("%d requests waited for the fault to end", stuck)
	}
	if d := meanTTFT(lines, 42, 58) / meanTTFT(lines, 2, 19); math.Abs(d-1) > 0.05 {
		t.Errorf("TTFT after the fault ×%.2f", d)
	}
}

// prompts whose first three quarters are one of few, which takes turns that a
// router needs an index for.
const sharing = "rate: 12, isl: 1024, prefix: {share: 1, groups: 8, tokens: 768}"

// A router that hears of no KV events believes in no reuse; the engines find
// what they find. It does not forget what it knew.
func TestDropKVEvents(t *testing.T) {
	yaml := strings.NewReplacer("POOLS", "{workers: 2}", "LOAD", sharing, "FAULT", "faults:\n- {at: 0s, kind: drop_kv_events, share: 1}\n").Replace(faultStory)
	_, _, on := toldOf(t, yaml)
	_, _, healthy := told(t, "{workers: 2}", sharing, "")
	rate := func(s stretch) float64 { return s.mean("frontend0", "dynamo_component_router_kv_hit_rate") }
	if rate(on) != 0 || rate(healthy) < 0.6 {
		t.Errorf("predicted hit rate %v, and %v without the fault", rate(on), rate(healthy))
	}
	const stored = "dynamo_component_kv_cache_events_applied"
	if n := on.rise("frontend0", stored, `event_type="stored"`); n != 0 {
		t.Errorf("%v events applied", n)
	}
	if healthy.rise("frontend0", stored, `event_type="stored"`) <= 0 {
		t.Error("no events without the fault")
	}
	reused := func(s stretch) float64 {
		return s.rise("worker0", "sglang:cached_tokens_total") + s.rise("worker1", "sglang:cached_tokens_total")
	}
	if reused(on) < 100*768 {
		t.Errorf("%v tokens found in the engines' caches", reused(on))
	}
}

// A flush empties a worker's cache and what the router knows of it, at once;
// what is asked for again fills both.
func TestFlushCache(t *testing.T) {
	yaml := strings.NewReplacer("POOLS", "{workers: 1}", "LOAD", sharing, "FAULT", "faults:\n- {at: 30s, kind: flush_cache}\n").Replace(faultStory)
	w := build(t, Config{Scenario: script(t, yaml)})
	var at []map[string]samples
	for _, s := range []float64{28, 29.99, 30.5, 32, 40, 42} {
		w.Advance(time.Duration(s * float64(time.Second)))
		at = append(at, snapshot(t, w))
	}
	const evictable, cached, prompt = "sglang:kv_evictable_tokens", "sglang:cached_tokens_total", "sglang:prompt_tokens_total"
	before, just := at[1]["worker0"].of(evictable), at[2]["worker0"].of(evictable)
	if before < 20000 || just > before/2 {
		t.Errorf("%v tokens in the cache before and %v after", before, just)
	}
	misses := func(i, j int) float64 { // prompt tokens that were computed, a request
		s := stretch{at[i], at[j]}
		return (s.rise("worker0", prompt) - s.rise("worker0", cached)) / s.rise("frontend0", "dynamo_frontend_requests_started_total")
	}
	if steady, after, later := misses(0, 1), misses(1, 3), misses(4, 5); after < steady+100 || math.Abs(later-steady) > 60 {
		t.Errorf("tokens computed a request: %.0f, %.0f after the flush, %.0f later", steady, after, later)
	}
	rate := func(i, j int) float64 {
		return stretch{at[i], at[j]}.mean("frontend0", "dynamo_component_router_kv_hit_rate")
	}
	if rate(1, 3) > rate(0, 1)-0.1 || math.Abs(rate(4, 5)-rate(0, 1)) > 0.02 {
		t.Errorf("predicted hit rate %.2f, %.2f after the flush, %.2f later", rate(0, 1), rate(1, 3), rate(4, 5))
	}
}

// A worker that restarts in order leaves the router at once, is down for as
// long as the fault says and comes back as another instance, cold.
func TestRestart(t *testing.T) {
	yaml := strings.NewReplacer("POOLS", "{workers: 2}", "LOAD", "kind: closed, concurrency: 8, isl: 256", "FAULT",
		"faults:\n- {at: 20s, for: 20s, kind: restart, target: worker1}\n").Replace(faultStory)
	w := build(t, Config{Scenario: script(t, yaml)})
	id := func() uint64 {
		for _, e := range w.Endpoints() {
			if e.Name == "worker1" {
				return e.WorkerID
			}
		}
		return 0
	}
	const registered = "dynamo_component_router_worker_registered"
	w.Advance(20*time.Second - 1)
	was := id()
	if n := scrape(t, w, "frontend0").of(registered); n != 2 {
		t.Errorf("%v registered before", n)
	}
	served := scrape(t, w, "worker1").of("dynamo_component_requests_total", "generate")
	w.Advance(20*time.Second + 10*time.Millisecond)
	if n := scrape(t, w, "frontend0").of(registered); n != 1 || w.Page("worker1").State != PageDown || w.Condition("worker1") != Dead {
		t.Errorf("%v registered just after, page in state %d: a kill would wait for its lease", n, w.Page("worker1").State)
	}
	w.Advance(39 * time.Second)
	down := snapshot(t, w)
	if down["worker1"] != nil || down["frontend0"].of(registered) != 1 {
		t.Error("it is back too early")
	}
	w.Advance(41 * time.Second)
	if n := scrape(t, w, "frontend0").of(registered); n != 2 || id() == was {
		t.Errorf("%v registered after, with the id %x that was %x", n, id(), was)
	}
	k := scrape(t, w, "worker1")
	if n := k.of("dynamo_component_requests_total", "generate"); !(n < served/2) || k.of("dynamo_component_uptime_seconds") > 4 {
		t.Errorf("%v requests counted after the restart, up for %v s", n, k.of("dynamo_component_uptime_seconds"))
	}
	w.Advance(time.Minute)
	f := scrape(t, w, "frontend0")
	if f.has("dynamo_frontend_requests_total", `status="error"`) || !(f.of("dynamo_frontend_model_migration_total", "ongoing_request") >= 1) {
		t.Errorf("its requests did not migrate: %v", f.of("dynamo_frontend_model_migration_total"))
	}
}
