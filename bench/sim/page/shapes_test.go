package page

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// pageLike makes the page of the process that a recording is of: same
// generation, same identities.
func pageLike(t *testing.T, r recording, recorded []*seen) *Page {
	t.Helper()
	value := func(family, label string) string {
		for _, f := range recorded {
			if f.name == family && len(f.series) > 0 {
				return f.series[0].labels[label]
			}
		}
		return ""
	}
	hex := func(s string) uint64 {
		id, err := strconv.ParseUint(s, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if strings.HasPrefix(r.file, "frontend") {
		router, _ := strconv.ParseUint(value("dynamo_router_overhead_total_ms", "router_id"), 10, 64)
		return &Frontend(r.gen(), FrontendOptions{
			WorkerID: hex(value("dynamo_component_uptime_seconds", "worker_id")), RouterID: router,
			KVRouter: true, EventLoop: true, Tokio: true,
		}).Page
	}
	o := WorkerOptions{
		ID:        hex(value("dynamo_component_uptime_seconds", "worker_id")),
		Component: value("dynamo_component_kv_publisher_engines_dropped_events_total", "dynamo_component"),
		Model:     "tiny", Engine: "sglang", DPRanks: 2,
	}
	if o.Component == "prefill" {
		o.Role = "prefill"
	}
	if strings.HasPrefix(r.shape, "vllm") {
		o.Engine = "vllm"
	}
	return &Worker(r.gen(), o).Page
}

var sglangFeatures = []string{
	"hicache", "storage", "lora", "sessions", "mfu", "dp_attention", "device_timer", "prefill_delayer", "routing_keys",
}

// fullSGLang is a real SGLang worker as the collectors were recorded: plain or
// behind Dynamo, one rank.
func fullSGLang(gen Gen, plain bool) *WorkerPage {
	w := Worker(gen, WorkerOptions{
		Model: "m", Engine: "sglang", Full: true, Plain: plain, Features: sglangFeatures, Role: "unified",
	})
	return w
}

// exercise uses every handle of a struct once, nested ones included, with "x"
// for each label, and says how many there were.
func exercise(handles any) (n int) {
	v := reflect.ValueOf(handles).Elem()
	for i := range v.NumField() {
		field := v.Field(i)
		if !field.CanInterface() && v.Type().Field(i).Anonymous {
			// An embedded struct of handles: its fields are promoted.
			n += exercise(reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Interface())
			continue
		}
		if !field.CanInterface() {
			continue
		}
		switch h := field.Interface().(type) {
		case *Counter:
			if h != nil {
				h.Inc(xs(h.v)...)
				n++
			}
		case *Gauge:
			if h != nil {
				h.Set(1, xs(h.v)...)
				n++
			}
		case *Histogram:
			if h != nil {
				h.Observe(0.05, xs(h.v)...)
				n++
			}
		default:
			if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[Page]() {
				n += exercise(field.Addr().Interface())
			}
		}
	}
	return n
}

func xs(v *vec) []string {
	out := make([]string, len(v.vars))
	for i := range out {
		out[i] = "x"
	}
	return out
}

// useFrontend, useWorker fill a page so that every family has a series.
func useFrontend(f *FrontendPage) *Page {
	f.ModelAdded("m", Card{})
	f.PoolAdded("m", "decode")
	f.IndexAdded("m", "decode", "backend")
	f.WorkerJoined(1<<63+1, 2, "decode", "backend", true)
	f.RequestStarted("m", "chat_completions", "stream")
	exercise(f)
	return &f.Page
}

func useWorker(w *WorkerPage) *Page {
	exercise(w)
	for rank := range w.engines {
		useEngine(w.Engine(rank))
		exercise(w.SGLang(rank))
		exercise(w.Extra(rank))
	}
	return &w.Page
}

func useEngine(e Engine) {
	e.Started(Limits{KVTokens: 4096, PageSize: 16, Startup: []Startup{{"load_weight", 1}, {"kv_cache_allocation", 2}, {"scheduler_e2e", 3}}})
	e.Queued(0.1)
	e.Report(Load{Running: 1, KVTokens: 4096, KVUsed: 256})
	e.Prefilled(10, 20, 30, 40)
	e.Decoded(1)
	e.Pass(true, false)
	e.Pass(false, true)
	e.TTFT(0.1, true)
	e.ITL(0.01, 39)
	e.Retracted(1, 256, 3)
	e.Transferred(Transfer{1, 1, 10, 64})
	e.Finished(Finished{ISL: 256, OSL: 40, Device: 16, Host: 16, Storage: 16, E2E: 1, Streaming: true})
	e.Aborted()
}

func useDCGM(d *DCGMPage) *Page {
	exercise(d.Add(Device{Index: 0, UUID: "GPU-0", Model: "NVIDIA H200", PCI: "00000000:01:00.0"}))
	return &d.Page
}

// startedFrontend does what happens before the first request: workers join,
// the model gets its card, the router asks each rank for its KV events.
func startedFrontend(t *testing.T, r recording, rec []*seen) *FrontendPage {
	t.Helper()
	router := uint64(0)
	workers := map[uint64]map[string]string{} // labels of a registered rank
	ranks := map[uint64]int{}
	for _, f := range rec {
		for _, s := range f.series {
			switch f.name {
			case "dynamo_router_overhead_total_ms":
				router, _ = strconv.ParseUint(s.labels["router_id"], 10, 64)
			case "dynamo_component_router_worker_registered":
				id, _ := strconv.ParseUint(s.labels["router_worker_id"], 10, 64)
				workers[id] = s.labels
				ranks[id]++
			}
		}
	}
	self := uint64(0)
	for _, f := range rec {
		if f.name == "dynamo_component_uptime_seconds" {
			self, _ = strconv.ParseUint(f.series[0].labels["worker_id"], 16, 64)
		}
	}
	f := Frontend(r.gen(), FrontendOptions{WorkerID: self, RouterID: router, KVRouter: true, EventLoop: true, Tokio: true})
	f.ModelAdded("tiny", Card{KVBlocks: 4096, BlockSize: 16, MaxSeqs: 8, MaxBatchedTokens: 8192})
	f.PoolAdded("tiny", "decode")
	component, indexed := "backend", "decode"
	if strings.HasPrefix(r.shape, "disagg") {
		f.PoolAdded("tiny", "prefill")
		component, indexed = "prefill", "prefill"
	}
	f.IndexAdded("tiny", indexed, component)
	for id, labels := range workers {
		f.WorkerJoined(id, ranks[id], labels["worker_type"], component, labels["worker_type"] == indexed)
		f.Roundtrip(0.00001, 0.0001, 0.001)
	}
	if r.gen() == Gen14 {
		// The recording of 1.6 came before the runtime's first sample.
		for _, w := range []string{"0", "1"} {
			f.Tokio.Busy.Set(10, w)
			f.Tokio.LocalQueue.Set(0, w)
			f.Tokio.MeanPollNs.Set(10000, w)
			f.Tokio.Parks.Inc(w)
			f.Tokio.Steals.Inc(w)
			f.Tokio.Overflows.Add(0, w)
		}
	}
	return f
}

func startedWorker(t *testing.T, r recording, rec []*seen) *WorkerPage {
	t.Helper()
	ranks := 0
	var id uint64
	component := "backend"
	for _, f := range rec {
		if f.name == "dynamo_component_uptime_seconds" {
			id, _ = strconv.ParseUint(f.series[0].labels["worker_id"], 16, 64)
		}
		if f.name != "dynamo_component_requests_total" {
			continue
		}
		for _, s := range f.series {
			component = s.labels["dynamo_component"]
			if s.labels["dynamo_endpoint"] != generate {
				ranks++
			}
		}
	}
	o := WorkerOptions{ID: id, Component: component, Model: "tiny", Engine: "sglang", DPRanks: max(ranks, 1)}
	switch {
	case ranks == 0:
		o.Role = "decode"
	case component == "prefill":
		o.Role = component
	}
	if strings.HasPrefix(r.shape, "vllm") {
		o.Engine = "vllm"
	}
	w := Worker(r.gen(), o)
	for rank := range ranks {
		w.KVQuery(rank, 472, 89, 0.001, 0.0002)
	}
	return w
}

// serveFrontend lets one request through each worker, or through the pair.
func serveFrontend(f *FrontendPage, r recording) {
	const m = "tiny"
	phases := []string{"aggregated"}
	if strings.HasPrefix(r.shape, "disagg") {
		phases = []string{"prefill", "decode"}
	}
	f.RequestStarted(m, "chat_completions", "stream")
	f.Media(m, 0, 0, 0)
	f.StageRequests.Set(0, "preprocess", "")
	f.StageDuration("preprocess", 0.003)
	f.TokenizerMs.Observe(3, "tokenize")
	for _, phase := range phases {
		workerType := "decode"
		if phase == "prefill" {
			workerType = phase
		}
		f.StageRequests.Set(0, "route", phase)
		f.StageDuration("route", 0.000003)
		f.Routed(Decision{Model: m, Phase: phase, WorkerType: workerType, ISL: 256, Schedule: 0.1})
		f.StageRequests.Set(0, "dispatch", phase)
		f.Roundtrip(0.00003, 0.004, 0.05)
		for _, s := range f.Router.Registered.v.fam.series {
			id, _ := strconv.ParseUint(s.values[0], 10, 64)
			rank, _ := strconv.Atoi(s.values[1])
			if s.values[2] != workerType {
				continue
			}
			f.WorkerActive(id, rank, workerType, 0, 0)
			if phase != "decode" {
				f.WorkerLast(id, rank, workerType, 0.05, 256)
			}
			if phase != "prefill" {
				f.WorkerLastITL(id, rank, workerType, 0.008)
			}
		}
	}
	f.FirstToken(m, 0.06, 256)
	f.ITL.ObserveN(0.008, 39, m)
	f.OSL.Observe(40, m)
	if r.gen() == Gen16 {
		f.TokenizerMs.Observe(0.1, "detokenize") // 1.4 never does
		for _, w := range []string{"0", "1"} {
			f.Tokio.Busy.Set(10, w)
			f.Tokio.LocalQueue.Set(0, w)
			f.Tokio.MeanPollNs.Set(10000, w)
			f.Tokio.Parks.Inc(w)
			f.Tokio.Steals.Inc(w)
			f.Tokio.Overflows.Add(0, w)
		}
	}
	f.RequestDone(m, "chat_completions", "stream", "success", "", 0.35, true)
}

func serveWorker(w *WorkerPage) {
	w.RequestReceived(1700, 0.0002)
	w.RequestAccepted(0.01)
	for _, e := range w.engines {
		e.Queued(0.001)
		e.TTFT(0.05, true)
		e.ITL(0.008, 39)
		e.Finished(Finished{ISL: 256, OSL: 40, E2E: 0.35, Streaming: true})
		e.Report(Load{})
	}
	w.RequestDone(11000, 0.35)
}
