package embedded

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"dynascope/sources"
)

// A labelled counter is exposed only once it counted something, so its first
// sample is already at, say, 100, and increase() sees nothing of these 100:
// before the first sample there is no value to compare with. The appender here
// writes a zero at the target's previous good scrape, when the series was
// verifiably not there yet.
//
// It does so for counters and for the buckets, sum and count of histograms and
// summaries, told by their TYPE line, never by their name. It does not where
// the zero would be a guess:
//
//   - on the first scrape of a target: its counters may be days old;
//   - when the previous good scrape is longer ago than burstGap: another
//     process may answer at that address;
//   - for a series that was there before. When one vanishes and comes back,
//     increase() compares with the value before the gap, and a lower value is
//     a reset as usual; a zero would count the whole total again.
const burstGap = 15 * time.Second

// knownLimit bounds what a target may make us remember. Past it a series that
// came back could no longer be told from a new one, and no zero is written.
const knownLimit = 200_000

// appendable hands the scrape manager its appenders.
type appendable struct{ s *Store }

func (a appendable) AppenderV2(ctx context.Context) storage.AppenderV2 {
	loop, ok := scrape.TargetFromContext(ctx)
	if !ok {
		return discard{}
	}
	t := a.s.target(loop.GetValue(idLabel))
	if t == nil { // removed; its loop is about to stop
		return discard{}
	}
	meta, _ := scrape.MetricMetadataStoreFromContext(ctx)
	return a.s.scrapeAppender(ctx, t, loop, meta, loop.LastError)
}

// typeOf looks up the metadata of a family.
type typeOf interface {
	GetMetadata(family string) (scrape.MetricMetadata, bool)
}

// scrapeAppender is the way of one scrape into the database.
type scrapeAppender struct {
	storage.AppenderV2
	s     *Store
	t     *target
	loop  *scrape.Target // nil: the probe, a local page, or a target that is fed by hand
	meta  typeOf
	cause func() error // why the scrape failed; may be asked once up was reported

	prevGood int64 // zero: no zeros
	// failed: the scrape before failed. If its page was refused half way, the
	// scraper has refs for series that are not stored.
	failed bool
	added  []uint64
	result result
	done   sync.Once
}

// result is what a scrape reports about itself.
type result struct {
	at      int64 // milliseconds; zero: nothing was reported
	up      bool
	took    time.Duration
	samples int
	bytes   int64
	refused error
}

func (s *Store) scrapeAppender(ctx context.Context, t *target, loop *scrape.Target, meta typeOf, cause func() error) storage.AppenderV2 {
	if !s.enter(&s.appending) {
		return discard{}
	}
	a := &scrapeAppender{AppenderV2: s.db.AppenderV2(ctx), s: s, t: t, loop: loop, meta: meta, cause: cause}
	t.mu.Lock()
	a.prevGood, a.failed = t.prevGood, t.status.Health == sources.HealthDown
	if len(t.known) > knownLimit {
		a.prevGood = 0
	}
	t.mu.Unlock()
	return a
}

func (a *scrapeAppender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AOptions) (storage.SeriesRef, error) {
	// The scraper marks the samples about itself by this suffix, which no
	// exposed name can have.
	name, own := strings.CutSuffix(opts.MetricFamilyName, "\xff")
	opts.MetricFamilyName = ""
	if a.s.fullDisk.Load() {
		opts.RejectOutOfOrder = true // late samples go to disk in the middle of a commit
	}
	if own && a.t.quiet {
		a.result.report(name, t, v, nil)
		return 0, nil
	}
	if (ref == 0 || a.failed) && !own && h == nil && fh == nil && !value.IsStaleNaN(v) {
		a.appeared(ls, t, v)
	}
	ref, err := a.s.appendTo(a.AppenderV2, ref, ls, st, t, v, h, fh, opts)
	if own && !value.IsStaleNaN(v) {
		a.result.report(name, t, v, err)
	}
	return ref, err
}

func (r *result) report(name string, t int64, v float64, err error) {
	switch name {
	case "up":
		r.at, r.up, r.refused = t, v == 1, err
	case "scrape_duration_seconds":
		r.took = time.Duration(v * float64(time.Second))
	case "scrape_samples_scraped":
		r.samples = int(v)
	case "scrape_body_size_bytes":
		r.bytes = int64(v)
	}
}

// appeared handles a series that this scrape loop sees for the first time.
func (a *scrapeAppender) appeared(ls labels.Labels, t int64, v float64) {
	hash := ls.Hash()
	a.added = append(a.added, hash)
	if a.prevGood == 0 || a.prevGood >= t || v == 0 || math.IsNaN(v) {
		return
	}
	a.t.mu.Lock()
	_, known := a.t.known[hash]
	a.t.mu.Unlock()
	if known {
		return
	}
	if a.meta == nil || !cumulative(a.meta, ls.Get(model.MetricNameLabel)) || a.tooLong(t) || a.stored(ls, hash, t) {
		return
	}
	// Out of order only behind the stale marker of a refused scrape. Refusal
	// costs the burst and nothing else.
	_, _ = a.s.appendTo(a.AppenderV2, 0, ls, 0, a.prevGood, 0, nil, nil, storage.AOptions{RejectOutOfOrder: a.s.fullDisk.Load()})
}

