package page

import "strconv"

// vllm fills the families of a real vLLM.
type vllm struct {
	silent
	vllmHandles
}

type vllmHandles struct {
	Running     *Gauge     `family:"vllm:num_requests_running"`
	Waiting     *Gauge     `family:"vllm:num_requests_waiting"`
	WaitingBy   *Gauge     `family:"vllm:num_requests_waiting_by_reason"` // capacity|deferred
	Usage       *Gauge     `family:"vllm:kv_cache_usage_perc|vllm:gpu_cache_usage_perc"`
	Preemptions *Counter   `family:"vllm:num_preemptions_total"`
	Hits        *Counter   `family:"vllm:prefix_cache_hits_total"`
	Queries     *Counter   `family:"vllm:prefix_cache_queries_total"`
	ExtHits     *Counter   `family:"vllm:external_prefix_cache_hits_total"`
	ExtQueries  *Counter   `family:"vllm:external_prefix_cache_queries_total"`
	Prompt      *Counter   `family:"vllm:prompt_tokens_total"`
	Generation  *Counter   `family:"vllm:generation_tokens_total"`
	PromptCache *Counter   `family:"vllm:prompt_tokens_cached_total"`
	PromptBy    *Counter   `family:"vllm:prompt_tokens_by_source_total"` // local_compute|local_cache_hit|…
	Success     *Counter   `family:"vllm:request_success_total"`         // finished reason
	First       *Histogram `family:"vllm:time_to_first_token_seconds"`
	Between     *Histogram `family:"vllm:inter_token_latency_seconds|vllm:time_per_output_token_seconds"`
	PerToken    *Histogram `family:"vllm:request_time_per_output_token_seconds"`
	Whole       *Histogram `family:"vllm:e2e_request_latency_seconds"`
	Queue       *Histogram `family:"vllm:request_queue_time_seconds"`
	Prefill     *Histogram `family:"vllm:request_prefill_time_seconds"`
	Decode      *Histogram `family:"vllm:request_decode_time_seconds"`
	Inference   *Histogram `family:"vllm:request_inference_time_seconds"`
	Iteration   *Histogram `family:"vllm:iteration_tokens_total"`
	ISL         *Histogram `family:"vllm:request_prompt_tokens"`
	OSL         *Histogram `family:"vllm:request_generation_tokens"`
	Config      *Gauge     `family:"vllm:cache_config_info"`
}

func newVLLM(s source, rank int, extra *EngineExtra) *vllm {
	s.table = "vllm"
	s = s.with(map[string]string{"engine": strconv.Itoa(rank)}).declare()
	e := &vllm{}
	s.bind(&e.vllmHandles)
	s.bind(extra)
	s.happen("rank", nil)
	return e
}

func (e *vllm) Started(l Limits) {
	e.Config.Set(1, strconv.Itoa(l.PageSize), "auto", "True", "0.9", strconv.Itoa(l.KVTokens/max(l.PageSize, 1)))
}

func (e *vllm) Report(l Load) {
	e.Running.Set(float64(l.Running))
	e.Waiting.Set(float64(l.Waiting))
	e.WaitingBy.Set(float64(l.Waiting), "capacity")
	e.Usage.Set(l.Usage())
}

func (e *vllm) Queued(seconds float64) { e.Queue.Observe(seconds) }

func (e *vllm) Prefilled(computed, device, host, storage int) {
	e.Prompt.Add(float64(computed + device + host + storage))
	e.Queries.Add(float64(computed + device + host + storage))
	e.Hits.Add(float64(device))
	e.PromptCache.Add(float64(device + host + storage))
	e.PromptBy.Add(float64(computed), "local_compute")
	e.PromptBy.Add(float64(device), "local_cache_hit")
	e.PromptBy.Add(float64(host+storage), "external_kv_transfer")
	if host+storage > 0 {
		e.ExtQueries.Add(float64(computed + host + storage))
		e.ExtHits.Add(float64(host + storage))
	}
	e.Iteration.Observe(float64(computed))
}

func (e *vllm) Decoded(tokens int) {
	e.Generation.Add(float64(tokens))
	e.Iteration.Observe(float64(tokens))
}

func (e *vllm) TTFT(seconds float64, _ bool) { e.First.Observe(seconds) }

func (e *vllm) ITL(seconds float64, n int) { e.Between.ObserveN(seconds, uint64(n)) }

func (e *vllm) Retracted(requests, _, _ int) { e.Preemptions.Add(float64(requests)) }

func (e *vllm) Finished(f Finished) {
	e.Success.Inc(or(f.Reason, "length"))
	e.Whole.Observe(f.E2E)
	e.Prefill.Observe(f.Prefill)
	e.Decode.Observe(f.Decode)
	e.Inference.Observe(f.Prefill + f.Decode)
	e.ISL.Observe(float64(f.ISL))
	e.OSL.Observe(float64(f.OSL))
	if f.OSL > 1 {
		e.PerToken.Observe(f.Decode / float64(f.OSL-1))
	}
}

func (e *vllm) Aborted() { e.Success.Inc("abort") }
