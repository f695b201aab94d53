package stat

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

type interval struct{ Value, Lo, Hi float64 }

// reference is testdata/reference.json: values of scipy and pymannkendall,
// computed by the script beside it.
type reference struct {
	Level     float64
	Samples   map[string][]float64
	Mean      map[string]interval
	Quantiles map[string]map[string][3]*float64
	Line      map[string]struct {
		Slope               interval
		Intercept, R2, T, P float64
	}
	TheilSen    map[string]interval               `json:"theil_sen"`
	MannKendall map[string]struct{ Z, P float64 } `json:"mann_kendall"`
	Difference  []struct {
		A, B        string
		T, DF, P, U float64
		UP          float64 `json:"u_p"`
		Mean        interval
	}
	Proportion []struct {
		K, N int
		interval
	}
	Beta            [][4]float64
	StudentCDF      [][3]float64 `json:"student_cdf"`
	StudentQuantile [][3]float64 `json:"student_quantile"`
}

func load(t *testing.T) (r reference) {
	t.Helper()
	raw, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// near compares to a relative 1e-9, to an absolute one below 1.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got == want || math.Abs(got-want) <= 1e-9*max(1, math.Abs(want)) {
		return
	}
	t.Errorf("%s: got %.15g, want %.15g", what, got, want)
}

func nearInterval(t *testing.T, what string, got Interval, want interval) {
	t.Helper()
	near(t, what+" value", got.Value, want.Value)
	near(t, what+" lo", got.Lo, want.Lo)
	near(t, what+" hi", got.Hi, want.Hi)
}

func TestDistributions(t *testing.T) {
	r := load(t)
	for _, c := range r.Beta {
		got := RegIncBeta(c[0], c[1], c[2])
		if math.Abs(got-c[3]) > 1e-9 || c[3] > 1e-200 && math.Abs(got/c[3]-1) > 1e-7 {
			t.Errorf("I_%v(%v, %v) = %.15g, want %.15g", c[0], c[1], c[2], got, c[3])
		}
	}
	for _, c := range r.StudentCDF {
		near(t, "t cdf", StudentCDF(c[0], c[1]), c[2])
		if c[0] < 0 { // tails keep their digits
			if got := StudentCDF(c[0], c[1]); c[2] > 1e-200 && math.Abs(got/c[2]-1) > 1e-7 {
				t.Errorf("t cdf(%v, %v) = %.15g, want %.15g", c[0], c[1], got, c[2])
			}
		}
	}
	for _, c := range r.StudentQuantile {
		near(t, "t quantile", StudentQuantile(c[0], c[1]), c[2])
	}
	near(t, "z", NormalQuantile(0.975), 1.959963984540054) // tables
	near(t, "t, df infinite", StudentCDF(1.959963984540054, math.Inf(1)), 0.975)
	for _, v := range []float64{
		RegIncBeta(-0.1, 1, 1), RegIncBeta(1.1, 1, 1), RegIncBeta(0.5, 0, 1), RegIncBeta(nan, 1, 1),
		StudentCDF(nan, 1), StudentCDF(1, 0), StudentQuantile(2, 1), StudentQuantile(0.5, -1),
	} {
		if !math.IsNaN(v) {
			t.Errorf("outside the domain: got %v", v)
		}
	}
	if got := StudentQuantile(1, 3); !math.IsInf(got, 1) {
		t.Errorf("t quantile of 1: %v", got)
	}
}

