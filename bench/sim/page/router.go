package page

import "strconv"

// RouterHandles are the families of the router inside the frontend. Without
// KVRouter only the request families are there, at zero. "phase" is
// aggregated, prefill or decode; "type" is the worker type, prefill or decode
// (aggregated workers say decode); "policy" is the class, usually default.
type RouterHandles struct {
	Started  *Counter   `family:"dynamo_component_router_requests_started_total"`
	Requests *Counter   `family:"dynamo_component_router_requests_total"`
	TTFT     *Histogram `family:"dynamo_component_router_time_to_first_token_seconds"`
	ITL      *Histogram `family:"dynamo_component_router_inter_token_latency_seconds"` // never filled by real routers
	ISL      *Histogram `family:"dynamo_component_router_input_sequence_tokens"`       // tokens; through Routed
	OSL      *Histogram `family:"dynamo_component_router_output_sequence_tokens"`
	HitRate  *Histogram `family:"dynamo_component_router_kv_hit_rate"` // predicted, 0-1
	Transfer *Histogram `family:"dynamo_component_router_kv_transfer_estimated_latency_seconds"`

	SharedHitRate *Histogram `family:"dynamo_component_router_shared_cache_hit_rate"`
	SharedBlocks  *Histogram `family:"dynamo_component_router_shared_cache_beyond_blocks"`
	SharedErrors  *Counter   `family:"dynamo_router_shared_cache_errors_total"`

	// One routing decision in milliseconds: the total is the sum of hashing,
	// find matches and scheduling, and scheduling holds the wait in the
	// router's queue.
	BlockHashing *Histogram `family:"dynamo_router_overhead_block_hashing_ms"`
	SeqHashing   *Histogram `family:"dynamo_router_overhead_seq_hashing_ms"`
	FindMatches  *Histogram `family:"dynamo_router_overhead_indexer_find_matches_ms"`
	Scheduling   *Histogram `family:"dynamo_router_overhead_scheduling_ms"`
	SharedQuery  *Histogram `family:"dynamo_router_overhead_shared_cache_query_ms"`
	Total        *Histogram `family:"dynamo_router_overhead_total_ms"`

	Pending       *Gauge   `family:"dynamo_frontend_router_queue_pending_requests"`      // model, type, policy
	PendingISL    *Gauge   `family:"dynamo_frontend_router_queue_pending_isl_tokens"`    // model, type, policy
	PendingCached *Gauge   `family:"dynamo_frontend_router_queue_pending_cached_tokens"` // model, type, policy
	Backpressure  *Counter `family:"dynamo_frontend_router_queue_backpressure_total"`    // model, type, policy, reason
	Admitted      *Counter `family:"dynamo_frontend_router_admission_received_total"`    // model, type, policy
	Refused       *Counter `family:"dynamo_frontend_router_admission_rejected_total"`    // model, type, policy, reason

	// What the router believes of a worker: decimal id, rank, type.
	ActiveBlocks  *Gauge `family:"dynamo_frontend_worker_active_decode_blocks"`
	ActivePrefill *Gauge `family:"dynamo_frontend_worker_active_prefill_tokens"`
	Waiting       *Gauge `family:"dynamo_frontend_worker_waiting_requests"`
	LastTTFT      *Gauge `family:"dynamo_frontend_worker_last_time_to_first_token_seconds"`
	LastISL       *Gauge `family:"dynamo_frontend_worker_last_input_sequence_tokens"`
	LastITL       *Gauge `family:"dynamo_frontend_worker_last_inter_token_latency_seconds"`
	Registered    *Gauge `family:"dynamo_component_router_worker_registered"`

	BestPrefix     *Counter   `family:"dynamo_component_router_kv_best_eligible_cached_prefix_tokens_total"` // model, phase
	SelectedPrefix *Counter   `family:"dynamo_component_router_kv_selected_cached_prefix_tokens_total"`      // model, phase
	ReusedTokens   *Counter   `family:"dynamo_component_router_kv_worker_reused_tokens_total"`               // model, phase
	NonMaxOverlap  *Counter   `family:"dynamo_component_router_non_max_overlap_selections_total"`            // type
	OverlapLost    *Histogram `family:"dynamo_component_router_overlap_blocks_lost"`                         // blocks; type

	// The index, by component first; Events through KVEvents.
	Events        *Counter `family:"dynamo_component_kv_cache_events_applied"` // stored|removed|cleared, status
	EventWarnings *Counter `family:"dynamo_component_kv_cache_event_warnings"` // kind
	FilterChanges *Counter `family:"dynamo_component_ckf_mutation_total"`      // outcome
	EventBatches  *Counter `family:"dynamo_component_router_kv_zmq_ingress_batches_total"`
	Sources       *Gauge   `family:"dynamo_component_router_kv_zmq_ingress_sources"`         // active|preconnected
	SourceEvents  *Counter `family:"dynamo_component_router_kv_zmq_ingress_lifecycle_total"` // action
	Mismatched    *Gauge   `family:"dynamo_component_router_kv_event_source_mismatch_workers"`
	QueryFailures *Counter `family:"dynamo_component_router_remote_indexer_query_failures_total"`
	WriteFailures *Counter `family:"dynamo_component_router_remote_indexer_write_failures_total"`

	// Load events of other routers and the approximate index.
	LoadEvents       *Counter `family:"dynamo_component_router_active_sequence_ingress_events_applied_total"` // model, type, group
	LoadBatches      *Counter `family:"dynamo_component_router_active_sequence_ingress_drain_batches_total"`  // model, type, group
	LoadQueue        *Gauge   `family:"dynamo_component_router_active_sequence_ingress_queue_depth"`          // model, type, group
	LoadSources      *Gauge   `family:"dynamo_component_router_active_sequence_zmq_ingress_sources"`
	LoadGaps         *Counter `family:"dynamo_component_router_active_sequence_zmq_ingress_sequence_gaps_total"`
	LoadDropped      *Counter `family:"dynamo_component_router_active_sequence_zmq_ingress_dropped_events_total"`
	ApproximateLost  *Counter `family:"dynamo_component_router_approximate_lru_evicted_blocks_total"`
	ApproximateState *Gauge   `family:"dynamo_component_router_approximate_cache_effective_policy"` // ttl|lru|disabled
}

