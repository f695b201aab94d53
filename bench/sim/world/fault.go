package world

import (
	"math/rand/v2"
	"time"

	"dynascope/bench/sim/engine"
	"dynascope/bench/sim/scenario"
)

// activeFault is a fault while it is on.
type activeFault struct {
	f *scenario.Fault
}

// effects is what the faults that are on do to one frontend and its router.
type effects struct {
	stages map[string]stageEffect
	loop   time.Duration
	net    time.Duration
	clock  time.Duration
	errors []shareEffect
	cancel shareEffect
}

type stageEffect struct {
	factor float64
	delay  time.Duration
}

// apply is the time of a stage under the effect.
func (e stageEffect) apply(d time.Duration) time.Duration {
	if e.factor > 0 {
		d = time.Duration(float64(d) * e.factor)
	}
	return d + e.delay
}

// shareEffect meets a share of the requests, of one model or of all.
type shareEffect struct {
	share float64
	kind  string // error type
	model string
}

func (s shareEffect) of(m *model) bool { return s.model == "" || s.model == m.name }

// workerEffects is what the faults that are on do to one worker.
type workerEffects struct {
	slow, transfer, kv float64
	host               time.Duration
	net, clock         time.Duration
	slots              float64 // share of handler slots that is left; 0 is all
	dropEvents         float64
	errors             []shareEffect
}

// startFaults schedules the faults of one round.
func (w *World) startFaults(offset time.Duration) {
	for i := range w.sc.Faults {
		f := &w.sc.Faults[i]
		for win := range f.Windows(w.sc.Duration) {
			a := &activeFault{f}
			w.clock.at(offset+win.From, func(time.Duration) { w.faultOn(a) })
			if win.To < w.sc.Duration || w.sc.Repeat {
				w.clock.at(offset+win.To, func(time.Duration) { w.faultOff(a) })
			}
		}
	}
}

func (w *World) faultOn(a *activeFault) {
	w.active = append(w.active, a)
	now := w.clock.now
	for _, t := range a.f.Target {
		w.truth.fault(now, string(a.f.Kind), t.String(), true)
	}
	switch a.f.Kind {
	case scenario.Kill:
		w.met(a.f, func(k *worker) { k.kill() })
	case scenario.Restart:
		w.met(a.f, func(k *worker) { k.leave() })
	case scenario.Hang:
		w.met(a.f, func(k *worker) { k.freeze() })
	case scenario.FlushCache:
		w.met(a.f, func(k *worker) { k.flush() })
	case scenario.Scale:
		for _, t := range a.f.Target {
			w.scale(t.Pool, a.f.Workers)
		}
	case scenario.MetricsFrozen:
		for _, e := range w.ends {
			if e.metBy(a.f) && (e.worker == nil || !e.worker.dead) {
				w.frozenPages[e.Name] = w.render(e)
			}
		}
	}
	w.applyFaults()
}

func (w *World) faultOff(a *activeFault) {
	for i, b := range w.active {
		if a == b {
			w.active = append(w.active[:i], w.active[i+1:]...)
			break
		}
	}
	for _, t := range a.f.Target {
		w.truth.fault(w.clock.now, string(a.f.Kind), t.String(), false)
	}
	switch a.f.Kind {
	case scenario.Kill, scenario.Restart:
		w.met(a.f, func(k *worker) {
			if k.dead && !k.gone {
				k.start()
			}
		})
	case scenario.Hang:
		w.met(a.f, func(k *worker) { k.thaw() })
	case scenario.Scale:
		for _, t := range a.f.Target {
			for _, p := range w.pools {
				if p.name == t.Pool {
					w.scale(t.Pool, p.size)
				}
			}
		}
	}
	w.applyFaults()
}

// met calls fn for every worker that a fault meets.
func (w *World) met(f *scenario.Fault, fn func(*worker)) {
	for _, k := range w.workers {
		if w.meetsWorker(f, k) {
			fn(k)
		}
	}
}

func (w *World) meetsWorker(f *scenario.Fault, k *worker) bool {
	for _, t := range f.Target {
		if t.Worker(k.number, k.pool.name, k.inPool) {
			return true
		}
		for _, g := range k.gpus {
			if t.Is(scenario.TargetGPU, g.number) || t.Is(scenario.TargetHost, g.host) {
				return true
			}
		}
	}
	return false
}

// applyFaults computes anew what the faults that are on do to everyone.
func (w *World) applyFaults() {
	for _, f := range w.frontends {
		f.fault = w.effectsOn(func(x *scenario.Fault) bool { return w.meetsFrontend(x, f) })
	}
	for _, q := range w.routers {
		q.fault = w.effectsOn(q.meets)
	}
	for _, k := range w.workers {
		w.applyTo(k)
	}
}

