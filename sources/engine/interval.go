package engine

import (
	"slices"
	"time"
)

// The rule for the load (honesty: what we ask is work for who we ask): the
// server's share of an interval stays below 5 %, else the interval grows, and
// shrinks again at half of that.
const (
	maxShare    = 0.05
	shrinkShare = 0.025
	growAfter   = 3 // answers in a row above, at the present interval
	shrinkAfter = 5 // answers in a row below
)

var steps = []time.Duration{2 * time.Second, 5 * time.Second, 10 * time.Second}

// nextInterval is the interval that follows current, given the server's time
// of its last answers at that interval, oldest first.
func nextInterval(base, current time.Duration, waits []time.Duration) time.Duration {
	ladder := []time.Duration{base}
	for _, d := range steps {
		if d > base {
			ladder = append(ladder, d)
		}
	}
	if n := len(waits); n >= growAfter {
		if least := slices.Min(waits[n-growAfter:]); float64(least) > maxShare*float64(current) {
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
