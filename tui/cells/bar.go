package cells

import (
	"math"
	"strings"

	"dynascope/themes"
)

// Bar returns a bar of exactly w cells for a share of 0…1, in eighths of a
// cell, blank where it ends. Other shares are clamped. A share above 0 shows
// at least its thinnest part, and one below 1 never fills the last eighth, so
// that "none" and "all" stay true. NaN draws the dash of an absent number.
func Bar(share float64, w int, s themes.Styles) string { return bar(share, w, s, false) }

// Gauge is Bar with the empty part drawn, for shares of a capacity.
func Gauge(share float64, w int, s themes.Styles) string { return bar(share, w, s, true) }

func bar(share float64, w int, s themes.Styles, track bool) string {
	if w <= 0 {
		return ""
	}
	g := s.G.Or()
	if math.IsNaN(share) {
		return Fit(s.Dim.Render(g.Absent), w)
	}
	text, used := eighths(share, w, g)
	out := ""
	if used > 0 {
		out = s.Theme.Bar.Render(text)
	}
	if track && used < w {
		return out + s.BarTrack.Render(strings.Repeat(g.Track, w-used))
	}
	return out + blanks(w-used)
}

// eighths returns the glyphs of a bar and how many cells they take.
func eighths(share float64, w int, g themes.Glyphs) (string, int) {
	full := w * 8
	n := int(math.Round(math.Min(1, math.Max(0, share)) * float64(full)))
	if share > 0 && n == 0 {
		n = 1
	}
	if share < 1 && n == full {
		n = full - 1
	}
	text := strings.Repeat(g.BarFull, n/8)
	if n%8 > 0 {
		return text + g.BarParts[n%8-1], n/8 + 1
	}
	return text, n / 8
}
