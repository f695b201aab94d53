package scenario

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// segment reads one load entry, given as the inside of a flow mapping.
func segment(t *testing.T, duration, yaml string) *Segment {
	t.Helper()
	s, err := Parse("t.yaml", fmt.Appendf(nil, "duration: %s\nload: [{%s}]\n", duration, yaml))
	if err != nil {
		t.Fatal(err)
	}
	return &s.Load[0]
}

func arrivals(s *Segment, seed uint64) []time.Duration {
	var out []time.Duration
	for a := s.Arrivals(rng(seed)); ; {
		at, ok := a.Next()
		if !ok {
			return out
		}
		out = append(out, at)
	}
}

// shapes in a segment of 100 s, by the flow mapping that describes them.
var shapes = map[string]string{
	"constant": "40",
	"ramp":     "{shape: ramp, start: 5, end: 75}",
	"falling":  "{shape: ramp, start: 80, end: 0}",
	"sine":     "{shape: sine, mean: 40, amplitude: 40, period: 30s, phase: 4s}",
	"steps":    "{shape: steps, steps: [{at: 10s, value: 20}, {at: 50s, value: 0}, {at: 60s, value: 90}]}",
	"burst":    "{shape: burst, base: 10, peak: 100, period: 7s, for: 2s, phase: 6s}",
}

// TestArea compares the closed integrals with sums of At.
func TestArea(t *testing.T) {
	for name, yaml := range shapes {
		s := segment(t, "100s", "rate: "+yaml)
		const step = 10 * time.Millisecond
		sum := 0.0
		for at := time.Duration(0); at < s.To; at += step {
			if got := s.Rate.Area(at, s.To); math.Abs(got-sum) > 1e-3*sum+0.01 {
				t.Fatalf("%s: area to %v is %v, sum %v", name, at, got, sum)
			}
			sum += (s.Rate.At(at, s.To) + s.Rate.At(at+step-1, s.To)) / 2 * step.Seconds()
			if v := s.RateAt(at); v > s.Rate.Max() || v < 0 {
				t.Fatalf("%s: %v at %v, not in 0…%v", name, v, at, s.Rate.Max())
			}
		}
	}
}

// TestArrivalsFollowTheRate counts arrivals in tenths of the segment, over
// many seeds, against the area under the rate.
func TestArrivalsFollowTheRate(t *testing.T) {
	const seeds = 6
	for name, yaml := range shapes {
		for _, process := range []string{"constant", "poisson", "{process: gamma, cv: 2}", "{process: gamma, cv: 0.5}"} {
			s := segment(t, "110s", "from: 10s, rate: "+yaml+", arrival: "+process)
			var counts [10]float64
			for seed := range uint64(seeds) {
				got := arrivals(s, seed)
				if !slices.IsSorted(got) {
					t.Fatalf("%s, %s: not ascending", name, process)
				}
				for _, at := range got {
					counts[(at-s.From)/(10*time.Second)]++
				}
			}
			for i, n := range counts {
				from, to := time.Duration(i)*10*time.Second, time.Duration(i+1)*10*time.Second
				want := (s.Rate.Area(to, s.To-s.From) - s.Rate.Area(from, s.To-s.From)) * seeds
				// Five standard deviations at a cv of 2, and the start of the process.
				if tolerance := 5*2*math.Sqrt(want) + 2*seeds; math.Abs(n-want) > tolerance {
					t.Errorf("%s, %s: %v arrivals in tenth %d, want %.0f ± %.0f", name, process, n, i, want, tolerance)
				}
			}
		}
	}
}

