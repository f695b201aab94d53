package scenario

import (
	"iter"
	"slices"
	"time"
)

// Fault is something that goes wrong for a while. Where several of one kind are
// on at one target, factors and shares of what is left multiply, delays add.
type Fault struct {
	// When it begins.
	At time.Duration `yaml:"at" default:"0s" range:"[0,)" ex:"60s"`
	// How long it lasts; 0s is until the scenario's end. For restart: how long
	// the worker is down. For kill: how long until it is started again.
	For time.Duration `yaml:"for" default:"0s" range:"[0,)" ex:"45s"`
	// Again and again, from one beginning to the next (a worker that flaps, a
	// planner that oscillates); 0s is once.
	Every time.Duration `yaml:"every" default:"0s" range:"[0,)" ex:"90s"`
	// How often at most, with `every`; 0 is until the scenario's end.
	Times int `yaml:"times" default:"0" range:"[0,)" ex:"3"`
	// What goes wrong; see the table of kinds.
	Kind FaultKind `yaml:"kind" required:"true" enum:"@kinds" ex:"slow"`
	// Whom it meets; see targets. Without it, everyone whom the kind can meet.
	Target Targets `yaml:"target" ex:"worker1"`
	// How many times as long (slow, slow_stage, slow_transfer).
	Factor float64 `yaml:"factor" default:"0" range:"[0,)" unit:"×" ex:"4"`
	// What is left (throttle_gpu: of the clock; shrink_kv: of the pages;
	// shrink_pool: of the handler's slots), what is taken (gpu_memory: of the
	// memory), or how many are met (errors, cancel, skew_routing: requests;
	// drop_kv_events: events).
	Share float64 `yaml:"share" default:"0" range:"[0,1]" unit:"share" ex:"0.5"`
	// Time added: to each message (network_delay), each turn of the loop
	// (event_loop_delay), each step (host_delay), each request in a stage
	// (slow_stage), each scrape (metrics_slow), the clock (clock_skew).
	Delay time.Duration `yaml:"delay" default:"0s" ex:"20ms"`
	// The stage of the request's path, for slow_stage.
	Stage string `yaml:"stage" enum:"preprocess|tokenize|template|block_hashing|seq_hashing|find_matches|scheduling|transport|postprocess|detokenize" ex:"find_matches"`
	// The error's type as the frontend counts it, for errors.
	Error string `yaml:"error" default:"internal" enum:"validation|not_found|overload|unavailable|cancelled|response_timeout|first_token_timeout|intra_token_timeout|internal|not_implemented|backend_error|truncated_stream" ex:"overload"`
	// Why the clock falls, for throttle_gpu.
	Reason string `yaml:"reason" default:"hw_thermal" enum:"sw_power_cap|hw_power_brake|sw_thermal|hw_thermal|hw_slowdown|sync_boost" ex:"sw_power_cap"`
	// How many workers the pool has while it is on, for scale.
	Workers int `yaml:"workers" default:"0" range:"[0,1024]" ex:"4"`
	// Last XID code of the GPU, for gpu_xid.
	XID int `yaml:"xid" default:"0" range:"[0,1000]" ex:"79"`
	// Beginnings of the names of the families that are missing, for
	// metrics_missing.
	Families []string `yaml:"families" ex:"[sglang:, dynamo_component_]"`
	// Only requests for this model, for errors and cancel.
	Model string `yaml:"model" ex:"Qwen/Qwen3-8B"`
}

// FaultKind names what goes wrong.
type FaultKind string

