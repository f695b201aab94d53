package page

import (
	"slices"
	"strconv"
)

// SGLangRank are the families of a real SGLang with --enable-metrics, of one
// DP rank. Engine fills the common ones; the rest is for whoever simulates the
// feature. Label values come in the order that the comment says.
type SGLangRank struct {
	Running         *Gauge `family:"sglang:num_running_reqs"`
	Waiting         *Gauge `family:"sglang:num_queue_reqs"`
	GrammarWaiting  *Gauge `family:"sglang:num_grammar_queue_reqs"`
	Throughput      *Gauge `family:"sglang:gen_throughput"`
	HitRate         *Gauge `family:"sglang:cache_hit_rate"`
	ContextSum      *Gauge `family:"sglang:decode_sum_seq_lens"`
	Usage           *Gauge `family:"sglang:token_usage"`
	FullUsage       *Gauge `family:"sglang:full_token_usage"`
	UsedTokens      *Gauge `family:"sglang:num_used_tokens"`
	KVFree          *Gauge `family:"sglang:kv_available_tokens"`
	KVEvictable     *Gauge `family:"sglang:kv_evictable_tokens"`
	KVUsed          *Gauge `family:"sglang:kv_used_tokens"`
	RetractedNow    *Gauge `family:"sglang:num_retracted_reqs"`
	Paused          *Gauge `family:"sglang:num_paused_reqs"`
	Bootstrap       *Gauge `family:"sglang:num_prefill_bootstrap_queue_reqs|sglang:num_prefill_prealloc_queue_reqs"`
	PrefillInflight *Gauge `family:"sglang:num_prefill_inflight_queue_reqs"`
	Prealloc        *Gauge `family:"sglang:num_decode_prealloc_queue_reqs"`
	TransferQueue   *Gauge `family:"sglang:num_decode_transfer_queue_reqs"`
	HostReceive     *Gauge `family:"sglang:num_decode_host_receive_queue_reqs"`
	DeferredRelease *Gauge `family:"sglang:num_decode_deferred_kv_release_reqs"`
	PendingUsage    *Gauge `family:"sglang:pending_prealloc_token_usage"`
	PreallocUsage   *Gauge `family:"sglang:prealloc_full_token_usage"`
	NewTokenRatio   *Gauge `family:"sglang:new_token_ratio"`
	CUDAGraph       *Gauge `family:"sglang:is_cuda_graph"`
	HostUsed        *Gauge `family:"sglang:hicache_host_used_tokens"`
	HostTotal       *Gauge `family:"sglang:hicache_host_total_tokens"`

	RetractedRequests *Counter `family:"sglang:num_retracted_requests_total"`
	RetractedInput    *Counter `family:"sglang:num_retracted_input_tokens_total"`
	RetractedOutput   *Counter `family:"sglang:num_retracted_output_tokens_total"`
	Realtime          *Counter `family:"sglang:realtime_tokens_total"`          // prefill_compute|prefill_cache|decode
	Effective         *Counter `family:"sglang:prefill_effective_tokens_total"` // input|device_hit|host_hit|storage_hit
	Passes            *Counter `family:"sglang:cuda_graph_passes_total"`        // decode_cuda_graph|decode_none|prefill_…
	SchedulerIdle     *Counter `family:"sglang:scheduler_idle_seconds_total"`
	SchedulerCPU      *Counter `family:"sglang:scheduler_process_cpu_seconds_total"`
	SchedulerStage    *Counter `family:"sglang:scheduler_stage_seconds_total"` // category, full|partial|none
	Forward           *Counter `family:"sglang:forward_execution_seconds_total"`

	QueueTime  *Histogram `family:"sglang:queue_time_seconds"`
	StageTime  *Histogram `family:"sglang:per_stage_req_latency_seconds"` // stage
	TransferGB *Histogram `family:"sglang:kv_transfer_speed_gb_s"`
	TransferMs *Histogram `family:"sglang:kv_transfer_latency_ms"`
	BootMs     *Histogram `family:"sglang:kv_transfer_bootstrap_ms"`
	AllocMs    *Histogram `family:"sglang:kv_transfer_alloc_ms"`
	TransferMB *Histogram `family:"sglang:kv_transfer_total_mb"`

	BootstrapFailed *Counter `family:"sglang:num_bootstrap_failed_reqs_total"`
	TransferFailed  *Counter `family:"sglang:num_transfer_failed_reqs_total"`
	PrefillRetries  *Counter `family:"sglang:num_prefill_retries_total"`

	TTFTSeconds *Histogram `family:"sglang:time_to_first_token_seconds"` // is_streaming
	ITLSeconds  *Histogram `family:"sglang:inter_token_latency_seconds"`
	TPOTSeconds *Histogram `family:"sglang:request_time_per_output_token_seconds"` // is_streaming
	E2ESeconds  *Histogram `family:"sglang:e2e_request_latency_seconds"`           // is_streaming
	Prompt      *Counter   `family:"sglang:prompt_tokens_total"`                   // is_streaming
	Generation  *Counter   `family:"sglang:generation_tokens_total"`               // is_streaming
	Requests    *Counter   `family:"sglang:num_requests_total"`                    // is_streaming
	Cached      *Counter   `family:"sglang:cached_tokens_total"`                   // device|host|storage_…|total
	Aborts      *Counter   `family:"sglang:num_aborted_requests_total"`
	ISL         *Histogram `family:"sglang:prompt_tokens_histogram"`
	UncachedISL *Histogram `family:"sglang:uncached_prompt_tokens_histogram"`
	OSL         *Histogram `family:"sglang:generation_tokens_histogram"`
	GetLoads    *Histogram `family:"sglang:get_loads_duration_seconds"`

	MaxTokens    *Gauge `family:"sglang:max_total_num_tokens"`
	PageSize     *Gauge `family:"sglang:page_size"`
	Pages        *Gauge `family:"sglang:num_pages"`
	Context      *Gauge `family:"sglang:context_len"`
	WeightsGB    *Gauge `family:"sglang:weight_memory_usage_gb"`
	KVGB         *Gauge `family:"sglang:kv_cache_memory_usage_gb"`
	GraphGB      *Gauge `family:"sglang:graph_memory_usage_gb"` // phase
	FreeGB       *Gauge `family:"sglang:startup_available_gpu_memory_gb"`
	StartupTime  *Gauge `family:"sglang:startup_time_seconds"`            // phase
	GraphStartup *Gauge `family:"sglang:startup_cuda_graph_time_seconds"` // phase
	EngineStart  *Gauge `family:"sglang:engine_startup_time"`
	LoadWeights  *Gauge `family:"sglang:engine_load_weights_time"`

	// The radix tree and its host and storage tiers.
	Evicted         *Counter   `family:"sglang:evicted_tokens_total"`
	EvictSeconds    *Histogram `family:"sglang:eviction_duration_seconds"`
	LoadBack        *Counter   `family:"sglang:load_back_tokens_total"` // pool
	LoadBackBytes   *Counter   `family:"sglang:load_back_bytes_total"`
	LoadBackSeconds *Histogram `family:"sglang:load_back_duration_seconds"`
	Backup          *Counter   `family:"sglang:hicache_backup_tokens_total"` // pool
	BackupBytes     *Counter   `family:"sglang:hicache_backup_bytes_total"`
	BackupSeconds   *Histogram `family:"sglang:hicache_backup_duration_seconds"`
	Dropped         *Counter   `family:"sglang:hicache_dropped_tokens_total"` // reason, pool
	Prefetched      *Counter   `family:"sglang:prefetched_tokens_total"`
	BackedUp        *Counter   `family:"sglang:backuped_tokens_total"`
	BackupDropped   *Counter   `family:"sglang:hicache_backup_dropped_tokens_total"`
	StorageHits     *Counter   `family:"sglang:storage_prefetch_hit_tokens_total"`
	StorageMissed   *Counter   `family:"sglang:storage_prefetch_unfulfilled_tokens_total"` // reason
	StorageDeferred *Counter   `family:"sglang:storage_prefetch_deferred_tokens_total"`    // reason
	PrefetchGB      *Histogram `family:"sglang:prefetch_bandwidth"`
	BackupGB        *Histogram `family:"sglang:backup_bandwidth"`
	PrefetchPages   *Histogram `family:"sglang:prefetch_pgs"`
	BackupPages     *Histogram `family:"sglang:backup_pgs"`
}

