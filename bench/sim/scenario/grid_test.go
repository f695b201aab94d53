package scenario

import (
	"slices"
	"testing"
)

// The grids that Dynamo's releases have, from their minimum, maximum and count.
func TestGridsOfReleases(t *testing.T) {
	for name, c := range map[string]struct {
		grid Grid
		want []float64
	}{
		"request duration":         {Grid{1, 512, 10}, []float64{0, 2, 4, 8, 16, 32, 64, 130, 260, 510}},
		"request duration, older":  {Grid{1, 256, 10}, []float64{0, 1.9, 3.4, 6.3, 12, 22, 40, 75, 140, 260}},
		"time to first token":      {Grid{.001, 480, 18}, []float64{0, .0022, .0047, .01, .022, .047, .1, .22, .47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480}},
		"inter-token, older":       {Grid{.001, 2, 13}, []float64{0, .0019, .0035, .0067, .013, .024, .045, .084, .16, .3, .56, 1.1, 2}},
		"inter-token":              {Grid{.001, 80, 20}, []float64{0, .0018, .0033, .0059, .011, .02, .035, .064, .12, .21, .38, .69, 1.2, 2.3, 4.1, 7.4, 13, 24, 44, 80}},
		"input sequence":           {Grid{50, 128000, 12}, []float64{0, 100, 210, 430, 870, 1800, 3600, 7400, 15000, 31000, 63000, 130000}},
		"output sequence":          {Grid{50, 32000, 10}, []float64{0, 100, 210, 430, 880, 1800, 3700, 7600, 16000, 32000}},
		"equal edges count once":   {Grid{1, 1.5, 20}, []float64{0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5}},
		"one edge is the zero one": {Grid{1, 2, 1}, []float64{0}},
	} {
		if got := c.grid.Edges(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	var none *Grid
	if none.Edges() != nil {
		t.Error("no grid has edges")
	}
}
