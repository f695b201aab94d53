package stat

import "math"

// PoissonRates tests whether two counts of rare events, over two exposures
// (seconds, say), come from one rate: given their sum, the first is binomial
// with the exposure's share (Przyborowski and Wilenski, Biometrika 31, 1940).
// P is twice the smaller tail, at most 1. It takes the events as independent of
// each other; bursts make it too sure. No event, or an exposure that is not
// positive: P is NaN. Small is set below 10 events.
func PoissonRates(k1 int, t1 float64, k2 int, t2 float64) Test {
	n := k1 + k2
	out := Test{Statistic: nan, DF: nan, P: nan, N: n, Small: n < 10}
	if k1 < 0 || k2 < 0 || n == 0 || !(t1 > 0) || !(t2 > 0) {
		return out
	}
	share := t1 / (t1 + t2)
	out.Statistic = (float64(k1) - float64(n)*share) / math.Sqrt(float64(n)*share*(1-share))
	below := binomialCDF(k1, n, share)
	above := 1.0
	if k1 > 0 {
		above = 1 - binomialCDF(k1-1, n, share)
	}
	out.P = min(2*min(below, above), 1)
	return out
}

// Proportions tests whether two proportions differ, by the normal score with
// the pooled variance. Sides without a trial, or counts that do not fit, give
// NaN; Small is set where fewer than 5 successes or failures are expected.
func Proportions(k1, n1, k2, n2 float64) Test {
	out := Test{Statistic: nan, DF: nan, P: nan, N: int(n1 + n2)}
	if !(n1 > 0) || !(n2 > 0) || k1 < 0 || k2 < 0 || k1 > n1 || k2 > n2 {
		return out
	}
	p := (k1 + k2) / (n1 + n2)
	out.Small = min(p, 1-p)*min(n1, n2) < 5
	if p == 0 || p == 1 {
		out.Statistic, out.P = 0, 1
		return out
	}
	out.Statistic = (k1/n1 - k2/n2) / math.Sqrt(p*(1-p)*(1/n1+1/n2))
	out.P = normalTwoSided(out.Statistic)
	return out
}

// WelchOfCourses is Welch for samples that follow each other in time: each
// side counts as its EffectiveSamples, so that a queue that takes long to fill
// and to drain is not taken for many independent observations.
func WelchOfCourses(a, b []float64) Test {
	a, b = finite(a), finite(b)
	ma, va := moments(a)
	mb, vb := moments(b)
	na, nb := EffectiveSamples(a), EffectiveSamples(b)
	out := Test{Statistic: nan, DF: nan, P: nan, N: len(a) + len(b), Small: min(na, nb) < 5}
	if len(a) < 2 || len(b) < 2 {
		return out
	}
	ea, eb := va/na, vb/nb
	switch {
	case ea+eb == 0 && ma == mb:
		out.Statistic, out.P = 0, 1
		return out
	case ea+eb == 0:
		out.Statistic, out.P = math.Copysign(math.Inf(1), ma-mb), 0
		return out
	}
	out.Statistic = (ma - mb) / math.Sqrt(ea+eb)
	out.DF = max((ea+eb)*(ea+eb)/(ea*ea/max(na-1, 0.5)+eb*eb/max(nb-1, 0.5)), 1)
	out.P = studentTwoSided(out.Statistic, out.DF)
	return out
}
