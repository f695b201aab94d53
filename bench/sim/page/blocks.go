package page

import "strings"

// KVBMPage is the page of Dynamo's KV block manager (port 6880): blocks moved
// between device (d), host (h), disk (also d: the real names are ambiguous)
// and object store (o).
type KVBMPage struct {
	Page
	OffloadDeviceHost   *Counter `family:"kvbm_offload_blocks_d2h"`
	OffloadHostDisk     *Counter `family:"kvbm_offload_blocks_h2d"`
	OffloadDeviceDisk   *Counter `family:"kvbm_offload_blocks_d2d"`
	OffloadDeviceObject *Counter `family:"kvbm_offload_blocks_d2o"`
	OnboardHostDevice   *Counter `family:"kvbm_onboard_blocks_h2d"`
	OnboardDiskDevice   *Counter `family:"kvbm_onboard_blocks_d2d"`
	OnboardObjectDevice *Counter `family:"kvbm_onboard_blocks_o2d"`
	Matched             *Counter `family:"kvbm_matched_tokens"`
	OffloadObjectBytes  *Counter `family:"kvbm_offload_bytes_object"`
	OnboardObjectBytes  *Counter `family:"kvbm_onboard_bytes_object"`
	ObjectReadFailures  *Counter `family:"kvbm_object_read_failures"`
	ObjectWriteFailures *Counter `family:"kvbm_object_write_failures"`
	HostHitRate         *Gauge   `family:"kvbm_host_cache_hit_rate"`   // 0-1
	DiskHitRate         *Gauge   `family:"kvbm_disk_cache_hit_rate"`   // 0-1
	ObjectHitRate       *Gauge   `family:"kvbm_object_cache_hit_rate"` // 0-1
}

// KVBM makes the page of a block manager. Prefix is kvbm_ (current) or
// dynamo_kvbm_ (older).
func KVBM(prefix string) *KVBMPage {
	k := &KVBMPage{}
	s := source{page: &k.Page, table: "kvbm", gen: Gen16, style: rust}
	s.rename = func(name string) string { return strings.Replace(name, "kvbm_", prefix, 1) }
	s.declare().bind(k)
	return k
}

// PlannerPage is the page of Dynamo's planner. Worker ids are decimal.
type PlannerPage struct {
	Page
	PrefillReplicas  *Gauge `family:"dynamo_planner_num_prefill_replicas"`
	DecodeReplicas   *Gauge `family:"dynamo_planner_num_decode_replicas"`
	WantedPrefill    *Gauge `family:"dynamo_planner_predicted_num_prefill_replicas"`
	WantedDecode     *Gauge `family:"dynamo_planner_predicted_num_decode_replicas"`
	ObservedTTFTMs   *Gauge `family:"dynamo_planner_observed_ttft_ms"`
	ObservedITLMs    *Gauge `family:"dynamo_planner_observed_itl_ms"`
	ObservedRate     *Gauge `family:"dynamo_planner_observed_requests_per_second"`
	ObservedDuration *Gauge `family:"dynamo_planner_observed_request_duration_seconds"`
	ObservedISL      *Gauge `family:"dynamo_planner_observed_input_sequence_tokens"`
	ObservedOSL      *Gauge `family:"dynamo_planner_observed_output_sequence_tokens"`
	PredictedRate    *Gauge `family:"dynamo_planner_predicted_requests_per_second"`
	PredictedISL     *Gauge `family:"dynamo_planner_predicted_input_sequence_tokens"`
	PredictedOSL     *Gauge `family:"dynamo_planner_predicted_output_sequence_tokens"`
	EstimatedTTFTMs  *Gauge `family:"dynamo_planner_estimated_ttft_ms"`
	EstimatedITLMs   *Gauge `family:"dynamo_planner_estimated_itl_ms"`
	TargetTTFTMs     *Gauge `family:"dynamo_planner_sla_target_ttft_ms"`
	TargetITLMs      *Gauge `family:"dynamo_planner_sla_target_itl_ms"`
	PrefillCapacity  *Gauge `family:"dynamo_planner_engine_prefill_capacity_requests_per_second"`
	DecodeCapacity   *Gauge `family:"dynamo_planner_engine_decode_capacity_requests_per_second"`
	GPUHours         *Gauge `family:"dynamo_planner_gpu_hours"`

	QueuedPrefill  *Gauge `family:"dynamo_planner_engine_queued_prefill_tokens"`   // worker, rank
	QueuedDecode   *Gauge `family:"dynamo_planner_engine_queued_decode_kv_tokens"` // worker, rank
	InflightDecode *Gauge `family:"dynamo_planner_engine_inflight_decode_kv_tokens"`

	LoadDecision       *Gauge `family:"dynamo_planner_load_scaling_decision"` // use Decide
	ThroughputDecision *Gauge `family:"dynamo_planner_throughput_scaling_decision"`

	PowerBudget    *Gauge `family:"dynamo_planner_power_budget_total_watts"`
	PowerProjected *Gauge `family:"dynamo_planner_power_projected_watts"`
	PowerUse       *Gauge `family:"dynamo_planner_power_budget_utilization"`

	TickLag      *Gauge     `family:"dynamo_planner_tick_lag_seconds"` // plug-in
	TickSeconds  *Histogram `family:"dynamo_planner_tick_duration_seconds"`
	TickTimeouts *Counter   `family:"dynamo_planner_tick_timeout_total"`
	TickSkips    *Counter   `family:"dynamo_planner_tick_skipped_total"`
	TickUnmet    *Counter   `family:"dynamo_planner_tick_requires_unsatisfied_total"`
	Clamped      *Counter   `family:"dynamo_planner_reconcile_clamped_total"`
	Capped       *Counter   `family:"dynamo_planner_constrain_capped_total"`
	ShortCuts    *Counter   `family:"dynamo_planner_reject_short_circuited_total"`

	PluginRuns     *Counter   `family:"dynamo_planner_plugin_evaluations_total"` // plug-in, result, stage
	PluginSeconds  *Histogram `family:"dynamo_planner_plugin_latency_seconds"`   // plug-in, stage
	PluginCircuit  *Gauge     `family:"dynamo_planner_plugin_circuit_state"`     // plug-in
	PluginHeldOver *Counter   `family:"dynamo_planner_plugin_held_over_total"`   // plug-in
	PluginCacheAge *Gauge     `family:"dynamo_planner_plugin_cache_age_seconds"` // plug-in
	PluginOverride *Gauge     `family:"dynamo_planner_plugin_override_active"`   // plug-in
}

// Planner makes the page of a planner; up to 0.9 its names begin planner:.
func Planner(gen Gen) *PlannerPage {
	p := &PlannerPage{}
	s := source{page: &p.Page, table: "planner", gen: gen, style: python}
	if gen == Gen09 {
		s.rename = func(name string) string { return strings.Replace(name, "dynamo_planner_", "planner:", 1) }
	}
	s.declare().bind(p)
	return p
}

// Decide shows why the planner did or did not scale for load and for
// throughput: one state of each is 1, the others 0.
func (p *PlannerPage) Decide(load, throughput string) {
	choose(p.LoadDecision, load)
	choose(p.ThroughputDecision, throughput)
}

func choose(g *Gauge, state string) {
	if g == nil {
		return
	}
	for _, s := range g.v.fam.series {
		s.value = 0
	}
	g.Set(1, state)
}
