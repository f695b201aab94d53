package scenario

import (
	"slices"
	"testing"
	"time"
)

func TestWindows(t *testing.T) {
	const s = time.Second
	for name, tc := range map[string]struct {
		f    Fault
		want []Window
	}{
		"once":        {Fault{At: 10 * s, For: 5 * s}, []Window{{10 * s, 15 * s}}},
		"to the end":  {Fault{At: 10 * s}, []Window{{10 * s, 60 * s}}},
		"cut":         {Fault{At: 50 * s, For: 20 * s}, []Window{{50 * s, 60 * s}}},
		"again":       {Fault{At: 10 * s, For: 5 * s, Every: 20 * s}, []Window{{10 * s, 15 * s}, {30 * s, 35 * s}, {50 * s, 55 * s}}},
		"twice":       {Fault{At: 10 * s, For: 5 * s, Every: 20 * s, Times: 2}, []Window{{10 * s, 15 * s}, {30 * s, 35 * s}}},
		"overflowing": {Fault{At: 10 * s, For: 1<<63 - 1, Every: 1<<63 - 1}, []Window{{10 * s, 60 * s}}},
	} {
		if got := slices.Collect(tc.f.Windows(60 * s)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	f := Fault{At: 10 * s, For: 5 * s, Every: 20 * s}
	for at, want := range map[time.Duration]bool{0: false, 10 * s: true, 15 * s: false, 29 * s: false, 34 * s: true, 70 * s: false} {
		if f.Active(at, 60*s) != want {
			t.Errorf("at %v: not %v", at, want)
		}
	}
}

func TestTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"worker3":   {TargetWorker, "", 3, -1},
		"worker3/1": {TargetWorker, "", 3, 1},
		"worker":    {TargetWorker, "", -1, -1},
		"decode":    {TargetPool, "decode", -1, -1},
		"decode0/2": {TargetPool, "decode", 0, 2},
		"frontend0": {TargetFrontend, "", 0, -1},
		"gpu12":     {TargetGPU, "", 12, -1},
		"all":       {TargetAll, "", -1, -1},
	} {
		got, err := ParseTarget(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v (%s), %v", text, got, got, err)
		}
	}
	for _, text := range []string{"", "3", "all1", "worker/1", "gpu0/1", "worker99999999", "Worker1", "a b", "worker1/x", "-a"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, got)
		}
	}
	w := func(text string) Target { x, _ := ParseTarget(text); return x }
	for _, tc := range []struct {
		t    string
		want bool
	}{{"worker5", true}, {"worker4", false}, {"worker", true}, {"decode", true}, {"decode1", true}, {"decode0", false}, {"prefill", false}, {"all", true}, {"gpu5", false}} {
		if got := w(tc.t).Worker(5, "decode", 1); got != tc.want {
			t.Errorf("%s includes worker 5, the second of decode: %v", tc.t, got)
		}
	}
	if !w("frontend").Is(TargetFrontend, 2) || w("frontend1").Is(TargetFrontend, 2) || w("gpu2").Is(TargetFrontend, 2) || !w("all").Is(TargetDCGM, 0) {
		t.Error("Is")
	}
}

