package world

import (
	"testing"
	"time"
)

// BenchmarkHour simulates an hour of sixteen targets (a frontend, thirteen
// workers, two exporters) and renders every page each ten seconds.
func BenchmarkHour(b *testing.B) {
	for range b.N {
		w := build(b, Config{Scenario: script(b, `
duration: 2h
deployment:
  pools: [{workers: 13, tp: 1}]
load:
- {kind: open, rate: 13, isl: {dist: lognormal, mean: 1200, stddev: 800, max: 8000}, osl: {dist: normal, mean: 200, stddev: 60}}
`)})
		bytes := 0
		for at := time.Duration(0); at <= time.Hour; at += 10 * time.Second {
			w.Advance(at)
			for _, e := range w.Endpoints() {
				bytes += len(w.Page(e.Name).Body)
			}
		}
		tokens := uint64(0)
		for _, k := range w.workers {
			for _, r := range k.ranks {
				tokens += r.engine.Stats().OutputTokens
			}
		}
		b.ReportMetric(float64(tokens), "tokens")
		b.ReportMetric(float64(w.requests), "requests")
		b.ReportMetric(float64(bytes)/1e6, "MB-pages")
	}
}
