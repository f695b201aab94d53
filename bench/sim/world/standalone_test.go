package world

import (
	"math"
	"strings"
	"testing"
	"time"
)

const standaloneYAML = `
duration: 40s
deployment:
  models: [tiny]
  router: {standalone: STANDALONE}
  network: {delay: 3ms, jitter: 0us}
  frontends: {count: 2, migration_limit: 2}
  pools: [POOLS]
load:
- {kind: closed, concurrency: 8, to: 30s, isl: 256, osl: 40, prefix: {share: 1, groups: 4, tokens: 128}}
`

func standalone(on, pools string) string {
	return strings.NewReplacer("STANDALONE", on, "POOLS", pools).Replace(standaloneYAML)
}

// The router's counts stand on its page, every request once, whichever frontend
// it came through; and each message goes one hop more.
func TestStandaloneRouterCounts(t *testing.T) {
	w, lines := run(t, script(t, standalone("true", "{workers: 2}")), 40*time.Second)
	within, inside := run(t, script(t, standalone("false", "{workers: 2}")), 40*time.Second)
	done := 0.0
	for _, l := range lines {
		if l.Request != nil && l.Request.Status == "success" {
			done++
		}
	}
	if done < 100 {
		t.Fatalf("%v requests", done)
	}
	q := scrape(t, w, "router0")
	own := []string{`dynamo_component="router"`, `dynamo_endpoint="generate"`, `service="router"`}
	served := []string{`dynamo_component="backend"`, `router_id="`}
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"dynamo_component_requests_total", own, done},
		{"dynamo_component_inflight_requests", own, 0},
		{"dynamo_component_request_duration_seconds_count", own, done},
		{"dynamo_work_handler_network_transit_seconds_count", nil, done},
		{"dynamo_work_handler_pool_active_tasks", nil, 0},
		{"dynamo_component_router_requests_started_total", served, done},
		{"dynamo_component_router_requests_total", served, done},
		{"dynamo_component_router_time_to_first_token_seconds_count", served, done},
		{"dynamo_component_router_input_sequence_tokens_sum", served, 256 * done},
		{"dynamo_component_router_output_sequence_tokens_sum", served, 40 * done},
		{"dynamo_component_router_kv_hit_rate_count", served, done},
		{"dynamo_component_router_worker_registered", []string{`worker_type="decode"`}, 2},
	} {
		if got := q.of(c.name, c.labels...); got != c.want {
			t.Errorf("router: %s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if hit := q.of("dynamo_component_router_kv_hit_rate_sum") / done; hit < 0.3 || hit > 0.5 {
		t.Errorf("hit rate %.2f, half of each prompt is shared", hit)
	}
	total := 0.0
	for _, name := range []string{"frontend0", "frontend1"} {
		f := scrape(t, w, name)
		for _, family := range []string{"requests_total", "requests_started_total", "time_to_first_token_seconds_count", "kv_hit_rate_count"} {
			if got := f.of("dynamo_component_router_" + family); got != 0 {
				t.Errorf("%s: the router's %s is %v, want 0", name, family, got)
			}
		}
		for _, family := range []string{
			"dynamo_router_overhead_total_ms_count", "dynamo_component_router_worker_registered", "dynamo_component_kv_cache_events_applied",
			"dynamo_frontend_router_queue_pending_requests", "dynamo_frontend_worker_active_decode_blocks",
			"dynamo_frontend_worker_last_time_to_first_token_seconds",
		} {
			if f.has(family) || q.has(family) && family != "dynamo_component_router_worker_registered" {
				t.Errorf("%s, or the router, has %s", name, family)
			}
		}
		total += f.of("dynamo_request_plane_roundtrip_ttft_seconds_count")
		for stage, want := range map[string]float64{"preprocess": 0, "route": 0, "dispatch": 0} {
			if got := f.of("dynamo_frontend_stage_requests", `stage="`+stage+`"`); got != want {
				t.Errorf("%s: %v requests in stage %s", name, got, stage)
			}
		}
		if got := f.of("dynamo_request_plane_inflight_requests"); got != 0 {
			t.Errorf("%s: %v in flight", name, got)
		}
	}
	if total != done {
		t.Errorf("%v roundtrips of the frontends, want %v: they ask no worker for KV events", total, done)
	}
	for _, name := range []string{"worker0", "worker1"} {
		if got := scrape(t, w, name).of("dynamo_component_requests_total", "worker_kv_query_source_"); got != 1 {
			t.Errorf("%s was asked for its KV events %v times, want once: by the router", name, got)
		}
	}
	// One hop more each way: from the frontend to the router and back.
	mean := func(lines []truthLine) float64 {
		sum, n := 0.0, 0.0
		for _, l := range lines {
			if l.Request != nil && l.Request.TTFT > 0 {
				sum, n = sum+l.Request.TTFT, n+1
			}
		}
		return sum / n
	}
	if d := mean(lines) - mean(inside); d < 0.003 || d > 0.012 {
		t.Errorf("TTFT +%.2f ms with two hops of 3 ms more", d*1e3)
	}
	f, g := scrape(t, w, "frontend0"), scrape(t, within, "frontend0")
	meanOf := func(s samples, name string) float64 { return s.of(name+"_sum") / s.of(name+"_count") }
	const ttft, roundtrip = "dynamo_frontend_time_to_first_token_seconds", "dynamo_request_plane_roundtrip_ttft_seconds"
	if rest := meanOf(f, ttft) - meanOf(f, roundtrip) - meanOf(f, "dynamo_frontend_stage_duration_seconds"); math.IsNaN(rest) || rest > 0.01 {
		t.Errorf("TTFT beside the roundtrip: %.2f ms", rest*1e3)
	}
	if meanOf(g, ttft) >= meanOf(f, ttft) {
		t.Error("the page's TTFT did not grow")
	}
	if a := meanOf(q, "dynamo_component_router_time_to_first_token_seconds"); a >= meanOf(f, roundtrip) || a < meanOf(f, roundtrip)-0.012 {
		t.Errorf("TTFT at the router %.2f ms, roundtrip of the frontend %.2f ms", a*1e3, meanOf(f, roundtrip)*1e3)
	}
}

// A pair has a router for each half; a fault of one meets it alone; a kill
// leaves no request in anybody's books.
func TestStandaloneRoutersOfPair(t *testing.T) {
	yaml := standalone("true", "{role: prefill, workers: 1}, {role: decode, workers: 2}") + `faults:
- {at: 0s, kind: slow_stage, stage: find_matches, delay: 30ms, target: router1}
- {at: 20s, kind: kill, target: worker2}
`
	w, lines := run(t, script(t, yaml), 40*time.Second)
	failed, done := 0, 0.0
	for _, l := range lines {
		if l.Request != nil {
			if l.Request.Status != "success" {
				failed++
			}
			done++
		}
	}
	if done < 50 {
		t.Fatalf("%v requests, %d failed", done, failed)
	}
	pre, dec := scrape(t, w, "router1"), scrape(t, w, "router0")
	if !pre.has("dynamo_component_router_requests_total", `dynamo_component="prefill"`) || !dec.has("dynamo_component_router_requests_total", `dynamo_component="backend"`) {
		t.Error("which router is which")
	}
	for _, s := range []samples{pre, dec} {
		if n := s.of("dynamo_component_inflight_requests"); n != 0 {
			t.Errorf("%v requests left in a router", n)
		}
		if n := s.of("dynamo_component_router_requests_total"); n < done-float64(failed) {
			t.Errorf("%v requests of %v", n, done)
		}
	}
	if n := dec.of("dynamo_component_router_worker_registered"); n != 1 {
		t.Errorf("%v decode workers registered after the kill", n)
	}
	for _, name := range []string{"frontend0", "frontend1"} {
		f := scrape(t, w, name)
		if f.of("dynamo_request_plane_inflight_requests") != 0 || f.of("dynamo_frontend_stage_requests") != 0 || f.of("dynamo_frontend_active_requests") != 0 {
			t.Errorf("%s has requests left", name)
		}
	}
	slow := 0.0
	for _, l := range lines {
		if l.Request != nil && l.Request.TTFT > slow {
			slow = l.Request.TTFT
		}
	}
	if slow < 0.03 {
		t.Errorf("the slow stage of the prefill router shows nowhere: %v s", slow)
	}
}
