package cells

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Tail marks a cut text; ASCII turns it into "~".
const Tail = "…"

// Fit returns the text in exactly w cells: cut with "…", or filled with blanks
// at its right. A width of 0 or less gives "".
func Fit(s string, w int) string { return fit(s, w, left) }

// FitRight is Fit with the blanks at the left, for numbers.
func FitRight(s string, w int) string { return fit(s, w, right) }

// FitCenter is Fit with the text in the middle.
func FitCenter(s string, w int) string { return fit(s, w, center) }

// Clip cuts a text to at most w cells and does not fill it.
func Clip(s string, w int) string {
	out, _ := clip(s, w, Tail)
	return out
}

type side int

const (
	left side = iota
	right
	center
)

func fit(s string, w int, align side) string {
	if w <= 0 {
		return ""
	}
	text, n, sure := clipped(s, w, Tail)
	out := pad(text, w-n, align)
	// Neighbours can join across pieces (a prepended mark takes in the blank
	// after it). Exactness comes first: draw such a text in ASCII.
	if !sure && ansi.StringWidth(out) != w {
		text = ascii(text)
		out = pad(text, w-Width(text), align)
	}
	return out
}

func pad(text string, n int, align side) string {
	if n <= 0 {
		return text
	}
	switch align {
	case right:
		return blanks(n) + text
	case center:
		return blanks(n/2) + text + blanks(n-n/2)
	default:
		return text + blanks(n)
	}
}

const blank = "                                                                                                                                "

func blanks(n int) string {
	if n <= len(blank) {
		return blank[:n]
	}
	return strings.Repeat(" ", n)
}
