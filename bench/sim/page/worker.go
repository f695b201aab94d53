package page

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// WorkerOptions says which process a worker page is of.
type WorkerOptions struct {
	ID uint64 // the instance, shown in hexadecimal
	// Namespace is dynamo_namespace, default "dynamo"; Component backend
	// (default) or prefill.
	Namespace, Component string
	Model                string
	Engine               string // sglang, vllm or trtllm
	DPRanks              int    // default 1
	// Plain is an engine's own server without Dynamo: no dynamo_* families,
	// but those of the engine's HTTP server. It implies Full.
	Plain bool
	// Full is a real engine with all its families, else the mocker's few.
	Full bool
	// Role is what the engine says it is: unified (default), prefill, decode.
	// A mocker's prefill worker has no engine families; a decode worker sends
	// no KV events and answers no queries for them.
	Role string
	// EngineLabels puts Dynamo's labels on the engine's families. The
	// references say that Dynamo adds them; recorded pages have none.
	EngineLabels bool
	// Features of a real engine, on top of what is always there: hicache,
	// storage, lora, sessions, mfu, dp_attention, device_timer,
	// prefill_delayer, routing_keys, spec, embedding_cache.
	Features []string
	// PID of the scheduler, shown by the families that forgot to merge the
	// processes; CacheType and StorageBackend of the HiCache families.
	PID                       int
	CacheType, StorageBackend string
}

// WorkerPage is the page of one worker process: Dynamo's runtime and the
// engine behind it.
type WorkerPage struct {
	Page
	workerHandles

	opts    WorkerOptions
	src     source
	engines []Engine
	sglang  []*SGLangRank
	extra   []*EngineExtra
	queries []string // endpoints of the router's KV queries, by rank
}

type workerHandles struct {
	Requests      *Counter   `family:"dynamo_component_requests_total"` // endpoint; receipts
	Inflight      *Gauge     `family:"dynamo_component_inflight_requests"`
	Duration      *Histogram `family:"dynamo_component_request_duration_seconds"`
	BytesIn       *Counter   `family:"dynamo_component_request_bytes_total"`
	BytesOut      *Counter   `family:"dynamo_component_response_bytes_total"`
	Cancellations *Counter   `family:"dynamo_component_cancellation_total"`
	Errors        *Counter   `family:"dynamo_component_errors_total"` // endpoint, error type
	Uptime        *Gauge     `family:"dynamo_component_uptime_seconds|dynamo_component_system_uptime_seconds"`

	NetworkTransit *Histogram `family:"dynamo_work_handler_network_transit_seconds"`
	FirstResponse  *Histogram `family:"dynamo_work_handler_time_to_first_response_seconds"` // until accepted, not the first token
	PermitWait     *Histogram `family:"dynamo_work_handler_permit_wait_seconds"`
	PoolActive     *Gauge     `family:"dynamo_work_handler_pool_active_tasks"`
	PoolCapacity   *Gauge     `family:"dynamo_work_handler_pool_capacity"`
	QueueDepth     *Gauge     `family:"dynamo_work_handler_queue_depth"`
	QueueCapacity  *Gauge     `family:"dynamo_work_handler_queue_capacity"`
	EnqueueRefused *Counter   `family:"dynamo_work_handler_enqueue_rejected_total"`

	// Admission before the engine (--engine-request-limit).
	Engaged          *Gauge   `family:"dynamo_engine_request|dynamo_engine_request_count|dynamo_backend_admission_engine_request_count"`
	Held             *Gauge   `family:"dynamo_request_queue|dynamo_request_queue_count|dynamo_backend_admission_request_queue_count"`
	EngineWait       *Gauge   `family:"dynamo_backend_admission_engine_wait_count"`
	Refusals         *Counter `family:"dynamo_rejection_request_total|dynamo_backend_admission_rejection_total"`
	Received         *Counter `family:"dynamo_backend_admission_request_receive_total"`
	AdmittedBy       *Counter `family:"dynamo_backend_admission_request_admit_total"` // direct|queue
	AdmissionCancels *Counter `family:"dynamo_backend_admission_cancellation_total"`

	KVDropped    *Counter `family:"dynamo_component_kv_publisher_engines_dropped_events_total"`
	KVEvents     *Counter `family:"dynamo_component_kv_publisher_zmq_events_total"`          // stage, event type
	KVFiltered   *Counter `family:"dynamo_component_kv_publisher_zmq_filtered_events_total"` // event type, reason
	KVIssues     *Counter `family:"dynamo_component_kv_publisher_zmq_conversion_issues_total"`
	KVSuspicious *Counter `family:"dynamo_component_kv_publisher_zmq_suspicious_events_total"`

	TotalBlocks    *Gauge `family:"dynamo_component_total_blocks"`            // rank
	CacheUsage     *Gauge `family:"dynamo_component_gpu_cache_usage_percent"` // rank; a fraction
	OldTotalBlocks *Gauge `family:"dynamo_component_kvstats_total_blocks"`
	OldActive      *Gauge `family:"dynamo_component_kvstats_active_blocks"`
	OldCacheUsage  *Gauge `family:"dynamo_component_kvstats_gpu_cache_usage_percent"`
	OldHitRate     *Gauge `family:"dynamo_component_kvstats_gpu_prefix_cache_hit_rate"`
	ModelLoad      *Gauge `family:"dynamo_component_model_load_time_seconds"`

	EmbeddingHits      *Counter `family:"dynamo_component_embedding_cache_hits_total"`
	EmbeddingMisses    *Counter `family:"dynamo_component_embedding_cache_misses_total"`
	EmbeddingEvictions *Counter `family:"dynamo_component_embedding_cache_evictions_total"`
	EmbeddingUsage     *Gauge   `family:"dynamo_component_embedding_cache_utilization"`
	EmbeddingBytes     *Gauge   `family:"dynamo_component_embedding_cache_current_bytes"`
	EmbeddingEntries   *Gauge   `family:"dynamo_component_embedding_cache_entries"`
}

