package prom

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"dynascope/sources"
)

// Instant answers expr at one moment. A scalar is one series without labels.
// Native histograms are left out, with a warning.
func (s *Store) Instant(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	out, err := s.instant(ctx, expr, at)
	for _, x := range out {
		if len(x.Points) != 1 {
			return nil, errors.New("run query: it gives a range of points, not one; hint: use a function over it, such as rate(…[30s])")
		}
	}
	return out, err
}

// instant is Instant that also takes a range of points: raw samples.
func (s *Store) instant(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	return s.ask(ctx, func(ctx context.Context) (model.Value, v1.Warnings, error) {
		return s.api.Query(ctx, expr, at, v1.WithTimeout(s.opts.Timeout))
	})
}

// Range answers expr at From, From+Step … To. A gap is a missing point.
func (s *Store) Range(ctx context.Context, expr string, span sources.Span) ([]sources.Series, error) {
	if span.Step < time.Millisecond || span.To.Before(span.From) {
		return nil, fmt.Errorf("ask %s: the span from %v to %v in steps of %v is empty", s.shown, span.From, span.To, span.Step)
	}
	if n := span.To.Sub(span.From) / span.Step; n >= maxSteps {
		return nil, fmt.Errorf("ask %s: %d columns; hint: ask for fewer than %d", s.shown, n+1, maxSteps)
	}
	return s.ask(ctx, func(ctx context.Context) (model.Value, v1.Warnings, error) {
		return s.api.QueryRange(ctx, expr, v1.Range{Start: span.From, End: span.To, Step: span.Step}, v1.WithTimeout(s.opts.Timeout))
	})
}

func (s *Store) ask(ctx context.Context, query func(context.Context) (model.Value, v1.Warnings, error)) ([]sources.Series, error) {
	if !s.enter() {
		return nil, errClosed
	}
	defer s.asking.Done()
	asker := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	var h hold
	defer h.done()
	v, warnings, err := query(context.WithValue(ctx, holdKey{}, &h))
	s.warn(warnings...)
	if err != nil {
		return nil, s.refused(asker, err)
	}
	out, histograms, err := convert(v, s.opts.MaxSamples)
	if err != nil {
		return nil, s.refused(asker, err)
	}
	if histograms > 0 {
		s.warn(fmt.Sprintf("%d native histograms in an answer were left out; hint: only classic ones can be read", histograms))
	}
	return out, nil
}

// convert copies an answer of at most limit points, and counts the native
// histograms that it leaves out. It trusts nothing: any element may be
// missing.
func convert(v model.Value, limit int) (out []sources.Series, histograms int, err error) {
	points := 0
	tooMany := func(n int) bool { points += n; return points > limit }
	over := plainf("its answer has more than %d samples; hint: pick one deployment, a shorter span or a longer step", limit)
	switch v := v.(type) {
	case *model.Scalar:
		if v == nil {
			break
		}
		return []sources.Series{{Labels: sources.Labels{}, Points: []sources.Point{{T: int64(v.Timestamp), V: float64(v.Value)}}}}, 0, nil
	case model.Vector:
		out = make([]sources.Series, 0, min(len(v), limit))
		for _, x := range v {
			switch {
			case x == nil:
			case x.Histogram != nil:
				histograms++
			case tooMany(1):
				return nil, histograms, over
			default:
				out = append(out, sources.Series{Labels: plain(x.Metric), Points: []sources.Point{{T: int64(x.Timestamp), V: float64(x.Value)}}})
			}
		}
		return out, histograms, nil
	case model.Matrix:
		out = make([]sources.Series, 0, min(len(v), limit))
		for _, x := range v {
			if x == nil {
				continue
			}
			histograms += len(x.Histograms)
			if tooMany(len(x.Values)) {
				return nil, histograms, over
			}
			if len(x.Values) == 0 {
				continue
			}
			ps := make([]sources.Point, len(x.Values))
			for i, p := range x.Values {
				ps[i] = sources.Point{T: int64(p.Timestamp), V: float64(p.Value)}
			}
			out = append(out, sources.Series{Labels: plain(x.Metric), Points: ps})
		}
		return out, histograms, nil
	}
	return nil, 0, plainf("its answer holds no numbers; hint: does a Prometheus-compatible API answer there?")
}

func plain(m model.Metric) sources.Labels {
	out := make(sources.Labels, len(m))
	for n, v := range m {
		if n != model.MetricNameLabel {
			out[string(n)] = string(v)
		}
	}
	return out
}
