package doctor

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// formula is the frontend's grid as its documentation lists it.
func formula(lo, hi float64, n int) (out []float64) {
	for i := range n {
		out = append(out, edgeOf(lo, hi, n, i))
	}
	return out
}

func TestFormulaGivesTheDocumentedEdges(t *testing.T) {
	ttft := []float64{0, .0022, .0047, .01, .022, .047, .1, .22, .47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480}
	if got := formula(.001, 480, 18); !slices.Equal(got, ttft) {
		t.Errorf("TTFT %v", got)
	}
	itl := []float64{0, .0018, .0033, .0059, .011, .02, .035, .064, .12, .21, .38, .69, 1.2, 2.3, 4.1, 7.4, 13, 24, 44, 80}
	if got := formula(.001, 80, 20); !slices.Equal(got, itl) {
		t.Errorf("ITL %v", got)
	}
	if lo := lowest(ttft); lo != .001 {
		t.Errorf("MIN of the TTFT grid is %v", lo)
	}
	if lo := lowest(itl); lo != .001 {
		t.Errorf("MIN of the ITL grid is %v", lo)
	}
}

// Whatever is promised with two digits, the proposed grid has it as an edge,
// starts where the present one does and is not much longer.
func TestProposedGridHoldsThePromise(t *testing.T) {
	for name, edges := range map[string][]float64{"ttft": formula(.001, 480, 18), "itl": formula(.001, 80, 20), "old itl": formula(.001, 2, 13)} {
		for _, promise := range []float64{.012, .025, .03, .05, .1, .2, .25, .3, .5, .75, 1, 1.5, 2.5} {
			lo, hi, n, ok := logGrid(edges, promise)
			if !ok {
				t.Errorf("%s, %v: no grid", name, promise)
				continue
			}
			if got := formula(lo, hi, n); !slices.Contains(got, promise) || n > len(edges)+4 || lo != .001 {
				t.Errorf("%s, %v: MIN %v MAX %v COUNT %d gives %v", name, promise, lo, hi, n, got)
			}
			if moved := math.Log(hi / max(edges[len(edges)-1], 4*promise)); math.Abs(moved) > maxMove {
				t.Errorf("%s, %v: MAX %v is far off", name, promise, hi)
			}
		}
	}
	if _, _, _, ok := logGrid(formula(.001, 480, 18), .123); ok {
		t.Error("three digits cannot be an edge")
	}
}

func TestGridFindings(t *testing.T) {
	edges := []float64{.1, .2, .4, .6, 1}
	row := func(how string) grid {
		return grid{producer: "sglang", key: "engine.ttft", promise: "ttft", how: how, name: "--bucket"}
	}
	for name, c := range map[string]struct {
		row     grid
		promise time.Duration
		code    string
		words   string
	}{
		"on an edge":     {row("list"), 400 * time.Millisecond, "", ""},
		"between":        {row("list"), 500 * time.Millisecond, "grid-off", "--bucket 0.1 0.2 0.4 0.5 0.6 1"},
		"beyond":         {row("list"), 3 * time.Second, "grid-short", "--bucket 0.1 0.2 0.4 0.6 1 3"},
		"below all":      {row("fixed"), 50 * time.Millisecond, "grid-off", "--sla-ttft 100ms"},
		"on the last":    {row("fixed"), time.Second, "", ""},
		"no such layout": {row("formula"), 500 * time.Millisecond, "grid-off", "--sla-ttft 600ms"},
	} {
		f, ok := gridFinding(c.row, "TTFT", edgeSet{edges: edges, who: []string{"w:1"}}, c.promise.Seconds(), false)
		if ok != (c.code != "") || f.Code != c.code {
			t.Errorf("%s: %+v", name, f)
		}
		if all := f.Do + strings.Join(f.Lines, " "); !strings.Contains(all, c.words) {
			t.Errorf("%s: %q lacks %q", name, all, c.words)
		}
	}
}
