package world

import "maps"

func init() { maps.Copy(stories, workerStories) }

// gpuClock is the SM clock of one GPU of the first host.
func gpuClock(number string) figure {
	return gauge("dcgm0", "DCGM_FI_DEV_SM_CLOCK", `gpu="`+number+`"`)
}

// workerStories are those of single workers and GPUs.
var workerStories = map[string]story{
	"straggler-worker-mild": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"ITL there ÷ at the others", during(over(itl(on("worker2")), itl(off("worker2")))), 1.5, 2.2},
		{"ITL at another ÷ before", grows(average("worker1", engineITL)), 0.85, 1.2},
		{"share of its requests", during(mean(nil, is(on("worker2")))), 0.08, 0.25},
	}},
	"straggler-prefill": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"prefill there ÷ before", grows(average("worker1", "sglang:per_stage_req_latency_seconds", `stage="prefill_forward"`)), 2, 3.5},
		{"at another ÷ before", grows(average("worker0", "sglang:per_stage_req_latency_seconds", `stage="prefill_forward"`)), 0.8, 1.25},
		{"ITL ÷ before", grows(itl(nil)), 0.8, 1.2},
		{"TTFT ÷ before", grows(ttft(nil)), 1.2, 3},
	}},
	"straggler-gpu-mild": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"clock of GPU 4 ÷ before", grows(gpuClock("4")), 0.78, 0.85},
		{"clock of GPU 5 ÷ before", grows(gpuClock("5")), 0.95, 1.05},
		{"ITL there ÷ at the others", during(over(itl(on("worker2")), itl(off("worker2")))), 1.02, 1.4},
		{"promise kept", during(kept(nil)), 0.97, 1},
	}},
	"gpu-throttled-mild": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"clock of GPU 0 ÷ before", grows(gpuClock("0")), 0.7, 0.8},
		{"clock of GPU 3 ÷ before", grows(gpuClock("3")), 0.7, 0.8},
		{"reasons of GPU 3", during(peak("dcgm0", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS", `gpu="3"`)), 4, 4},
		{"ITL ÷ before", grows(itl(nil)), 1.1, 1.5},
	}},
	"gpu-throttled-severe": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"clock of GPU 0 ÷ before", grows(gpuClock("0")), 0.45, 0.55},
		{"temperature of GPU 3", during(gauge("dcgm0", "DCGM_FI_DEV_GPU_TEMP", `gpu="3"`)), 80, 95},
		{"ITL ÷ before", grows(itl(nil)), 1.5, 2.2},
	}},
	"host-bound-mild": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"ITL there ÷ before", grows(average("worker1", engineITL)), 1.3, 1.9},
		{"ITL at another ÷ before", grows(average("worker0", engineITL)), 0.9, 1.2},
		{"its scheduler without the GPU, s/s", during(rate("worker1", "sglang:scheduler_stage_seconds_total", `category="recv_requests"`, `forward_overlap="none"`)), 0.08, 0.3},
		{"and before", before(rate("worker1", "sglang:scheduler_stage_seconds_total", `category="recv_requests"`, `forward_overlap="none"`)), 0, 0.01},
	}},
	"load-imbalance-mild": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"share of worker1", during(mean(nil, is(on("worker1")))), 0.45, 0.65},
		{"ITL there ÷ at the others", during(over(itl(on("worker1")), itl(off("worker1")))), 1.2, 4},
		{"queue there, most", during(peak("worker1", queued)), 0, 20},
	}},
	"dp-imbalance": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"running on rank 0 ÷ on rank 1", during(over(gauge("worker0", running, `dp_rank="0"`), gauge("worker0", running, `dp_rank="1"`))), 4, inf},
		{"tokens lost on rank 1 ÷ before", grows(rate("worker0", "sglang:dp_attention_tokens_total", `dp_rank="1"`, `kind="imbalance"`)), 2, inf},
	}},
	"dp-imbalance-mild": {before: s(60, 150), during: s(240, 420), after: s(480, 570), facts: []fact{
		{"running on rank 2 ÷ on rank 1", during(over(gauge("worker0", running, `dp_rank="2"`), gauge("worker0", running, `dp_rank="1"`))), 2, inf},
		{"tokens lost on rank 1 ÷ before", grows(rate("worker0", "sglang:dp_attention_tokens_total", `dp_rank="1"`, `kind="imbalance"`)), 1.5, inf},
	}},
	"dp-imbalance-uncounted": {before: s(60, 150), during: s(200, 295), after: s(480, 590), facts: []fact{
		{"running on its rank 3", during(gauge("worker1", "vllm:num_requests_running", `engine="3"`)), 10, 16},
		{"waiting on it, most", during(peak("worker1", "vllm:num_requests_waiting", `engine="3"`)), 5, inf},
		{"waiting on rank 0, most", during(peak("worker1", "vllm:num_requests_waiting", `engine="0"`)), 0, 3},
	}},
	"worker-down-mild": {before: s(60, 170), during: s(185, 355), after: s(420, 540), facts: []fact{
		{"page of worker3 answers", during(answers("worker3")), 0, 0},
		{"page after", after(answers("worker3")), 1, 1},
		{"requests there", during(mean(nil, is(on("worker3")))), 0, 0.02},
		{"failed", during(ending("internal", nil)), 0, 0},
		{"promise kept", during(kept(nil)), 0.97, 1},
	}},
	"worker-down-plain": {before: s(60, 170), during: s(185, 295), after: s(400, 540), facts: []fact{
		{"page of worker1 answers", during(answers("worker1")), 0, 0},
		{"page after", after(answers("worker1")), 1, 1},
		{"requests there", during(mean(nil, is(on("worker1")))), 0, 0.02},
	}},
	"worker-hung-mild": {before: s(60, 170), during: s(185, 250), after: s(330, 480), facts: []fact{
		{"the worker binds", during(binds("worker", "worker2")), 0.9, 1},
		{"its page answers", during(answers("worker2")), 0, 0},
		{"page after", after(answers("worker2")), 1, 1},
		{"failed", during(ending("internal", nil)), 0, 0},
	}},
	"worker-restarting": {before: s(60, 170), during: s(180, 380), after: s(440, 560), facts: []fact{
		{"page of worker1 answers", during(answers("worker1")), 0.7, 0.9},
		{"uptime of worker1 after, most, s", after(peak("worker1", "dynamo_component_uptime_seconds")), 100, 300},
		{"promise kept", during(kept(nil)), 0.97, 1},
	}},
	"worker-restarting-mild": {before: s(60, 170), during: s(180, 320), after: s(380, 540), facts: []fact{
		{"page of worker0 answers", during(answers("worker0")), 0.75, 0.95},
		{"page of worker2 answers", during(answers("worker2")), 0.75, 0.95},
		{"promise kept", during(kept(nil)), 0.95, 1},
	}},
	"worker-flapping-mild": {before: s(60, 115), during: s(120, 340), after: s(420, 560), facts: []fact{
		{"page of worker1 answers", during(answers("worker1")), 0.8, 0.95},
		{"uptime of worker1, most, s", during(peak("worker1", "dynamo_component_uptime_seconds")), 60, 130},
		{"promise kept", during(kept(nil)), 0.95, 1},
	}},
	"memory-pressure": {before: s(60, 170), during: s(190, 410), after: s(440, 560), facts: []fact{
		{"free on GPU 2, MiB", during(peak("dcgm0", "DCGM_FI_DEV_FB_FREE", `gpu="2"`)), 0, 500},
		{"free on GPU 3 ÷ before", grows(gauge("dcgm0", "DCGM_FI_DEV_FB_FREE", `gpu="3"`)), 0.99, 1.01},
		{"ITL ÷ before", grows(itl(nil)), 0.9, 1.1},
	}},
	"memory-pressure-mild": {before: s(60, 170), during: s(190, 410), after: s(440, 560), facts: []fact{
		{"free on GPU 1, MiB", during(gauge("dcgm0", "DCGM_FI_DEV_FB_FREE", `gpu="1"`)), 2000, 8000},
		{"taken of it, MiB", adds(gauge("dcgm0", "DCGM_FI_DEV_FB_USED", `gpu="1"`)), 7000, 10000},
		{"ITL ÷ before", grows(itl(nil)), 0.9, 1.1},
	}},
}
