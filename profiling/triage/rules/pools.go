package rules

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
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

const (
	// queueLeast is how many requests wait on average in a worker that has a
	// queue: below one it is empty part of the time.
	queueLeast = 1.0
	// waitLeast is how many waits must have ended in the look-back for their
	// mean to say anything.
	waitLeast = 10
	// atLimit is the share of the batch's limit from which on it is full: a
	// place is empty for a step after each request that ends.
	atLimit = 0.95
	// kvFull is the share of its KV pool from which on SGLang retracts
	// (reference: "retracts from about 0.9"); the dashboards' red is 0.95.
	kvFull = 0.9
	// retractLeast is how many retractions in the look-back are more than
	// a stray one.
	retractLeast = 3
)

func (w member) queues() bool { return w.waiting >= queueLeast }

// queueing says that most of the workers have a queue: nobody could have
// taken the requests instead.
func (p *pool) queueing() bool {
	n := 0
	for _, w := range p.workers {
		if w.queues() {
			n++
		}
	}
	return 2*n > len(p.workers)
}

// bound is what keeps a worker's queue from being run.
type bound string

const (
	boundSlots   bound = "slots"   // the batch is as large as it may be
	boundKV      bound = "kv"      // there is no KV room
	boundPrefill bound = "prefill" // neither: the work of prompts
	boundUnknown bound = "unknown" // the figures that would tell are not there
)

func (w member) bound() bound {
	switch {
	case w.running >= atLimit*w.limit:
		return boundSlots
	case w.retracted >= retractLeast || w.kv >= kvFull:
		return boundKV
	case math.IsNaN(w.kv) || math.IsNaN(w.limit) && w.Role != "prefill":
		return boundUnknown
	case w.kvMost >= kvFull:
		// Now and then full: the room reserved for what runs may be what
		// keeps others out, or may not.
		return boundUnknown
	case w.Role == "decode":
		return boundUnknown // there is no prefill to be bound by
	default:
		return boundPrefill
	}
}

// bound is what binds most of the queueing workers, which is first where they
// differ. Prefill is a conclusion from all else having room, and is drawn only
// where it holds of every one of them.
func (p *pool) bound() bound {
	n := map[bound]int{}
	all := 0
	for _, w := range p.workers {
		if w.queues() {
			n[w.bound()]++
			all++
		}
	}
	for _, b := range []bound{boundKV, boundSlots} {
		if 2*n[b] > all {
			return b
		}
	}
	if all > 0 && n[boundPrefill] == all {
		return boundPrefill
	}
	return boundUnknown
}

// wait is how long a request waits in the engines' queues, on average over the
// requests of the look-back. Where no engine measures that (or only a part of
// it: decode workers count the remote prefill) it is what Little's law makes
// of length and throughput, and little is true.
func (p *pool) wait() (seconds float64, little, ok bool) {
	total, n := 0.0, 0.0
	if p.role != "decode" {
		for _, w := range p.workers {
			if w.waits > 0 && !math.IsNaN(w.wait) {
				total, n = total+w.wait*w.waits, n+w.waits
			}
		}
	}
	if n >= waitLeast {
		return total / n, false, true
	}
	if rate := p.sum(func(w member) float64 { return w.rate }); n == 0 && rate*verdict.Look.Seconds() >= waitLeast {
		return p.waiting() / rate, true, true
	}
	return 0, false, false
}

const (
	// waitOfSLA is the part of the promised TTFT that the queue alone may
	// take: with half of it gone before any work begins, a request of ordinary
	// length has no room for a second one before it.
	waitOfSLA = 0.5
	// waitPlain is the limit without a promise.
	waitPlain = 1.0
	// waitFloor is what a wait must reach whatever was promised: a chunk of
	// prefill takes tenths of seconds, and to wait for one is no queue.
	waitFloor = 0.2
	// waitCritical is the wait without a promise from which on it is critical:
	// upstream's dashboards call prefill saturated above 5 s on average, 10 s
	// at p99.
	waitCritical = 5.0
)

// waitLimit is the mean wait that is too long.
func waitLimit(m verdict.Moment) float64 {
	if promised := m.SLA().TTFT.Seconds(); promised > 0 {
		return max(waitOfSLA*promised, waitFloor)
	}
	return waitPlain
}