// sglang fills the families of a real SGLang from what every engine tells.
type sglang struct {
	*SGLangRank
	src      source
	extra    *EngineExtra
	storage  string // the cache source of the storage tier
	timer    bool   // the GPU's times are known
	shared   bool   // DP attention
	reported bool
}

func newSGLang(s source, o WorkerOptions, rank int, handles *SGLangRank, extra *EngineExtra) *sglang {
	s.table = "sglang"
	fixed := map[string]string{
		"engine_type": o.Role, "tp_rank": "0", "pp_rank": "0", "moe_ep_rank": "0",
		"cache_type": o.CacheType, "storage_backend": o.StorageBackend,
	}
	if o.DPRanks > 1 {
		fixed["dp_rank"] = strconv.Itoa(rank)
	}
	if o.PID > 0 {
		fixed["pid"] = strconv.Itoa(o.PID + rank)
	}
	s = s.with(fixed).declare()
	s.bind(handles)
	s.bind(extra)
	s.happen("rank", nil)
	return &sglang{
		SGLangRank: handles, src: s, extra: extra, storage: "storage_" + o.StorageBackend,
		timer: slices.Contains(o.Features, "device_timer"), shared: slices.Contains(o.Features, "dp_attention"),
	}
}

func (e *sglang) Started(l Limits) {
	e.MaxTokens.Set(float64(l.KVTokens))
	e.PageSize.Set(float64(l.PageSize))
	e.Pages.Set(float64(l.KVTokens / max(l.PageSize, 1)))
	e.Context.Set(float64(l.ContextLength))
	e.WeightsGB.Set(l.WeightsGiB)
	e.KVGB.Set(l.KVGiB)
	e.GraphGB.Set(l.GraphGiB, "decode")
	e.FreeGB.Set(l.FreeGiB)
	for _, s := range l.Startup {
		e.StartupTime.Set(s.Seconds, s.Phase)
		switch s.Phase {
		case "scheduler_e2e":
			e.EngineStart.Set(s.Seconds)
		case "load_weight":
			e.LoadWeights.Set(s.Seconds)
		}
	}
}

