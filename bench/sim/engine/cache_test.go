package engine

import (
	"testing"
	"time"
)

// run submits a request to an idle engine, drains it, and returns the prompt
// tokens that were found in the cache.
func run(t *testing.T, e *Engine, r Request) int {
	t.Helper()
	cached := -1
	e.Submit(e.now, r)
	drain(t, e, func(ev Event) {
		if ev.Kind == Scheduled {
			cached = ev.Cached
		}
	})
	return cached
}

func TestPrefixReuse(t *testing.T) {
	a := []uint64{1, 2, 3, 4} // four pages of four tokens
	for _, c := range []struct {
		name string
		req  Request
		want int
	}{
		{"the same prompt: one token must be computed", Request{ISL: 16, OSL: 1, Prefix: a}, 12},
		{"a longer prompt", Request{ISL: 19, OSL: 1, Prefix: a}, 16},
		{"half of it", Request{ISL: 16, OSL: 1, Prefix: []uint64{1, 2, 9, 9}}, 8},
		{"the same pages elsewhere", Request{ISL: 16, OSL: 1, Prefix: []uint64{9, 2, 3, 4}}, 0},
		{"no prefix", Request{ISL: 16, OSL: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := New(small())
			if got := run(t, e, Request{ID: 1, ISL: 16, OSL: 1, Prefix: a}); got != 0 {
				t.Fatalf("an empty cache gave %d tokens", got)
			}
			c.req.ID = 2
			if got := e.Cached(c.req); got != c.want {
				t.Errorf("a router would count on %d tokens, want %d", got, c.want)
			}
			if got := run(t, e, c.req); got != c.want {
				t.Errorf("%d tokens cached, want %d", got, c.want)
			}
		})
	}
}

func TestPrefixIsSharedInFlight(t *testing.T) {
	p := small()
	p.MaxPrefillTokens = 16
	e := New(p)
	a := []uint64{1, 2, 3, 4}
	e.Submit(0, Request{ID: 1, ISL: 16, OSL: 20, Prefix: a})
	e.Submit(0, Request{ID: 2, ISL: 17, OSL: 20, Prefix: a})
	cached := map[uint64]int{}
	for e.Stats().ContextTokens == 0 || e.Stats().Running < 2 {
		at, _ := e.Next()
		e.Step(at, func(ev Event) {
			if ev.Kind == Scheduled {
				cached[ev.ID] = ev.Cached
			}
		})
	}
	if cached[2] != 16 {
		t.Errorf("the second request found %d tokens, want 16", cached[2])
	}
	if used := e.Stats().UsedPages; used > 7 {
		t.Errorf("%d pages in use: the four shared pages count once", used)
	}
}

func TestNextTurnFindsTheAnswer(t *testing.T) {
	e := New(small())
	// The answer's page has a name too: 16 tokens of prompt, 5 of answer, of
	// which the last has no KV.
	run(t, e, Request{ID: 1, ISL: 16, OSL: 5, Prefix: []uint64{1, 2, 3, 4, 5}})
	if got := run(t, e, Request{ID: 2, ISL: 24, OSL: 1, Prefix: []uint64{1, 2, 3, 4, 5}}); got != 20 {
		t.Errorf("%d tokens cached, want 20", got)
	}
}