// generate is the endpoint of inference; the others are the router's chatter.
const generate = "generate"

// Worker makes the page of a worker that has just started.
func Worker(gen Gen, o WorkerOptions) *WorkerPage {
	o.Namespace, o.Component, o.Role = or(o.Namespace, "dynamo"), or(o.Component, "backend"), or(o.Role, "unified")
	o.CacheType, o.StorageBackend = or(o.CacheType, "RadixCache"), or(o.StorageBackend, "file")
	o.DPRanks = max(o.DPRanks, 1)
	o.Full = o.Full || o.Plain
	w := &WorkerPage{opts: o}
	if !o.Plain {
		w.addRuntime(gen)
	}
	for rank := range o.DPRanks {
		w.addEngine(gen, rank)
	}
	return w
}

func (w *WorkerPage) addRuntime(gen Gen) {
	o := w.opts
	w.src = source{
		page: &w.Page, table: "worker", gen: gen, style: rust, features: o.Features,
		fixed: map[string]string{
			"dynamo_namespace": o.Namespace, "dynamo_component": o.Component, "worker_id": Hex(o.ID),
		},
	}
	if o.Full {
		// Registration gives every family of a real backend its model.
		w.src.features = append([]string{"real"}, o.Features...)
		w.src.fixed["model"] = o.Model
	}
	w.src.declare()
	w.src.bind(&w.workerHandles)
	w.endpoint(generate)
	if o.Role == "decode" {
		return
	}
	w.src.happen("publisher", nil)
	for rank := range o.DPRanks {
		w.queries = append(w.queries, QueryEndpoint(o.ID, rank))
		w.endpoint(w.queries[rank])
	}
}

func (w *WorkerPage) endpoint(name string) {
	w.src.happen("endpoint", map[string]string{"endpoint": name})
}

// QueryEndpoint is the name of the endpoint where a router asks a worker's DP
// rank for its KV events.
func QueryEndpoint(id uint64, rank int) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%x/%d", id, rank)
	return "worker_kv_query_source_" + strconv.FormatUint(h.Sum64()>>11, 16)
}

// RequestReceived counts a request in: its bytes, and the seconds that it was
// on the network.
func (w *WorkerPage) RequestReceived(bytes int, transit float64) {
	w.Requests.Inc(generate)
	w.Inflight.Add(1, generate)
	w.BytesIn.Add(float64(bytes), generate)
	w.NetworkTransit.Observe(transit)
	w.PoolActive.Add(1)
}

