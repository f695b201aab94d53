package sources

import (
	"context"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Labels are the labels of one series, without __name__.
type Labels map[string]string

// Key returns the labels as one canonical string, usable as a map key.
func (l Labels) Key() string {
	names := make([]string, 0, len(l))
	for n := range l {
		names = append(names, n)
	}
	sort.Strings(names)
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(n)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(l[n]))
	}
	return b.String()
}

// Without returns a copy of the labels that lacks the given names.
func (l Labels) Without(names ...string) Labels {
	out := make(Labels, len(l))
	for n, v := range l {
		out[n] = v
	}
	for _, n := range names {
		delete(out, n)
	}
	return out
}

// Point is one value at one time.
type Point struct {
	T int64 // milliseconds since the Unix epoch
	V float64
}

// Time returns the point's time in UTC.
func (p Point) Time() time.Time { return time.UnixMilli(p.T).UTC() }

// Series is one labelled line of points, oldest first. An instant answer has
// exactly one point.
type Series struct {
	Labels Labels
	Points []Point
}

// Last returns the newest point; ok is false for an empty series.
func (s Series) Last() (p Point, ok bool) {
	if len(s.Points) == 0 {
		return Point{}, false
	}
	return s.Points[len(s.Points)-1], true
}

// Span is the time axis of a range question: both ends are evaluated.
type Span struct {
	From, To time.Time
	Step     time.Duration
}

// Querier answers PromQL at any moment it has data for. Both calls return an
// empty slice and no error when nothing matches, honour the context, and give
// values that the caller owns. Errors are lower case and end in a hint where
// the user can act.
type Querier interface {
	Instant(ctx context.Context, expr string, at time.Time) ([]Series, error)
	Range(ctx context.Context, expr string, span Span) ([]Series, error)
}

// Store is what the feed can learn about a Querier besides its answers. The
// zero time from Oldest means unknown, which is read as long enough.
type Store interface {
	Querier
	// Name is shown in the title: "embedded", "prometheus".
	Name() string
	// Oldest is the time of the first sample that can be asked for.
	Oldest() time.Time
	// Targets is what is scraped now and how that goes, in the order added.
	Targets() []Target
}
