package themes

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
)

// Style is a role ready to draw: what stands before and after a text. Lip
// Gloss works that out once, when the theme is made; doing it anew for every
// cell was a third of the time to draw a screen. The zero value draws as is.
type Style struct {
	open, shut string
	from       lipgloss.Style
}

// made turns a Lip Gloss style without size, border or padding into a Style.
func made(from lipgloss.Style) Style {
	open, shut, _ := strings.Cut(from.Render("x"), "x")
	return Style{open, shut, from}
}

// Render draws a text, each of its lines by itself. An empty one stays empty.
func (s Style) Render(text string) string {
	switch {
	case text == "" || s.open == "":
		return text
	case strings.IndexByte(text, '\n') < 0:
		return s.open + text + s.shut
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = s.Render(l)
	}
	return strings.Join(lines, "\n")
}

// Around is what Render puts before and after a line.
func (s Style) Around() (open, shut string) { return s.open, s.shut }

// Italic is the same style in italics.
func (s Style) Italic() Style { return made(s.from.Italic(true)) }

// Foreground is the colour of the text.
func (s Style) Foreground() color.Color { return s.from.GetForeground() }
