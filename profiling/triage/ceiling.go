package triage

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"dynascope/sources/stat"
)

// estimate finds the arrival rate at which a ceiling is met: on the line of
// Theil and Sen through occupancy over arrivals, from the medians of both; and
// where the load was too even for a line, in proportion to the present, where
// that is an upper bound.
func (c *Ceiling) estimate(arrivals, occupied points, proportional bool) {
	unknown := stat.Interval{Value: math.NaN(), Lo: math.NaN(), Hi: math.NaN(), Level: HeadroomLevel}
	c.Now, c.Rate = occupied.last(), unknown
	var xs, ys []float64
	for t, x := range arrivals {
		if y, ok := occupied[t]; ok && x > 0 {
			xs, ys = append(xs, x), append(ys, y)
		}
	}
	if len(xs) == 0 {
		c.Why = "no moment has both the arrivals and this"
		return
	}
	x, y := median(xs), median(ys)
	if y >= c.Max {
		c.Rate.Value, c.Rate.Lo, c.Rate.Hi, c.Rate.N = x, slices.Min(xs), x, len(xs)
		c.Method = "it is met now"
		return
	}
	if len(xs) >= headroomPoints && slices.Max(xs) >= headroomSpread*slices.Min(xs) {
		slope := stat.TheilSen(xs, ys, HeadroomLevel)
		if slope.Lo > 0 && !slope.Small {
			meets := func(b float64) float64 { return x + (c.Max-y)/b }
			c.Rate = stat.Interval{Value: meets(slope.Value), Lo: meets(slope.Hi), Hi: meets(slope.Lo), Level: HeadroomLevel, N: slope.N}
			c.Method = fmt.Sprintf("Theil–Sen line over %d minutes", slope.N)
			return
		}
		c.Why = "it did not surely grow with the load"
	} else {
		c.Why = "the load hardly changed"
	}
	if proportional && y > 0 {
		c.Rate = stat.Interval{Value: x * c.Max / y, Lo: math.NaN(), Hi: x * c.Max / y, Level: HeadroomLevel, N: len(xs), Small: len(xs) < headroomPoints}
		c.Method, c.Why = "Little's law: in proportion to the load at most", ""
	}
}

func median(xs []float64) float64 {
	s := slices.Clone(xs)
	slices.SortFunc(s, cmp.Compare[float64])
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// sortCeilings puts what binds first to the front.
func sortCeilings(cs []Ceiling) {
	slices.SortStableFunc(cs, func(a, b Ceiling) int {
		an, bn := math.IsNaN(a.Rate.Value), math.IsNaN(b.Rate.Value)
		switch {
		case an && bn:
			return 0
		case an:
			return 1
		case bn:
			return -1
		}
		return cmp.Compare(a.Rate.Value, b.Rate.Value)
	})
}

// Left is the share of the present rate that may come on top until the first
// ceiling, at most; ok is false where nothing tells. It is zero where one is
// met.
func (h Headroom) Left() (share float64, first Ceiling, ok bool) {
	if len(h.Ceilings) == 0 || math.IsNaN(h.Rate) || h.Rate <= 0 {
		return 0, Ceiling{}, false
	}
	first = h.Ceilings[0]
	if math.IsNaN(first.Rate.Value) {
		return 0, Ceiling{}, false
	}
	return max(0, first.Rate.Value/h.Rate-1), first, true
}
