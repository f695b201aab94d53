package embedded

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// A scrape loop ends the series that it saw itself. Three cases it cannot
// know: series of the probe, series of the loop before an interval change, and
// those of a target that is removed. endSeries covers them.

// endSeries writes a stale marker at time at (milliseconds) into those series
// of an instance that are live and have no sample at that time; with all, into
// every live series of the instance.
func (s *Store) endSeries(instance string, at int64, all bool) {
	if !s.enter(&s.appending) {
		return
	}
	defer s.appending.Done()
	now := time.UnixMilli(at)
	q, err := s.db.Querier(now.Add(-s.lookback(now, now)).UnixMilli(), at)
	if err != nil {
		s.log.Warn("end series", "instance", instance, "err", err)
		return
	}
	defer q.Close()
	app := s.db.AppenderV2(context.Background())
	set := q.Select(context.Background(), false, nil,
		labels.MustNewMatcher(labels.MatchEqual, model.JobLabel, job),
		labels.MustNewMatcher(labels.MatchEqual, model.InstanceLabel, instance))
	var it chunkenc.Iterator
	for set.Next() {
		series := set.At()
		it = series.Iterator(it)
		last, live := int64(0), false
		for it.Next() == chunkenc.ValFloat {
			t, v := it.At()
			last, live = t, !value.IsStaleNaN(v)
		}
		if !live || last >= at && !all {
			continue
		}
		_, _ = app.Append(0, series.Labels(), 0, max(at, last+1), math.Float64frombits(value.StaleNaN), nil, nil, storage.AOptions{})
	}
	if err := set.Err(); err != nil {
		s.log.Warn("end series", "instance", instance, "err", err)
	}
	if err := app.Commit(); err != nil {
		s.noteWrite(err)
	}
}
