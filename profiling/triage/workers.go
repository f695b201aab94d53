package triage

import (
	"math"
	"time"

	"dynascope/sources"
)

// Cell is one number of a worker, with why it is missing if it is.
type Cell struct {
	V      float64
	Status sources.Status
	At     time.Time // when it was true; older than the snapshot when stale
	Need   sources.Need
}

// Has says whether there is a number to draw.
func (c Cell) Has() bool {
	return (c.Status == sources.StatusOK || c.Status == sources.StatusStale) && !math.IsNaN(c.V)
}

// WorkerRow is one worker and one of its DP ranks, as its own engine, the
// runtime around it and the router see it. What the router believes stands
// beside what the engine says; the two are never merged.
type WorkerRow struct {
	sources.Worker
	Rank string

	Running, MaxRunning, Waiting Cell // requests
	KV                           Cell // ratio of the pool
	Hit                          Cell // ratio of prompt tokens found in the prefix cache
	Prefill, Decode              Cell // tokens per second
	Preemptions                  Cell // in the window
	// Of the whole worker, not of the rank:
	Inflight        Cell // requests inside the runtime's handler: running and waiting
	Arrivals        Cell // requests per second that the runtime received
	Errors          Cell // in the window
	TTFT, ITL       sources.Bounds
	TTFTAt, ITLAt   Cell // status of the two
	BelievedBlocks  Cell // active KV blocks, by the router's book-keeping
	BelievedPrefill Cell // prefill tokens in flight, by the router's book-keeping
}

const perRank = "instance,dp_rank"

// The questions behind the rows; each is asked once for all workers.
var (
	needRunning     = sources.Need{Key: "engine.running", Form: sources.FormNow, By: perRank}
	needWaiting     = sources.Need{Key: "engine.waiting", Form: sources.FormNow, By: perRank}
	needKV          = sources.Need{Key: "engine.kv_usage", Form: sources.FormNow, By: perRank}
	needHit         = sources.Need{Key: "engine.hit_ratio", Form: sources.FormExpr, By: perRank}
	needPrefill     = sources.Need{Key: "engine.prefill_tokens", Form: sources.FormRate, By: perRank}
	needDecode      = sources.Need{Key: "engine.decode_tokens", Form: sources.FormRate, By: perRank}
	needPreemptions = sources.Need{Key: "engine.preemptions", Form: sources.FormIncrease, By: perRank}
	needMax         = sources.Need{Key: "engine.max_running", Form: sources.FormNow, By: perRank}
	needModelMax    = sources.Need{Key: "model.max_num_seqs", Form: sources.FormNow, By: "model"}
	needInflight    = sources.Need{Key: "worker.inflight", Form: sources.FormNow, By: "instance"}
	needArrivals    = sources.Need{Key: "worker.requests", Form: sources.FormRate, By: "instance"}
	needErrors      = sources.Need{Key: "worker.errors", Form: sources.FormIncrease, By: "instance"}
	needWorkerTTFT  = sources.Need{Key: "engine.ttft", Form: sources.FormBuckets, By: "instance"}
	needWorkerITL   = sources.Need{Key: "engine.itl", Form: sources.FormBuckets, By: "instance"}
	needBlocks      = sources.Need{Key: "router.belief.active_blocks", Form: sources.FormNow, By: "worker_id,dp_rank"}
	needTokens      = sources.Need{Key: "router.belief.prefill_tokens", Form: sources.FormNow, By: "worker_id,dp_rank"}
)

// WorkerNeeds are the figures that WorkerRows reads.
func WorkerNeeds() []sources.Need {
	return []sources.Need{
		needRunning, needWaiting, needKV, needHit, needPrefill, needDecode, needPreemptions, needMax, needModelMax,
		needInflight, needArrivals, needErrors, needWorkerTTFT, needWorkerITL, needBlocks, needTokens,
	}
}

// WorkerRows joins the snapshot's workers with their figures, one row a DP
// rank, in the order of the snapshot's workers.
func WorkerRows(s *sources.Snapshot) []WorkerRow {
	if s == nil {
		return nil
	}
	j := join{s, map[sources.Need]map[string][]sources.Series{}}
	var out []WorkerRow
	for _, w := range s.Workers {
		for _, rank := range w.Ranks {
			out = append(out, j.row(w, rank))
		}
	}
	return out
}

// join looks groups up by worker without walking every group for every
// worker: 256 workers times 16 figures would be a million comparisons.
type join struct {
	snap  *sources.Snapshot
	index map[sources.Need]map[string][]sources.Series
}