// TestGaps checks mean and coefficient of variation of the gaps.
func TestGaps(t *testing.T) {
	for process, cv := range map[string]float64{
		"constant": 0, "poisson": 1, "{process: gamma, cv: 0.4}": 0.4, "{process: gamma, cv: 1}": 1, "{process: gamma, cv: 2.5}": 2.5,
	} {
		s := segment(t, "1000s", "rate: 50, arrival: "+process)
		got := arrivals(s, 3)
		var sum, sq float64
		last := time.Duration(0)
		for _, at := range got {
			g := (at - last).Seconds()
			sum, sq, last = sum+g, sq+g*g, at
		}
		n := float64(len(got))
		mean := sum / n
		sd := math.Sqrt(max(sq/n-mean*mean, 0))
		if math.Abs(mean-0.02) > 0.02*0.05 || math.Abs(sd/mean-cv) > 0.05*cv+1e-3 {
			t.Errorf("%s: %v gaps of mean %.5f s and cv %.3f, want 0.02 and %v", process, n, mean, sd/mean, cv)
		}
	}
}

// TestPoissonIsPoisson: in operational time the gaps of a varying Poisson
// process are exponential (Kolmogorov-Smirnov at 1 %).
func TestPoissonIsPoisson(t *testing.T) {
	s := segment(t, "2000s", "rate: {shape: sine, mean: 20, amplitude: 18, period: 60s}")
	var gaps []float64
	last := 0.0
	for _, at := range arrivals(s, 9) {
		a := s.Rate.Area(at, s.To)
		gaps, last = append(gaps, a-last), a
	}
	slices.Sort(gaps)
	n, worst := float64(len(gaps)), 0.0
	for i, g := range gaps {
		f := 1 - math.Exp(-g)
		worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	if limit := 1.63 / math.Sqrt(n); worst > limit {
		t.Errorf("distance %.4f from the exponential distribution with %v gaps, limit %.4f", worst, n, limit)
	}
}

func TestLengths(t *testing.T) {
	for yaml, want := range map[string]struct{ mean, sd float64 }{
		"777": {777, 0},
		"{dist: normal, mean: 2000, stddev: 300}":                          {2000, 300},
		"{dist: lognormal, mean: 2000, stddev: 1500}":                      {2000, 1500},
		"{dist: lognormal, mean: 500, stddev: 0}":                          {500, 0},
		"{dist: uniform, min: 10, max: 20}":                                {15, math.Sqrt(120.0 / 12)},
		"{dist: choice, values: [100, 200]}":                               {150, 50},
		"{dist: choice, values: [100, 200, 400], weights: [3, 0, 1]}":      {175, math.Sqrt(3*75*75+225*225) / 2},
		"{dist: choice, values: [100, 200, 400], weights: [0.5, 0.5, 0.]}": {150, 50},
	} {
		s := segment(t, "1m", "rate: 1, isl: "+yaml)
		r := rng(5)
		var sum, sq float64
		const n = 100_000
		for range n {
			x := float64(s.ISL.Sample(r))
			sum, sq = sum+x, sq+x*x
		}
		mean := sum / n
		sd := math.Sqrt(max(sq/n-mean*mean, 0))
		if math.Abs(mean-want.mean) > 0.01*want.mean || math.Abs(sd-want.sd) > 0.04*want.sd+1e-6 || math.Abs(s.ISL.Expected()-want.mean) > 1e-9 {
			t.Errorf("%s: mean %.1f, deviation %.1f, expected %.1f; want %v", yaml, mean, sd, s.ISL.Expected(), want)
		}
	}
	s := segment(t, "1m", "rate: 1, isl: {dist: normal, mean: 50, stddev: 100, min: 20, max: 80}")
	for r, i := rng(1), 0; i < 1000; i++ {
		if x := s.ISL.Sample(r); x < 20 || x > 80 {
			t.Fatalf("%d is not in 20…80", x)
		}
	}
}

func TestRequests(t *testing.T) {
	s, err := Parse("t.yaml", []byte(`
deployment:
  models: [a, b]
  pools: [{model: a}, {name: second, model: b}]
load:
- rate: 1
  isl: {dist: uniform, min: 100, max: 1000}
  prefix: {share: 0.6, groups: 5, tokens: 400, skew: 1, set: x}
  stream: 0.8
  cancel: {share: 0.1, after: 7}
- {rate: 1, model: b}
`))
	if err != nil {
		t.Fatal(err)
	}
	const n = 50_000
	r, q := rng(2), s.Requests(0)
	var shared, stream, cancel, a float64
	groups := make([]float64, 5)
	for range n {
		x := q.Draw(r)
		if x.Group >= 0 {
			shared++
			groups[x.Group]++
			if x.PrefixTokens != min(400, x.ISL) || x.PrefixSet != "x" {
				t.Fatalf("%+v", x)
			}
		} else if x.PrefixTokens != 0 {
			t.Fatalf("%+v", x)
		}
		if x.Stream {
			stream++
		}
		if x.CancelAfter == 7 {
			cancel++
		}
		if x.Model == "a" {
			a++
		}
	}
	harmonic := 1 + 1.0/2 + 1.0/3 + 1.0/4 + 1.0/5
	for name, c := range map[string]struct{ got, want float64 }{
		"shared": {shared / n, 0.6}, "stream": {stream / n, 0.8}, "cancel": {cancel / n, 0.1}, "model": {a / n, 0.5},
		"first group": {groups[0] / shared, 1 / harmonic}, "last group": {groups[4] / shared, 1 / harmonic / 5},
	} {
		if math.Abs(c.got-c.want) > 0.01 {
			t.Errorf("%s: %.4f, want %.4f", name, c.got, c.want)
		}
	}
	if x := s.Requests(1).Draw(r); x.Model != "b" || x.Group != -1 || x.CancelAfter != -1 || !x.Stream {
		t.Errorf("%+v", x)
	}
}

// TestSameSeedSameRun: equal generators give equal arrivals and requests, and
// another seed other ones, in every shipped scenario.
func TestSameSeedSameRun(t *testing.T) {
	run := func(name string, seed uint64) string {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for i := range s.Load {
			l := &s.Load[i]
			a, q, r := l.Arrivals(rng(seed)), s.Requests(i), rng(seed+100)
			for range 200 {
				at, ok := a.Next()
				if ok && (at < l.From || at >= l.To) {
					t.Fatalf("%s: %v is outside %v to %v", name, at, l.From, l.To)
				}
				out += fmt.Sprintln(at, ok, q.Draw(r), l.ThinkTime(r))
			}
		}
		return out
	}
	for _, name := range Names() {
		if run(name, 1) != run(name, 1) {
			t.Errorf("%s: two runs of one seed differ", name)
		}
		if run(name, 1) == run(name, 2) {
			t.Errorf("%s: two seeds give one run", name)
		}
	}
}

func TestUsers(t *testing.T) {
	s := segment(t, "60s", "kind: closed, from: 10s, to: 50s, think: 2s, concurrency: {shape: ramp, start: 0, end: 8}")
	for at, want := range map[time.Duration]int{0: 0, 10 * time.Second: 0, 30 * time.Second: 4, 50*time.Second - 1: 8, 50 * time.Second: 0} {
		if got := s.UsersAt(at); got != want {
			t.Errorf("at %v: %d users, want %d", at, got, want)
		}
	}
	if _, ok := s.Arrivals(rng(1)).Next(); ok || s.RateAt(20*time.Second) != 0 {
		t.Error("a closed loop has arrivals")
	}
	r, sum := rng(4), time.Duration(0)
	for range 10_000 {
		sum += s.ThinkTime(r)
	}
	if mean := (sum / 10_000).Seconds(); math.Abs(mean-2) > 0.1 {
		t.Errorf("think time %v s, want 2", mean)
	}
}

func BenchmarkArrivals(b *testing.B) {
	s := Segment{To: 1000 * time.Hour, Rate: &Shape{Form: "sine", Mean: 50, Amplitude: 40, Period: 24 * time.Hour}}
	a := s.Arrivals(rng(1))
	for b.Loop() {
		a.Next()
	}
}
