package prom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"dynascope/sources"
	"dynascope/sources/text"
)

// view is what a look at the server found.
type view struct {
	targets []sources.Target // by instance
	at      time.Time
	every   time.Duration // between two looks
	seen    map[string]time.Time
	aged    bool // it is known since when there are samples
}

const (
	// seenBack is how far the first look reaches for targets that are down now.
	seenBack = "15m"
	// forget is how long a target stays that the server no longer knows.
	forget = time.Hour
	// maxTargets are shown; a fleet beyond it needs a scope.
	maxTargets = 4096
)

// Targets are the scraped targets that carry one of the families asked about,
// by instance, as last looked at. Between two looks a target that was up is
// taken to be scraped on, so that its figures do not flicker; after two missed
// looks it no longer is.
func (s *Store) Targets() []sources.Target {
	s.mu.Lock()
	v := s.view
	s.mu.Unlock()
	out := slices.Clone(v.targets)
	gone := s.now().Sub(v.at)
	if gone <= 0 || gone > 2*v.every+s.opts.Timeout {
		return out
	}
	for i := range out {
		t := &out[i]
		if d := t.Interval; t.Health == sources.HealthUp && d > 0 && v.at.Sub(t.LastGood) <= 2*d {
			t.LastGood = t.LastGood.Add((gone + v.at.Sub(t.LastGood)) / d * d)
			t.LastScrape = t.LastGood
		}
	}
	return out
}

// Interval is the longest scrape interval of the targets, zero while none is
// known. A tick shorter than it shows nothing new.
func (s *Store) Interval() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return longest(s.view.targets)
}

func longest(ts []sources.Target) time.Duration {
	var d time.Duration
	for _, t := range ts {
		d = max(d, t.Interval)
	}
	return d
}

// look refreshes the view until Close.
func (s *Store) look() {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-wait.C:
		}
		wait.Reset(s.refresh())
	}
}

// refresh looks once and returns how long until the next look.
func (s *Store) refresh() time.Duration {
	ctx := context.WithValue(s.ctx, lookKey{}, true)
	s.mu.Lock()
	old := s.view
	s.mu.Unlock()
	next, err := s.see(ctx, old)
	if s.ctx.Err() != nil {
		return time.Hour
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.broken = text.Safe(err.Error(), 3*lineLength)
		return min(s.opts.Refresh, 2*time.Second)
	}
	s.broken = ""
	s.view = next
	return next.every
}

// see asks what is scraped now.
func (s *Store) see(ctx context.Context, old view) (view, error) {
	now := s.now()
	seen := map[string]time.Time{}
	for in, at := range old.seen {
		if now.Sub(at) < forget {
			seen[in] = at
		}
	}
	if s.opts.KeepNames != nil {
		if err := s.ours(ctx, now, seen, len(old.seen) == 0); err != nil {
			return view{}, err
		}
	}
	was := map[string]sources.Target{}
	for _, t := range old.targets {
		was[t.Instance] = t
	}
	targets, err := s.listed(ctx, seen)
	if err != nil {
		return view{}, err
	}
	if len(targets) == 0 && len(seen) > 0 {
		if targets, err = s.guessed(ctx, now, seen, was); err != nil {
			return view{}, err
		}
	}
	if err := s.complete(ctx, now, targets, was); err != nil {
		return view{}, err
	}
	slices.SortFunc(targets, func(a, b sources.Target) int { return cmp.Compare(a.Instance, b.Instance) })
	if len(targets) > maxTargets {
		s.warn(fmt.Sprintf("%d targets carry our families, %d are shown", len(targets), maxTargets))
		targets = targets[:maxTargets]
	}
	v := view{targets: targets, at: s.now(), seen: seen}
	v.every = min(max(s.opts.Refresh, longest(targets)), time.Minute)
	v.aged = old.aged || len(targets) > 0 && s.findOldest(ctx, now, targets)
	return v, nil
}

