package engine

import (
	"fmt"
	"slices"
	"time"
)

// step is what the engine is doing.
type step uint8

const (
	idle step = iota
	waking
	prefilling
	decoding
	mixing
)

// Engine is one engine. It is not safe for use by several goroutines.
type Engine struct {
	p       Params
	pending []func(*Params) // changes that wait for the next step

	pool    *pool
	byID    map[uint64]*request
	waiting []*request // first come first; retracted ones at the end
	running []*request // in decode, oldest in the batch first
	batch   []*request // in prefill during the step under way
	chunked *request   // the one prompt whose prefill goes on next step
	held    map[uint64]*request

	ratio float64 // new token ratio now
	full  bool    // the queue's head did not fit; nothing was freed since
	bound Bound   // what the queue's head waited for when last looked at

	doing  step
	from   time.Duration // start of the step under way
	end    time.Duration // and its end
	busyTo time.Duration // when the GPU is done with it; end is later by host work or a freeze
	done   time.Duration // when the last step was completed
	frozen bool
	work   Work

	now   time.Duration // latest time heard of
	stats Stats
	gpu   window
}

// New returns an idle engine. It panics if the parameters are not valid: that
// is a mistake in the program, Validate is for parameters from outside.
func New(p Params) *Engine {
	if err := p.Validate(); err != nil {
		panic(err)
	}
	e := &Engine{
		p:     p,
		pool:  newPool(p.KVPages),
		byID:  map[uint64]*request{},
		held:  map[uint64]*request{},
		ratio: p.NewTokenRatio,
	}
	e.gpu.idleWatts = p.GPU.watts(GPU{})
	return e
}

// Params returns the parameters in force, without changes that still wait.
func (e *Engine) Params() Params { return e.p }

// Submit puts a request at the end of the queue. On an idle engine Next is
// then now: the engine looks at its queue when it is stepped. It panics if the
// engine still has a request with this ID.
func (e *Engine) Submit(now time.Duration, r Request) {
	if _, ok := e.byID[r.ID]; ok {
		panic(fmt.Sprintf("engine: request %d submitted twice", r.ID))
	}
	e.see(now)
	r.ISL, r.OSL = max(r.ISL, 1), max(r.OSL, 1)
	if e.p.Role == Prefill {
		r.OSL = 1
	}
	req := &request{Request: r, target: r.ISL}
	e.byID[r.ID] = req
	e.waiting = append(e.waiting, req)
	e.stats.Submitted++
	e.wake(now)
}

// Cancel ends a request, wherever it is, and frees its pages at once. It
// returns false if the engine does not have it (any more).
func (e *Engine) Cancel(now time.Duration, id uint64) bool {
	e.see(now)
	r, ok := e.byID[id]
	if !ok {
		return false
	}
	delete(e.byID, id)
	r.gone = true
	e.drop(r)
	e.waiting = remove(e.waiting, r)
	e.running = remove(e.running, r)
	if e.chunked == r {
		e.chunked = nil
	}
	e.stats.Cancelled++
	e.wake(now)
	return true
}

// Release ends the hold on a finished prefill's pages (Params.HoldKV): the
// other engine has them. It returns false if nothing is held under the ID.
func (e *Engine) Release(now time.Duration, id uint64) bool {
	e.see(now)
	r, ok := e.held[id]
	if !ok {
		return false
	}
	delete(e.held, id)
	e.keep(r)
	e.wake(now)
	return true
}

// Cached returns how many of a request's prompt tokens the engine would find in
// its prefix cache now: what a router that follows the engine's cache knows.
// It changes nothing.
func (e *Engine) Cached(r Request) int {
	pages, key := 0, uint64(0)
	for limit := min(len(r.Prefix), (r.ISL-1)/e.p.PageSize); pages < limit; pages++ {
		key = chain(key, r.Prefix[pages])
		if _, ok := e.pool.byKey[key]; !ok {
			break
		}
	}
	return pages * e.p.PageSize
}

// Next returns when Step is due: the end of the step under way, or the present
// if an idle engine was given work. ok is false while there is nothing to do
// and while the engine is frozen.
func (e *Engine) Next() (at time.Duration, ok bool) {
	if e.doing == idle || e.frozen {
		return 0, false
	}
	return e.end, true
}

// Step completes the step under way, which Next said ends now, and starts the
// next one. Events come in order, those of the completed step first. Before
// its time and on a frozen or idle engine it does nothing. emit must not call
// the engine.
func (e *Engine) Step(now time.Duration, emit func(Event)) {
	if e.doing == idle || e.frozen || now < e.end {
		return
	}
	e.see(now)
	e.complete(now, emit)
	e.apply()
	e.schedule(now, emit)
}

// Set changes parameters at run time, from the next step on (at once on an
// idle engine). A smaller KVPages evicts, and if that is not enough retracts.
// It panics on the next step if the result is not valid.
func (e *Engine) Set(change func(*Params)) {
	e.pending = append(e.pending, change)
	if e.doing == idle {
		e.apply()
		e.wake(e.now)
	}
}

