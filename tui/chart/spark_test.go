package chart

import (
	"math"
	"reflect"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/themes"
)

func TestSpark(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []float64
		w    int
		o    SparkOpts
		want string
	}{
		{"newest at the right", []float64{0, 1, 2, 3, 4, 5, 6, 7}, 10, SparkOpts{}, "  ▁▂▃▄▅▆▇█"},
		{"nothing", nil, 3, SparkOpts{}, "   "},
		{"size 0", []float64{1, 2}, 0, SparkOpts{}, ""},
		{"negative size", []float64{1, 2}, -4, SparkOpts{}, ""},
		{"NaN is a gap", []float64{0, nan, 7}, 3, SparkOpts{}, "▁·█"},
		{"infinity is a gap", []float64{inf, 0, 7, math.Inf(-1)}, 4, SparkOpts{}, "·▁█·"},
		{"only NaN", []float64{nan, nan}, 3, SparkOpts{}, " ··"},
		{"all below 1 are no flat line", []float64{0.001, 0.002, 0.003}, 3, SparkOpts{}, "▁▅█"},
		{"an old peak does not press the rest down", []float64{900, 1, 2, 3}, 3, SparkOpts{}, "▁▅█"},
		{"from zero", []float64{80, 90, 100}, 3, SparkOpts{Zero: true}, "▇▇█"},
		{"equal", []float64{5, 5, 5}, 3, SparkOpts{}, "▅▅▅"},
		{"equal from zero", []float64{5, 5, 5}, 3, SparkOpts{Zero: true}, "███"},
		{"zeros", []float64{0, 0, 0}, 3, SparkOpts{}, "▁▁▁"},
		{"fixed scale clamps", []float64{-1, 0, 50, 200}, 4, SparkOpts{Lo: 0, Hi: 100}, "▁▁▅█"},
		{"negative values keep their order", []float64{-3, -2, -1}, 3, SparkOpts{}, "▁▅█"},
		{"ASCII", []float64{0, nan, 7}, 3, SparkOpts{Glyphs: themes.ASCII()}, "_.#"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Spark(c.in, c.w, c.o); got != c.want {
				t.Errorf("Spark = %q, want %q", got, c.want)
			}
		})
	}
}

func TestColumns(t *testing.T) {
	at := func(sec int) time.Time { return noon.Add(time.Duration(sec) * time.Second) }
	s := func(secs ...int) (out sources.Series) {
		for _, x := range secs {
			out.Points = append(out.Points, sources.Point{T: at(x).UnixMilli(), V: float64(x)})
		}
		return out
	}
	for _, c := range []struct {
		name     string
		in       sources.Series
		from, to int
		step     time.Duration
		n        int
		want     []float64
	}{
		{"one point a column", s(1, 2, 3), 0, 3, time.Second, 3, []float64{1, 2, 3}},
		{"the newest of a column", s(1, 2, 3, 4), 0, 4, time.Second, 2, []float64{2, 4}},
		{"a missing sample is a gap", s(1, 3, 4), 0, 4, time.Second, 4, []float64{1, nan, 3, 4}},
		{"columns finer than the step are no gaps", s(2, 4), 0, 4, 2 * time.Second, 4, []float64{2, 2, 4, 4}},
		{"a gap stays open on fine columns", s(2, 6), 0, 6, 2 * time.Second, 6, []float64{2, 2, nan, nan, 6, 6}},
		{"before the first sample", s(4), 0, 4, time.Second, 4, []float64{nan, nan, nan, 4}},
		{"outside the window", s(-5, 1, 9), 0, 2, time.Second, 2, []float64{1, nan}},
		{"step from the points", s(2, 4, 8), 0, 8, 0, 4, []float64{2, 4, nan, 8}},
		{"no window", s(1), 4, 4, 0, 4, nil},
		{"no columns", s(1), 0, 4, 0, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Columns(c.in, at(c.from), at(c.to), c.step, c.n)
			if len(got) != len(c.want) {
				t.Fatalf("Columns = %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] && !(math.IsNaN(got[i]) && math.IsNaN(c.want[i])) {
					t.Fatalf("Columns = %v, want %v", got, c.want)
				}
			}
		})
	}
}

// Quiet on the wire: with 5-second columns the picture may move every five
// seconds, not every second.
func TestColumnsMoveOnlyWhenOneHasPassed(t *testing.T) {
	var s sources.Series
	for i := range 600 {
		s.Points = append(s.Points, sources.Point{T: noon.Add(time.Duration(i-300) * time.Second).UnixMilli(), V: float64(i % 37)})
	}
	moved := 0
	var prev []float64
	for i := range 60 {
		to := noon.Add(time.Duration(i) * time.Second)
		// Only what was known at that moment.
		known := sources.Series{}
		for _, p := range s.Points {
			if p.T <= to.UnixMilli() {
				known.Points = append(known.Points, p)
			}
		}
		got := Columns(known, to.Add(-5*time.Minute), to, time.Second, 60)
		if i > 0 && !reflect.DeepEqual(got[:58], prev[:58]) {
			moved++
		}
		prev = got
	}
	if moved != 12 {
		t.Errorf("the picture moved %d times in a minute, want 12", moved)
	}
}
