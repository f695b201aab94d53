package stat

import (
	"math"
	"sort"
)

// MannKendall tests for a monotonic trend in samples ordered by time (Mann,
// Econometrica 13, 1945; Kendall, Rank Correlation Methods): S counts the
// pairs that rise less those that fall, and Statistic is
// z = (S ∓ 1)/√Var S with Var S = (n(n−1)(2n+5) − Σt(t−1)(2t+5))/18 over
// groups of t ties. Its sign is the trend's direction.
//
// It takes the samples as independent. A gauge scraped every second is not:
// with a lag-1 correlation r the true variance is about (1+r)/(1−r) times as
// large and P far too small. Take points further apart than the correlation
// lasts, or compare N with EffectiveSamples. Small is set below 10 samples.
// Fewer than 3 samples give NaN; constant samples z = 0, P = 1.
func MannKendall(ys []float64) Test {
	ys = thin(finite(ys))
	n := len(ys)
	out := Test{Statistic: nan, DF: nan, P: nan, N: n, Small: n < 10}
	if n < 3 {
		return out
	}
	s := 0
	for i := range ys {
		for _, later := range ys[i+1:] {
			switch {
			case later > ys[i]:
				s++
			case later < ys[i]:
				s--
			}
		}
	}
	m := float64(n)
	variance := m * (m - 1) * (2*m + 5)
	for _, t := range ties(ys) {
		variance -= t * (t - 1) * (2*t + 5)
	}
	variance /= 18
	switch {
	case s == 0:
		out.Statistic = 0
	case s > 0:
		out.Statistic = float64(s-1) / math.Sqrt(variance)
	default:
		out.Statistic = float64(s+1) / math.Sqrt(variance)
	}
	out.P = normalTwoSided(out.Statistic)
	return out
}

// ties returns the sizes of the groups of equal values.
func ties(xs []float64) []float64 {
	sorted := append([]float64(nil), xs...)
	sort.Float64s(sorted)
	var out []float64
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		if j-i > 1 {
			out = append(out, float64(j-i))
		}
		i = j
	}
	return out
}

// mostPairs bounds the work of what looks at every pair of samples.
const mostPairs = 2000

// thin keeps every k-th sample so that at most mostPairs are left.
func thin(xs []float64) []float64 {
	k := (len(xs) + mostPairs - 1) / mostPairs
	if k <= 1 {
		return xs
	}
	out := make([]float64, 0, mostPairs)
	for i := 0; i < len(xs); i += k {
		out = append(out, xs[i])
	}
	return out
}

// EffectiveSamples is how many independent samples carry as much about the
// mean as these, ordered by time and evenly spaced, do: n(1−r)/(1+r) with r
// the correlation of neighbours (Bayley and Hammersley, Supplement to the
// Journal of the Royal Statistical Society 8, 1946), not above n. Constant
// samples and fewer than 3 give n.
func EffectiveSamples(ys []float64) float64 {
	ys = finite(ys)
	n := float64(len(ys))
	m, v := moments(ys)
	if len(ys) < 3 || v == 0 {
		return n
	}
	r := 0.0
	for i := 1; i < len(ys); i++ {
		r += (ys[i] - m) * (ys[i-1] - m)
	}
	r = max(r/(v*(n-1)), 0)
	return max(n*(1-r)/(1+r), 1)
}