func TestAgainstReference(t *testing.T) {
	r := load(t)
	for name, want := range r.Mean {
		nearInterval(t, "mean of "+name, Mean(r.Samples[name], r.Level), want)
	}
	for name, byQ := range r.Quantiles {
		for q, want := range byQ {
			f, err := strconv.ParseFloat(q, 64)
			if err != nil {
				t.Fatal(err)
			}
			got := Quantile(r.Samples[name], f, r.Level)
			lo, hi := math.Inf(-1), math.Inf(1)
			if want[1] != nil {
				lo = *want[1]
			}
			if want[2] != nil {
				hi = *want[2]
			}
			nearInterval(t, "q"+q+" of "+name, got, interval{*want[0], lo, hi})
		}
	}
	for name, want := range r.Line {
		ys := r.Samples[name]
		xs := halves(len(ys))
		got := FitLine(xs, ys, r.Level)
		nearInterval(t, "line of "+name, got.Slope, want.Slope)
		near(t, "intercept of "+name, got.Intercept, want.Intercept)
		near(t, "r2 of "+name, got.R2, want.R2)
		near(t, "t of "+name, got.Test.Statistic, want.T)
		near(t, "p of "+name, got.Test.P, want.P)
		nearInterval(t, "theil-sen of "+name, TheilSen(xs, ys, r.Level), r.TheilSen[name])
		mk := MannKendall(ys)
		near(t, "mann-kendall z of "+name, mk.Statistic, r.MannKendall[name].Z)
		near(t, "mann-kendall p of "+name, mk.P, r.MannKendall[name].P)
	}
	for _, c := range r.Difference {
		a, b := r.Samples[c.A], r.Samples[c.B]
		name := c.A + " and " + c.B
		w := Welch(a, b)
		near(t, "t of "+name, w.Statistic, c.T)
		near(t, "df of "+name, w.DF, c.DF)
		near(t, "p of "+name, w.P, c.P)
		nearInterval(t, "difference of "+name, MeanDifference(a, b, r.Level), c.Mean)
		u := MannWhitney(a, b)
		near(t, "u of "+name, u.Statistic, c.U)
		near(t, "u's p of "+name, u.P, c.UP)
		if back := MannWhitney(b, a); back.P != u.P || back.Statistic+u.Statistic != float64(len(a)*len(b)) {
			t.Errorf("%s turned round: %+v and %+v", name, u, back)
		}
	}
	for _, c := range r.Proportion {
		nearInterval(t, "proportion", Proportion(c.K, c.N, r.Level), c.interval)
	}
}

func halves(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i) * 0.5
	}
	return out
}

// What no sample can say is NaN; what constant samples say is written in the
// functions' documentation.
func TestOddSamples(t *testing.T) {
	inf := math.Inf(1)
	constant := []float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}
	other := []float64{0.3, 0.3, 0.3, 0.3}
	empty := [][]float64{nil, {}, {nan}, {inf, nan, -inf}}
	for _, e := range empty {
		for what, i := range map[string]Interval{
			"mean": Mean(e, 0.95), "quantile": Quantile(e, 0.5, 0.95), "theil-sen": TheilSen(e, e, 0.95),
			"line": FitLine(e, e, 0.95).Slope, "difference": MeanDifference(e, constant, 0.95),
			"bootstrap": Bootstrap(e, mean, 0.95, 100, 1), "proportion": Proportion(0, len(e)*0, 0.95),
		} {
			if !math.IsNaN(i.Value) || !math.IsNaN(i.Lo) || !math.IsNaN(i.Hi) || !i.Small || i.Above(-1e300) || i.Below(1e300) {
				t.Errorf("%s of %v: %+v", what, e, i)
			}
		}
		for what, c := range map[string]Test{
			"welch": Welch(e, constant), "mann-whitney": MannWhitney(constant, e),
			"mann-kendall": MannKendall(e), "line": FitLine(e, e, 0.95).Test,
		} {
			if !math.IsNaN(c.P) || !c.Small {
				t.Errorf("%s of %v: %+v", what, e, c)
			}
		}
	}
	if got := Mean([]float64{nan, 2, inf, 4}, 0.95); got.Value != 3 || got.N != 2 {
		t.Errorf("odd samples are not left out: %+v", got)
	}
	if got := TheilSen([]float64{0, 1, 2, 3}, []float64{0, nan, 4, 6}, 0.95); got.Value != 2 || got.N != 3 {
		t.Errorf("odd pairs are not left out: %+v", got)
	}
	if got := Mean([]float64{5}, 0.95); got.Value != 5 || !math.IsNaN(got.Lo) {
		t.Errorf("mean of one: %+v", got)
	}
	for what, i := range map[string]Interval{
		"mean": Mean(constant, 0.95), "bootstrap": Bootstrap(constant, median, 0.95, 50, 1),
	} {
		if i.Value != 0.1 || i.Lo != 0.1 || i.Hi != 0.1 {
			t.Errorf("%s of constant samples: %+v", what, i)
		}
	}
	for what, c := range map[string]struct {
		got  Test
		z, p float64
	}{
		"mann-kendall":           {MannKendall(constant), 0, 1},
		"welch, equal":           {Welch(constant, constant), 0, 1},
		"welch, apart":           {Welch(constant, other), -inf, 0},
		"mann-whitney, equal":    {MannWhitney(constant, constant), 24.5, 1},
		"line":                   {FitLine(halves(7), constant, 0.95).Test, 0, 1},
		"mann-kendall of two":    {MannKendall([]float64{1, 2}), nan, nan},
		"line through two":       {FitLine([]float64{0, 1}, []float64{0, 2}, 0.95).Test, nan, nan},
		"line at one x":          {FitLine([]float64{1, 1, 1}, []float64{0, 2, 3}, 0.95).Test, nan, nan},
		"exact line":             {FitLine([]float64{0, 1, 2}, []float64{0, 2, 4}, 0.95).Test, inf, 0},
		"mann-whitney, one each": {MannWhitney([]float64{1}, []float64{1}), 0.5, 1},
	} {
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if !same(c.got.Statistic, c.z) || !same(c.got.P, c.p) {
			t.Errorf("%s: %+v, want %v, %v", what, c.got, c.z, c.p)
		}
	}
	if got := FitLine([]float64{0, 1}, []float64{0, 2}, 0.95); got.Slope.Value != 2 || got.Intercept != 0 {
		t.Errorf("line through two points: %+v", got)
	}
	for _, k := range [][2]int{{-1, 3}, {4, 3}, {0, -1}} {
		if got := Proportion(k[0], k[1], 0.95); !math.IsNaN(got.Value) {
			t.Errorf("proportion of %v: %+v", k, got)
		}
	}
}

