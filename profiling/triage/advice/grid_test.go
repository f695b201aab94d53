package advice

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// The layouts that Dynamo's pages show, from their settings.
func TestGridEdges(t *testing.T) {
	for name, c := range map[string]struct {
		g    Grid
		want []float64
	}{
		"TTFT":     {Grid{.001, 480, 18}, ttftEdges},
		"old ITL":  {Grid{.001, 2, 13}, []float64{0, .0019, .0035, .0067, .013, .024, .045, .084, .16, .3, .56, 1.1, 2}},
		"duration": {Grid{1, 512, 10}, []float64{0, 2, 4, 8, 16, 32, 64, 130, 260, 510}},
		"lengths":  {Grid{50, 128000, 12}, lengths},
	} {
		if got := c.g.Edges(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Whatever is asked for, the SLA is an edge of what the variables give, read
// back as they are printed, and the old range is covered.
func TestAGridThroughTheSLA(t *testing.T) {
	env := regexp.MustCompile(`^DYN_METRICS_X_MIN=(\S+) DYN_METRICS_X_MAX=(\S+) DYN_METRICS_X_COUNT=(\d+)$`)
	for _, sla := range []float64{.5, .025, .05, .2, 1, 1.5, 3, .0075, .35, 10, .125} {
		for _, span := range [][2]float64{{.0022, 480}, {.0018, 80}, {.05, 2}, {1, 600}} {
			for _, ratio := range []float64{1, fine, 1.6, 2.1, 3} {
				g := gridThrough(sla, span[0], span[1], ratio)
				m := env.FindStringSubmatch(g.Env("X"))
				if m == nil {
					t.Fatal(g.Env("X"))
				}
				var back Grid
				back.Min, _ = strconv.ParseFloat(m[1], 64)
				back.Max, _ = strconv.ParseFloat(m[2], 64)
				back.Count, _ = strconv.Atoi(m[3])
				edges := back.Edges()
				if !onGrid(edges, significant(sla, 2)) {
					t.Errorf("%v is not among %v (%s)", sla, edges, g.Env("X"))
				}
				if back.Count > mostEdges || edges[1] > span[0]*1.01 && edges[1] > sla || edges[len(edges)-1] < span[1]*.99 && edges[len(edges)-1] < sla {
					t.Errorf("%v to %v: %v (%s)", span[0], span[1], edges, g.Env("X"))
				}
			}
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{.5: "0.5", .00123456789: "0.00123457", 31744: "31744", 1e-5: "0.00001"} {
		if got := short(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}
