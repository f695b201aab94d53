package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"dynascope/sources/catalog"
	"dynascope/sources/discover"
	"dynascope/sources/embedded"
	"dynascope/sources/gpu"
	"dynascope/tui/report"
)

// collection fills a private store: with the targets that flags name, those of
// target files or of discovery, this host's GPUs, and what plain SGLang servers
// answer besides metrics. It waits in Close for all that it started.
type collection struct {
	store   *embedded.Store
	set     settings
	ctx     context.Context
	cancel  context.CancelFunc
	differ  discover.Differ
	work    sync.WaitGroup
	sampler *gpu.Sampler // nil before sampleGPUs and without one

	mu      sync.Mutex
	found   map[string]string // URL → instance, of targets that were not named
	pollers map[string]*poll  // by instance
	owners  map[string]bool   // instances whose local processes are told
	tried   []report.TriedLine
	problem string // with finding targets
}

// collect opens the store and begins to fill it. Nothing here waits for a
// target: a black-holed one delays neither the first frame nor its neighbours.
func collect(ctx context.Context, s settings, cat *catalog.Catalog, o embedded.Options) (*collection, error) {
	o.KeepNames = cat.Keep()
	store, err := embedded.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	c := &collection{store: store, set: s, found: map[string]string{}, pollers: map[string]*poll{}, owners: map[string]bool{}}
	c.ctx, c.cancel = context.WithCancel(ctx)
	if err := c.start(cat); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *collection) start(cat *catalog.Catalog) error {
	for _, spec := range c.set.specs() {
		if _, err := c.store.Add(c.ctx, spec); err != nil {
			return err
		}
	}
	if len(c.set.files) > 0 {
		files, err := discover.File(c.set.files...)
		if err != nil {
			return err
		}
		c.own(func() { files.Watch(c.ctx, c.takeFiles) })
	}
	if c.discovers() {
		scanner := discover.New(discover.Options{Catalog: cat})
		c.own(func() { scanner.Watch(c.ctx, c.takeScan) })
	}
	if c.set.gpus {
		c.own(c.sampleGPUs)
	}
	return nil
}

// discovers says whether this host is searched: only when nothing was named.
func (c *collection) discovers() bool {
	return len(c.set.targets) == 0 && len(c.set.files) == 0
}

func (c *collection) own(f func()) {
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		f()
	}()
}

// takeScan adds what discovery found. What stopped answering stays a target: it
// is then down on screen, which is what an operator wants to see.
func (c *collection) takeScan(r discover.Report) {
	tried := make([]report.TriedLine, 0, len(r.Tried))
	for _, t := range r.Tried {
		line := report.TriedLine{Addr: t.Addr, Outcome: string(t.Outcome)}
		if t.Detail != "" {
			line.Outcome += ": " + t.Detail
		}
		if len(t.Why) > 0 {
			line.Why = t.Why[0].String()
		}
		tried = append(tried, line)
	}
	for _, note := range r.Notes {
		tried = append(tried, report.TriedLine{Addr: "this host", Outcome: note})
	}
	c.mu.Lock()
	c.tried = tried
	c.mu.Unlock()
	c.follow(r.Targets())
}

// takeFiles follows target files: what left them goes.
func (c *collection) takeFiles(r discover.FileReport) {
	problem := ""
	if r.Err != nil {
		problem = r.Err.Error()
	}
	c.say(problem)
	c.follow(r.Targets)
}

// follow brings the store's targets in line with a list. Only one goroutine
// finds targets: the files' or the scanner's.
func (c *collection) follow(list []discover.Target) {
	added, removed := c.differ.Update(list)
	for _, t := range removed {
		c.mu.Lock()
		instance, known := c.found[t.URL]
		delete(c.found, t.URL)
		c.mu.Unlock()
		if !known {
			continue
		}
		if err := c.store.Remove(instance); err != nil && c.ctx.Err() == nil {
			c.say(err.Error())
		}
	}
	for _, t := range added {
		// Without credentials: those are for the targets that were named
		// (honesty.md 19).
		instance, err := c.store.Add(c.ctx, embedded.TargetSpec{
			URL: t.URL, Labels: t.Labels, Interval: c.set.interval, Timeout: c.set.auth.timeout,
			BodyLimit: c.set.auth.bodyLimit, SampleLimit: c.set.auth.sampleLimit,
		})
		switch {
		case c.ctx.Err() != nil:
			return
		case err != nil:
			c.say(err.Error())
		default:
			c.mu.Lock()
			c.found[t.URL] = instance
			c.mu.Unlock()
		}
	}
}

// say keeps what is wrong with finding targets, for Warning.
func (c *collection) say(problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problem = problem
}

// Tried is the list of what discovery looked at.
func (c *collection) Tried() []report.TriedLine {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tried
}

// Warning is trouble that concerns the whole collection.
func (c *collection) Warning() string {
	if w := c.store.Warning(); w != "" {
		return w
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem
}

// Close stops everything that was started and waits for it.
func (c *collection) Close() error {
	c.cancel()
	c.mu.Lock() // whoever observes now starts nothing more
	work := &c.work
	c.mu.Unlock()
	work.Wait()
	err := c.store.Close()
	for _, p := range c.pollers {
		p.poller.Close()
	}
	if c.sampler != nil {
		// A driver that holds a call cannot be waited for; the process exits
		// all the same.
		_ = c.sampler.Close()
	}
	if err != nil {
		return fmt.Errorf("end the collection: %w", err)
	}
	return nil
}
