package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"dynascope/sources"
)

// quietJob is the job label of series that are joined to another target's
// instance. It keeps what ends the target's own series from ending these.
const quietJob = job + "-joined"

// localGrace is how long the end of a local page waits for a Page call that is
// still running, once its context is done.
const localGrace = time.Second

// LocalSpec is a target whose page is made in this process.
type LocalSpec struct {
	// Instance is the instance label: any printable text, such as the host's
	// name for its GPUs. With Quiet it is the instance of the target that the
	// samples belong to.
	Instance string
	// Labels are put on every series, besides job and instance.
	Labels map[string]string
	// Interval defaults to 1 s and is never lengthened. The slowest interval of
	// a store decides how long any sample counts (2.5 of it, at least 5 s), so a
	// source that is asked more gently than every two seconds should answer
	// with its last page in between.
	Interval time.Duration
	// Role is shown in Targets until the page itself tells.
	Role string
	// Page returns the page in the text format 0.0.4. It is called from one
	// goroutine at a time, at every interval; the returned bytes are not kept
	// past the next call. An error is a scrape that failed. Its context ends
	// after one interval, and with the target or the store: Page must return
	// then. One that does not is a failed scrape at every interval until it
	// returns, is not called again before, and is not waited for by Close
	// beyond a second.
	Page func(ctx context.Context) ([]byte, error)
	// Quiet joins the samples to another target's instance: they come without
	// up and the scrape_* series, under job="dynascope-joined", and are not in
	// Targets. Local.Status tells how they go.
	Quiet bool

	// Limits, as in TargetSpec.
	BodyLimit               int64
	SampleLimit, LabelLimit int
}

// Local is a target whose page is made in this process.
type Local struct {
	s      *Store
	t      *target
	page   func(ctx context.Context) ([]byte, error)
	cancel context.CancelFunc

	mu    sync.Mutex // guards the rest
	in    *intake
	ended bool
}

// errLocalLate is a Page that did not return in time.
var errLocalLate = errors.New("the sampler did not answer within its interval; hint: the driver or the process it asks may hang")

// AddLocal begins to collect a local page, the first at once, on the clock of
// the wall; a store that is fed by hand (Push) takes none. What becomes of a
// page is what becomes of a scraped one: first-burst zeros, stale markers when
// it fails, limits, KeepNames. The context bounds only the call.
func (s *Store) AddLocal(ctx context.Context, spec LocalSpec) (*Local, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("add local page: %w", err)
	}
	if !s.enter(&s.appending) {
		return nil, errors.New("add local page: the store is closed")
	}
	defer s.appending.Done()
	l, err := s.registerLocal(spec)
	if err != nil {
		return nil, err
	}
	var run context.Context
	run, l.cancel = context.WithCancel(s.ctx)
	s.own(func() { l.run(run) })
	s.wake()
	return l, nil
}

func (s *Store) registerLocal(spec LocalSpec) (*Local, error) {
	switch {
	case spec.Instance == "" || oneLine(spec.Instance) != spec.Instance:
		return nil, fmt.Errorf("add local page: %q cannot be an instance; hint: one line of printable text", oneLine(spec.Instance))
	case spec.Page == nil:
		return nil, fmt.Errorf("add local page %s: nothing makes the page", spec.Instance)
	}
	if err := checkLabels(spec.Labels); err != nil {
		return nil, err
	}
	ts := TargetSpec{Labels: spec.Labels, Interval: spec.Interval, BodyLimit: spec.BodyLimit, SampleLimit: spec.SampleLimit, LabelLimit: spec.LabelLimit}
	if err := ts.fill(); err != nil {
		return nil, fmt.Errorf("add local page %s: %w", spec.Instance, err)
	}
	ts.Timeout = ts.Interval
	of := job
	if spec.Quiet {
		of = quietJob
	}
	ls := seriesLabels(spec.Labels, of, spec.Instance)

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.targets {
		switch {
		case t.fed:
			return nil, fmt.Errorf("add local page %s: a store is fed by hand or scrapes, not both", spec.Instance)
		case t.instance == spec.Instance && !t.quiet && !spec.Quiet, labels.Equal(t.labels, ls):
			return nil, fmt.Errorf("add local page %s: that instance is there already", spec.Instance)
		}
	}
	u := &url.URL{Scheme: "local", Host: spec.Instance}
	p, err := s.poolFor(ts, u)
	if err != nil {
		return nil, fmt.Errorf("add local page %s: %w", spec.Instance, err)
	}
	s.lastID++
	t := &target{
		id: strconv.Itoa(s.lastID), instance: spec.Instance, url: u, spec: ts, pool: p, labels: ls,
		base: ts.Interval, interval: ts.Interval, quiet: spec.Quiet, known: map[uint64]struct{}{},
		status: sources.Target{Instance: spec.Instance, URL: "local:" + spec.Instance, Role: spec.Role, BaseInterval: ts.Interval},
	}
	l := &Local{s: s, t: t, page: spec.Page, in: newIntake(s, t)}
	t.local = l
	s.list(t)
	return l, nil
}