// The kinds of fault.
const (
	Kill             FaultKind = "kill"
	Hang             FaultKind = "hang"
	Restart          FaultKind = "restart"
	Slow             FaultKind = "slow"
	HostDelay        FaultKind = "host_delay"
	ThrottleGPU      FaultKind = "throttle_gpu"
	GPUMemory        FaultKind = "gpu_memory"
	GPUXID           FaultKind = "gpu_xid"
	ShrinkKV         FaultKind = "shrink_kv"
	FlushCache       FaultKind = "flush_cache"
	ShrinkPool       FaultKind = "shrink_pool"
	SlowTransfer     FaultKind = "slow_transfer"
	SlowStage        FaultKind = "slow_stage"
	EventLoopDelay   FaultKind = "event_loop_delay"
	SkewRouting      FaultKind = "skew_routing"
	DropKVEvents     FaultKind = "drop_kv_events"
	NetworkDelay     FaultKind = "network_delay"
	Scale            FaultKind = "scale"
	RequestErrors    FaultKind = "errors"
	CancelRequests   FaultKind = "cancel"
	ClockSkew        FaultKind = "clock_skew"
	MetricsDown      FaultKind = "metrics_down"
	MetricsHang      FaultKind = "metrics_hang"
	MetricsSlow      FaultKind = "metrics_slow"
	MetricsTruncated FaultKind = "metrics_truncated"
	MetricsGarbage   FaultKind = "metrics_garbage"
	MetricsHuge      FaultKind = "metrics_huge"
	MetricsFrozen    FaultKind = "metrics_frozen"
	MetricsMissing   FaultKind = "metrics_missing"
)

// faultRule is what a kind means, whom it can meet, and which keys it needs.
type faultRule struct {
	kind    FaultKind
	targets []TargetKind // the first is met when no target is written
	needs   []string     // keys that must be written (not zero)
	uses    []string     // further keys that it reads
	doc     string
}

var (
	engines = []TargetKind{TargetWorker, TargetPool}
	gpus    = []TargetKind{TargetGPU, TargetHost, TargetWorker, TargetPool}
	pages   = []TargetKind{TargetAll, TargetWorker, TargetPool, TargetFrontend, TargetRouter, TargetDCGM, TargetKVBM, TargetPlanner}
)

// routerStages are the stages of the KV router; the rest are the frontend's.
// In other modes a router only schedules.
var routerStages = []string{"block_hashing", "seq_hashing", "find_matches", "scheduling"}

