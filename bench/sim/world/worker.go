package world

import (
	"math/rand/v2"
	"time"
)

// worker is one engine process at one address. Restarted, it has the same
// name and address, another id and new books.
type worker struct {
	w      *World
	name   string
	number int // over all pools
	inPool int
	host   int
	pool   *pool
	id     uint64
	ranks  []*rank
	book   *workerBook
	gpus   []*gpu
	kvbm   *kvbm // nil without

	started   time.Duration
	dead      bool
	gone      bool          // scaled away: it does not come back by itself
	suspect   time.Duration // until when the router does not try it
	prologue  time.Duration // from a request's receipt to the opening of its answer
	handler   handler
	fault     workerEffects
	frozen    int // faults and exports that hold it
	exporting int // profiles, among them
	watch     func(Step)
	stalled   []func() // what reached it while it was frozen
}

// start brings a worker up with a new identity.
func (k *worker) start() {
	w := k.w
	k.id = randomID(w.idRand)
	k.dead, k.gone = false, false
	k.handler = handler{k: k}
	k.frozen, k.exporting, k.stalled = 0, 0, nil
	k.started = w.clock.now
	k.suspect = 0
	k.ranks = k.ranks[:0]
	for i := range max(k.pool.params.DP, 1) {
		k.ranks = append(k.ranks, newRank(k, i))
	}
	k.prologue = w.jittered(400 * time.Microsecond)
	k.book = newWorkerBook(k)
	w.truth.worker(w.clock.now, k, "started")
	k.pool.model.join(k.pool.phase, k.ranks)
	for _, r := range k.ranks {
		r.registered = true
	}
	for _, f := range w.frontends {
		f.workerJoined(k)
	}
	for _, q := range w.routers {
		q.joined(k)
	}
	w.truth.worker(w.clock.now, k, "registered")
	w.applyTo(k) // faults that are on already
	w.drain(k.pool.model)
}

// randomID is an instance id: any 64 bits, so also above 2^53 and 2^63.
func randomID(r *rand.Rand) uint64 {
	for {
		if id := r.Uint64(); id > 1<<60 {
			return id
		}
	}
}

// kill ends the process at once. Connections to it break at once; the router
// forgets it when its lease ends.
func (k *worker) kill() { k.die(leaseTime) }

// leave ends the process in order: it takes itself off the router first.
func (k *worker) leave() { k.die(0) }

func (k *worker) die(lease time.Duration) {
	if k.dead {
		return
	}
	w, now := k.w, k.w.clock.now
	k.dead = true
	k.stalled = nil
	w.truth.worker(now, k, "died")
	ranks := append([]*rank(nil), k.ranks...)
	id := k.id
	unregister := func(now time.Duration) {
		for _, r := range ranks {
			r.registered = false
		}
		k.pool.model.leave(k.pool.phase, ranks)
		for _, f := range w.frontends {
			f.workerLeft(k, id, len(ranks))
		}
		for _, q := range w.routers {
			q.book.WorkerLeft(id)
		}
		w.truth.worker(now, k, "unregistered")
		w.drain(k.pool.model) // what waits for a pool without a worker fails
	}
	if lease == 0 {
		unregister(now)
	} else {
		w.clock.after(lease, unregister)
	}
	for _, r := range ranks {
		w.clock.drop(&r.step)
		for _, a := range append([]*attempt(nil), r.live...) {
			if a.in > 0 {
				w.clock.after(w.transit(a, k), func(time.Duration) { w.lose(a, false) })
			}
		}
	}
}

// flush empties the prefix cache but for what requests hold, and the router's
// index of it.
func (k *worker) flush() {
	if k.dead {
		return
	}
	for _, r := range k.ranks {
		r.engine.FlushCache()
		r.belief.index.clear()
	}
}

// freeze stops the process as SIGSTOP does; thaw lets it go on.
func (k *worker) freeze() {
	if k.frozen++; k.frozen == 1 && !k.dead {
		for _, r := range k.ranks {
			r.engine.Freeze(k.w.clock.now)
			k.w.rearm(r)
		}
	}
}

func (k *worker) thaw() {
	if k.frozen == 0 {
		return // the process that stood still is gone
	}
	if k.frozen--; k.frozen > 0 || k.dead {
		return
	}
	for _, r := range k.ranks {
		r.engine.Thaw(k.w.clock.now)
		k.w.rearm(r)
	}
	held := k.stalled
	k.stalled = nil
	for _, fn := range held {
		fn()
	}
}

// reach runs what a message to the worker causes, once it can read it.
func (k *worker) reach(fn func()) {
	switch {
	case k.dead:
	case k.frozen > 0:
		k.stalled = append(k.stalled, fn)
	default:
		fn()
	}
}
