package feed

import (
	"context"
	"time"

	"dynascope/sources"
)

// columnKey names one course over time. Columns lie on whole multiples of the
// step, so that they stay the same from tick to tick and a chart shifts only
// when a column has passed.
type columnKey struct {
	span time.Duration
	expr string
	step time.Duration
}

// columns is the memo of one course: every column from first to last has been
// evaluated.
type columns struct {
	first, last int64 // milliseconds, multiples of the step
	asked       int64 // the moment of the newest question
	series      map[string]*sources.Series
	used        time.Time
}

// course returns the columns of a range need, and the moment up to which they
// are known. Only columns newer than the memo's are asked for, and those of
// the newest interval before it was asked again: a scrape that was under way when they were asked
// may have landed since. Once an interval has passed they are final, and until
// the next column there is nothing to ask.
func (t *tick) course(ctx context.Context, expr string, n sources.Need, interval time.Duration) ([]sources.Series, time.Time, error) {
	step := max(n.Step, time.Second).Milliseconds()
	last := t.At.UnixMilli() / step * step
	first := last - (n.Span.Milliseconds()/step-1)*step
	key := columnKey{n.Span, expr, n.Step}

	t.Feed.mu.Lock()
	c := t.Feed.columns[key]
	t.Feed.mu.Unlock()
	// The memo is owned by this goroutine: equal questions share one job.
	from := first
	switch {
	case c == nil || last < c.last || first < c.first || c.last < first:
		c = &columns{first: first, series: map[string]*sources.Series{}}
	case last == c.last && first == c.first && c.asked >= last+interval.Milliseconds():
		c.used = t.At
		return c.copy(first), t.At, nil
	default:
		// The newest column that was an interval old when it was asked is final.
		final := (c.asked - interval.Milliseconds()) / step * step
		from = max(first, min(final, c.last)+step)
	}
	t.count()
	ctx, cancel := context.WithTimeout(ctx, t.limit())
	defer cancel()
	got, err := t.store.Range(ctx, expr, sources.Span{
		From: time.UnixMilli(from), To: time.UnixMilli(last), Step: time.Duration(step) * time.Millisecond,
	})
	if err != nil {
		c.used = t.At // what is known is drawn on, however long this goes on
		return c.copy(first), c.until(t.At), err
	}
	c.cut(first, from)
	for _, s := range got {
		k := s.Labels.Key()
		if have := c.series[k]; have != nil {
			have.Points = append(have.Points, s.Points...)
		} else {
			c.series[k] = &sources.Series{Labels: s.Labels, Points: s.Points}
		}
	}
	c.first, c.last, c.asked, c.used = first, last, t.At.UnixMilli(), t.At
	t.Feed.mu.Lock()
	t.Feed.columns[key] = c
	t.Feed.mu.Unlock()
	return c.copy(first), t.At, nil
}

// memo is what is known of a course without asking.
func (t *tick) memo(expr string, n sources.Need) ([]sources.Series, time.Time) {
	t.Feed.mu.Lock()
	c := t.Feed.columns[columnKey{n.Span, expr, n.Step}]
	t.Feed.mu.Unlock()
	if c == nil {
		return nil, t.At
	}
	c.used = t.At
	step := max(n.Step, time.Second).Milliseconds()
	return c.copy(t.At.UnixMilli()/step*step - (n.Span.Milliseconds()/step-1)*step), c.until(t.At)
}

// until is up to when the columns are known; one that knows nothing has no age.
func (c *columns) until(now time.Time) time.Time {
	if c.last == 0 {
		return now
	}
	return time.UnixMilli(c.last).UTC()
}

// cut drops points before first, which left the chart, and from on, which
// were asked again.
func (c *columns) cut(first, from int64) {
	for k, s := range c.series {
		lo, hi := 0, len(s.Points)
		for lo < hi && s.Points[lo].T < first {
			lo++
		}
		for hi > lo && s.Points[hi-1].T >= from {
			hi--
		}
		if lo == hi {
			delete(c.series, k)
			continue
		}
		s.Points = append(s.Points[:0:0], s.Points[lo:hi]...)
	}
}

// copy hands the points out: snapshots are immutable and the memo is not.
func (c *columns) copy(first int64) []sources.Series {
	out := make([]sources.Series, 0, len(c.series))
	for _, s := range c.series {
		lo := 0
		for lo < len(s.Points) && s.Points[lo].T < first {
			lo++
		}
		if lo < len(s.Points) {
			out = append(out, sources.Series{Labels: s.Labels, Points: append([]sources.Point(nil), s.Points[lo:]...)})
		}
	}
	return out
}

// prune forgets memos that no recent tick used. The caller holds f.mu.
func (f *Feed) prune(t *tick) {
	f.prunePast()
	for k, c := range f.columns {
		if age := t.At.Sub(c.used); age > time.Minute || age < -time.Minute {
			delete(f.columns, k)
		}
	}
	oldest := t.At.Add(-presenceWindow).UnixMilli()
	for k := range f.stale {
		if k.at < oldest || len(t.down) == 0 {
			delete(f.stale, k)
		}
	}
	for k, g := range f.good {
		if time.Since(g.used) > presenceWindow {
			delete(f.good, k)
		}
	}
	known := map[string]bool{}
	for _, g := range t.every {
		known[g.Instance] = true
	}
	for in := range f.role {
		if !known[in] {
			delete(f.role, in)
		}
	}
}
