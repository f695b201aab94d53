package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// small is an engine whose arithmetic can be done in the head: a decode step
// takes 10 ms, a prefill 10 ms and 1 ms a token.
func small() Params {
	return Params{
		TP: 1, MaxRunning: 8, MaxPrefillTokens: 64, PageSize: 4, KVPages: 64,
		NewTokenRatio: 0.7, NewTokenRatioMin: 0.1, NewTokenRatioStep: 0.001,
		StepOverhead: 10e-3, PrefillPerToken: 1e-3,
	}
}

const ms = time.Millisecond

// log collects events as lines.
type log []string

func (l *log) emit(e Event) {
	s := fmt.Sprintf("%v %d %s", e.At, e.ID, e.Kind)
	switch {
	case e.Kind == Scheduled && e.Cached > 0:
		s += fmt.Sprintf(" cached %d", e.Cached)
	case e.Kind == PrefillChunk || e.Kind == Finished || e.Kind == Retracted:
		s += fmt.Sprintf(" %d", e.Tokens)
	}
	*l = append(*l, s)
}

// drain steps the engine until it has nothing to do.
func drain(t *testing.T, e *Engine, emit func(Event)) time.Duration {
	t.Helper()
	var last time.Duration
	for n := 0; ; n++ {
		at, ok := e.Next()
		if !ok {
			return last
		}
		if n > 2_000_000 {
			t.Fatal("the engine never comes to rest")
		}
		e.Step(at, emit)
		last = at
	}
}

func wantLog(t *testing.T, got log, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:")
		for _, l := range got {
			t.Errorf("  %q,", l)
		}
		t.Errorf("want:")
		for _, l := range want {
			t.Errorf("  %q,", l)
		}
	}
}

func TestOneRequest(t *testing.T) {
	e := New(small())
	if _, ok := e.Next(); ok {
		t.Fatal("a new engine has something to do")
	}
	e.Submit(5*ms, Request{ID: 7, ISL: 10, OSL: 3})
	var l log
	drain(t, e, l.emit)
	wantLog(t, l,
		"5ms 7 scheduled",
		"25ms 7 prefill chunk 10",
		"25ms 7 first token",
		"35ms 7 token",
		"45ms 7 token",
		"45ms 7 finished 3",
	)
	s := e.Stats()
	if s.PrefillSteps != 1 || s.DecodeSteps != 2 || s.PrefillBusy != 20*ms || s.DecodeBusy != 20*ms || s.Idle != 5*ms {
		t.Errorf("steps and times: %+v", s)
	}
	// 12 tokens have KV (the last was only handed out): 3 full pages cached.
	if s.UsedPages != 0 || s.EvictablePages != 3 || s.FreePages != 61 {
		t.Errorf("pages: %+v", s)
	}
}

func TestChunkedPrefillAndPrefillFirst(t *testing.T) {
	p := small()
	p.MaxPrefillTokens = 16
	e := New(p)
	e.Submit(0, Request{ID: 1, ISL: 4, OSL: 3})
	e.Submit(0, Request{ID: 2, ISL: 20, OSL: 2})
	var l log
	drain(t, e, l.emit)
	wantLog(t, l,
		"0s 1 scheduled",
		"0s 2 scheduled",
		"26ms 1 prefill chunk 4",
		"26ms 1 first token",
		"26ms 2 prefill chunk 12",
		"44ms 2 prefill chunk 8", // request 1 waits: prefill goes first
		"44ms 2 first token",
		"54ms 1 token",
		"54ms 2 token",
		"54ms 2 finished 2",
		"64ms 1 token",
		"64ms 1 finished 3",
	)
}

func TestMixedSteps(t *testing.T) {
	p := small()
	p.MaxPrefillTokens, p.Mixed = 16, true
	e := New(p)
	var l log
	e.Submit(0, Request{ID: 1, ISL: 4, OSL: 3})
	at, _ := e.Next()
	e.Step(at, l.emit)
	e.Submit(1*ms, Request{ID: 2, ISL: 20, OSL: 1})
	drain(t, e, l.emit)
	wantLog(t, l,
		"0s 1 scheduled",
		"14ms 1 prefill chunk 4",
		"14ms 1 first token",
		"14ms 2 scheduled",
		"37ms 1 token", // 12 + 1 tokens
		"37ms 2 prefill chunk 12",
		"56ms 1 token",
		"56ms 1 finished 3",
		"56ms 2 prefill chunk 8",
		"56ms 2 first token",
		"56ms 2 finished 1",
	)
}

