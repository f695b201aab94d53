package feed

import (
	"context"
	"errors"
	"regexp"
	"sort"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// presence holds, per exact series name, the instances that exposed it within
// the presence window.
type presence map[string]map[string]bool

// presence asks which names exist: only those of questions that came back
// empty, or of all while a target is down (then an answer may be what is left
// in the window of a dead page). One question, however many workers.
func (t *tick) presence(ctx context.Context) (presence, error) {
	names := map[string]bool{}
	for _, p := range t.plans {
		f := p.fig
		if p.ready && f.Status != sources.StatusError && (len(t.down) > 0 || len(f.Series) == 0) {
			for _, name := range p.query.Names {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	list := make([]string, 0, len(names))
	for n := range names {
		list = append(list, regexp.QuoteMeta(n))
	}
	sort.Strings(list)
	// Answers carry no __name__: the name goes into a label of its own.
	expr := `count by (family, instance) (label_replace(last_over_time({__name__=~"` +
		strings.ReplaceAll(strings.Join(list, "|"), `\`, `\\`) + `"}[5m]), "family", "$1", "__name__", "(.+)"))`
	if why := t.presenceRests(); why != nil {
		return nil, why
	}
	out := presence{}
	got, err := t.instant(ctx, expr, t.At)
	t.notePresence(err)
	for _, s := range got {
		name := s.Labels["family"]
		if out[name] == nil {
			out[name] = map[string]bool{}
		}
		out[name][s.Labels["instance"]] = true
	}
	return out, err
}

// unknown is since when the question for presence hangs, and how it ended.
type unknown struct {
	since time.Time
	err   error
}

// presenceRests returns the error of a question that hung a moment ago: it
// rests like any other.
func (t *tick) presenceRests() error {
	t.Feed.mu.Lock()
	defer t.Feed.mu.Unlock()
	if u := t.Feed.unknown; t.live && u.err != nil && time.Since(u.since) < t.rest() {
		return u.err
	}
	return nil
}

func (t *tick) notePresence(err error) {
	t.Feed.mu.Lock()
	defer t.Feed.mu.Unlock()
	t.Feed.unknown = unknown{}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Feed.unknown = unknown{time.Now(), err}
	}
}

func (p presence) any(q catalog.Query) bool {
	for _, n := range q.Names {
		if len(p[n]) > 0 {
			return true
		}
	}
	return false
}

// families are the exact names of a question that exist.
func (p presence) families(q catalog.Query) []string {
	var out []string
	for _, n := range q.Names {
		if len(p[n]) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// holders are the instances that expose any name of a question.
func (p presence) holders(q catalog.Query) map[string]bool {
	out := map[string]bool{}
	for _, n := range q.Names {
		for in := range p[n] {
			out[in] = true
		}
	}
	return out
}

// staleKey names one memoised last good answer.
type staleKey struct {
	expr string // of the need in its scope
	at   int64  // milliseconds: the last good scrape
}

// fillStale replaces what dead targets would show by their last good values,
// with the time of those: a gauge of a dead page is gone from the store, and
// a rate over a window that still holds some of its samples would fade to
// zero as if the worker were idle. Both are the same expression evaluated at
// the target's last good scrape, so the fill is a memo, not a memory.
func (t *tick) fillStale(ctx context.Context, found presence) {
	if len(t.down) == 0 {
		return
	}
	for _, p := range t.plans {
		f, n := p.fig, p.fig.Need
		if !p.ready || n.IsRange() || f.Status == sources.StatusError {
			continue
		}
		if keepsInstance(n) {
			t.fillInstances(ctx, p, f)
			continue
		}
		holders := found.holders(p.query)
		if len(holders) == 0 {
			continue
		}
		newest := time.Time{}
		for in := range holders {
			good, down := t.down[in]
			if !down {
				newest = time.Time{}
				break // something alive still answers: the number is live
			}
			if good.After(newest) {
				newest = good
			}
		}
		if newest.IsZero() {
			continue
		}
		if old := t.lastGood(ctx, p.query.Expr, newest); len(old) > 0 {
			f.Series, f.Status, f.At = old, sources.StatusStale, newest
		}
	}
}

func keepsInstance(n sources.Need) bool {
	for by := range strings.SplitSeq(n.By, ",") {
		if by == "instance" {
			return true
		}
	}
	return false
}

// fillInstances swaps the groups of each dead instance for its last good
// ones. Their points carry the time when they were true.
func (t *tick) fillInstances(ctx context.Context, p *plan, f *sources.Figure) {
	kept := f.Series[:0:0]
	for _, s := range f.Series {
		if _, down := t.down[s.Labels["instance"]]; !down {
			kept = append(kept, s)
		}
	}
	for in, good := range t.down {
		if good.IsZero() {
			continue
		}
		// Its own page alone: many may be dead, each since another moment, and
		// what the others showed then is of no use.
		own := catalog.Scope{Match: p.scope.Match, Instances: []string{in}}
		q, err := t.cat.Query(f.Need, p.window, own)
		if err != nil {
			continue
		}
		for _, s := range t.lastGood(ctx, q.Expr, good) {
			if s.Labels["instance"] == in {
				kept = append(kept, s)
			}
		}
	}
	sortSeries(kept)
	f.Series = kept
}

func (t *tick) lastGood(ctx context.Context, expr string, at time.Time) []sources.Series {
	key := staleKey{expr, at.UnixMilli()}
	t.Feed.mu.Lock()
	old, ok := t.stale[key]
	t.Feed.mu.Unlock()
	if ok {
		return old
	}
	old, err := t.instant(ctx, expr, at)
	if err == nil {
		t.Feed.mu.Lock()
		t.stale[key] = old
		t.Feed.mu.Unlock()
	}
	return old
}
