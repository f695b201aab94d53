package world

import (
	"time"

	"dynascope/bench/sim/engine"
	"dynascope/bench/sim/page"
	"dynascope/bench/sim/scenario"
)

// Condition is how an endpoint's process is.
type Condition uint8

// The conditions of a process.
const (
	Up   Condition = iota
	Dead           // not there: nothing listens
	Hung           // there, and answers nothing
)

// Condition says how an endpoint's process is now; metrics faults are not
// looked at.
func (w *World) Condition(name string) Condition {
	e := w.byName[name]
	switch {
	case e == nil:
		return Dead
	case e.worker == nil:
		return Up
	case e.worker.dead:
		return Dead
	case e.worker.frozen > e.worker.exporting:
		return Hung
	}
	return Up
}

// Uptime is how long an endpoint's process has been up.
func (w *World) Uptime(name string) time.Duration {
	if e := w.byName[name]; e != nil && e.worker != nil {
		return w.clock.now - e.worker.started + startedBefore
	}
	return w.clock.now + startedBefore
}

// Instance is an endpoint that a frontend's discovery knows.
type Instance struct {
	Worker, Component, Endpoint string
	ID                          uint64
}

// Instances lists what is registered: the generate endpoint of each worker,
// those where the router asks for KV events, and those of standalone routers.
func (w *World) Instances() (out []Instance) {
	seen := map[uint64]bool{}
	for _, q := range w.routers {
		for _, name := range page.StandaloneEndpoints {
			out = append(out, Instance{q.name, "router", name, q.id})
		}
	}
	for _, m := range w.models {
		for _, ph := range m.phases() {
			for _, r := range m.ranks(ph) {
				k := r.worker
				if !seen[r.id] {
					seen[r.id] = true
					out = append(out, Instance{k.name, k.pool.component, "generate", r.id})
				}
				if w.kvRouter && k.pool.indexed() {
					out = append(out, Instance{k.name, k.pool.component, page.QueryEndpoint(r.id, r.index), r.id})
				}
			}
		}
	}
	return out
}

// RankLoad is one DP rank's state, as a plain server's /v1/loads tells it.
type RankLoad struct {
	Load       page.Load
	MaxRunning int
	PageSize   int
	Cached     uint64 // prompt tokens found in the cache, ever
	Prefilled  uint64 // and computed

	PrefillBusy   time.Duration // the time that this took
	WaitingTokens int           // prompt tokens of the queue that are not cached
	GPU           string        // the device's name
	// Memory of one GPU.
	WeightsGiB, KVGiB, GraphGiB float64
}

// Loads are the states of a worker's ranks; nil when it is dead.
func (w *World) Loads(name string) (out []RankLoad) {
	k := w.workerNamed(name)
	if k == nil || k.dead {
		return nil
	}
	for _, r := range k.ranks {
		p, s := r.engine.Params(), r.engine.Stats()
		limits := limitsOf(&k.pool.params)
		l := RankLoad{
			Load: k.book.load(r), MaxRunning: p.MaxRunning, PageSize: p.PageSize, Cached: s.CachedTokens,
			Prefilled: s.PrefillTokens, PrefillBusy: s.PrefillBusy, GPU: gpuModels[k.pool.spec.GPU].name,
			WeightsGiB: limits.WeightsGiB, KVGiB: limits.KVGiB, GraphGiB: limits.GraphGiB,
		}
		for _, a := range r.live {
			if a.in > 0 && a.scheduled == 0 {
				l.WaitingTokens += a.isl - r.engine.Cached(engine.Request{ISL: a.isl, Prefix: a.r.known()})
			}
		}
		out = append(out, l)
	}
	return out
}

// Step is one forward step of a worker's rank 0, for a profiler.
type Step struct {
	Number        uint64        // forward steps since the process started, this one included
	Begin, End    time.Duration // on the GPU
	Batch         int
	PrefillTokens int // 0 for a decode step
}

// Prefill says whether the step computed prompts.
func (s Step) Prefill() bool { return s.PrefillTokens > 0 }

// Watch tells fn of every forward step of a worker's rank 0, until it is set
// to nil. fn is called while the world advances and must not call into it.
func (w *World) Watch(name string, fn func(Step)) {
	if k := w.workerNamed(name); k != nil {
		k.watch = fn
	}
}

// Steps is how many forward steps a worker's rank 0 has done.
func (w *World) Steps(name string) uint64 {
	k := w.workerNamed(name)
	if k == nil || k.dead {
		return 0
	}
	s := k.ranks[0].engine.Stats()
	return s.PrefillSteps + s.DecodeSteps + s.MixedSteps
}

// Hold keeps a worker from doing anything while it exports a profile, or lets
// it go on. Unlike a hang it still answers its system port.
func (w *World) Hold(name string, on bool) {
	k := w.workerNamed(name)
	switch {
	case k == nil || k.dead:
	case on:
		k.exporting++
		k.freeze()
	case k.exporting > 0:
		k.exporting--
		k.thaw()
	}
}

// Plain says that the workers are SGLang's own servers, without Dynamo.
func (w *World) Plain() bool { return w.plain }

// Generation is the release whose habits a worker has.
func (w *World) Generation(name string) string {
	if k := w.workerNamed(name); k != nil {
		return k.pool.spec.Generation
	}
	return w.sc.Deployment.Generation
}

// Mocker says that workers are Dynamo's mockers: without profile routes, and
// notready on their own health route while they serve.
func (w *World) Mocker() bool { return !w.sc.Deployment.Full && !w.plain }

// Engine is a worker's engine: sglang, vllm or trtllm.
func (w *World) Engine(name string) string {
	if k := w.workerNamed(name); k != nil {
		return k.pool.spec.Engine
	}
	return w.sc.Deployment.Engine
}

// Role is what a worker does.
func (w *World) Role(name string) scenario.Role {
	if k := w.workerNamed(name); k != nil {
		return k.pool.spec.Role
	}
	return ""
}
