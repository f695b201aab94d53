package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources"
)

// maxSteps is the most columns of a range query, as in Prometheus' own API.
const maxSteps = 11_000

// Instant answers expr at one moment. A scalar is one series without labels.
// Native histograms are left out.
func (s *Store) Instant(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	opts := promql.NewPrometheusQueryOpts(false, s.lookback(at, at))
	out, err := s.ask(ctx, func(ctx context.Context) (promql.Query, error) {
		return s.engine.NewInstantQuery(ctx, s.data, opts, expr, at)
	})
	for _, x := range out {
		if len(x.Points) != 1 {
			return nil, errors.New("run query: it gives a range of points, not one; hint: use a function over it, such as rate(…[30s])")
		}
	}
	return out, err
}

// Range answers expr at From, From+Step … To. A gap is a missing point.
func (s *Store) Range(ctx context.Context, expr string, span sources.Span) ([]sources.Series, error) {
	if span.Step < time.Millisecond || span.To.Before(span.From) {
		return nil, fmt.Errorf("ask the embedded store: the span from %v to %v in steps of %v is empty", span.From, span.To, span.Step)
	}
	if n := span.To.Sub(span.From) / span.Step; n >= maxSteps {
		return nil, fmt.Errorf("ask the embedded store: %d columns; hint: ask for fewer than %d", n+1, maxSteps)
	}
	opts := promql.NewPrometheusQueryOpts(false, s.lookback(span.From, span.To))
	return s.ask(ctx, func(ctx context.Context) (promql.Query, error) {
		return s.engine.NewRangeQuery(ctx, s.data, opts, expr, span.From, span.To, span.Step)
	})
}

// ask runs one query in its turn.
func (s *Store) ask(ctx context.Context, query func(context.Context) (promql.Query, error)) ([]sources.Series, error) {
	if !s.enter(&s.asking) {
		return nil, errClosed
	}
	defer s.asking.Done()
	asker := ctx
	ctx, cancel := context.WithTimeout(ctx, s.opts.QueryTimeout)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	select {
	case s.queries <- struct{}{}:
		defer func() { <-s.queries }()
	case <-ctx.Done():
		return nil, s.refused(asker, ctx.Err())
	}
	q, err := query(ctx)
	if err != nil {
		return nil, s.refused(asker, err)
	}
	defer q.Close() // gives the points back to a pool: copy first
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, s.refused(asker, res.Err)
	}
	return convert(res.Value)
}

// refused words why a query failed; asker is the caller's own context.
func (s *Store) refused(asker context.Context, err error) error {
	var (
		bad     parser.ParseErrors
		badOne  *parser.ParseErr
		timeout promql.ErrQueryTimeout
		many    promql.ErrTooManySamples
	)
	switch {
	case s.ctx.Err() != nil:
		return errClosed
	case asker.Err() != nil:
		return fmt.Errorf("run query: %w", asker.Err())
	case errors.As(err, &bad), errors.As(err, &badOne):
		return fmt.Errorf("read query: %w; hint: the number is line:column in the PromQL text", err)
	case errors.As(err, &many):
		return fmt.Errorf("run query: %w; hint: a shorter span, a longer step or a narrower selector", err)
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("run query: no answer within %v: %w; hint: a shorter span, a longer step or a narrower selector", s.opts.QueryTimeout, context.DeadlineExceeded)
	}
	return fmt.Errorf("run query: %w", err)
}

// convert copies a result.
func convert(v parser.Value) ([]sources.Series, error) {
	switch v := v.(type) {
	case promql.Scalar:
		return []sources.Series{{Labels: sources.Labels{}, Points: []sources.Point{{T: v.T, V: v.V}}}}, nil
	case promql.Vector:
		out := make([]sources.Series, 0, len(v))
		for _, x := range v {
			if x.H == nil {
				out = append(out, sources.Series{Labels: plain(x.Metric), Points: []sources.Point{{T: x.T, V: x.F}}})
			}
		}
		return out, nil
	case promql.Matrix:
		out := make([]sources.Series, 0, len(v))
		for _, x := range v {
			if len(x.Floats) == 0 {
				continue
			}
			points := make([]sources.Point, len(x.Floats))
			for i, p := range x.Floats {
				points[i] = sources.Point{T: p.T, V: p.F}
			}
			out = append(out, sources.Series{Labels: plain(x.Metric), Points: points})
		}
		return out, nil
	}
	return nil, fmt.Errorf("run query: its answer is a %s, not numbers", v.Type())
}

func plain(ls labels.Labels) sources.Labels {
	out := make(sources.Labels, ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			out[l.Name] = l.Value
		}
	})
	return out
}
