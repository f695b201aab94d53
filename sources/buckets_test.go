package sources

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"testing"
)

// Grids that real producers use, as their exposition spells them.
var grids = map[string][]string{
	"dynamo ttft": {"0", "0.0022", "0.0047", "0.01", "0.022", "0.047", "0.1", "0.22", "0.47", "1", "2.2", "4.7",
		"10", "22", "48", "100", "220", "480", "+Inf"},
	"dynamo itl": {"0", "0.0018", "0.0033", "0.0059", "0.011", "0.02", "0.035", "0.064", "0.12", "0.21", "0.38",
		"0.69", "1.2", "2.3", "4.1", "7.4", "13", "24", "44", "80", "+Inf"},
	"dynamo itl, old": {"0", "0.0019", "0.0035", "0.0067", "0.013", "0.024", "0.045", "0.084", "0.16", "0.3", "0.56",
		"1.1", "2", "+Inf"},
	"sglang ttft": {"0.1", "0.2", "0.4", "0.6", "0.8", "1.0", "2.0", "4.0", "6.0", "8.0", "10.0", "20.0", "40.0", "60.0",
		"80.0", "100.0", "200.0", "400.0", "+Inf"},
	"router overhead ms": {"0.01", "0.03", "0.09", "0.27", "0.81", "2.43", "7.29", "21.87", "65.61", "196.83", "590.49",
		"1771.47", "5314.41", "15943.23", "47829.69", "143489.07", "430467.21", "+Inf"},
}

// Distributions in the range that the grids cover, and past both ends of it.
var draws = map[string]func(*rand.Rand) float64{
	"exponential":  func(r *rand.Rand) float64 { return r.ExpFloat64() * 0.8 },
	"log-normal":   func(r *rand.Rand) float64 { return math.Exp(r.NormFloat64()*2 - 1) },
	"uniform":      func(r *rand.Rand) float64 { return r.Float64() * 3 },
	"bimodal":      func(r *rand.Rand) float64 { return []float64{0.03, 40}[r.IntN(2)] * (0.9 + 0.2*r.Float64()) },
	"on the edges": func(r *rand.Rand) float64 { return []float64{0.01, 0.022, 0.1, 0.2, 1, 2, 2.2, 4}[r.IntN(8)] },
	"far too slow": func(r *rand.Rand) float64 { return 1e5 * (1 + 9*r.Float64()) },
	"with zeros":   func(r *rand.Rand) float64 { return float64(r.IntN(2)) * r.Float64() },
}

// observe counts samples as a classic histogram does: cumulative, per edge.
func observe(les []string, samples []float64) []Series {
	out := make([]Series, 0, len(les))
	for _, le := range les {
		edge, err := strconv.ParseFloat(le, 64)
		if err != nil {
			panic(err)
		}
		n := 0.0
		for _, v := range samples {
			if v <= edge {
				n++
			}
		}
		out = append(out, cumulative(le, n))
	}
	return out
}

func cumulative(le string, n float64) Series {
	return Series{Labels: Labels{"le": le}, Points: []Point{{T: 1, V: n}}}
}

// What a histogram says about its samples is true of the samples.
func TestBucketsAgainstSamples(t *testing.T) {
	quantiles := []float64{0, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1}
	sizes := []int{1, 2, 3, 10, 20, 64, 100, 999, 1000}
	for grid, les := range grids {
		for dist, draw := range draws {
			for seed, n := range sizes {
				t.Run(fmt.Sprintf("%s/%s/%d", grid, dist, n), func(t *testing.T) {
					r := rand.New(rand.NewPCG(7, uint64(seed)))
					samples := make([]float64, n)
					for i := range samples {
						samples[i] = draw(r)
					}
					series := observe(les, samples)
					r.Shuffle(len(series), func(i, j int) { series[i], series[j] = series[j], series[i] })
					b, ok := BucketsOf(series)
					if !ok || b.N != float64(n) {
						t.Fatalf("ok %v, N %v, want %d", ok, b.N, n)
					}
					sort.Float64s(samples)
					for _, q := range quantiles {
						checkQuantile(t, b, q, samples)
					}
					for _, limit := range append([]float64{-1, 0, 0.5, 1, 480, 1e9, math.Inf(1)}, b.Edges...) {
						checkWithin(t, b, limit, samples)
					}
					last := b.Edges[len(b.Edges)-2]
					if got, want := b.Overflow(), 1-shareAtMost(samples, last); math.Abs(got-want) > 1e-12 {
						t.Errorf("overflow %v, want %v", got, want)
					}
				})
			}
		}
	}
}

