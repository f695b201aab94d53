// Package composite asks two stores as one: a remote server for what it
// scrapes, and a private store for the GPUs of this machine. A question goes
// by the families it names; GPU figures of both are merged so that a GPU that
// both know counts once, as this machine sees it.
//
// It keeps no sample, knows of metric names only the two prefixes by which it
// routes, and never lets one expression span both stores.
package composite

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources"
)

// Store is a remote and a local store. Neither is owned: whoever opened them
// closes them.
type Store struct {
	remote, local sources.Store
	parse         parser.Parser

	mu    sync.Mutex
	uuids []string // of the local GPUs, as last asked
	at    time.Time
}

var _ sources.Store = (*Store)(nil)

// New joins a remote store and a local one.
func New(remote, local sources.Store) *Store {
	return &Store{remote: remote, local: local, parse: parser.NewParser(parser.Options{EnableExperimentalFunctions: true})}
}

// Name is the remote store's.
func (s *Store) Name() string { return s.remote.Name() }

// Oldest is the remote store's: windows must fit what it has. The local store
// is at most as old as the console.
func (s *Store) Oldest() time.Time { return s.remote.Oldest() }

// Targets are those of both, the remote ones first. A local one whose instance
// the remote store has too is left out.
func (s *Store) Targets() []sources.Target {
	out := s.remote.Targets()
	known := map[string]bool{}
	for _, t := range out {
		known[t.Instance] = true
	}
	for _, t := range s.local.Targets() {
		if !known[t.Instance] {
			out = append(out, t)
		}
	}
	return out
}

// Instant answers expr at one moment.
func (s *Store) Instant(ctx context.Context, expr string, at time.Time) ([]sources.Series, error) {
	return s.ask(ctx, expr, at, func(q sources.Querier, expr string) ([]sources.Series, error) {
		return q.Instant(ctx, expr, at)
	})
}

// Range answers expr over a span.
func (s *Store) Range(ctx context.Context, expr string, span sources.Span) ([]sources.Series, error) {
	return s.ask(ctx, expr, span.To, func(q sources.Querier, expr string) ([]sources.Series, error) {
		return q.Range(ctx, expr, span)
	})
}

type asker func(q sources.Querier, expr string) ([]sources.Series, error)

func (s *Store) ask(ctx context.Context, expr string, at time.Time, ask asker) ([]sources.Series, error) {
	tree, err := s.parse.ParseExpr(expr)
	if err != nil {
		return ask(s.remote, expr) // which words the error
	}
	switch routeOf(tree) {
	case toLocalAndRemote:
		return s.merged(ctx, tree, expr, at, ask)
	case toEither:
		return s.joined(expr, ask)
	}
	return ask(s.remote, expr)
}

// joined is the answers of both, for questions about targets and presence,
// whose groups belong to one instance. A group that both know is the local
// one's.
func (s *Store) joined(expr string, ask asker) ([]sources.Series, error) {
	local, localErr := ask(s.local, expr)
	remote, err := ask(s.remote, expr)
	switch {
	case err != nil && len(local) == 0:
		return nil, err
	case localErr != nil && len(remote) == 0:
		return nil, localErr
	}
	return union(local, remote), nil
}

func union(first, second []sources.Series) []sources.Series {
	have := map[string]bool{}
	for _, x := range first {
		have[x.Labels.Key()] = true
	}
	return append(slices.Clone(first), slices.DeleteFunc(slices.Clone(second), func(x sources.Series) bool { return have[x.Labels.Key()] })...)
}

// merged asks the local store, and the remote one for all other GPUs. One that
// fails leaves the other's answer: half of the GPUs are better than none. A
// group that both have without its GPU in the labels is put together by the
// outermost aggregation; where that is arithmetic between aggregations, the
// local answer counts.
func (s *Store) merged(ctx context.Context, tree parser.Expr, expr string, at time.Time, ask asker) ([]sources.Series, error) {
	others := without(tree, s.localGPUs(ctx, at))
	local, localErr := ask(s.local, expr)
	remote, err := ask(s.remote, others)
	switch {
	case err != nil && len(local) == 0:
		return nil, err
	case localErr != nil && len(remote) == 0:
		return nil, localErr
	case len(local) == 0:
		return remote, nil
	case len(remote) == 0:
		return local, nil
	}
	op, operand := combineBy(tree)
	if op != parser.AVG {
		return fold(local, remote, op), nil
	}
	// A mean over both needs the sums and the counts.
	part := func(q sources.Querier, of parser.Expr, op parser.ItemType) ([]sources.Series, error) {
		agg := *operand
		agg.Op, agg.Expr = op, of
		return ask(q, (&agg).String())
	}
	rest := reparse(s.parse, others)
	restAgg, ok := unwrap(rest).(*parser.AggregateExpr)
	if !ok {
		return union(local, remote), nil
	}
	var parts [4][]sources.Series
	for i, p := range []struct {
		q  sources.Querier
		of parser.Expr
		op parser.ItemType
	}{{s.local, operand.Expr, parser.SUM}, {s.remote, restAgg.Expr, parser.SUM}, {s.local, operand.Expr, parser.COUNT}, {s.remote, restAgg.Expr, parser.COUNT}} {
		if parts[i], err = part(p.q, p.of, p.op); err != nil {
			return nil, err
		}
	}
	return divide(fold(parts[0], parts[1], parser.SUM), fold(parts[2], parts[3], parser.SUM)), nil
}

// memoLife is how long the list of local GPUs is believed.
const memoLife = 10 * time.Second

// localGPUs are the UUIDs that the local store has samples of near a moment.
func (s *Store) localGPUs(ctx context.Context, at time.Time) []string {
	s.mu.Lock()
	if d := at.Sub(s.at); !s.at.IsZero() && d >= 0 && d < memoLife {
		defer s.mu.Unlock()
		return s.uuids
	}
	s.mu.Unlock()
	got, err := s.local.Instant(ctx, `group by (UUID) (last_over_time({__name__=~"`+gpuPrefix+`.+",UUID!=""}[1m]))`, at)
	if err != nil {
		return nil
	}
	var out []string
	for _, x := range got {
		if u := x.Labels["UUID"]; u != "" {
			out = append(out, u)
		}
	}
	slices.Sort(out)
	s.mu.Lock()
	s.uuids, s.at = out, at
	s.mu.Unlock()
	return out
}
