package chart

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/themes"
)

var (
	nan = math.NaN()
	inf = math.Inf(1)
	// noon is the end of every test window.
	noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

func styles(t testing.TB, name string, ascii bool) themes.Styles {
	t.Helper()
	th, err := themes.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return themes.NewStyles(th, ascii)
}

// every returns each look a drawing has to survive, the zero value included.
func every(t testing.TB) map[string]themes.Styles {
	out := map[string]themes.Styles{"zero": {}}
	for _, n := range themes.Names() {
		out[n] = styles(t, n, false)
		out[n+" ascii"] = styles(t, n, true)
	}
	return out
}

// points lays values on a grid of step that ends at noon; NaN leaves a hole.
func points(step time.Duration, vs ...float64) []sources.Point {
	var out []sources.Point
	for i, v := range vs {
		if math.IsNaN(v) {
			continue
		}
		out = append(out, sources.Point{T: noon.Add(-step * time.Duration(len(vs)-1-i)).UnixMilli(), V: v})
	}
	return out
}

func seconds(v float64) string {
	if v < 1 {
		return fmt.Sprintf("%.0f ms", v*1000)
	}
	return fmt.Sprintf("%.3g s", v)
}

// rectangle fails unless a drawing has exactly w×h cells.
func rectangle(t testing.TB, name, block string, w, h int) {
	t.Helper()
	if w <= 0 && block == "" || h <= 0 {
		if strings.Trim(block, "\n") != "" {
			t.Errorf("%s %d×%d: %q, want nothing", name, w, h, block)
		}
		return
	}
	lines := strings.Split(block, "\n")
	if len(lines) != h {
		t.Errorf("%s %d×%d: %d lines", name, w, h, len(lines))
	}
	for _, l := range lines {
		if n := ansi.StringWidth(l); n != max(w, 0) {
			t.Errorf("%s %d×%d: line is %d cells wide: %q", name, w, h, n, l)
			return
		}
	}
}

var sizes = [][2]int{{0, 0}, {0, 5}, {5, 0}, {1, 1}, {2, 3}, {10, 2}, {20, 4}, {24, 5}, {25, 6}, {40, 10}, {80, 20}, {140, 42}, {250, 70}}

// hostile are data sets that charts meet: nothing traffic, restarts, counters
// gone wild.
func hostile() map[string][]float64 {
	long := make([]float64, 600)
	for i := range long {
		long[i] = 0.3 + 0.2*math.Sin(float64(i)/20)
	}
	return map[string][]float64{
		"none": nil, "one": {0.3}, "zeros": {0, 0, 0, 0}, "equal": {7, 7, 7}, "negative": {-3, -1, -2},
		"nan": {nan, nan, nan}, "mixed": {1, nan, inf, math.Inf(-1), 2, nan, 3}, "inf": {inf, inf},
		"huge": {math.MaxFloat64, -math.MaxFloat64, 1}, "tiny": {5e-324, 0, 5e-324}, "close": {1e15, 1e15 + 1, 1e15 + 2},
		"long": long,
	}
}

func TestEveryPictureIsExact(t *testing.T) {
	for look, st := range every(t) {
		if testing.Short() && look != "dark" {
			continue
		}
		for name, vs := range hostile() {
			var pts []sources.Point // with the NaN and Inf that no grid would bring
			for i, v := range vs {
				pts = append(pts, sources.Point{T: noon.Add(time.Duration(i-len(vs)) * time.Second).UnixMilli(), V: v})
			}
			m := histogram(vs)
			for _, sz := range sizes {
				w, h := sz[0], sz[1]
				id := look + " " + name
				rectangle(t, "spark "+id, Spark(vs, w, SparkOpts{Glyphs: st.G, Style: st.Bar}), w, 1)
				rectangle(t, "stack "+id, Stack(vs, w, st), w, 1)
				rectangle(t, "line "+id, Line([]sources.Series{{Points: pts}, {}, {Points: pts}}, LineOpts{
					W: w, H: h, From: noon.Add(-5 * time.Minute), To: noon, Format: seconds, Zero: true, Styles: st,
					Limits: []Limit{{Value: 0.5, Style: st.Warn}, {Value: nan}, {Value: inf}},
					Events: []Event{{At: noon.Add(-time.Minute), Style: st.Bad}, {At: noon.Add(time.Hour)}},
					Cursor: noon.Add(-30 * time.Second),
				}), w, h)
				rectangle(t, "heat "+id, Heat(m, HeatOpts{W: w, H: h, Format: seconds, Limit: 0.5, Cursor: noon, Columns: 60, Styles: st}), w, h)
				var bars []Bar
				for i, v := range vs {
					if i < 90 {
						bars = append(bars, Bar{Label: "日本 a label", Value: v, Text: seconds(v), Level: themes.Level(i % 4), Rule: strings.Repeat("x", i%2)})
					}
				}
				rectangle(t, "bars "+id, Bars(bars, BarsOpts{W: w, H: h, Styles: st}), w, h)
			}
		}
	}
}

// A picture must not depend on when it is drawn or on map order.
func TestSameInputSamePicture(t *testing.T) {
	st := styles(t, "dark", false)
	draw := func() string {
		o := LineOpts{W: 60, H: 10, From: noon.Add(-time.Minute), To: noon, Styles: st}
		s := []sources.Series{{Points: points(time.Second, 1, 2, 3, 2, 1)}, {Points: points(time.Second, 3, 2, 1, 2, 3)}}
		return Line(s, o) + Heat(histogram([]float64{.2, .3, .4, .5}), HeatOpts{W: 60, H: 10, Styles: st})
	}
	want := draw()
	for range 20 {
		if draw() != want {
			t.Fatal("two drawings of the same data differ")
		}
	}
}

func BenchmarkLine(b *testing.B) {
	st := styles(b, "dark", false)
	s := []sources.Series{{Points: points(time.Second, hostile()["long"][:300]...)}}
	o := LineOpts{W: 120, H: 20, From: noon.Add(-5 * time.Minute), To: noon, Styles: st, Format: seconds}
	b.ReportAllocs()
	for b.Loop() {
		Line(s, o)
	}
}

func BenchmarkHeat(b *testing.B) {
	st := styles(b, "dark", false)
	m := histogram(hostile()["long"][:120])
	o := HeatOpts{W: 130, H: 24, Styles: st, Format: seconds, Limit: 0.5}
	b.ReportAllocs()
	for b.Loop() {
		Heat(m, o)
	}
}