func TestLeastRecentlyUsedIsEvictedFirst(t *testing.T) {
	p := small()
	p.KVPages = 12
	e := New(p)
	a, b, c := []uint64{1, 2, 3, 4}, []uint64{11, 12, 13, 14}, []uint64{21, 22, 23, 24}
	run(t, e, Request{ID: 1, ISL: 17, OSL: 1, Prefix: a})
	run(t, e, Request{ID: 2, ISL: 17, OSL: 1, Prefix: b})
	run(t, e, Request{ID: 3, ISL: 17, OSL: 1, Prefix: a})
	run(t, e, Request{ID: 4, ISL: 20, OSL: 1, Prefix: c}) // five pages, four are free
	// b was used least recently, and lost its end, not its root.
	for _, w := range []struct {
		prefix []uint64
		want   int
	}{{a, 16}, {b, 12}, {c, 16}} {
		if got := e.Cached(Request{ISL: 17, Prefix: w.prefix}); got != w.want {
			t.Errorf("prefix %v: %d tokens cached, want %d", w.prefix, got, w.want)
		}
	}
	if s := e.Stats(); s.EvictedPages != 1 || s.FreePages != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNoPrefixCacheFreesEverything(t *testing.T) {
	p := small()
	p.NoPrefixCache = true
	e := New(p)
	a := []uint64{1, 2, 3, 4}
	run(t, e, Request{ID: 1, ISL: 16, OSL: 1, Prefix: a})
	if got := run(t, e, Request{ID: 2, ISL: 16, OSL: 1, Prefix: a}); got != 0 {
		t.Errorf("%d tokens cached", got)
	}
	if s := e.Stats(); s.FreePages != s.TotalPages {
		t.Errorf("%+v", s)
	}
}

func TestRetraction(t *testing.T) {
	for _, c := range []struct {
		policy Retraction
		victim uint64
	}{{RetractFewestTokens, 1}, {RetractYoungest, 2}} {
		p := small()
		p.KVPages, p.Retract, p.NewTokenRatio, p.NewTokenRatioMin = 10, c.policy, 0, 0
		e := New(p)
		// 1 has the longer prompt, 2 joins later, and both want all they can get.
		e.Submit(0, Request{ID: 1, ISL: 12, OSL: 28})
		var victim uint64
		tokens := map[uint64]int{}
		first := map[uint64]int{}
		finished := map[uint64]int{}
		emit := func(ev Event) {
			switch ev.Kind {
			case Retracted:
				if victim == 0 {
					victim = ev.ID
				}
				if ev.Tokens != tokens[ev.ID] {
					t.Errorf("retracted with %d tokens, %d were handed out", ev.Tokens, tokens[ev.ID])
				}
			case FirstToken:
				first[ev.ID]++
				tokens[ev.ID]++
			case Token:
				tokens[ev.ID]++
			case Finished:
				finished[ev.ID] = ev.Tokens
			}
			if s := e.Stats(); s.UsedPages > s.TotalPages {
				t.Fatalf("%d of %d pages in use", s.UsedPages, s.TotalPages)
			}
		}
		// With a ratio of 0, what runs already is expected to take nothing
		// more, so the second is let in.
		e.Step(0, emit)
		e.Submit(1*ms, Request{ID: 2, ISL: 8, OSL: 20})
		drain(t, e, emit)
		if victim != c.victim {
			t.Errorf("policy %d: retracted %d, want %d", c.policy, victim, c.victim)
		}
		if tokens[1] != 28 || tokens[2] != 20 || first[1] != 1 || first[2] != 1 || finished[1] != 28 || finished[2] != 20 {
			t.Errorf("tokens %v, first tokens %v, finished %v", tokens, first, finished)
		}
		if s := e.Stats(); s.Retractions == 0 || s.PrefillTokens <= 20 {
			t.Errorf("nothing was computed again: %+v", s)
		}
	}
}

func TestRetractedGoesToTheQueuesEnd(t *testing.T) {
	p := small()
	p.NewTokenRatio, p.MaxRunning = 0, 2
	e := New(p)
	for id := uint64(1); id <= 3; id++ {
		e.Submit(0, Request{ID: id, ISL: 8, OSL: 20})
	}
	var l log
	e.Step(0, l.emit)
	at, _ := e.Next()
	e.Step(at, func(Event) {})
	e.retractOne(at, func(Event) {})
	if e.waiting[0].ID != 3 || e.waiting[1].ID != 2 {
		t.Errorf("the queue: %d, %d", e.waiting[0].ID, e.waiting[1].ID)
	}
}

func TestNewTokenRatio(t *testing.T) {
	p := small()
	p.KVPages, p.NewTokenRatio, p.NewTokenRatioMin, p.NewTokenRatioStep = 10, 0.05, 0.02, 0.01
	e := New(p)
	discard := func(Event) {}
	ratio := func() float64 { return e.Stats().NewTokenRatio }
	e.Submit(0, Request{ID: 1, ISL: 12, OSL: 28})
	e.Step(0, discard) // prefill leaves it
	if got := ratio(); got != 0.05 {
		t.Errorf("after a prefill: %v", got)
	}
	e.Submit(1*ms, Request{ID: 2, ISL: 8, OSL: 20})
	for e.Stats().Retractions == 0 {
		before, decoded := ratio(), e.Stats().DecodeSteps
		at, _ := e.Next()
		e.Step(at, discard)
		if e.doing == decoding && decoded > 0 && e.Stats().Retractions == 0 && ratio() != max(0.02, before-0.01) {
			t.Fatalf("a decode step took it from %v to %v", before, ratio())
		}
	}
	// One of the two is left: what it has and 20 more, of what it will have.
	r := e.running[0]
	if want := min(1, float64(r.generated+20)/float64(r.OSL)); ratio() != want || want < 0.5 {
		t.Errorf("after a retraction: %v, want %v", ratio(), want)
	}
	drain(t, e, discard)
	if got := ratio(); got != 0.05 {
		t.Errorf("at rest: %v", got)
	}
}

func TestRetractedPromptMayStillBeCached(t *testing.T) {
	p := small()
	p.NewTokenRatio = 0
	e := New(p)
	e.Submit(0, Request{ID: 1, ISL: 16, OSL: 40})
	e.Submit(0, Request{ID: 2, ISL: 20, OSL: 40})
	discard := func(Event) {}
	for range 4 {
		at, _ := e.Next()
		e.Step(at, discard)
	}
	// Both hold 11 pages; 2 has the longer prompt and loses its own.
	e.retractOne(e.now, discard)
	drain(t, e, discard)
	if s := e.Stats(); s.Retractions != 1 || s.CachedTokens != 20 {
		t.Errorf("%d retractions, %d tokens found again, want 20", s.Retractions, s.CachedTokens)
	}
}

func TestShrinkingThePool(t *testing.T) {
	p := small()
	p.NewTokenRatio = 0
	e := New(p)
	for id := uint64(1); id <= 4; id++ {
		e.Submit(0, Request{ID: id, ISL: 16, OSL: 20})
	}
	e.Submit(0, Request{ID: 5, ISL: 16, OSL: 100})
	ends := map[uint64]Kind{}
	emit := func(ev Event) {
		if ev.Kind == Finished || ev.Kind == Rejected {
			ends[ev.ID] = ev.Kind
		}
	}
	for range 6 {
		at, _ := e.Next()
		e.Step(at, emit)
	}
	e.Set(func(p *Params) { p.KVPages = 12 })
	at, _ := e.Next()
	e.Step(at, emit)
	if s := e.Stats(); s.UsedPages > 12 || s.TotalPages != 12 || s.Retractions == 0 {
		t.Errorf("after the shrink: %+v", s)
	}
	drain(t, e, emit)
	for id := uint64(1); id <= 4; id++ {
		if ends[id] != Finished {
			t.Errorf("request %d: %v", id, ends[id])
		}
	}
	if ends[5] != Rejected {
		t.Errorf("the request that no longer fits: %v", ends[5])
	}
}

func TestDecodeRoleReloadsAfterRetraction(t *testing.T) {
	p := small()
	p.Role, p.KVPages, p.NewTokenRatio, p.NewTokenRatioMin = Decode, 10, 0, 0
	p.TransferLatency = 0.5
	e := New(p)
	e.Submit(0, Request{ID: 1, ISL: 12, OSL: 20, RemotePrefilled: true})
	tokens := 0
	emit := func(ev Event) {
		if ev.Kind == Token || ev.Kind == FirstToken {
			tokens++
		}
	}
	e.Step(0, emit)
	e.Submit(1*ms, Request{ID: 2, ISL: 12, OSL: 10, RemotePrefilled: true})
	end := drain(t, e, emit)
	s := e.Stats()
	if tokens != 30 || s.Retractions == 0 || s.PrefillTokens != 0 {
		t.Errorf("%d tokens, %+v", tokens, s)
	}
	if end < 500*time.Millisecond {
		t.Errorf("ended at %v: the KV came back in no time", end)
	}
}

// A flush frees what nobody holds, and a prompt finds nothing of itself.
func TestFlushCache(t *testing.T) {
	e := New(small())
	prompt := Request{ISL: 16, OSL: 2, Prefix: []uint64{1, 2, 3, 4}}
	var found []int
	for id := uint64(1); id <= 3; id++ {
		prompt.ID = id
		e.Submit(time.Duration(id)*time.Second, prompt)
		drain(t, e, func(ev Event) {
			if ev.Kind == Scheduled {
				found = append(found, ev.Cached)
			}
		})
		if id == 2 {
			if e.Stats().EvictablePages == 0 {
				t.Fatal("nothing to flush")
			}
			e.FlushCache()
			if s := e.Stats(); s.EvictablePages != 0 || s.UsedPages != 0 {
				t.Errorf("%d pages evictable and %d used after a flush", s.EvictablePages, s.UsedPages)
			}
		}
	}
	if len(found) != 3 || found[0] != 0 || found[1] == 0 || found[2] != 0 {
		t.Errorf("tokens found in the cache: %v; want none, some, none", found)
	}
}
