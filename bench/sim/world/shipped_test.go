package world

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
)

// story is what a shipped scenario must show.
type story struct {
	before, during, after span
	// unmended: what goes wrong lasts until the end.
	unmended bool
	// brief stories are told under -short too.
	brief bool
	facts []fact
}

func s(from, to int) span {
	return span{time.Duration(from) * time.Second, time.Duration(to) * time.Second}
}

// Names that occur more than once below.
const (
	front0     = "frontend0"
	running    = "sglang:num_running_reqs"
	queued     = "sglang:num_queue_reqs"
	engineTTFT = "sglang:time_to_first_token_seconds"
	engineITL  = "sglang:inter_token_latency_seconds"
	frontTTFT  = "dynamo_frontend_time_to_first_token_seconds"
	frontITL   = "dynamo_frontend_inter_token_latency_seconds"
	retracted  = "sglang:num_retracted_requests_total"
	requests   = "dynamo_frontend_requests_total"
	migrations = "dynamo_frontend_model_migration_total"
)

// stories has one row for each shipped scenario. The limits leave room for
// other seeds; what they hold is the story, not the run.
var stories = map[string]story{
	"bursty-healthy": {before: s(60, 120), during: s(180, 360), after: s(500, 560), facts: slices.Concat(wellFacts(), []fact{
		{"running at a worker, most", during(peak("worker0", running)), 5, inf},
		{"TTFT that one of a hundred exceeds, s", during(ttftQuantile(nil, 0.99)), 0.2, 2},
	})},
	"diurnal-healthy": {before: s(60, 120), during: s(420, 480), after: s(1320, 1380), facts: slices.Concat(wellFacts(), []fact{
		{"load ÷ before", grows(arrivals(nil)), 1.2, 2},
		{"load at the trough ÷ before", settles(arrivals(nil)), 0, 0.4},
	})},
	"healthy": {before: s(60, 120), during: s(240, 360), after: s(540, 600), facts: wellFacts()},
	"ramp-healthy": {before: s(30, 90), during: s(480, 720), after: s(1140, 1200), facts: slices.Concat(wellFacts(), []fact{
		{"load ÷ before", grows(arrivals(nil)), 3, 6},
		{"load at the end ÷ before", settles(arrivals(nil)), 0.5, 1.3},
	})},
	"old-generation": {before: s(60, 120), during: s(180, 240), after: s(300, 360), facts: slices.Concat(wellFacts(), []fact{
		{"KVBM's older prefix", during(gauge("kvbm0", "dynamo_kvbm_matched_tokens")), 1, inf},
		{"share of requests at the newer pool", during(mean(nil, is(on("worker2")))), 0.2, 0.5},
	})},
	"trtllm": {before: s(60, 120), during: s(180, 240), after: s(300, 360), facts: slices.Concat(wellFacts(), []fact{
		{"TTFT on the page", during(average("worker0", "trtllm_time_to_first_token_seconds")), 0.02, 0.2},
		{"time per token on the page", during(average("worker0", "trtllm_time_per_output_token_seconds")), 0.008, 0.02},
		{"running", during(gauge("worker0", "trtllm_num_requests_running")), 1, 20},
		{"KV use", during(gauge("worker0", "trtllm_kv_cache_utilization")), 0.001, 0.2},
		{"hit rate, ever", during(gauge("worker0", "trtllm_kv_cache_hit_rate")), 0.1, 0.5},
		{"hit rate, lately", during(gauge("worker0", "trtllm_kv_cache_iter_reuse_rate")), 0.05, 0.6},
		{"in a step's decode, most", during(peak("worker0", "trtllm_num_generation_requests")), 2, 30},
		{"in a step, most", during(peak("worker0", "trtllm_num_scheduled_requests")), 2, 30},
		{"iteration, s", during(gauge("worker0", "trtllm_iteration_latency_seconds")), 0.008, 0.05},
		{"memory of a GPU, GB", during(gauge("worker0", "trtllm_gpu_memory_usage_bytes")), 100e9, 141e9},
	})},
	"vllm": {before: s(60, 120), during: s(240, 330), after: s(480, 540), facts: slices.Concat(wellFacts(), []fact{
		{"load ÷ before", grows(arrivals(nil)), 1.8, 3.5},
		{"running on rank 1", during(gauge("worker1", "vllm:num_requests_running", `engine="1"`)), 1, 40},
		{"running ÷ before", grows(gauge("worker0", "vllm:num_requests_running")), 1.5, 6},
		{"ITL on the page", during(average("worker0", "vllm:inter_token_latency_seconds")), 0.012, 0.04},
		{"KV use", during(peak("worker0", "vllm:kv_cache_usage_perc", `engine="0"`)), 0.005, 0.3},
		{"tokens found in the prefix cache /s", during(rate("worker0", "vllm:prefix_cache_hits_total")), 50, inf},
	})},
	"textbook-queue": {before: s(60, 360), during: s(360, 660), after: s(660, 960), facts: []fact{
		{"mean wait, s", during(waited(nil)), 0.035, 0.09},
		{"load, 1/s", during(arrivals(nil)), 13, 15},
		{"the place binds", during(binds("queue_decode", "worker0")), 0.15, 0.45},
	}},

	"saturation-prefill-queue": {before: s(60, 120), during: s(150, 270), after: s(480, 590), facts: []fact{
		{"prefill binds", during(binds("queue_prefill", "")), 0.9, 1},
		{"TTFT ÷ before", grows(ttft(nil)), 10, inf},
		{"ITL ÷ before", grows(itl(nil)), 5, inf},
		{"queue on a page", during(peak("worker0", queued)), 40, inf},
		{"queue on the other", during(peak("worker1", queued)), 40, inf},
		{"running on a page, far from the limit", during(peak("worker0", running)), 5, 100},
		{"KV use", during(peak("worker0", "sglang:token_usage")), 0, 0.6},
		{"promise kept", during(kept(nil)), 0, 0.1},
	}},
	"saturation-decode": {before: s(60, 120), during: s(150, 270), after: s(420, 480), facts: []fact{
		{"the running limit binds", during(binds("queue_decode", "")), 0.95, 1},
		{"running on a page", during(gauge("worker0", running)), 23, 24},
		{"queue on a page", during(peak("worker0", queued)), 30, inf},
		{"TTFT ÷ before", grows(ttft(nil)), 50, inf},
		{"ITL ÷ before", grows(itl(nil)), 0.9, 1.3},
		{"KV use", during(peak("worker0", "sglang:token_usage")), 0, 0.3},
		{"promise kept", during(kept(nil)), 0, 0.1},
	}},
	"kv-pressure": {before: s(60, 120), during: s(180, 300), after: s(500, 590), facts: []fact{
		{"KV binds", during(binds("kv", "")), 0.75, 1},
		{"KV use on a page", during(gauge("worker0", "sglang:token_usage")), 0.75, 1},
		{"KV use, most", during(peak("worker1", "sglang:token_usage")), 0.93, 1},
		{"retractions /s", during(sumOf(rate("worker0", retracted), rate("worker1", retracted))), 0.15, inf},
		{"queue on a page", during(gauge("worker0", queued)), 8, inf},
		{"running, far from the limit of 128", during(peak("worker0", running)), 15, 60},
		{"TTFT ÷ before", grows(ttft(nil)), 50, inf},
		{"promise kept", during(kept(nil)), 0, 0.3},
	}},
	"router-queue": {before: s(60, 120), during: s(180, 360), after: s(480, 600), facts: []fact{
		{"the router binds", during(binds("router", "")), 0.6, 1},
		{"held in the router, s", during(mean(nil, held)), 0.15, inf},
		{"held before, s", before(mean(nil, held)), 0, 0.03},
		{"wait in the engines, s", during(waited(nil)), 0, 0.05},
		{"requests pending on the page", during(gauge(front0, "dynamo_frontend_router_queue_pending_requests")), 2, inf},
		{"scheduling on the page, ms", during(average(front0, "dynamo_router_overhead_scheduling_ms")), 150, inf},
		{"scheduling before, ms", before(average(front0, "dynamo_router_overhead_scheduling_ms")), 0, 30},
		{"queue on a worker's page", during(gauge("worker0", queued)), 0, 1},
		{"TTFT ÷ before", grows(ttft(nil)), 2.5, inf},
		{"promise kept", during(kept(nil)), 0, 0.95},
	}},
	"router-slow-stage": {before: s(60, 180), during: s(180, 360), after: s(420, 540), brief: true, facts: []fact{
		{"find_matches on the page, +ms", adds(average(front0, "dynamo_router_overhead_indexer_find_matches_ms")), 295, 305},
		{"TTFT, +s", adds(ttft(nil)), 0.28, 0.32},
		{"TTFT on the page, +s", adds(average(front0, frontTTFT)), 0.28, 0.32},
		{"TTFT on a worker's page, +s", adds(average("worker0", engineTTFT)), -0.02, 0.02},
		{"ITL ÷ before", grows(itl(nil)), 0.9, 1.1},
		{"the frontend binds", during(binds("frontend", front0)), 0.4, 1},
		{"promise kept", during(kept(nil)), 0, 0.9},
	}},
	"event-loop-delay": {before: s(60, 180), during: s(190, 350), after: s(420, 540), facts: []fact{
		{"event loop on the page, +s", adds(average(front0, "dynamo_frontend_event_loop_delay_seconds")), 0.08, 0.12},
		{"TTFT, +s", adds(ttft(nil)), 0.15, 0.3},
		{"TTFT on a worker's page, +s", adds(average("worker0", engineTTFT)), -0.02, 0.02},
		{"ITL on a worker's page ÷ before", grows(average("worker0", engineITL)), 0.9, 1.1},
		{"share of gaps over 35 ms on the page", during(beyond(front0, frontITL, "0.035")), 0.05, 0.5},
		{"and ÷ before", grows(beyond(front0, frontITL, "0.035")), 1.5, inf},
		{"promise kept", during(kept(nil)), 0, 0.8},
	}},
	"disaggregated-imbalance": {before: s(60, 150), during: s(210, 420), after: s(500, 600), facts: []fact{
		{"prefill binds", during(binds("queue_prefill", "worker0")), 0.9, 1},
		{"queue of the prefill worker, most", during(peak("worker0", queued)), 25, inf},
		{"queue of a decode worker", during(peak("worker1", queued)), 0, 5},
		{"running on a decode worker", during(gauge("worker1", running)), 0, 8},
		{"TTFT ÷ before", grows(ttft(nil)), 20, inf},
		{"ITL ÷ before", grows(itl(nil)), 0.8, 1.3},
		{"transfer on the page, s", during(over(average("worker0", "sglang:kv_transfer_latency_ms"), one(1000))), 0, 0.2},
		{"promise kept", during(kept(nil)), 0, 0.2},
	}},
	"kv-transfer-bound": {before: s(60, 150), during: s(210, 400), after: s(480, 590), facts: []fact{
		{"the transfer binds", during(binds("transfer", "")), 0.4, 1},
		{"TTFT ÷ before", grows(ttft(nil)), 3, inf},
		{"transfer on the page ÷ before", grows(average("worker0", "sglang:kv_transfer_latency_ms")), 15, inf},
		{"wait before prefill, s", during(waited(nil)), 0, 0.05},
		{"queue of a prefill worker", during(gauge("worker0", queued)), 0, 0.5},
		{"queue of a decode worker", during(gauge("worker2", queued)), 0, 0.5},
		{"KV use of a prefill worker", during(peak("worker0", "sglang:token_usage")), 0, 0.3},
		{"ITL ÷ before", grows(itl(nil)), 0.9, 1.15},
		{"promise kept", during(kept(nil)), 0, 0.8},
	}},
	"load-imbalance": {before: s(60, 150), during: s(240, 400), after: s(450, 510), facts: []fact{
		{"share of worker0", during(mean(nil, is(on("worker0")))), 0.65, 0.85},
		{"share before", before(mean(nil, is(on("worker0")))), 0.25, 0.42},
		{"running there ÷ at worker1", during(over(gauge("worker0", running), gauge("worker1", running))), 8, inf},
		{"ITL there ÷ at the others", during(over(itl(on("worker0")), itl(off("worker0")))), 2.5, inf},
		{"ITL at the others ÷ before", grows(itl(off("worker0"))), 0.5, 1.1},
		{"promise kept", during(kept(nil)), 0, 0.8},
	}},
	"prefix-cache-collapse": {before: s(120, 230), during: s(260, 420), unmended: true, facts: []fact{
		{"hit rate before", before(cachedShare), 0.7, 0.9},
		{"hit rate", during(cachedShare), 0, 0.02},
		{"hit rate on the page, before", before(gauge("worker0", "sglang:cache_hit_rate")), 0.5, 0.95},
		{"hit rate on the page", during(gauge("worker0", "sglang:cache_hit_rate")), 0, 0.05},
		{"prompt tokens computed ÷ before", grows(computed), 3.5, 8},
		{"TTFT ÷ before", grows(ttft(nil)), 3, inf},
		{"promise kept", during(kept(nil)), 0, 0.9},
	}},
	"long-prompts": {before: s(60, 180), during: s(240, 540), unmended: true, facts: []fact{
		{"nothing binds", during(binds("none", "")), 0.93, 1},
		{"wait, s", during(waited(nil)), 0, 0.1},
		{"TTFT of long prompts, s", during(ttft(longPrompt)), 1.5, 4},
		{"TTFT of the others, s", during(ttft(func(r *served) bool { return !longPrompt(r) })), 0, 0.4},
		{"promise kept with long prompts", during(kept(longPrompt)), 0, 0.05},
		{"promise kept with the others", during(kept(func(r *served) bool { return !longPrompt(r) })), 0.93, 1},
		{"queue on a page, most", during(peak("worker0", queued)), 0, 2},
	}},

	"straggler-worker": {before: s(60, 150), during: s(240, 420), after: s(450, 510), facts: []fact{
		{"ITL there ÷ at the others", during(over(itl(on("worker2")), itl(off("worker2")))), 3, 9},
		{"ITL there ÷ before", grows(average("worker2", engineITL)), 3, 9},
		{"ITL at another ÷ before", grows(average("worker1", engineITL)), 0.85, 1.15},
		{"running there ÷ at another", during(over(gauge("worker2", running), gauge("worker0", running))), 3, inf},
		{"share of its requests", during(mean(nil, is(on("worker2")))), 0.22, 0.28},
		{"promise kept there", during(kept(on("worker2"))), 0, 0.2},
		{"and at the others", during(kept(off("worker2"))), 0.99, 1},
	}},
	"gpu-throttled": {before: s(60, 150), during: s(240, 420), after: s(450, 510), facts: []fact{
		{"ITL there ÷ at the others", during(over(itl(on("worker1")), itl(off("worker1")))), 1.4, 2.5},
		{"clock of GPU 3 ÷ before", grows(gauge("dcgm0", "DCGM_FI_DEV_SM_CLOCK", `gpu="3"`)), 0.45, 0.55},
		{"clock of GPU 2 ÷ before", grows(gauge("dcgm0", "DCGM_FI_DEV_SM_CLOCK", `gpu="2"`)), 0.95, 1.05},
		{"thermal violation of GPU 3, /s", during(rate("dcgm0", "DCGM_FI_DEV_THERMAL_VIOLATION", `gpu="3"`)), 1, inf},
		{"of GPU 2", during(rate("dcgm0", "DCGM_FI_DEV_THERMAL_VIOLATION", `gpu="2"`)), 0, 0},
		{"reasons of GPU 3, NVML's bits", during(peak("dcgm0", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", `gpu="3"`)), 0x48, 0x48},
		{"reasons of GPU 2", during(peak("dcgm0", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", `gpu="2"`)), 0, 1},
		{"reasons of GPU 3 after", after(peak("dcgm0", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", `gpu="3"`)), 0, 1},
		{"clock of GPU 3 ÷ its maximum", during(over(gauge("dcgm0", "DCGM_FI_DEV_SM_CLOCK", `gpu="3"`), gauge("dcgm0", "DCGM_FI_DEV_MAX_SM_CLOCK", `gpu="3"`))), 0.45, 0.55},
		{"temperature of GPU 3 ÷ where it slows down", during(over(gauge("dcgm0", "DCGM_FI_DEV_GPU_TEMP", `gpu="3"`), gauge("dcgm0", "DCGM_FI_DEV_SLOWDOWN_TEMP", `gpu="3"`))), 0.95, 1},
		{"power of GPU 3 ÷ its limit", during(over(gauge("dcgm0", "DCGM_FI_DEV_POWER_USAGE", `gpu="3"`), gauge("dcgm0", "DCGM_FI_DEV_ENFORCED_POWER_LIMIT", `gpu="3"`))), 0.1, 0.6},
		{"of GPU 3 after", after(rate("dcgm0", "DCGM_FI_DEV_THERMAL_VIOLATION", `gpu="3"`)), 0, 0},
		{"temperature of GPU 3", during(gauge("dcgm0", "DCGM_FI_DEV_GPU_TEMP", `gpu="3"`)), 80, 95},
	}},
	"host-bound": {before: s(60, 150), during: s(240, 420), after: s(450, 510), facts: []fact{
		{"ITL there ÷ before", grows(average("worker0", engineITL)), 1.7, 2.6},
		{"ITL at the other ÷ before", grows(average("worker1", engineITL)), 0.9, 1.2},
		{"memory activity there ÷ at the other", during(over(gauge("dcgm0", "DCGM_FI_PROF_DRAM_ACTIVE", `gpu="0"`), gauge("dcgm0", "DCGM_FI_PROF_DRAM_ACTIVE", `gpu="2"`))), 0.3, 0.7},
		{"GPU busy there ÷ at the other", during(over(gauge("dcgm0", "DCGM_FI_DEV_GPU_UTIL", `gpu="0"`), gauge("dcgm0", "DCGM_FI_DEV_GPU_UTIL", `gpu="2"`))), 0.4, 0.65},
		{"GPU busy at the other, %", during(gauge("dcgm0", "DCGM_FI_DEV_GPU_UTIL", `gpu="2"`)), 80, 100},
		{"clock there ÷ before", grows(gauge("dcgm0", "DCGM_FI_DEV_SM_CLOCK", `gpu="0"`)), 0.9, 1.1},
		{"promise kept there", during(kept(on("worker0"))), 0, 0.3},
		{"and at the other", during(kept(on("worker1"))), 0.97, 1},
	}},
	"plain-sglang": {before: s(120, 230), during: s(280, 420), after: s(480, 590), brief: true, facts: []fact{
		{"ITL there ÷ at the other", during(over(itl(on("worker1")), itl(on("worker0")))), 1.7, 4},
		{"ITL on its page ÷ before", grows(average("worker1", engineITL)), 1.7, 4},
		{"ITL on the other page ÷ before", grows(average("worker0", engineITL)), 0.85, 1.15},
		{"share of its requests", during(mean(nil, is(on("worker1")))), 0.47, 0.53},
		{"pages with a frontend", during(answers(front0)), 0, 0},
	}},

	"worker-killed": {before: s(120, 180), during: s(195, 265), after: s(360, 450), facts: []fact{
		{"page of worker1 answers", during(answers("worker1")), 0, 0},
		{"page after", after(answers("worker1")), 1, 1},
		{"share after", after(mean(nil, is(on("worker1")))), 0.25, 0.42},
		{"requests there", during(mean(nil, is(on("worker1")))), 0, 0.02},
		{"migrated up to then", during(peak(front0, migrations)), 1, 60},
		{"failed", during(ending("internal", nil)), 0, 0.01},
		{"running at another ÷ before", grows(gauge("worker0", running)), 1.15, 3},
		{"promise kept", during(kept(nil)), 0.97, 1},
		{"uptime after, s", after(peak("worker1", "dynamo_component_uptime_seconds")), 60, 250},
	}},
	"worker-hung": {before: s(60, 150), during: s(190, 295), after: s(360, 450), facts: []fact{
		{"the worker binds", during(binds("worker", "worker0")), 0.95, 1},
		{"its page answers", during(answers("worker0")), 0, 0},
		{"page after", after(answers("worker0")), 1, 1},
		{"GPU 0 busy, %", during(gauge("dcgm0", "DCGM_FI_DEV_GPU_UTIL", `gpu="0"`)), 0, 20},
		{"failed", during(ending("internal", nil)), 0, 0},
		{"in flight on the page, +", adds(gauge(front0, "dynamo_frontend_inflight_requests")), 3, inf},
		{"uptime after, s", after(peak("worker0", "dynamo_component_uptime_seconds")), 400, inf},
	}},
	"worker-flapping": {before: s(60, 115), during: s(120, 460), after: s(530, 590), facts: []fact{
		{"page of worker3 answers", during(answers("worker3")), 0.5, 0.85},
		{"another's", during(answers("worker2")), 1, 1},
		{"page after", after(answers("worker3")), 1, 1},
		{"uptime of worker3, most, s", during(peak("worker3", "dynamo_component_uptime_seconds")), 40, 70},
		{"migrated up to then", during(peak(front0, migrations)), 5, 200},
		{"failed", during(ending("internal", nil)), 0, 0.01},
		{"promise kept", during(kept(nil)), 0.97, 1},
	}},
	"errors-and-cancellations": {before: s(125, 235), during: s(300, 355), after: s(425, 535), unmended: true, facts: []fact{
		{"internal errors, first", before(ending("internal", nil)), 0.04, 0.13},
		{"overload, first", before(ending("overload", nil)), 0, 0},
		{"overload of worker1, second", during(ending("overload", on("worker1"))), 0.18, 0.5},
		{"overload of worker0", during(ending("overload", on("worker0"))), 0, 0},
		{"cancelled, third", after(ending("cancelled", nil)), 0.3, 0.5},
		{"errors, third", after(ending("internal", nil)), 0, 0},
		{"internal on the page, /s", before(rate(front0, requests, `error_type="internal"`)), 0.2, 0.9},
		{"overload on the page, /s", during(rate(front0, requests, `error_type="overload"`)), 0.4, 2},
		{"errors of the worker on its page, /s", during(rate("worker1", "dynamo_component_errors_total")), 0.4, 2},
		{"cancelled on the page, /s", after(rate(front0, "dynamo_frontend_model_cancellation_total")), 1.5, 3.5},
		{"TTFT, s", during(ttft(nil)), 0.04, 0.2},
	}},
	"metrics-faults": {before: s(10, 60), during: s(60, 560), after: s(560, 590), facts: []fact{
		{"promise kept", during(kept(nil)), 0.99, 1},
		{"nothing binds", during(binds("none", "")), 0.995, 1},
		{"pages of worker0 answer", during(answers("worker0")), 0.75, 0.9},
		{"pages of worker1", during(answers("worker1")), 0.75, 0.9},
		{"pages of worker2, that are only slow and frozen", during(answers("worker2")), 1, 1},
		{"pages of worker3", during(answers("worker3")), 0.8, 0.95},
		{"pages of the frontend", during(answers(front0)), 0.8, 0.95},
		{"pages of the planner", during(answers("planner")), 0.85, 0.99},
		{"pages with SGLang's families of worker3", during(has("worker3", running)), 0.75, 0.9},
		{"all back", after(func(p *past) float64 {
			return min(answers("worker0")(p), answers("worker1")(p), answers("worker2")(p), has("worker3", running)(p), answers(front0)(p), answers("planner")(p))
		}), 1, 1},
	}},
	"planner-oscillation": {before: s(60, 115), during: s(120, 540), unmended: true, facts: []fact{
		{"replicas before", before(gauge("planner", "dynamo_planner_num_decode_replicas")), 2, 2},
		{"replicas, mean", during(gauge("planner", "dynamo_planner_num_decode_replicas")), 2.5, 3.5},
		{"replicas, most", during(peak("planner", "dynamo_planner_num_decode_replicas")), 4, 4},
		{"looks that differ from the one before", during(changes("planner", "dynamo_planner_num_decode_replicas")), 8, 12},
		{"share of the added workers", during(mean(nil, is(func(r *served) bool { return on("worker2")(r) || on("worker3")(r) }))), 0.15, 0.4},
		{"migrated", during(peak(front0, migrations)), 5, 500},
		{"failed", during(ending("internal", nil)), 0, 0.01},
	}},
	"several-models": {before: s(60, 120), during: s(240, 360), after: s(480, 540), facts: []fact{
		{"the running limit of the small one binds", during(binds("queue_decode", "worker3")), 0.95, 1},
		{"queue there, most", during(peak("worker3", queued)), 60, inf},
		{"running there", during(gauge("worker3", running)), 15.5, 16},
		{"TTFT of the small one ÷ before", grows(ttft(asking("Qwen/Qwen3-8B"))), 50, inf},
		{"TTFT of the large one ÷ before", grows(ttft(asking("Qwen/Qwen3-32B"))), 0.8, 1.25},
		{"promise kept of the large one", during(kept(asking("Qwen/Qwen3-32B"))), 0.99, 1},
		{"share of the large one", during(mean(nil, is(asking("Qwen/Qwen3-32B")))), 0.5, 0.75},
		{"TTFT of the large one on the second frontend's page, s", during(average("frontend1", frontTTFT, `Qwen3-32B`)), 0.03, 0.2},
	}},

	"demo": {before: s(10, 30), during: s(70, 105), after: s(135, 180), brief: true, facts: []fact{
		{"load ÷ before", grows(arrivals(nil)), 1.8, 4},
		{"load after ÷ before", settles(arrivals(nil)), 0.6, 1.5},
		{"ITL of worker1 ÷ before", grows(average("worker1", engineITL)), 4, inf},
		{"ITL of worker0 ÷ before", grows(average("worker0", engineITL)), 0.9, 3},
		{"KV of worker2 binds", during(binds("kv", "worker2")), 0.5, 1},
		{"KV use of worker2, most", during(peak("worker2", "sglang:token_usage")), 0.9, 1},
		{"KV use of worker0, most", during(peak("worker0", "sglang:token_usage")), 0.1, 0.7},
		{"retractions of worker2, /s", during(rate("worker2", retracted)), 0.1, inf},
		{"queue of worker2, most", during(peak("worker2", queued)), 5, inf},
		{"promise kept", during(kept(nil)), 0.4, 0.9},
	}},
}

// wellFacts is what holds of a deployment that is well in each of its spans.
func wellFacts() (out []fact) {
	for _, x := range []struct {
		when string
		of   func(figure) func(*book) float64
	}{{"first", before}, {"then", during}, {"at last", after}} {
		out = append(out,
			fact{"promise kept, " + x.when, x.of(kept(nil)), 0.99, 1},
			fact{"nothing binds, " + x.when, x.of(binds("none", "")), 0.995, 1},
			fact{"wait, s, " + x.when, x.of(waited(nil)), 0, 0.05},
			fact{"failed, " + x.when, x.of(ending("success", nil)), 1, 1},
		)
	}
	return out
}

// calmFacts is what holds before and after what goes wrong.
func calmFacts(st *story) (out []fact) {
	out = append(out, fact{"promise kept before", before(kept(nil)), 0.98, 1})
	if !st.unmended {
		out = append(out,
			fact{"promise kept after", after(kept(nil)), 0.98, 1},
			fact{"TTFT after ÷ before", settles(ttft(nil)), 0.5, 1.6},
			fact{"ITL after ÷ before", settles(itl(nil)), 0.7, 1.4},
		)
	}
	return out
}

// well: the scenario says that nothing is wrong.
func well(sc *scenario.Scenario) bool {
	return len(sc.Expect) == 1 && sc.Expect[0].Verdict == "healthy"
}

func longPrompt(r *served) bool { return r.ISL >= 20_000 }

// What each shipped scenario tells of happens: visibly, with room, where it
// says and only there, and it passes. With -v each figure is printed.
func TestShippedScenariosTellTheirStory(t *testing.T) {
	names := scenario.Names()
	for name := range stories {
		if !slices.Contains(names, name) {
			t.Errorf("a row for %s, which is not shipped", name)
		}
	}
	for _, name := range names {
		st, ok := stories[name]
		if !ok {
			t.Errorf("%s has no row: nothing proves that it happens; hint: add it to stories", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			if testing.Short() && !st.brief {
				t.Skip("long")
			}
			t.Parallel()
			sc := load(t, name)
			b := read(t, sc, [3]span{st.before, st.during, st.after})
			facts := st.facts
			if !well(sc) && name != "textbook-queue" && name != "errors-and-cancellations" {
				facts = slices.Concat(facts, calmFacts(&st))
			}
			var shown strings.Builder
			for _, f := range facts {
				got := f.of(b)
				fmt.Fprintf(&shown, "\n%-55s %10.4g   [%g, %g]", f.what, got, f.lo, f.hi)
				if !(got >= f.lo && got <= f.hi) {
					t.Errorf("%s is %.4g, want %g to %g", f.what, got, f.lo, f.hi)
				}
			}
			t.Log(shown.String())
		})
	}
}
