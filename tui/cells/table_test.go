package cells

import (
	"fmt"
	"strings"
	"testing"

	"dynascope/themes"
	"dynascope/tui/golden"
)

func workers(n int, st themes.Styles) Table {
	t := Table{
		Columns: []Column{
			{Title: "worker", Min: 6, Priority: 0},
			{Title: "role", Priority: 3},
			{Title: "host", Min: 8, Max: 24, Flex: 1, Priority: 4},
			{Title: "state", Priority: 1},
			{Title: "queue", Align: Right, Priority: 1},
			{Title: "KV %", Align: Right, Priority: 2},
			{Title: "load", Min: 6, Max: 20, Flex: 2, Priority: 5},
		},
		Selected: None, Sort: "queue", Falling: true,
		Empty: "no workers; hint: start them with DYN_SYSTEM_PORT", Styles: st,
	}
	for i := range n {
		t.Rows = append(t.Rows, []Cell{
			Text(fmt.Sprintf("%04x", 0x7f3a+i*977)), Text("decode"), Text(fmt.Sprintf("node-%d.example:9090", i)),
			Styled(st.G.Or().Good+" up", st.Good), Text(fmt.Sprint(31 * i)), Styled("97", st.Warn),
			Text(Bar(float64(i)/float64(n), 6, st)),
		})
	}
	return t
}

func TestTableIsExact(t *testing.T) {
	dark, _ := themes.Get("dark")
	for _, st := range []themes.Styles{themes.NewStyles(dark, false), themes.NewStyles(dark, true), {}} {
		for _, n := range []int{0, 1, 3, 256} {
			tab := workers(n, st)
			if n > 1 {
				tab.Selected = n - 1
				tab.Rows[1] = []Cell{Text("日本\t\n\x1b[2J👩‍👩‍👧 owned"), Styled("\x1b]0;x\x07evil", st.Bad)}
			}
			for _, w := range sizes {
				for _, h := range []int{0, 1, 2, 5, 24, 70} {
					rectangle(t, "table", tab.View(w, h), w, h)
				}
			}
		}
	}
	rectangle(t, "no columns", Table{Selected: None}.View(20, 3), 20, 3)
	rectangle(t, "no columns but rows", Table{Rows: make([][]Cell, 3)}.View(20, 3), 20, 3)
}

// A row outside the view would be a cursor that has vanished.
func TestSelectionIsAlwaysVisible(t *testing.T) {
	tab := workers(50, themes.Styles{})
	for sel := range 50 {
		for h := 2; h < 20; h++ {
			tab.Selected, tab.Offset = sel, 17
			name := tab.Rows[sel][0].Text
			if !strings.Contains(tab.View(80, h), name) {
				t.Fatalf("row %d (%s) is not visible in %d lines", sel, name, h)
			}
			first := tab.Window(h).First
			if !strings.Contains(Lines(tab.View(80, h))[1], tab.Rows[first][0].Text) {
				t.Fatalf("Window(%d) begins at %d, which is not the row at the top", h, first)
			}
		}
	}
	tab.Selected, tab.Offset = None, 999
	if first := tab.Window(11).First; first != 50-9 {
		t.Errorf("an offset past the end shows from %d", first)
	}
}

// Rows made as they come into view draw the same, and only those are made.
func TestRowsAreMadeAsTheyComeIntoView(t *testing.T) {
	for _, n := range []int{0, 1, 8, 256} {
		tab := workers(n, themes.Styles{})
		for i := range tab.Columns { // widths of their own, not of the texts
			tab.Columns[i].Min, tab.Columns[i].Max, tab.Columns[i].Flex = 9, 9, 0
		}
		lazy, made := tab, 0
		lazy.Rows, lazy.Len = nil, n
		lazy.Row = func(i int) []Cell { made++; return tab.Rows[i] }
		for _, h := range []int{0, 1, 2, 5, 24} {
			for _, sel := range []int{None, 0, n / 2, n - 1} {
				tab.Selected, lazy.Selected, tab.Offset, lazy.Offset = sel, sel, n/3, n/3
				if a, b := tab.View(80, h), lazy.View(80, h); a != b {
					t.Errorf("%d rows, %d lines, selected %d:\n%s\nwant\n%s", n, h, sel, b, a)
				}
				if made > h {
					t.Errorf("made %d of %d rows for %d lines", made, n, h)
				}
				made = 0
			}
		}
	}
}

func TestColumnsDropByPriority(t *testing.T) {
	tab := workers(3, themes.Styles{})
	prev := len(tab.Columns)
	for w := 120; w > 0; w-- {
		cols := tab.layout(w, tab.Rows)
		if len(cols) > prev {
			t.Fatalf("at %d cells a column came back", w)
		}
		prev = len(cols)
		for _, c := range cols {
			if len(cols) > 1 && c.Min > 0 && c.width < c.Min {
				t.Errorf("at %d cells %q is squeezed to %d", w, c.Title, c.width)
			}
			if c.Max > 0 && c.width > c.Max {
				t.Errorf("at %d cells %q grows to %d", w, c.Title, c.width)
			}
		}
		// What is more important than something shown must be shown too.
		worst := 0
		shown := map[int]bool{}
		for _, c := range cols {
			worst = max(worst, c.Priority)
			shown[c.index] = true
		}
		for i, c := range tab.Columns {
			if c.Priority < worst && !shown[i] {
				t.Errorf("at %d cells %q is dropped before something of priority %d", w, c.Title, worst)
			}
		}
	}
}

func TestSelectedRowIsReversedAsAWhole(t *testing.T) {
	dark, _ := themes.Get("dark")
	tab := workers(3, themes.NewStyles(dark, false))
	tab.Selected = 1
	row := Lines(tab.View(90, 5))[2]
	if !strings.HasPrefix(row, "\x1b[7m") || strings.Count(row, "\x1b[") != 2 {
		t.Errorf("the selection is broken by other styles: %q", row)
	}
}

func TestTablePictures(t *testing.T) {
	mono, _ := themes.Get("mono")
	tab := workers(9, themes.NewStyles(mono, false))
	golden.Check(t, "table_wide", tab.View(100, 11))
	golden.Check(t, "table_80", tab.View(80, 11))
	golden.Check(t, "table_narrow", tab.View(30, 6))
	golden.Check(t, "table_ascii", workers(4, themes.NewStyles(mono, true)).View(80, 6))
	golden.Check(t, "table_empty", workers(0, themes.NewStyles(mono, false)).View(60, 5))
	tab.Selected = 1
	golden.Styled(t, "table_selected", tab.View(60, 4))
}
