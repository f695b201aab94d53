package baseline

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
)

// Keys are what is learned: where the time of a request goes, and the lengths
// it depends on.
var Keys = []string{
	"frontend.ttft", "frontend.itl", "frontend.event_loop_delay", "frontend.isl", "frontend.osl",
	"stage.preprocess", "stage.route", "stage.transport", "stage.postprocess",
	"request_plane.queue", "request_plane.send", "request_plane.roundtrip_ttft",
	"router.overhead.block_hashing", "router.overhead.seq_hashing", "router.overhead.find_matches",
	"router.overhead.scheduling", "router.overhead.total", "router.overhead.shared_cache",
	"worker.permit_wait", "worker.network_transit",
	"engine.ttft", "engine.itl", "engine.queue_time", "engine.prefill_time", "engine.kv_transfer",
}

// What counts as little to do. Nothing may wait anywhere; and what runs must
// leave the engines so much room that their batches are small. These are our
// own numbers: the upstream measure is one request at a time, which a live
// deployment seldom shows.
const (
	// LowBatch is the largest share of its request limit that a worker runs.
	LowBatch = 0.25
	// LowKV is the largest share of its KV pool that a worker uses.
	LowKV = 0.30
	// OneByOne is how many requests in all the frontends still count as low
	// where engines tell neither what waits nor what they hold: one at a time
	// waits for nothing.
	OneByOne = 1
	// LeastN is the number of observations below which a mean is no baseline.
	LeastN = 50
	// LeastColumns is the number of low columns below which a window says too
	// little: a few quiet moments between two bursts are no baseline.
	LeastColumns = 6
)

// look is how far apart load is looked at: a column counts when every look
// within it was low.
const look = 5 * time.Second

// Plan is what is asked to learn from one window.
type Plan struct {
	// Span is the length of the window, Step that of a column of it.
	Span, Step time.Duration
}

// PlanOf is the plan for a window whose slowest target is scraped at an
// interval: columns of four scrapes, ten seconds at least.
func PlanOf(span, interval time.Duration) Plan {
	step := max(10*time.Second, 4*interval.Round(time.Second))
	step = (step + look - 1) / look * look
	return Plan{Span: max(span, step).Truncate(step), Step: step}
}

// What load is told by.
var (
	waitingNeeds = []sources.Need{
		{Key: "engine.waiting", Form: sources.FormNow},
		{Key: "router.queue.pending", Form: sources.FormNow},
		{Key: "worker.admission.queue", Form: sources.FormNow},
	}
	needRunning = sources.Need{Key: "engine.running", Form: sources.FormNow, By: "instance"}
	needMost    = sources.Need{Key: "engine.max_running", Form: sources.FormNow, By: "instance"}
	needKV      = sources.Need{Key: "kv.used_share", Form: sources.FormExpr, By: "instance"}
	needActive  = sources.Need{Key: "frontend.active", Form: sources.FormNow}
)

// Needs are what Learn reads.
func (p Plan) Needs() []sources.Need {
	var out []sources.Need
	for _, n := range append([]sources.Need{needRunning, needMost, needKV, needActive}, waitingNeeds...) {
		out = append(out, p.load(n))
	}
	for _, k := range Keys {
		out = append(out, p.sum(k), p.count(k))
	}
	return out
}

// load is the course of a gauge from before the first column on.
func (p Plan) load(n sources.Need) sources.Need { return n.Over(p.Span+p.Step+look, look) }

func (p Plan) sum(key string) sources.Need {
	return sources.Need{Key: key, Form: sources.FormSumRate, Window: p.Step}.Over(p.Span, p.Step)
}

func (p Plan) count(key string) sources.Need {
	return sources.Need{Key: key, Form: sources.FormCount, Window: p.Step}.Over(p.Span, p.Step)
}