func (j join) groups(n sources.Need, label, value string) []sources.Series {
	by := j.index[n]
	if by == nil {
		by = map[string][]sources.Series{}
		for _, s := range j.snap.Figure(n).Series {
			v := s.Labels[label]
			by[v] = append(by[v], s)
		}
		j.index[n] = by
	}
	return by[value]
}

func (j join) row(w sources.Worker, rank string) WorkerRow {
	dead := w.State == sources.WorkerStale || w.State == sources.WorkerGone
	live := func(c Cell) Cell {
		// A dead worker without a last good number is not idle: nobody knows.
		if dead && c.Status == sources.StatusIdle {
			c.Status = sources.StatusAbsent
		}
		return c
	}
	engine := func(n sources.Need) Cell { return live(j.cell(n, "instance", w.Instance, rank, len(w.Ranks))) }
	whole := func(n sources.Need) Cell { return live(j.cell(n, "instance", w.Instance, "", 1)) }
	router := func(n sources.Need) Cell { return j.cell(n, "worker_id", w.Decimal, rank, len(w.Ranks)) }
	r := WorkerRow{
		Worker: w, Rank: rank,
		Running: engine(needRunning), Waiting: engine(needWaiting), KV: engine(needKV), Hit: engine(needHit),
		Prefill: engine(needPrefill), Decode: engine(needDecode), Preemptions: engine(needPreemptions), MaxRunning: engine(needMax),
		Inflight: whole(needInflight), Arrivals: whole(needArrivals), Errors: whole(needErrors),
		BelievedBlocks: router(needBlocks), BelievedPrefill: router(needTokens),
	}
	r.TTFT, r.TTFTAt = j.p95(needWorkerTTFT, w.Instance)
	r.ITL, r.ITLAt = j.p95(needWorkerITL, w.Instance)
	r.TTFTAt, r.ITLAt = live(r.TTFTAt), live(r.ITLAt)
	if !r.MaxRunning.Has() {
		// The model card's limit is that of the first worker; it stands in
		// where the engine does not export its own.
		f := j.snap.Figure(needModelMax)
		for _, s := range f.Series {
			if p, ok := s.Last(); ok && p.V > 0 && (w.Model == "" || s.Labels["model"] == w.Model) {
				r.MaxRunning = Cell{V: p.V, Status: f.Status, At: f.At, Need: needModelMax}
				break
			}
		}
	}
	return r
}

// cell finds the group of a worker's rank. Lines without a rank belong to the
// only rank there is.
func (j join) cell(n sources.Need, label, value, rank string, ranks int) Cell {
	f := j.snap.Figure(n)
	c := Cell{V: math.NaN(), Status: f.Status, At: f.At, Need: n}
	if value == "" {
		c.Status = sources.StatusAbsent
		return c
	}
	groups := j.groups(n, label, value)
	for _, s := range groups {
		if have := s.Labels["dp_rank"]; rank != "" && have != rank && !(have == "" && ranks == 1) {
			continue
		}
		if p, ok := s.Last(); ok {
			c.V, c.At = p.V, p.Time()
			c.Status = j.freshness(f, p)
			return c
		}
	}
	if c.Status == sources.StatusOK {
		// Others have this figure and this worker does not.
		c.Status = sources.StatusIdle
		if n.Form == sources.FormNow || n.Form == sources.FormTotal {
			c.Status = sources.StatusAbsent
		}
	}
	return c
}

// freshness tells a value of now from one that the feed carried over from the
// last good scrape of a dead target. The figure's own moment counts: a long window
// is read every few seconds only.
func (j join) freshness(f *sources.Figure, p sources.Point) sources.Status {
	if f.Status == sources.StatusOK && f.At.UnixMilli()-p.T > 100 {
		return sources.StatusStale
	}
	if f.Status == sources.StatusOK && math.IsNaN(p.V) {
		return sources.StatusNaN
	}
	return f.Status
}

func (j join) p95(n sources.Need, instance string) (sources.Bounds, Cell) {
	f := j.snap.Figure(n)
	c := Cell{V: math.NaN(), Status: f.Status, At: f.At, Need: n}
	if instance == "" {
		c.Status = sources.StatusAbsent
		return sources.Bounds{}, c
	}
	groups := j.groups(n, "instance", instance)
	if len(groups) > 0 {
		if p, ok := groups[0].Last(); ok {
			c.At, c.Status = p.Time(), j.freshness(f, p)
		}
	}
	b, ok := sources.BucketsOf(groups)
	if ok {
		if q, ok := b.Quantile(0.95); ok {
			c.V = q.Hi
			return q, c
		}
	}
	if c.Status == sources.StatusOK {
		c.Status = sources.StatusIdle
	}
	return sources.Bounds{}, c
}
