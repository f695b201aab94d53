package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes an outside string fit to be drawn: escape sequences (CSI, OSC,
// DCS and the like), controls, invalid UTF-8, bidirectional and zero-width
// characters go; any run of white space, line ends included, becomes one
// space; at most two marks stay on a letter. What is longer than maxRunes
// ends in "…". The answer is one line, and cleaning it again changes nothing.
func Clean(s string, maxRunes int) string { return strip(s, maxRunes, oneLine) }

// CleanBytes is Clean of a body or a line that is still bytes.
func CleanBytes(b []byte, maxRunes int) string {
	// A sequence can be long, but a body beyond this brings nothing more.
	return Clean(string(b[:min(len(b), 16*max(maxRunes, 0)+maxSequence)]), maxRunes)
}

// Safe is Clean of a string that may hold secrets, such as a server's error
// body: it redacts before the cut, and once more after the stripping, which
// joins what control characters kept apart.
func Safe(s string, maxRunes int) string {
	// A body of megabytes would take seconds to redact, and what lies far behind
	// the cut brings nothing.
	s = s[:min(len(s), 16*max(maxRunes, 0)+maxSequence)]
	s = Redact(strip(s, len(s), keepLines))
	return Clean(Redact(Clean(s, len(s))), maxRunes)
}

// FileName turns an outside string into one path element of letters, digits,
// '.', '_' and '-', at most 100 bytes, that starts with neither '.' nor '-'.
// Different strings may give the same name: add an id where that matters.
func FileName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		}
		return '-'
	}, Clean(s, 400))
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "-")
	}
	s = strings.TrimLeft(s, ".-")
	s = strings.TrimRight(s[:min(len(s), 100)], ".-")
	if s == "" {
		return "unnamed"
	}
	return s
}

// space says what becomes of white space.
type space int

const (
	oneLine    space = iota // every run is one space, none at the ends
	keepSpaces              // line ends and tabs are one space each
	keepLines               // line ends stay
)

// maxMarks is how many combining marks may follow a letter. Real scripts need
// two; stacks of them draw over the lines above.
const maxMarks = 2

func strip(s string, maxRunes int, ws space) string {
	if maxRunes <= 0 {
		return ""
	}
	var b strings.Builder
	b.Grow(min(len(s), 4*maxRunes))
	// cut is where the text ends if one more rune than allowed follows.
	n, cut, marks, pending := 0, 0, maxMarks, false
	put := func(r rune) bool {
		if n == maxRunes-1 {
			cut = b.Len()
		}
		if n == maxRunes {
			return false
		}
		b.WriteRune(r)
		n++
		return true
	}
	for i := 0; i < len(s); {
		if skip := sequence(s[i:]); skip > 0 {
			i += skip
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == utf8.RuneError && size == 1:
			continue
		case r == '\n' && ws == keepLines:
		case unicode.IsSpace(r), unicode.Is(unicode.Zs, r):
			r = ' '
		case blank(r) || !unicode.IsGraphic(r):
			continue
		}
		if unicode.Is(unicode.M, r) {
			// Marks at the start would land on the neighbouring cell.
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		if r == ' ' && ws == oneLine {
			pending, marks = n > 0, maxMarks
			continue
		}
		if pending {
			pending = false
			if !put(' ') {
				return b.String()[:cut] + "…"
			}
		}
		if !put(r) {
			return b.String()[:cut] + "…"
		}
	}
	return b.String()
}

// blank names graphic characters without a width or a look of their own, and
// the variation selectors that change the width of their neighbour.
func blank(r rune) bool {
	switch {
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0,
		r >= 0x180b && r <= 0x180f, r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef:
		return true
	}
	return false
}

// maxSequence is how far the end of a string sequence (OSC, DCS …) is looked
// for. Without an end in reach only its introducer is dropped: losing the rest
// of an error message would help nobody.
const maxSequence = 4096

// sequence returns the length of the escape sequence that s starts with, 0
// when it starts with none. Introducers are ESC and the C1 controls in UTF-8;
// C1 as bare bytes is invalid UTF-8 and goes as such.
func sequence(s string) int {
	const esc = 0x1b
	kind, at := byte(0), 0
	switch {
	case len(s) >= 1 && s[0] == esc:
		if len(s) == 1 {
			return 1
		}
		kind, at = s[1], 2
	case len(s) >= 2 && s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f:
		kind, at = s[1]-0x40, 2 // the 7-bit spelling's second byte
	default:
		return 0
	}
	switch {
	case kind == '[':
		for at < len(s) && s[at] >= 0x20 && s[at] <= 0x3f {
			at++
		}
		if at < len(s) && s[at] >= 0x40 && s[at] <= 0x7e {
			at++
		}
		return at
	case kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_':
		body := s[at:min(len(s), at+maxSequence)]
		for i := range len(body) {
			switch {
			case body[i] == 0x07:
				return at + i + 1
			case body[i] == 0x18 || body[i] == 0x1a: // CAN, SUB abort it
				return at + i + 1
			case body[i] == esc && i+1 < len(body) && body[i+1] == '\\':
				return at + i + 2
			case body[i] == esc:
				return at + i // a new sequence ends this one
			case body[i] == 0xc2 && i+1 < len(body) && body[i+1] == 0x9c:
				return at + i + 2
			case body[i] == 0xc2 && i+1 < len(body) && body[i+1] < 0xa0:
				return at + i
			}
		}
		return at
	case s[0] != esc:
		return at
	}
	// ESC, intermediates, one final byte: "ESC ( B".
	at = 1
	for at < len(s) && s[at] >= 0x20 && s[at] <= 0x2f {
		at++
	}
	if at < len(s) && s[at] >= 0x30 && s[at] <= 0x7e {
		at++
	}
	return at
}
