package cells

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// longestCluster bounds the bytes of one drawn character: a letter under
// hundreds of combining marks is an attack on the terminal, not a name.
const longestCluster = 32

const reset = "\x1b[m"

// plain says whether a text is printable ASCII only, so that its width is its
// length. Nearly all text is, and skips the scanner.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// next reads one piece at the start of a non-empty text: what to draw for it
// (may be empty), its width, whether it is an SGR sequence, and how many bytes
// were read (at least one).
func next(s string) (text string, width int, sgr bool, n int) {
	c := s[0]
	switch {
	case c == 0x1b:
		n = escape(s)
		if isSGR(s[:n]) {
			return s[:n], 0, true, n
		}
		return "", 0, false, n
	case c == '\t' || c == '\n' || c == '\r':
		return " ", 1, false, 1
	case c < 0x20 || c == 0x7f:
		return "", 0, false, 1
	}
	if n := simple(s); n > 0 {
		return s[:n], 1, false, n
	}
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size <= 1:
		return "?", 1, false, 1
	case r >= 0x80 && r <= 0x9f: // C1: an escape in one character
		return "", 0, false, size
	}
	cluster, w := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
	if !clean(cluster) {
		// Broken bytes can pull control characters into a cluster.
		if r < utf8.RuneSelf {
			return s[:1], 1, false, 1
		}
		return "?", 1, false, size
	}
	switch {
	case w == 0:
		// Marks without a letter, joiners, direction overrides.
		return "", 0, false, len(cluster)
	case len(cluster) > longestCluster || ansi.StringWidthWc(cluster) != w || ansi.StringWidth(cluster) != w || joins(r, cluster):
		return "?", 1, false, len(cluster)
	}
	return cluster, w, false, len(cluster)
}

// joins says whether a cluster would melt into what stands before or after it
// once pieces are laid side by side: marks and halves that start one, signs
// that take in the next character.
func joins(r rune, cluster string) bool {
	switch {
	case r < 0x300:
		return false
	case unicode.Is(unicode.M, r), r == 0x0e33, r == 0x0eb3: // Thai and Lao vowels that count as marks
		return true
	case r >= 0x1160 && r <= 0x11ff: // Hangul vowels and finals alone
		return true
	case r >= 0x1f1e6 && r <= 0x1f1ff && len(cluster) == 4: // half a flag
		return true
	case r >= 0x600 && r <= 0x8ff, r == 0x0d4e, r >= 0x110bd && r <= 0x11f02:
		taken, _ := ansi.FirstGraphemeCluster(cluster+" ", ansi.GraphemeWidth)
		return len(taken) > len(cluster)
	}
	return false
}

// clean says whether a cluster is valid text without control characters.
func clean(cluster string) bool {
	for _, r := range cluster {
		if r < 0x20 || r >= 0x7f && r <= 0x9f || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// simple returns the length of a sign at the start of a text that is one cell
// in every terminal and has no mark on it: printable ASCII, and the lines,
// blocks, shapes and braille dots that charts are made of. 0 is anything else.
// It spares the cluster rules, which are most of the cost of a screen.
func simple(s string) int {
	n := 1
	switch c := s[0]; {
	case c >= 0x20 && c <= 0x7e:
	case c == 0xe2 && len(s) >= 3 && chartSign(s):
		n = 3
	default:
		return 0
	}
	if len(s) == n || s[n] < utf8.RuneSelf || s[n] == 0xe2 && chartSign(s[n:]) {
		return n
	}
	return 0 // what follows may be a mark
}

// chartSign says whether U+2500…25BF, U+25C0…25EF or U+2800…28FF comes first.
func chartSign(s string) bool {
	if len(s) < 3 || s[2] < 0x80 || s[2] > 0xbf {
		return false
	}
	c := s[1]
	return c >= 0x94 && c <= 0x96 || c == 0x97 && s[2] < 0xb0 || c >= 0xa0 && c <= 0xa3
}

// escape returns the length of the escape sequence at the start of a text. A
// string sequence without an end takes the rest, as it does in a terminal.
func escape(s string) int {
	if len(s) == 1 {
		return 1
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
			if s[i] < 0x20 || s[i] > 0x7e {
				return i // broken off; the rest is text
			}
		}
		return len(s)
	case ']', 'P', 'X', '^', '_':
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	if s[1] >= 0x20 && s[1] <= 0x7e {
		return 2
	}
	return 1
}

// isSGR says whether an escape sequence sets colours and attributes only.
func isSGR(s string) bool {
	if len(s) < 3 || s[1] != '[' || s[len(s)-1] != 'm' {
		return false
	}
	for i := 2; i < len(s)-1; i++ {
		if c := s[i]; (c < '0' || c > '9') && c != ';' && c != ':' {
			return false
		}
	}
	return true
}

// opens says whether a style is in force after an SGR sequence.
func opens(sgr string) bool { return strings.Trim(sgr[2:len(sgr)-1], "0") != "" }

// Width returns how many cells a text takes when drawn by this package.
func Width(s string) int {
	if plain(s) {
		return len(s)
	}
	total := 0
	for len(s) > 0 {
		_, w, _, n := next(s)
		total += w
		s = s[n:]
	}
	return total
}

// Strip returns a text without styles and without anything else that is not
// drawn.
func Strip(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		text, _, sgr, n := next(s)
		if !sgr {
			b.WriteString(text)
		}
		s = s[n:]
	}
	return b.String()
}

// clip returns the text cut to at most w cells, with the tail in its last
// cells where something was cut, and the width of the result. A style that is
// open at the end is closed.
func clip(s string, w int, tail string) (string, int) {
	out, n, _ := clipped(s, w, tail)
	return out, n
}

// clipped is clip that also says whether the width is beyond doubt.
func clipped(s string, w int, tail string) (out string, n int, sure bool) {
	if w <= 0 {
		return "", 0, true
	}
	tw := Width(tail)
	if tw > w {
		tail, tw = "", 0
	}
	if plain(s) {
		if len(s) <= w {
			return s, len(s), true
		}
		return s[:w-tw] + tail, w, true
	}
	var b strings.Builder
	b.Grow(len(s))
	width, open := 0, false
	sure = true
	cut, cutWidth, cutOpen := 0, 0, false // the last place where the tail fits
	for len(s) > 0 {
		sure = sure && (s[0] < 0x20 || s[0] == 0x7f || simple(s) > 0)
		text, tww, sgr, n := next(s)
		s = s[n:]
		if sgr {
			open = opens(text)
		} else if width+tww > w {
			kept := b.String()[:cut] + tail
			if cutOpen {
				kept += reset
			}
			return kept, cutWidth + tw, sure
		}
		b.WriteString(text)
		width += tww
		if width <= w-tw {
			cut, cutWidth, cutOpen = b.Len(), width, open
		}
	}
	if open {
		b.WriteString(reset)
	}
	return b.String(), width, sure
}

// ascii redraws a text so that only printable ASCII and styles are left, in
// the same number of cells. Signs of ours have twins; others become "?".
func ascii(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		text, w, sgr, n := next(s)
		s = s[n:]
		switch {
		case sgr || plain(text):
			b.WriteString(text)
		default:
			t := "?"
			if twin, ok := twins[text]; ok {
				t = twin
			}
			b.WriteString(t + strings.Repeat("?", max(0, w-1)))
		}
	}
	return b.String()
}