func checkQuantile(t *testing.T, b Buckets, q float64, sorted []float64) {
	t.Helper()
	n := len(sorted)
	// The tolerance is for 0.95·20 = 19.000000000000004.
	rank := max(int(math.Ceil(q*float64(n)-1e-9)), 1)
	v := sorted[rank-1]
	got, ok := b.Quantile(q)
	if !ok {
		t.Fatalf("no q%v", q)
	}
	inside := v > got.Lo && v <= got.Hi || got.First && v >= got.Lo && v <= got.Hi
	if !inside {
		t.Errorf("q%v is %v, outside (%v, %v]", q, v, got.Lo, got.Hi)
	}
	last := b.Edges[len(b.Edges)-2]
	if got.Over != (v > last) {
		t.Errorf("q%v is %v, Over is %v past %v", q, v, got.Over, last)
	}
	if got.Pinned != (v <= last && v > b.Edges[len(b.Edges)-3]) {
		t.Errorf("q%v is %v, Pinned is %v", q, v, got.Pinned)
	}
	if got.First != (v <= b.Edges[0] || b.Edges[0] == 0 && v <= b.Edges[1]) {
		t.Errorf("q%v is %v, First is %v", q, v, got.First)
	}
	if got.N != float64(n) || got.Q != q || got.Enough != (float64(n) >= LeastSamples(q)) {
		t.Errorf("q%v: %+v", q, got)
	}
}

func checkWithin(t *testing.T, b Buckets, limit float64, samples []float64) {
	t.Helper()
	want := shareAtMost(samples, limit)
	lo, hi, ok := b.Within(limit)
	if !ok || want < lo-1e-12 || want > hi+1e-12 || lo < 0 || hi > 1 {
		t.Errorf("share within %v is %v, outside [%v, %v] (ok %v)", limit, want, lo, hi, ok)
	}
	for _, e := range b.Edges {
		if e == limit && lo != hi {
			t.Errorf("limit %v is an edge, its share is the range [%v, %v]", limit, lo, hi)
		}
	}
}

func shareAtMost(samples []float64, limit float64) float64 {
	n := 0
	for _, v := range samples {
		if v <= limit {
			n++
		}
	}
	return float64(n) / float64(len(samples))
}

func TestBucketsOfOddInput(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct {
		in     []Series
		ok     bool
		edges  []float64
		counts []float64
	}{
		"nothing":           {},
		"no le":             {in: []Series{{Labels: Labels{"a": "b"}, Points: []Point{{V: 1}}}}},
		"le not a number":   {in: []Series{cumulative("x", 1), cumulative("NaN", 1)}},
		"no point":          {in: []Series{{Labels: Labels{"le": "1"}}}},
		"only NaN":          {in: []Series{cumulative("1", nan), cumulative("+Inf", nan)}},
		"one NaN":           {in: []Series{cumulative("1", 1), cumulative("2", nan), cumulative("+Inf", 3)}, ok: true, edges: []float64{1, inf}, counts: []float64{1, 2}},
		"infinite count":    {in: []Series{cumulative("1", inf), cumulative("+Inf", 3)}, ok: true, edges: []float64{inf}, counts: []float64{3}},
		"falling":           {in: []Series{cumulative("1", 5), cumulative("2", 4), cumulative("+Inf", 7)}, ok: true, edges: []float64{1, 2, inf}, counts: []float64{5, 0, 2}},
		"falling at +Inf":   {in: []Series{cumulative("1", 5), cumulative("+Inf", 4.9)}, ok: true, edges: []float64{1, inf}, counts: []float64{5, 0}},
		"negative":          {in: []Series{cumulative("1", -3), cumulative("+Inf", 2)}, ok: true, edges: []float64{1, inf}, counts: []float64{0, 2}},
		"all zero":          {in: []Series{cumulative("1", 0), cumulative("+Inf", 0)}, ok: true, edges: []float64{1, inf}, counts: []float64{0, 0}},
		"no +Inf":           {in: []Series{cumulative("1", 2)}, ok: true, edges: []float64{1, inf}, counts: []float64{2, 0}},
		"only +Inf":         {in: []Series{cumulative("+Inf", 2)}, ok: true, edges: []float64{inf}, counts: []float64{2}},
		"inf spelled Inf":   {in: []Series{cumulative("1", 2), cumulative("Inf", 3)}, ok: true, edges: []float64{1, inf}, counts: []float64{2, 1}},
		"compared as text?": {in: []Series{cumulative("+Inf", 9), cumulative("10", 7), cumulative("9", 5), cumulative("1e1", 1)}, ok: true, edges: []float64{9, 10, inf}, counts: []float64{5, 3, 1}},
		// sum by (le) over producers that spell the same edge differently
		// leaves two series: each counts other requests.
		"two spellings":  {in: []Series{cumulative("1", 4), cumulative("1.0", 2), cumulative("+Inf", 8)}, ok: true, edges: []float64{1, inf}, counts: []float64{6, 2}},
		"beyond a float": {in: []Series{cumulative("1", 1.5e308), cumulative("1.0", 1.5e308), cumulative("+Inf", 5)}, ok: true, edges: []float64{1, inf}, counts: []float64{math.MaxFloat64, 0}},
		"newest point":   {in: []Series{{Labels: Labels{"le": "+Inf"}, Points: []Point{{1, 1}, {2, 5}}}}, ok: true, edges: []float64{inf}, counts: []float64{5}},
	} {
		b, ok := BucketsOf(c.in)
		if ok != c.ok || fmt.Sprint(b.Edges, b.Counts) != fmt.Sprint(c.edges, c.counts) {
			t.Errorf("%s: got %v %v %v, want %v %v %v", name, ok, b.Edges, b.Counts, c.ok, c.edges, c.counts)
		}
	}
}

