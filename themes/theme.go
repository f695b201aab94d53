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

	Title, Text, Dim, Faint Style
	Label, Value, Unit      Style
	Accent, Border          Style // focus and frames
	TabActive, TabIdle      Style
	Good, Warn, Bad         Style
	Stale                   Style // old or too few samples
	Select                  Style // reverse video
	Bar, BarTrack           Style

	// Series are the colours of lines in one chart, in order; none of them
	// can be taken for good, warn or bad.
	Series []Style
	// Heat goes from almost the background to strong; blank is not in it.
	Heat []Style
}

// SeriesStyle returns the style of the i-th line of a chart; it wraps around.
func (t Theme) SeriesStyle(i int) Style {
	if len(t.Series) == 0 || i < 0 {
		return Style{}
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
	list := func(cs []string) []Style {
		out := make([]Style, 0, len(cs))
		for _, c := range cs {
			out = append(out, made(fg(c)))
		}
		return out
	}
	return Theme{
		Name:       p.name,
		Dark:       p.dark,
		Background: p.background,
		Title:      made(fg(p.title).Bold(true)),
		Text:       made(lipgloss.NewStyle()),
		Dim:        made(fg(p.dim)),
		Faint:      made(fg(p.faint)),
		Label:      made(fg(p.label)),
		Value:      made(lipgloss.NewStyle()),
		Unit:       made(fg(p.dim)),
		Accent:     made(fg(p.accent).Bold(true)),
		Border:     made(fg(p.border)),
		TabActive:  made(fg(p.accent).Bold(true).Reverse(true)),
		TabIdle:    made(fg(p.dim)),
		Good:       made(fg(p.good)),
		Warn:       made(fg(p.warn)),
		Bad:        made(fg(p.bad).Bold(true)),
		Stale:      made(fg(p.dim).Italic(true)),
		Select:     made(lipgloss.NewStyle().Reverse(true)),
		Bar:        made(fg(p.bar)),
		BarTrack:   made(fg(p.track)),
		Series:     list(p.series),
		Heat:       list(p.heat),
	}
}
