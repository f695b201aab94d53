package selection

import (
	"math"
	"strconv"
	"strings"
)

// Scale says how a number is written in a filter.
type Scale int

// The scales.
const (
	Plain   Scale = iota // "5", "2.4k"
	Percent              // "90" or "90%" is a ratio of 0.9
	Seconds              // "500ms", "2s"
)

// sample is a comparison for hints, behind a key.
func (s Scale) sample() string {
	switch s {
	case Percent:
		return ">90 (percent)"
	case Seconds:
		return ">500ms"
	}
	return ">5"
}

// beyond says whether a number in (lo, hi], or exactly lo when both are equal,
// is surely on the asked side of a limit.
func beyond(lo, hi float64, op string, limit float64) bool {
	exact := lo == hi
	switch op {
	case ">":
		return lo > limit || !exact && lo == limit
	case ">=":
		return lo >= limit
	case "<":
		return hi < limit
	case "<=":
		return hi <= limit
	default:
		return exact && lo == limit
	}
}

// divisors turn a time in a unit into seconds. They divide, so that 57 % and
// 470 ms are the floats that 0.57 and 0.47 are.
var divisors = map[string]float64{"us": 1e6, "µs": 1e6, "ms": 1e3, "s": 1, "m": 1.0 / 60, "h": 1.0 / 3600}

// Limit reads a number written in a scale: percent as a ratio, times in
// seconds. Signs, exponents and words are none.
func Limit(s string, sc Scale) (float64, bool) {
	by := 1.0
	switch sc {
	case Percent:
		s, by = strings.TrimSuffix(s, "%"), 100
	case Seconds:
		unit := strings.TrimLeft(s, "0123456789.")
		d, ok := divisors[unit]
		if !ok {
			return 0, false
		}
		s, by = strings.TrimSuffix(s, unit), d
	default:
		if rest, ok := strings.CutSuffix(s, "k"); ok {
			s, by = rest, 1e-3
		}
	}
	if strings.Trim(s, "0123456789.") != "" {
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v / by, err == nil && !math.IsInf(v/by, 0)
}

// port says whether a text reads like the port of an address.
func port(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
