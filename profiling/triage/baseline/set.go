package baseline

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// Entry is the baseline of one figure.
type Entry struct {
	// Deployment and Model say whose it is. An empty one is anybody's: so a
	// file written by hand need not name them.
	Deployment, Model string
	// Key is the catalogue's, of a histogram: "frontend.ttft".
	Key string
	// Mean is the exact mean, sum over count, in the key's unit.
	Mean float64
	// N is the number of observations behind it.
	N float64
	// Learned is the end of the window it was learned over.
	Learned time.Time
}

// Set is the baselines of any number of deployments and models, each key once.
// The zero value is empty; a Set is not changed once it is shared.
type Set struct {
	all map[owner]map[string]Entry
}

type owner struct{ deployment, model string }

// owned is an owner as a file can spell it.
func owned(deployment, model string) owner {
	return owner{text.Clean(deployment, mostLabel), text.Clean(model, mostLabel)}
}

// put adds or replaces an entry.
func (s *Set) put(e Entry) {
	o := owned(e.Deployment, e.Model)
	e.Deployment, e.Model = o.deployment, o.model
	if s.all == nil {
		s.all = map[owner]map[string]Entry{}
	}
	if s.all[o] == nil {
		s.all[o] = map[string]Entry{}
	}
	s.all[o][e.Key] = e
}

// SetOf is a set of entries; of two with the same owner and key the later one
// counts.
func SetOf(entries ...Entry) *Set {
	s := &Set{}
	for _, e := range entries {
		s.put(e)
	}
	return s
}

// Entries are all of them, by deployment, model and key.
func (s *Set) Entries() []Entry {
	if s == nil {
		return nil
	}
	var out []Entry
	for _, of := range s.all {
		out = slices.AppendSeq(out, maps.Values(of))
	}
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Deployment, b.Deployment), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// Len is how many entries there are.
func (s *Set) Len() int {
	n := 0
	if s != nil {
		for _, of := range s.all {
			n += len(of)
		}
	}
	return n
}

// With returns both sets as one. What newer says of a deployment and model
// replaces everything that was known of them: figures of two learnings are not
// mixed.
func (s *Set) With(newer *Set) *Set {
	out := &Set{all: map[owner]map[string]Entry{}}
	for _, from := range []*Set{s, newer} {
		if from != nil {
			maps.Copy(out.all, from.all)
		}
	}
	return out
}

// For are the baselines of one deployment and model, as verdicts ask for them:
// the first that knows a key of those learned for both, for the model wherever
// it runs, for the deployment whatever it serves, and for anybody. It is nil
// when there is none.
func (s *Set) For(deployment, model string) verdict.Baselines {
	if s == nil {
		return nil
	}
	var of lookup
	own := owned(deployment, model)
	for _, o := range slices.Compact([]owner{own, {"", own.model}, {own.deployment, ""}, {"", ""}}) {
		if m := s.all[o]; len(m) > 0 {
			of = append(of, m)
		}
	}
	if len(of) == 0 {
		return nil
	}
	return of
}

// lookup is tables in order of preference.
type lookup []map[string]Entry

// Of satisfies verdict.Baselines.
func (l lookup) Of(key string) (mean, n float64, ok bool) {
	for _, m := range l {
		if e, ok := m[key]; ok {
			return e.Mean, e.N, true
		}
	}
	return 0, 0, false
}

// At is when the baselines in force for a deployment and model were learned:
// the oldest of them. ok is false when there are none.
func (s *Set) At(deployment, model string) (at time.Time, ok bool) {
	of, _ := s.For(deployment, model).(lookup)
	for _, m := range of {
		for _, e := range m {
			if !ok || e.Learned.Before(at) {
				at, ok = e.Learned, true
			}
		}
	}
	return at, ok
}

// Of are the baselines of what a snapshot shows, nil when there are none: what
// a verdict.Court asks.
func (s *Set) Of(snap *sources.Snapshot) verdict.Baselines { return s.For(OwnerOf(snap)) }

// OwnerOf names whose a snapshot's baselines are: the deployment by the Dynamo
// namespaces of its workers, the model by its name. What cannot be told apart
// counts as one, by all its names.
func OwnerOf(snap *sources.Snapshot) (deployment, model string) {
	if snap == nil {
		return "", ""
	}
	names := map[string]bool{}
	for _, w := range snap.Workers {
		if w.Namespace != "" {
			names[w.Namespace] = true
		}
	}
	models := slices.Sorted(slices.Values(snap.Models))
	return strings.Join(slices.Sorted(maps.Keys(names)), ","), strings.Join(models, ",")
}