// RequestAccepted records the seconds from receipt until the answer's stream
// was opened: not the first token.
func (w *WorkerPage) RequestAccepted(seconds float64) { w.FirstResponse.Observe(seconds) }

// RequestDone counts a request out: the bytes of its answer and its seconds in
// the handler.
func (w *WorkerPage) RequestDone(bytes int, seconds float64) {
	w.Inflight.Add(-1, generate)
	w.BytesOut.Add(float64(bytes), generate)
	w.Duration.Observe(seconds, generate)
	w.PoolActive.Add(-1)
}

// RequestCancelled counts a cancellation; RequestFailed an error of a type
// like generate or publish_response.
func (w *WorkerPage) RequestCancelled() { w.Cancellations.Inc(generate) }

// RequestFailed counts an error by type: deserialization, generate, …
func (w *WorkerPage) RequestFailed(errorType string) { w.Errors.Inc(generate, errorType) }

// KVQuery records a router's query for a rank's KV events: it counts like a
// request on an endpoint of its own and in the work handler.
func (w *WorkerPage) KVQuery(rank int, in, out int, seconds, transit float64) {
	if len(w.queries) == 0 {
		return
	}
	endpoint := w.queries[rank]
	w.Requests.Inc(endpoint)
	w.BytesIn.Add(float64(in), endpoint)
	w.BytesOut.Add(float64(out), endpoint)
	w.Duration.Observe(seconds, endpoint)
	w.NetworkTransit.Observe(transit)
	w.FirstResponse.Observe(seconds)
}

// KVUsage shows a rank's pool as Dynamo republishes it: blocks and the used
// fraction. A mocker does not.
func (w *WorkerPage) KVUsage(rank int, total, used int) {
	w.TotalBlocks.Set(float64(total), strconv.Itoa(rank))
	w.CacheUsage.Set(share(used, total), strconv.Itoa(rank))
	w.OldTotalBlocks.Set(float64(total))
	w.OldActive.Set(float64(used))
	w.OldCacheUsage.Set(share(used, total))
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// addEngine puts one rank's engine families on the page.
func (w *WorkerPage) addEngine(gen Gen, rank int) {
	o := w.opts
	s := source{page: &w.Page, gen: gen, style: python, features: o.Features, fixed: map[string]string{"model_name": o.Model}}
	if o.EngineLabels && !o.Plain {
		s.fixed["dynamo_namespace"], s.fixed["dynamo_component"], s.fixed["worker_id"] = o.Namespace, o.Component, Hex(o.ID)
	}
	if o.Plain {
		s.features = append([]string{"http"}, o.Features...)
	}
	var e Engine = silent{}
	sg, extra := &SGLangRank{}, &EngineExtra{}
	switch {
	case !o.Full && o.Role == "prefill":
		// A mocker's prefill worker exports nothing of its engine.
	case o.Engine == "sglang" && o.Full:
		if gen == Gen09 && !o.Plain {
			s.rename = func(name string) string { return strings.Replace(name, "sglang:", "sglang_", 1) }
		}
		e = newSGLang(s, o, rank, sg, extra)
	case o.Engine == "sglang":
		e = newMocker(s, "sglang_mocker", map[string]string{
			"engine_type": "sglang", "tp_rank": "0", "pp_rank": "0", "moe_ep_rank": "0",
		})
	case o.Engine == "vllm" && o.Full:
		e = newVLLM(s, rank, extra)
	case o.Engine == "vllm":
		e = newMocker(s, "vllm_mocker", map[string]string{"engine": strconv.Itoa(rank)})
	case o.Engine == "trtllm":
		e = newTRTLLM(s, extra)
	default:
		panic(fmt.Sprintf("page: unknown engine %q, known are sglang, vllm and trtllm", o.Engine))
	}
	w.engines, w.sglang, w.extra = append(w.engines, e), append(w.sglang, sg), append(w.extra, extra)
}

// Engine is a rank's engine, whatever it is.
func (w *WorkerPage) Engine(rank int) Engine { return w.engines[rank] }

// SGLang holds what only a real SGLang exports of a rank; every other engine's
// swallows what it is told.
func (w *WorkerPage) SGLang(rank int) *SGLangRank { return w.sglang[rank] }

// Extra holds families of real engines that few simulations fill.
func (w *WorkerPage) Extra(rank int) *EngineExtra { return w.extra[rank] }
