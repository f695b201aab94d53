package text

import (
	"math"
	"strconv"
	"time"
)

// Duration prints seconds in the unit that fits, with three significant
// digits: "420 µs", "4.2 ms", "196 ms", "1.42 s", "480 s", "11 min", "2.5 h",
// "3 d". Seconds go up to ten minutes, because the edges of latency
// histograms do.
func Duration(seconds float64) string {
	if s, ok := odd(seconds); ok {
		return s
	}
	for _, u := range [...]struct {
		size, limit float64
		name        string
	}{
		{1e-9, 1000, " ns"}, {1e-6, 1000, " µs"}, {1e-3, 1000, " ms"},
		{1, 600, " s"}, {60, 120, " min"}, {3600, 48, " h"},
	} {
		if seconds == 0 && u.size < 1 {
			continue // "0 s", not "0 ns"
		}
		if r, _ := round(seconds/u.size, digits); math.Abs(r) < u.limit {
			return plain(r, digits) + u.name
		}
	}
	return plain(seconds/86400, digits) + " d"
}

// Millis prints seconds in milliseconds, for columns whose rows must compare
// at a glance: "0.42 ms", "4.2 ms", "196 ms", "1 189 ms".
func Millis(seconds float64) string {
	if s, ok := odd(seconds); ok {
		return s
	}
	ms := seconds * 1000
	switch {
	case ms > 0 && ms < 0.005:
		return "<0.01 ms"
	case math.Abs(ms) < 1:
		return plain(math.Round(ms*100)/100, 2) + " ms"
	default:
		return plain(ms, 2) + " ms"
	}
}

// Age prints how long ago something was, in whole units and rounded down:
// "12 s", "3 m", "2 h", "5 d". Each unit goes to twice the next one, so that
// "1 m" never stands for 119 s. A negative age is a clock's error: "0 s".
func Age(d time.Duration) string {
	n := func(unit time.Duration) string { return strconv.FormatInt(int64(d/unit), 10) }
	switch {
	case d <= 0:
		return "0 s"
	case d < 2*time.Minute:
		return n(time.Second) + " s"
	case d < 2*time.Hour:
		return n(time.Minute) + " m"
	case d < 48*time.Hour:
		return n(time.Hour) + " h"
	default:
		return n(24*time.Hour) + " d"
	}
}

// Clock prints a time of day in UTC: "12:03:41Z"; the zero time is None.
func Clock(t time.Time) string {
	if t.IsZero() {
		return None
	}
	return t.UTC().Format("15:04:05Z")
}
