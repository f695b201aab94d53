package page

import (
	"strconv"
	"strings"
)

// FrontendOptions says which process a frontend page is of.
type FrontendOptions struct {
	// Prefix replaces dynamo_frontend in the names (--metrics-prefix).
	Prefix string
	// Namespace is dynamo_namespace, default "dynamo"; Component the worker
	// component that the router serves, default "backend".
	Namespace, Component string
	// WorkerID is the frontend's own instance, shown in hexadecimal on its
	// dynamo_component_* families; RouterID the router's, shown in decimal.
	WorkerID, RouterID uint64
	// KVRouter adds what only --router-mode kv exports. Without it the
	// request families of the router are there at zero.
	KVRouter bool
	// EventLoop and Tokio add the families of the runtime's own health.
	EventLoop, Tokio bool
	// RemoteIndexer adds the failures of a remote KV index, NATS those of the
	// NATS transport.
	RemoteIndexer, NATS bool
	// Edges are finite bucket edges, ascending, of histograms whose edges
	// DYN_METRICS_<X>_{MIN,MAX,COUNT} set; nil keeps the release's own.
	Edges Edges
}

// Edges are those that Dynamo lets an operator set.
type Edges struct{ TTFT, ITL, Duration, ISL, OSL []float64 }

func (e Edges) byFamily() map[string][]float64 {
	out := map[string][]float64{}
	for name, edges := range map[string][]float64{
		"time_to_first_token_seconds": e.TTFT, "inter_token_latency_seconds": e.ITL, "request_duration_seconds": e.Duration,
		"input_sequence_tokens": e.ISL, "output_sequence_tokens": e.OSL,
	} {
		if edges != nil {
			out["dynamo_frontend_"+name] = edges
		}
	}
	return out
}

// FrontendPage is the page of a dynamo.frontend, its router included. Label
// values of a record come in the order that the field's comment says; seconds
// and milliseconds as the field says.
type FrontendPage struct {
	Page
	frontendHandles
	Router RouterHandles
	Tokio  TokioHandles

	src       source
	namespace string
}