// faultRules lists every kind, in the order of the document.
var faultRules = []faultRule{
	{Kill, engines, nil, nil, "The process is gone (kill −9); its requests fail or migrate. It starts again, cold, with a new worker id after `for`."},
	{Hang, engines, nil, nil, "The process stands still (SIGSTOP): no tokens, no answer to a scrape, no error."},
	{Restart, engines, nil, nil, "The process stops in order: it leaves the router at once, finishes nothing, and is back, cold, after `for`."},
	{Slow, engines, []string{"factor"}, nil, "Every step of the engine takes `factor` times as long."},
	{HostDelay, engines, []string{"delay"}, nil, "Every step is followed by `delay` of host work while the GPU waits."},
	{ThrottleGPU, gpus, []string{"share"}, []string{"reason"}, "Clocks fall to `share`, with the reason shown; steps of the engine on it take longer."},
	{GPUMemory, gpus, []string{"share"}, nil, "Another process holds `share` of the GPU's memory."},
	{GPUXID, gpus, []string{"xid"}, nil, "The driver reports XID code `xid`."},
	{ShrinkKV, engines, []string{"share"}, nil, "Only `share` of the KV pages is left."},
	{FlushCache, engines, nil, nil, "The prefix cache is emptied when it begins; `for` means nothing."},
	{ShrinkPool, engines, []string{"share"}, nil, "Only `share` of the handler's slots is left (pool_capacity stays, slots are stuck)."},
	{SlowTransfer, engines, []string{"factor"}, nil, "Transfers of KV to or from it take `factor` times as long."},
	{SlowStage, []TargetKind{TargetFrontend, TargetRouter}, []string{"stage"}, []string{"factor", "delay"}, "One stage of the request's path takes `factor` times as long, or `delay` longer."},
	{EventLoopDelay, []TargetKind{TargetFrontend}, []string{"delay"}, nil, "The frontend's event loop is late by `delay` at every turn; its tokio workers are busy accordingly."},
	{SkewRouting, engines, []string{"share", "target"}, nil, "The router sends `share` of the requests to the target (to one DP rank with `worker1/0`), whatever its rules say."},
	{DropKVEvents, engines, []string{"share"}, nil, "`share` of the target's KV events never reach the router: its belief of the cache is wrong."},
	{NetworkDelay, []TargetKind{TargetWorker, TargetPool, TargetFrontend, TargetRouter}, []string{"delay"}, nil, "Every message to or from it takes `delay` longer."},
	{Scale, []TargetKind{TargetPool}, []string{"workers", "target"}, nil, "The pool has `workers` workers: new ones start, or the last ones stop; the planner, if any, reports it as its own decision."},
	{RequestErrors, []TargetKind{TargetFrontend, TargetWorker, TargetPool}, []string{"share"}, []string{"error", "model"}, "`share` of the requests fail with the type `error`."},
	{CancelRequests, []TargetKind{TargetFrontend}, []string{"share"}, []string{"model"}, "The clients of `share` of the requests go away (those of the load's `cancel` come on top)."},
	{ClockSkew, []TargetKind{TargetWorker, TargetPool, TargetFrontend}, []string{"delay"}, nil, "Its clock is ahead by `delay` (behind when negative)."},
	{MetricsDown, pages, nil, nil, "Nothing listens where its metrics were; it serves on."},
	{MetricsHang, pages, nil, nil, "A scrape is accepted and never answered."},
	{MetricsSlow, pages, []string{"delay"}, nil, "A scrape is answered after `delay`."},
	{MetricsTruncated, pages, nil, nil, "The page ends in the middle of a line."},
	{MetricsGarbage, pages, nil, nil, "The answer is no metrics page, with status 200."},
	{MetricsHuge, pages, nil, nil, "The page is larger than a scraper should read."},
	{MetricsFrozen, pages, nil, nil, "The page stays as it was when the fault began."},
	{MetricsMissing, pages, []string{"families"}, nil, "The families whose names begin so are not on the page."},
}

// FaultKinds lists every kind, in the order of the document.
func FaultKinds() []FaultKind {
	out := make([]FaultKind, len(faultRules))
	for i, r := range faultRules {
		out[i] = r.kind
	}
	return out
}

// FaultKeys lists the keys of a kind, besides at, for, every, times and target:
// those it needs, and further ones that it reads.
func FaultKeys(k FaultKind) (needs, reads []string) {
	r := ruleOf(k)
	return slices.Clone(r.needs), slices.Clone(r.uses)
}

// FaultTargets are whom a kind of fault can meet; the first, when no target is
// written.
func FaultTargets(k FaultKind) []TargetKind { return slices.Clone(ruleOf(k).targets) }

func ruleOf(k FaultKind) *faultRule {
	for i := range faultRules {
		if faultRules[i].kind == k {
			return &faultRules[i]
		}
	}
	return nil
}

// Window is a stretch of the scenario, From ≤ t < To.
type Window struct{ From, To time.Duration }

// Windows yields the stretches in which the fault is on, ascending, within a
// scenario of the given duration. A fault that only happens at a moment
// (flush_cache) has a window all the same: the moment is its start.
func (f *Fault) Windows(duration time.Duration) iter.Seq[Window] {
	return func(yield func(Window) bool) {
		for i, at := 0, f.At; at < duration; i++ {
			to := duration
			if f.For > 0 && f.For < duration-at {
				to = at + f.For
			}
			if !yield(Window{at, to}) {
				return
			}
			if f.Every <= 0 || f.Times > 0 && i+1 >= f.Times || f.Every > duration-at {
				return
			}
			at += f.Every
		}
	}
}

// Active reports whether the fault is on at a time, within a scenario of the
// given duration.
func (f *Fault) Active(t, duration time.Duration) bool {
	for w := range f.Windows(duration) {
		if t < w.From {
			return false
		}
		if t < w.To {
			return true
		}
	}
	return false
}