// effectsOn sums up the faults that meet one frontend or router.
func (w *World) effectsOn(meets func(*scenario.Fault) bool) effects {
	e := effects{stages: map[string]stageEffect{}}
	for _, a := range w.active {
		if !meets(a.f) {
			continue
		}
		switch a.f.Kind {
		case scenario.SlowStage:
			s := e.stages[a.f.Stage]
			if a.f.Factor > 0 {
				s.factor = max(s.factor, 1) * a.f.Factor
			}
			s.delay += a.f.Delay
			e.stages[a.f.Stage] = s
		case scenario.EventLoopDelay:
			e.loop += a.f.Delay
		case scenario.NetworkDelay:
			e.net += a.f.Delay
		case scenario.ClockSkew:
			e.clock += a.f.Delay
		case scenario.RequestErrors:
			e.errors = append(e.errors, shareEffect{a.f.Share, a.f.Error, a.f.Model})
		case scenario.CancelRequests:
			e.cancel = shareEffect{a.f.Share, "", a.f.Model}
		}
	}
	return e
}

// applyTo computes anew what the faults that are on do to one worker.
func (w *World) applyTo(k *worker) {
	e := workerEffects{slow: 1, transfer: 1, kv: 1}
	for _, g := range k.gpus {
		g.clear()
	}
	ranks := map[int]workerEffects{}
	for _, a := range w.active {
		f := a.f
		if !w.meetsWorker(f, k) {
			continue
		}
		switch f.Kind {
		case scenario.Slow:
			// One rank of a worker can be slow alone.
			for _, t := range f.Target {
				if t.Rank < 0 {
					e.slow *= f.Factor
					break
				}
				r := ranks[t.Rank]
				r.slow = max(r.slow, 1) * f.Factor
				ranks[t.Rank] = r
			}
		case scenario.HostDelay:
			e.host += f.Delay
		case scenario.ThrottleGPU:
			lowest := 1.0
			for _, g := range k.gpus {
				if meetsGPU(f, k, g) {
					g.throttle(f.Share, f.Reason)
					lowest = min(lowest, f.Share)
				}
			}
			// A step waits for its slowest GPU. Its memory keeps its clock, so
			// it loses less than the clock does.
			e.slow *= 1 + throttleCost*(1/max(lowest, 0.05)-1)
		case scenario.GPUMemory:
			for _, g := range k.gpus {
				if meetsGPU(f, k, g) {
					g.foreign += f.Share
				}
			}
		case scenario.GPUXID:
			for _, g := range k.gpus {
				if meetsGPU(f, k, g) {
					g.xid = f.XID
				}
			}
		case scenario.ShrinkKV:
			e.kv *= f.Share
		case scenario.ShrinkPool:
			e.slots = max(e.slots, 1) * f.Share
		case scenario.SlowTransfer:
			e.transfer *= f.Factor
		case scenario.DropKVEvents:
			e.dropEvents = max(e.dropEvents, f.Share)
		case scenario.NetworkDelay:
			e.net += f.Delay
		case scenario.ClockSkew:
			e.clock += f.Delay
		case scenario.RequestErrors:
			e.errors = append(e.errors, shareEffect{f.Share, f.Error, f.Model})
		}
	}
	k.fault = e
	if k.dead {
		return
	}
	for _, r := range k.ranks {
		slow := e.slow * max(ranks[r.index].slow, 1)
		base := r.base
		r.engine.Set(func(p *engine.Params) {
			p.Slow = max(base.Slow, 1) * slow
			if base.Slow > 0 && base.Slow < 1 {
				p.Slow = base.Slow * slow
			}
			p.KVPages = max(int(float64(base.KVPages)*e.kv), 1)
			p.HostDelay = base.HostDelay + e.host.Seconds()
		})
		w.rearm(r)
		r.relink()
	}
}

// throttleCost is how much of a lost clock a step loses.
const throttleCost = 0.7

func meetsGPU(f *scenario.Fault, k *worker, g *gpu) bool {
	for _, t := range f.Target {
		if t.Is(scenario.TargetGPU, g.number) || t.Is(scenario.TargetHost, g.host) || t.Worker(k.number, k.pool.name, k.inPool) {
			return true
		}
	}
	return false
}

// meetsFrontend: a fault of a router that is no process of its own meets the
// frontend that it is in.
func (w *World) meetsFrontend(f *scenario.Fault, of *frontend) bool {
	for _, t := range f.Target {
		if t.Is(scenario.TargetFrontend, of.number) || len(w.routers) == 0 && t.Is(scenario.TargetRouter, of.number) {
			return true
		}
	}
	return false
}

// skewed is the rank to which a fault sends a request whatever the router's
// rules say; nil when none does.
func (w *World) skewed(m *model, ph phase) *rank {
	for _, a := range w.active {
		if a.f.Kind != scenario.SkewRouting || w.faultRand.Float64() >= a.f.Share {
			continue
		}
		var to []*rank
		for _, r := range m.ranks(ph) {
			for _, t := range a.f.Target {
				if r.routable() && t.Worker(r.worker.number, r.worker.pool.name, r.worker.inPool) && (t.Rank < 0 || t.Rank == r.index) {
					to = append(to, r)
				}
			}
		}
		if len(to) > 0 {
			return to[w.faultRand.IntN(len(to))]
		}
	}
	return nil
}

// drawError says with which error type a request fails under the effects.
func drawError(effects []shareEffect, m *model, r *rand.Rand) string {
	for _, e := range effects {
		if e.of(m) && r.Float64() < e.share {
			return e.kind
		}
	}
	return ""
}
