package kv

import (
	"dynascope/sources"
	"dynascope/tui/facts"
	"dynascope/tui/pane"
)

func now(key string) sources.Need      { return sources.Need{Key: key, Form: sources.FormNow} }
func expr(key string) sources.Need     { return sources.Need{Key: key, Form: sources.FormExpr} }
func rate(key string) sources.Need     { return sources.Need{Key: key, Form: sources.FormRate} }
func mean(key string) sources.Need     { return sources.Need{Key: key, Form: sources.FormMean} }
func increase(key string) sources.Need { return sources.Need{Key: key, Form: sources.FormIncrease} }
func buckets(key string) sources.Need  { return sources.Need{Key: key, Form: sources.FormBuckets} }

// The figures that other parts draw too.
var (
	needUsed      = expr("kv.used_share")
	needEvictable = expr("kv.evictable_share")
	needFree      = expr("kv.free_share")
	needHit       = expr("engine.hit_ratio")
)

// groups are the facts of all workers together, in reading order.
func groups() []facts.Group {
	return []facts.Group{pool(), reuse(), pressure(), tiers(), kvbm(), transfer()}
}

func pool() facts.Group {
	return facts.Group{ID: "pool", Title: "pool, all workers", Bar: []sources.Need{needUsed, needEvictable}, Facts: []facts.Fact{
		{Label: "used", Need: needUsed, Course: true, Mark: 1},
		{Label: "evictable", Need: needEvictable, Course: true, Mark: 2},
		{Label: "free", Need: needFree, Priority: 1},
		{Label: "size", Need: expr("kv.pool_tokens"), Priority: 1},
		{Label: "blocks, by Dynamo", Need: now("worker.kv_total_blocks"), Priority: 3},
		{Label: "usage, by Dynamo", Need: now("worker.kv_usage"), Priority: 2},
		{Label: "used + waiting", Need: now("engine.kv_demand_tokens"), Priority: 3},
		{Label: "sliding window", Need: now("engine.kv_swa_usage"), Priority: 3, Nonzero: true},
		{Label: "Mamba states", Need: now("engine.mamba_usage"), Priority: 3, Nonzero: true},
	}}
}

func reuse() facts.Group {
	return facts.Group{ID: "reuse", Title: "hit rate by tier", Bar: []sources.Need{expr("kv.hit_device"), expr("kv.hit_host"), expr("kv.hit_storage"), expr("kv.hit_external")}, Facts: []facts.Fact{
		{Label: "all tiers", Need: needHit, Course: true},
		{Label: "device", Need: expr("kv.hit_device"), Mark: 1, Course: true, Priority: 1},
		{Label: "host", Need: expr("kv.hit_host"), With: rate("engine.host_hit_tokens"), Mark: 2, Course: true, Priority: 1},
		{Label: "storage", Need: expr("kv.hit_storage"), With: rate("engine.storage_hit_tokens"), Mark: 3, Priority: 1},
		{Label: "KV connector", Need: expr("kv.hit_external"), With: rate("engine.external_cache_hit_tokens"), Mark: 4, Priority: 3},
		// Two other opinions of the same thing.
		{Label: "router predicted", Need: mean("router.kv_hit_rate"), Priority: 2},
		{Label: "frontend was told", Need: expr("frontend.cached_share"), Priority: 2},
	}}
}

// none says why no worker exposes evictions: SGLang's counters with labels are
// absent until their first event.
func none(f pane.Frame) string {
	if f.Snap == nil {
		return ""
	}
	for _, w := range f.Snap.Workers {
		if w.Engine == "sglang" && w.State == sources.WorkerUp {
			return "none so far, or a release without them: SGLang shows each with its first event"
		}
	}
	return ""
}

func pressure() facts.Group {
	return facts.Group{ID: "pressure", Title: "evictions and retractions", Why: none, Facts: []facts.Fact{
		{Label: "retractions", Need: increase("engine.preemptions"), As: facts.Counted, Course: true},
		{Label: "a request", Need: expr("engine.preemption_share"), With: rate("engine.preemptions"), Priority: 2},
		{Label: "tokens redone", Need: rate("engine.retracted_input_tokens"), As: facts.PerSecond, Priority: 3},
		{Label: "evicted", Need: rate("hicache.evicted_tokens"), As: facts.PerSecond, Course: true},
		{Label: "per computed token", Need: expr("hicache.eviction_share"), With: rate("hicache.evicted_tokens"), Priority: 2},
		{Label: "eviction pass", Need: mean("hicache.eviction_time"), Priority: 3},
		{Label: "lost, no copy", Need: rate("hicache.dropped_tokens"), As: facts.PerSecond, Priority: 2},
	}}
}

// aggregated says that nothing is transferred: no worker is a prefill worker,
// and none has measured a transfer.
func aggregated(f pane.Frame) string {
	if f.Snap == nil || len(f.Snap.Workers) == 0 || f.Snap.Figure(mean("engine.kv_transfer")).Status != sources.StatusAbsent {
		return ""
	}
	for _, w := range f.Snap.Workers {
		if w.Role == "prefill" {
			return ""
		}
	}
	return "no prefill worker: prompts are prefilled where they are decoded"
}

