package advice

import (
	"slices"
	"strings"
	"testing"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/engine"
)

// trial is one rule on one scene.
type trial struct {
	name string
	code string
	on   *scene
	// flag is a part of what must be advised; empty: nothing may be.
	flag string
	// unknown: the advice must say that something is not known.
	unknown bool
	// blind: no advice, but the rule must say that it could not judge.
	blind bool
}

var (
	ttftEdges = []float64{0, .0022, .0047, .01, .022, .047, .1, .22, .47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480}
	lengths   = []float64{0, 100, 210, 430, 870, 1800, 3600, 7400, 15000, 31000, 63000, 130000}
)

// at is counts with everything in some buckets.
func at(n int, full map[int]float64) []float64 {
	out := make([]float64, n+1)
	for i, c := range full {
		out[i] = c
	}
	return out
}

func transfers(s *scene, n float64) *scene {
	return s.value(needTransfers, n).value(needTransfer, 0.009)
}

// full is a worker that lacks KV.
func full(s *scene, name string, kv, preempts float64) *scene {
	return s.of(needKV, name, kv).of(needPreempts, name, preempts).of(needMost, name, 64)
}

func queued(s *scene, name string, running, waiting, most, kv float64) *scene {
	s.of(needRunning, name, running).of(needWaiting, name, waiting).of(needKV, name, kv)
	if most > 0 {
		s.of(needMost, name, most)
	}
	return s
}

func prompts(s *scene, n, length float64) *scene {
	return s.value(needPrompts, n).value(needLength, length)
}

func pair(s *scene, routed, against, runA, waitA, runB, waitB float64) *scene {
	s.process("a", "aggregated", "sglang").process("b", "aggregated", "sglang")
	s.of(needRunning, "a", runA).of(needWaiting, "a", waitA).of(needRunning, "b", runB).of(needWaiting, "b", waitB)
	return s.value(needRouted, routed).value(needAgainst, against)
}

func front(s *scene, flags ...string) *scene { return s.process("f", "frontend", "frontend", flags...) }