// ours adds the instances that carry one of the families to seen. The first
// look reaches back for those that are down.
func (s *Store) ours(ctx context.Context, now time.Time, seen map[string]time.Time, first bool) error {
	selector := `{__name__=~"` + alternatives(markers(s.opts.KeepNames)) + `"}`
	if first {
		selector = "last_over_time(" + selector + "[" + seenBack + "])"
	}
	got, err := s.instant(ctx, "count by (instance, job) ("+selector+")", now)
	if err != nil {
		return err
	}
	jobs := map[string]string{}
	doubled := ""
	for _, x := range got {
		in, job := x.Labels["instance"], x.Labels["job"]
		if in == "" {
			continue
		}
		if other, ok := jobs[in]; ok && other != job && doubled == "" {
			doubled = fmt.Sprintf("%s is scraped by two jobs, %s and %s: its counters count twice; hint: drop one of them", text.Clean(in, 60), text.Clean(other, 60), text.Clean(job, 60))
		}
		jobs[in] = job
		seen[in] = now
	}
	s.mu.Lock()
	s.doubled = doubled
	s.mu.Unlock()
	return nil
}

// own says whether a server writes a series itself about whatever it scrapes:
// such a name makes no target one of ours.
func own(name string) bool { return name == "up" || strings.HasPrefix(name, "scrape_") }

// markers are the names that suffice to find a family: of a histogram its
// count alone.
func markers(names []string) []string {
	has := map[string]bool{}
	for _, n := range names {
		has[n] = true
	}
	var out []string
	for _, n := range names {
		base, bucket := strings.CutSuffix(n, "_bucket")
		if !bucket {
			base, _ = strings.CutSuffix(n, "_sum")
		}
		if base != n && has[base+"_count"] || own(n) {
			continue
		}
		out = append(out, n)
	}
	return out
}

// alternatives is a regular expression, as text within PromQL's quotes.
func alternatives(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = regexp.QuoteMeta(t)
	}
	q := strconv.Quote(strings.Join(quoted, "|"))
	return q[1 : len(q)-1]
}

// listed reads the server's own list of targets. Servers without one give an
// empty answer or none.
func (s *Store) listed(ctx context.Context, seen map[string]time.Time) ([]sources.Target, error) {
	if !s.enter() {
		return nil, errClosed
	}
	defer s.asking.Done()
	u := s.http.URL("/api/v1/targets", nil)
	u.RawQuery = url.Values{"state": {"active"}}.Encode()
	list, err := fetchTargets(ctx, s.http, u)
	if err != nil {
		var status *answerError
		if errors.As(err, &status) && (status.status == http.StatusNotFound || status.status == http.StatusForbidden ||
			status.status == http.StatusMethodNotAllowed || status.status == http.StatusNotImplemented || status.status/100 == 2) {
			return nil, nil
		}
		var bad *v1.Error
		if errors.As(err, &bad) || errors.Is(err, errTooLarge) {
			return nil, nil
		}
		return nil, s.refused(ctx, err)
	}
	byInstance := map[string]int{}
	var out []sources.Target
	for _, a := range list {
		in := a.Labels[model.InstanceLabel]
		if _, ours := seen[in]; in == "" || !ours && s.opts.KeepNames != nil {
			continue
		}
		t := a.target()
		i, known := byInstance[in]
		switch {
		case !known:
			byInstance[in] = len(out)
			out = append(out, t)
		case out[i].Health != sources.HealthUp && t.Health == sources.HealthUp:
			out[i] = t
		}
	}
	return out, nil
}

