package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"dynascope/sources"
)

// Mean returns the arithmetic mean with Student's interval
// x̄ ± t(1−α/2, n−1)·s/√n. It assumes independent samples and a mean that is
// nearly normal: heavy tails need the Bootstrap or more samples; Small is set
// below 10. Of one sample the bounds are NaN, of none everything; constant
// samples have an interval of width 0.
func Mean(xs []float64, level float64) Interval {
	xs = finite(xs)
	m, v := moments(xs)
	n := float64(len(xs))
	out := Interval{Value: m, Lo: nan, Hi: nan, Level: level, N: len(xs), Small: len(xs) < 10}
	if len(xs) > 1 {
		half := StudentQuantile((1+level)/2, n-1) * math.Sqrt(v/n)
		out.Lo, out.Hi = m-half, m+half
	}
	return out
}

// Proportion returns successes/n with the score interval of Wilson (Journal of
// the American Statistical Association 22, 1927), which stays within 0…1 and
// keeps its coverage near both: centre (k + z²/2)/(n + z²), half-width
// z/(n + z²)·√(k(n−k)/n + z²/4). With no trial, or counts that do not fit,
// everything is NaN.
func Proportion(successes, n int, level float64) Interval {
	out := Interval{Value: nan, Lo: nan, Hi: nan, Level: level, N: n, Small: n < 10}
	if n <= 0 || successes < 0 || successes > n {
		return out
	}
	k, m, z := float64(successes), float64(n), NormalQuantile((1+level)/2)
	out.Value = k / m
	centre := (k + z*z/2) / (m + z*z)
	half := z / (m + z*z) * math.Sqrt(k*(m-k)/m+z*z/4)
	out.Lo, out.Hi = max(centre-half, 0), min(centre+half, 1)
	// In exact arithmetic these are 0 and 1.
	if successes == 0 {
		out.Lo = 0
	}
	if successes == n {
		out.Hi = 1
	}
	return out
}

// Quantile returns the q-quantile of raw samples, the ⌈q·n⌉-th smallest (as
// sources.Buckets does of counts), between the order statistics whose ranks
// the binomial distribution of "samples below it" allows at the level
// (Conover, Practical Nonparametric Statistics, 3.2). No distribution is
// assumed. Where the samples do not reach far enough the bound is infinite.
// Small is the rule of sources.LeastSamples.
func Quantile(xs []float64, q, level float64) Interval {
	xs = finite(xs)
	n := len(xs)
	out := Interval{Value: nan, Lo: nan, Hi: nan, Level: level, N: n, Small: float64(n) < sources.LeastSamples(q)}
	if n == 0 || !(q >= 0 && q <= 1) {
		return out
	}
	sort.Float64s(xs)
	out.Value = xs[rank(q, n)]
	// The smallest k with P(at most k of n below the quantile) ≥ p.
	ppf := func(p float64) int {
		return sort.Search(n, func(k int) bool { return binomialCDF(k, n, q) >= p })
	}
	alpha := (1 - level) / 2
	out.Lo, out.Hi = math.Inf(-1), math.Inf(1)
	if k := ppf(alpha); k > 0 {
		out.Lo = xs[k-1]
	}
	if k := ppf(1 - alpha); k < n {
		out.Hi = xs[k]
	}
	return out
}

// rank is the index of the q-quantile among n sorted samples. The tolerance is
// for 0.95·20 = 19.000000000000004.
func rank(q float64, n int) int {
	return min(max(int(math.Ceil(q*float64(n)-1e-9))-1, 0), n-1)
}

// Bootstrap returns a statistic of the samples with the percentile interval of
// Efron (Annals of Statistics 7, 1979): the statistic over rounds resamples of
// equal size, drawn with replacement by a generator of the given seed, so that
// the same call gives the same answer. of must not keep or change its
// argument's length. Small is set below 20 samples, where the interval is too
// narrow. No samples or no rounds: NaN.
func Bootstrap(xs []float64, of func([]float64) float64, level float64, rounds int, seed uint64) Interval {
	xs = finite(xs)
	n := len(xs)
	out := Interval{Value: nan, Lo: nan, Hi: nan, Level: level, N: n, Small: n < 20}
	if n == 0 {
		return out
	}
	out.Value = of(slices.Clone(xs))
	r := rand.New(rand.NewPCG(seed, 0))
	draw, got := make([]float64, n), make([]float64, 0, max(rounds, 0))
	for range rounds {
		for i := range draw {
			draw[i] = xs[r.IntN(n)]
		}
		got = append(got, of(draw))
	}
	got = finite(got)
	if len(got) == 0 {
		return out
	}
	sort.Float64s(got)
	alpha := (1 - level) / 2
	out.Lo, out.Hi = got[rank(alpha, len(got))], got[rank(1-alpha, len(got))]
	return out
}