// FlushCache evicts every page that no request holds, at once.
func (e *Engine) FlushCache() { e.pool.flush() }

// Freeze stops the process as SIGSTOP does: the step under way still ends on
// the GPU, but nobody looks at it, and nothing starts.
func (e *Engine) Freeze(now time.Duration) {
	e.see(now)
	e.frozen = true
}

// Thaw lets a frozen engine go on.
func (e *Engine) Thaw(now time.Duration) {
	e.see(now)
	if !e.frozen {
		return
	}
	e.frozen = false
	if e.doing != idle {
		e.end = max(e.end, now)
	}
	e.wake(now)
}

// Frozen says whether the engine is frozen.
func (e *Engine) Frozen() bool { return e.frozen }

func (e *Engine) see(now time.Duration) { e.now = max(e.now, now) }

// wake makes Step due now on an idle engine with something to look at.
func (e *Engine) wake(now time.Duration) {
	if e.doing == idle && (len(e.waiting) > 0 || len(e.running) > 0 || e.chunked != nil) {
		e.doing, e.from, e.end = waking, now, now
	}
}

// apply puts waiting changes of parameters into force.
func (e *Engine) apply() {
	if len(e.pending) == 0 {
		return
	}
	for _, change := range e.pending {
		change(&e.p)
	}
	e.pending = e.pending[:0]
	if err := e.p.Validate(); err != nil {
		panic(err)
	}
	e.pool.resize(e.p.KVPages)
	e.gpu.idleWatts = e.p.GPU.watts(GPU{})
	e.full = false
}

// complete ends the step under way: tokens are out, prompts are cached.
func (e *Engine) complete(now time.Duration, emit func(Event)) {
	if e.doing == waking {
		e.doing = idle
		return
	}
	e.account()
	if e.doing != prefilling {
		still := e.running[:0]
		for _, r := range e.running {
			if !e.produce(now, r, Token, emit) {
				still = append(still, r)
			}
		}
		clear(e.running[len(still):])
		e.running = still
	}
	for _, r := range e.batch {
		if r.gone {
			continue
		}
		if r.chunk > 0 {
			e.stats.PrefillTokens += uint64(r.chunk)
			emit(Event{Kind: PrefillChunk, ID: r.ID, At: now, Tokens: r.chunk})
			r.chunk = 0
		}
		e.publish(r, r.ISL/e.p.PageSize)
		if r == e.chunked {
			continue
		}
		kind := Token
		if r.generated == 0 {
			kind = FirstToken
		}
		if !e.produce(now, r, kind, emit) {
			e.running = append(e.running, r)
		}
	}
	clear(e.batch)
	e.batch = e.batch[:0]
	e.doing, e.done = idle, now
}

// produce hands out one token of r and says whether it was the last.
func (e *Engine) produce(now time.Duration, r *request, kind Kind, emit func(Event)) bool {
	r.generated++
	e.stats.OutputTokens++
	emit(Event{Kind: kind, ID: r.ID, At: now, Tokens: 1})
	if r.generated < r.OSL {
		return false
	}
	delete(e.byID, r.ID)
	e.stats.Finished++
	if e.p.HoldKV && e.p.Role == Prefill {
		e.held[r.ID] = r
	} else {
		e.keep(r)
	}
	emit(Event{Kind: Finished, ID: r.ID, At: now, Tokens: r.generated})
	return true
}

// publish makes the request's first n full pages known, as far as computed.
func (e *Engine) publish(r *request, n int) {
	if e.p.NoPrefixCache {
		return
	}
	for n = min(n, r.ctx/e.p.PageSize); len(r.path) < n; {
		key := e.key(r, len(r.path))
		r.path = append(r.path, e.pool.publish(key))
		r.tail = key // 0 behind the named pages, where no name follows
		r.private--
	}
}

// key returns under what others find the request's page i, given that r.tail
// is the key of the page before; 0 for a page that no one named.
func (e *Engine) key(r *request, i int) uint64 {
	if i < len(r.Prefix) {
		return chain(r.tail, r.Prefix[i])
	}
	return 0
}

// ownKey returns under what only the request itself finds its prompt's page i
// again after a retraction, 0 behind the prompt.
func (e *Engine) ownKey(r *request, i int) uint64 {
	if i < r.ISL/e.p.PageSize {
		return chain(chain(0, r.ID), uint64(i))
	}
	return 0
}

// keep ends a request whose pages stay as prefix cache.
func (e *Engine) keep(r *request) {
	e.publish(r, r.ctx/e.p.PageSize)
	e.drop(r)
}

// drop takes all pages from a request; what is published stays evictable.
func (e *Engine) drop(r *request) {
	e.pool.give(r.private)
	e.pool.release(r.path)
	// What does not fit any more since the pool shrank goes now.
	e.pool.fit()
	r.private, r.path, r.tail, r.ctx = 0, r.path[:0], 0, 0
	e.full = false
}

func remove(s []*request, r *request) []*request {
	if i := slices.Index(s, r); i >= 0 {
		return slices.Delete(s, i, i+1)
	}
	return s
}