func TestRunningLimitIsFirstComeFirstServed(t *testing.T) {
	p := small()
	p.MaxRunning = 1
	e := New(p)
	for id := uint64(1); id <= 3; id++ {
		e.Submit(0, Request{ID: id, ISL: 10, OSL: 1})
	}
	if s := e.Stats(); s.Waiting != 3 || s.Running != 0 {
		t.Errorf("before the first step: %d waiting, %d running", s.Waiting, s.Running)
	}
	var order []uint64
	var at []time.Duration
	drain(t, e, func(ev Event) {
		if ev.Kind == Scheduled {
			order, at = append(order, ev.ID), append(at, ev.At)
		}
	})
	if !slices.Equal(order, []uint64{1, 2, 3}) || !slices.Equal(at, []time.Duration{0, 20 * ms, 40 * ms}) {
		t.Errorf("scheduled %v at %v", order, at)
	}
}

func TestBound(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Params)
		want   Bound
	}{
		{"nothing", func(*Params) {}, Unbound},
		{"a place", func(p *Params) { p.MaxRunning = 1 }, BoundRunning},
		{"the budget", func(p *Params) { p.MaxPrefillTokens = 8 }, BoundPrefill},
		{"pages", func(p *Params) { p.KVPages = 8 }, BoundKV},
	} {
		p := small()
		c.change(&p)
		e := New(p)
		e.Submit(0, Request{ID: 1, ISL: 12, OSL: 8})
		e.Submit(0, Request{ID: 2, ISL: 12, OSL: 8})
		e.Step(0, func(Event) {})
		if s := e.Stats(); s.Bound != c.want {
			t.Errorf("%s: bound is %v, want %v", c.name, s.Bound, c.want)
		}
	}
}

func TestTooLongIsRejected(t *testing.T) {
	e := New(small()) // 256 tokens
	e.Submit(0, Request{ID: 1, ISL: 250, OSL: 7})
	e.Submit(0, Request{ID: 2, ISL: 4, OSL: 1})
	var l log
	drain(t, e, l.emit)
	wantLog(t, l, "0s 1 rejected", "0s 2 scheduled", "14ms 2 prefill chunk 4", "14ms 2 first token", "14ms 2 finished 1")
}

