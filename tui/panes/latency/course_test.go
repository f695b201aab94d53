package latency

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"dynascope/sources"
)

// second is a moment on the grid of the tests: 12:00 and some seconds.
func second(s int) time.Time { return time.Date(2026, 11, 23, 12, 0, s, 0, time.UTC) }

// line is one edge of a histogram: value i is of second 2·i, NaN is written
// as "nan" and a missing point as "-".
func line(le string, values ...any) sources.Series {
	out := sources.Series{Labels: sources.Labels{"le": le}}
	for i, v := range values {
		switch v := v.(type) {
		case int:
			out.Points = append(out.Points, sources.Point{T: second(2 * i).UnixMilli(), V: float64(v)})
		case string:
			if v == "nan" {
				out.Points = append(out.Points, sources.Point{T: second(2 * i).UnixMilli(), V: math.NaN()})
			}
		}
	}
	return out
}

func TestCourse(t *testing.T) {
	for _, c := range []struct {
		name   string
		series []sources.Series
		// want is a column each: its counts, "gap", or "idle".
		want []string
	}{
		{"counts are differences between edges, not over time", []sources.Series{line("0.1", 1, 2, 0), line("1", 4, 2, 3), line("+Inf", 5, 9, 3)},
			[]string{"[1 3 1]", "[2 0 7]", "[0 3 0]"}},
		{"a missing point is a gap", []sources.Series{line("0.1", 1, "-", 1), line("+Inf", 2, "-", 1)},
			[]string{"[1 1]", "gap", "[1 0]"}},
		{"not a number is a gap", []sources.Series{line("0.1", 1, "nan", 1), line("+Inf", 2, "nan", 1)},
			[]string{"[1 1]", "gap", "[1 0]"}},
		{"the newest may be missing", []sources.Series{line("0.1", 1, 1, "-"), line("+Inf", 2, 2, "-")},
			[]string{"[1 1]", "[1 1]", "gap"}},
		{"before the first sample there is nothing, not a gap", []sources.Series{line("0.1", "-", "-", 1), line("+Inf", "-", "-", 2)},
			[]string{"[1 1]"}},
		{"zero is idle, not a gap", []sources.Series{line("0.1", 0, 0, 1), line("+Inf", 0, 0, 1)},
			[]string{"idle", "idle", "[1 0]"}},
		{"a count that falls in time is no reset", []sources.Series{line("0.1", 9, 1, 0), line("+Inf", 9, 1, 2)},
			[]string{"[9 0]", "[1 0]", "[0 2]"}},
		{"extrapolation may let cumulative counts fall", []sources.Series{line("0.1", 5), line("1", 4), line("+Inf", 6)},
			[]string{"[5 0 1]", "gap", "gap"}},
		{"edges that come and go", []sources.Series{line("0.1", 1, 1, "-"), line("0.5", "-", 2, 2), line("+Inf", 3, 3, 3)},
			[]string{"[1 2]", "[1 1 1]", "[2 1]"}},
		{"spellings of one edge add up", []sources.Series{line("1", 1, 1, 1), line("1.0", 2, 2, 2), line("+Inf", 4, 4, 4)},
			[]string{"[3 1]", "[3 1]", "[3 1]"}},
		{"an open histogram is closed", []sources.Series{line("0.1", 1, 1, 1)},
			[]string{"[1 0]", "[1 0]", "[1 0]"}},
		{"labels that are no edge", []sources.Series{line("", 1, 1, 1), line("nan", 1, 1, 1)}, nil},
		{"nothing", nil, nil},
	} {
		f := &sources.Figure{Need: sources.Need{Key: "x", Form: sources.FormBuckets}.Over(6*time.Second, 2*time.Second), Series: c.series}
		got := courseOf(f, second(5)) // between two columns
		if got.n != 3 || !got.to.Equal(second(4)) {
			t.Fatalf("%s: grid %+v", c.name, got.grid)
		}
		var cols []string
		for i, col := range got.matrix.Columns {
			if want := got.time(got.n - len(got.matrix.Columns) + i); !col.At.Equal(want) {
				t.Errorf("%s: column %d ends at %v, want %v", c.name, i, col.At, want)
			}
			switch {
			case !col.Known:
				cols = append(cols, "gap")
			case col.Buckets.N == 0:
				cols = append(cols, "idle")
			default:
				cols = append(cols, fmt.Sprint(col.Buckets.Counts))
			}
		}
		if !reflect.DeepEqual(cols, c.want) {
			t.Errorf("%s: %q, want %q", c.name, cols, c.want)
		}
		if got.known() != (len(c.want) > 0) {
			t.Errorf("%s: known %v", c.name, got.known())
		}
	}
}

func TestGrid(t *testing.T) {
	g := gridOf(second(7), 10*time.Second, 2*time.Second) // columns end at :58 … :06
	if g.n != 5 || !g.to.Equal(second(6)) || !g.time(0).Equal(second(-2)) {
		t.Fatalf("grid %+v", g)
	}
	for _, c := range []struct {
		at time.Time
		i  int
		ok bool
	}{
		{second(6), 4, true}, {second(4), 3, true}, {second(-2), 0, true},
		{second(6).Add(900 * time.Millisecond), 4, true}, {second(-2).Add(-900 * time.Millisecond), 0, true},
		{second(8), 4, false}, {second(-4), 0, false}, {time.Time{}, 4, false},
	} {
		i, ok := g.index(c.at)
		if ok != c.ok || ok && i != c.i {
			t.Errorf("%v is column %d, %v; want %d, %v", c.at, i, ok, c.i, c.ok)
		}
	}
	if none := gridOf(time.Time{}, time.Minute, time.Second); none.n != 0 {
		t.Errorf("before the first tick there is a grid: %+v", none)
	}
	if _, ok := (grid{}).index(second(1)); ok {
		t.Error("an empty grid has a column")
	}
}
