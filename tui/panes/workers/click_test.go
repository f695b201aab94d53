package workers

import (
	"strings"
	"testing"

	"dynascope/tui/cells"
	"dynascope/tui/pane/panetest"
)

// A click lands on the row that is drawn there, at every size and scroll.
func TestClick(t *testing.T) {
	for _, size := range [][2]int{{80, 4}, {80, 20}, {140, 38}} {
		p := New()
		f := panetest.With(p, panetest.Frame(size[0], size[1]), panetest.Many)
		p.move(f, p.listing(f), 40) // scrolled
		f = panetest.With(p, f, panetest.Many)
		drawn := cells.Lines(p.View(f))
		hits := 0
		for y := range f.H {
			q := *p
			if !q.Click(3, y, f) {
				continue
			}
			hits++
			l := q.listing(f)
			if r := l.shown[q.place(l)]; !q.open && !strings.Contains(cells.Strip(drawn[y]), r.Short) {
				t.Errorf("%v: line %d is %q and selects %s", size, y, cells.Strip(drawn[y]), r.Short)
			}
		}
		if hits == 0 {
			t.Errorf("%v: no line takes a click", size)
		}
		for _, y := range []int{-1, f.H, f.H + 9} {
			if p.Click(3, y, f) {
				t.Errorf("%v: took a click at line %d", size, y)
			}
		}
	}
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Empty)
	if p.Click(3, 5, f) {
		t.Error("took a click without rows")
	}
}