// severityOf says how bad a mean wait is: critical where it breaks the promise
// by itself.
func severityOf(m verdict.Moment, wait float64) verdict.Severity {
	limit := m.SLA().TTFT.Seconds()
	if limit <= 0 {
		limit = waitCritical
	}
	if wait >= limit {
		return verdict.Critical
	}
	return verdict.Warning
}

// severeFor is how long a severity lasts at least: one that changed with every
// column would be news every five seconds.
const severeFor = 30 * time.Second

// lately is the worst severity of one culprit within severeFor. of finds it by
// itself at each moment, and says Info where it is not there.
func lately(m verdict.Moment, of func(verdict.Moment) verdict.Severity) (worst verdict.Severity) {
	for d := time.Duration(0); d <= severeFor; d += verdict.Step {
		then, ok := m.Before(d)
		if !ok {
			break
		}
		worst = max(worst, of(then))
	}
	return worst
}

// queueSeverity is how bad the queue of a pool of this name has been lately;
// at least a warning.
func queueSeverity(m verdict.Moment, name string) verdict.Severity {
	return max(verdict.Warning, lately(m, func(then verdict.Moment) verdict.Severity {
		if p := poolNamed(then, name); p != nil {
			if level, wait := p.judge(then); level != verdict.Clear {
				return severityOf(then, wait)
			}
		}
		return verdict.Info
	}))
}

func poolNamed(m verdict.Moment, name string) *pool {
	for _, p := range poolsOf(m) {
		if p.name() == name {
			return p
		}
	}
	return nil
}

// judge says whether a pool's queue is too long, whatever binds it.
func (p *pool) judge(m verdict.Moment) (l verdict.Level, wait float64) {
	wait, _, ok := p.wait()
	if !ok {
		return verdict.Clear, 0
	}
	limit := waitLimit(m)
	switch {
	case p.queueing() && wait >= limit:
		return verdict.Fires, wait
	case p.waiting() >= queueLeast && wait >= limit/2:
		return verdict.Stays, wait
	}
	return verdict.Clear, wait
}

// count words "2 of 3 workers".
func (p *pool) count(of func(member) bool) string {
	n := 0
	for _, w := range p.workers {
		if of(w) {
			n++
		}
	}
	who := "workers"
	if p.role != "aggregated" {
		who = p.role + " workers"
	}
	if p.several {
		who += " of " + p.model
	}
	if len(p.workers) == 1 {
		return "the only " + strings.Replace(who, "workers", "worker", 1)
	}
	return fmt.Sprintf("%d of %d %s", n, len(p.workers), who)
}

// evidence are the numbers behind a queue and what binds it.
func (p *pool) evidence(m verdict.Moment) (out []verdict.Evidence) {
	who := p.where()
	wait, little, _ := p.wait()
	if little {
		out = append(out, verdict.Evidence{
			Text: "queue wait " + text.Duration(wait) + " by Little's law, from length and throughput", Value: wait, Threshold: waitLimit(m), Unit: "seconds", Window: verdict.Look,
		})
	} else {
		out = append(out, m.Number("queue wait "+text.Duration(wait)+" (exact mean)", memberWait, who, wait, waitLimit(m)))
	}
	out = append(out, m.Number(text.Count(p.waiting())+" requests wait", memberWaiting, who, p.waiting(), queueLeast*float64(len(p.workers))))
	running, limit := p.sum(func(w member) float64 { return w.running }), p.sum(func(w member) float64 { return w.limit })
	if limit > 0 {
		out = append(out, m.Number(fmt.Sprintf("running %s of %s", text.Count(running), text.Count(limit)), memberRunning, who, running, atLimit*limit))
	}
	if kv := p.mean(func(w member) float64 { return w.kv }); !math.IsNaN(kv) {
		out = append(out, m.Number("KV "+text.Percent(kv), memberKV, who, kv, kvFull))
	}
	if n := p.sum(func(w member) float64 { return w.retracted }); n > 0 {
		out = append(out, m.Number(text.Count(n)+" retractions", memberRetracted, who, n, retractLeast))
	}
	return out
}
