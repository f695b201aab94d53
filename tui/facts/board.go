package facts

import (
	"math"
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/pane"
)

// Board is the cursor over groups of facts, a place by names, since facts come
// and go under it; and what was worked out for the last snapshot. The zero value
// stands on no fact. The groups must be a function of the frame's source.
type Board struct {
	cursor spot
	memo   [2]worked // of the last frames: with a height, and for the height
}

// spot is a fact's place: its group and its label, which is empty where the
// group has no facts to show.
type spot struct{ group, label string }

type worked struct {
	snap   *sources.Snapshot
	w, h   int
	source pane.Source
	sheet  sheet
	drawn  map[spot]bool
	height int
}

// sheet lays the groups out, once for a snapshot and a size.
func (b *Board) sheet(f pane.Frame, groups []Group) (sheet, map[spot]bool) {
	m := &b.memo[0]
	if m.snap != f.Snap || m.snap == nil || m.w != f.W || m.h != f.H || m.source != f.Source {
		s := place(f, groups)
		*m = worked{snap: f.Snap, w: f.W, h: f.H, source: f.Source, sheet: s, drawn: s.drawn()}
	}
	return m.sheet, m.drawn
}

// Height is how many lines the groups take in the frame's width when nothing is
// left out.
func (b *Board) Height(f pane.Frame, groups []Group) int {
	m := &b.memo[1]
	if m.snap != f.Snap || m.snap == nil || m.w != f.W || m.source != f.Source {
		*m = worked{snap: f.Snap, w: f.W, source: f.Source, height: height(f, groups)}
	}
	return m.height
}

// Needs are the questions of what is drawn in the frame's area. Facts that have
// no room are asked for as well, without their course: whether a group is
// exposed at all depends on them.
func (b *Board) Needs(f pane.Frame, groups []Group) []sources.Need {
	var out []sources.Need
	s, drawn := b.sheet(f, groups)
	n := s.points()
	for _, g := range groups {
		out = append(out, g.Bar...)
		for _, c := range g.Facts {
			k := 0
			if drawn[spot{g.ID, c.Label}] {
				k = n
			}
			out = append(out, c.needs(f, k)...)
		}
	}
	return out
}

func (s sheet) drawn() map[spot]bool {
	out := map[spot]bool{}
	for _, column := range s.columns {
		for _, g := range column {
			for _, c := range g.Facts {
				if !g.absent {
					out[spot{g.ID, c.Label}] = true
				}
			}
		}
	}
	return out
}

// Explain are the questions under the cursor first, then those of its group,
// then the rest.
func (b *Board) Explain(f pane.Frame, groups []Group) []sources.Need {
	s, drawn := b.sheet(f, groups)
	n := s.points()
	var first, group, rest []sources.Need
	for _, g := range groups {
		for _, c := range g.Facts {
			k := 0
			if drawn[spot{g.ID, c.Label}] {
				k = n
			}
			needs := c.needs(f, k)
			switch {
			case b.cursor == spot{g.ID, c.Label}:
				first = append(first, needs...)
			case b.cursor.group == g.ID:
				group = append(group, needs...)
			default:
				rest = append(rest, needs...)
			}
		}
	}
	return Distinct(append(append(first, group...), rest...))
}

// Distinct leaves out what was asked before.
func Distinct(needs []sources.Need) []sources.Need {
	seen := make(map[sources.Need]bool, len(needs))
	return slices.DeleteFunc(needs, func(n sources.Need) bool {
		again := seen[n] || n.Key == ""
		seen[n] = true
		return again
	})
}

// Press moves the cursor: up and down within a column, left and right between
// columns.
func (b *Board) Press(a pane.Action, f pane.Frame, groups []Group) bool {
	var grid [][]spot
	s, _ := b.sheet(f, groups)
	for _, column := range s.columns {
		var list []spot
		for _, g := range column {
			if g.absent || len(g.Facts) == 0 {
				list = append(list, spot{group: g.ID})
				continue
			}
			for _, c := range g.Facts {
				list = append(list, spot{g.ID, c.Label})
			}
		}
		grid = append(grid, list)
	}
	if len(grid) == 0 {
		return false
	}
	x, y := 0, -1
	for i, column := range grid {
		if k := slices.Index(column, b.cursor); k >= 0 {
			x, y = i, k
		}
	}
	switch a {
	case pane.Up:
		y = max(y, 0) - 1
	case pane.Down:
		y++
	case pane.Left:
		x, y = x-1, max(y, 0)
	case pane.Right:
		if y >= 0 {
			x++
		}
		y = max(y, 0)
	case pane.Top, pane.PageUp:
		y = 0
	case pane.Bottom, pane.PageDown:
		y = len(grid[x]) - 1
	default:
		return false
	}
	x = min(max(x, 0), len(grid)-1)
	to := grid[x][min(max(y, 0), len(grid[x])-1)]
	moved := to != b.cursor
	b.cursor = to
	return moved
}

// Clear takes the cursor away, and says whether there was one.
func (b *Board) Clear() bool {
	was := b.cursor
	b.cursor = spot{}
	return was != b.cursor
}

// View draws the groups in the frame's area; focused shows the cursor.
func (b *Board) View(f pane.Frame, groups []Group, focused bool) string {
	if f.W <= 0 || f.H <= 0 {
		return cells.Blank(f.W, f.H)
	}
	s, _ := b.sheet(f, groups)
	n := s.points()
	var blocks []string
	for _, column := range s.columns {
		var lines []string
		for _, g := range column {
			lines = append(lines, b.lines(f, g, s.w, n, focused)...)
		}
		blocks = append(blocks, cells.Block(lines, s.w, f.H))
	}
	sep := strings.Repeat(" ", between)
	return cells.Block(cells.Lines(cells.Join(sep, blocks...)), f.W, f.H)
}

