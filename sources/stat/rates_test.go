package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Of equal exposures the first count is binomial with one half: the values are
// sums of its probabilities.
func TestPoissonRates(t *testing.T) {
	for _, c := range []struct {
		k1, k2 int
		t1, t2 float64
		want   float64
	}{
		{0, 5, 60, 60, 0.0625},
		{5, 0, 60, 60, 0.0625},
		{3, 3, 60, 60, 1},
		{0, 10, 60, 60, 2 * math.Pow(0.5, 10)},
		{10, 10, 60, 120, 2 * (1 - binomialCDF(9, 20, 1.0/3))},
	} {
		if got := PoissonRates(c.k1, c.t1, c.k2, c.t2); math.Abs(got.P-c.want) > 1e-9 || got.Small != (c.k1+c.k2 < 10) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	for _, bad := range []Test{PoissonRates(0, 1, 0, 1), PoissonRates(-1, 1, 3, 1), PoissonRates(1, 0, 3, 1)} {
		if !math.IsNaN(bad.P) {
			t.Errorf("%+v has a probability", bad)
		}
	}
}

func TestProportions(t *testing.T) {
	// z = (0.8-0.6)/sqrt(0.7*0.3*(2/100)) = 3.0861
	if got := Proportions(80, 100, 60, 100); math.Abs(got.Statistic-3.0861) > 1e-3 || math.Abs(got.P-0.002028) > 1e-5 || got.Small {
		t.Errorf("%+v", got)
	}
	if got := Proportions(100, 100, 50, 50); got.P != 1 || !got.Small {
		t.Errorf("all successes: %+v", got)
	}
	for _, bad := range []Test{Proportions(1, 0, 1, 2), Proportions(3, 2, 1, 2), Proportions(math.NaN(), 2, 1, 2)} {
		if !math.IsNaN(bad.P) {
			t.Errorf("%+v has a probability", bad)
		}
	}
}

// Samples that follow each other are no independent ones: without a
// difference the plain test is far too sure of one, this one is not.
func TestWelchOfCoursesKnowsTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	course := func(shift float64) []float64 {
		out, v := make([]float64, 40), 0.0
		for i := range out {
			v = 0.7*v + r.NormFloat64()
			out[i] = v + shift
		}
		return out
	}
	const rounds = 2000
	plain, timed, found := 0, 0, 0
	for range rounds {
		a, b := course(0), course(0)
		if Welch(a, b).P < 0.05 {
			plain++
		}
		if WelchOfCourses(a, b).P < 0.05 {
			timed++
		}
		if WelchOfCourses(course(4), b).P < 0.05 {
			found++
		}
	}
	if plain < rounds/5 || timed > rounds/8 || found < rounds*9/10 {
		t.Errorf("of %d without a difference the plain test finds %d and this one %d; of a true one it finds %d", rounds, plain, timed, found)
	}
	if got := WelchOfCourses([]float64{1, 1, 1}, []float64{1, 1}); got.P != 1 {
		t.Errorf("equal constants: %+v", got)
	}
	if got := WelchOfCourses([]float64{1, 1, 1}, []float64{2, 2}); got.P != 0 {
		t.Errorf("unequal constants: %+v", got)
	}
	if got := WelchOfCourses([]float64{1}, []float64{2, 3}); !math.IsNaN(got.P) {
		t.Errorf("one sample: %+v", got)
	}
}
