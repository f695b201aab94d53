package chart

import (
	"math"
	"strings"

	"dynascope/themes"
	"dynascope/tui/cells"
)

// SharesOpts says where shares over time are drawn.
type SharesOpts struct {
	W, H   int
	Empty  string // said when no column is known
	Styles themes.Styles
}

// Shares draws stacked shares over time in exactly W×H cells: the columns lie
// side by side over the whole width, oldest first, and in each the parts stand
// on each other, the first at the bottom. A cell shows the part that fills most
// of it, so that a small one can vanish: numbers belong beside the picture. A nil column
// is a gap, marked at the bottom; those before the first known one are blank.
func Shares(columns [][]float64, o SharesOpts) string {
	if o.W <= 0 || o.H <= 0 {
		return cells.Blank(o.W, o.H)
	}
	firstKnown := -1
	for i, c := range columns {
		if c != nil {
			firstKnown = i
			break
		}
	}
	if firstKnown < 0 {
		return cells.Message(o.Styles.Dim.Render(cells.Strip(o.Empty)), o.W, o.H)
	}
	const none, gap = -1, -2
	grid := make([][]int, o.H) // part of each cell, from the top
	for y := range grid {
		grid[y] = make([]int, o.W)
	}
	for x := range o.W {
		i := x * len(columns) / o.W
		for y := range o.H {
			part := largest(columns[i], float64(o.H-1-y)/float64(o.H), float64(o.H-y)/float64(o.H))
			if columns[i] == nil && i > firstKnown && y == o.H-1 {
				part = gap
			}
			grid[y][x] = part
		}
	}
	lines := make([]string, o.H)
	for y, row := range grid {
		var b strings.Builder
		for x := 0; x < o.W; {
			n := 1
			for x+n < o.W && row[x+n] == row[x] {
				n++
			}
			switch row[x] {
			case none:
				b.WriteString(strings.Repeat(" ", n))
			case gap:
				b.WriteString(o.Styles.Faint.Render(strings.Repeat(string(o.Styles.G.Or().Gap), n)))
			default:
				b.WriteString(shareStyled(row[x], n, o.Styles))
			}
			x += n
		}
		lines[y] = b.String()
	}
	return cells.Block(lines, o.W, o.H)
}

// largest is the part that fills most of the piece from lo to hi of a column,
// -1 where most of it is blank.
func largest(shares []float64, lo, hi float64) int {
	best, most := -1, 0.0
	from, used := 0.0, 0.0
	for i, v := range shares {
		if !finite(v) || v <= 0 {
			continue
		}
		to := math.Min(from+v, 1)
		if in := math.Min(to, hi) - math.Max(from, lo); in > 0 {
			used += in
			if in > most+1e-12 {
				best, most = i, in
			}
		}
		from = to
	}
	if used < (hi-lo)/2-1e-12 {
		return -1
	}
	return best
}

// ShareParts is how many parts Shares can tell apart with these styles.
func ShareParts(s themes.Styles) int {
	if n := len(s.Series); !s.NoColor && n > 0 && !s.G.Or().ASCII {
		return n
	}
	return len(s.G.Or().Segment)
}

// ShareSign is the sign of a part, one cell wide, for the legend.
func ShareSign(part int, s themes.Styles) string { return shareStyled(part, 1, s) }

func shareStyled(part, n int, s themes.Styles) string {
	g := s.G.Or()
	sign := g.BarFull
	if s.NoColor || g.ASCII || len(s.Series) == 0 {
		sign = string(g.Segment[part%len(g.Segment)])
	}
	return s.SeriesStyle(part).Render(strings.Repeat(sign, n))
}
