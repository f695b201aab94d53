package gpu

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// column is one fact about a row: how it is drawn, sorted and filtered by.
type column[R any] struct {
	id, title string // the id in filters and orders; empty for a drawing only
	width     int    // fixed, so that columns stand still from tick to tick
	priority  int    // the highest goes first when the screen is narrow
	flex      int
	left      bool
	scale     selection.Scale
	needs     []sources.Need

	text  func(R) string               // of a column of words
	value func(R) (v float64, ok bool) // of a column of numbers
	paint func(R, pane.Frame) string
}

// order is the column that rows are sorted by; the zero order is the table's
// own.
type order struct {
	column   string
	inverted bool
}

// next is the order that the sort key switches to: column by column, then the
// table's own again.
func next[R any](o order, all []column[R]) order {
	at := -1
	if o.column != "" {
		at = slices.IndexFunc(all, func(c column[R]) bool { return c.id == o.column })
	}
	for _, c := range all[at+1:] {
		if c.id != "" {
			return order{column: c.id}
		}
	}
	return order{}
}

func columnOf[R any](id string, all []column[R]) (column[R], bool) {
	i := slices.IndexFunc(all, func(c column[R]) bool { return id != "" && c.id == id })
	if i < 0 {
		return column[R]{}, false
	}
	return all[i], true
}

// falling says in which direction the order runs: numbers fall, words rise.
func falling[R any](o order, all []column[R]) bool {
	c, ok := columnOf(o.column, all)
	return ok && (c.text == nil) != o.inverted
}

// sortRows sorts in place. Rows without a value are last in both directions;
// equal ones keep the table's own order, which inverting turns around.
func sortRows[R any](rows []R, o order, all []column[R], own func(a, b R) int) {
	c, ok := columnOf(o.column, all)
	if !ok {
		slices.SortStableFunc(rows, func(a, b R) int {
			if o.inverted {
				return -own(a, b)
			}
			return own(a, b)
		})
		return
	}
	down := falling(o, all)
	slices.SortStableFunc(rows, func(a, b R) int {
		var d int
		if c.text != nil {
			x, y := c.text(a), c.text(b)
			if (x == "") != (y == "") {
				return last(x == "")
			}
			d = strings.Compare(x, y)
		} else {
			x, okX := c.value(a)
			y, okY := c.value(b)
			if okX != okY {
				return last(!okX)
			}
			if okX {
				d = cmp.Compare(x, y)
			}
		}
		if down {
			d = -d
		}
		return cmp.Or(d, own(a, b))
	})
}

func last(first bool) int {
	if first {
		return 1
	}
	return -1
}

// words says the order.
func words[R any](o order, all []column[R], own, inverse string) string {
	c, ok := columnOf(o.column, all)
	switch {
	case !ok && o.inverted:
		return inverse
	case !ok:
		return own
	case falling(o, all):
		return "by " + c.title + ", falling"
	}
	return "by " + c.title + ", rising"
}

func explainColumns[R any](o order, all []column[R]) []sources.Need {
	var out []sources.Need
	if c, ok := columnOf(o.column, all); ok {
		out = append(out, c.needs...)
	}
	for _, c := range all {
		out = append(out, c.needs...)
	}
	return out
}

// identified is a row that a cursor can stand on.
type identified interface{ id() string }

func names[R identified](rows []R) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.id()
	}
	return out
}

// draw draws the rows in view: a fleet costs what fits on the screen.
func draw[R identified](at *list, cols []column[R], rows []R, f pane.Frame, h int, empty string) string {
	t := cells.Table{Styles: f.Styles, Gap: 2, Empty: empty, NoHeader: h <= 1}
	if f.W < wide {
		t.Gap = 1
	}
	for _, c := range cols {
		head := cells.Column{Title: c.title, Min: c.width, Max: c.width, Priority: c.priority, Align: cells.Right}
		if c.left || c.text != nil {
			head.Align = cells.Left
		}
		if c.flex > 0 {
			head.Max, head.Flex = 0, c.flex
		}
		if c.id != "" && c.id == at.order.column {
			head.Priority = 0
			t.Sort, t.Falling = c.title, falling(at.order, cols)
		}
		t.Columns = append(t.Columns, head)
	}
	t.Selected, t.Offset, t.Len = at.cursor.Place(names(rows)), at.offset, len(rows)
	t.Row = func(i int) []cells.Cell {
		line := make([]cells.Cell, len(cols))
		for k, c := range cols {
			line[k] = cells.Text(c.paint(rows[i], f))
		}
		return line
	}
	return t.View(f.W, h)
}

// number paints a number, dim when it is old.
func number(c triage.Cell, spell func(float64) string, s themes.Styles) string {
	switch {
	case !c.Has():
		return figure.None(c.Status, s)
	case c.Status != sources.StatusOK:
		return s.Stale.Render(spell(c.V))
	}
	return s.Value.Render(spell(c.V))
}

func valueOf(c triage.Cell) (float64, bool) { return c.V, c.Has() && !math.IsInf(c.V, 0) }

// gauge is a share as a bar.
func gauge(c triage.Cell, w int, f pane.Frame) string {
	if !c.Has() {
		return cells.Fit("", w)
	}
	return cells.Gauge(c.V, w, f.Styles)
}

// of paints "used/total" with the total dim, and without one where it is not
// known.
func of(part, whole triage.Cell, spell func(float64) string, f pane.Frame) string {
	out := number(part, spell, f.Styles)
	if part.Has() && whole.Has() && whole.V > 0 {
		out += f.Styles.Dim.Render("/" + spell(whole.V))
	}
	return out
}

// mark is the glyph of a grade, coloured with it.
func mark(g triage.Grade, s themes.Styles) string {
	switch g {
	case triage.GradeBad:
		return s.Mark(themes.Bad)
	case triage.GradeNotice:
		return s.Mark(themes.Warn)
	}
	return " "
}

// graded paints words in the colour of their grade.
func graded(words string, g triage.Grade, s themes.Styles) string {
	switch g {
	case triage.GradeBad:
		return s.Bad.Render(words)
	case triage.GradeNotice:
		return s.Warn.Render(words)
	}
	return s.Dim.Render(words)
}
