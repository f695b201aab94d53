package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// life drives an engine with random operations and checks after each that no
// page is lost and no request forgotten. It returns the event log.
func life(t *testing.T, seed uint64, ops int) []string {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	p := small()
	p.KVPages = 8 + rng.IntN(80)
	p.PageSize = 1 + rng.IntN(8)
	p.MaxPrefillTokens = p.PageSize + rng.IntN(60)
	p.MaxRunning = 1 + rng.IntN(12)
	p.Mixed = rng.IntN(2) == 0
	p.NoPrefixCache = rng.IntN(4) == 0
	p.Role = Role(rng.IntN(3))
	p.HoldKV = p.Role == Prefill && rng.IntN(2) == 0
	p.Retract = Retraction(rng.IntN(2))
	p.NewTokenRatio, p.NewTokenRatioMin = rng.Float64()*0.5, 0
	e := New(p)

	type state struct {
		req       Request
		scheduled bool
		first     bool
		tokens    int
		ended     string
		held      bool
	}
	reqs := map[uint64]*state{}
	var order []uint64
	var events []string
	now := time.Duration(0)
	emit := func(ev Event) {
		events = append(events, fmt.Sprintf("%d %d %v %d %d", ev.At, ev.ID, ev.Kind, ev.Tokens, ev.Cached))
		s := reqs[ev.ID]
		if s == nil || s.ended != "" {
			t.Fatalf("seed %d: %v of request %d, which is unknown or over", seed, ev.Kind, ev.ID)
		}
		if ev.At != now {
			t.Fatalf("seed %d: an event at %v during the step at %v", seed, ev.At, now)
		}
		switch ev.Kind {
		case Scheduled:
			if s.scheduled || ev.Cached >= s.req.ISL {
				t.Fatalf("seed %d: scheduled twice, or %d of %d tokens cached", seed, ev.Cached, s.req.ISL)
			}
			s.scheduled = true
		case FirstToken:
			if s.first || !s.scheduled {
				t.Fatalf("seed %d: a second first token, or one before the start", seed)
			}
			s.first = true
			s.tokens++
		case Token:
			if !s.first {
				t.Fatalf("seed %d: a token before the first", seed)
			}
			s.tokens++
		case Finished:
			want := s.req.OSL
			if p.Role == Prefill {
				want = 1
			}
			if s.tokens != want || ev.Tokens != want {
				t.Fatalf("seed %d: finished with %d tokens, want %d", seed, s.tokens, want)
			}
			s.ended, s.held = "finished", e.p.HoldKV
		case Rejected:
			s.ended = "rejected"
		case Retracted:
			if ev.Tokens != s.tokens {
				t.Fatalf("seed %d: retracted with %d tokens, want %d", seed, ev.Tokens, s.tokens)
			}
		}
	}
	check := func() {
		s := e.Stats()
		// Only a pool that shrank holds too much: until the next step, or until
		// the pages held for another engine are released.
		if s.UsedPages > s.TotalPages && e.doing != waking && s.Held == 0 {
			t.Fatalf("seed %d: %d of %d pages in use", seed, s.UsedPages, s.TotalPages)
		}
		own, distinct := 0, map[node]int32{}
		count := func(r *request) {
			own += r.private
			for _, n := range r.path {
				distinct[n]++
			}
			if r.pages() != e.ceil(r.ctx) {
				t.Fatalf("seed %d: %d pages for %d tokens", seed, r.pages(), r.ctx)
			}
		}
		for _, r := range e.byID {
			count(r)
		}
		for _, r := range e.held {
			count(r)
		}
		if own+len(distinct) != s.UsedPages {
			t.Fatalf("seed %d: %d pages in use, requests hold %d + %d", seed, s.UsedPages, own, len(distinct))
		}
		for n, refs := range distinct {
			if e.pool.nodes[n].refs != refs {
				t.Fatalf("seed %d: page %d has %d references, want %d", seed, n, e.pool.nodes[n].refs, refs)
			}
		}
		ring := 0
		for n := e.pool.nodes[0].next; n != 0; n = e.pool.nodes[n].next {
			ring++
		}
		if ring != s.EvictablePages || s.UsedPages+s.EvictablePages+s.FreePages != max(s.TotalPages, s.UsedPages) {
			t.Fatalf("seed %d: %d pages evictable, list has %d: %+v", seed, s.EvictablePages, ring, s)
		}
		if alive := s.Submitted - s.Finished - s.Rejected - s.Cancelled; alive != uint64(len(e.byID)) {
			t.Fatalf("seed %d: %d requests alive, engine knows %d", seed, alive, len(e.byID))
		}
	}
	id := uint64(0)
	for range ops {
		if at, ok := e.Next(); ok && rng.IntN(3) > 0 {
			now = max(now, at)
			e.Step(now, emit)
			check()
			continue
		} else if ok {
			now += time.Duration(rng.Int64N(max(1, int64(at-now))))
		} else {
			now += time.Duration(rng.IntN(20)) * ms
		}
		switch rng.IntN(12) {
		default:
			id++
			r := Request{ID: id, ISL: 1 + rng.IntN(100), OSL: 1 + rng.IntN(40)}
			for range rng.IntN(r.ISL/p.PageSize + 6) {
				r.Prefix = append(r.Prefix, uint64(rng.IntN(2)))
			}
			r.RemotePrefilled = p.Role == Decode && rng.IntN(3) > 0
			reqs[id] = &state{req: r}
			order = append(order, id)
			e.Submit(now, r)
		case 7, 8:
			if id > 0 {
				c := 1 + rng.Uint64N(id)
				if e.Cancel(now, c) != (reqs[c].ended == "") {
					t.Fatalf("seed %d: cancel of %d, which is %q", seed, c, reqs[c].ended)
				}
				if reqs[c].ended == "" {
					reqs[c].ended = "cancelled"
				}
			}
		case 9:
			e.Freeze(now)
		case 10:
			e.Thaw(now)
		case 11:
			pages, slow := 8+rng.IntN(80), rng.Float64()*3
			e.Set(func(p *Params) { p.KVPages, p.Slow = pages, slow })
		}
		for _, o := range order {
			if reqs[o].held && rng.IntN(3) == 0 {
				reqs[o].held = false
				if !e.Release(now, o) {
					t.Fatalf("seed %d: %d was not held", seed, o)
				}
			}
		}
		check()
	}
	e.Thaw(now)
	for n := 0; ; n++ {
		at, ok := e.Next()
		if ok {
			now = max(now, at)
			e.Step(now, emit)
			check()
		}
		released := false
		for _, o := range order {
			if reqs[o].held {
				reqs[o].held = false
				released = e.Release(now, o) || released
			}
		}
		if !ok && !released {
			break
		}
		if n > 100_000 {
			t.Fatalf("seed %d: the engine never comes to rest: %+v", seed, e.Stats())
		}
	}
	for _, o := range order {
		if reqs[o].ended == "" {
			t.Fatalf("seed %d: request %d never ended: %+v", seed, o, e.Stats())
		}
	}
	if s := e.Stats(); s.UsedPages != 0 || s.Running != 0 || s.Waiting != 0 || s.Held != 0 {
		t.Fatalf("seed %d: at rest: %+v", seed, s)
	}
	return events
}

func TestRandomLives(t *testing.T) {
	n := uint64(400)
	if testing.Short() {
		n = 50
	}
	kinds := 0
	for seed := range n {
		kinds += len(life(t, seed, 400))
	}
	t.Logf("%d lives, %d events", n, kinds)
}

func TestSameCallsSameEvents(t *testing.T) {
	for seed := range uint64(20) {
		if a, b := life(t, seed, 600), life(t, seed, 600); !slices.Equal(a, b) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
	}
}

func FuzzLife(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { life(t, seed, 300) })
}
