package cells

import (
	"fmt"
	"slices"
	"strings"

	"dynascope/themes"
)

// Align says at which end of its column a text stands.
type Align int

// The alignments; numbers stand at the right.
const (
	Left Align = iota
	Right
)

// Column declares one column of a table.
type Column struct {
	Title string
	// Min is the least width; a column is dropped rather than drawn narrower.
	// 0 means as wide as its widest text. Max bounds its growth; 0 means none
	// beyond its widest text, unless Flex is set.
	Min, Max int
	// Priority says what goes first when the table is too narrow: the highest
	// number, among equals the rightmost. The last column left is cut instead.
	Priority int
	Align    Align
	// Flex is the column's share of cells that nobody needs.
	Flex int
}

// Cell is one entry. The zero style leaves the text as it is; the text may
// hold styles of its own.
type Cell struct {
	Text  string
	Style themes.Style
}

// Text is a cell without a style of its own.
func Text(s string) Cell { return Cell{Text: s} }

// Styled is a cell in a style.
func Styled(s string, st themes.Style) Cell { return Cell{Text: s, Style: st} }

// None is no selected row.
const None = -1

// Table draws rows in columns. It keeps no state: what is selected and from
// where on rows are shown come in, and the same input gives the same text.
type Table struct {
	Columns []Column
	Rows    [][]Cell // short rows are filled with blanks
	// Len and Row make rows only as they come into view, in place of Rows: a
	// long table costs what fits on the screen. What is out of view then widens
	// no column.
	Len int
	Row func(i int) []Cell
	// Selected is the row drawn in reverse video, None for no row. The view
	// scrolls so that it is visible.
	Selected int
	// Offset is the first row wanted at the top; it is corrected so that the
	// selection is visible and no space is wasted.
	Offset int
	// Sort is the title of the column that carries the sort marker, Falling
	// its direction.
	Sort    string
	Falling bool
	// Empty is said when there are no rows: why, and what would bring some.
	Empty    string
	NoHeader bool
	// Gap is the number of blanks between columns; 0 means two.
	Gap    int
	Styles themes.Styles
}

// View returns the table in exactly w×h cells. When rows are hidden, the last
// line says which ones are shown.
func (t Table) View(w, h int) string {
	if w <= 0 || h <= 0 {
		return Blank(w, h)
	}
	v := t.Window(h)
	rows := t.Rows
	if t.Row != nil {
		rows = make([][]Cell, v.N)
		for i := range rows {
			rows[i] = t.Row(v.First + i)
		}
	}
	cols := t.layout(w, rows)
	lines := make([]string, 0, h)
	if !t.NoHeader && len(cols) > 0 {
		lines = append(lines, t.header(cols))
	}
	if t.len() == 0 {
		msg := Message(t.Styles.Dim.Render(Strip(t.Empty)), w, h-len(lines))
		return Block(append(lines, Lines(msg)...), w, h)
	}
	if t.Row == nil {
		rows = rows[v.First : v.First+v.N]
	}
	for i, r := range rows {
		line := t.row(r, cols)
		if v.First+i == t.Selected {
			line = t.Styles.Select.Render(Fit(Strip(line), w))
		}
		lines = append(lines, line)
	}
	if v.More {
		shown := fmt.Sprintf("%d–%d of %d", v.First+1, v.First+v.N, t.len())
		lines = append(lines, FitRight(t.Styles.Faint.Render(shown), w))
	}
	return Block(lines, w, h)
}

func (t Table) len() int {
	if t.Row != nil {
		return t.Len
	}
	return len(t.Rows)
}

// Window returns the rows drawn in a view of height h: its first is what a
// caller keeps as the next Offset, and what a mouse row is counted from.
func (t Table) Window(h int) Window {
	if !t.NoHeader && len(t.Columns) > 0 {
		h--
	}
	return WindowOf(t.len(), h, t.Offset, t.Selected)
}

// Window is the part of a table's rows that is in view.
type Window struct {
	First, N int
	More     bool // rows are hidden, and a line below says which ones are shown
}