func trials() []trial {
	late := func(delay, out float64) *scene {
		return newScene().value(needLate, delay).value(needLoops, 3000).value(needOut, out)
	}
	held := func(pending, running float64) *scene {
		return newScene().process("a", "aggregated", "sglang").of(needHeld, "", pending).
			of(needRunning, "a", running).of(needWaiting, "a", 0).of(needMost, "a", 64)
	}
	events := func(routed float64, st sources.Status) *scene {
		return newScene().process("a", "aggregated", "sglang").value(needRouted, routed).is(needEvents, st)
	}
	surplus := func(running, kv float64) *scene {
		s := newScene().disagg().process("p2", "prefill", "sglang")
		for _, p := range []string{"p", "p2"} {
			s.of(needRunning, p, running).of(needWaiting, p, 0)
		}
		return full(s, "d", kv, 5)
	}
	low := func(running, waiting float64) *scene {
		s := newScene().disagg("disaggregation", "decode").value(needRequests, 200)
		for _, p := range []string{"p", "d"} {
			s.of(needRunning, p, running).of(needWaiting, p, waiting).of(needMost, p, 64)
		}
		return s
	}
	short := func(length, cached float64, flags ...string) *scene {
		return front(prompts(newScene().disagg(), 400, length).value(needCached, cached), flags...)
	}
	return []trial{
		{"small pages move", "page-size-small", transfers(newScene().disagg("page_size", "16"), 400), "--page-size 128", false, false},
		{"the size is not known", "page-size-small", transfers(newScene().disagg(), 400), "--page-size 128", true, false},
		{"the size is left to the engine", "page-size-small", transfers(newScene().disagg("page_size", "auto"), 400), "--page-size 128", true, false},
		{"pages are large enough", "page-size-small", transfers(newScene().disagg("page_size", "64"), 400), "", false, false},
		{"few moves", "page-size-small", transfers(newScene().disagg("page_size", "16"), 20), "", false, false},
		{"nothing moves", "page-size-small", transfers(newScene().process("a", "aggregated", "sglang", "page_size", "1"), 400), "", false, false},

		{"large pages, few hits", "page-size-large", prompts(newScene().process("a", "aggregated", "vllm", "page_size", "512").value(needHits, .1), 300, 1500), "--block-size 128", false, false},
		{"many hits", "page-size-large", prompts(newScene().process("a", "aggregated", "vllm", "page_size", "512").value(needHits, .5), 300, 1500), "", false, false},
		{"long prompts", "page-size-large", prompts(newScene().process("a", "aggregated", "vllm", "page_size", "512").value(needHits, .1), 300, 15000), "", false, false},
		{"a usual page", "page-size-large", prompts(newScene().process("a", "aggregated", "vllm", "page_size", "64").value(needHits, .1), 300, 900), "", false, false},
		{"an unknown page", "page-size-large", prompts(newScene().process("a", "aggregated", "vllm").value(needHits, .1), 300, 1500), "", false, true},

		{"full and waiting", "batch-limit", queued(newScene().process("d", "decode", "sglang", "max_running", "32"), "d", 32, 9, 32, .4), "--max-running-requests 64", false, false},
		{"full by its flag alone", "batch-limit", queued(newScene().process("d", "decode", "vllm", "max_running", "32"), "d", 32, 9, 0, .4), "--max-num-seqs 64", false, false},
		{"KV is what is short", "batch-limit", queued(newScene().process("d", "decode", "sglang"), "d", 32, 9, 32, .95), "", false, false},
		{"not full", "batch-limit", queued(newScene().process("d", "decode", "sglang"), "d", 20, 9, 32, .4), "", false, false},
		{"nothing waits", "batch-limit", queued(newScene().process("d", "decode", "sglang"), "d", 32, 0, 32, .4), "", false, false},
		{"no limit is known", "batch-limit", queued(newScene().process("d", "decode", "sglang"), "d", 32, 9, 0, .4), "", false, true},

		{"many long prompts at once", "batch-prefill", prompts(newScene().process("p", "prefill", "sglang", "max_running", "64").of(needRunning, "p", 12), 300, 3000), "--max-running-requests 4", false, false},
		{"at an unknown limit", "batch-prefill", prompts(newScene().process("p", "prefill", "sglang").of(needRunning, "p", 12), 300, 3000), "--max-running-requests 4", true, false},
		{"many short prompts", "batch-prefill", prompts(newScene().process("p", "prefill", "sglang").of(needRunning, "p", 12), 300, 300), "", false, false},
		{"few at once", "batch-prefill", prompts(newScene().process("p", "prefill", "sglang").of(needRunning, "p", 1.5), 300, 3000), "", false, false},
		{"a decode worker", "batch-prefill", prompts(newScene().process("d", "decode", "sglang").of(needRunning, "d", 12), 300, 3000), "", false, false},

		{"prompts beyond the budget", "token-budget-small", newScene().process("p", "prefill", "trtllm", "chunked_prefill_size", "8192", "max_running", "8").histogram("frontend.isl", lengths, at(12, map[int]float64{9: 400})), "--max-num-tokens 31744", false, false},
		{"at an unknown batch", "token-budget-small", newScene().process("p", "prefill", "trtllm", "chunked_prefill_size", "8192").histogram("frontend.isl", lengths, at(12, map[int]float64{9: 400})), "--max-num-tokens 31744", true, false},
		{"some of the bucket fits", "token-budget-small", newScene().process("p", "prefill", "trtllm", "chunked_prefill_size", "16384").histogram("frontend.isl", lengths, at(12, map[int]float64{9: 400})), "", false, false},
		{"few prompts", "token-budget-small", newScene().process("p", "prefill", "trtllm", "chunked_prefill_size", "8192").histogram("frontend.isl", lengths, at(12, map[int]float64{9: 100})), "", false, false},
		{"chunks are off", "token-budget-small", newScene().process("p", "prefill", "sglang", "chunked_prefill_size", "-1").histogram("frontend.isl", lengths, at(12, map[int]float64{9: 400})), "", false, false},
		{"an unknown budget", "token-budget-small", newScene().process("p", "prefill", "sglang").histogram("frontend.isl", lengths, at(12, map[int]float64{9: 400})), "", false, true},

		{"a large budget and no KV", "token-budget-large", full(newScene().disagg("chunked_prefill_size", "32768"), "d", .97, 0), "--chunked-prefill-size 3072", false, false},
		{"a large budget and KV", "token-budget-large", full(newScene().disagg("chunked_prefill_size", "32768"), "d", .5, 0), "", false, false},
		{"a usual budget", "token-budget-large", full(newScene().disagg("chunked_prefill_size", "8192"), "d", .97, 0), "", false, false},
		{"an unknown budget of decode", "token-budget-large", full(newScene().disagg(), "d", .97, 0), "", false, true},

		{"full at a low share", "memory-share-low", full(newScene().process("d", "decode", "sglang", "memory_share", "0.75"), "d", .97, 3), "--mem-fraction-static 0.85", false, false},
		{"full at an unknown share", "memory-share-low", full(newScene().process("d", "decode", "vllm"), "d", .97, 0), "--gpu-memory-utilization 0.85", true, false},
		{"full at a high share", "memory-share-low", full(newScene().process("d", "decode", "sglang", "memory_share", "0.88"), "d", .97, 3), "", false, false},
		{"room at a low share", "memory-share-low", full(newScene().process("d", "decode", "sglang", "memory_share", "0.75"), "d", .6, 0), "", false, false},

		{"a very high share", "memory-share-high", newScene().process("a", "aggregated", "vllm", "memory_share", "0.97"), "--gpu-memory-utilization 0.95", false, false},
		{"a high share", "memory-share-high", newScene().process("a", "aggregated", "vllm", "memory_share", "0.95"), "", false, false},

		{"TP 16 on two nodes", "tp-across-nodes", newScene().process("a", "aggregated", "sglang", "tp", "16", "pp", "1", "nodes", "2"), "--tp-size 8 --pp-size 2", false, false},
		{"TP 8 and PP 2 on two nodes", "tp-across-nodes", newScene().process("a", "aggregated", "sglang", "tp", "8", "pp", "2", "nodes", "2"), "", false, false},
		{"DP attention on two nodes", "tp-across-nodes", newScene().process("a", "aggregated", "sglang", "tp", "16", "pp", "1", "nodes", "2", "dp_attention", "true"), "", false, false},
		{"experts on two nodes", "tp-across-nodes", newScene().process("a", "aggregated", "sglang", "tp", "16", "pp", "1", "nodes", "2", "ep", "16"), "", false, false},
		{"one node", "tp-across-nodes", newScene().process("a", "aggregated", "sglang", "tp", "8", "pp", "1", "nodes", "1"), "", false, false},
		{"unknown nodes", "tp-across-nodes", newScene().process("a", "aggregated", "sglang"), "", false, true},

		{"preempting at TP 1", "tp-for-kv", full(newScene().process("d", "decode", "sglang", "tp", "1"), "d", .97, 9), "--tp-size 2", false, false},
		{"preempting at an unknown TP", "tp-for-kv", full(newScene().process("d", "decode", "sglang"), "d", .97, 9), "twice", true, false},
		{"preempting at TP 4", "tp-for-kv", full(newScene().process("d", "decode", "sglang", "tp", "4"), "d", .97, 9), "", false, false},
		{"full without preempting", "tp-for-kv", full(newScene().process("d", "decode", "sglang", "tp", "1"), "d", .97, 0), "", false, false},

		{"two pools, little to do", "disagg-low-load", low(3, 0), "no --disaggregation-mode", false, false},
		{"two pools, busy", "disagg-low-load", low(20, 0), "", false, false},
		{"two pools, one waits", "disagg-low-load", low(3, 1), "", false, false},

		{"idle prefill, full decode", "prefill-surplus", surplus(0.05, .97), "--disaggregation-mode decode, on one of p and p2", false, false},
		{"busy prefill, full decode", "prefill-surplus", surplus(1.5, .97), "", false, false},
		{"idle prefill, decode with room", "prefill-surplus", surplus(0.05, .5), "", false, false},

		{"short uncached rests", "conditional-disagg", short(1800, .6, "router_mode", "kv", "router_conditional_disagg", "false"), "--router-conditional-disagg", false, false},
		{"of an unknown router", "conditional-disagg", short(1800, .6), "--router-conditional-disagg", true, false},
		{"of a router by turns", "conditional-disagg", short(1800, .6, "router_mode", "round-robin", "router_conditional_disagg", "false"), "--router-mode kv", false, false},
		{"it is on", "conditional-disagg", short(1800, .6, "router_mode", "kv", "router_conditional_disagg", "true"), "", false, false},
		{"long uncached rests", "conditional-disagg", short(18000, .6), "", false, false},
		{"little is cached", "conditional-disagg", short(1800, .1), "", false, false},

		{"held at the router", "router-queue-threshold", front(held(12, 9), "router_queue_threshold", "0.5"), "--router-queue-threshold 16", false, false},
		{"held at an unknown threshold", "router-queue-threshold", held(12, 9), "--router-queue-threshold 16", true, false},
		{"held, and engines are busy", "router-queue-threshold", front(held(12, 50), "router_queue_threshold", "0.5"), "", false, false},
		{"not held", "router-queue-threshold", front(held(0, 9), "router_queue_threshold", "0.5"), "", false, false},
		{"a high threshold", "router-queue-threshold", front(held(12, 9), "router_queue_threshold", "16"), "", false, false},

		{"against the overlap at even load", "router-overlap-low", front(pair(newScene(), 1000, 450, 10, 0, 11, 0), "router_overlap_credit", "0.5"), "--router-kv-overlap-score-credit 1.0", false, false},
		{"with full credit", "router-overlap-low", front(pair(newScene(), 1000, 450, 10, 0, 11, 0), "router_overlap_credit", "1.0", "router_prefill_scale", "1.0"), "--router-prefill-load-scale 2", false, false},
		{"with unknown credit", "router-overlap-low", front(pair(newScene(), 1000, 450, 10, 0, 11, 0)), "--router-kv-overlap-score-credit 1.0", true, false},
		{"against the overlap at uneven load", "router-overlap-low", front(pair(newScene(), 1000, 450, 30, 0, 3, 0)), "", false, false},
		{"seldom against the overlap", "router-overlap-low", front(pair(newScene(), 1000, 50, 10, 0, 11, 0)), "", false, false},
		{"few choices", "router-overlap-low", front(pair(newScene(), 50, 45, 10, 0, 11, 0)), "", false, false},

		{"always with the overlap, into a queue", "router-overlap-high", front(pair(newScene(), 1000, 5, 60, 30, 4, 0).process("c", "aggregated", "sglang").of(needRunning, "c", 4).of(needWaiting, "c", 0), "router_prefill_scale", "1.0"), "--router-prefill-load-scale 0.5", false, false},
		{"by an unknown scale", "router-overlap-high", front(pair(newScene(), 1000, 5, 60, 30, 4, 0).process("c", "aggregated", "sglang").of(needRunning, "c", 4).of(needWaiting, "c", 0)), "0.5", true, false},
		{"all have queues", "router-overlap-high", front(pair(newScene(), 1000, 5, 60, 60, 10, 1)), "", false, false},
		{"an even load", "router-overlap-high", front(pair(newScene(), 1000, 5, 20, 3, 20, 0)), "", false, false},
		{"often against the overlap", "router-overlap-high", front(pair(newScene(), 1000, 200, 60, 30, 4, 0)), "", false, false},

		{"drawn at random", "router-temperature", front(pair(newScene(), 1000, 200, 10, 0, 30, 0), "router_temperature", "0.5"), "--router-temperature 0", false, false},
		{"not drawn", "router-temperature", front(pair(newScene(), 1000, 200, 10, 0, 30, 0), "router_temperature", "0.0"), "", false, false},
		{"unknown whether drawn", "router-temperature", front(pair(newScene(), 1000, 200, 10, 0, 30, 0)), "", false, true},

		{"no events", "kv-events-missing", front(events(900, sources.StatusIdle), "router_kv_events", "true"), "--kv-events-config", true, false},
		{"no events, and it publishes", "kv-events-missing", front(newScene().process("a", "aggregated", "sglang", "kv_events", "{}").value(needRouted, 900).value(needEvents, 0), "router_kv_events", "true"), "the event plane", false, false},
		{"events come", "kv-events-missing", front(newScene().process("a", "aggregated", "sglang").value(needRouted, 900).value(needEvents, 4000)), "", false, false},
		{"it goes without", "kv-events-missing", front(events(900, sources.StatusIdle), "router_kv_events", "false"), "", false, false},
		{"no KV router", "kv-events-missing", front(events(0, sources.StatusAbsent)), "", false, false},

		{"a late frontend", "stream-interval", late(.012, 9000).process("a", "aggregated", "sglang", "stream_interval", "1"), "--stream-interval 20", false, false},
		{"a late frontend, unknown chunks", "stream-interval", late(.012, 9000).process("a", "aggregated", "sglang"), "--stream-interval 20", true, false},
		{"chunks of twenty", "stream-interval", late(.012, 9000).process("a", "aggregated", "sglang", "stream_interval", "20"), "", false, false},
		{"a frontend in time", "stream-interval", late(.001, 9000).process("a", "aggregated", "sglang", "stream_interval", "1"), "", false, false},
		{"late for another reason", "stream-interval", late(.012, 20).process("a", "aggregated", "sglang", "stream_interval", "1"), "", false, false},

		{"all in one bucket", "buckets-crowded", newScene().histogram("frontend.ttft", ttftEdges, at(18, map[int]float64{8: 950, 9: 50})), "DYN_METRICS_TTFT_MIN=", false, false},
		{"all in one bucket of SGLang", "buckets-crowded", newScene().process("a", "aggregated", "sglang").histogram("engine.itl", []float64{.002, .02, .2}, at(3, map[int]float64{1: 950, 2: 50})), "--bucket-inter-token-latency 0.002 0.0027 ", false, false},
		{"spread over three buckets", "buckets-crowded", newScene().histogram("frontend.ttft", ttftEdges, at(18, map[int]float64{7: 300, 8: 400, 9: 300})), "", false, false},
		{"all in a narrow bucket", "buckets-crowded", newScene().process("a", "aggregated", "sglang").histogram("engine.itl", []float64{.01, .015, .02}, at(3, map[int]float64{1: 950, 2: 50})), "", false, false},
		{"few in one bucket", "buckets-crowded", newScene().histogram("frontend.ttft", ttftEdges, at(18, map[int]float64{8: 50})), "", false, false},
		{"another engine among them", "buckets-crowded", newScene().process("a", "aggregated", "sglang").process("b", "aggregated", "vllm").histogram("engine.itl", []float64{.002, .02, .2}, at(3, map[int]float64{1: 950})), "", false, false},

		{"the SLA in a bucket", "buckets-sla", newScene().histogram("frontend.ttft", ttftEdges, at(18, map[int]float64{7: 300, 8: 400, 9: 300})), "DYN_METRICS_TTFT_MIN=", false, false},
		{"the SLA in a bucket of SGLang", "buckets-sla", newScene().process("a", "aggregated", "sglang").histogram("engine.ttft", []float64{.1, .2, .4, .6, .8}, at(5, map[int]float64{1: 300, 2: 400, 3: 300})), "--bucket-time-to-first-token 0.1 0.2 0.4 0.5 0.6 0.8", false, false},
		{"the SLA on an edge", "buckets-sla", newScene().histogram("frontend.ttft", []float64{0, .1, .25, .5, 1}, at(5, map[int]float64{2: 300, 3: 400, 4: 300})), "", false, false},
		{"all far below the SLA", "buckets-sla", newScene().histogram("frontend.ttft", ttftEdges, at(18, map[int]float64{5: 300, 6: 400, 7: 300})), "", false, false},
	}
}

