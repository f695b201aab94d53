package chart

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/tui/golden"
)

var edges = []float64{0, 0.1, 0.22, 0.47, 1, 2.2, 4.7, 10, 22, 48, math.Inf(1)}

// histogram makes one column a second, ending at noon, whose observations lie
// around a value; NaN leaves a hole and 0 is idle time.
func histogram(centres []float64) Matrix {
	const step = time.Second
	series := make([]sources.Series, len(edges))
	for i, e := range edges {
		series[i].Labels = sources.Labels{"le": fmt.Sprint(e)}
	}
	for c, v := range centres {
		if math.IsNaN(v) {
			continue
		}
		at := noon.Add(-step * time.Duration(len(centres)-1-c)).UnixMilli()
		cum := 0.0
		for i, e := range edges {
			if v != 0 {
				share := 0.0
				for k, f := range []float64{0.3, 0.6, 0.8, 1, 1.3, 2, 6} {
					if x := f * v; x <= e && (i == 0 || x > edges[i-1]) {
						share += []float64{5, 15, 25, 30, 15, 8, 2}[k]
					}
				}
				cum += share
			}
			series[i].Points = append(series[i].Points, sources.Point{T: at, V: cum})
		}
	}
	if len(centres) == 0 {
		return Matrix{}
	}
	return MatrixOf(series, noon.Add(-step*time.Duration(len(centres)-1)), noon, step)
}

// story is a minute in which the queue fills, with a hole and an idle spell.
func story() []float64 {
	var out []float64
	for i := range 60 {
		switch {
		case i < 5:
			out = append(out, 0)
		case i >= 22 && i < 26:
			out = append(out, nan)
		default:
			out = append(out, 0.25*math.Exp(math.Max(0, float64(i-20))/14))
		}
	}
	return out
}

func TestHeatPictures(t *testing.T) {
	m := histogram(story())
	o := HeatOpts{W: 72, H: 12, Format: seconds, Limit: 0.5, Columns: 60, Styles: styles(t, "mono", false)}
	golden.Check(t, "heat", Heat(m, o))
	o.H = 24
	golden.Check(t, "heat_tall", Heat(m, o))
	o.H = 7
	golden.Check(t, "heat_merged", Heat(m, o))
	o.H, o.Styles = 12, styles(t, "mono", true)
	golden.Check(t, "heat_ascii", Heat(m, o))
	o.Styles = styles(t, "dark", false)
	o.Cursor = noon.Add(-3 * time.Second)
	o.W, o.H = 30, 8
	golden.Styled(t, "heat_dark_cursor", Heat(m, o))
	golden.Check(t, "heat_wide", Heat(m, HeatOpts{W: 132, H: 10, Format: seconds, Columns: 60, Styles: o.Styles}))
	golden.Check(t, "heat_learning", Heat(histogram(story()[48:]), HeatOpts{W: 72, H: 10, Format: seconds, Columns: 60, Styles: o.Styles}))
	golden.Check(t, "heat_empty", Heat(histogram([]float64{nan, nan}), HeatOpts{W: 72, H: 6, Empty: "no TTFT histogram; hint: scrape the frontend", Styles: o.Styles}))
	golden.Check(t, "heat_legend", HeatLegend(o.Styles)+"\n"+HeatLegend(styles(t, "mono", true)))
}

// Idle, missing and not yet scraped are three different things.
func TestIdleIsNotAGap(t *testing.T) {
	o := HeatOpts{W: 40, H: 8, Styles: styles(t, "mono", false), Columns: 4}
	got := ansi.Strip(Heat(histogram([]float64{1, 0, 0, 1}), o))
	if strings.Contains(got, "·") {
		t.Errorf("idle time is drawn as missing:\n%s", got)
	}
	got = ansi.Strip(Heat(histogram([]float64{1, nan, 0, 1}), o))
	if !strings.Contains(got, "·") {
		t.Errorf("a missing sample is not marked:\n%s", got)
	}
}

func TestMatrixOf(t *testing.T) {
	m := histogram([]float64{1, nan, 0, 3})
	if len(m.Columns) != 4 || len(m.Edges) != len(edges) {
		t.Fatalf("%d columns, %d edges", len(m.Columns), len(m.Edges))
	}
	for i, want := range []bool{true, false, true, true} {
		if m.Columns[i].Known != want {
			t.Errorf("column %d known = %v", i, m.Columns[i].Known)
		}
	}
	if m.Columns[2].Buckets.N != 0 || m.Columns[3].Buckets.N != 100 {
		t.Errorf("counts = %v, %v", m.Columns[2].Buckets.N, m.Columns[3].Buckets.N)
	}
	if !m.Columns[3].At.Equal(noon) || !m.Columns[0].At.Equal(noon.Add(-3*time.Second)) {
		t.Errorf("times = %v … %v", m.Columns[0].At, m.Columns[3].At)
	}
	sum := 0.0
	for _, v := range m.shares(m.Columns[3]) {
		sum += v
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("shares sum to %v", sum)
	}
	open := MatrixOf([]sources.Series{{Labels: sources.Labels{"le": "1"}, Points: []sources.Point{{T: noon.UnixMilli(), V: 3}}}},
		noon.Add(-time.Second), noon, time.Second)
	if n := len(open.Edges); n != 2 || !math.IsInf(open.Edges[1], 1) {
		t.Errorf("an open histogram has edges %v", open.Edges)
	}
	for _, bad := range []Matrix{MatrixOf(nil, noon, noon.Add(-time.Second), time.Second), MatrixOf(nil, noon.Add(-time.Second), noon, 0)} {
		if len(bad.Columns) != 0 {
			t.Errorf("a window without width gives %d columns", len(bad.Columns))
		}
	}
}

// The cell under the mouse is the column drawn there.
func TestHeatColumn(t *testing.T) {
	m := histogram(story())
	o := HeatOpts{W: 40, H: 10, Format: seconds, Styles: styles(t, "mono", false)}
	if c, ok := HeatColumn(m, o, 39); !ok || c != 59 {
		t.Errorf("the last cell is column %d, %v", c, ok)
	}
	if c, ok := HeatColumn(m, o, 38); !ok || c != 58 {
		t.Errorf("the last cell but one is column %d, %v", c, ok)
	}
	if _, ok := HeatColumn(m, o, 0); ok {
		t.Error("the labels are no column")
	}
}

func TestHeatStep(t *testing.T) {
	prev := -1
	for _, share := range []float64{nan, 0, 1e-9, 0.01, 0.05, 0.2, 0.5, 0.9, 1, 7} {
		k := heatStep(share, 8)
		if k < prev || k > 7 {
			t.Errorf("step of %v is %d after %d", share, k, prev)
		}
		if share > 0 && k < 0 {
			t.Errorf("a share of %v is invisible", share)
		}
		prev = max(prev, k)
	}
}
