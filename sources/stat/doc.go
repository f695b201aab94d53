// Package stat says how sure a number is: intervals, trends and differences
// of samples, each by a named textbook method.
//
// It does not decide: there is no level of significance in it and no verdict.
// It knows nothing of histograms (that is sources.Buckets), which hold no raw
// samples.
//
// Samples that are NaN or infinite are left out of every function, in pairs
// where there are pairs. What cannot be said is NaN, so that comparing it with
// a limit is false. Small marks a result from fewer samples than its method
// needs; it is drawn dim, and no rule rests on it.
package stat

import "math"

// Interval is a value with the bounds between which it lies at a level of
// confidence (0.95, say).
type Interval struct {
	Value, Lo, Hi float64
	Level         float64
	N             int // samples used
	Small         bool
}

// Above says whether the whole interval lies above a limit. A rule with a
// threshold holds only then (honesty.md rule 2).
func (i Interval) Above(limit float64) bool { return i.Lo > limit }

// Below says whether the whole interval lies below a limit.
func (i Interval) Below(limit float64) bool { return i.Hi < limit }

// Test is the outcome of a test against "no difference" or "no trend".
type Test struct {
	// Statistic is t, z or U, as the function says; DF the degrees of freedom
	// of t, NaN otherwise.
	Statistic, DF float64
	// P is the two-sided probability of a statistic at least this extreme if
	// there is no difference; NaN when the samples do not allow a test.
	P     float64
	N     int // samples used, of both sides
	Small bool
}

var nan = math.NaN()

// finite returns the samples that are numbers, in their order.
func finite(xs []float64) []float64 {
	out := make([]float64, 0, len(xs))
	for _, x := range xs {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			out = append(out, x)
		}
	}
	return out
}

// finitePairs returns the pairs of which both are numbers; what is longer is
// cut.
func finitePairs(xs, ys []float64) (fx, fy []float64) {
	for i := range min(len(xs), len(ys)) {
		if s := xs[i] + ys[i]; !math.IsNaN(s) && !math.IsInf(xs[i], 0) && !math.IsInf(ys[i], 0) {
			fx, fy = append(fx, xs[i]), append(fy, ys[i])
		}
	}
	return fx, fy
}

// moments returns the mean and the variance with n−1 below. Both are taken
// from the first sample on, so that constant samples have a variance of
// exactly 0. Of one sample the variance is NaN.
func moments(xs []float64) (mean, variance float64) {
	if len(xs) == 0 {
		return nan, nan
	}
	n := float64(len(xs))
	for _, x := range xs {
		mean += (x - xs[0]) / n
	}
	mean += xs[0]
	if len(xs) == 1 {
		return mean, nan
	}
	for _, x := range xs {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / (n - 1)
}