// stored says whether the database has a sample of a series, from before its
// target was removed and added. That the head knows the series is not enough:
// a refused scrape leaves it there without samples, or with a stale marker.
func (a *scrapeAppender) stored(ls labels.Labels, hash uint64, t int64) bool {
	if g, ok := a.AppenderV2.(storage.GetRef); ok {
		if ref, _ := g.GetRef(ls, hash); ref == 0 {
			return false
		}
	}
	q, err := a.s.db.Querier(t-a.s.opts.Retention.Milliseconds(), t)
	if err != nil {
		return true
	}
	defer q.Close()
	var ms []*labels.Matcher
	ls.Range(func(l labels.Label) { ms = append(ms, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value)) })
	set := q.Select(context.Background(), false, nil, ms...)
	for set.Next() {
		if !labels.Equal(set.At().Labels(), ls) {
			continue
		}
		for it := set.At().Iterator(nil); it.Next() == chunkenc.ValFloat; {
			if _, v := it.At(); !value.IsStaleNaN(v) {
				return true
			}
		}
	}
	return set.Err() != nil
}

func (a *scrapeAppender) tooLong(t int64) bool {
	a.s.mu.Lock()
	gap := max(burstGap, 3*a.t.interval)
	a.s.mu.Unlock()
	return t-a.prevGood > gap.Milliseconds()
}

// cumulative says whether the TYPE line of a series' family makes it one that
// counts up from zero. The family is the series' own name, if a TYPE line has
// it, before any name without a suffix: dynamo_x_count may be a counter or a
// gauge of its own.
func cumulative(meta typeOf, name string) bool {
	if m, ok := meta.GetMetadata(name); ok {
		return m.Type == model.MetricTypeCounter
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum", "_total"} {
		family, ok := strings.CutSuffix(name, suffix)
		if !ok {
			continue
		}
		m, ok := meta.GetMetadata(family)
		if !ok {
			return false
		}
		switch m.Type {
		case model.MetricTypeHistogram:
			return suffix != "_total"
		case model.MetricTypeSummary:
			return suffix == "_count" || suffix == "_sum"
		case model.MetricTypeCounter:
			return suffix == "_total" // OpenMetrics: the family of c_total is c
		}
		return false
	}
	return false
}

// Commit stores the scrape, and with it what it tells about the target.
func (a *scrapeAppender) Commit() error {
	defer a.finish()
	t := a.t
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.removed || a.loop == nil && !t.fed && t.local == nil && t.scraped() {
		return a.AppenderV2.Rollback()
	}
	if err := a.AppenderV2.Commit(); err != nil {
		a.s.noteWrite(err)
		return err
	}
	if a.result.at == 0 {
		return nil
	}
	a.s.noteWrite(a.result.refused)
	wait, answered := a.s.conns.take(t.addr)
	err := a.cause()
	if (t.fed || t.local != nil) && err == nil {
		wait, answered = a.result.took, true
	}
	if !answered && errors.Is(err, context.DeadlineExceeded) {
		wait, answered = a.result.took, true
	}
	if a.settle(err, wait, answered) {
		a.s.endSeries(t.instance, a.result.at, false)
	}
	if answered && a.loop != nil {
		a.s.observe(t, a.interval(), wait)
	}
	return nil
}

// interval is the one that this scrape's loop runs at.
func (a *scrapeAppender) interval() time.Duration {
	d, _ := model.ParseDuration(a.loop.GetValue(model.ScrapeIntervalLabel)) // we wrote it
	return time.Duration(d)
}

// settle takes the scrape into the target's status. turned says that this is
// the first scrape of a loop.
func (a *scrapeAppender) settle(err error, wait time.Duration, answered bool) (turned bool) {
	t, r := a.t, a.result
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.loop != nil && a.loop != t.loop {
		t.loop, turned = a.loop, true
	}
	st := &t.status
	st.LastScrape, st.Took, st.Bytes, st.Samples = time.UnixMilli(r.at), r.took, r.bytes, r.samples
	if answered {
		st.ServerShare = wait
	}
	st.Health, st.Error = sources.HealthDown, ""
	if r.up {
		st.Health, st.LastGood = sources.HealthUp, st.LastScrape
		t.prevGood = max(t.prevGood, r.at)
		if len(t.known) <= knownLimit {
			for _, h := range a.added {
				t.known[h] = struct{}{}
			}
		}
		t.detail = ""
		if r.samples == 0 && !t.fed && t.local == nil {
			st.Error = emptyPage
		}
	} else {
		timeout := scrapeTimeout(t.spec.Timeout, t.base)
		if a.loop != nil {
			timeout = scrapeTimeout(t.spec.Timeout, a.interval())
		}
		detail := t.detail
		if t.local != nil {
			detail = detailLocal
		}
		st.Error = explain(err, t.spec, timeout, detail)
	}
	return turned
}

func (a *scrapeAppender) Rollback() error {
	defer a.finish()
	return a.AppenderV2.Rollback()
}

func (a *scrapeAppender) finish() { a.done.Do(a.s.appending.Done) }

func (t *target) scraped() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.status.LastScrape.IsZero()
}

// discard takes samples that nobody wants any more.
type discard struct{}

func (discard) Append(ref storage.SeriesRef, _ labels.Labels, _, _ int64, _ float64, _ *histogram.Histogram, _ *histogram.FloatHistogram, _ storage.AOptions) (storage.SeriesRef, error) {
	return ref, nil
}
func (discard) Commit() error   { return nil }
func (discard) Rollback() error { return nil }