func mean(xs []float64) float64 { m, _ := moments(xs); return m }

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[(len(xs)-1)/2]
}

func TestBootstrap(t *testing.T) {
	r := load(t)
	xs := r.Samples["normal 40"]
	keep := slices.Clone(xs)
	a := Bootstrap(xs, median, 0.95, 500, 7)
	if b := Bootstrap(xs, median, 0.95, 500, 7); a != b {
		t.Errorf("one seed, two answers: %+v and %+v", a, b)
	}
	if !slices.Equal(xs, keep) {
		t.Error("the samples were changed")
	}
	// For the mean of near-normal samples it agrees with Student's interval.
	got, want := Bootstrap(xs, mean, 0.95, 4000, 1), Mean(xs, 0.95)
	width := want.Hi - want.Lo
	if got.Value != want.Value || math.Abs(got.Lo-want.Lo) > 0.1*width || math.Abs(got.Hi-want.Hi) > 0.1*width {
		t.Errorf("got %+v, Student has %+v", got, want)
	}
	if got := Bootstrap(xs, mean, 0.95, 0, 1); !math.IsNaN(got.Lo) || math.IsNaN(got.Value) {
		t.Errorf("no rounds: %+v", got)
	}
	if Bootstrap(xs[:19], mean, 0.95, 10, 1).Small != true || Bootstrap(xs[:20], mean, 0.95, 10, 1).Small {
		t.Error("small is below 20")
	}
}

// Intervals at 95 % hold the truth in about 95 % of 2 000 draws (fixed seed).
func TestCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const rounds = 2000
	hits := map[string]int{}
	for range rounds {
		xs := make([]float64, 15)
		for i := range xs {
			xs[i] = r.NormFloat64()
		}
		for name, in := range map[string]bool{
			"mean":      covers(Mean(xs, 0.95), 0),
			"median":    covers(Quantile(xs, 0.5, 0.95), 0),
			"theil-sen": covers(TheilSen(halves(15), xs, 0.95), 0),
			"line":      covers(FitLine(halves(15), xs, 0.95).Slope, 0),
		} {
			if in {
				hits[name]++
			}
		}
	}
	for name, n := range hits {
		if share := float64(n) / rounds; share < 0.935 || share > 0.985 {
			t.Errorf("%s: covered in %v", name, share)
		}
	}
}

func covers(i Interval, v float64) bool { return !i.Above(v) && !i.Below(v) }

func TestEffectiveSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	independent, slow := make([]float64, 2000), make([]float64, 2000)
	for i := range independent {
		independent[i] = r.NormFloat64()
		if i > 0 {
			slow[i] = 0.8 * slow[i-1]
		}
		slow[i] += r.NormFloat64()
	}
	// With r = 0.8 a ninth of the samples count.
	if got := EffectiveSamples(slow); got < 180 || got > 270 {
		t.Errorf("correlated: %v", got)
	}
	if got := EffectiveSamples(independent); got < 1700 || got > 2000 {
		t.Errorf("independent: %v", got)
	}
	for want, xs := range map[float64][]float64{0: {nan}, 2: {1, 5}, 4: {3, 3, 3, 3}} {
		if got := EffectiveSamples(xs); got != want {
			t.Errorf("of %v: %v, want %v", xs, got, want)
		}
	}
}

func TestThin(t *testing.T) {
	for n, want := range map[int]int{0: 0, 2000: 2000, 2001: 1001, 10_000: 2000} {
		if got := len(thin(make([]float64, n))); got != want {
			t.Errorf("%d became %d, want %d", n, got, want)
		}
	}
}
