package chart

import (
	"dynascope/themes"
	"strings"
	"unicode/utf8"
)

// raster is a grid of single-cell signs with styles. Styles are registered
// once and rendered once, since rendering each cell on its own is what makes
// chart libraries slow.
type raster struct {
	w, h   int
	signs  []rune // 0 is blank
	marks  []int  // index into styles; 0 is none
	styles []themes.Style
}

func newRaster(w, h int) *raster {
	return &raster{w: w, h: h, signs: make([]rune, w*h), marks: make([]int, w*h), styles: make([]themes.Style, 1)}
}

// ink registers a style for use in put.
func (m *raster) ink(st themes.Style) int {
	m.styles = append(m.styles, st)
	return len(m.styles) - 1
}

func (m *raster) at(x, y int) rune {
	if x < 0 || y < 0 || x >= m.w || y >= m.h {
		return 0
	}
	return m.signs[y*m.w+x]
}

func (m *raster) put(x, y int, r rune, ink int) {
	if x < 0 || y < 0 || x >= m.w || y >= m.h {
		return
	}
	m.signs[y*m.w+x], m.marks[y*m.w+x] = r, ink
}

// under puts a sign only where nothing was drawn.
func (m *raster) under(x, y int, r rune, ink int) {
	if m.at(x, y) == 0 {
		m.put(x, y, r, ink)
	}
}

// rows returns the lines, each exactly w cells.
func (m *raster) rows() []string {
	before, after := make([]string, len(m.styles)), make([]string, len(m.styles))
	for i, st := range m.styles {
		before[i], after[i] = st.Around()
	}
	out := make([]string, m.h)
	var b strings.Builder
	for y := range m.h {
		b.Reset()
		ink := 0
		for x := range m.w {
			r, i := m.signs[y*m.w+x], m.marks[y*m.w+x]
			if i != ink {
				b.WriteString(after[ink])
				b.WriteString(before[i])
				ink = i
			}
			if r == 0 {
				r = ' '
			}
			b.WriteRune(r)
		}
		b.WriteString(after[ink])
		out[y] = b.String()
	}
	return out
}

// first returns a glyph as the sign it is.
func first(glyph string) rune {
	r, _ := utf8.DecodeRuneInString(glyph)
	return r
}
