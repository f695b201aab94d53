package world

import (
	"fmt"
	"time"

	"dynascope/bench/sim/engine"
	"dynascope/bench/sim/page"
)

// addObservers makes the processes that only look on: DCGM exporters, KV block
// managers, the planner.
func (w *World) addObservers() {
	x := &w.sc.Deployment.Exporters
	if x.DCGM {
		byHost := map[int]*exporter{}
		for _, k := range w.workers {
			for _, g := range k.gpus {
				e := byHost[g.host]
				if e == nil {
					e = &exporter{name: fmt.Sprintf("dcgm%d", g.host), number: g.host}
					e.book = page.DCGM(page.DCGMOptions{Hostname: fmt.Sprintf("gpu-node-%d", g.host), Extra: true})
					byHost[g.host] = e
					w.exporters = append(w.exporters, e)
				}
				g.book = e.book.Add(page.Device{
					Index: g.index, UUID: uuid(w.seed<<16 + uint64(g.number)), Model: g.model.name,
					PCI: fmt.Sprintf("00000000:%02X:00.0", 0x18+g.index*0x11),
				})
				e.gpus = append(e.gpus, g)
			}
		}
	}
	if x.KVBM != "off" && x.KVBM != "" && !w.plain {
		for i, k := range w.workers {
			k.kvbm = &kvbm{name: fmt.Sprintf("kvbm%d", i), book: page.KVBM(x.KVBM)}
		}
	}
	if x.Planner && !w.plain {
		w.planner = newPlanner(w)
	}
}

// everySecond samples what real processes sample.
func (w *World) everySecond(now time.Duration) {
	for _, k := range w.workers {
		if k.dead {
			continue
		}
		if removed := k.book.second(now); removed > 0 && w.embedded && k.pool.indexed() {
			for _, f := range w.frontends {
				f.book.KVEvents(k.pool.component, "removed", "ok", removed*k.pool.params.PageSize/k.pool.block)
			}
		}
		if k.kvbm != nil {
			k.kvbm.second(k)
		}
	}
	interval := max(w.sc.Deployment.Exporters.DCGMInterval, second)
	for _, e := range w.exporters {
		if now-e.last >= interval {
			for _, g := range e.gpus {
				g.sample(now, now-e.last)
			}
			e.last = now
		}
	}
	for _, f := range w.frontends {
		f.second()
	}
	if w.planner != nil {
		w.planner.second(now)
	}
	w.clock.at(now+second, w.everySecond)
}

// second observes the frontend's runtime: the lateness of a 10 ms sleep, and
// tokio's own figures.
func (f *frontend) second() {
	if f.book == nil {
		return
	}
	w, b := f.w, f.book
	late := f.fault.loop
	turns := int(second / (11*time.Millisecond + late))
	for range turns {
		d := 0.0011 * (0.6 + 0.8*w.jitterRand.Float64())
		if w.jitterRand.IntN(200) == 0 {
			d += 0.006 * w.jitterRand.Float64() // a busy moment
		}
		if late > 0 {
			d += 2 * w.jitterRand.Float64() * late.Seconds()
		}
		b.LoopDelay.Observe(d)
		if d > 0.005 {
			b.LoopStalls.Inc()
		}
	}
	busy := min(60+4*float64(len(f.live)), 600)
	if late > 0 {
		busy = min(busy+1000*late.Seconds()/0.02, 1000)
	}
	for i, name := range tokioWorkers {
		x := busy * (0.9 + 0.2*w.jitterRand.Float64())
		b.Tokio.Busy.Set(float64(int(min(x, 1000))), name)
		b.Tokio.MeanPollNs.Set(float64(int(x*1000))+float64(i), name)
		b.Tokio.Parks.Add(float64(650+w.jitterRand.IntN(80)), name)
		b.Tokio.Steals.Add(float64(300+w.jitterRand.IntN(60)), name)
		b.Tokio.Overflows.Add(0, name)
		depth := 0
		if late > 0 {
			depth = int(late/time.Millisecond) * (1 + len(f.live)/8)
		}
		b.Tokio.LocalQueue.Set(float64(depth/len(tokioWorkers)), name)
	}
	b.Tokio.Tasks.Set(float64(90 + 4*len(f.live)))
	b.Tokio.Blocking.Set(2)
	b.Tokio.BlockingIdle.Set(2)
}

var tokioWorkers = []string{"0", "1"}

func (f *frontend) poolAdded(p *pool) {
	t := p.phase.workerType()
	f.book.PoolAdded(p.model.name, t)
	if f.w.embedded && p.indexed() {
		f.book.IndexAdded(p.model.name, t, p.component)
	}
}

// kvbm is a worker's KV block manager: what leaves the device cache goes to
// host memory, and part of what is asked for again comes back from there.
type kvbm struct {
	name string
	book *page.KVBMPage

	evicted, cached uint64
}

func (b *kvbm) second(k *worker) {
	var evicted, cached, computed uint64
	for _, r := range k.ranks {
		s := r.engine.Stats()
		evicted += s.EvictedPages
		cached += s.CachedTokens
		computed += s.PrefillTokens
	}
	if evicted < b.evicted || cached < b.cached {
		b.evicted, b.cached = 0, 0 // another process
	}
	out := evicted - b.evicted
	b.book.OffloadDeviceHost.Add(float64(out))
	b.book.OffloadHostDisk.Add(float64(out / 4))
	matched := cached - b.cached
	b.book.Matched.Add(float64(matched))
	back := matched / uint64(max(k.pool.params.PageSize, 1)) / 8
	b.book.OnboardHostDevice.Add(float64(back))
	if cached+computed > 0 {
		b.book.HostHitRate.Set(float64(cached) / float64(cached+computed))
	}
	b.evicted, b.cached = evicted, cached
}

