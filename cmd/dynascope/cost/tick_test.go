//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
	"dynascope/themes"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
)

// filled is a store that has scraped the page server's deployment for a while,
// without sockets: what a tick costs, apart from scraping.
func filled(tb testing.TB, n, seconds int) (*embedded.Store, time.Time) {
	tb.Helper()
	pages, err := templates(n)
	if err != nil {
		tb.Fatal(err)
	}
	store, err := embedded.Open(tb.Context(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	at := time.Unix(1_700_000_000, 0)
	targets := make([]*embedded.Pushed, n)
	for i := range targets {
		if targets[i], err = store.Push(embedded.TargetSpec{URL: fmt.Sprintf("http://host%d:9090/metrics", i), Interval: time.Second}); err != nil {
			tb.Fatal(err)
		}
	}
	var body []byte
	for s := range seconds {
		for i, p := range pages {
			body = p.at(body[:0], float64(s))
			if err := targets[i].Page(at.Add(time.Duration(s)*time.Second), body, time.Millisecond); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return store, at.Add(time.Duration(seconds-1) * time.Second)
}

// needs are those of one screen.
func needs(p pane.Pane) []sources.Need {
	theme, _ := themes.Get("dark")
	return p.Needs(pane.Frame{W: cols, H: rows, Styles: themes.NewStyles(theme, false), Window: 5 * time.Minute, Source: pane.FromFrontend,
		SLA: pane.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond}})
}

// ownCPU is what this process has used: on a shared machine the time on the
// wall says nothing.
func ownCPU(tb testing.TB) time.Duration {
	u, err := usageOf(os.Getpid())
	if err != nil {
		tb.Fatal(err)
	}
	return u.cpu
}

// BenchmarkTick is one second's questions of each screen to a store with five
// minutes of history (two at 256 targets).
func BenchmarkTick(b *testing.B) {
	for _, n := range []int{16, 64, 256} {
		b.Run(fmt.Sprintf("targets=%d", n), func(b *testing.B) {
			store, at := filled(b, n, min(300, 30720/n))
			for _, p := range panes.All() {
				b.Run(p.ID(), func(b *testing.B) {
					f := feed.New(store, catalog.Default())
					ask := feed.Ask{Needs: needs(p), At: at.Add(-time.Minute), Window: 5 * time.Minute}
					f.Tick(context.Background(), ask) // fills the courses
					queries, before := 0, ownCPU(b)
					for i := 0; b.Loop(); i++ {
						ask.At = at.Add(time.Duration(i%60-59) * time.Second)
						queries = f.Tick(context.Background(), ask).Queries
					}
					b.ReportMetric(float64(queries), "queries")
					b.ReportMetric((ownCPU(b)-before).Seconds()*1000/float64(b.N), "cpu-ms/op")
				})
			}
		})
	}
}