func (e *sglang) Report(l Load) {
	// The first report makes every gauge of the scheduler appear, those of
	// pools and roles that this engine does not have at zero.
	if !e.reported {
		e.reported = true
		e.src.happen("report", nil)
	}
	e.Running.Set(float64(l.Running))
	e.Waiting.Set(float64(l.Waiting))
	e.ContextSum.Set(float64(l.ContextSum))
	e.Throughput.Set(l.Throughput)
	e.HitRate.Set(l.HitRate)
	e.Usage.Set(l.Usage())
	e.FullUsage.Set(l.Usage())
	e.UsedTokens.Set(float64(l.KVUsed))
	e.KVUsed.Set(float64(l.KVUsed))
	e.KVEvictable.Set(float64(l.KVEvictable))
	e.KVFree.Set(float64(l.KVTokens - l.KVUsed - l.KVEvictable))
	e.HostUsed.Set(float64(l.HostUsed))
	e.HostTotal.Set(float64(l.HostAll))
	e.NewTokenRatio.Set(l.NewTokenRatio)
	e.CUDAGraph.Set(oneIf(l.CUDAGraph))
	e.Paused.Set(float64(l.Paused))
	e.RetractedNow.Set(float64(l.Retracted))
	e.Bootstrap.Set(float64(l.Bootstrap))
	e.PrefillInflight.Set(float64(l.Inflight))
	e.Prealloc.Set(float64(l.Prealloc))
	e.TransferQueue.Set(float64(l.TransferQueue))
}

