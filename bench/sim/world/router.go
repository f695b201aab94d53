package world

import (
	"math"
	"time"
)

// The KV router chooses by what it believes, never by what is: blocks and
// tokens it has sent itself, and an index of the prompts that it has sent
// where. Beliefs are shared by all frontends, as replicas that synchronise.

// belief is what the router holds of one rank.
type belief struct {
	decodeBlocks  int // prompt blocks of requests sent and not ended
	prefillTokens int // prompt tokens sent that have not brought a first token
	index         blockIndex
}

// claim is what one attempt adds to a rank's belief until it is given back.
type claim struct {
	rank          *rank
	blocks, ptoks int
	prefill, held bool
}

// routeParts are the parts of one routing decision. The rest of the time that
// a request spends before the router is scheduling: the wait in its queue.
type routeParts struct {
	blockHashing, seqHashing, findMatches, scheduling time.Duration
}

func (p routeParts) total() time.Duration {
	return p.blockHashing + p.seqHashing + p.findMatches + p.scheduling
}

// routeTime draws the router's own time for one request.
func (w *World) routeTime(a *attempt) routeParts {
	stages := a.r.f.fault.stages
	if q := w.routerOf(a.phase); q != nil {
		stages = q.fault.stages
	}
	s := func(stage string, d time.Duration) time.Duration { return stages[stage].apply(w.jittered(d)) }
	if !w.kvRouter {
		return routeParts{scheduling: s("scheduling", 3*time.Microsecond)}
	}
	return routeParts{
		blockHashing: s("block_hashing", 2500*time.Nanosecond), seqHashing: s("seq_hashing", 950*time.Nanosecond),
		findMatches: s("find_matches", 4*time.Microsecond), scheduling: s("scheduling", 99*time.Microsecond),
	}
}

// pick chooses a rank for an attempt by the router's mode; nil when none can
// take it now.
func (w *World) pick(m *model, ranks []*rank, a *attempt) (*rank, int) {
	if k := w.skewed(m, a.phase); k != nil {
		return k, k.match(a.r)
	}
	if w.kvRouter {
		return w.choose(ranks, a)
	}
	var able []*rank
	for _, k := range ranks {
		if k.routable() {
			able = append(able, k)
		}
	}
	if len(able) == 0 {
		return nil, 0
	}
	load := func(k *rank) int { return len(k.live) }
	switch w.sc.Deployment.Router.Mode {
	case "random":
		return able[w.routerRand.IntN(len(able))], 0
	case "power-of-two":
		x, y := able[w.routerRand.IntN(len(able))], able[w.routerRand.IntN(len(able))]
		if load(y) < load(x) {
			x = y
		}
		return x, 0
	case "least-loaded":
		best := able[0]
		for _, k := range able[1:] {
			if load(k) < load(best) {
				best = k
			}
		}
		return best, 0
	default: // round-robin, also over plain servers
		m.turn++
		return able[m.turn%len(able)], 0
	}
}

// choose returns the rank with the least cost for a prompt, and how many of
// its blocks the router believes to be cached there; nil when no rank can take
// it now. Ties are drawn; with a temperature, so is the rest.
//
//	cost = weight · (uncached prompt blocks there, this prompt's included) + decode blocks there, this prompt's included
func (w *World) choose(ranks []*rank, a *attempt) (best *rank, overlap int) {
	ro := &w.sc.Deployment.Router
	bestCost, ties := 0.0, 0
	w.costs = w.costs[:0]
	for _, k := range ranks {
		if !k.routable() || ro.QueueThreshold >= 0 && float64(k.belief.prefillTokens) > ro.QueueThreshold*float64(k.batchTokens) {
			continue
		}
		hit := k.match(a.r)
		a.bestHit = max(a.bestHit, hit)
		cost := ro.OverlapWeight*float64(k.belief.prefillTokens+a.isl-hit*k.block)/float64(k.block) +
			float64(k.belief.decodeBlocks+blocks(a.isl, k.block))
		w.costs = append(w.costs, candidate{k, hit, cost})
		switch {
		case best == nil || cost < bestCost:
			best, bestCost, overlap, ties = k, cost, hit, 1
		case cost == bestCost:
			if ties++; w.routerRand.IntN(ties) == 0 {
				best, overlap = k, hit
			}
		}
	}
	if ro.Temperature > 0 && len(w.costs) > 1 {
		return w.sample(bestCost)
	}
	return best, overlap
}

