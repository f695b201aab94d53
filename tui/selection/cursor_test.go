package selection

import (
	"strings"
	"testing"

	"dynascope/tui/pane"
)

// The cursor is on a row, not on a place.
func TestCursorStaysOnItsRow(t *testing.T) {
	var c Cursor[string]
	keys := func(s string) []string { return strings.Fields(s) }
	if c.Placed() || c.Place(nil) != -1 || c.Place(keys("a b c")) != 0 {
		t.Errorf("before it was put anywhere: %+v", c)
	}
	for _, to := range []int{-1, 3} {
		if c.Move(keys("a b c"), to) || c.Placed() {
			t.Errorf("moved to row %d of 3", to)
		}
	}
	if c.Move(keys("a b c"), 0) || !c.Placed() {
		t.Error("the first row is where it was drawn before")
	}
	if !c.Move(keys("a b c"), 1) || c.Key != "b" {
		t.Errorf("on %q, want b", c.Key)
	}
	for rows, want := range map[string]int{
		"b c a": 0, "x a b": 2, // sorted
		"a c": 1, "a": 0, "": -1, // gone: where it was
	} {
		if got := c.Place(keys(rows)); got != want {
			t.Errorf("in %q at %d, want %d", rows, got, want)
		}
	}
	if c.Pick(keys("x b"), 1) || c.At != 1 || !c.Pick(keys("a c"), 1) || c.Key != "c" {
		t.Errorf("picked b, then c: %+v", c)
	}
	if !c.Clear() || c.Clear() || !c.Pick(keys("a b"), 0) {
		t.Errorf("cleared, and put on the first row: %+v", c)
	}
}

func TestStep(t *testing.T) {
	for _, c := range []struct {
		a            pane.Action
		at, n, page  int
		to           int
		ok, onlyLoop bool
	}{
		{pane.Down, -1, 5, 3, 0, true, false},
		{pane.Up, -1, 5, 3, 0, true, false},
		{pane.Down, 2, 5, 3, 3, true, false},
		{pane.Down, 4, 5, 3, 4, true, false},
		{pane.Up, 2, 5, 3, 1, true, false},
		{pane.Up, 0, 5, 3, 0, true, false},
		{pane.PageDown, 0, 5, 3, 3, true, false},
		{pane.PageDown, 3, 5, 3, 4, true, false},
		{pane.PageUp, 4, 5, 3, 1, true, false},
		{pane.PageUp, 1, 5, 3, 0, true, false},
		{pane.Top, 3, 5, 3, 0, true, false},
		{pane.Bottom, 1, 5, 3, 4, true, false},
		{pane.Up, 9, 5, 3, 4, true, false}, // rows went away
		{pane.Next, 1, 5, 3, 2, true, true},
		{pane.Next, 4, 5, 3, 0, true, true},
		{pane.Previous, 0, 5, 3, 4, true, true},
		{pane.Enter, 1, 5, 3, 0, false, false},
		{pane.Down, -1, 0, 3, 0, false, false},
		{pane.Next, -1, 0, 3, 0, false, false},
	} {
		if to, ok := StepRound(c.a, c.at, c.n, c.page); to != c.to || ok != c.ok {
			t.Errorf("round, %s from %d of %d: %d %v, want %d %v", c.a, c.at, c.n, to, ok, c.to, c.ok)
		}
		if c.onlyLoop {
			c.to, c.ok = 0, false
		}
		if to, ok := Step(c.a, c.at, c.n, c.page); to != c.to || ok != c.ok {
			t.Errorf("%s from %d of %d: %d %v, want %d %v", c.a, c.at, c.n, to, ok, c.to, c.ok)
		}
	}
}

// A table of one line has no header, one that hides rows a line that says so.
func TestWindow(t *testing.T) {
	for _, c := range []struct{ rows, h, offset, selected, first, n, page int }{
		{0, 9, 0, -1, 0, 0, 1},
		{9, 0, 0, 0, 0, 0, 1},
		{9, 1, 4, 5, 5, 1, 1},
		{9, 2, 0, 5, 5, 1, 1},
		{9, 4, 0, 0, 0, 3, 2},  // no room for the count
		{9, 6, 0, 0, 0, 4, 3},  // of five lines
		{9, 10, 7, 0, 0, 9, 8}, // all fit
		{9, 6, 3, 6, 3, 4, 3},  // in view already
		{9, 6, 3, 7, 4, 4, 3},
		{9, 6, 99, 8, 5, 4, 3},
	} {
		v := WindowOf(c.rows, c.h, c.offset, c.selected)
		if v.First != c.first || v.N != c.n || Page(v) != c.page {
			t.Errorf("%+v: %+v, page %d", c, v, Page(v))
		}
	}
}
