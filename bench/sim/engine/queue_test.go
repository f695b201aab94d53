package engine

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestSingleServerWaitsAsTheTextbookSays runs the engine as a single server
// with a fixed service time under Poisson arrivals: one request at a time, one
// token each, no reuse. The mean wait of M/D/1 is ρ/(2μ(1−ρ)).
func TestSingleServerWaitsAsTheTextbookSays(t *testing.T) {
	n := 400_000
	if testing.Short() {
		n = 100_000
	}
	for _, rho := range []float64{0.5, 0.7, 0.9} {
		p := small()
		p.MaxRunning, p.NoPrefixCache = 1, true
		e := New(p)
		const isl = 40
		service := p.StepTime(Work{PrefillTokens: isl, PrefillAttention: isl * isl / 2}).Seconds()
		mu := 1 / service
		rng := rand.New(rand.NewPCG(42, uint64(rho*100)))

		arrived := make(map[uint64]time.Duration)
		var sum time.Duration
		count := 0
		warm := uint64(n / 20)
		emit := func(ev Event) {
			if ev.Kind == Scheduled {
				if ev.ID >= warm {
					sum += ev.At - arrived[ev.ID]
					count++
				}
				delete(arrived, ev.ID)
			}
		}
		at := 0.0
		for id := range uint64(n) {
			at += rng.ExpFloat64() / (rho * mu)
			now := time.Duration(at * 1e9)
			for next, ok := e.Next(); ok && next <= now; next, ok = e.Next() {
				e.Step(next, emit)
			}
			arrived[id] = now
			e.Submit(now, Request{ID: id, ISL: isl, OSL: 1})
		}
		drain(t, e, emit)
		got := sum.Seconds() / float64(count)
		want := rho / (2 * mu * (1 - rho))
		off := got/want - 1
		t.Logf("ρ %.1f: mean wait %.2f ms, textbook %.2f ms, off by %+.2f %%", rho, got*1e3, want*1e3, off*100)
		if math.Abs(off) > 0.05 {
			t.Errorf("ρ %.1f: mean wait off by %.1f %%, more than 5 %%", rho, off*100)
		}
		if s := e.Stats(); s.Finished != uint64(n) {
			t.Errorf("%d of %d finished", s.Finished, n)
		}
	}
}