// guessed makes the list from the samples themselves, on servers that have
// none.
func (s *Store) guessed(ctx context.Context, now time.Time, seen map[string]time.Time, old map[string]sources.Target) ([]sources.Target, error) {
	names := make([]string, 0, len(seen))
	for in := range seen {
		names = append(names, in)
	}
	slices.Sort(names)
	found, err := s.sampled(ctx, now, names, old)
	if err != nil {
		return nil, err
	}
	out := make([]sources.Target, 0, len(names))
	for _, in := range names {
		t, ok := found[in]
		if !ok {
			// Its families are there and up is not (an agent pushes them), or
			// it has gone.
			t = sources.Target{Instance: in, Health: sources.HealthDown, LastGood: seen[in], LastScrape: seen[in], Interval: old[in].Interval}
			if seen[in].Equal(now) {
				t.Health = sources.HealthUp
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// sampled reads targets' states from their newest up samples.
func (s *Store) sampled(ctx context.Context, now time.Time, names []string, old map[string]sources.Target) (map[string]sources.Target, error) {
	got, err := s.instant(ctx, `up{instance=~"`+alternatives(names)+`"}[5m]`, now)
	if err != nil {
		return nil, err
	}
	found := map[string]sources.Target{}
	for _, x := range got {
		in := x.Labels["instance"]
		t := fromSamples(in, x.Points, old[in])
		if have, ok := found[in]; !ok || have.Health != sources.HealthUp && t.Health == sources.HealthUp {
			found[in] = t
		}
	}
	return found, nil
}

// complete fills in what the server's list does not say: the interval on some
// servers, and when a target that is down was last good.
func (s *Store) complete(ctx context.Context, now time.Time, targets []sources.Target, old map[string]sources.Target) error {
	var ask []string
	for i := range targets {
		t := &targets[i]
		if t.LastGood.IsZero() {
			t.LastGood = old[t.Instance].LastGood
		}
		if t.Interval <= 0 || t.Health == sources.HealthDown && t.LastGood.IsZero() {
			ask = append(ask, t.Instance)
		}
	}
	if len(ask) > 0 {
		found, err := s.sampled(ctx, now, ask, old)
		if err != nil {
			return err
		}
		for i := range targets {
			t := &targets[i]
			if f, ok := found[t.Instance]; ok {
				t.LastGood = cmp.Or(t.LastGood, f.LastGood)
				t.Interval = cmp.Or(t.Interval, f.Interval)
			}
		}
	}
	for i := range targets {
		t := &targets[i]
		t.Interval = cmp.Or(t.Interval, time.Minute) // the longest in common use
		t.BaseInterval, t.Insecure = t.Interval, s.opts.InsecureTLS
	}
	return nil
}

// fromSamples reads a target's state from its up samples, oldest first. The
// interval is the median distance: scrapes are missed, and clocks jitter.
func fromSamples(in string, up []sources.Point, was sources.Target) sources.Target {
	t := sources.Target{Instance: in, LastGood: was.LastGood, Interval: was.Interval}
	var gaps []time.Duration
	for i, p := range up {
		at := time.UnixMilli(p.T)
		if i > 0 {
			gaps = append(gaps, at.Sub(time.UnixMilli(up[i-1].T)))
		}
		t.LastScrape, t.Health = at, sources.HealthDown
		if p.V == 1 {
			t.LastGood, t.Health = at, sources.HealthUp
		}
	}
	if len(gaps) > 0 {
		slices.Sort(gaps)
		t.Interval = max(gaps[len(gaps)/2].Round(time.Second), time.Second)
	}
	return t
}

// findOldest notes when the targets' samples began, where that is so short ago
// that a window would reach past it: to the minute, and exactly within the
// last five. ok is false when the server did not say.
func (s *Store) findOldest(ctx context.Context, now time.Time, targets []sources.Target) (ok bool) {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Instance
	}
	up := `up{instance=~"` + alternatives(names) + `"}`
	var oldest time.Time
	note := func(at time.Time) {
		if !at.After(now) && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	got, err := s.instant(ctx, "min(min_over_time(timestamp("+up+")[2h:1m]))", now)
	if err != nil {
		return false
	}
	for _, x := range got {
		if p, ok := x.Last(); ok && p.V > 0 {
			note(time.UnixMilli(int64(p.V * 1000)))
		}
	}
	if oldest.IsZero() || now.Sub(oldest) < 5*time.Minute {
		if got, err = s.instant(ctx, up+"[5m]", now); err != nil {
			return false
		}
		for _, x := range got {
			if len(x.Points) > 0 {
				note(x.Points[0].Time())
			}
		}
	}
	if now.Sub(oldest) < 2*time.Hour-5*time.Minute {
		s.mu.Lock()
		s.oldest = oldest
		s.mu.Unlock()
	}
	return true
}
