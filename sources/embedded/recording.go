package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"dynascope/sources"
)

// refreshEvery is how often a replay looks for what a recorder has written
// since. A look costs what was written.
const refreshEvery = 5 * time.Second

// silentAfter is how long a recorder may write nothing before it counts as
// gone.
const silentAfter = time.Minute

// anewAfter is how often samples of unknown series, which a damaged log may
// hold for long, make the recording be read anew.
const anewAfter = 10 * time.Minute

// Recording answers questions of a recording: of one that is finished, and of
// one that another process is writing, some seconds behind it. It opens files
// of the directory for reading only, and leaves no trace there; what is not in
// blocks yet it holds in a private directory, as a Store does.
type Recording struct {
	dir  string
	opts Options

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	looking sync.Mutex        // one look at the directory at a time
	bad     map[string]string // block or directory → why it cannot be read
	anew    time.Time         // of the last reading that was begun for unknown series

	mu      sync.RWMutex // guards the rest
	closed  bool
	now     *reading
	desc    description
	warning string
}

var _ sources.Store = (*Recording)(nil)

// reading is one pass over a recording: the blocks, and a private store with
// what the log holds beyond them. When the log is replaced under it, another
// takes its place.
type reading struct {
	s    *Store
	tail *tail

	mu     sync.RWMutex
	blocks map[string]*tsdb.Block // by directory name
}

// OpenRecording opens the recording in dir, reads what is not in blocks yet,
// and follows it until Close. Of the options, QueryTimeout and Log count. Three
// million samples of the log take about a second; the context bounds only that.
func OpenRecording(ctx context.Context, dir string, o Options) (*Recording, error) {
	fail := func(err error) error { return fmt.Errorf("open the recording %s: %w", oneLine(dir), err) }
	r := &Recording{dir: dir, opts: Options{QueryTimeout: o.QueryTimeout, Log: o.Log, Retention: math.MaxInt64}, bad: map[string]string{}}
	var err error
	switch r.desc, err = readDescription(dir); {
	case errors.Is(err, os.ErrNotExist):
		return nil, fail(errors.New("there is no recording; hint: name the directory that was given to record --data"))
	case errors.Is(err, syscall.ENOTDIR):
		return nil, fail(errors.New("it is no directory; hint: name the directory that was given to record --data"))
	case errors.As(err, new(*fs.PathError)):
		return nil, fail(fmt.Errorf("%w; hint: may this user read it?", err))
	case err != nil:
		return nil, fail(err)
	}
	if r.now, err = r.begin(ctx); err != nil {
		return nil, fail(err)
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.judge(r.now)
	r.work.Go(r.follow)
	return r, nil
}

// begin reads a recording from its start. The log may be replaced meanwhile.
func (r *Recording) begin(ctx context.Context) (*reading, error) {
	for try := 1; ; try++ {
		x, err := r.beginOnce(ctx)
		if err == nil || !errors.Is(err, errLost) || try == 5 {
			return x, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(try) * 100 * time.Millisecond):
		}
	}
}

func (r *Recording) beginOnce(ctx context.Context) (*reading, error) {
	s, err := Open(ctx, r.opts)
	if err != nil {
		return nil, err
	}
	s.db.DisableCompactions()
	x := &reading{s: s, tail: newTail(r.dir), blocks: map[string]*tsdb.Block{}}
	s.data = x
	if err := r.look(ctx, x); err != nil {
		x.close()
		return nil, err
	}
	// A block may have been written, and its part of the log removed, between
	// the two halves of the first look.
	r.readBlocks(x)
	return x, nil
}

func (x *reading) close() {
	_ = x.s.Close() // waits for the questions that are being answered
	x.tail.close()
	for _, b := range x.blocks {
		_ = b.Close()
	}
}

// follow looks at the directory again and again.
func (r *Recording) follow() {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
			_ = r.Refresh(r.ctx) // Warning tells
		}
	}
}

