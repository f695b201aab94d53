package cells

import (
	"fmt"
	"strings"
	"testing"

	"dynascope/themes"
)

// sizes goes from nothing to a large terminal.
var sizes = []int{0, 1, 2, 3, 5, 8, 13, 24, 40, 80, 120, 250}

// rectangle fails unless a block has exactly w×h cells.
func rectangle(t testing.TB, name, block string, w, h int) {
	t.Helper()
	if h <= 0 {
		if block != "" {
			t.Errorf("%s %d×%d: %q, want nothing", name, w, h, block)
		}
		return
	}
	lines := strings.Split(block, "\n")
	if len(lines) != h {
		t.Errorf("%s %d×%d: %d lines", name, w, h, len(lines))
	}
	for _, l := range lines {
		exact(t, l, w)
	}
}

func TestBlock(t *testing.T) {
	for _, w := range sizes {
		for _, h := range []int{0, 1, 2, 5, 70} {
			rectangle(t, "block", Block([]string{"first", "\x1b[31m日本語 is wide", "x"}, w, h), w, h)
			rectangle(t, "message", Message("no worker metrics; hint: start the worker with DYN_SYSTEM_PORT", w, h), w, h)
			rectangle(t, "blank", Blank(w, h), w, h)
		}
	}
}

func TestJoin(t *testing.T) {
	got := Join(" | ", "a\nb", "", "日本\nx\ny")
	want := "a | 日本\nb | x   \n  | y   "
	if got != want {
		t.Errorf("Join = %q, want %q", got, want)
	}
	if got := Stack("a", "", "b\nc"); got != "a\nb\nc" {
		t.Errorf("Stack = %q", got)
	}
}

func TestWrap(t *testing.T) {
	got := Wrap("\x1b[1mstart the worker\x1b[m with DYN_SYSTEM_PORT", 10)
	want := []string{"\x1b[1mstart the\x1b[m", "\x1b[1mworker\x1b[m", "with", "DYN_SYSTEM", "_PORT"}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("Wrap = %q, want %q", got, want)
	}
	for _, w := range sizes {
		for _, l := range Wrap("a 日本語 e\u0301 👩‍👩‍👧 \x1b[31mred and very-long-words-without-blanks\x1b[2J", w) {
			if Width(l) > w {
				t.Errorf("line %q is wider than %d", l, w)
			}
		}
	}
}

func TestLine(t *testing.T) {
	parts := []Part{L("dynascope", 0), L("prod-qwen3", 2), {Text: "Qwen3-32B", Sep: " · ", Priority: 1}, R("LIVE", 0), R("window 5m", 3)}
	for w, want := range map[int]string{
		0:  "",
		3:  "LI…",
		8:  "dy… LIVE",
		15: "dynascope  LIVE",
		26: "dynascope · Qwen3-32B LIVE",
		40: "dynascope  prod-qwen3 · Qwen3-32B   LIVE",
		52: "dynascope  prod-qwen3 · Qwen3-32B    LIVE  window 5m",
	} {
		if got := Line(w, parts...); got != want {
			t.Errorf("Line(%d) = %q, want %q", w, got, want)
		}
	}
	for _, w := range sizes {
		exact(t, Line(w, parts...), w)
		exact(t, Line(w), w)
	}
}

func TestRuleAndBars(t *testing.T) {
	s := themes.NewStyles(themes.Theme{}, false)
	if got := Rule("GPU", 12, s); got != "─ GPU ──────" {
		t.Errorf("Rule = %q", got)
	}
	for share, want := range map[float64]string{
		0:     "    ",
		1e-9:  "▏   ",
		0.5:   "██  ",
		0.53:  "██▏ ",
		0.999: "███▉",
		1:     "████",
		7:     "████",
		-1:    "    ",
	} {
		if got := Bar(share, 4, s); got != want {
			t.Errorf("Bar(%v) = %q, want %q", share, got, want)
		}
	}
	if got := Gauge(0.25, 4, s); got != "█░░░" {
		t.Errorf("Gauge = %q", got)
	}
	nan := 0.0
	nan /= nan
	if got := Bar(nan, 4, s); got != "–   " {
		t.Errorf("Bar(NaN) = %q", got)
	}
	dark, _ := themes.Get("dark")
	for _, ascii := range []bool{false, true} {
		s := themes.NewStyles(dark, ascii)
		for _, w := range sizes {
			for _, share := range []float64{nan, 0, 0.001, 0.33, 1} {
				exact(t, Bar(share, w, s), w)
				exact(t, Gauge(share, w, s), w)
			}
			exact(t, Rule("a rather long title 日本", w, s), w)
			exact(t, Rule("", w, s), w)
			exact(t, Rule(s.Warn.Render("styled"), w, s), w)
		}
	}
}