// PoolAdded makes the families of a pool of workers appear at zero: queue,
// admission, load events. Type is prefill or decode.
func (f *FrontendPage) PoolAdded(model, workerType string) {
	f.src.happen("pool", map[string]string{"model": model, "type": workerType})
}

// IndexAdded makes the families of the KV index over a component's events
// appear at zero. In disaggregated serving real routers index prefill only.
func (f *FrontendPage) IndexAdded(model, workerType, component string) {
	f.src.happen("index", map[string]string{"model": model, "type": workerType, "component": component, "index": f.indexOf(component), "namespace": f.namespace})
}

// indexOf is the component under which the index counts a component's events:
// up to 1.4 always the router's own.
func (f *FrontendPage) indexOf(component string) string {
	if f.src.gen.index() <= Gen14.index() {
		return f.src.fixed["dynamo_component"]
	}
	return component
}

// KVEvents counts KV events applied to the index of a component: eventType is
// stored, removed or cleared, status ok or what went wrong.
func (f *FrontendPage) KVEvents(component, eventType, status string, n int) {
	f.Router.Events.Add(float64(n), f.indexOf(component), eventType, status)
}

// WorkerJoined registers a worker's DP ranks with the router, and, where its
// component is indexed, one source of KV events for each.
func (f *FrontendPage) WorkerJoined(id uint64, ranks int, workerType, component string, indexed bool) {
	for rank := range ranks {
		f.Router.Registered.Set(1, decimal(id), strconv.Itoa(rank), workerType)
		if indexed {
			for _, action := range []string{"preconnected", "started", "activated"} {
				f.Router.SourceEvents.Inc(component, action)
			}
			f.Router.Sources.Add(1, component, "active")
		}
	}
	f.Router.LoadSources.Add(1)
}