// Refresh takes in what the recorder has written since the last look, which
// happens every few seconds by itself.
func (r *Recording) Refresh(ctx context.Context) error {
	r.looking.Lock()
	defer r.looking.Unlock()
	r.mu.RLock()
	x, closed := r.now, r.closed
	r.mu.RUnlock()
	if closed {
		return errClosed
	}
	if desc, err := readDescription(r.dir); err == nil {
		r.mu.Lock()
		r.desc = desc
		r.mu.Unlock()
	}
	err := r.look(ctx, x)
	if errors.Is(err, errLost) || err == nil && x.tail.unknown > 0 && time.Since(r.anew) > anewAfter {
		r.anew = time.Now()
		var fresh *reading
		if fresh, err = r.begin(ctx); err == nil {
			r.mu.Lock()
			r.now = fresh
			r.mu.Unlock()
			x.close()
			x = fresh
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			r.warn(fmt.Sprintf("read the recording: %v", err))
		}
		return fmt.Errorf("read the recording: %w", err)
	}
	r.judge(x)
	return nil
}

// look takes in what is new. The order matters: samples leave the log only
// once they are in a block, and the private head only once that block is open.
func (r *Recording) look(ctx context.Context, x *reading) error {
	if x.tail.seg < 0 {
		r.readBlocks(x)
		x.tail.from = x.covered()
	}
	moved := 0
	k := &sink{
		open: func() storage.AppenderV2 { return x.s.db.AppenderV2(context.WithoutCancel(ctx)) },
		between: func(n int) {
			if moved += n; moved >= moveEvery {
				moved = 0
				x.s.db.ForceHeadMMap()
			}
		},
	}
	if err := x.tail.read(ctx, k); err != nil {
		if k.app != nil {
			_ = k.app.Rollback()
		}
		return err
	}
	before := x.tail.from
	r.readBlocks(x)
	if x.tail.from = x.covered(); x.tail.from > before {
		x.tail.forget(before)
		if x.s.db.Head().MinTime() < x.tail.from {
			if err := x.s.db.Head().Truncate(x.tail.from); err != nil {
				return err
			}
		}
	}
	x.s.fed.newest.Store(max(x.tail.newest, x.tail.from))
	r.mu.RLock()
	slowest := make([]slowestAt, 0, len(r.desc.Slowest))
	for _, e := range r.desc.Slowest {
		slowest = append(slowest, slowestAt{e.From, min(time.Duration(e.Interval)*time.Millisecond, time.Hour)})
	}
	r.mu.RUnlock()
	x.s.mu.Lock()
	x.s.slowest = slowest
	x.s.mu.Unlock()
	return nil
}

// readBlocks opens the blocks that are new and closes those that are gone. One
// that cannot be opened is left out.
func (r *Recording) readBlocks(x *reading) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.bad[r.dir] = err.Error()
		return
	}
	clear(r.bad)
	have := map[string]*tsdb.Block{}
	for _, e := range entries {
		dir := filepath.Join(r.dir, e.Name())
		if _, err := os.Stat(filepath.Join(dir, "meta.json")); err != nil || len(e.Name()) != 26 { // a ULID
			continue
		}
		b := x.blocks[e.Name()]
		if b == nil {
			if b, err = tsdb.OpenBlock(x.s.log, dir, nil, nil); errors.Is(err, os.ErrNotExist) {
				continue // dropped meanwhile
			} else if err != nil {
				r.bad[e.Name()] = err.Error()
				continue
			}
		}
		have[e.Name()] = b
	}
	x.mu.Lock()
	old := x.blocks
	x.blocks = have
	x.mu.Unlock()
	for name, b := range old {
		if have[name] == nil {
			_ = b.Close() // waits for the questions that read it
		}
	}
}

// covered is the time up to which blocks hold all samples that came on time.
func (x *reading) covered() int64 {
	upTo := int64(0)
	for _, b := range x.blocks {
		if m := b.Meta(); !m.Compaction.FromOutOfOrder() {
			upTo = max(upTo, m.MaxTime)
		}
	}
	return upTo
}

// Querier answers from the blocks and the head as one.
func (x *reading) Querier(mint, maxt int64) (storage.Querier, error) {
	head, err := x.s.db.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	all := []storage.Querier{head}
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, b := range x.blocks {
		if !b.OverlapsClosedInterval(mint, maxt) {
			continue
		}
		q, err := tsdb.NewBlockQuerier(b, mint, maxt)
		if err != nil {
			for _, q := range all {
				_ = q.Close()
			}
			return nil, err
		}
		all = append(all, q)
	}
	return storage.NewMergeQuerier(all, nil, storage.ChainedSeriesMerge), nil
}

