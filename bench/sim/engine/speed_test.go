package engine

import (
	"testing"
	"time"
)

// busy returns an engine with n requests in decode that do not end soon.
func busy(n int) *Engine {
	p := qwen3(8)
	p.MaxRunning = n
	p.NewTokenRatio, p.NewTokenRatioMin = 0, 0
	p.KVPages = 1 << 30
	e := New(p)
	for id := range uint64(n) {
		e.Submit(0, Request{ID: id, ISL: 500, OSL: 1 << 30})
	}
	for e.Stats().DecodeSteps < 1 {
		at, _ := e.Next()
		e.Step(at, func(Event) {})
	}
	return e
}

func BenchmarkDecodeStep256(b *testing.B) {
	e := busy(256)
	tokens := 0
	emit := func(ev Event) { tokens += ev.Tokens }
	b.ReportAllocs()
	for b.Loop() {
		at, _ := e.Next()
		e.Step(at, emit)
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(tokens), "ns/token")
}

func BenchmarkPrefill8000(b *testing.B) {
	p := qwen3(8)
	e := New(p)
	id := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		id++
		e.Submit(e.now, Request{ID: id, ISL: 8000, OSL: 1})
		for at, ok := e.Next(); ok; at, ok = e.Next() {
			e.Step(at, func(Event) {})
		}
	}
}

func TestDecodeStepAllocatesNothing(t *testing.T) {
	e := busy(256)
	emit := func(Event) {}
	if n := testing.AllocsPerRun(200, func() {
		at, _ := e.Next()
		e.Step(at, emit)
	}); n > 0 {
		t.Errorf("a decode step allocates %v times", n)
	}
	const steps = 2000
	start := time.Now()
	for range steps {
		at, _ := e.Next()
		e.Step(at, emit)
	}
	t.Logf("a decode step of 256 requests: %v", time.Since(start)/steps)
}
