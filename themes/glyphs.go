package themes

import "charm.land/lipgloss/v2"

// Glyphs is one set of signs. Every string is exactly one cell wide.
type Glyphs struct {
	ASCII   bool // nothing outside 7 bits
	Braille bool // the font can be expected to have braille dots

	// Severity and presence; always drawn beside a colour (honesty.md rule 5).
	Good, Warn, Bad, Unknown, Idle, Absent, Stale string

	BarFull  string
	BarParts []string // eight, from one eighth to full
	Track    string   // the empty part of a gauge
	Spark    []rune   // eight, from low to high
	Shade    []rune   // from light to full, without blank
	Segment  []rune   // parts of a stacked bar where colour cannot tell them
	Gap      rune     // a sample is missing

	VLine, HLine, Corner, Tick string // axes
	Dotted                     string // a limit drawn across a chart
	VDotted                    string // a moment drawn across a chart
	Limit                      string // a limit marked on an axis
	Cursor                     string // under a picked column
	Point                      []rune // lines where dots and colours cannot tell them apart

	Dash, Ellipsis, Sep      string
	Up, Down, SortUp, SortDn string
}

// Unicode returns the usual set.
func Unicode() Glyphs {
	return Glyphs{
		Braille: true,
		Good:    "●", Warn: "▲", Bad: "✗", Unknown: "?", Idle: "○", Absent: "–", Stale: "◌",
		BarFull:  "█",
		BarParts: []string{"▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"},
		Track:    "░",
		Spark:    []rune("▁▂▃▄▅▆▇█"),
		Shade:    []rune("░▒▓█"),
		Segment:  []rune("█▒░▓"),
		Gap:      '·',
		VLine:    "│", HLine: "─", Corner: "└", Tick: "┤",
		Dotted: "┄", VDotted: "┊", Limit: "◂", Cursor: "^",
		Point: []rune("•×+○◆▫"),
		Dash:  "–", Ellipsis: "…", Sep: "·",
		Up: "↑", Down: "↓", SortUp: "▲", SortDn: "▼",
	}
}

// ASCII returns the 7-bit twin of Unicode.
func ASCII() Glyphs {
	return Glyphs{
		ASCII: true,
		Good:  "*", Warn: "!", Bad: "x", Unknown: "?", Idle: "o", Absent: "-", Stale: "~",
		BarFull:  "#",
		BarParts: []string{"-", "-", "-", "=", "=", "=", "#", "#"},
		Track:    ".",
		Spark:    []rune("_.,-=+*#"),
		Shade:    []rune(".:-=+*#%@"),
		Segment:  []rune("#=-+:*"),
		Gap:      '.',
		VLine:    "|", HLine: "-", Corner: "+", Tick: "|",
		Dotted: "-", VDotted: ":", Limit: "<", Cursor: "^",
		Point: []rune("*ox+%@"),
		Dash:  "-", Ellipsis: "~", Sep: "|",
		Up: "^", Down: "v", SortUp: "^", SortDn: "v",
	}
}

// Level is what a glyph and its colour say about a thing.
type Level int

// The levels. Unknown is the zero value: nobody has judged yet.
const (
	Unknown Level = iota
	Good
	Warn
	Bad
	Idle
	Absent
	Stale
)

// Styles is what a pane is handed: the roles, and the glyphs as G.
type Styles struct {
	Theme
	G Glyphs
}

// NewStyles joins a theme with the glyph set for it.
func NewStyles(t Theme, ascii bool) Styles {
	if ascii {
		return Styles{Theme: t, G: ASCII()}
	}
	return Styles{Theme: t, G: Unicode()}
}

// Of returns the style of a level.
func (s Styles) Of(l Level) lipgloss.Style {
	switch l {
	case Good:
		return s.Theme.Good
	case Warn:
		return s.Theme.Warn
	case Bad:
		return s.Theme.Bad
	case Stale:
		return s.Theme.Stale
	default:
		return s.Dim
	}
}

// Mark returns the styled glyph of a level, one cell wide.
func (s Styles) Mark(l Level) string {
	g := s.G.Unknown
	switch l {
	case Good:
		g = s.G.Good
	case Warn:
		g = s.G.Warn
	case Bad:
		g = s.G.Bad
	case Idle:
		g = s.G.Idle
	case Absent:
		g = s.G.Absent
	case Stale:
		g = s.G.Stale
	}
	return s.Of(l).Render(g)
}

// Or returns the set, or the Unicode set for the zero value.
func (g Glyphs) Or() Glyphs {
	if g.BarFull == "" {
		return Unicode()
	}
	return g
}
