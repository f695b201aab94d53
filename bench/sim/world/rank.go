package world

import (
	"time"

	"dynascope/bench/sim/engine"
)

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
	page, block int   // tokens of a KV page, and of a block of the router's index
	batchTokens int

	registered bool
	belief     belief

	live    []*attempt
	byID    map[uint64]*attempt
	batches [][]delivery    // what a step brought, by frontend
	after   []time.Duration // each frontend's last delivery: answers keep their order

	link link
	base engine.Params // as built, before any fault
	emit func(engine.Event)
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

func newRank(k *worker, i int) *rank {
	p := k.pool.params
	r := &rank{
		w: k.w, worker: k, id: k.id, index: i, engine: engine.New(p), page: p.PageSize, block: k.pool.block,
		batchTokens: p.MaxPrefillTokens, byID: map[uint64]*attempt{}, base: p,
	}
	r.batches, r.after = make([][]delivery, len(k.w.frontends)), make([]time.Duration, len(k.w.frontends))
	r.step = event{pos: -1, fn: r.run}
	r.link.done = event{pos: -1, fn: r.sent}
	r.belief.index.capacity = uint64(max(p.KVPages*p.PageSize/k.pool.block, 1))
	r.belief.index.clear()
	r.emit = r.event
	return r
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
	for i := range r.batches {
		if len(r.batches[i]) == 0 {
			continue
		}
		w := r.w
		out := r.batches[i]
		r.batches[i] = w.spareBatch()
		at := max(now+w.answerTime(w.frontends[i], r.worker), r.after[i])
		r.after[i] = w.ship(out, at)
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
	end := now - (s.Idle - before.Idle) // host work, or a freeze
	watch(Step{
		Number: count(s), Begin: end - busy, End: end, Batch: max(before.Running, 1),
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
			r.send(a)
		}
		r.add(delivery{a: a, kind: deliverEnd})
	case engine.Rejected:
		a.out = e.At
		book.failed(r, a)
		r.add(delivery{a: a, kind: deliverReject})
	}
}

func (r *rank) push(a *attempt) {
	r.add(delivery{a: a, n: a.held})
	a.held = 0
}

func (r *rank) add(d delivery) {
	i := d.a.r.f.number
	r.batches[i] = append(r.batches[i], d)
}

// shipGroup is how many of a step's results the frontend handles at one
// instant. It handles one after the other; an event for each would cost more
// than it shows.
const shipGroup = 8

// ship delivers a step's results from a time on, and returns when the last of
// them arrive.
func (w *World) ship(batch []delivery, at time.Duration) (last time.Duration) {
	pause := shipGroup * w.sc.Deployment.Frontends.Postprocess
	sent := 0
	e := &event{pos: -1}
	e.fn = func(now time.Duration) {
		n := min(sent+shipGroup, len(batch))
		w.deliver(batch[sent:n], now)
		if sent = n; n < len(batch) {
			w.clock.set(e, now+pause)
			return
		}
		clear(batch)
		w.batches = append(w.batches, batch[:0])
	}
	w.clock.set(e, at)
	return at + pause*time.Duration((len(batch)-1)/shipGroup)
}

// deliver brings results to the frontend.
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
}

func (w *World) spareBatch() []delivery {
	if n := len(w.batches) - 1; n >= 0 {
		b := w.batches[n]
		w.batches = w.batches[:n]
		return b
	}
	return nil
}
