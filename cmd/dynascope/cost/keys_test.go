//go:build linux

package main

import (
	"slices"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
	"dynascope/tui"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
)

// fleetScenario is 256 workers on 64 hosts of eight GPUs.
const fleetScenario = `
description: a fleet
duration: 2m
deployment:
  frontends: {count: 2}
  pools: [{workers: 256, tp: 2}]
load:
  - {rate: 60, isl: 800, osl: 150}
`

// BenchmarkKeys is how long a key waits for its picture on a simulated fleet of
// 256 workers and 64 hosts of 8 GPUs, while the console goes on asking: keys
// come every 50 ms, and what is under way when one comes counts.
func BenchmarkKeys(b *testing.B) {
	sc, err := scenario.Parse("fleet", []byte(fleetScenario))
	if err != nil {
		b.Fatal(err)
	}
	cat := catalog.Default()
	store, err := embedded.Open(b.Context(), embedded.Options{KeepNames: cat.Keep()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	w, err := world.New(world.Config{Scenario: sc, Start: time.Unix(1_700_000_000, 0)})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := virtual.Run(b.Context(), w, store, virtual.Options{Until: 100 * time.Second}); err != nil {
		b.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0).Add(99 * time.Second)
	f := feed.New(store, cat)
	f.Newest = func() time.Time { return at }
	all := panes.All()
	m, err := tui.New(b.Context(), tui.Options{
		Feed: f, Catalog: cat, Panes: all, Recording: true, Recorded: func() (time.Time, time.Time) { return at.Add(-99 * time.Second), at },
		Court:  verdict.Court{Rules: rules.All(), SLA: verdict.SLA{TTFT: time.Second, ITL: 50 * time.Millisecond}},
		Window: time.Minute, SLA: pane.SLA{TTFT: time.Second, ITL: 50 * time.Millisecond},
	})
	if err != nil {
		b.Fatal(err)
	}

	// The runtime, in small: commands run beside, what they bring waits in line.
	msgs := make(chan tea.Msg, 1024)
	var run func(tea.Cmd)
	run = func(c tea.Cmd) {
		if c == nil {
			return
		}
		go func() {
			switch msg := c().(type) {
			case nil:
			case tea.BatchMsg:
				for _, c := range msg {
					run(c)
				}
			default:
				msgs <- msg
			}
		}()
	}
	take := func(msg tea.Msg) {
		_, cmd := m.Update(msg)
		run(cmd)
		_ = m.View()
	}
	run(m.Init())
	take(tea.WindowSizeMsg{Width: cols, Height: rows})
	keys := []string{"1", "j", "2", "l", "3", "j", "j", "4", "j", "s", "j", "G", "5", "j", "s", "6", "j", "s", "7", "tab", "j"}
	var waited []time.Duration
	next := time.Now().Add(2 * time.Second) // the first answers
	for i := 0; b.Loop(); i++ {
		for wait := time.Until(next); wait > 0; wait = time.Until(next) {
			select {
			case msg := <-msgs:
				take(msg)
			case <-time.After(wait):
			}
		}
		take(key(keys[i%len(keys)]))
		waited = append(waited, time.Since(next))
		next = time.Now().Add(50 * time.Millisecond)
	}
	slices.Sort(waited)
	b.ReportMetric(float64(waited[len(waited)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waited[len(waited)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(waited[len(waited)-1].Microseconds())/1000, "worst-ms")
}

func key(name string) tea.KeyPressMsg {
	if name == "tab" {
		return tea.KeyPressMsg{Code: tea.KeyTab}
	}
	r := []rune(name)[0]
	return tea.KeyPressMsg{Code: r, Text: name}
}