func TestEmptyBuckets(t *testing.T) {
	for _, b := range []Buckets{{}, {Edges: []float64{1, math.Inf(1)}, Counts: []float64{0, 0}}} {
		if q, ok := b.Quantile(0.5); ok {
			t.Errorf("quantile of nothing: %+v", q)
		}
		if _, _, ok := b.Within(1); ok {
			t.Error("share of nothing")
		}
		if b.Overflow() != 0 {
			t.Error("overflow of nothing")
		}
	}
	b := Buckets{Edges: []float64{1, math.Inf(1)}, Counts: []float64{1, 0}, N: 1}
	for _, q := range []float64{-0.1, 1.1, math.NaN()} {
		if _, ok := b.Quantile(q); ok {
			t.Errorf("quantile %v was answered", q)
		}
	}
	if _, _, ok := b.Within(math.NaN()); ok {
		t.Error("share within NaN was answered")
	}
}

// A grid that reaches below zero knows no lower bound of its first bucket.
func TestNegativeEdges(t *testing.T) {
	samples := []float64{-7, -3, 0.5}
	b, _ := BucketsOf(observe([]string{"-5", "0", "1", "+Inf"}, samples))
	for _, q := range []float64{0.1, 0.5, 1} {
		v := samples[int(math.Ceil(q*3))-1]
		if got, _ := b.Quantile(q); v <= got.Lo || v > got.Hi {
			t.Errorf("q%v is %v, outside (%v, %v]", q, v, got.Lo, got.Hi)
		}
	}
	if lo, hi, _ := b.Within(-6); lo > 1.0/3 || hi < 1.0/3 {
		t.Errorf("share within -6 is 1/3, outside [%v, %v]", lo, hi)
	}
}

func TestLeastSamples(t *testing.T) {
	for q, want := range map[float64]float64{0: 11, 0.5: 11, 0.75: 64, 0.9: 64, 0.95: 130, 0.99: 662, 0.999: 6636, 1: 6636} {
		if got := LeastSamples(q); got != want {
			t.Errorf("q%v: %v, want %v", q, got, want)
		}
	}
}

func FuzzBucketsOf(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x14\x40"), "1", 0.5)
	f.Add([]byte(""), "+Inf", 0.99)
	f.Fuzz(func(t *testing.T, raw []byte, le string, x float64) {
		series := []Series{cumulative(le, x)}
		for ; len(raw) >= 16; raw = raw[16:] {
			edge := math.Float64frombits(binary.LittleEndian.Uint64(raw))
			n := math.Float64frombits(binary.LittleEndian.Uint64(raw[8:]))
			series = append(series, cumulative(strconv.FormatFloat(edge, 'g', -1, 64), n))
		}
		b, ok := BucketsOf(series)
		if !ok {
			return
		}
		if len(b.Edges) == 0 || len(b.Counts) != len(b.Edges) || !math.IsInf(b.Edges[len(b.Edges)-1], 1) {
			t.Fatalf("%+v", b)
		}
		for i := range b.Edges {
			if !(b.Counts[i] >= 0) || i > 0 && !(b.Edges[i] > b.Edges[i-1]) {
				t.Fatalf("%+v", b)
			}
		}
		if q, ok := b.Quantile(math.Abs(math.Mod(x, 1))); ok && !(q.Lo <= q.Hi) {
			t.Errorf("%+v of %+v", q, b)
		}
		if lo, hi, ok := b.Within(x); ok && !(lo >= 0 && lo <= hi && hi <= 1) {
			t.Errorf("within %v: %v–%v of %+v", x, lo, hi, b)
		}
		if o := b.Overflow(); !(o >= 0 && o <= 1) {
			t.Errorf("overflow %v of %+v", o, b)
		}
	})
}
