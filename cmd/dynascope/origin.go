package main

import (
	"context"
	"errors"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/composite"
	"dynascope/sources/embedded"
	"dynascope/sources/engine"
	"dynascope/sources/feed"
	"dynascope/sources/prom"
	"dynascope/tui/report"
)

// remoteTick is the least time between two questions to a remote server
// (architecture.md §4).
const remoteTick = 5 * time.Second

// remoteQuestion is how long one question to it may take before its figure
// keeps the last good value.
const remoteQuestion = 4 * time.Second

// origin is where the numbers of one run come from, and what the console wants
// to know about it besides. Functions may be nil.
type origin struct {
	store    sources.Store
	observe  func(*sources.Snapshot) // sees every snapshot
	warning  func() string
	tried    func() []report.TriedLine
	info     func(instance string) *engine.ServerInfo // of plain SGLang servers
	recorded func() (oldest, newest time.Time)
	remote   bool
	at       time.Time // zero is live
	tick     time.Duration
	pace     func() time.Duration
	closers  []func() error
}

// openOrigin opens what the settings name: a recording, a remote server with
// this host's GPUs beside it, or a private store that scrapes.
func openOrigin(ctx context.Context, s settings, cat *catalog.Catalog) (*origin, error) {
	switch {
	case s.data != "":
		return openRecording(ctx, s)
	case s.remote.url != "":
		return openRemote(ctx, s, cat)
	default:
		c, err := collect(ctx, s, cat, embedded.Options{})
		if err != nil {
			return nil, err
		}
		o := &origin{store: c.store, observe: c.observe, warning: c.Warning, info: c.info, tick: max(s.interval, time.Second), closers: []func() error{c.Close}}
		if c.discovers() {
			o.tried = c.Tried
		}
		return o, nil
	}
}

func openRecording(ctx context.Context, s settings) (*origin, error) {
	r, err := embedded.OpenRecording(ctx, s.data, embedded.Options{})
	if err != nil {
		return nil, err
	}
	o := &origin{
		store: r, warning: r.Warning, tick: 2 * time.Second, closers: []func() error{r.Close},
		recorded: func() (time.Time, time.Time) { return r.Oldest(), r.Newest() },
	}
	if s.at != "" {
		now := r.Newest().Local()
		if r.Following() {
			now = time.Now()
		}
		if o.at, err = embedded.ParseMoment(s.at, now, r.Oldest(), r.Newest()); err != nil {
			return nil, errors.Join(err, o.Close())
		}
	}
	return o, nil
}

func openRemote(ctx context.Context, s settings, cat *catalog.Catalog) (*origin, error) {
	options, err := s.remote.options(cat)
	if err != nil {
		return nil, err
	}
	remote, err := prom.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	o := &origin{store: remote, remote: true, pace: remote.Interval, warning: remote.Warning, tick: max(s.interval, remoteTick), closers: []func() error{remote.Close}}
	// The GPUs of this host are seen second by second, whatever the fleet's
	// server scrapes; only where there are some is the second store worth it.
	c, err := collectGPUs(ctx, s, cat)
	switch {
	case err != nil:
		return nil, errors.Join(err, o.Close())
	case c != nil:
		o.closers = append(o.closers, c.Close)
		o.store, o.observe = composite.New(remote, c.store), c.observe
		o.warning = func() string {
			if w := remote.Warning(); w != "" {
				return w
			}
			return c.Warning()
		}
	}
	return o, nil
}

// Close ends everything that was started, newest first, and waits for it.
func (o *origin) Close() error {
	var errs []error
	for i := len(o.closers) - 1; i >= 0; i-- {
		errs = append(errs, o.closers[i]())
	}
	return errors.Join(errs...)
}

// now is the moment that "live" means: of a recording its newest sample.
func (o *origin) now() time.Time {
	if o.recorded == nil {
		return time.Time{}
	}
	if !o.at.IsZero() {
		return o.at
	}
	_, newest := o.recorded()
	return newest
}

// fill waits until there is something to show: a recording is full already, a
// remote server needs one look at its targets.
func (o *origin) fill(ctx context.Context, wait time.Duration) error {
	if o.recorded != nil {
		return nil
	}
	if o.remote {
		wait = min(wait, remoteTick)
	}
	select {
	case <-ctx.Done():
		return exitError{code: 130, msg: "stopped before the end of --for"}
	case <-time.After(wait):
		return nil
	}
}

// feed asks the origin's store, as gently as the store wants.
func (o *origin) feed(cat *catalog.Catalog) observed {
	f := feed.New(o.store, cat)
	f.Warning = o.warning
	if o.remote {
		f.Parallel, f.Limit = 4, remoteQuestion
	}
	if o.recorded != nil {
		f.Newest = func() time.Time { _, newest := o.recorded(); return newest }
	}
	return observed{f, o.observe}
}

// observed is a feed whose snapshots are also seen by the origin.
type observed struct {
	*feed.Feed
	see func(*sources.Snapshot)
}

func (o observed) Tick(ctx context.Context, ask feed.Ask) *sources.Snapshot {
	snap := o.Feed.Tick(ctx, ask)
	if o.see != nil && snap.Live {
		o.see(snap)
	}
	return snap
}