// WorkerLeft takes a worker off the router. Its last values go too, and come
// back when WorkerLast is told of a request that had migrated.
func (f *FrontendPage) WorkerLeft(id uint64, ranks int, component string, indexed bool) {
	r := &f.Router
	for _, g := range []*Gauge{r.Registered, r.ActiveBlocks, r.ActivePrefill, r.Waiting, r.LastTTFT, r.LastISL, r.LastITL} {
		g.Forget(decimal(id))
	}
	if indexed {
		for range ranks {
			// As recorded after a kill: the source is first replaced; since 1.6
			// the new one is connected before it is found dead too.
			if f.src.gen.index() >= Gen16.index() {
				r.SourceEvents.Inc(component, "preconnected")
			}
			r.SourceEvents.Inc(component, "replaced")
			r.SourceEvents.Add(2, component, "stopped")
			r.SourceEvents.Inc(component, "removed")
			r.Sources.Add(-1, component, "active")
		}
	}
	r.LoadSources.Add(-1)
}

// Decision is one routing decision. In disaggregated serving a request has two,
// of phase prefill and decode.
type Decision struct {
	Model, Phase, WorkerType string
	ISL                      int
	HitRate                  float64 // predicted, 0-1
	// Cached prefix tokens: on the best worker that could have been chosen,
	// and on the one that was.
	Best, Selected int
	// Milliseconds. Schedule holds the wait in the router's queue.
	BlockHash, SeqHash, FindMatches, Schedule float64
}

// Routed records a decision. A migrated request is routed, and counted, again.
func (f *FrontendPage) Routed(d Decision) {
	r := &f.Router
	r.Admitted.Inc(d.Model, d.WorkerType, "default")
	r.Started.Inc()
	r.Requests.Inc()
	f.routedISL(d)
	r.HitRate.Observe(d.HitRate)
	r.BestPrefix.Add(float64(d.Best), d.Model, d.Phase)
	r.SelectedPrefix.Add(float64(d.Selected), d.Model, d.Phase)
	r.ReusedTokens.Add(0, d.Model, d.Phase)
	r.BlockHashing.Observe(d.BlockHash)
	r.SeqHashing.Observe(d.SeqHash)
	r.FindMatches.Observe(d.FindMatches)
	r.Scheduling.Observe(d.Schedule)
	r.Total.Observe(d.BlockHash + d.SeqHash + d.FindMatches + d.Schedule)
}

// routedISL records the prompt length; only since 1.6 by model and phase.
func (f *FrontendPage) routedISL(d Decision) {
	if h := f.Router.ISL; len(h.v.vars) == 0 {
		h.Observe(float64(d.ISL))
	} else {
		h.Observe(float64(d.ISL), d.Model, d.Phase)
	}
}

// WorkerActive shows the router's belief of a worker's load.
func (f *FrontendPage) WorkerActive(id uint64, rank int, workerType string, blocks, prefillTokens float64) {
	f.Router.ActiveBlocks.Set(blocks, decimal(id), strconv.Itoa(rank), workerType)
	f.Router.ActivePrefill.Set(prefillTokens, decimal(id), strconv.Itoa(rank), workerType)
}

// WorkerLast shows a worker's last request: TTFT in seconds and ISL in tokens.
func (f *FrontendPage) WorkerLast(id uint64, rank int, workerType string, ttft float64, isl int) {
	f.Router.LastTTFT.Set(ttft, decimal(id), strconv.Itoa(rank), workerType)
	f.Router.LastISL.Set(float64(isl), decimal(id), strconv.Itoa(rank), workerType)
}

// WorkerLastITL shows a worker's last ITL in seconds; prefill workers have none.
func (f *FrontendPage) WorkerLastITL(id uint64, rank int, workerType string, itl float64) {
	f.Router.LastITL.Set(itl, decimal(id), strconv.Itoa(rank), workerType)
}

func decimal(id uint64) string { return strconv.FormatUint(id, 10) }
