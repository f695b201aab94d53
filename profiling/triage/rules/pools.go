package rules

import (
	"cmp"
	"math"
	"slices"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

// A pool is all workers of one role and model: what a router may choose from.
// Demand beyond capacity is judged of pools, and not of workers: one worker
// with a queue beside idle ones is not short of capacity, it is slow or
// badly routed to.
type pool struct {
	role, model string
	several     bool // there are several models: the pool is called by its own
	workers     []member
}

// member is one worker of a pool at one moment. What is not known is NaN.
type member struct {
	sources.Worker
	waiting, running float64 // requests, mean over recent
	limit            float64 // most running requests
	kv, kvMost       float64 // share of the KV pool: mean and most over recent
	retracted        float64 // requests thrown out of the batch in the look-back
	wait, waits      float64 // exact mean wait in the engine's queue of the look-back, and of how many
	rate             float64 // requests per second that left it in the look-back
}

// recent is over how long gauges are averaged: an engine's batch changes with
// every step, and one column is chance.
const recent = 20 * time.Second

var (
	memberWaiting   = nowOf("engine.waiting", "instance")
	memberPrealloc  = nowOf("pd.decode_prealloc", "instance")
	memberRunning   = nowOf("engine.running", "instance")
	memberLimit     = nowOf("engine.max_running", "instance")
	memberCard      = nowOf("model.max_num_seqs", "model")
	memberKV        = sources.Need{Key: "kv.used_share", Form: sources.FormExpr, By: "instance"}
	memberKVDynamo  = nowOf("worker.kv_usage", "instance")
	memberRetracted = sources.Need{Key: "engine.preemptions", Form: sources.FormIncrease, By: "instance"}
	memberWait      = sources.Need{Key: "engine.queue_time", Form: sources.FormMean, By: "instance"}
	memberWaits     = sources.Need{Key: "engine.queue_time", Form: sources.FormCount, By: "instance"}
	memberDone      = sources.Need{Key: "engine.requests_done", Form: sources.FormRate, By: "instance"}
)

// poolNeeds are what poolsOf reads.
var poolNeeds = []sources.Need{
	memberWaiting, memberPrealloc, memberRunning, memberLimit, memberCard, memberKV, memberKVDynamo, memberRetracted, memberWait, memberWaits, memberDone,
}

// gauges are the figures of one column by instance.
type gauges struct{ waiting, prealloc, running, kv map[string]float64 }

func byInstance(m verdict.Moment, n sources.Need) map[string]float64 {
	groups := m.Groups(n)
	out := make(map[string]float64, len(groups))
	for _, g := range groups {
		out[g.Labels["instance"]] = g.V
	}
	return out
}

func gaugesOf(m verdict.Moment) *gauges {
	return m.Once("pool gauges", func() any {
		g := &gauges{byInstance(m, memberWaiting), byInstance(m, memberPrealloc), byInstance(m, memberRunning), byInstance(m, memberKV)}
		for in, v := range byInstance(m, memberKVDynamo) {
			if _, ok := g.kv[in]; !ok {
				g.kv[in] = v
			}
		}
		return g
	}).(*gauges)
}

// over is mean and maximum of a gauge of one worker over recent.
func over(columns []*gauges, in string, of func(*gauges) map[string]float64) (mean, most float64) {
	n := 0.0
	most = math.Inf(-1)
	for _, g := range columns {
		if v, ok := of(g)[in]; ok && !math.IsNaN(v) {
			mean, most, n = mean+v, max(most, v), n+1
		}
	}
	if 2*n < float64(len(columns)) || n == 0 {
		return math.NaN(), math.NaN()
	}
	return mean / n, most
}

// poolsOf are the pools whose engines tell at this moment what runs, ordered
// by name.
func poolsOf(m verdict.Moment) []*pool {
	return m.Once("pools", func() any { return buildPools(m) }).([]*pool)
}

func buildPools(m verdict.Moment) []*pool {
	var columns []*gauges
	for d := time.Duration(0); d < recent; d += verdict.Step {
		if then, ok := m.Before(d); ok {
			columns = append(columns, gaugesOf(then))
		}
	}
	limits, retracted := byInstance(m, memberLimit), byInstance(m, memberRetracted)
	wait, waits, done := byInstance(m, memberWait), byInstance(m, memberWaits), byInstance(m, memberDone)
	cards := m.Groups(memberCard)
	all := map[[2]string]*pool{}
	models := map[string]bool{}
	for _, w := range m.Workers() {
		if w.Instance == "" {
			continue
		}
		running, _ := over(columns, w.Instance, func(g *gauges) map[string]float64 { return g.running })
		waiting, _ := over(columns, w.Instance, func(g *gauges) map[string]float64 { return g.waiting })
		if _, now := columns[0].waiting[w.Instance]; math.IsNaN(running) || math.IsNaN(waiting) || !now {
			continue
		}
		x := member{Worker: w, waiting: waiting, running: running, limit: limitOf(w, limits, cards)}
		if w.Role == "decode" {
			// SGLang's decode workers keep those that wait for KV room apart.
			if v, _ := over(columns, w.Instance, func(g *gauges) map[string]float64 { return g.prealloc }); !math.IsNaN(v) {
				x.waiting += v
			}
		}
		x.kv, x.kvMost = over(columns, w.Instance, func(g *gauges) map[string]float64 { return g.kv })
		x.retracted, x.wait, x.waits, x.rate = known(retracted, w.Instance), known(wait, w.Instance), known(waits, w.Instance), known(done, w.Instance)
		k := [2]string{cmp.Or(w.Role, "aggregated"), w.Model}
		models[w.Model] = true
		if all[k] == nil {
			all[k] = &pool{role: k[0], model: k[1]}
		}
		all[k].workers = append(all[k].workers, x)
	}
	out := make([]*pool, 0, len(all))
	for _, p := range all {
		p.several = len(models) > 1
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *pool) int { return cmp.Compare(a.name(), b.name()) })
	return out
}

