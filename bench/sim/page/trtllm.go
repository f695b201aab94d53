package page

// trtllm fills the families of a real TensorRT-LLM. Its mocker was never seen
// to serve, so a page without Full has the same families.
type trtllm struct {
	silent
	trtllmHandles
	block int // tokens

	reused, missed int // blocks, ever
}

type trtllmHandles struct {
	Running    *Gauge     `family:"trtllm_num_requests_running"`
	Waiting    *Gauge     `family:"trtllm_num_requests_waiting"`
	Paused     *Gauge     `family:"trtllm_num_paused_requests"`
	Context    *Gauge     `family:"trtllm_num_context_requests"`
	Generating *Gauge     `family:"trtllm_num_generation_requests"`
	Scheduled  *Gauge     `family:"trtllm_num_scheduled_requests"`
	Iteration  *Gauge     `family:"trtllm_iteration_latency_seconds"`
	GPUMemory  *Gauge     `family:"trtllm_gpu_memory_usage_bytes"`
	StaticMax  *Gauge     `family:"trtllm_max_batch_size_static"`
	MaxActive  *Gauge     `family:"trtllm_max_num_active_requests"`
	MaxBatch   *Gauge     `family:"trtllm_max_batch_size_runtime"`
	Usage      *Gauge     `family:"trtllm_kv_cache_utilization"`
	HostUsage  *Gauge     `family:"trtllm_kv_cache_host_utilization"`
	HitRate    *Gauge     `family:"trtllm_kv_cache_hit_rate"`
	ReuseRate  *Gauge     `family:"trtllm_kv_cache_iter_reuse_rate"`
	UsedBlocks *Gauge     `family:"trtllm_kv_cache_used_blocks"`
	FreeBlocks *Gauge     `family:"trtllm_kv_cache_free_blocks"`
	MaxBlocks  *Gauge     `family:"trtllm_kv_cache_max_blocks"`
	BlockSize  *Gauge     `family:"trtllm_kv_cache_tokens_per_block"`
	Reused     *Counter   `family:"trtllm_kv_cache_reused_blocks_total"`
	Missed     *Counter   `family:"trtllm_kv_cache_missed_blocks_total"`
	Prompt     *Counter   `family:"trtllm_prompt_tokens_total"`
	Generation *Counter   `family:"trtllm_generation_tokens_total"`
	Success    *Counter   `family:"trtllm_request_success_total"` // finished reason
	Aborts     *Counter   `family:"trtllm_num_aborted_requests_total"`
	First      *Histogram `family:"trtllm_time_to_first_token_seconds"`
	PerToken   *Histogram `family:"trtllm_time_per_output_token_seconds"`
	Whole      *Histogram `family:"trtllm_e2e_request_latency_seconds"`
	Queue      *Histogram `family:"trtllm_request_queue_time_seconds"`
	Prefill    *Histogram `family:"trtllm_request_prefill_time_seconds"`
	Decode     *Histogram `family:"trtllm_request_decode_time_seconds"`
	Inference  *Histogram `family:"trtllm_request_inference_time_seconds"`
	Transfers  *Counter   `family:"trtllm_kv_transfer_success_total"` // mode
	TransferS  *Histogram `family:"trtllm_kv_transfer_latency_seconds"`
	TransferB  *Histogram `family:"trtllm_kv_transfer_bytes"`
	TransferGB *Histogram `family:"trtllm_kv_transfer_speed_gb_s"`
}

func newTRTLLM(s source, extra *EngineExtra) *trtllm {
	s.table = "trtllm"
	s = s.with(map[string]string{"engine_type": "pytorch"}).declare()
	e := &trtllm{}
	s.bind(&e.trtllmHandles)
	s.bind(extra)
	s.happen("rank", nil)
	return e
}

func (e *trtllm) Started(l Limits) {
	e.block = l.PageSize
	e.MaxActive.Set(float64(l.MaxRunning))
	e.MaxBatch.Set(float64(l.MaxRunning))
	e.StaticMax.Set(float64(l.MaxRunning))
	e.GPUMemory.Set((l.WeightsGiB + l.KVGiB + l.GraphGiB) * (1 << 30))
	e.BlockSize.Set(float64(l.PageSize))
	e.MaxBlocks.Set(float64(l.KVTokens / max(l.PageSize, 1)))
}

func (e *trtllm) Report(l Load) {
	e.Running.Set(float64(l.Running))
	e.Waiting.Set(float64(l.Waiting))
	e.Paused.Set(float64(l.Paused))
	e.Usage.Set(l.Usage())
	e.HostUsage.Set(share(l.HostUsed, l.HostAll))
	e.Context.Set(float64(l.Prefills))
	e.Generating.Set(float64(l.Decodes))
	e.Scheduled.Set(float64(l.Prefills + l.Decodes))
	e.Iteration.Set(l.StepSeconds)
	e.HitRate.Set(share(e.reused, e.reused+e.missed))
	e.ReuseRate.Set(l.HitRate)
	if e.block > 0 {
		e.UsedBlocks.Set(float64(l.KVUsed / e.block))
		e.FreeBlocks.Set(float64((l.KVTokens - l.KVUsed) / e.block))
	}
}

func (e *trtllm) Queued(seconds float64) { e.Queue.Observe(seconds) }

func (e *trtllm) Prefilled(computed, device, host, storage int) {
	e.Prompt.Add(float64(computed + device + host + storage))
	if e.block > 0 {
		reused, missed := (device+host+storage)/e.block, (computed+e.block-1)/e.block
		e.Reused.Add(float64(reused))
		e.Missed.Add(float64(missed))
		e.reused, e.missed = e.reused+reused, e.missed+missed
	}
}

func (e *trtllm) Decoded(tokens int) { e.Generation.Add(float64(tokens)) }

func (e *trtllm) TTFT(seconds float64, _ bool) { e.First.Observe(seconds) }

func (e *trtllm) Transferred(t Transfer) {
	const mode = "decode"
	e.Transfers.Inc(mode)
	e.TransferS.Observe(t.TotalMs/1000, mode)
	e.TransferB.Observe(t.MiB*(1<<20), mode)
	if t.TotalMs > 0 {
		e.TransferGB.Observe(t.MiB/1024/(t.TotalMs/1000), mode)
	}
}

func (e *trtllm) Finished(f Finished) {
	e.Success.Inc(or(f.Reason, "length"))
	e.Whole.Observe(f.E2E)
	e.Prefill.Observe(f.Prefill)
	e.Decode.Observe(f.Decode)
	e.Inference.Observe(f.Prefill + f.Decode)
	if f.OSL > 1 {
		e.PerToken.Observe(f.Decode / float64(f.OSL-1))
	}
}

func (e *trtllm) Aborted() { e.Aborts.Inc() }