func (b *Board) lines(f pane.Frame, g placed, w, n int, focused bool) []string {
	st := f.Styles
	on := focused && b.cursor.group == g.ID
	title := st.Title.Render(cells.Strip(g.Title))
	if focused && (on || b.cursor.group == "") {
		title = st.Accent.Render(cells.Strip(g.Title))
	}
	if slices.ContainsFunc(g.Facts, func(c Fact) bool { return c.allModels(f) }) {
		title += st.Dim.Render(" * all models")
	}
	if g.absent && g.tight {
		title += st.Dim.Render(" " + st.G.Or().Absent)
	}
	out := []string{cells.Rule(title, w, st)}
	if g.absent {
		if g.tight {
			return out
		}
		words := g.quiet
		if words == "" {
			words = st.G.Or().Absent + " " + why(f, g)
		}
		said := cells.Wrap(st.Dim.Render(words), w)
		if len(said) > g.say {
			said = append(said[:g.say-1:g.say-1], cells.Clip(st.Dim.Render(strings.Join(plain(said[g.say-1:]), " ")), w))
		}
		for i := range g.say {
			line := ""
			if i < len(said) {
				line = said[i]
			}
			if on {
				line = st.Select.Render(cells.Fit(cells.Strip(line), w))
			}
			out = append(out, line)
		}
		return out
	}
	if g.Bar != nil && !g.tight {
		out = append(out, bar(f, g.Bar, w))
	}
	for _, c := range g.Facts {
		line := b.line(f, g, c, w, n)
		if on && b.cursor.label == c.Label {
			line = st.Select.Render(cells.Fit(cells.Strip(line), w))
		}
		out = append(out, line)
	}
	return out
}

func plain(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimSpace(cells.Strip(l))
	}
	return out
}

// why says what would bring a group that nobody exposes.
func why(f pane.Frame, g placed) string {
	if g.Why != nil {
		if words := g.Why(f); words != "" {
			return words
		}
	}
	if engines := triage.Silent(f.Snap, g.tried(f)); engines != "" {
		return text.Clean(engines, 60) + " workers export no such family"
	}
	for _, c := range g.all {
		for _, fig := range c.figures(f) {
			if fig.Note != "" {
				return text.Clean(fig.Note, 200)
			}
		}
	}
	return "no such family on any page"
}

func (b *Board) line(f pane.Frame, g placed, c Fact, w, n int) string {
	st := f.Styles
	label := st.Label.Render(cells.Strip(c.Label))
	if c.allModels(f) {
		label += st.Dim.Render("*")
	}
	if c.Mark > 0 {
		label = Swatch(f, c.Mark-1) + " " + label
	}
	value := c.value(f)
	out := cells.Fit(label, g.label) + " "
	age := ""
	if a := c.age(f); a != "" && !f.LowBandwidth {
		age = st.Stale.Render(a)
	}
	spark := min(n, g.spark)
	if !c.Course || spark <= 0 {
		rest := w - g.label - 1
		if vw := cells.Width(value); vw < valueWidth {
			value = cells.FitRight(value, valueWidth)
		}
		return cells.Fit(out+cells.Line(rest, cells.L(value, 0), cells.R(age, 1)), w)
	}
	opts := chart.SparkOpts{Zero: true, Style: st.Theme.Bar, Glyphs: st.G}
	if age != "" {
		opts.Style = st.Stale
		spark -= cells.Width(age) + 1
		age = " " + age
	}
	if vw := cells.Width(value); vw <= valueWidth {
		value = cells.FitRight(value, valueWidth)
	} else {
		spark -= vw - valueWidth
	}
	return cells.Fit(out+value+" "+chart.Spark(c.points(f, n), max(spark, 0), opts)+age, w)
}

// segment is the sign of a part of a bar.
func segment(f pane.Frame, i int) string {
	g := f.Styles.G.Or()
	if f.Styles.NoColor || g.ASCII || len(f.Styles.Series) == 0 {
		return string(g.Segment[i%len(g.Segment)])
	}
	return g.BarFull
}

// bar draws shares of one whole side by side. What no figure tells is track.
func bar(f pane.Frame, needs []sources.Need, w int) string {
	shares := make([]float64, len(needs))
	known := false
	for i, n := range needs {
		v, ok := f.Snap.Figure(n).Value()
		if ok && !math.IsNaN(v) {
			shares[i], known = v, true
		}
	}
	if !known {
		return cells.Fit(f.Styles.Dim.Render(f.Styles.G.Or().Absent), w)
	}
	return Shares(f, shares, w)
}

// Shares draws shares of one whole side by side in w cells, the rest as track.
func Shares(f pane.Frame, shares []float64, w int) string {
	filled := strings.TrimRight(cells.Strip(chart.Stack(shares, w, f.Styles)), " ")
	n := cells.Width(filled)
	out := chart.Stack(shares, w, f.Styles)
	if n >= w {
		return out
	}
	return cells.Clip(out[:len(out)-(w-n)], w) + f.Styles.BarTrack.Render(strings.Repeat(f.Styles.G.Or().Track, w-n))
}

// Swatch is the sign of the i-th share of a bar, for legends.
func Swatch(f pane.Frame, i int) string { return f.Styles.SeriesStyle(i).Render(segment(f, i)) }

// tried are the families that were looked for, of all facts.
func (g placed) tried(f pane.Frame) (out []string) {
	for _, c := range g.all {
		if c.With.Key != "" { // the rest of what is derived may be there
			out = append(out, f.Snap.Figure(c.With).Tried...)
			continue
		}
		for _, fig := range c.figures(f) {
			out = append(out, fig.Tried...)
		}
	}
	return out
}
