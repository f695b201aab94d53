package world

import (
	"bytes"
	"fmt"
	"time"

	"dynascope/bench/sim/page"
	"dynascope/bench/sim/scenario"
)

// router is a standalone router: a process of its own between the frontends
// and the workers of one component, which is what `python -m dynamo.router`
// serves. Frontends that have one send each request there as to a worker; it
// chooses, sends on and passes the answer back. What its page shows is in
// page.RouterPage.
//
// Known is that the choice, its queue and the router's families are in this
// process, one for each component. Assumed, for nobody has recorded one: that
// frontends find it as they find a worker, so that their roundtrip begins there
// and their own router is idle; that its TTFT starts with the request's
// receipt; and that passing an answer on costs one message and nothing else.
type router struct {
	w         *World
	name      string
	number    int
	id        uint64
	component string // of the workers that it routes to
	book      *page.RouterPage
	fault     effects
	prologue  time.Duration // from a request's receipt to the opening of its answer
	deciding  int           // requests in its hands that it has not placed or queued yet
}

// addRouters makes a router for each component of workers.
func (w *World) addRouters() {
	d := &w.sc.Deployment
	for _, component := range []string{"backend", "prefill"} {
		var pools []*pool
		for _, p := range w.pools {
			if p.component == component {
				pools = append(pools, p)
			}
		}
		if len(pools) == 0 {
			continue
		}
		n := len(w.routers)
		q := &router{w: w, name: fmt.Sprintf("router%d", n), number: n, id: randomID(w.idRand), component: component}
		q.prologue = w.jittered(400 * time.Microsecond)
		q.book = page.Router(page.Gen(d.Generation), page.RouterOptions{
			Namespace: d.Namespace, Component: component, WorkerID: q.id, RouterID: randomID(w.idRand),
		})
		w.routers = append(w.routers, q)
	}
}

// routerOf is the standalone router of a phase; nil where the router is in the
// frontends.
func (w *World) routerOf(ph phase) *router {
	for _, q := range w.routers {
		if (q.component == "prefill") == (ph == prefilling) {
			return q
		}
	}
	return nil
}

// relay takes an attempt over the request plane to its router.
func (w *World) relay(a *attempt, q *router) {
	a.dispatched = w.clock.now
	a.r.f.handedOver(a)
	f := a.r.f
	way := f.fault.stages["transport"].apply(w.message(f.fault.net + q.fault.net))
	w.clock.after(way, func(time.Duration) {
		if a.over {
			return
		}
		q.received(a)
		f.sent(a)
		w.decide(a)
	})
}

func (q *router) received(a *attempt) {
	a.atRouter = q.w.clock.now
	a.relayed = true
	q.book.Received(requestBytes(a.isl), max((a.atRouter-a.dispatched-a.r.f.fault.clock).Seconds(), 0))
	q.book.Accepted(q.prologue.Seconds())
}

// placed: a worker is chosen.
func (q *router) placed(a *attempt) {
	m := a.r.m
	q.book.Placed(page.Decision{
		Model: m.name, Phase: a.phase.String(), ISL: a.isl, HitRate: min(float64(a.hit*a.rank.block)/float64(a.isl), 1),
	})
	if m.disagg && a.phase == decoding {
		q.book.Router.Transfer.Observe(q.w.transferEstimate(a).Seconds())
	}
}

// answered: the first response came by, one message before it was at the
// frontend.
func (q *router) answered(a *attempt, now time.Duration) {
	q.book.Router.TTFT.Observe(max((now - a.atRouter - q.w.sc.Deployment.Network.Delay).Seconds(), 0))
}

// pushedBack: its queue is full. The families of queues are not on its page.
func (q *router) pushedBack(a *attempt) { q.book.Process.Errors.Inc("generate", "generate") }

// done: an attempt is no longer in its hands, however it ended.
func (q *router) done(a *attempt) {
	if !a.relayed {
		return
	}
	a.relayed = false
	q.book.Done(answerBytes(a.delivered), (q.w.clock.now - a.atRouter).Seconds(), a.answered, a.delivered)
}

// joined: a worker has registered; the router asks each rank for its KV events.
func (q *router) joined(k *worker) {
	if k.pool.component != q.component {
		return
	}
	q.book.WorkerJoined(k.id, len(k.ranks), k.pool.phase.workerType())
	if k.pool.indexed() {
		for rank := range k.ranks {
			k.book.queried(rank, q.w.jitter(0.0006), q.w.jitter(0.0002))
		}
	}
}

// endpoint is the router as it can be scraped.
func (q *router) endpoint() *endpoint {
	return &endpoint{
		Endpoint: Endpoint{Name: q.name, Role: RoleRouter, Component: "router", WorkerID: q.id},
		kind:     scenario.TargetRouter, number: q.number,
		render: func(b *bytes.Buffer) {
			q.book.Process.Uptime.Set((q.w.clock.now + startedBefore).Seconds())
			write(b, &q.book.Page)
		},
	}
}

// meets says whether a fault meets the router.
func (q *router) meets(f *scenario.Fault) bool {
	for _, t := range f.Target {
		if t.Is(scenario.TargetRouter, q.number) {
			return true
		}
	}
	return false
}
