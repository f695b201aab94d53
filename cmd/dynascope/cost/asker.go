//go:build linux

package main

import (
	"context"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
	"dynascope/sources/prom"
	"dynascope/tui"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
)

// asker asks a Prometheus server what the console asks its own store, at the
// same tick: it is the console, over HTTP and without a terminal.
type asker struct {
	store   *prom.Store
	program *tea.Program
	cancel  context.CancelFunc
	ended   chan error

	mu      sync.Mutex
	queries []int // of each tick
	up      int   // targets
}

func ask(ctx context.Context, url string, tick time.Duration) (*asker, error) {
	cat := catalog.Default()
	store, err := prom.Open(ctx, prom.Options{URL: url, KeepNames: cat.Keep(), Refresh: time.Second})
	if err != nil {
		return nil, err
	}
	a := &asker{store: store, ended: make(chan error, 1)}
	ctx, a.cancel = context.WithCancel(ctx)
	model, err := tui.New(ctx, tui.Options{
		Feed: counted{feed.New(store, cat), a}, Catalog: cat, Panes: panes.All(), Tick: tick, Window: 5 * time.Minute,
		Court: verdict.Court{Rules: rules.All(), SLA: verdict.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond}},
		SLA:   pane.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond},
	})
	if err != nil {
		a.cancel()
		return nil, err
	}
	a.program = tea.NewProgram(model, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(io.Discard),
		tea.WithWindowSize(cols, rows), tea.WithoutSignals(), tea.WithEnvironment([]string{"TERM=xterm-256color"}))
	go func() {
		_, err := a.program.Run()
		a.ended <- err
	}()
	return a, nil
}

func (a *asker) stop() {
	a.cancel()
	<-a.ended
	_ = a.store.Close()
}

// counted notes what each tick cost.
type counted struct {
	*feed.Feed
	a *asker
}

func (c counted) Tick(ctx context.Context, q feed.Ask) *sources.Snapshot {
	snap := c.Feed.Tick(ctx, q)
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	c.a.queries = append(c.a.queries, snap.Queries)
	c.a.up = 0
	for _, t := range snap.Targets {
		if t.Health == sources.HealthUp {
			c.a.up++
		}
	}
	return snap
}

// reset forgets the ticks so far.
func (a *asker) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queries = nil
}

// says is the median number of questions of a tick, and how many targets were
// up at the server in the newest.
func (a *asker) says() (queries, up int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return median(a.queries), a.up
}