func TestRules(t *testing.T) {
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, c := range trials() {
		t.Run(c.code+"/"+c.name, func(t *testing.T) {
			r := c.on.judge()
			i := slices.IndexFunc(r.Advice, func(a Advice) bool { return a.Code == c.code })
			blind := slices.ContainsFunc(r.Unknown, func(u Unknown) bool { return u.Code == c.code })
			if blind != c.blind {
				t.Errorf("not judged: %v, want %v; %+v", blind, c.blind, r.Unknown)
			}
			if c.flag == "" {
				quiet[c.code] = true
				if i >= 0 {
					t.Errorf("advised: %+v", r.Advice[i])
				}
				return
			}
			fires[c.code] = true
			if i < 0 {
				t.Fatalf("not advised; %+v", r)
			}
			a := r.Advice[i]
			if !strings.Contains(a.Flag, c.flag) {
				t.Errorf("flag %q, want %q", a.Flag, c.flag)
			}
			if (len(a.Unknown) > 0) != c.unknown {
				t.Errorf("unknown %q", a.Unknown)
			}
			if a.Title == "" || a.Observation == "" || a.Effect == "" || a.Cost == "" || a.Culprit.Name == "" {
				t.Errorf("something is missing in %+v", a)
			}
			if !strings.ContainsAny(a.Observation, "0123456789") {
				t.Errorf("an observation without a number: %s", a.Observation)
			}
		})
	}
	for _, r := range All() {
		if !fires[r.Code] || !quiet[r.Code] {
			t.Errorf("%s: one scene in which it is given (%v) and one in which it is not (%v) are wanted", r.Code, fires[r.Code], quiet[r.Code])
		}
	}
}

