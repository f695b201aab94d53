package feed

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// mostInFlight bounds the questions that wait for an answer, hung ones
// included; a Prometheus server runs twenty at a time by default.
const mostInFlight = 16

func (f *Feed) limit() time.Duration {
	if f.Limit > 0 {
		return f.Limit
	}
	return 10 * time.Second
}

// rest is how long a question that hung is not asked again: while it is, its
// limit would be every tick's length.
func (f *Feed) rest() time.Duration { return 3 * f.limit() }

// goodKey names the last good answer of a need in a scope. The expression
// would not do: its window grows in the first minutes.
type goodKey struct {
	need  sources.Need
	scope string
}

// good is a question's newest answer, and when it last hung.
type good struct {
	expr   string
	series []sources.Series
	at     time.Time // of the answer, zero when there was none
	hung   time.Time // by the clock, zero when it answered since
	why    string
	used   time.Time // by the clock
}

// scopeKey is a scope as text.
func scopeKey(s catalog.Scope) string {
	return sources.Labels(s.Match).Key() + "\x00" + strings.Join(s.Instances, "\x00")
}

// ask runs every distinct question of the plans once.
func (t *tick) ask(ctx context.Context) {
	shared := map[string]int{}
	var jobs [][]*plan
	for _, p := range t.plans {
		if !p.ready {
			continue
		}
		n := p.fig.Need
		key := p.query.Expr + "\x00" + n.Span.String() + "\x00" + n.Step.String()
		if i, ok := shared[key]; ok {
			jobs[i] = append(jobs[i], p)
			continue
		}
		shared[key] = len(jobs)
		jobs = append(jobs, []*plan{p})
	}
	scope := scopeKey(t.Scope)
	t.each(len(jobs), func(i int) {
		job := jobs[i]
		got, at, err := t.question(ctx, job[0], scope)
		sortSeries(got)
		for _, p := range job {
			// Each figure is touched by exactly one job: needs are distinct.
			p.fig.Series, p.fig.At = got, at
			if err != "" {
				p.fig.Status, p.fig.Err = sources.StatusError, err
			}
		}
	})
}

// question asks one thing. When that fails the answer is the last good one, of
// its own time, beside what went wrong.
func (t *tick) question(ctx context.Context, p *plan, scope string) (got []sources.Series, at time.Time, why string) {
	n := p.fig.Need
	key := goodKey{n, scope}
	t.Feed.mu.Lock()
	last := t.good[key]
	t.Feed.mu.Unlock()
	last.used = time.Now()
	if t.live && !last.hung.IsZero() && last.used.Sub(last.hung) < t.rest() {
		if n.IsRange() {
			got, at = t.memo(p.query.Expr, n)
			return got, at, last.why
		}
		return t.lastAnswer(last, last.why)
	}
	if t.live && !n.IsRange() && p.at.Before(t.At) && last.hung.IsZero() && last.at.Equal(p.at) && last.expr == p.query.Expr {
		t.keep(key, last)
		return append([]sources.Series(nil), last.series...), last.at, ""
	}
	var err error
	at = p.at
	if n.IsRange() {
		got, at, err = t.course(ctx, p.query.Expr, n, p.interval)
	} else {
		got, err = t.instant(ctx, p.query.Expr, p.at)
	}
	last.hung = time.Time{}
	if err != nil {
		why = failure(err, t.limit())
		// One that the end of the tick cut off had not its full time.
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			last.hung, last.why = last.used, why
		}
	} else if !n.IsRange() && t.live {
		last.expr, last.series, last.at = p.query.Expr, got, p.at
	}
	t.keep(key, last)
	if err != nil && len(got) == 0 && !n.IsRange() {
		return t.lastAnswer(last, why)
	}
	return got, at, why
}

func (t *tick) keep(key goodKey, g good) {
	t.Feed.mu.Lock()
	defer t.Feed.mu.Unlock()
	t.good[key] = g
}

// lastAnswer is the last good answer where it belongs to the minutes shown.
func (t *tick) lastAnswer(last good, why string) ([]sources.Series, time.Time, string) {
	if age := t.At.Sub(last.at); last.at.IsZero() || age < 0 || age > presenceWindow {
		return nil, t.At, why
	}
	return append([]sources.Series(nil), last.series...), last.at, why
}

// instant asks one question within its limit.
func (t *tick) instant(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	t.count()
	ctx, cancel := context.WithTimeout(ctx, t.limit())
	defer cancel()
	return t.store.Instant(ctx, expr, at)
}

// failure is what a figure says of a question that failed.
func failure(err error, limit time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s; hint: the store is slow or cannot be reached, it is asked again by and by", limit)
	}
	return err.Error()
}

func (t *tick) count() {
	t.qmu.Lock()
	t.queries++
	t.qmu.Unlock()
}

// each runs do over n items, a few at a time, and waits for all. An item that
// takes long gives its place to the next: it waits for somebody else, and so
// must not those behind it.
func (t *tick) each(n int, do func(i int)) {
	var wg sync.WaitGroup
	parallel := t.Parallel
	if parallel <= 0 {
		parallel = 2
	}
	slots := make(chan struct{}, parallel)
	flight := make(chan struct{}, max(mostInFlight, parallel))
	for i := range n {
		flight <- struct{}{}
		slots <- struct{}{}
		wg.Go(func() {
			free := sync.OnceFunc(func() { <-slots })
			long := time.AfterFunc(t.limit()/8, free)
			defer func() {
				long.Stop()
				free()
				<-flight
			}()
			do(i)
		})
	}
	wg.Wait()
}

func sortSeries(in []sources.Series) {
	sort.Slice(in, func(i, j int) bool { return in[i].Labels.Key() < in[j].Labels.Key() })
}
