package sources

import "time"

// Status says why a figure has, or lacks, a number. The five ways of having
// none are different facts and are drawn differently (honesty.md rule 5).
type Status int

// The states of a figure.
const (
	// StatusPending: nothing has been scraped yet, or the window holds fewer
	// than two scrapes.
	StatusPending Status = iota
	// StatusAbsent: no spelling of the family was seen in the last minutes.
	StatusAbsent
	// StatusIdle: the family is there and nothing happened in the window.
	StatusIdle
	// StatusNaN: the answer is not a number.
	StatusNaN
	// StatusStale: there was a number; the scrape that brought it is dead.
	// The value is the last good one and At is its time.
	StatusStale
	// StatusError: the question failed; the last good value stays, if any.
	StatusError
	// StatusOK: a live number.
	StatusOK
)

func (s Status) String() string {
	return [...]string{"pending", "absent", "idle", "nan", "stale", "error", "ok"}[s]
}

// Figure is the answer to one Need.
type Figure struct {
	Need   Need
	Status Status
	// Series has one element per group, ordered by label key. With a range it
	// holds the columns that have data; a gap is a missing point.
	Series []Series
	// At is when the values were true: the snapshot's time, older when stale.
	At time.Time
	// Window is the look-back really used, shorter than asked in the first
	// minutes; zero for gauges.
	Window time.Duration
	// Title, Unit and Better come from the catalogue. Better is "lower",
	// "higher" or empty.
	Title, Unit, Better string
	// Expr is the PromQL that was run; it can be pasted into Prometheus.
	Expr string
	// Tried are the family names asked for, Found those that exist.
	Tried, Found []string
	// AllModels: a model was picked, and this family cannot be told apart by
	// model.
	AllModels bool
	// Note says, for a figure without a number, what would bring it: the flag
	// or the endpoint. From the catalogue.
	Note string
	Err  string
}

// Live says whether the figure has a present number.
func (f *Figure) Live() bool { return f != nil && f.Status == StatusOK }

// HasValue says whether there is a number to draw, live or stale.
func (f *Figure) HasValue() bool {
	return f != nil && len(f.Series) > 0 && (f.Status == StatusOK || f.Status == StatusStale || f.Status == StatusError)
}

// Value returns the newest value of a figure that has one group, or of its
// first group.
func (f *Figure) Value() (v float64, ok bool) {
	if !f.HasValue() {
		return 0, false
	}
	p, ok := f.Series[0].Last()
	return p.V, ok
}

// Where returns the newest value of the group whose labels hold all of want.
func (f *Figure) Where(want Labels) (v float64, ok bool) {
	if !f.HasValue() {
		return 0, false
	}
	for _, s := range f.Series {
		if matches(s.Labels, want) {
			p, ok := s.Last()
			return p.V, ok
		}
	}
	return 0, false
}

// Group returns the series of the group whose labels hold all of want.
func (f *Figure) Group(want Labels) (Series, bool) {
	if f == nil {
		return Series{}, false
	}
	for _, s := range f.Series {
		if matches(s.Labels, want) {
			return s, true
		}
	}
	return Series{}, false
}

// Buckets reads a FormBuckets figure of one group, at its newest time.
func (f *Figure) Buckets() (Buckets, bool) { return f.BucketsWhere(nil) }

// BucketsWhere reads the group of a FormBuckets figure whose labels hold all
// of want.
func (f *Figure) BucketsWhere(want Labels) (Buckets, bool) {
	if !f.HasValue() {
		return Buckets{}, false
	}
	var in []Series
	for _, s := range f.Series {
		if matches(s.Labels, want) {
			in = append(in, s)
		}
	}
	return BucketsOf(in)
}

func matches(have, want Labels) bool {
	for n, v := range want {
		if have[n] != v {
			return false
		}
	}
	return true
}
