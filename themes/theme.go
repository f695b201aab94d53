package themes

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
)

// Theme is every role a pane may draw with. A role is a style without size,
// border or padding; rendering never changes the width of a text.
//
// Text and Value keep the terminal's own foreground: it is readable whatever
// the background really is, and costs nothing on the wire.
type Theme struct {
	Name string
	// Dark and Background say which background the colours were chosen for.
	// The background itself is never painted.
	Dark       bool
	Background string
	// NoColor: the theme tells things apart by bold, dim and reverse only, so
	// that drawings which would lean on hue must use glyphs instead.
	NoColor bool

	Title, Text, Dim, Faint lipgloss.Style
	Label, Value, Unit      lipgloss.Style
	Accent, Border          lipgloss.Style // focus and frames
	TabActive, TabIdle      lipgloss.Style
	Good, Warn, Bad         lipgloss.Style
	Stale                   lipgloss.Style // old or too few samples
	Select                  lipgloss.Style // reverse video
	Bar, BarTrack           lipgloss.Style

	// Series are the colours of lines in one chart, in order; none of them
	// can be taken for good, warn or bad.
	Series []lipgloss.Style
	// Heat goes from almost the background to strong; blank is not in it.
	Heat []lipgloss.Style
}

// SeriesStyle returns the style of the i-th line of a chart; it wraps around.
func (t Theme) SeriesStyle(i int) lipgloss.Style {
	if len(t.Series) == 0 || i < 0 {
		return lipgloss.NewStyle()
	}
	return t.Series[i%len(t.Series)]
}

// Plain returns the theme for NO_COLOR: bold, dim and reverse only. The name
// stays, so that the setting can be shown.
func (t Theme) Plain() Theme {
	m := mono()
	m.Name, m.Dark = t.Name, t.Dark
	return m
}

// all lists the themes in the order in which they are offered. A new theme is
// one file and one word here.
func all() []Theme {
	return []Theme{dark(), light(), highContrast(), colourBlind(), mono()}
}

// Names returns the names of all themes, the default first.
func Names() []string {
	var out []string
	for _, t := range all() {
		out = append(out, t.Name)
	}
	return out
}

// Get returns a theme by name; the empty name is the default, dark.
func Get(name string) (Theme, error) {
	for _, t := range all() {
		if t.Name == name || name == "" {
			return t, nil
		}
	}
	return Theme{}, fmt.Errorf("pick theme %q: no such theme; hint: one of %s", name, strings.Join(Names(), ", "))
}

// palette names a theme's colours by what they are for.
type palette struct {
	name       string
	dark       bool
	background string
	title      string
	dim        string
	faint      string
	label      string
	accent     string
	border     string
	good       string
	warn       string
	bad        string
	bar        string
	track      string
	series     []string
	heat       []string
}

func (p palette) theme() Theme {
	fg := func(c string) lipgloss.Style { return lipgloss.NewStyle().Foreground(lipgloss.Color(c)) }
	list := func(cs []string) []lipgloss.Style {
		out := make([]lipgloss.Style, 0, len(cs))
		for _, c := range cs {
			out = append(out, fg(c))
		}
		return out
	}
	return Theme{
		Name:       p.name,
		Dark:       p.dark,
		Background: p.background,
		Title:      fg(p.title).Bold(true),
		Text:       lipgloss.NewStyle(),
		Dim:        fg(p.dim),
		Faint:      fg(p.faint),
		Label:      fg(p.label),
		Value:      lipgloss.NewStyle(),
		Unit:       fg(p.dim),
		Accent:     fg(p.accent).Bold(true),
		Border:     fg(p.border),
		TabActive:  fg(p.accent).Bold(true).Reverse(true),
		TabIdle:    fg(p.dim),
		Good:       fg(p.good),
		Warn:       fg(p.warn),
		Bad:        fg(p.bad).Bold(true),
		Stale:      fg(p.dim).Italic(true),
		Select:     lipgloss.NewStyle().Reverse(true),
		Bar:        fg(p.bar),
		BarTrack:   fg(p.track),
		Series:     list(p.series),
		Heat:       list(p.heat),
	}
}
