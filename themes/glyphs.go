package themes

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

// Or returns the set, or the Unicode set for the zero value.
func (g Glyphs) Or() Glyphs {
	if g.BarFull == "" {
		return Unicode()
	}
	return g
}
