package triage

import (
	"math"

	"dynascope/sources"
)

// KVRow is the KV cache of one worker and one of its DP ranks.
type KVRow struct {
	sources.Worker
	Rank string

	// Shares of the pool. Evictable tokens make room when needed; engines
	// that do not tell them apart have no such number.
	Used, Evictable, Free Cell
	Pool                  Cell // tokens
	Blocks                Cell // of the pool, as Dynamo publishes them
	// Shares of the prompt tokens that were looked up in the window.
	Hit, Device, Host, Storage Cell
	HostUsed                   Cell // share of the host tier in use
	Evicted                    Cell // tokens per second
	Preemptions                Cell // in the window (SGLang: retractions)
	Transfer                   Cell // mean seconds from prefill to decode
	TransferQueue              Cell // requests that wait for a transfer, or are in one
}

// The questions behind the rows; each is asked once for all workers.
var (
	needKVUsed      = sources.Need{Key: "kv.used_share", Form: sources.FormExpr, By: perRank}
	needKVEvictable = sources.Need{Key: "kv.evictable_share", Form: sources.FormExpr, By: perRank}
	needKVFree      = sources.Need{Key: "kv.free_share", Form: sources.FormExpr, By: perRank}
	needKVPool      = sources.Need{Key: "kv.pool_tokens", Form: sources.FormExpr, By: perRank}
	needKVDynamo    = sources.Need{Key: "worker.kv_usage", Form: sources.FormNow, By: perRank}
	needKVBlocks    = sources.Need{Key: "worker.kv_total_blocks", Form: sources.FormNow, By: perRank}
	needHitDevice   = sources.Need{Key: "kv.hit_device", Form: sources.FormExpr, By: perRank}
	needHitHost     = sources.Need{Key: "kv.hit_host", Form: sources.FormExpr, By: perRank}
	needHitStorage  = sources.Need{Key: "kv.hit_storage", Form: sources.FormExpr, By: perRank}
	needHostUsed    = sources.Need{Key: "kv.host_used", Form: sources.FormExpr, By: perRank}
	needEvicted     = sources.Need{Key: "hicache.evicted_tokens", Form: sources.FormRate, By: perRank}
	needTransfer    = sources.Need{Key: "engine.kv_transfer", Form: sources.FormMean, By: perRank}
)

// needTransferQueues are the queues of a transfer on both of its ends.
var needTransferQueues = []sources.Need{
	{Key: "pd.prefill_bootstrap", Form: sources.FormNow, By: perRank},
	{Key: "pd.prefill_inflight", Form: sources.FormNow, By: perRank},
	{Key: "pd.decode_prealloc", Form: sources.FormNow, By: perRank},
	{Key: "pd.decode_transfer", Form: sources.FormNow, By: perRank},
}

// KVNeeds are the figures that KVRows reads.
func KVNeeds() []sources.Need {
	return append([]sources.Need{
		needKVUsed, needKVEvictable, needKVFree, needKVPool, needKVDynamo, needKVBlocks, needHit, needHitDevice, needHitHost, needHitStorage,
		needHostUsed, needEvicted, needPreemptions, needTransfer,
	}, needTransferQueues...)
}

// KVRows joins the snapshot's workers with the figures of their KV caches, one
// row a DP rank, in the order of the snapshot's workers.
func KVRows(s *sources.Snapshot) []KVRow {
	if s == nil {
		return nil
	}
	j := join{s, map[sources.Need]map[string][]sources.Series{}}
	var out []KVRow
	for _, w := range s.Workers {
		for _, rank := range w.Ranks {
			out = append(out, j.kvRow(w, rank))
		}
	}
	return out
}

func (j join) kvRow(w sources.Worker, rank string) KVRow {
	dead := w.State == sources.WorkerStale || w.State == sources.WorkerGone
	of := func(needs ...sources.Need) Cell {
		var first Cell
		for i, n := range needs {
			c := j.cell(n, "instance", w.Instance, rank, len(w.Ranks))
			if dead {
				c = aged(c)
			}
			if i == 0 {
				first = c
			}
			if c.Has() {
				return c
			}
		}
		return first
	}
	r := KVRow{
		Worker: w, Rank: rank,
		Used: of(needKVUsed, needKVDynamo), Evictable: of(needKVEvictable), Free: of(needKVFree), Pool: of(needKVPool), Blocks: of(needKVBlocks),
		Hit: of(needHit), Device: of(needHitDevice), Host: of(needHitHost), Storage: of(needHitStorage),
		HostUsed: of(needHostUsed), Evicted: of(needEvicted), Preemptions: of(needPreemptions), Transfer: of(needTransfer),
		TransferQueue: of(needTransferQueues[0]),
	}
	for _, tier := range []*Cell{&r.Device, &r.Host, &r.Storage} {
		if tier.Status == sources.StatusIdle && r.Hit.Has() { // prompts were looked up, and nobody counts this tier
			tier.Status = sources.StatusAbsent
		}
	}
	var sum float64
	var known bool
	for _, n := range needTransferQueues {
		c := of(n)
		if !c.Has() {
			continue
		}
		sum += c.V
		if !known || c.Status == sources.StatusStale {
			r.TransferQueue = c
		}
		known = true
	}
	if known {
		r.TransferQueue.V = sum
	}
	return r
}

// aged is a number of a page that no longer answers: old at best. That nothing
// happens on a dead page is not known.
func aged(c Cell) Cell {
	switch c.Status {
	case sources.StatusOK:
		c.Status = sources.StatusStale
	case sources.StatusIdle:
		c.Status, c.V = sources.StatusAbsent, math.NaN()
	}
	return c
}
