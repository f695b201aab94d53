package sources

import (
	"sort"
	"time"
)

// Snapshot is everything the panes may draw at one moment. It is immutable:
// whoever holds one may read it from any goroutine.
type Snapshot struct {
	Seq    uint64 // grows with every tick
	At     time.Time
	Live   bool          // At is now, not a moment picked in the past
	Window time.Duration // asked for
	Have   time.Duration // how much of it is filled; at most Window
	Oldest time.Time     // the store's first sample; zero when unknown
	Store  string        // "embedded", "prometheus"
	// Warning is trouble that concerns every number: a full disk, a server
	// that does not answer. Outside text; empty when all is well.
	Warning string

	Targets []Target
	Models  []string
	Workers []Worker // ordered by role, then id
	// Events are what happened in the span that was asked for, newest first.
	// EventsErr says why some of them may be missing, empty when none is.
	Events    []Event
	EventsErr string
	// Baseline is the same questions at the marked moment; nil without one.
	Baseline *Snapshot

	// Took and Queries are what this tick cost the store.
	Took    time.Duration
	Queries int

	figures map[Need]*Figure
}

// NewSnapshot builds a snapshot around its figures. The map is owned by the
// snapshot afterwards.
func NewSnapshot(s Snapshot, figures map[Need]*Figure) *Snapshot {
	s.figures = figures
	return &s
}

// Figure returns the answer to a need. A need that was not asked in this tick
// gives a pending figure, never nil.
func (s *Snapshot) Figure(n Need) *Figure {
	if s != nil {
		if f, ok := s.figures[n]; ok {
			return f
		}
	}
	return &Figure{Need: n, Status: StatusPending}
}

// Figures returns all answers, ordered by key, form and grouping.
func (s *Snapshot) Figures() []*Figure {
	if s == nil {
		return nil
	}
	out := make([]*Figure, 0, len(s.figures))
	for _, f := range s.figures {
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].Need, out[j].Need
		switch {
		case a.Key != b.Key:
			return a.Key < b.Key
		case a.Form != b.Form:
			return a.Form < b.Form
		case a.By != b.By:
			return a.By < b.By
		case a.Span != b.Span:
			return a.Span < b.Span
		case a.Step != b.Step:
			return a.Step < b.Step
		default:
			return a.Window < b.Window
		}
	})
	return out
}

// Target returns the target of an instance.
func (s *Snapshot) Target(instance string) (Target, bool) {
	if s != nil {
		for _, t := range s.Targets {
			if t.Instance == instance {
				return t, true
			}
		}
	}
	return Target{}, false
}
