package figure

import (
	"math"
	"testing"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/themes"
	"dynascope/tui/cells"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func styles(t *testing.T) themes.Styles {
	t.Helper()
	th, err := themes.Get("dark")
	if err != nil {
		t.Fatal(err)
	}
	return themes.NewStyles(th, false)
}

func gauge(v float64, st sources.Status, age time.Duration) *sources.Figure {
	return &sources.Figure{Status: st, Unit: "ratio", At: noon.Add(-age), Series: []sources.Series{{Points: []sources.Point{{T: noon.Add(-age).UnixMilli(), V: v}}}}}
}

// Absent, stale, not a number, zero, no traffic and pending are six facts and
// pictures of their own (honesty.md rule 5).
func TestSixFactsAreSixPictures(t *testing.T) {
	s := styles(t)
	seen := map[string]string{}
	for name, f := range map[string]*sources.Figure{
		"absent":  {Status: sources.StatusAbsent},
		"idle":    {Status: sources.StatusIdle},
		"pending": {Status: sources.StatusPending},
		"nan":     gauge(math.NaN(), sources.StatusNaN, 0),
		"error":   {Status: sources.StatusError},
		"zero":    gauge(0, sources.StatusOK, 0),
		"live":    gauge(0.41, sources.StatusOK, 0),
		"stale":   gauge(0.41, sources.StatusStale, 12*time.Second),
	} {
		got := Value(f, noon, s)
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s look the same: %q", name, other, got)
		}
		seen[got] = name
	}
	for want, f := range map[string]*sources.Figure{
		"–":           {Status: sources.StatusAbsent},
		"idle":        {Status: sources.StatusIdle},
		"0 %":         gauge(0, sources.StatusOK, 0),
		"41 %":        gauge(0.41, sources.StatusOK, 0),
		"41 % (12 s)": gauge(0.41, sources.StatusStale, 12*time.Second),
	} {
		if got := cells.Strip(Value(f, noon, s)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func histogram(n float64, edges ...string) *sources.Figure {
	f := &sources.Figure{Status: sources.StatusOK, Unit: "seconds", Need: sources.Need{Form: sources.FormBuckets}}
	for _, le := range edges {
		f.Series = append(f.Series, sources.Series{Labels: sources.Labels{"le": le}, Points: []sources.Point{{T: noon.UnixMilli(), V: n}}})
	}
	return f
}

func TestQuantilesCarryTheirError(t *testing.T) {
	s := styles(t)
	for _, c := range []struct {
		name string
		f    *sources.Figure
		want string
	}{
		{"enough", cum(200, []string{"1", "2.2", "4.7", "10", "+Inf"}, 0, 0, 200, 200, 200), "2.2–4.7 s"},
		{"too few", cum(20, []string{"1", "2.2", "4.7", "10", "+Inf"}, 0, 0, 20, 20, 20), "~2.2–4.7 s"},
		{"pinned", cum(200, []string{"1", "2.2", "4.7", "+Inf"}, 0, 0, 200, 200), "2.2–4.7 s!"},
		{"over", cum(200, []string{"240", "480", "+Inf"}, 0, 0, 200), "> 480 s"},
		{"first", histogram(200, "0.1", "0.2", "+Inf"), "< 100 ms"},
		{"no traffic", cum(0, []string{"1", "+Inf"}, 0, 0), "idle"},
	} {
		if got := cells.Strip(Quantile(c.f, 0.95, s)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	stale := cum(20, []string{"1", "2.2", "4.7", "10", "+Inf"}, 0, 0, 20, 20, 20)
	stale.Status = sources.StatusStale
	if got := cells.Strip(Quantile(stale, 0.95, s)); got != "~2.2–4.7 s" {
		t.Errorf("stale and too few: %q", got)
	}
}

func cum(_ float64, edges []string, counts ...float64) *sources.Figure {
	f := histogram(0, edges...)
	for i := range f.Series {
		f.Series[i].Points[0].V = counts[i]
	}
	return f
}

func TestShareIsARangeBetweenEdges(t *testing.T) {
	s := styles(t)
	f := cum(100, []string{"0.22", "0.47", "1", "+Inf"}, 20, 58, 71, 100)
	if got := cells.Strip(Within(f, 500*time.Millisecond, s)); got != "58–71 %" {
		t.Errorf("%q", got)
	}
	if got := cells.Strip(Within(f, time.Second, s)); got != "71 %" {
		t.Errorf("at an edge: %q", got)
	}
}

func TestCellOfAWorker(t *testing.T) {
	s := styles(t)
	if got := cells.Strip(Cell(triage.Cell{V: math.NaN(), Status: sources.StatusOK}, "requests", s)); got == "NaN" || got == "" {
		t.Errorf("%q", got)
	}
	live, old := Cell(triage.Cell{V: 8, Status: sources.StatusOK}, "requests", s), Cell(triage.Cell{V: 8, Status: sources.StatusStale}, "requests", s)
	if live == old || cells.Strip(live) != "8" {
		t.Errorf("live %q, stale %q", live, old)
	}
}
