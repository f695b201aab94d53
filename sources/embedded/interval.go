package embedded

import (
	"slices"
	"time"
)

// A scrape is work for the server it asks: an engine renders its page in the
// process that serves tokens. The rule (honesty.md 7): that work stays below
// 5 % of the scrape interval; else the interval grows.
const (
	maxShare    = 0.05
	shrinkShare = 0.025 // growing back needs half of it: hysteresis
	growAfter   = 3     // scrapes in a row above, at the present interval
	shrinkAfter = 5     // scrapes in a row below, at the present interval
)

// steps are the intervals an adaptive target can be slowed to.
var steps = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}

// nextInterval is the policy: the interval that follows current, for a target
// that was asked for at base, given the server's time of its last scrapes at
// the current interval, oldest first. It goes straight to the smallest step
// that fits, is never below base nor above the larger of base and 10 s, and
// returns current to leave things as they are.
func nextInterval(base, current time.Duration, waits []time.Duration) time.Duration {
	ladder := []time.Duration{base}
	for _, d := range steps {
		if d > base {
			ladder = append(ladder, d)
		}
	}
	if n := len(waits); n >= growAfter {
		least := slices.Min(waits[n-growAfter:])
		if float64(least) > maxShare*float64(current) {
			for _, d := range ladder {
				if d > current && float64(least) <= maxShare*float64(d) {
					return d
				}
			}
			return max(current, ladder[len(ladder)-1])
		}
	}
	if n := len(waits); n >= shrinkAfter {
		most := slices.Max(waits[n-shrinkAfter:])
		for _, d := range ladder {
			if d < current && float64(most) < shrinkShare*float64(d) {
				return d
			}
		}
	}
	return current
}

// scrapeTimeout is the timeout that belongs to an interval in force. A slowed
// target gets more time, up to half its interval: a page that takes 1.5 s
// would otherwise never arrive.
func scrapeTimeout(asked, interval time.Duration) time.Duration {
	if asked > 0 {
		return min(asked, interval)
	}
	return min(interval, max(time.Second, interval/2))
}

const minLookback = 5 * time.Second

// slowestAt is the slowest interval in force from a moment on.
type slowestAt struct {
	from     time.Time
	interval time.Duration
}

// noteSlowest records the slowest interval in force; s.mu is held.
func (s *Store) noteSlowest(now time.Time) {
	var d time.Duration
	for _, t := range s.targets {
		d = max(d, t.interval)
	}
	if n := len(s.slowest); n > 0 && s.slowest[n-1].interval == d {
		return
	}
	s.slowest = append(s.slowest, slowestAt{now, d})
	s.noteTargets()
	old := 0
	for old+1 < len(s.slowest) && now.Sub(s.slowest[old+1].from) > s.opts.Retention {
		old++
	}
	s.slowest = slices.Delete(s.slowest, 0, old)
}

// lookback is how old a sample may be to still count at a moment between from
// and to: 2.5 of the slowest interval that was in force then, so that no
// slowed target flickers, and at least 5 s.
func (s *Store) lookback(from, to time.Time) time.Duration {
	from = from.Add(-30 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := minLookback
	for i, e := range s.slowest {
		ended := i+1 < len(s.slowest) && s.slowest[i+1].from.Before(from)
		if !ended && !e.from.After(to) {
			d = max(d, e.interval*5/2)
		}
	}
	return d
}
