package world

import (
	"math/rand/v2"
	"time"

	"dynascope/bench/sim/engine"
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

// rank is one DP rank of a worker: an engine, and what the router believes of
// it.
type rank struct {
	w           *World
	worker      *worker
	id          uint64 // of the process it belongs to; the worker may have a new one
	index       int
	used        bool // a request was sent to it
	engine      *engine.Engine
	step        event // the end of the engine's step
	page, pages int
	batchTokens int

	registered bool
	belief     belief

	live  []*attempt
	byID  map[uint64]*attempt
	batch []delivery
	after time.Duration // the last delivery's time: answers keep their order

	linkFree  time.Duration // when the KV transfers under way are done
	sendingKV int
	base      engine.Params // as built, before any fault
	emit      func(engine.Event)
}

// delivery is what one step tells the frontend about one attempt: n tokens, or
// its end.
type delivery struct {
	a    *attempt
	n    int
	kind deliveryKind
}

type deliveryKind uint8

const (
	deliverTokens deliveryKind = iota
	deliverEnd
	deliverReject
)

// handler is the gate before a worker's engines: so many requests at once,
// others wait, more are refused. Without limits it is open.
type handler struct {
	k      *worker
	active int
	queue  []*attempt
}

// limits are the slots, and the places to wait; 0 slots is no limit.
func (h *handler) limits() (slots, places int) {
	p := h.k.pool.spec.Params
	places = 1 << 30
	if p.HandlerPool != nil {
		slots = *p.HandlerPool
	} else if h.k.fault.slots > 0 {
		slots = 10000
	}
	if h.k.fault.slots > 0 {
		slots = max(int(float64(slots)*h.k.fault.slots), 1)
	}
	if p.HandlerQueue != nil {
		places = *p.HandlerQueue
	}
	if p.EngineRequestLimit != nil && (slots == 0 || *p.EngineRequestLimit < slots) {
		slots = *p.EngineRequestLimit
		if p.AdmissionQueue != nil {
			places = *p.AdmissionQueue
		}
	}
	return slots, places
}

// enter takes an attempt in, or lets it wait; false: it is refused.
func (h *handler) enter(a *attempt) bool {
	slots, places := h.limits()
	if slots > 0 && h.active >= slots {
		if len(h.queue) >= places {
			return false
		}
		h.queue = append(h.queue, a)
		return true
	}
	h.admit(a)
	return true
}

func (h *handler) admit(a *attempt) {
	h.active++
	a.handled = true
	h.k.book.admitted(a)
	h.k.w.handle(a)
}

// exit gives an attempt's slot to the next.
func (h *handler) exit(a *attempt) {
	if a.rank.id != h.k.id {
		return // of the process before
	}
	if !a.handled {
		for i, b := range h.queue {
			if a == b {
				h.queue = append(h.queue[:i], h.queue[i+1:]...)
				break
			}
		}
		return
	}
	a.handled = false
	h.active--
	slots, _ := h.limits()
	for len(h.queue) > 0 && (slots == 0 || h.active < slots) && !h.k.dead {
		next := h.queue[0]
		h.queue = h.queue[1:]
		h.admit(next)
	}
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
	w.truth.worker(w.clock.now, k, "registered")
	w.applyTo(k) // faults that are on already
	w.drain(k.pool.model)
}

func newRank(k *worker, i int) *rank {
	p := k.pool.params
	r := &rank{
		w: k.w, worker: k, id: k.id, index: i, engine: engine.New(p), page: p.PageSize, pages: p.KVPages,
		batchTokens: p.MaxPrefillTokens, byID: map[uint64]*attempt{}, base: p,
	}
	r.step = event{pos: -1, fn: r.run}
	r.belief.index.capacity = uint64(p.KVPages)
	r.belief.index.clear()
	r.emit = r.event
	return r
}

// flushTime is how long a flush takes at most: one step.
const flushTime = 200 * time.Millisecond

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
		w.truth.worker(now, k, "unregistered")
		w.failStranded(k.pool.model)
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
				w.clock.after(w.transit(a.r.f, k), func(time.Duration) { w.lose(a, false) })
			}
		}
	}
}

// flush empties the prefix cache, and the router's index of it. The engine's
// pool is made as small as what is in use for a moment, which evicts the rest.
func (k *worker) flush() {
	if k.dead {
		return
	}
	w := k.w
	for _, r := range k.ranks {
		s := r.engine.Stats()
		room := s.UsedPages + 4*s.Running + 1
		r.engine.Set(func(p *engine.Params) { p.KVPages = min(room, p.KVPages) })
		w.rearm(r)
		r.belief.index.clear()
	}
	w.clock.after(flushTime, func(time.Duration) { w.applyTo(k) })
}

// failStranded fails what waits for a pool that has no worker left.
func (w *World) failStranded(m *model) { w.drain(m) }

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

func (r *rank) routable() bool {
	return r.registered && r.w.clock.now >= r.worker.suspect
}

