package engine

import (
	"math"
	"testing"
	"time"
)

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestGPUFollowsTheWork(t *testing.T) {
	p := qwen3(4)
	e := New(p)
	if g := e.GPU(10 * time.Second); g != (GPU{Watts: p.GPU.IdleWatts}) {
		t.Errorf("idle: %+v", g)
	}

	// A long prefill: compute-bound, near the power limit.
	e.Submit(10*time.Second, Request{ID: 1, ISL: 100_000, OSL: 1})
	until := func(end time.Duration) {
		for at, ok := e.Next(); ok && at <= end; at, ok = e.Next() {
			e.Step(at, func(Event) {})
		}
	}
	until(12 * time.Second)
	prefill := e.GPU(12 * time.Second)
	if !near(prefill.SM, 1, 0.01) || prefill.Tensor < 0.5 || prefill.Memory > 0.3 || prefill.Watts < 600 || prefill.Watts > 700 {
		t.Errorf("prefill: %+v", prefill)
	}
	drain(t, e, func(Event) {})

	// A small batch in decode: bound by memory.
	e.Submit(30*time.Second, Request{ID: 2, ISL: 500, OSL: 1000})
	until(32 * time.Second)
	decode := e.GPU(32 * time.Second)
	if !near(decode.SM, 1, 0.01) || decode.Tensor > 0.05 || decode.Memory < 0.3 || decode.Watts >= prefill.Watts {
		t.Errorf("decode: %+v", decode)
	}

	// Asking twice gives the same; a second of nothing leaves nothing.
	if again := e.GPU(32 * time.Second); again != decode {
		t.Errorf("asked again: %+v, before %+v", again, decode)
	}
	end := drain(t, e, func(Event) {})
	half := e.GPU(end + 500*time.Millisecond)
	if !near(half.SM, 0.5, 0.06) {
		t.Errorf("half a second after the end: %+v", half)
	}
	if g := e.GPU(end + 1100*time.Millisecond); g != (GPU{Watts: p.GPU.IdleWatts}) {
		t.Errorf("a second after the end: %+v", g)
	}
}

func TestGPUOfAFrozenEngineGoesIdle(t *testing.T) {
	p := qwen3(4)
	e := New(p)
	e.Submit(0, Request{ID: 1, ISL: 500, OSL: 1000})
	for at, _ := e.Next(); at < 2*time.Second; at, _ = e.Next() {
		e.Step(at, func(Event) {})
	}
	e.Freeze(2 * time.Second)
	if g := e.GPU(5 * time.Second); g.SM != 0 || g.Watts != p.GPU.IdleWatts {
		t.Errorf("frozen for three seconds: %+v", g)
	}
}

// Host work after a step makes the next one late and leaves the GPU idle.
func TestGPUWaitsForTheHost(t *testing.T) {
	rest := func(delay float64) (step, idle time.Duration, g GPU) {
		p := qwen3(4)
		p.HostDelay = delay
		e := New(p)
		e.Submit(0, Request{ID: 1, ISL: 500, OSL: 1000})
		var at []time.Duration
		for n, _ := e.Next(); n < 5*time.Second; n, _ = e.Next() {
			e.Step(n, func(Event) {})
			at = append(at, n)
		}
		last := at[len(at)-1]
		if s := e.Stats(); s.PrefillBusy+s.DecodeBusy+s.Idle != last || s.LastStep != last-at[len(at)-2] {
			t.Errorf("%v in prefill, %v in decode, %v idle and a last step of %v, at %v", s.PrefillBusy, s.DecodeBusy, s.Idle, s.LastStep, last)
		}
		return last - at[len(at)-2], e.Stats().Idle, e.GPU(last)
	}
	step, idle, busy := rest(0)
	if idle != 0 || !near(busy.SM, 1, 0.01) {
		t.Errorf("without: idle for %v, %+v", idle, busy)
	}
	with, _, half := rest(step.Seconds())
	if d := (with - 2*step).Seconds(); !near(d, 0, 1e-4) || !near(half.SM, 0.5, 0.03) || !near(half.Memory, busy.Memory/2, 0.03) {
		t.Errorf("as long as a step: steps of %v after %v, %+v", with, step, half)
	}
}

func TestGPUDuringAStepOfSeconds(t *testing.T) {
	p := qwen3(4)
	p.Slow = 500
	e := New(p)
	e.Submit(0, Request{ID: 1, ISL: 500, OSL: 3})
	for e.Stats().PrefillSteps == 0 {
		at, _ := e.Next()
		e.Step(at, func(Event) {})
	}
	end, _ := e.Next() // of a decode step of more than three seconds
	during := e.GPU(end - time.Second)
	e.Step(end, func(Event) {})
	after := e.GPU(end)
	if end-e.done > 0 || during.SM < 0.99 || !near(during.Memory, after.Memory, 0.02*during.Memory) || during.Memory > 0.01 {
		t.Errorf("during: %+v, after: %+v", during, after)
	}
}
