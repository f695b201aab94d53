package feed

import (
	"context"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// health finds the targets that are down at the tick's moment, and when each
// was last good. Live, the store knows; for the past the up series does.
func (t *tick) health(ctx context.Context) {
	t.down = map[string]time.Time{}
	if t.live {
		for _, g := range t.targets {
			// A target whose scrapes stopped coming is as dead as one whose
			// scrapes fail: three intervals old is never live.
			late := g.Health == sources.HealthUp && t.At.Sub(g.LastGood) > g.StaleAfter()
			if g.Health == sources.HealthDown || late {
				t.down[g.Instance] = withinPresence(g.LastGood, t.At)
			}
		}
		return
	}
	up := map[string]bool{}
	answer, err := t.instant(ctx, "up", t.At)
	if err != nil {
		// Nothing is known of the past then, which is not the same as down.
		for i, g := range t.targets {
			t.targets[i] = sources.Target{Instance: g.Instance, URL: g.URL, Interval: g.Interval, BaseInterval: g.BaseInterval, Insecure: g.Insecure, Error: "ask which targets were up: " + failure(err, t.limit())}
		}
		return
	}
	for _, s := range answer {
		if p, ok := s.Last(); ok && p.V == 1 {
			up[s.Labels["instance"]] = true
		}
	}
	dead := false
	for i, g := range t.targets {
		t.targets[i] = sources.Target{Instance: g.Instance, URL: g.URL, Interval: g.Interval, BaseInterval: g.BaseInterval, Insecure: g.Insecure, Health: sources.HealthUp, LastGood: t.At, LastScrape: t.At}
		if !up[g.Instance] {
			t.targets[i].Health, t.targets[i].LastGood = sources.HealthDown, time.Time{}
			t.down[g.Instance], dead = time.Time{}, true
		}
	}
	if !dead {
		return
	}
	// The subquery runs only when something is down: 300 steps over up.
	const lastGood = `max by (instance) (max_over_time(timestamp(up == 1)[5m:1s]))`
	good, _ := t.instant(ctx, lastGood, t.At) // not knowing when is no worse
	for _, s := range good {
		p, ok := s.Last()
		in := s.Labels["instance"]
		if _, isDown := t.down[in]; !ok || !isDown {
			continue
		}
		at := time.UnixMilli(int64(p.V * 1000))
		t.down[in] = at
		for i := range t.targets {
			if t.targets[i].Instance == in {
				t.targets[i].LastGood = at
			}
		}
	}
}

func withinPresence(good, at time.Time) time.Time {
	if good.IsZero() || at.Sub(good) > presenceWindow {
		return time.Time{}
	}
	return good
}

// slowed is a target's longest interval since it was last above the one asked
// for, and when that was.
type slowed struct {
	interval time.Duration
	at       time.Time
}

// noteSlowed remembers intervals that grew: a course still shows the time when
// scrapes came less often, and would have gaps there at today's least window.
func (t *tick) noteSlowed() {
	if !t.live {
		return
	}
	t.Feed.mu.Lock()
	defer t.Feed.mu.Unlock()
	for _, g := range t.targets {
		was := t.slowed[g.Instance]
		switch {
		case g.Slowed:
			t.slowed[g.Instance] = slowed{max(g.Interval, was.interval), t.At}
		case t.At.Sub(was.at) > 2*time.Hour:
			delete(t.slowed, g.Instance)
		}
	}
}

// interval is the longest interval among the targets that can expose a metric,
// now and within the span that is shown: the yardstick of its least window. A
// frontend's figures do not blur because a worker is scraped less often.
func (t *tick) interval(m catalog.Metric, span time.Duration) time.Duration {
	frontendOnly := len(m.Variants) > 0
	for _, v := range m.Variants {
		frontendOnly = frontendOnly && (v.Producer == "frontend" || v.Producer == "router")
	}
	d := time.Second
	t.Feed.mu.Lock()
	defer t.Feed.mu.Unlock()
	for _, g := range t.targets {
		if role := t.role[g.Instance]; frontendOnly && (role == "worker" || role == "gpu") {
			continue
		}
		d = max(d, g.Interval)
		if was := t.slowed[g.Instance]; span > 0 && t.At.Sub(was.at) < span+4*was.interval {
			d = max(d, was.interval)
		}
	}
	return d
}
