package themes

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
func (s Styles) Of(l Level) Style {
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
