package triage

import (
	"math"
	"slices"
	"strings"

	"dynascope/sources"
)

// Belief is one worker and DP rank as the router's book-keeping has it, beside
// the engine's own numbers. The two are never merged.
type Belief struct {
	sources.Worker
	Rank string

	Blocks, Prefill, Waiting Cell // the router's: active KV blocks, prefill tokens, requests
	EngineBlocks             Cell // KV blocks in use; converted where the engine speaks of tokens or shares
	EngineRunning            Cell
	EngineWaiting            Cell
	EngineQueued             Cell // prompt tokens that wait in the engine, by the planner's records
	// Drift is the router's blocks less the engine's, NaN when either is
	// unknown; Drifted marks one that is large against both.
	Drift   float64
	Drifted bool
}

// A drift is marked when the two differ by more than half of the larger one
// and by blocks that matter: a few requests' worth. No number of the
// references; single scrapes of two processes are never of one moment.
const (
	driftShare  = 0.5
	driftBlocks = 64
)

var (
	needBelievedWaiting = sources.Need{Key: "router.belief.waiting", Form: sources.FormNow, By: "worker_id,dp_rank"}
	needUsedTokens      = sources.Need{Key: "engine.kv_used_tokens", Form: sources.FormNow, By: perRank}
	needUsedBlocks      = sources.Need{Key: "engine.kv_used_blocks", Form: sources.FormNow, By: perRank}
	needTotalBlocks     = sources.Need{Key: "model.total_kv_blocks", Form: sources.FormNow, By: byModel}
	needQueuedPrefill   = sources.Need{Key: "planner.queued_prefill_tokens", Form: sources.FormNow, By: "worker_id,dp_rank"}
)

// BeliefNeeds are the figures that Beliefs reads, each asked once for all
// workers.
func BeliefNeeds() []sources.Need {
	return []sources.Need{
		needBlocks, needTokens, needBelievedWaiting, needRunning, needWaiting, needUsedTokens, needUsedBlocks, needKV,
		needTotalBlocks, needBlockSize, needQueuedPrefill,
	}
}

// Beliefs joins the router's beliefs with the workers over both spellings of
// their ids. Strangers are decimal ids in which the router believes and that
// are no worker that is known.
func Beliefs(s *sources.Snapshot) (rows []Belief, strangers []string) {
	if s == nil {
		return nil, nil
	}
	j := join{s, map[sources.Need]map[string][]sources.Series{}}
	known := map[string]bool{}
	for _, w := range s.Workers {
		known[w.Decimal] = true
		for _, rank := range w.Ranks {
			rows = append(rows, j.belief(w, rank))
		}
	}
	for _, n := range []sources.Need{needBlocks, needTokens} {
		for _, g := range s.Figure(n).Series {
			if id := g.Labels["worker_id"]; id != "" && !known[id] && !slices.Contains(strangers, id) {
				strangers = append(strangers, id)
			}
		}
	}
	slices.Sort(strangers)
	return rows, strangers
}

func (j join) belief(w sources.Worker, rank string) Belief {
	router := func(n sources.Need) Cell { return j.cell(n, "worker_id", w.Decimal, rank, len(w.Ranks)) }
	engine := func(n sources.Need) Cell {
		c := j.cell(n, "instance", w.Instance, rank, len(w.Ranks))
		if dead := w.State == sources.WorkerStale || w.State == sources.WorkerGone; dead && c.Status == sources.StatusIdle {
			c.Status = sources.StatusAbsent
		}
		return c
	}
	b := Belief{
		Worker: w, Rank: rank, Drift: math.NaN(),
		Blocks: router(needBlocks), Prefill: router(needTokens), Waiting: router(needBelievedWaiting), EngineQueued: router(needQueuedPrefill),
		EngineRunning: engine(needRunning), EngineWaiting: engine(needWaiting),
	}
	b.EngineBlocks = engine(needUsedTokens)
	if c := b.EngineBlocks; c.Has() {
		b.EngineBlocks.V = math.Round(c.V / blockSize(j.snap, w.Model))
	} else if c := engine(needUsedBlocks); c.Has() {
		b.EngineBlocks = c
	} else if c := engine(needKV); c.Has() {
		c.V = math.Round(c.V * j.totalBlocks(w.Model))
		b.EngineBlocks = c
	}
	if math.IsNaN(b.EngineBlocks.V) && b.EngineBlocks.Status == sources.StatusOK {
		b.EngineBlocks.Status = sources.StatusAbsent // the size of a block is not known
	}
	if b.Blocks.Status == sources.StatusOK && b.EngineBlocks.Status == sources.StatusOK {
		b.Drift = b.Blocks.V - b.EngineBlocks.V
		d, most := math.Abs(b.Drift), math.Max(math.Abs(b.Blocks.V), math.Abs(b.EngineBlocks.V))
		b.Drifted = d >= driftBlocks && d > driftShare*most
	}
	return b
}

// totalBlocks is the size of a worker's KV pool by the model's card.
func (j join) totalBlocks(model string) float64 {
	for _, g := range j.snap.Figure(needTotalBlocks).Series {
		if p, ok := g.Last(); ok && p.V > 0 && (model == "" || strings.EqualFold(g.Labels[byModel], model)) {
			return p.V
		}
	}
	return math.NaN()
}
