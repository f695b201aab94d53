package stat

import "math"

// RegIncBeta is the regularised incomplete beta function I_x(a, b) for
// 0 ≤ x ≤ 1 and a, b > 0; NaN elsewhere. By the continued fraction of Abramowitz
// and Stegun, Handbook of Mathematical Functions, 26.5.8, evaluated with
// Lentz's method; I_x(a,b) = 1 − I_{1−x}(b,a) where that converges faster.
func RegIncBeta(x, a, b float64) float64 {
	switch {
	case !(x >= 0 && x <= 1 && a > 0 && b > 0):
		return nan
	case x == 0 || x == 1:
		return x
	case x > (a+1)/(a+b+2):
		return 1 - betaFraction(1-x, b, a)
	default:
		return betaFraction(x, a, b)
	}
}

func betaFraction(x, a, b float64) float64 {
	const tiny, limit = 1e-300, 100_000
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a

	guard := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/guard(1-(a+b)*x/(a+1))
	f := d
	for i := 1; i < limit; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / guard(1+even*d)
		c = guard(1 + even/c)
		f *= d * c
		uneven := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / guard(1+uneven*d)
		c = guard(1 + uneven/c)
		f *= d * c
		if math.Abs(d*c-1) < 1e-15 {
			break
		}
	}
	return front * f
}

// StudentCDF is the probability that Student's t with df degrees of freedom is
// at most t: 1 − I_{df/(df+t²)}(df/2, 1/2)/2 for t ≥ 0 (Abramowitz and Stegun
// 26.7.1). df need not be whole.
func StudentCDF(t, df float64) float64 {
	p := studentTwoSided(t, df) / 2
	if t > 0 {
		return 1 - p
	}
	return p
}

// studentTwoSided is the probability that |t| is at least the given one.
func studentTwoSided(t, df float64) float64 {
	switch {
	case math.IsNaN(t) || !(df > 0):
		return nan
	case math.IsInf(t, 0):
		return 0
	case math.IsInf(df, 1):
		return normalTwoSided(t)
	}
	// Near the middle 1−x has lost its digits when df is large; in the tails
	// the difference from 1 would.
	if t2 := t * t; t2 < 3 {
		return 1 - RegIncBeta(t2/(df+t2), 0.5, df/2)
	}
	return RegIncBeta(df/(df+t*t), df/2, 0.5)
}

// StudentQuantile is the t that StudentCDF turns into p, found by bisection;
// ±Inf for p of 0 and 1, NaN outside 0…1.
func StudentQuantile(p, df float64) float64 {
	switch {
	case !(p >= 0 && p <= 1) || !(df > 0):
		return nan
	case p == 0.5:
		return 0
	case p < 0.5:
		return -StudentQuantile(1-p, df)
	case p == 1:
		return math.Inf(1)
	}
	tail := 2 * (1 - p)
	hi := 1.0
	for studentTwoSided(hi, df) > tail {
		hi *= 2
	}
	lo := 0.0
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid == lo || mid == hi {
			break
		}
		if studentTwoSided(mid, df) > tail {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// normalTwoSided is the probability that |z| is at least the given one.
func normalTwoSided(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

// NormalQuantile is the z below which a standard normal lies with
// probability p.
func NormalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// binomialCDF is the probability of at most k successes in n:
// I_{1−p}(n−k, k+1) (Abramowitz and Stegun 26.5.24).
func binomialCDF(k, n int, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return RegIncBeta(1-p, float64(n-k), float64(k+1))
}