// Learned is what came of learning.
type Learned struct {
	Set               *Set
	Deployment, Model string
	From, To          time.Time // the window
	// Columns is how many columns the window has, Low how many of them count.
	Columns, Low int
	// Waiting, Busy and Unknown are why the others do not: something waited,
	// workers held too much, nothing told.
	Waiting, Busy, Unknown int
	// OneByOne: the engines tell no load, so that only moments with at most
	// one request in all counted.
	OneByOne bool
	// Few are keys with observations, and fewer than LeastN of them.
	Few map[string]float64
}

// Learn reads the baselines out of a snapshot that answered Needs. It is pure:
// the same snapshot gives the same set. It is an error
// when nothing could be learned; Learned says then too what was seen.
func (p Plan) Learn(snap *sources.Snapshot) (Learned, error) {
	l := Learned{Few: map[string]float64{}, Set: &Set{}, From: snap.At.Add(-p.Span).UTC(), To: snap.At.UTC()}
	l.Deployment, l.Model = OwnerOf(snap)
	low := p.lowColumns(snap, &l)
	entry := Entry{Deployment: l.Deployment, Model: l.Model, Learned: l.To}
	best := 0.0
	for _, key := range Keys {
		sum, n := p.total(snap, key, low)
		best = max(best, n)
		switch {
		case n >= LeastN && l.Low >= LeastColumns:
			entry.Key, entry.Mean, entry.N = key, sum/n, math.Round(n)
			l.Set.put(entry)
		case n >= 1:
			l.Few[key] = n
		}
	}
	if l.Set.Len() > 0 {
		return l, nil
	}
	return l, l.failure(best)
}

// failure says why nothing was learned.
func (l Learned) failure(best float64) error {
	what := fmt.Sprintf("learn a baseline from %s to %s", l.From.Format(time.TimeOnly), l.To.Format(time.TimeOnly))
	switch {
	case l.Columns == 0 || l.Unknown == l.Columns:
		return fmt.Errorf("%s: no load is known in it; hint: the window must lie within what was collected, with engine metrics on", what)
	case l.Low < LeastColumns && l.OneByOne:
		return fmt.Errorf("%s: in %d of %d columns no more than %d request was in flight, and %d are needed; hint: engine metrics would tell load better (--enable-metrics and DYN_SYSTEM_PORT)", what, l.Low, l.Columns, OneByOne, LeastColumns)
	case l.Low < LeastColumns:
		return fmt.Errorf("%s: %d of %d columns had little to do, and %d are needed (something waited in %d, workers were busy in %d); hint: learn at a quieter time", what, l.Low, l.Columns, LeastColumns, l.Waiting, l.Busy)
	default:
		return fmt.Errorf("%s: its %d quiet columns hold %.0f observations at most, and %d are needed; hint: learn over a longer window", what, l.Low, best, LeastN)
	}
}

// total is a histogram's sum and count over the low columns. Where a column's
// look-back is longer than the step, only the step's share of it counts.
func (p Plan) total(snap *sources.Snapshot, key string, low map[int64]bool) (sum, n float64) {
	sums, counts := snap.Figure(p.sum(key)), snap.Figure(p.count(key))
	if !sums.HasValue() || !counts.HasValue() {
		return 0, 0
	}
	rate := course(sums)
	window := max(counts.Window, p.Step).Seconds()
	count := course(counts)
	// In the order of time: floating-point sums depend on it.
	for _, t := range slices.Sorted(maps.Keys(count)) {
		s, ok := rate[t]
		c := count[t]
		if !ok || !low[t] || !(c > 0) || !(s >= 0) || math.IsInf(s, 0) || math.IsInf(c, 0) {
			continue
		}
		n += c * p.Step.Seconds() / window
		sum += s * p.Step.Seconds()
	}
	return sum, n
}