// candidate is a rank that a request could go to.
type candidate struct {
	k    *rank
	hit  int
	cost float64
}

// sample draws a candidate with a probability that falls with its cost.
func (w *World) sample(least float64) (*rank, int) {
	most := least
	for _, c := range w.costs {
		most = max(most, c.cost)
	}
	scale := max(most-least, 1e-9) * w.sc.Deployment.Router.Temperature
	sum := 0.0
	for _, c := range w.costs {
		sum += math.Exp((least - c.cost) / scale)
	}
	u := w.routerRand.Float64() * sum
	for _, c := range w.costs {
		if u -= math.Exp((least - c.cost) / scale); u < 0 {
			return c.k, c.hit
		}
	}
	c := w.costs[len(w.costs)-1]
	return c.k, c.hit
}

// blocks is how many blocks n tokens need.
func blocks(n, block int) int { return (n + block - 1) / block }

// match is how many leading blocks of a prompt the router believes to be in the
// rank's cache.
func (k *rank) match(r *request) int { return k.belief.index.match(r.known(), k.block/k.page) }

// take books an attempt on a rank: a prefill half holds prompt tokens, a
// decode half blocks, an aggregated request both.
func (k *rank) take(a *attempt, hit int) claim {
	c := claim{rank: k, held: true}
	if a.phase != decoding {
		c.prefill, c.ptoks = true, max(a.isl-hit*k.block, 0)
		k.belief.prefillTokens += c.ptoks
	}
	if a.phase != prefilling {
		c.blocks = blocks(a.isl, k.block)
		k.belief.decodeBlocks += c.blocks
	}
	if w := k.w; a.phase != decoding && w.kvRouter && !(k.worker.fault.dropEvents > 0 && w.faultRand.Float64() < k.worker.fault.dropEvents) {
		a.stored = k.belief.index.add(a.r.known(), len(a.r.prefix)-a.r.shared, k.block/k.page)
	}
	return c
}

// prefilled gives the prompt tokens back; ended gives back the rest.
func (c *claim) prefilled() {
	if c.prefill {
		c.rank.belief.prefillTokens -= c.ptoks
		c.prefill = false
	}
}

func (c *claim) ended() {
	if c.held {
		c.prefilled()
		c.rank.belief.decodeBlocks -= c.blocks
		c.held = false
	}
}

// blockIndex remembers which prompt blocks were sent to a rank. A block is
// forgotten once as many others as the rank's pool holds have been added since
// its last use. Blocks that cannot come again only count.
type blockIndex struct {
	capacity uint64
	used     map[uint64]uint64 // at which count of added blocks
	added    uint64
}

func (x *blockIndex) clear() { x.used = map[uint64]uint64{} }

func (x *blockIndex) has(h uint64) bool {
	at, ok := x.used[h]
	return ok && x.added-at <= x.capacity
}

// match is how many leading blocks of a prompt are known, from the hashes of
// its pages, of which a block is so many.
func (x *blockIndex) match(prefix []uint64, pages int) int {
	n := len(prefix) / pages
	for i := range n {
		if !x.has(block(prefix, i, pages)) {
			return i
		}
	}
	return n
}

// block is the hash of a prompt's block, from those of its pages.
func block(prefix []uint64, i, pages int) uint64 {
	h := prefix[i*pages]
	for _, p := range prefix[i*pages+1 : (i+1)*pages] {
		h = mix(h ^ p)
	}
	return h
}

// add remembers the blocks of a prompt, and counts those that hold own pages
// of it; it returns how many were new.
func (x *blockIndex) add(prefix []uint64, own, pages int) (stored int) {
	n := len(prefix) / pages
	for i := range n {
		if !x.has(block(prefix, i, pages)) {
			stored++
		}
	}
	stored += (len(prefix)+own)/pages - n
	x.added += uint64(stored)
	for i := range n {
		x.used[block(prefix, i, pages)] = x.added
	}
	if uint64(len(x.used)) > 2*x.capacity+1024 {
		for h, at := range x.used {
			if x.added-at > x.capacity {
				delete(x.used, h)
			}
		}
	}
	return stored
}
