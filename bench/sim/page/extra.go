package page

// EngineExtra are families of real engines for features that few simulations
// have: speculative decoding, grammars, other pools, LoRA, MFU estimates, DP
// attention. They appear with their first use, gauges of SGLang with its first
// report. Label values come in the order that the comment says.
type EngineExtra struct {
	// Speculative decoding.
	SpecLength    *Gauge   `family:"sglang:spec_accept_length|trtllm_spec_decode_acceptance_length"`
	SpecRate      *Gauge   `family:"sglang:spec_accept_rate"`
	SpecCap       *Gauge   `family:"sglang:spec_cap_length"`
	SpecBlock     *Gauge   `family:"sglang:spec_block_accept_length"`
	SpecSteps     *Gauge   `family:"sglang:spec_num_steps"`
	SpecDraft     *Gauge   `family:"sglang:spec_num_draft_tokens"`
	SpecCalls     *Counter `family:"sglang:spec_verify_calls_total|vllm:spec_decode_num_drafts_total"`
	SpecDrafted   *Counter `family:"vllm:spec_decode_num_draft_tokens_total|trtllm_spec_decode_num_draft_tokens_total"`
	SpecAccepted  *Counter `family:"vllm:spec_decode_num_accepted_tokens_total|trtllm_spec_decode_num_accepted_tokens_total"`
	SpecPositions *Counter `family:"vllm:spec_decode_num_accepted_tokens_per_pos_total"` // position

	// MFU estimates, a GPU's.
	FLOPs      *Counter `family:"sglang:estimated_flops_per_gpu_total|vllm:estimated_flops_per_gpu_total"`
	ReadBytes  *Counter `family:"sglang:estimated_read_bytes_per_gpu_total|vllm:estimated_read_bytes_per_gpu_total"`
	WriteBytes *Counter `family:"sglang:estimated_write_bytes_per_gpu_total|vllm:estimated_write_bytes_per_gpu_total"`

	// Pools of models with a sliding window or a state space.
	SWAUsage       *Gauge `family:"sglang:swa_token_usage"`
	SWAFree        *Gauge `family:"sglang:swa_available_tokens"`
	SWAEvictable   *Gauge `family:"sglang:swa_evictable_tokens"`
	SWAUsed        *Gauge `family:"sglang:swa_used_tokens"`
	SWAMax         *Gauge `family:"sglang:max_total_num_tokens_swa"`
	SWAPrealloc    *Gauge `family:"sglang:prealloc_swa_token_usage"`
	MambaUsage     *Gauge `family:"sglang:mamba_usage"`
	MambaFree      *Gauge `family:"sglang:mamba_available_tokens"`
	MambaEvictable *Gauge `family:"sglang:mamba_evictable_tokens"`
	MambaUsed      *Gauge `family:"sglang:mamba_used_tokens"`
	MambaHostUsed  *Gauge `family:"sglang:hicache_host_mamba_used_states"`
	MambaHostTotal *Gauge `family:"sglang:hicache_host_mamba_total_states"`

	Utilization *Gauge `family:"sglang:utilization"` // stays 0 in real builds
	Occupancy   *Gauge `family:"sglang:fwd_occupancy"`
	MaxUnderSLO *Gauge `family:"sglang:max_running_requests_under_SLO"`
	WeightLoad  *Gauge `family:"sglang:weight_load_duration_seconds"` // source

	// Disaggregated pair: KV kept after a failure, KV received by the host.
	HostReceived    *Counter   `family:"sglang:num_decode_host_receive_reqs_total"`
	DeferredSeconds *Histogram `family:"sglang:decode_deferred_kv_release_seconds"`
	DeferredTries   *Counter   `family:"sglang:decode_deferred_kv_release_total"` // outcome

	LoRAUsed    *Gauge `family:"sglang:lora_pool_slots_used"`
	LoRATotal   *Gauge `family:"sglang:lora_pool_slots_total"`
	LoRAShare   *Gauge `family:"sglang:lora_pool_utilization"`
	Sessions    *Gauge `family:"sglang:num_streaming_sessions"`
	SessionHeld *Gauge `family:"sglang:streaming_session_held_tokens"`
	RoutingKeys *Gauge `family:"sglang:num_unique_running_routing_keys"`
	KeysRunning *Gauge `family:"sglang:routing_key_running_req_count"` // gt, le; not cumulative
	KeysAll     *Gauge `family:"sglang:routing_key_all_req_count"`     // gt, le; not cumulative

	GrammarCompile  *Histogram `family:"sglang:grammar_compilation_time_seconds"`
	GrammarHits     *Counter   `family:"sglang:num_grammar_cache_hit_total"`
	GrammarAborts   *Counter   `family:"sglang:num_grammar_aborted_total"`
	GrammarTimeouts *Counter   `family:"sglang:num_grammar_timeout_total"`
	Grammars        *Counter   `family:"sglang:num_grammar_total"`
	GrammarSchemas  *Histogram `family:"sglang:grammar_schema_count"`
	GrammarSize     *Histogram `family:"sglang:grammar_ebnf_size"`
	GrammarWalkMean *Histogram `family:"sglang:grammar_tree_traversal_time_avg"`
	GrammarWalkMax  *Histogram `family:"sglang:grammar_tree_traversal_time_max"`
	Structured      *Counter   `family:"sglang:num_so_requests_total"`

	// DP attention: what is lost to unequal ranks.
	DPTokens    *Counter   `family:"sglang:dp_attention_tokens_total"` // scheduled|imbalance
	DPPairs     *Counter   `family:"sglang:dp_attention_pairs_total"`  // scheduled|imbalance
	DPSteps     *Counter   `family:"sglang:dp_attention_steps_total"`  // active|idle
	DPImbalance *Histogram `family:"sglang:dp_attention_token_imbalance_ratio"`
	DPSync      *Histogram `family:"sglang:dp_attention_sync_wait_seconds"`
	CoTokens    *Counter   `family:"sglang:dp_cooperation_realtime_tokens_total"`           // mode, prefill ranks
	CoForward   *Counter   `family:"sglang:dp_cooperation_forward_execution_seconds_total"` // category, prefill ranks

	DelayPasses   *Histogram `family:"sglang:prefill_delayer_wait_forward_passes"`
	DelaySeconds  *Histogram `family:"sglang:prefill_delayer_wait_seconds"`
	DelayOutcomes *Counter   `family:"sglang:prefill_delayer_outcomes_total"` // in the table's order

	// What older releases export: the ITL before its name of today, HiCache as
	// it was spelt; and failures of its storage tier.
	OldITL          *Histogram `family:"sglang:time_per_output_token_seconds"`
	OldEvicted      *Counter   `family:"sglang:hicache_eviction_num_tokens_total"`
	OldEvictSeconds *Histogram `family:"sglang:hicache_eviction_duration_seconds"`
	OldLoaded       *Counter   `family:"sglang:hicache_load_back_num_tokens_total"`
	OldLoadSeconds  *Histogram `family:"sglang:hicache_load_back_duration_seconds"`
	OldPrefetches   *Counter   `family:"sglang:hicache_prefetch_outcomes_total"` // outcome
	AuxAllocFailed  *Counter   `family:"sglang:hicache_prefetch_aux_alloc_failed_tokens_total"`

	// The HTTP server of a plain SGLang.
	HTTPRequests  *Counter `family:"sglang:http_requests_total"`       // endpoint, method
	HTTPResponses *Counter `family:"sglang:http_responses_total"`      // endpoint, status, method
	HTTPActive    *Gauge   `family:"sglang:http_requests_active"`      // endpoint, method
	ProcessCPU    *Counter `family:"sglang:process_cpu_seconds_total"` // component

	SleepState *Gauge `family:"vllm:engine_sleep_state"` // awake|weights_offloaded|discard_all

	// TensorRT-LLM's offload, and memory that its PyTorch backend always gives
	// as 0.
	Onboarded    *Counter `family:"trtllm_kv_cache_onboard_bytes_total"`
	Offloaded    *Counter `family:"trtllm_kv_cache_offload_bytes_total"`
	CPUMemory    *Gauge   `family:"trtllm_cpu_memory_usage_bytes"`
	PinnedMemory *Gauge   `family:"trtllm_pinned_memory_usage_bytes"`
}
