package rules

import (
	"cmp"
	"math"
	"slices"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/stat"
)

// brief is the look-back of rules that wait for a second, disjoint window
// before they say anything: one odd request lies in one of the two only.
const brief = 30 * time.Second

func meanOver(key string, w time.Duration, by string) sources.Need {
	return sources.Need{Key: key, Form: sources.FormMean, By: by, Window: w}
}

func countOver(key string, w time.Duration, by string) sources.Need {
	return sources.Need{Key: key, Form: sources.FormCount, By: by, Window: w}
}

func grownOver(key string, w time.Duration, by string) sources.Need {
	return sources.Need{Key: key, Form: sources.FormIncrease, By: by, Window: w}
}

func nowOf(key, by string) sources.Need {
	return sources.Need{Key: key, Form: sources.FormNow, By: by}
}

// columnsIn is how many columns of judgement lie in a time.
func columnsIn(d time.Duration) int { return int(d / verdict.Step) }

// lasted says whether the newest d of a course are all there and all hold.
func lasted(course []float64, d time.Duration, hold func(float64) bool) bool {
	n := columnsIn(d)
	if len(course) < n || n == 0 {
		return false
	}
	for _, v := range course[len(course)-n:] {
		if math.IsNaN(v) || !hold(v) {
			return false
		}
	}
	return true
}

// averageOf is the mean of a gauge over the newest d of its course; ok is false
// where more than half of it is missing.
func averageOf(course []float64, d time.Duration) (mean float64, ok bool) {
	n := columnsIn(d)
	seen := 0
	for _, v := range course[max(0, len(course)-n):] {
		if !math.IsNaN(v) {
			mean, seen = mean+v, seen+1
		}
	}
	if seen == 0 || 2*seen < n {
		return 0, false
	}
	return mean / float64(seen), true
}

// disjoint are the columns of a course whose look-backs do not overlap, newest
// included: the others say the same once more.
func disjoint(course []float64, look time.Duration) []float64 {
	step := max(columnsIn(look), 1)
	var out []float64
	for i := (len(course) - 1) % step; i >= 0 && i < len(course); i += step {
		out = append(out, course[i])
	}
	return out
}

// lowerQuartile is the value that a quarter of the given lie at or below.
func lowerQuartile(vals []float64) float64 {
	if len(vals) == 0 {
		return math.NaN()
	}
	s := slices.Clone(vals)
	slices.SortFunc(s, cmp.Compare[float64])
	return s[(len(s)-1)/4]
}

// certain is the level of the intervals of shares: with one judgement every
// five seconds, 95 % would be wrong several times an hour.
const certain = 0.99

// shareAtLeast is the lower end of the interval (Wilson, 99 %) of k in n. The
// counts are increases that PromQL scaled up to a window, and so are cut to
// whole requests.
func shareAtLeast(k, n float64) float64 {
	if !(k > 0) || !(n > 0) {
		return 0
	}
	n = math.Max(math.Floor(n), math.Floor(k))
	return stat.Proportion(int(math.Floor(k)), int(n), certain).Lo
}

// instanceOf is the label by which figures of one page are found.
func instanceOf(in string) sources.Labels { return sources.Labels{"instance": in} }

// none is the threshold of evidence that crosses nothing.
var none = math.NaN()