// A deployment of which nothing is known yet gets no advice.
func TestNothingIsAdvisedOfNothing(t *testing.T) {
	if r := newScene().judge(); len(r.Advice)+len(r.Unknown) > 0 {
		t.Errorf("%+v", r)
	}
}

// Rules are data that hangs together: keys and forms the catalogue has, settings
// that the table of flags has, codes once.
func TestRulesAreData(t *testing.T) {
	codes, settings := map[string]bool{}, map[string]bool{}
	for _, s := range engine.Settings() {
		settings[s.Name] = true
	}
	for _, r := range All() {
		if codes[r.Code] || r.Code == "" || r.Title == "" || r.Help == "" || r.Judge == nil {
			t.Errorf("%+v", r)
		}
		codes[r.Code] = true
		for _, s := range r.Settings {
			if !settings[s] {
				t.Errorf("%s reads the setting %s, which no engine has", r.Code, s)
			}
		}
		for _, n := range r.Needs {
			if _, err := catalog.Default().Query(n, Look, catalog.Scope{}); err != nil {
				t.Errorf("%s: %v", r.Code, err)
			}
		}
	}
	// What a rule reads it also declares.
	for _, r := range All() {
		for _, c := range trials() {
			if c.code != r.Code || c.flag == "" {
				continue
			}
			declared := map[sources.Need]*sources.Figure{}
			for _, n := range r.Needs {
				if f := c.on.figures[n]; f != nil {
					declared[n] = f
				}
			}
			c.on.figures = declared
			if got := c.on.judge(); !slices.ContainsFunc(got.Advice, func(a Advice) bool { return a.Code == r.Code }) {
				t.Errorf("%s: %s is not advised by what the rule declares", r.Code, c.name)
			}
		}
	}
}

func TestTogether(t *testing.T) {
	s := transfers(newScene().disagg("page_size", "16").process("d2", "decode", "sglang", "page_size", "32"), 400)
	r := s.judge()
	if len(r.Advice) != 2 || len(r.Advice[0].Also) != 1 || len(r.Advice[1].Also) != 0 || r.Advice[1].Culprit.Name != "d2" {
		t.Errorf("%+v", r.Advice)
	}
}
