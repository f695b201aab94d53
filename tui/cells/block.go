package cells

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Block returns exactly h lines of exactly w cells, joined by newlines: lines
// are cut or filled, missing ones are blank, the rest is left out. With no
// height it is "".
func Block(lines []string, w, h int) string {
	if h <= 0 {
		return ""
	}
	var b strings.Builder
	for i := range h {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i < len(lines) {
			b.WriteString(Fit(lines[i], w))
		} else if w > 0 {
			b.WriteString(blanks(w))
		}
	}
	return b.String()
}

// Blank returns an empty block.
func Blank(w, h int) string { return Block(nil, w, h) }

// Message returns a block with one sentence in its middle: the empty state of
// a table or chart.
func Message(s string, w, h int) string {
	if h <= 0 || w <= 0 {
		return Blank(w, h)
	}
	text := Wrap(s, w)
	if len(text) > h {
		text = text[:h]
	}
	lines := make([]string, (h-len(text))/2, h)
	for _, l := range text {
		lines = append(lines, FitCenter(l, w))
	}
	return Block(lines, w, h)
}

// Lines splits a block into its lines; "" has none.
func Lines(block string) []string {
	if block == "" {
		return nil
	}
	return strings.Split(block, "\n")
}

// Join lays blocks side by side with sep between them in every row. Shorter
// blocks are filled with blanks; blocks without cells are left out.
func Join(sep string, blocks ...string) string {
	type column struct {
		lines []string
		width int
	}
	var cols []column
	height := 0
	for _, b := range blocks {
		c := column{lines: Lines(b)}
		for _, l := range c.lines {
			c.width = max(c.width, Width(l))
		}
		if c.width > 0 {
			cols = append(cols, c)
			height = max(height, len(c.lines))
		}
	}
	var b strings.Builder
	for y := range height {
		if y > 0 {
			b.WriteByte('\n')
		}
		for i, c := range cols {
			if i > 0 {
				b.WriteString(sep)
			}
			if y < len(c.lines) {
				b.WriteString(Fit(c.lines[y], c.width))
			} else {
				b.WriteString(blanks(c.width))
			}
		}
	}
	return b.String()
}

// Stack lays blocks below each other; blocks without lines are left out.
func Stack(blocks ...string) string {
	var kept []string
	for _, b := range blocks {
		if b != "" {
			kept = append(kept, b)
		}
	}
	return strings.Join(kept, "\n")
}

// Wrap breaks a text at blanks into lines of at most w cells, words that are
// too long in the middle. Each line carries its own styles. Newlines in the
// text break it too.
func Wrap(s string, w int) []string {
	if w <= 0 || s == "" {
		return nil
	}
	var out []string
	for _, para := range strings.Split(s, "\n") {
		para, _ = clip(para, Width(para), "")
		open := ""
		for _, l := range strings.Split(ansi.Wrap(para, w, ""), "\n") {
			line := open + l
			open = styleAfter(line)
			if open != "" {
				line += reset
			}
			// Wrap breaks between clusters only, so this cuts nothing but
			// a wide character that is alone in too narrow a line.
			line, _ = clip(line, w, "")
			out = append(out, line)
		}
	}
	return out
}

// styleAfter returns the SGR sequences in force at the end of a line.
func styleAfter(s string) string {
	if plain(s) {
		return ""
	}
	open := ""
	for len(s) > 0 {
		text, _, sgr, n := next(s)
		s = s[n:]
		if sgr {
			if opens(text) {
				open += text
			} else {
				open = ""
			}
		}
	}
	return open
}