// WindowOf lays rows on h lines, a header not among them: from offset on, moved
// so that the selected row is in view and no space is wasted.
func WindowOf(rows, h, offset, selected int) Window {
	if h <= 0 || rows == 0 {
		return Window{}
	}
	v := Window{N: min(rows, h)}
	if rows > h && h >= 4 { // below that, a row is worth more than the count
		v.More, v.N = true, h-1
	}
	v.First = min(max(offset, 0), rows-v.N)
	if selected >= 0 && selected < rows {
		v.First = max(min(v.First, selected), selected-v.N+1)
	}
	return v
}

// column is a Column with the width and place it got.
type column struct {
	Column
	index, width int
}

func (t Table) gap() int {
	if t.Gap > 0 {
		return t.Gap
	}
	return 2
}

func (t Table) title(c Column) string {
	if t.Sort == "" || c.Title != t.Sort {
		return c.Title
	}
	g := t.Styles.G.Or()
	if t.Falling {
		return c.Title + g.SortDn
	}
	return c.Title + g.SortUp
}

// layout picks the columns that fit and gives them their widths: each its
// least, then what its texts need, the most important first, then the rest to
// the flexible ones.
func (t Table) layout(w int, rows [][]Cell) []column {
	cols := make([]column, 0, len(t.Columns))
	natural := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		natural[i] = Width(t.title(c))
		for _, r := range rows {
			if i < len(r) {
				natural[i] = max(natural[i], Width(r[i].Text))
			}
		}
		least := c.Min
		if least <= 0 {
			least = max(1, natural[i])
		}
		if c.Max > 0 {
			least = min(least, c.Max)
			natural[i] = min(natural[i], c.Max)
		}
		cols = append(cols, column{c, i, least})
	}
	total := func() int {
		sum := t.gap() * max(0, len(cols)-1)
		for _, c := range cols {
			sum += c.width
		}
		return sum
	}
	for len(cols) > 1 && total() > w {
		worst := 0
		for i, c := range cols {
			if c.Priority >= cols[worst].Priority {
				worst = i
			}
		}
		cols = slices.Delete(cols, worst, worst+1)
	}
	spare := w - total()
	if spare < 0 { // one column, too wide
		cols[0].width = w
		return cols
	}
	for _, i := range byPriority(cols) {
		grow := min(spare, max(0, natural[cols[i].index]-cols[i].width))
		cols[i].width += grow
		spare -= grow
	}
	share(cols, spare)
	return cols
}

// byPriority returns the columns' places, the most important first.
func byPriority(cols []column) []int {
	order := make([]int, len(cols))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cols[a].Priority - cols[b].Priority })
	return order
}

// share gives spare cells to the flexible columns, in proportion and within
// their Max.
func share(cols []column, spare int) {
	for spare > 0 {
		flex := 0
		for _, c := range cols {
			if c.Flex > 0 && (c.Max <= 0 || c.width < c.Max) {
				flex += c.Flex
			}
		}
		if flex == 0 {
			return
		}
		left := spare
		for i, c := range cols {
			if c.Flex <= 0 || (c.Max > 0 && c.width >= c.Max) {
				continue
			}
			grow := min(left, max(1, spare*c.Flex/flex))
			if c.Max > 0 {
				grow = min(grow, c.Max-c.width)
			}
			cols[i].width += grow
			left -= grow
		}
		spare = left
	}
}

func (t Table) header(cols []column) string {
	var b strings.Builder
	for i, c := range cols {
		if i > 0 {
			b.WriteString(blanks(t.gap()))
		}
		st := t.Styles.Label
		if t.Sort != "" && c.Title == t.Sort {
			st = t.Styles.Accent
		}
		b.WriteString(st.Render(aligned(t.title(c.Column), c)))
	}
	return b.String()
}

func (t Table) row(r []Cell, cols []column) string {
	var b strings.Builder
	for i, c := range cols {
		if i > 0 {
			b.WriteString(blanks(t.gap()))
		}
		if c.index >= len(r) {
			b.WriteString(blanks(c.width))
			continue
		}
		cell := r[c.index]
		text, n := clip(cell.Text, c.width, Tail)
		if n > 0 {
			text = cell.Style.Render(text)
		}
		b.WriteString(aligned(text, c))
	}
	return b.String()
}

func aligned(s string, c column) string {
	if c.Align == Right {
		return FitRight(s, c.width)
	}
	return Fit(s, c.width)
}
