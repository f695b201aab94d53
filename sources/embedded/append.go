package embedded

import (
	"context"
	"sync"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// Appender takes samples that do not come from a scrape. It must be ended by
// Commit or Rollback, serves one goroutine, and takes a timestamp from the
// future as now: one sample far ahead would make the head refuse the present.
// Refs may be kept from one appender to the next. Use label sets that no
// target produces. After Close it takes samples and drops them.
func (s *Store) Appender(ctx context.Context) storage.AppenderV2 {
	if !s.enter(&s.appending) {
		return discard{}
	}
	return &ownAppender{AppenderV2: s.db.AppenderV2(ctx), s: s, now: s.now().UnixMilli()}
}

// appendTo is the only way of a sample into the database. Series are created
// one at a time: of two created at once the one with the higher reference can
// be indexed first, and the index then swaps the two in place, under the eyes
// of a query that is reading it (a data race in v0.315.0, and a query that
// misses a series). Known series, all but the first scrape of a target, take
// no lock.
func (s *Store) appendTo(a storage.AppenderV2, ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AOptions) (storage.SeriesRef, error) {
	if ref == 0 {
		s.birth.Lock()
		defer s.birth.Unlock()
	}
	return a.Append(ref, ls, st, t, v, h, fh, opts)
}

type ownAppender struct {
	storage.AppenderV2
	s    *Store
	now  int64
	done sync.Once
}

func (a *ownAppender) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AOptions) (storage.SeriesRef, error) {
	if a.s.fullDisk.Load() {
		opts.RejectOutOfOrder = true
	}
	return a.s.appendTo(a.AppenderV2, ref, ls, st, min(t, a.now), v, h, fh, opts)
}

func (a *ownAppender) Commit() error {
	defer a.done.Do(a.s.appending.Done)
	err := a.AppenderV2.Commit()
	if err != nil {
		a.s.noteWrite(err)
	}
	return err
}

func (a *ownAppender) Rollback() error {
	defer a.done.Do(a.s.appending.Done)
	return a.AppenderV2.Rollback()
}