// planner watches and reports; the fault scale is what really scales.
type planner struct {
	w     *World
	book  *page.PlannerPage
	last  time.Duration
	hours float64

	count, tokens, input uint64 // since last
	ttft, itl, duration  float64
	gaps                 uint64
	replicas             [2]int
}

func newPlanner(w *World) *planner {
	p := &planner{w: w, book: page.Planner(page.Gen(w.sc.Deployment.Generation))}
	p.book.Decide("unset", "unset")
	if sla := w.sc.SLA; sla.TTFT > 0 {
		p.book.TargetTTFTMs.Set(ms(sla.TTFT))
	}
	if sla := w.sc.SLA; sla.ITL > 0 {
		p.book.TargetITLMs.Set(ms(sla.ITL))
	}
	return p
}

// ended is told of every request that succeeded.
func (p *planner) ended(r *request) {
	if p == nil || r.outcome != "" || r.got == 0 {
		return
	}
	p.count++
	p.tokens += uint64(r.got)
	p.input += uint64(r.isl)
	p.ttft += (r.first - r.arrived).Seconds()
	p.duration += (r.ended - r.arrived).Seconds()
	if r.got > 1 {
		p.itl += (r.last - r.first).Seconds()
		p.gaps += uint64(r.got - 1)
	}
}

func (p *planner) second(now time.Duration) {
	w := p.w
	gpus := 0
	n := [2]int{}
	for _, k := range w.workers {
		if k.dead {
			continue
		}
		gpus += len(k.gpus)
		if k.pool.phase == prefilling {
			n[0]++
		} else {
			n[1]++
		}
	}
	p.hours += float64(gpus) / 3600
	b := p.book
	b.GPUHours.Set(p.hours)
	b.PrefillReplicas.Set(float64(n[0]))
	b.DecodeReplicas.Set(float64(n[1]))
	if now-p.last < w.sc.Deployment.Exporters.PlannerInterval {
		return
	}
	seconds := (now - p.last).Seconds()
	p.last = now
	b.WantedPrefill.Set(float64(n[0]))
	b.WantedDecode.Set(float64(n[1]))
	load, throughput := "no_change", "set_lower_bound"
	switch was := p.replicas[0] + p.replicas[1]; {
	case was > 0 && n[0]+n[1] > was:
		load = "scale_up"
	case was > 0 && n[0]+n[1] < was:
		load = "scale_down"
	}
	p.replicas = n
	if p.count == 0 {
		throughput = "no_traffic_data"
		b.ObservedRate.Set(0)
	} else {
		c := float64(p.count)
		b.ObservedRate.Set(c / seconds)
		b.ObservedTTFTMs.Set(1000 * p.ttft / c)
		b.ObservedDuration.Set(p.duration / c)
		b.ObservedISL.Set(float64(p.input) / c)
		b.ObservedOSL.Set(float64(p.tokens) / c)
		b.PredictedRate.Set(c / seconds)
		b.PredictedISL.Set(float64(p.input) / c)
		b.PredictedOSL.Set(float64(p.tokens) / c)
		if p.gaps > 0 {
			b.ObservedITLMs.Set(1000 * p.itl / float64(p.gaps))
		}
	}
	b.Decide(load, throughput)
	p.count, p.tokens, p.input, p.gaps, p.ttft, p.itl, p.duration = 0, 0, 0, 0, 0, 0, 0
}

// bound is the resource that limits the deployment at a moment.
type bound struct {
	what    string // none, frontend, router, queue_prefill, queue_decode, kv, handler, transfer, workers
	who     string // the worker, when it is one
	waiting int    // requests that wait for it
}

// watch logs what binds whenever it changes.
func (w *World) watch(now time.Duration) {
	w.truth.binds(now, w.binds())
	w.clock.at(now+watchBounds, w.watch)
}

// binds finds where most requests wait.
func (w *World) binds() bound {
	best := bound{what: "none"}
	note := func(b bound) {
		if b.waiting > best.waiting {
			best = b
		}
	}
	for _, m := range w.models {
		note(bound{"router", "", len(m.preQueue) + len(m.queue1)})
	}
	for _, q := range w.routers {
		note(bound{"router", q.name, q.deciding})
	}
	for _, f := range w.frontends {
		if len(f.fault.stages) == 0 && f.fault.loop == 0 {
			continue
		}
		n := 0
		for _, r := range f.live {
			if r.got == 0 && (r.preprocessed == 0 || r.main == nil && r.prefill == nil || r.main != nil && r.main.rank == nil) {
				n++
			}
		}
		note(bound{"frontend", f.name, n})
	}
	for _, k := range w.workers {
		if k.dead {
			continue
		}
		if k.frozen > 0 {
			n := len(k.stalled)
			for _, r := range k.ranks {
				n += len(r.live)
			}
			note(bound{"worker", k.name, n})
			continue
		}
		note(bound{"handler", k.name, len(k.handler.queue)})
		for _, r := range k.ranks {
			s := r.engine.Stats()
			what := ""
			switch s.Bound {
			case engine.Unbound: // nobody waits, or only for the step under way
				continue
			case engine.BoundKV:
				what = "kv"
			case engine.BoundRunning:
				what = "queue_decode"
				if k.pool.phase == prefilling {
					what = "queue_prefill"
				}
			case engine.BoundPrefill:
				what = "queue_prefill"
			}
			note(bound{what, k.name, s.Waiting})
		}
		moving := 0
		for _, r := range k.ranks {
			moving += r.link.waiting(k.fault.transfer)
		}
		note(bound{"transfer", k.name, moving})
	}
	return best
}