// TheilSen returns the median of the slopes of all pairs of points (x, y), in
// units of y per unit of x, with the interval of Sen (Journal of the American
// Statistical Association 63, 1968) from the variance of Kendall's S. A few
// wild points do not move it. Points of equal x make no pair. It takes the
// points as independent, as MannKendall does, and thins beyond 2 000 points.
// Small is set below 10 points; without a pair everything is NaN.
func TheilSen(xs, ys []float64, level float64) Interval {
	xs, ys = finitePairs(xs, ys)
	xs, ys = thin(xs), thin(ys)
	n := len(xs)
	out := Interval{Value: nan, Lo: nan, Hi: nan, Level: level, N: n, Small: n < 10}
	slopes := make([]float64, 0, n*(n-1)/2)
	for i := range xs {
		for j := i + 1; j < n; j++ {
			if dx := xs[j] - xs[i]; dx != 0 {
				slopes = append(slopes, (ys[j]-ys[i])/dx)
			}
		}
	}
	if len(slopes) == 0 {
		return out
	}
	sort.Float64s(slopes)
	k := len(slopes)
	out.Value = (slopes[(k-1)/2] + slopes[k/2]) / 2
	m := float64(n)
	variance := m * (m - 1) * (2*m + 5)
	for _, of := range [][]float64{xs, ys} {
		for _, t := range ties(of) {
			variance -= t * (t - 1) * (2*t + 5)
		}
	}
	z := NormalQuantile((1 + level) / 2)
	half := z * math.Sqrt(max(variance, 0)/18)
	lo := int(math.RoundToEven((float64(k) - half) / 2))
	hi := int(math.RoundToEven((float64(k) + half) / 2))
	out.Lo, out.Hi = slopes[min(max(lo-1, 0), k-1)], slopes[min(max(hi, 0), k-1)]
	return out
}

// Line is the straight line of least squares through points.
type Line struct {
	// Slope is in units of y per unit of x, with Student's interval
	// b ± t(1−α/2, n−2)·s_b.
	Slope     Interval
	Intercept float64 // y at x = 0
	R2        float64 // share of the variance of y on the line
	Test      Test    // t = b/s_b with n−2 degrees of freedom
}

// FitLine fits ordinary least squares (any textbook; Draper and Smith, Applied
// Regression Analysis, 1.4): b = Σ(x−x̄)(y−ȳ)/Σ(x−x̄)². It takes the errors as
// independent, equal and normal; for latencies TheilSen is the safer one.
// Small is set below 10 points. Fewer than 3 points, or one x only, give NaN
// (two points still a slope); constant y gives slope 0, P = 1; points exactly
// on a rising or falling line P = 0.
func FitLine(xs, ys []float64, level float64) Line {
	xs, ys = finitePairs(xs, ys)
	n := len(xs)
	out := Line{
		Slope:     Interval{Value: nan, Lo: nan, Hi: nan, Level: level, N: n, Small: n < 10},
		Intercept: nan, R2: nan,
		Test: Test{Statistic: nan, DF: nan, P: nan, N: n, Small: n < 10},
	}
	mx, vx := moments(xs)
	my, vy := moments(ys)
	if n < 2 || vx == 0 {
		return out
	}
	sxy := 0.0
	for i := range xs {
		sxy += (xs[i] - mx) * (ys[i] - my)
	}
	df := float64(n - 2)
	sxx, syy := vx*float64(n-1), vy*float64(n-1)
	b := sxy / sxx
	out.Slope.Value, out.Intercept = b, my-b*mx
	if syy > 0 {
		out.R2 = min(sxy*sxy/(sxx*syy), 1)
	}
	if n < 3 {
		return out
	}
	rest := 0.0
	for i := range xs {
		e := ys[i] - my - b*(xs[i]-mx)
		rest += e * e
	}
	se := math.Sqrt(rest / df / sxx)
	out.Test.DF = df
	if se == 0 {
		out.Slope.Lo, out.Slope.Hi = b, b
		out.Test.Statistic, out.Test.P = 0, 1
		if b != 0 {
			out.Test.Statistic, out.Test.P = math.Inf(int(math.Copysign(1, b))), 0
		}
		return out
	}
	half := StudentQuantile((1+level)/2, df) * se
	out.Slope.Lo, out.Slope.Hi = b-half, b+half
	out.Test.Statistic = b / se
	out.Test.P = studentTwoSided(out.Test.Statistic, df)
	return out
}