func transfer() facts.Group {
	return facts.Group{ID: "transfer", Title: "prefill → decode", Quiet: aggregated, Facts: []facts.Fact{
		{Label: "transfer mean", Need: mean("engine.kv_transfer"), Course: true},
		{Label: "transfer p95", Need: buckets("engine.kv_transfer"), As: facts.Quantile, Q: 0.95, Priority: 1},
		{Label: "moved", Need: sources.Need{Key: "pd.transfer_bytes", Form: sources.FormSumRate}, As: facts.PerSecond, Priority: 1, Course: true},
		{Label: "speed of one", Need: mean("pd.transfer_speed"), Priority: 1},
		{Label: "size of one", Need: mean("pd.transfer_bytes"), Priority: 3},
		{Label: "set-up mean", Need: mean("pd.transfer_bootstrap"), Priority: 2},
		{Label: "wait for room", Need: mean("pd.transfer_alloc"), Priority: 2},
		{Label: "router's estimate", Need: mean("router.kv_transfer_estimate"), Priority: 3},
		{Label: "prefill bootstrap q", Need: now("pd.prefill_bootstrap"), Priority: 1},
		{Label: "prefill transfer q", Need: now("pd.prefill_inflight"), Priority: 1},
		{Label: "decode alloc q", Need: now("pd.decode_prealloc"), Priority: 1},
		{Label: "decode transfer q", Need: now("pd.decode_transfer"), Priority: 1},
		{Label: "KV asked by queue", Need: now("pd.pending_prealloc_usage"), Priority: 3},
		{Label: "failed transfers", Need: increase("pd.transfer_failed"), As: facts.Counted, Priority: 1},
		{Label: "failed bootstraps", Need: increase("pd.bootstrap_failed"), As: facts.Counted, Priority: 2},
		{Label: "prefill retries", Need: increase("pd.prefill_retries"), As: facts.Counted, Priority: 2},
	}}
}

func tiers() facts.Group {
	return facts.Group{ID: "tiers", Title: "host and storage tiers", Facts: []facts.Fact{
		{Label: "host tier used", Optional: true, Need: expr("kv.host_used"), Course: true},
		{Label: "device → host", Optional: true, Need: rate("hicache.backup_tokens"), As: facts.PerSecond, Priority: 1, Course: true},
		{Label: "copy mean", Optional: true, Need: mean("hicache.backup_time"), Priority: 3},
		{Label: "host → device", Optional: true, Need: rate("hicache.load_back_tokens"), As: facts.PerSecond, Priority: 1, Course: true},
		{Label: "load mean", Optional: true, Need: mean("hicache.load_back_time"), Priority: 2},
		{Label: "storage → host", Optional: true, Need: rate("hicache.prefetched_tokens"), As: facts.PerSecond, Priority: 1},
		{Label: "host → storage", Optional: true, Need: rate("hicache.storage_backup_tokens"), As: facts.PerSecond, Priority: 1},
		{Label: "found in storage", Optional: true, Need: rate("hicache.storage_hit_tokens"), As: facts.PerSecond, Priority: 3},
		{Label: "found, not used", Optional: true, Need: rate("hicache.storage_unfulfilled_tokens"), As: facts.PerSecond, Priority: 3},
		{Label: "writes dropped", Optional: true, Need: rate("hicache.storage_backup_dropped"), As: facts.PerSecond, Priority: 3},
		{Label: "storage reads", Optional: true, Need: mean("hicache.prefetch_bandwidth"), Priority: 3},
		{Label: "offloaded", Optional: true, Need: rate("engine.kv_offload_bytes"), As: facts.PerSecond, Priority: 1},
		{Label: "onboarded", Optional: true, Need: rate("engine.kv_onboard_bytes"), As: facts.PerSecond, Priority: 1},
	}}
}

func kvbm() facts.Group {
	return facts.Group{ID: "kvbm", Title: "KVBM", Facts: []facts.Fact{
		{Label: "tokens matched", Need: rate("kvbm.matched_tokens"), As: facts.PerSecond, Course: true},
		{Label: "device → host", Need: rate("kvbm.offload_device_host"), As: facts.PerSecond, Priority: 1, Course: true},
		{Label: "host → disk", Need: rate("kvbm.offload_host_disk"), As: facts.PerSecond, Priority: 1},
		{Label: "device → disk", Need: rate("kvbm.offload_device_disk"), As: facts.PerSecond, Priority: 2},
		{Label: "device → object", Need: rate("kvbm.offload_device_object"), As: facts.PerSecond, Priority: 2},
		{Label: "host → device", Need: rate("kvbm.onboard_host_device"), As: facts.PerSecond, Priority: 1, Course: true},
		{Label: "disk → device", Need: rate("kvbm.onboard_disk_device"), As: facts.PerSecond, Priority: 1},
		{Label: "object → device", Need: rate("kvbm.onboard_object_device"), As: facts.PerSecond, Priority: 2},
		{Label: "object reads lost", Need: increase("kvbm.object_read_failures"), As: facts.Counted, Priority: 1},
		{Label: "object writes lost", Need: increase("kvbm.object_write_failures"), As: facts.Counted, Priority: 1},
		// Gauges of the block manager's own sliding window.
		{Label: "host hits, own", Need: now("kvbm.host_hit_rate"), Priority: 3},
		{Label: "disk hits, own", Need: now("kvbm.disk_hit_rate"), Priority: 3},
		{Label: "object hits, own", Need: now("kvbm.object_hit_rate"), Priority: 3},
	}}
}