func (e *sglang) Queued(seconds float64) { e.QueueTime.Observe(seconds) }

func (e *sglang) Prefilled(computed, device, host, storage int) {
	e.Realtime.Add(float64(computed), "prefill_compute")
	e.Realtime.Add(float64(device+host+storage), "prefill_cache")
	e.Effective.Add(float64(computed), "input")
	e.Effective.Add(float64(device), "device_hit")
	e.Effective.Add(float64(host), "host_hit")
	e.Effective.Add(float64(storage), "storage_hit")
}

func (e *sglang) Decoded(tokens int) { e.Realtime.Add(float64(tokens), "decode") }

func (e *sglang) Pass(prefill, graph bool) {
	mode := "decode"
	if prefill {
		mode = "prefill"
	}
	if graph {
		e.Passes.Inc(mode + "_cuda_graph")
		return
	}
	e.Passes.Inc(mode + "_none")
}

// Looped: without CUDA events no stage is known to overlap with the GPU's work,
// and all of them say none.
func (e *sglang) Looped(busy, host, idle float64) {
	overlap := "none"
	if e.timer {
		overlap = "full"
		e.Forward.Add(busy, "decode")
		if all := busy + host + idle; all > 0 {
			e.extra.Occupancy.Set(100 * busy / all)
		}
	}
	e.SchedulerIdle.Add(idle)
	e.SchedulerCPU.Add(busy + host)
	e.SchedulerStage.Add(idle, "idle", "none")
	e.SchedulerStage.Add(0.3*busy, "run_batch", overlap)
	e.SchedulerStage.Add(0.7*busy, "process_batch_result", overlap)
	e.SchedulerStage.Add(0.6*host, "process_batch_result", "none")
	e.SchedulerStage.Add(0.4*host, "recv_requests", "none")
}

func (e *sglang) Shared(scheduled, lost float64) {
	if e.shared {
		e.extra.DPTokens.Add(scheduled, "scheduled")
		e.extra.DPTokens.Add(lost, "imbalance")
	}
}

func (e *sglang) TTFT(seconds float64, streaming bool) {
	e.TTFTSeconds.Observe(seconds, strconv.FormatBool(streaming))
}

func (e *sglang) ITL(seconds float64, n int) { e.ITLSeconds.ObserveN(seconds, uint64(n)) }

func (e *sglang) Retracted(requests, input, output int) {
	e.RetractedRequests.Add(float64(requests))
	e.RetractedInput.Add(float64(input))
	e.RetractedOutput.Add(float64(output))
}

func (e *sglang) Transferred(t Transfer) {
	e.BootMs.Observe(t.BootstrapMs)
	e.AllocMs.Observe(t.AllocMs)
	e.TransferMs.Observe(t.TotalMs)
	e.TransferMB.Observe(t.MiB)
	if t.TotalMs > 0 {
		e.TransferGB.Observe(t.MiB / 1024 / (t.TotalMs / 1000))
	}
}

func (e *sglang) Finished(f Finished) {
	streaming := strconv.FormatBool(f.Streaming)
	e.Requests.Inc(streaming)
	e.Prompt.Add(float64(f.ISL), streaming)
	e.Generation.Add(float64(f.OSL), streaming)
	e.E2ESeconds.Observe(f.E2E, streaming)
	if f.OSL > 1 {
		e.TPOTSeconds.Observe(f.Decode/float64(f.OSL-1), streaming)
	}
	e.ISL.Observe(float64(f.ISL))
	e.UncachedISL.Observe(float64(f.ISL - f.Device - f.Host - f.Storage))
	e.OSL.Observe(float64(f.OSL))
	for _, c := range []struct {
		source string
		tokens int
	}{{"device", f.Device}, {"host", f.Host}, {e.storage, f.Storage}} {
		if c.tokens > 0 { // a source appears with its first hit
			e.Cached.Add(float64(c.tokens), c.source)
		}
	}
	e.StageTime.Observe(f.Prefill, "prefill_forward")
}

func (e *sglang) Aborted() { e.Aborts.Inc() }

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
