package chart

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/tui/golden"
)

func lineOpts(t testing.TB) LineOpts {
	return LineOpts{W: 72, H: 12, From: noon.Add(-5 * time.Minute), To: noon, Step: 5 * time.Second, Format: seconds, Styles: styles(t, "mono", false)}
}

// wave is 61 points five seconds apart.
func wave(scale, phase float64) []float64 {
	out := make([]float64, 61)
	for i := range out {
		out[i] = scale * (1 + math.Sin(phase+float64(i)/8))
	}
	return out
}

func TestLinePictures(t *testing.T) {
	o := lineOpts(t)
	a, b := wave(1.5, 0), wave(0.6, 2)
	golden.Check(t, "line_one", Line([]sources.Series{{Points: points(o.Step, a...)}}, o))
	two := []sources.Series{{Points: points(o.Step, a...)}, {Points: points(o.Step, b...)}}
	o.Styles = styles(t, "dark", false)
	o.Limits = []Limit{{Value: 2, Style: o.Styles.Warn}}
	o.Events = []Event{{At: noon.Add(-200 * time.Second), Style: o.Styles.Warn}}
	o.Cursor = noon.Add(-60 * time.Second)
	golden.Check(t, "line_marks", Line(two, o))
	o.Styles = styles(t, "mono", false)
	golden.Check(t, "line_mono_two", Line(two, o)+"\n"+Legend([]string{"queue", "prefill"}, o.W, o.Styles))
	o.Styles = styles(t, "mono", true)
	golden.Check(t, "line_ascii", Line(two, o))

	o = lineOpts(t)
	for i := 20; i < 32; i++ {
		a[i] = nan
	}
	golden.Check(t, "line_gap", Line([]sources.Series{{Points: points(o.Step, a...)}}, o))
	golden.Check(t, "line_learning", Line([]sources.Series{{Points: points(o.Step, 0.2, 0.3, 0.25, 0.4)}}, o))
	golden.Check(t, "line_empty", Line(nil, o))
	o.W, o.H = 20, 3
	golden.Check(t, "line_tiny", Line([]sources.Series{{Points: points(o.Step, 1, 2)}}, o))
	o = lineOpts(t)
	o.Styles = styles(t, "dark", false)
	o.W, o.H = 40, 6
	golden.Styled(t, "line_dark", Line([]sources.Series{{Points: points(o.Step, b...)}}, o))
}

// dotsIn returns how many cells of some columns hold a line.
func dotsIn(picture string, from, to int) int {
	n := 0
	for _, l := range strings.Split(ansi.Strip(picture), "\n") {
		for i, r := range []rune(l) {
			if i >= from && i < to && r > 0x2800 && r <= 0x28ff {
				n++
			}
		}
	}
	return n
}

// timeserieslinechart joins the ends of a gap: ten missing seconds are drawn
// as a straight line.
func TestNoLineOverAGap(t *testing.T) {
	o := lineOpts(t)
	vs := wave(1, 0)
	for i := 20; i < 32; i++ {
		vs[i] = nan
	}
	got := Line([]sources.Series{{Points: points(o.Step, vs...)}}, o)
	plot := o.W - 7 // gutter and axis are at most 7 cells here
	from := 7 + plot*21/60 + 1
	if n := dotsIn(got, from, from+plot*9/60); n > 0 {
		t.Errorf("%d cells are drawn inside the gap:\n%s", n, got)
	}
	if !strings.Contains(got, "··") {
		t.Errorf("the gap is not marked:\n%s", got)
	}
}

// timeserieslinechart never returns when one point is NaN.
func TestNaNDoesNotHangAndSplits(t *testing.T) {
	o := lineOpts(t)
	pts := points(o.Step, wave(1, 0)...)
	for _, bad := range []float64{nan, inf, math.Inf(-1)} {
		pts[30].V = bad
		got := Line([]sources.Series{{Points: pts}}, o)
		if dotsIn(got, 0, o.W) == 0 || strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("%v: the rest of the line is lost:\n%s", bad, got)
		}
	}
}

// timeserieslinechart prints "NaN" at tiny sizes.
func TestTinySizesSayNothingWrong(t *testing.T) {
	o := lineOpts(t)
	for w := range 30 {
		for h := range 8 {
			o.W, o.H = w, h
			if got := Line([]sources.Series{{Points: points(o.Step, 1, 2, 3)}}, o); strings.Contains(got, "NaN") {
				t.Fatalf("%d×%d: %s", w, h, got)
			}
		}
	}
}

// The range fits what is visible: a peak outside the window, or one that was
// scrolled out, does not press the line down.
func TestRangeFitsTheVisible(t *testing.T) {
	o := lineOpts(t)
	pts := append([]sources.Point{{T: noon.Add(-time.Hour).UnixMilli(), V: 1e6}}, points(o.Step, wave(0.001, 0)...)...)
	got := ansi.Strip(Line([]sources.Series{{Points: pts}}, o))
	if !strings.Contains(got, "2 ms") || strings.Contains(got, "e+") {
		t.Errorf("the axis does not fit the line:\n%s", got)
	}
}

// A limit far above the data would flatten it; one nearby is shown.
func TestLimitsJoinTheRangeWhenNear(t *testing.T) {
	o := lineOpts(t)
	s := []sources.Series{{Points: points(o.Step, 0.5, 1, 0.8)}}
	o.Limits = []Limit{{Value: 1.5}}
	if got := Line(s, o); !strings.Contains(got, "1.5 s") || !strings.Contains(got, "┄┄") {
		t.Errorf("a near limit is missing:\n%s", got)
	}
	o.Limits = []Limit{{Value: 50}}
	if got := Line(s, o); strings.Contains(got, "50 s") || strings.Contains(got, "┄┄") {
		t.Errorf("a far limit is drawn:\n%s", got)
	}
}

func TestLabelsAreUTC(t *testing.T) {
	o := lineOpts(t)
	loc := time.FixedZone("elsewhere", 5*3600+1800)
	o.From, o.To = o.From.In(loc), o.To.In(loc)
	got := ansi.Strip(Line([]sources.Series{{Points: points(o.Step, 1, 2, 3)}}, o))
	if !strings.Contains(got, "11:58") {
		t.Errorf("labels are not UTC:\n%s", got)
	}
}