func known(by map[string]float64, in string) float64 {
	if v, ok := by[in]; ok {
		return v
	}
	return math.NaN()
}

// limitOf is the most requests a worker runs at once: its engine's own limit,
// else that of the model's card, which is of one rank.
func limitOf(w sources.Worker, own map[string]float64, cards []verdict.Group) float64 {
	if v := known(own, w.Instance); v > 0 {
		return v
	}
	for _, g := range cards {
		if g.V > 0 && (g.Labels["model"] == w.Model || w.Model == "" && len(cards) == 1) {
			return g.V * float64(max(1, len(w.Ranks)))
		}
	}
	return math.NaN()
}

// name is what a pool is called: its role, with the model where there are
// several.
func (p *pool) name() string {
	switch {
	case !p.several:
		return p.role
	case p.role == "aggregated":
		return p.model
	default:
		return p.model + " " + p.role
	}
}

// culprit is the pool, or the only worker in it.
func (p *pool) culprit(m verdict.Moment) verdict.Culprit {
	if len(p.workers) == 1 {
		return m.CulpritOf(p.workers[0].Instance)
	}
	return verdict.Culprit{Kind: "pool", Name: p.name()}
}

// poolOf finds the pool that a culprit stands for.
func poolOf(m verdict.Moment, c verdict.Culprit) *pool {
	for _, p := range poolsOf(m) {
		if p.culprit(m) == c {
			return p
		}
	}
	return nil
}

// where limits evidence to the pool, where labels can.
func (p *pool) where() sources.Labels {
	if len(p.workers) == 1 {
		return instanceOf(p.workers[0].Instance)
	}
	return nil
}

// sum adds up what is known of the workers.
func (p *pool) sum(of func(member) float64) (total float64) {
	for _, w := range p.workers {
		if v := of(w); !math.IsNaN(v) {
			total += v
		}
	}
	return total
}

// mean is the mean over the workers of which it is known; NaN for none.
func (p *pool) mean(of func(member) float64) float64 {
	total, n := 0.0, 0.0
	for _, w := range p.workers {
		if v := of(w); !math.IsNaN(v) {
			total, n = total+v, n+1
		}
	}
	return total / n
}

func (p *pool) waiting() float64 { return p.sum(func(w member) float64 { return w.waiting }) }
