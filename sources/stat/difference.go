package stat

import (
	"math"
	"sort"
)

// Welch tests whether two means differ without assuming equal variances:
// t = (ā − b̄)/√(s²a/na + s²b/nb) with the degrees of freedom of Welch and
// Satterthwaite (Biometrika 34, 1947). It needs two samples on each side, else
// P is NaN; Small is set below 10 on a side. Two constant sides give P = 1 when
// equal, and t = ±Inf, P = 0 when not: then the resolution of the numbers
// decides, not chance.
func Welch(a, b []float64) Test {
	w := welch(finite(a), finite(b))
	out := Test{Statistic: nan, DF: w.df, P: nan, N: w.n, Small: w.small}
	switch {
	case math.IsNaN(w.err):
	case w.err == 0 && w.diff == 0:
		out.Statistic, out.P = 0, 1
	default:
		out.Statistic = w.diff / w.err
		out.P = studentTwoSided(out.Statistic, w.df)
		if w.err == 0 {
			out.P = 0
		}
	}
	return out
}

// MeanDifference returns the mean of a less that of b with Welch's interval,
// (ā − b̄) ± t(1−α/2, df)·√(s²a/na + s²b/nb). The cases are those of Welch.
func MeanDifference(a, b []float64, level float64) Interval {
	w := welch(finite(a), finite(b))
	out := Interval{Value: w.diff, Lo: nan, Hi: nan, Level: level, N: w.n, Small: w.small}
	half := 0.0
	if w.err != 0 {
		half = StudentQuantile((1+level)/2, w.df) * w.err
	}
	out.Lo, out.Hi = w.diff-half, w.diff+half
	return out
}

type welchParts struct {
	diff, err, df float64
	n             int
	small         bool
}

func welch(a, b []float64) welchParts {
	ma, va := moments(a)
	mb, vb := moments(b)
	na, nb := float64(len(a)), float64(len(b))
	ea, eb := va/na, vb/nb
	return welchParts{
		diff:  ma - mb,
		err:   math.Sqrt(ea + eb),
		df:    (ea + eb) * (ea + eb) / (ea*ea/(na-1) + eb*eb/(nb-1)),
		n:     len(a) + len(b),
		small: min(len(a), len(b)) < 10,
	}
}

// MannWhitney tests whether the values of a tend to be larger or smaller than
// those of b, by ranks (Mann and Whitney, Annals of Mathematical Statistics
// 18, 1947). Statistic is U of a: the pairs in which a is larger, ties a half.
// P is the normal approximation with continuity correction and the variance
// for ties, nanb/12·((n+1) − Σ(t³−t)/(n(n−1))); Small is set below 8 on a
// side, where it is rough. An empty side gives NaN; all values equal, P = 1.
func MannWhitney(a, b []float64) Test {
	a, b = finite(a), finite(b)
	na, nb := float64(len(a)), float64(len(b))
	out := Test{Statistic: nan, DF: nan, P: nan, N: len(a) + len(b), Small: min(len(a), len(b)) < 8}
	if len(a) == 0 || len(b) == 0 {
		return out
	}
	type value struct {
		v     float64
		fromA bool
	}
	all := make([]value, 0, len(a)+len(b))
	for _, v := range a {
		all = append(all, value{v, true})
	}
	for _, v := range b {
		all = append(all, value{v, false})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].v < all[j].v })
	ranks, ties := 0.0, 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		t, mean := float64(j-i), float64(i+j+1)/2
		ties += t*t*t - t
		for ; i < j; i++ {
			if all[i].fromA {
				ranks += mean
			}
		}
	}
	out.Statistic = ranks - na*(na+1)/2
	n := na + nb
	variance := na * nb / 12 * (n + 1 - ties/max(n*(n-1), 1))
	off := math.Abs(out.Statistic-na*nb/2) - 0.5
	switch {
	case variance <= 0 || off <= 0:
		out.P = 1
	default:
		out.P = normalTwoSided(off / math.Sqrt(variance))
	}
	return out
}