type frontendHandles struct {
	Started  *Counter `family:"dynamo_frontend_requests_started_total"` // model, endpoint, request type
	Finished *Counter `family:"dynamo_frontend_requests_total"`         // model, endpoint, request type, status, error type
	Active   *Gauge   `family:"dynamo_frontend_active_requests"`        // model
	Inflight *Gauge   `family:"dynamo_frontend_inflight_requests"`      // model
	Queued   *Gauge   `family:"dynamo_frontend_queued_requests"`        // model; until the first token

	Duration *Histogram `family:"dynamo_frontend_request_duration_seconds"`    // seconds; model
	TTFT     *Histogram `family:"dynamo_frontend_time_to_first_token_seconds"` // seconds; model
	ITL      *Histogram `family:"dynamo_frontend_inter_token_latency_seconds"` // seconds; model
	ISL      *Histogram `family:"dynamo_frontend_input_sequence_tokens"`       // tokens; model
	OSL      *Histogram `family:"dynamo_frontend_output_sequence_tokens"`      // tokens; model
	Cached   *Histogram `family:"dynamo_frontend_cached_tokens|dynamo_frontend_cached_sequence_length"`
	Output   *Counter   `family:"dynamo_frontend_output_tokens_total"` // tokens; model

	StageRequests *Gauge     `family:"dynamo_frontend_stage_requests"`         // stage, phase
	StageSeconds  *Histogram `family:"dynamo_frontend_stage_duration_seconds"` // seconds; stage

	Tokenize      *Histogram `family:"dynamo_frontend_tokenize_seconds"`
	Template      *Histogram `family:"dynamo_frontend_template_seconds"`
	TokenizerMs   *Histogram `family:"dynamo_frontend_tokenizer_latency_ms"` // milliseconds; operation
	DetokenizeUs  *Counter   `family:"dynamo_frontend_detokenize_total_us"`
	Detokenized   *Counter   `family:"dynamo_frontend_detokenize_token_count"`
	CacheHits     *Counter   `family:"dynamo_frontend_tokenizer_cache_hits_total"`
	CacheMisses   *Counter   `family:"dynamo_frontend_tokenizer_cache_misses_total"`
	CacheCached   *Counter   `family:"dynamo_frontend_tokenizer_cache_cached_tokens_total"`   // tokens; model
	CacheUncached *Counter   `family:"dynamo_frontend_tokenizer_cache_uncached_tokens_total"` // tokens; model

	Images           *Histogram `family:"dynamo_frontend_images_per_request"`       // model
	Videos           *Histogram `family:"dynamo_frontend_videos_per_request"`       // model
	Audio            *Histogram `family:"dynamo_frontend_audio_per_request"`        // model
	ImageTokens      *Histogram `family:"dynamo_frontend_image_tokens_per_request"` // model
	EmbeddingSeconds *Histogram `family:"dynamo_frontend_embedding_latency_seconds"`

	Disconnected *Counter `family:"dynamo_frontend_disconnected_clients"` // a gauge that only grows
	Cancelled    *Counter `family:"dynamo_frontend_model_cancellation_total"`
	Rejected     *Counter `family:"dynamo_frontend_model_rejection_total"` // model, endpoint
	Failures     *Counter `family:"dynamo_frontend_failures_total"`        // class, reason

	Migrations       *Counter   `family:"dynamo_frontend_model_migration_total"`            // model, new_request|ongoing_request
	MigrationSeconds *Histogram `family:"dynamo_frontend_model_migration_duration_seconds"` // model, type, success|failure
	MigrationTooLong *Counter   `family:"dynamo_frontend_model_migration_max_seq_len_exceeded_total"`

	KVBlocks       *Gauge `family:"dynamo_frontend_model_total_kv_blocks"`
	MaxSeqs        *Gauge `family:"dynamo_frontend_model_max_num_seqs"`
	MaxBatched     *Gauge `family:"dynamo_frontend_model_max_num_batched_tokens"`
	ContextLength  *Gauge `family:"dynamo_frontend_model_context_length"`
	BlockSize      *Gauge `family:"dynamo_frontend_model_kv_cache_block_size"`
	MigrationLimit *Gauge `family:"dynamo_frontend_model_migration_limit"`
	Ready          *Gauge `family:"dynamo_frontend_model_ready"`
	ModelWorkers   *Gauge `family:"dynamo_frontend_model_workers"`

	LoopDelay  *Histogram `family:"dynamo_frontend_event_loop_delay_seconds"`
	LoopStalls *Counter   `family:"dynamo_frontend_event_loop_stall_total"`

	PlaneQueue     *Histogram `family:"dynamo_request_plane_queue_seconds"` // message preparation
	PlaneSend      *Histogram `family:"dynamo_request_plane_send_seconds"`
	PlaneRoundtrip *Histogram `family:"dynamo_request_plane_roundtrip_ttft_seconds"`
	PlaneInflight  *Gauge     `family:"dynamo_request_plane_inflight_requests|dynamo_request_plane_inflight"`

	BytesSent     *Counter `family:"dynamo_transport_tcp_bytes_sent_total"`
	BytesReceived *Counter `family:"dynamo_transport_tcp_bytes_received_total"`
	TCPErrors     *Counter `family:"dynamo_transport_tcp_errors_total"`
	AcceptBackoff *Counter `family:"dynamo_transport_tcp_accept_backoff_total"`
	NATSErrors    *Counter `family:"dynamo_transport_nats_errors_total"` // error type

	Uptime *Gauge `family:"dynamo_component_uptime_seconds"`
}

// TokioHandles are the families of the async runtime, sampled once a second.
type TokioHandles struct {
	GlobalQueue   *Gauge   `family:"dynamo_tokio_global_queue_depth"`
	LocalQueue    *Gauge   `family:"dynamo_tokio_worker_local_queue_depth"` // worker
	Busy          *Gauge   `family:"dynamo_tokio_worker_busy_ratio"`        // per mille; worker
	MeanPollNs    *Gauge   `family:"dynamo_tokio_worker_mean_poll_time_ns"` // worker
	Parks         *Counter `family:"dynamo_tokio_worker_park_count_total"`  // worker
	Steals        *Counter `family:"dynamo_tokio_worker_steal_count_total"` // worker
	Overflows     *Counter `family:"dynamo_tokio_worker_overflow_count_total"`
	ForcedYields  *Counter `family:"dynamo_tokio_budget_forced_yield_total"`
	Blocking      *Gauge   `family:"dynamo_tokio_blocking_threads"`
	BlockingIdle  *Gauge   `family:"dynamo_tokio_blocking_idle_threads"`
	BlockingQueue *Gauge   `family:"dynamo_tokio_blocking_queue_depth"`
	Tasks         *Gauge   `family:"dynamo_tokio_alive_tasks"`
	Overloads     *Counter `family:"dynamo_tokio_queue_overload_warnings_total"`
}