// TestEverySituation stages, mildly and severely, what the triage of step 5
// must name: the vocabulary has to be able to say each.
func TestEverySituation(t *testing.T) {
	const load = "load: [{rate: 5}]\n"
	pools := "deployment: {pools: [{name: pre, role: prefill, tp: 2, dp: 2}, {name: dec, role: decode, tp: 2}], exporters: {planner: true, kvbm: kvbm_}}\n"
	fault := func(s string) string { return pools + load + "faults: [{at: 1m, for: 1m, " + s + "}]\n" }
	for name, pair := range map[string][2]string{
		"queue-bound prefill":    {"load: [{rate: 5, isl: 8000}]", "load: [{rate: 50, isl: 8000}]"},
		"queue-bound decode":     {"load: [{rate: 5, osl: 1000}]\ndeployment: {pools: [{params: {max_running: 32}}]}", "load: [{rate: 5, osl: 1000}]\ndeployment: {pools: [{params: {max_running: 4}}]}"},
		"KV capacity":            {fault("kind: shrink_kv, share: 0.5"), fault("kind: shrink_kv, share: 0.05")},
		"prefix-cache collapse":  {fault("kind: flush_cache"), "load: [{to: 1m, rate: 5, prefix: {share: 0.9}}, {from: 1m, rate: 5}]"},
		"wrong belief of cache":  {fault("kind: drop_kv_events, share: 0.1"), fault("kind: drop_kv_events, share: 0.9")},
		"imbalance of pools":     {"deployment: {pools: [{role: prefill, workers: 1}, {role: decode, workers: 2}]}\n" + load, "deployment: {pools: [{role: prefill, workers: 1}, {role: decode, workers: 9}]}\n" + load},
		"KV transfer":            {fault("kind: slow_transfer, factor: 3, target: pre"), fault("kind: slow_transfer, factor: 100, target: pre")},
		"router stage":           {fault("kind: slow_stage, stage: find_matches, factor: 5"), fault("kind: slow_stage, stage: scheduling, delay: 1s")},
		"router queue":           {"deployment: {router: {queue_threshold: 1}}\n" + load, "deployment: {router: {queue_threshold: 0}}\n" + load},
		"event loop":             {fault("kind: event_loop_delay, delay: 5ms"), fault("kind: event_loop_delay, delay: 500ms")},
		"worker pool exhausted":  {fault("kind: shrink_pool, share: 0.02"), "deployment: {pools: [{params: {handler_pool: 2, handler_queue: 10}}]}\n" + load},
		"straggler worker":       {fault("kind: slow, factor: 1.5, target: worker1"), fault("kind: slow, factor: 8, target: worker1")},
		"throttled GPU":          {fault("kind: throttle_gpu, share: 0.8, reason: sw_power_cap, target: gpu1"), fault("kind: throttle_gpu, share: 0.2, target: gpu1")},
		"host-bound engine":      {fault("kind: host_delay, delay: 3ms"), fault("kind: host_delay, delay: 50ms")},
		"imbalance of workers":   {fault("kind: skew_routing, share: 0.6, target: dec0"), "deployment: {router: {mode: kv, overlap_weight: 50}}\nload: [{rate: 5, prefix: {share: 1, skew: 3}}]"},
		"imbalance of ranks":     {fault("kind: skew_routing, share: 0.6, target: worker0/1"), fault("kind: skew_routing, share: 1, target: worker0/1")},
		"long prompts":           {"load: [{rate: 0.2, isl: 20000}]", "load: [{rate: 0.2, isl: 100000}]"},
		"client side":            {"load: [{rate: 5, cancel: {share: 0.1}}]", fault("kind: cancel, share: 0.8")},
		"worker down":            {fault("kind: kill, target: worker1"), fault("kind: kill, target: worker")},
		"worker hung":            {fault("kind: hang, target: worker1"), fault("kind: hang, target: worker")},
		"worker restarting":      {fault("kind: restart, target: worker1"), fault("kind: restart, target: [worker0, worker1]")},
		"worker flapping":        {fault("kind: kill, every: 3m, target: worker1"), "load: [{rate: 5}]\nfaults: [{at: 1m, for: 10s, every: 20s, kind: kill, target: worker1}]"},
		"errors":                 {fault("kind: errors, share: 0.02"), fault("kind: errors, share: 0.5, error: first_token_timeout, target: worker1")},
		"admission":              {"deployment: {pools: [{params: {engine_request_limit: 16, admission_queue: 4}}]}\n" + load, "deployment: {frontends: {max_requests: 2}, router: {queue_threshold: 0, queue_limit: 3}}\n" + load},
		"memory pressure":        {fault("kind: gpu_memory, share: 0.1, target: gpu0"), fault("kind: gpu_memory, share: 0.6, target: host0")},
		"GPU broken":             {fault("kind: gpu_xid, xid: 31, target: gpu0"), fault("kind: gpu_xid, xid: 79, target: worker1")},
		"stale telemetry":        {fault("kind: metrics_frozen, target: worker1"), fault("kind: metrics_hang, target: frontend0")},
		"missing telemetry":      {fault("kind: metrics_missing, families: 'sglang:', target: worker1"), fault("kind: metrics_down")},
		"planner oscillation":    {fault("kind: scale, workers: 4, every: 4m, target: dec"), "deployment: {exporters: {planner: true}}\nload: [{rate: 5}]\nfaults: [{for: 20s, every: 40s, kind: scale, workers: 6, target: aggregated}]"},
		"quantile pinned":        {"deployment: {buckets: {ttft: {min: 0.01, max: 1, count: 8}}}\n" + load, "deployment: {generation: 1.4, buckets: {itl: {min: 0.001, max: 0.01, count: 3}}}\n" + load},
		"clock skew":             {fault("kind: clock_skew, delay: -300ms, target: worker1"), fault("kind: clock_skew, delay: 40s, target: worker1")},
		"slow network":           {fault("kind: network_delay, delay: 20ms"), fault("kind: network_delay, delay: 2s, target: worker1")},
		"two spellings at once":  {"deployment: {pools: [{name: a, generation: 1.4}, {name: b}]}\n" + load, "deployment: {generation: 1.4, pools: [{name: a, engine: vllm}, {name: b, generation: 1.6}]}\n" + load},
		"256 workers, 64 hosts":  {"deployment: {pools: [{workers: 256, tp: 2}]}\n" + load, "deployment: {pools: [{workers: 64, tp: 8, gpu: GB200}]}\n" + load},
		"saturation in a closed": {"load: [{kind: closed, concurrency: 64}]", "load: [{kind: closed, concurrency: {shape: ramp, start: 1, end: 500}}]"},
	} {
		for i, yaml := range pair {
			if _, err := Parse("s.yaml", []byte(yaml)); err != nil {
				t.Errorf("%s (%s): %v", name, []string{"mild", "severe"}[i], err)
			}
		}
	}
	for _, r := range faultRules {
		if r.doc == "" || len(r.targets) == 0 {
			t.Errorf("%s has no text or no target", r.kind)
		}
	}
}