func (r *rank) hold(a *attempt) {
	a.place = len(r.live)
	r.live = append(r.live, a)
	r.byID[a.id] = a
}

func (r *rank) letGo(a *attempt) {
	if a.place < 0 {
		return
	}
	last := len(r.live) - 1
	r.live[a.place] = r.live[last]
	r.live[a.place].place = a.place
	r.live[last] = nil
	r.live = r.live[:last]
	delete(r.byID, a.id)
	a.place = -1
	if a.in > 0 {
		r.worker.handler.exit(a)
	}
}

// rearm follows the engine's next step after it was touched.
func (w *World) rearm(r *rank) {
	if at, ok := r.engine.Next(); ok && !r.worker.dead {
		w.clock.set(&r.step, at)
	} else {
		w.clock.drop(&r.step)
	}
}

// run completes the step under way and sends what it brought.
func (r *rank) run(now time.Duration) {
	var before engine.Stats
	watch := r.worker.watch
	if watch != nil && r.index == 0 {
		before = r.engine.Stats()
	}
	r.engine.Step(now, r.emit)
	if watch != nil && r.index == 0 {
		r.tell(watch, before, now)
	}
	if n := len(r.batch); n > 0 {
		w := r.w
		out := r.batch
		r.batch = w.spareBatch()
		at := max(now+w.answerTime(r.worker), r.after)
		r.after = at
		w.clock.at(at, func(now time.Duration) { w.deliver(out, now) })
	}
	r.w.rearm(r)
}

// tell reports the step that has just ended.
func (r *rank) tell(watch func(Step), before engine.Stats, now time.Duration) {
	s := r.engine.Stats()
	count := func(s engine.Stats) uint64 { return s.PrefillSteps + s.DecodeSteps + s.MixedSteps }
	if count(s) == count(before) {
		return // it only woke up
	}
	busy := s.PrefillBusy + s.DecodeBusy + s.MixedBusy - before.PrefillBusy - before.DecodeBusy - before.MixedBusy
	watch(Step{
		Number: count(s), Begin: now - busy, End: now, Batch: max(before.Running, 1),
		PrefillTokens: int(s.PrefillTokens - before.PrefillTokens),
	})
}

// event is what the engine did in a step.
func (r *rank) event(e engine.Event) {
	a := r.byID[e.ID]
	if a == nil {
		return // it was let go, and the engine does not know yet
	}
	book := r.worker.book
	switch e.Kind {
	case engine.Scheduled:
		a.scheduled, a.cached = e.At, e.Cached
		book.scheduled(r, a)
	case engine.FirstToken, engine.Token:
		if a.made++; a.made == 1 {
			a.firstAt, a.lastAt = e.At, e.At
			book.firstToken(r, a)
		} else {
			book.token(r, e.At-a.lastAt)
			a.lastAt = e.At
		}
		if a.held++; a.made == 1 || a.held >= r.worker.pool.interval {
			r.push(a)
		}
	case engine.Retracted:
		book.retracted(r, a)
	case engine.Finished:
		a.out = e.At
		if a.held > 0 {
			r.push(a)
		}
		book.finished(r, a)
		if a.phase == prefilling {
			r.transfer(a)
		}
		r.batch = append(r.batch, delivery{a: a, kind: deliverEnd})
	case engine.Rejected:
		a.out = e.At
		book.failed(r, a)
		r.batch = append(r.batch, delivery{a: a, kind: deliverReject})
	}
}

func (r *rank) push(a *attempt) {
	r.batch = append(r.batch, delivery{a: a, n: a.held})
	a.held = 0
}

// transfer sends a prompt's KV cache to where it is decoded; the pages are
// held meanwhile. A worker's transfers share its link, one after the other.
func (r *rank) transfer(a *attempt) {
	w, q := r.w, a.r
	now := w.clock.now
	p := r.engine.Params()
	d := time.Duration(float64(p.TransferTime(a.isl)) * max(r.worker.fault.transfer, 1e-3))
	begin := max(now, r.linkFree)
	r.linkFree = begin + d
	r.sendingKV++
	w.clock.at(r.linkFree, func(now time.Duration) {
		r.sendingKV--
		if r.worker.dead {
			return
		}
		r.engine.Release(now, a.id)
		w.rearm(r)
		r.worker.book.transferred(r, a, begin-a.out, now-a.out)
		w.transferred(q)
	})
}

// deliver brings a step's results to the frontend.
func (w *World) deliver(batch []delivery, now time.Duration) {
	for _, d := range batch {
		switch d.kind {
		case deliverTokens:
			w.tokens(d.a, d.n, now)
		case deliverEnd:
			w.finish(d.a, now)
		case deliverReject:
			if !d.a.over {
				w.fail(d.a.r, "validation")
			}
		}
	}
	w.outputs.book()
	clear(batch)
	w.batches = append(w.batches, batch[:0])
}

func (w *World) spareBatch() []delivery {
	if n := len(w.batches) - 1; n >= 0 {
		b := w.batches[n]
		w.batches = w.batches[:n]
		return b
	}
	return nil
}