// Frontend makes the page of a frontend that has just started.
func Frontend(gen Gen, o FrontendOptions) *FrontendPage {
	o.Namespace, o.Component = or(o.Namespace, "dynamo"), or(o.Component, "backend")
	f := &FrontendPage{namespace: o.Namespace}
	f.src = source{
		page: &f.Page, table: "frontend", gen: gen, style: rust, edges: o.Edges.byFamily(),
		fixed: map[string]string{
			"dynamo_namespace": o.Namespace,
			"dynamo_component": o.Component,
			"router_id":        strconv.FormatUint(o.RouterID, 10),
			"worker_id":        Hex(o.WorkerID),
		},
	}
	for name, on := range map[string]bool{
		"kv": o.KVRouter, "event_loop": o.EventLoop, "tokio": o.Tokio, "remote_indexer": o.RemoteIndexer, "nats": o.NATS,
	} {
		if on {
			f.src.features = append(f.src.features, name)
		}
	}
	if o.Prefix != "" {
		f.src.rename = func(name string) string {
			if rest, ok := strings.CutPrefix(name, "dynamo_frontend"); ok {
				return o.Prefix + rest
			}
			return name
		}
	}
	f.src.declare()
	f.src.bind(&f.frontendHandles)
	f.src.bind(&f.Router)
	f.src.bind(&f.Tokio)
	return f
}

// Card is what a model's first worker says of itself at registration.
type Card struct {
	KVBlocks, BlockSize, MaxSeqs, MaxBatchedTokens, ContextLength, MigrationLimit int
}

// ModelAdded shows a model's card, as soon as a worker registers it.
func (f *FrontendPage) ModelAdded(model string, c Card) {
	f.KVBlocks.Set(float64(c.KVBlocks), model)
	f.BlockSize.Set(float64(c.BlockSize), model)
	f.MaxSeqs.Set(float64(c.MaxSeqs), model)
	f.MaxBatched.Set(float64(c.MaxBatchedTokens), model)
	f.ContextLength.Set(float64(c.ContextLength), model)
	f.MigrationLimit.Set(float64(c.MigrationLimit), model)
	f.Ready.Set(1, model)
	f.src.happen("model", map[string]string{"model": model})
}

// RequestStarted counts a request in and makes the model's request families
// appear: the durations and lengths at zero, as real frontends show them. The
// ITL and OSL of a model come only with its first answer.
func (f *FrontendPage) RequestStarted(model, endpoint, requestType string) {
	f.Started.Inc(model, endpoint, requestType)
	f.Active.Add(1, model)
	f.Inflight.Add(1, model)
	f.Queued.Add(1, model)
	f.Output.Add(0, model)
	for _, h := range []*Histogram{f.Duration, f.TTFT, f.ISL, f.Cached, f.ImageTokens, f.Images, f.Videos, f.Audio} {
		h.ObserveN(0, 0, model)
	}
}

// Media counts the parts of a request that are not text; every request has an
// entry, usually of zeros.
func (f *FrontendPage) Media(model string, images, videos, audio int) {
	f.Images.Observe(float64(images), model)
	f.Videos.Observe(float64(videos), model)
	f.Audio.Observe(float64(audio), model)
}

// FirstToken records the TTFT and the ISL, and takes the request out of the
// queue gauge.
func (f *FrontendPage) FirstToken(model string, ttft float64, isl int) {
	f.Queued.Add(-1, model)
	f.TTFT.Observe(ttft, model)
	f.ISL.Observe(float64(isl), model)
}

// RequestDone counts a request out. Status is success or error; errorType is
// empty for success. reachedToken says whether FirstToken was told of it.
func (f *FrontendPage) RequestDone(model, endpoint, requestType, status, errorType string, seconds float64, reachedToken bool) {
	f.Finished.Inc(model, endpoint, requestType, status, errorType)
	f.Duration.Observe(seconds, model)
	f.Active.Add(-1, model)
	f.Inflight.Add(-1, model)
	if !reachedToken {
		f.Queued.Add(-1, model)
	}
}

// StageDuration records a stage: preprocess, route or transport_roundtrip.
func (f *FrontendPage) StageDuration(stage string, seconds float64) {
	f.StageSeconds.Observe(seconds, stage)
}

// Roundtrip records one message over the request plane: preparation, sending
// and the time to the first answer, all in seconds. Real frontends observe the
// router's own queries to workers with it, and the last as a stage too.
func (f *FrontendPage) Roundtrip(prepare, send, roundtrip float64) {
	f.PlaneQueue.Observe(prepare)
	f.PlaneSend.Observe(send)
	f.PlaneRoundtrip.Observe(roundtrip)
	f.StageDuration("transport_roundtrip", roundtrip)
}

// Hex is an instance's id as the dynamo_component_* families spell it.
func Hex(id uint64) string { return strconv.FormatUint(id, 16) }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