// judge sets the warning.
func (r *Recording) judge(x *reading) {
	switch {
	case len(r.bad) > 0:
		name := slices.Min(slices.Collect(maps.Keys(r.bad)))
		r.warn(fmt.Sprintf("part of the recording cannot be read: %s: %s; hint: what is not damaged is shown", name, r.bad[name]))
	case x.tail.damage != nil:
		r.warn(fmt.Sprintf("the newest part of the recording is damaged: %v; hint: what came before it is shown", x.tail.damage))
	default:
		r.warn("")
	}
}

func (r *Recording) warn(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warning = oneLine(text)
}

// Warning says in one line what is wrong with the recording; empty when all is
// well.
func (r *Recording) Warning() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.warning
}

// Name is how the recording is shown.
func (r *Recording) Name() string { return "recording" }

// Following says whether a recorder is writing: it neither ended nor fell
// silent for a minute.
func (r *Recording) Following() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return !r.desc.Ended && time.Since(r.desc.Written) < silentAfter
}

// Instant answers expr at one moment, as Store.Instant does.
func (r *Recording) Instant(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	return r.ask(func(s *Store) ([]sources.Series, error) { return s.Instant(ctx, expr, at) })
}

// Range answers expr over a span, as Store.Range does.
func (r *Recording) Range(ctx context.Context, expr string, span sources.Span) ([]sources.Series, error) {
	return r.ask(func(s *Store) ([]sources.Series, error) { return s.Range(ctx, expr, span) })
}

func (r *Recording) ask(do func(*Store) ([]sources.Series, error)) ([]sources.Series, error) {
	for {
		r.mu.RLock()
		x, closed := r.now, r.closed
		r.mu.RUnlock()
		if closed {
			return nil, errClosed
		}
		out, err := do(x.s)
		r.mu.RLock()
		replaced := r.now != x
		r.mu.RUnlock()
		if !errors.Is(err, errClosed) || !replaced {
			return out, err
		}
	}
}

// Oldest is the time of the first sample, zero when there is none.
func (r *Recording) Oldest() time.Time {
	r.mu.RLock()
	x := r.now
	r.mu.RUnlock()
	oldest := x.s.db.Head().MinTime()
	x.mu.RLock()
	for _, b := range x.blocks {
		oldest = min(oldest, b.Meta().MinTime)
	}
	x.mu.RUnlock()
	if oldest == math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMilli(oldest)
}

// Newest is the time of the newest sample that has been read, zero when there
// is none. It is what now is for a replay that shows the present.
func (r *Recording) Newest() time.Time {
	r.mu.RLock()
	x := r.now
	r.mu.RUnlock()
	if ms := x.s.fed.newest.Load(); ms > 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// Targets are those of the recorder, with what it last knew of them, and those
// it once had and that the recording still holds.
func (r *Recording) Targets() []sources.Target {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]sources.Target, 0, len(r.desc.Targets))
	for _, t := range r.desc.Targets {
		out = append(out, t.target())
	}
	return out
}

func (r recordedTarget) target() sources.Target {
	t := sources.Target{
		Instance: oneLine(r.Instance), URL: oneLine(r.URL), Role: oneLine(r.Role), Error: oneLine(r.Error), Insecure: r.Insecure,
		Interval: time.Duration(r.Interval) * time.Millisecond, BaseInterval: time.Duration(r.Base) * time.Millisecond,
		LastGood: r.Last, LastScrape: r.Attempt, Samples: r.Samples, Bytes: r.Bytes, Took: time.Duration(r.Took * float64(time.Second)),
		Slowed: r.Interval > r.Base,
	}
	switch {
	case r.Gone:
		t.Health, t.Error = sources.HealthDown, "no longer a target of the recorder"
	case r.Health == sources.HealthUp.String():
		t.Health = sources.HealthUp
	case r.Health == sources.HealthDown.String():
		t.Health = sources.HealthDown
	}
	return t
}

// Close ends the following and the questions, and removes the private
// directory. Closing twice is fine.
func (r *Recording) Close() error {
	r.mu.Lock()
	closed := r.closed
	r.closed = true
	r.mu.Unlock()
	if closed {
		return nil
	}
	r.cancel()
	r.work.Wait()
	r.looking.Lock() // a Refresh of the caller's may be under way
	defer r.looking.Unlock()
	r.now.close()
	return nil
}