// Instance is the target's instance label.
func (l *Local) Instance() string { return l.t.instance }

// Status is how the pages come, also of a quiet one. ServerShare is the whole
// time that Page took.
func (l *Local) Status() sources.Target {
	l.t.mu.Lock()
	defer l.t.mu.Unlock()
	st := l.t.status
	st.Interval = l.t.base
	return st
}

// Remove ends the pages and their series. It does not wait for a Page call
// that is running.
func (l *Local) Remove() error {
	l.s.mu.Lock()
	i := slices.Index(l.s.targets, l.t)
	if i < 0 {
		l.s.mu.Unlock()
		return fmt.Errorf("remove local page %s: it was removed", l.t.instance)
	}
	l.s.unlist(i)
	l.s.mu.Unlock()
	l.s.end(l.t)
	l.s.wake()
	return nil
}

// run collects pages until ctx ends.
func (l *Local) run(ctx context.Context) {
	tick := time.NewTicker(l.t.base)
	defer tick.Stop()
	var pending chan answer // of a call that did not return yet
	for {
		start := time.Now()
		if pending == nil {
			pending = l.call(ctx)
		}
		a := answer{err: errLocalLate}
		late := time.NewTimer(l.t.base)
		select {
		case a = <-pending:
			pending = nil
		case <-late.C:
		case <-ctx.Done():
			late.Reset(localGrace)
			select {
			case <-pending:
			case <-late.C:
			}
			return
		}
		late.Stop()
		l.store(ctx, start, a)
		select {
		case <-ctx.Done():
			if pending != nil {
				select {
				case <-pending:
				case <-time.After(localGrace):
				}
			}
			return
		case <-tick.C:
		}
		// A call that hung for a whole interval may have returned since; what it
		// brought is of the past.
		select {
		case <-pending:
			pending = nil
		default:
		}
	}
}

// call asks for one page; the answer can always be delivered.
func (l *Local) call(ctx context.Context) chan answer {
	out := make(chan answer, 1)
	ctx, cancel := context.WithTimeout(ctx, l.t.base)
	go func() {
		defer cancel()
		body, err := l.page(ctx)
		switch {
		case ctx.Err() != nil:
			out <- answer{err: errLocalLate}
		case err != nil:
			out <- answer{err: err}
		default:
			out <- l.t.whole(body, "text/plain; version=0.0.4")
		}
	}()
	return out
}

func (l *Local) store(ctx context.Context, at time.Time, a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	took := time.Since(at)
	if err := l.in.scrape(ctx, at.UnixMilli(), a, func() time.Duration { return took }); err != nil {
		l.s.log.Debug("store a local page", "instance", l.t.instance, "err", err)
	}
}

// end writes stale markers into the series of the last page and lets no
// further one in.
func (l *Local) end() {
	l.cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	ctx := context.Background()
	app := l.s.scrapeAppender(ctx, l.t, nil, l.in, nil)
	at := max(time.Now().UnixMilli(), l.Status().LastScrape.UnixMilli()+1)
	if err := l.in.endMissing(app, at); err != nil {
		_ = app.Rollback()
		return
	}
	_ = app.Commit()
}

// seriesLabels are the labels of every series of a target.
func seriesLabels(own map[string]string, of, instance string) labels.Labels {
	lb := labels.NewBuilder(labels.EmptyLabels())
	for n, v := range own {
		lb.Set(n, v)
	}
	return lb.Set(model.JobLabel, of).Set(model.InstanceLabel, instance).Labels()
}
