package cells

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		name, in string
		w        int
		want     string
	}{
		{"fills", "ab", 4, "ab  "},
		{"exact", "abcd", 4, "abcd"},
		{"cuts", "abcdef", 4, "abc…"},
		{"one cell", "abcdef", 1, "…"},
		{"no cell", "abcdef", 0, ""},
		{"negative", "abcdef", -3, ""},
		{"empty", "", 3, "   "},
		{"wide characters", "日本語", 6, "日本語"},
		{"half a wide character is not drawn", "日本語", 4, "日… "},
		{"wide at the edge", "日本語", 5, "日本…"},
		{"combining mark", "e\u0301te\u0301", 4, "e\u0301te\u0301 "},
		{"mark without a letter", "\u0301a", 2, "a "},
		{"style passes", "\x1b[31mab\x1b[m", 3, "\x1b[31mab\x1b[m "},
		{"open style is closed", "\x1b[31mab", 3, "\x1b[31mab\x1b[m "},
		{"cut inside a style closes it", "\x1b[1;31mabcdef\x1b[m", 3, "\x1b[1;31mab…\x1b[m"},
		{"tab and newline", "a\tb\nc", 5, "a b c"},
		{"control characters", "a\x07\x00b", 3, "ab "},
		{"clear screen", "a\x1b[2Jb", 3, "ab "},
		{"window title", "a\x1b]0;owned\x07b", 3, "ab "},
		{"open string sequence takes the rest", "a\x1b]0;owned", 3, "a  "},
		{"C1", "a\u009b31mb", 6, "a31mb "},
		{"invalid bytes", "a\xffb", 3, "a?b"},
		{"direction override", "a\u202eb", 3, "ab "},
		{"disputed width", "a👩‍👩‍👧b", 3, "a?b"},
		{"emoji of agreed width", "a🚀b", 4, "a🚀b"},
		{"Thai vowel of disputed width", "กำ", 3, "?  "},
		{"vowel without a letter", "\u0e33a", 2, "?a"},
		{"half a flag", "🇩x", 3, "?x "},
		{"pile of marks", "a" + strings.Repeat("\u0301", 40), 2, "? "},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Fit(c.in, c.w); got != c.want {
				t.Errorf("Fit(%q, %d) = %q, want %q", c.in, c.w, got, c.want)
			}
		})
	}
	if got := FitRight("7", 3); got != "  7" {
		t.Errorf("FitRight = %q", got)
	}
	if got := FitCenter("7", 4); got != " 7  " {
		t.Errorf("FitCenter = %q", got)
	}
	if got := Clip("abcdef", 9); got != "abcdef" {
		t.Errorf("Clip fills: %q", got)
	}
}

// exact fails unless a line is w cells wide for both ways in which terminals
// count, and holds nothing but text and colours.
func exact(t testing.TB, line string, w int) {
	t.Helper()
	if g, wc := ansi.StringWidth(line), ansi.StringWidthWc(line); g != w || wc != w {
		t.Errorf("%q is %d or %d cells wide, want %d", line, g, wc, w)
	}
	rest := line
	for len(rest) > 0 {
		text, _, _, n := next(rest)
		if text == "" || text == " " && rest[0] != ' ' {
			t.Errorf("%q holds something that must not reach a terminal: %q", line, rest[:n])
			return
		}
		rest = rest[n:]
	}
}

func FuzzFit(f *testing.F) {
	for _, s := range []string{"", "abc", "日本語", "e\u0301", "\x1b[31mred\x1b[m", "\x1b[38;2;1;2;3mx", "\x1b]8;;x\x07y\x1b]8;;\x07",
		"\u0600 a", "🇩🇪🇩", "ᄀ각", "\u200d\u200d", "a\u0e33", "\x1b", "\x1b[", "\xf0\x9f", "☀\ufe0f", "क्षि"} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, s string, w int) {
		w = min(max(w, -2), 300)
		for _, got := range []string{Fit(s, w), FitRight(s, w), FitCenter(s, w)} {
			exact(t, got, max(w, 0))
			exact(t, " "+got+" ", max(w, 0)+2) // and neighbours change nothing
			if i := strings.LastIndex(got, "\x1b["); i >= 0 {
				end := strings.IndexByte(got[i:], 'm')
				if end < 0 || opens(got[i:i+end+1]) {
					t.Errorf("a style leaks out of %q", got)
				}
			}
		}
	})
}

func TestASCII(t *testing.T) {
	in := "\x1b[31m● 2.2–4.7 s\x1b[m · 日本\n▏█ 5 µs…"
	want := "\x1b[31m* 2.2-4.7 s\x1b[m . ????\n-# 5 us~"
	if got := ASCII(in); got != want {
		t.Errorf("ASCII = %q, want %q", got, want)
	}
	for sign, twin := range twins {
		if Width(sign) != 1 || len(twin) != 1 {
			t.Errorf("twin %q of %q changes the width", twin, sign)
		}
	}
}
