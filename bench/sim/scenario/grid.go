package scenario

import (
	"math"
	"strconv"
)

// Grid is a geometric grid of bucket edges: 0, then min·(max/min)^(i/(count−1))
// for i = 1…count−1, each rounded to two significant digits; edges that become
// equal count once.
type Grid struct {
	// Where the grid starts; 0 stands for it, so it is no edge itself.
	Min float64 `yaml:"min" required:"true" range:"(0,)" ex:"0.001"`
	// The last finite edge.
	Max float64 `yaml:"max" required:"true" range:"(0,)" ex:"60"`
	// Number of edges.
	Count int `yaml:"count" required:"true" range:"[1,512]" ex:"32"`
}

// Edges are the finite bucket edges, ascending; nil for no grid.
func (g *Grid) Edges() []float64 {
	if g == nil {
		return nil
	}
	out := []float64{0}
	for i := 1; i < g.Count; i++ {
		x := g.Min * math.Pow(g.Max/g.Min, float64(i)/float64(g.Count-1))
		x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'e', 1, 64), 64) // always readable
		if x > out[len(out)-1] {
			out = append(out, x)
		}
	}
	return out
}