func TestCancelFreesPages(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps int
	}{{"in the queue", 0}, {"in prefill", 1}, {"in a prompt's second chunk", 2}, {"in decode", 3}} {
		t.Run(c.name, func(t *testing.T) {
			p := small()
			p.MaxPrefillTokens, p.NoPrefixCache = 32, true
			e := New(p)
			e.Submit(0, Request{ID: 1, ISL: 40, OSL: 10})
			for range c.steps {
				at, _ := e.Next()
				e.Step(at, func(Event) {})
			}
			if !e.Cancel(90*ms, 1) {
				t.Fatal("the engine does not know its request")
			}
			if e.Cancel(90*ms, 1) {
				t.Error("cancelled twice")
			}
			drain(t, e, func(ev Event) { t.Errorf("after the cancellation: %v", ev.Kind) })
			s := e.Stats()
			if s.UsedPages != 0 || s.FreePages != 64 || s.Running != 0 || s.Waiting != 0 || s.Cancelled != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestFreezeAndThaw(t *testing.T) {
	e := New(small())
	e.Submit(0, Request{ID: 1, ISL: 10, OSL: 2})
	var l log
	e.Step(0, l.emit) // prefill until 20 ms
	e.Freeze(10 * ms)
	if _, ok := e.Next(); ok {
		t.Error("a frozen engine has something to do")
	}
	e.Step(20*ms, l.emit)
	e.Submit(30*ms, Request{ID: 2, ISL: 10, OSL: 1})
	e.Thaw(100 * ms)
	drain(t, e, l.emit)
	wantLog(t, l,
		"0s 1 scheduled",
		"100ms 1 prefill chunk 10",
		"100ms 1 first token",
		"100ms 2 scheduled",
		"120ms 2 prefill chunk 10",
		"120ms 2 first token",
		"120ms 2 finished 1",
		"130ms 1 token",
		"130ms 1 finished 2",
	)
	if s := e.Stats(); s.Idle != 80*ms || s.PrefillBusy != 40*ms {
		t.Errorf("idle %v, prefill %v", s.Idle, s.PrefillBusy)
	}
}

func TestShortFreezeDelaysNothing(t *testing.T) {
	e := New(small())
	e.Submit(0, Request{ID: 1, ISL: 10, OSL: 1})
	e.Step(0, func(Event) {}) // prefill until 20 ms
	e.Freeze(5 * ms)
	e.Thaw(10 * ms)
	if at, ok := e.Next(); at != 20*ms || !ok {
		t.Errorf("the step under way ends at %v", at)
	}
}

func TestSlowTakesEffectAtTheNextStep(t *testing.T) {
	e := New(small())
	e.Submit(0, Request{ID: 1, ISL: 10, OSL: 3})
	e.Step(0, func(Event) {})
	e.Set(func(p *Params) { p.Slow = 4 })
	if at, _ := e.Next(); at != 20*ms {
		t.Errorf("the step under way ends at %v", at)
	}
	if end := drain(t, e, func(Event) {}); end != 100*ms {
		t.Errorf("ended at %v", end)
	}
}

func TestRoles(t *testing.T) {
	t.Run("prefill holds the KV until release", func(t *testing.T) {
		p := small()
		p.Role, p.HoldKV = Prefill, true
		e := New(p)
		e.Submit(0, Request{ID: 1, ISL: 16, OSL: 100})
		var l log
		drain(t, e, l.emit)
		wantLog(t, l, "0s 1 scheduled", "26ms 1 prefill chunk 16", "26ms 1 first token", "26ms 1 finished 1")
		if s := e.Stats(); s.UsedPages != 4 || s.Held != 1 {
			t.Errorf("held: %+v", s)
		}
		if !e.Release(30*ms, 1) || e.Release(30*ms, 1) {
			t.Error("release did not report what it did")
		}
		if s := e.Stats(); s.UsedPages != 0 || s.EvictablePages != 4 || s.Held != 0 {
			t.Errorf("released: %+v", s)
		}
	})
	t.Run("decode starts with the prompt's KV", func(t *testing.T) {
		p := small()
		p.Role = Decode
		e := New(p)
		e.Submit(50*ms, Request{ID: 1, ISL: 16, OSL: 3, RemotePrefilled: true})
		var l log
		drain(t, e, l.emit)
		wantLog(t, l, "50ms 1 scheduled", "50ms 1 first token", "60ms 1 token", "70ms 1 token", "70ms 1 finished 3")
		if s := e.Stats(); s.PrefillTokens != 0 || s.DecodeTokens != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// qwen3 are the fitted parameters.
func qwen3(tp int) Params {
	p, err := Qwen3_32B_H200(tp)
	if err != nil {
		panic(err)
	}
	return p
}

func TestValidate(t *testing.T) {
	for _, tp := range []int{1, 2, 4, 8} {
		p := qwen3(tp)
		if err := p.Validate(); err != nil {
			t.Errorf("TP %d: %v", tp, err)
		}
	}
	for _, tp := range []int{-1, 0, 3, 16} {
		if _, err := Qwen3_32B_H200(tp); err == nil {
			t.Errorf("TP %d: no error, and nothing was measured", tp)
		}
	}
	for name, change := range map[string]func(*Params){
		"TP":                func(p *Params) { p.TP = 0 },
		"DP":                func(p *Params) { p.DP = -1 },
		"pool":              func(p *Params) { p.KVPages = 0 },
		"budget":            func(p *Params) { p.MaxPrefillTokens = 3 },
		"no time":           func(p *Params) { p.StepOverhead = 0 },
		"negative":          func(p *Params) { p.Slow = -1 },
		"not a number":      func(p *Params) { p.DecodePerSeq = nan() },
		"too many to count": func(p *Params) { p.KVPages = 1 << 40 },
	} {
		p := small()
		change(&p)
		if p.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func nan() float64 { var z float64; return z / z }