// lowColumns are the columns with little to do, by their time in milliseconds.
func (p Plan) lowColumns(snap *sources.Snapshot, l *Learned) map[int64]bool {
	looks := p.looks(snap, l)
	step, each := p.Step.Milliseconds(), look.Milliseconds()
	last := snap.At.UnixMilli() / step * step
	window := step
	if w := snap.Figure(p.count(Keys[0])).Window.Milliseconds(); w > window {
		window = (w + each - 1) / each * each
	}
	out := map[int64]bool{}
	for t := last - p.Span.Milliseconds() + step; t <= last; t += step {
		l.Columns++
		worst := lookLow
		for at := t - window; at <= t; at += each {
			worst = max(worst, looks(at))
		}
		switch worst {
		case lookLow:
			l.Low++
			out[t] = true
		case lookBusy:
			l.Busy++
		case lookWaiting:
			l.Waiting++
		default:
			l.Unknown++
		}
	}
	return out
}

// The answers of one look at the load.
const (
	lookLow = iota
	lookBusy
	lookWaiting
	lookUnknown
)

// looks answers how much there was to do at a moment.
func (p Plan) looks(snap *sources.Snapshot, l *Learned) func(at int64) int {
	of := func(n sources.Need) *sources.Figure { return snap.Figure(p.load(n)) }
	queue := of(waitingNeeds[0])
	running, most, kv := byInstance(of(needRunning)), byInstance(of(needMost)), byInstance(of(needKV))
	l.OneByOne = !queue.HasValue() || len(running) == 0 || len(most)+len(kv) == 0
	if l.OneByOne {
		active := course(of(needActive))
		return func(at int64) int {
			switch v, ok := active[at]; {
			case !ok:
				return lookUnknown
			case v > OneByOne:
				return lookBusy
			default:
				return lookLow
			}
		}
	}
	var queues []map[int64]float64
	for _, n := range waitingNeeds[1:] {
		queues = append(queues, course(of(n))) // empty where there is no such queue
	}
	waiting := course(queue)
	return func(at int64) int {
		v, ok := waiting[at]
		if !ok {
			return lookUnknown
		}
		for _, q := range queues {
			v += q[at]
		}
		if v > 0 {
			return lookWaiting
		}
		for in, course := range running {
			run, ok := course[at]
			if !ok {
				continue // a worker that was not there
			}
			limit, hasLimit := most[in][at]
			used, hasKV := kv[in][at]
			switch {
			case hasLimit && limit > 0 && run > max(1, LowBatch*limit), hasKV && used > LowKV:
				return lookBusy
			case (!hasLimit || limit <= 0) && !hasKV && run > OneByOne:
				return lookUnknown
			}
		}
		return lookLow
	}
}

// course is the first group of a figure by time, in milliseconds.
func course(f *sources.Figure) map[int64]float64 {
	out := map[int64]float64{}
	if !f.HasValue() {
		return out
	}
	for _, p := range f.Series[0].Points {
		if !math.IsNaN(p.V) {
			out[p.T] = p.V
		}
	}
	return out
}

func byInstance(f *sources.Figure) map[string]map[int64]float64 {
	out := map[string]map[int64]float64{}
	if !f.HasValue() {
		return out
	}
	for _, s := range f.Series {
		c := map[int64]float64{}
		for _, p := range s.Points {
			if !math.IsNaN(p.V) {
				c[p.T] = p.V
			}
		}
		out[s.Labels["instance"]] = c
	}
	return out
}

// Ticker is a feed.
type Ticker interface {
	Tick(ctx context.Context, ask feed.Ask) *sources.Snapshot
}

// From asks a feed for the window of a length up to a moment (zero is its
// present) and learns from it. The interval of the slowest target is found by a
// tick of its own.
func From(ctx context.Context, f Ticker, at time.Time, span time.Duration, scope catalog.Scope) (Learned, error) {
	first := f.Tick(ctx, feed.Ask{At: at, Window: span, Scope: scope})
	if at.IsZero() {
		at = first.At // both ticks are about one moment
	}
	interval := time.Second
	for _, t := range first.Targets {
		interval = max(interval, t.Interval)
	}
	plan := PlanOf(span, interval)
	snap := f.Tick(ctx, feed.Ask{Needs: plan.Needs(), At: at, Window: span, Scope: scope})
	if err := ctx.Err(); err != nil {
		return Learned{}, fmt.Errorf("learn a baseline: %w", err)
	}
	return plan.Learn(snap)
}
