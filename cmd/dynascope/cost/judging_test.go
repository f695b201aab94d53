//go:build linux

package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
)

// BenchmarkJudging is what a judgement costs every five seconds, beside the
// screen's ticks: its questions, and then the rules over ten minutes of columns.
// "first" is what the first one costs on a store that is full already, which is
// what stepping into the past costs too.
func BenchmarkJudging(b *testing.B) {
	court := verdict.Court{Rules: rules.All(), SLA: verdict.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond}}
	for _, n := range []int{16, 64, 256} {
		store, at := filled(b, n, min(300, 30720/n))
		ask := feed.Ask{Needs: court.Needs(), Window: 5 * time.Minute, Events: verdict.Span}
		var snap *sources.Snapshot
		b.Run(fmt.Sprintf("targets=%d/first", n), func(b *testing.B) {
			before := ownCPU(b)
			for b.Loop() {
				ask.At = at
				snap = feed.New(store, catalog.Default()).Tick(context.Background(), ask)
			}
			b.ReportMetric(float64(snap.Queries), "queries")
			b.ReportMetric((ownCPU(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
		b.Run(fmt.Sprintf("targets=%d/next", n), func(b *testing.B) {
			f := feed.New(store, catalog.Default())
			ask.At = at.Add(-time.Minute)
			f.Tick(context.Background(), ask)
			before := ownCPU(b)
			for i := 0; b.Loop(); i++ {
				ask.At = at.Add(time.Duration(i%12-11) * verdict.Step)
				snap = f.Tick(context.Background(), ask)
			}
			b.ReportMetric(float64(snap.Queries), "queries")
			b.ReportMetric((ownCPU(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
		b.Run(fmt.Sprintf("targets=%d/rules", n), func(b *testing.B) {
			before := ownCPU(b)
			for b.Loop() {
				court.Judge(snap)
			}
			b.ReportMetric((ownCPU(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}
