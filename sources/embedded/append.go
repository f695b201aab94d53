package embedded

import (
	"context"
	"sync"
	"time"

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
	return &ownAppender{AppenderV2: s.db.AppenderV2(ctx), s: s, now: time.Now().UnixMilli()}
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
	return a.AppenderV2.Append(ref, ls, st, min(t, a.now), v, h, fh, opts)
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
