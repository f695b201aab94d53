package chart

import (
	"dynascope/sources"
	"dynascope/themes"
)

// Events are the marks of what happened: bad news in the warning's colour and
// sign, the rest dim.
func Events(list []sources.Event, s themes.Styles) []Event {
	out := make([]Event, 0, len(list))
	for _, e := range list {
		m := Event{At: e.At, Style: s.Dim, Sign: s.G.Or().Idle}
		if e.Kind.Bad() {
			m.Style, m.Sign = s.Theme.Warn, s.G.Or().Warn
		}
		out = append(out, m)
	}
	return out
}

// EventRow draws the marks of n columns of time in n cells, the bad ones over
// the others; track is what lies between them.
func EventRow(events []Event, o LineOpts, track string) string {
	a, ok := newAxis(o.From, o.To, o.W)
	if !ok {
		return ""
	}
	line := newRaster(a.n, 1)
	faint := line.ink(o.Styles.Faint)
	for x := range a.n {
		line.put(x, 0, first(track), faint)
	}
	mark(line, a, events, o.Styles)
	return line.rows()[0]
}

// mark puts the signs of events on a line of time; of two in one column the
// bad one is seen.
func mark(line *raster, a axis, events []Event, s themes.Styles) {
	warn := s.G.Or().Warn
	for _, bad := range []bool{false, true} {
		for _, e := range events {
			sign := e.Sign
			if sign == "" {
				sign = warn
			}
			if x, ok := a.column(e.At.UnixMilli()); ok && (sign == warn) == bad {
				line.put(x, 0, first(sign), line.ink(e.Style))
			}
		}
	}
}
