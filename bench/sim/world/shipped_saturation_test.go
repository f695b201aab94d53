package world

import "maps"

func init() { maps.Copy(stories, saturationStories) }

// saturationStories are the rows of stories whose deployments get more than they
// can do, or seem to.
var saturationStories = map[string]story{
	"queue-bound-prefill-mild": {before: s(60, 120), during: s(240, 300), after: s(400, 470), facts: []fact{
		{"prefill binds", during(binds("queue_prefill", "")), 0.7, 1},
		{"mean wait, s", during(waited(nil)), 0.8, 10},
		{"queue on a page, most", during(peak("worker0", queued)), 3, 40},
		{"KV use", during(peak("worker0", "sglang:token_usage")), 0, 0.6},
		{"running on a page, far from the limit", during(peak("worker0", running)), 5, 100},
	}},
	"queue-bound-decode-mild": {before: s(60, 120), during: s(210, 300), after: s(400, 470), facts: []fact{
		{"the running limit binds", during(binds("queue_decode", "")), 0.7, 1},
		{"mean wait, s", during(waited(nil)), 1, 20},
		{"running on a page", during(gauge("worker0", running)), 22, 24},
		{"ITL ÷ before", grows(itl(nil)), 0.9, 1.3},
	}},
	"kv-capacity-mild": {before: s(60, 120), during: s(180, 300), after: s(420, 470), facts: []fact{
		{"KV use, most", during(peak("worker1", "sglang:token_usage")), 0.88, 1},
		{"retractions up to then", during(peak("worker1", retracted)), 3, 30},
		{"running, far from the limit of 128", during(peak("worker0", running)), 10, 60},
	}},
	"kv-capacity-one-worker": {before: s(60, 170), during: s(200, 350), after: s(450, 475), unmended: true, facts: []fact{
		{"KV of worker1 binds", during(binds("kv", "worker1")), 0.5, 1},
		{"retractions there up to then", during(peak("worker1", retracted)), 8, inf},
		{"KV use of worker0, most", during(peak("worker0", "sglang:token_usage")), 0.05, 0.7},
		{"queue of worker0", during(gauge("worker0", queued)), 0, 1},
	}},
	"prefix-cache-collapse-mild": {before: s(120, 230), during: s(300, 470), unmended: true, facts: []fact{
		{"hit rate before", before(cachedShare), 0.55, 0.8},
		{"hit rate", during(cachedShare), 0.08, 0.25},
		{"prompt tokens computed ÷ before", grows(computed), 1.8, 4},
		{"promise kept", during(kept(nil)), 0.95, 1},
	}},
	"prefix-cache-collapse-severe": {before: s(120, 230), during: s(300, 470), unmended: true, facts: []fact{
		{"hit rate before", before(cachedShare), 0.7, 0.9},
		{"hit rate", during(cachedShare), 0, 0.05},
		{"prompt tokens computed ÷ before", grows(computed), 3, 8},
		{"TTFT ÷ before", grows(ttft(nil)), 20, inf},
		{"promise kept", during(kept(nil)), 0, 0.2},
	}},
	"prefill-decode-imbalance-decode": {before: s(60, 115), during: s(180, 300), after: s(420, 475), facts: []fact{
		{"running of the decode worker", during(gauge("worker3", running)), 31, 32},
		{"running of a prefill worker", during(gauge("worker0", running)), 0, 1},
		{"queue of a prefill worker", during(gauge("worker0", queued)), 0, 0.5},
		{"promise kept", during(kept(nil)), 0, 0.2},
		{"ITL ÷ before", grows(itl(nil)), 0.8, 1.3},
	}},
	"kv-transfer-bound-mild": {before: s(60, 150), during: s(210, 350), after: s(420, 470), facts: []fact{
		{"transfer on the page ÷ before", grows(average("worker0", "sglang:kv_transfer_latency_ms")), 5, 20},
		{"TTFT ÷ before", grows(ttft(nil)), 1.4, 3},
		{"queue of a prefill worker", during(gauge("worker0", queued)), 0, 0.5},
		{"promise kept", during(kept(nil)), 0.9, 1},
	}},
	"long-prompts-mild": {before: s(60, 180), during: s(240, 470), unmended: true, facts: []fact{
		{"nothing binds", during(binds("none", "")), 0.93, 1},
		{"TTFT of long prompts, s", during(ttft(longPrompt)), 1.5, 4},
		{"share of long prompts", during(mean(nil, is(longPrompt))), 0.1, 0.25},
		{"promise kept with long prompts", during(kept(longPrompt)), 0, 0.05},
		{"promise kept with the others", during(kept(func(r *served) bool { return !longPrompt(r) })), 0.93, 1},
	}},
	"quantile-pinned": {before: s(60, 170), during: s(240, 350), unmended: true, facts: []fact{
		{"share past the last edge", during(beyond(front0, frontTTFT, "1")), 0.9, 1},
		{"before", before(beyond(front0, frontTTFT, "1")), 0, 0.01},
		{"TTFT, s", during(ttft(nil)), 1.1, 4},
	}},
	"quantile-pinned-mild": {before: s(60, 170), during: s(240, 350), unmended: true, facts: []fact{
		{"share of gaps over 1.1 s on the page", during(beyond(front0, frontITL, "1.1")), 0.01, 0.1},
		{"before", before(beyond(front0, frontITL, "1.1")), 0, 0.001},
	}},
	"saturated": {before: s(60, 120), during: s(180, 300), after: s(420, 470), facts: []fact{
		{"the running limit binds", during(binds("queue_decode", "")), 0.9, 1},
		{"pages with a frontend", during(answers(front0)), 0, 0},
		{"queue on a page", during(peak("worker0", queued)), 20, inf},
		{"promise kept", during(kept(nil)), 0, 0.2},
	}},
	"saturated-mild": {before: s(60, 120), during: s(180, 300), after: s(420, 470), facts: []fact{
		{"prefill binds", during(binds("queue_prefill", "")), 0.8, 1},
		{"pages that tell KV use", during(has("worker0", "sglang:token_usage")), 0, 0},
		{"queue on a page", during(peak("worker0", queued)), 8, inf},
	}},
}
