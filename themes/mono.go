package themes

import "charm.land/lipgloss/v2"

// mono has no colour at all. Severity is told by its glyph and by weight.
func mono() Theme {
	plain := lipgloss.NewStyle()
	bold, dim := plain.Bold(true), plain.Faint(true)
	return Theme{
		Name:      "mono",
		Dark:      true,
		NoColor:   true,
		Title:     bold,
		Text:      plain,
		Dim:       dim,
		Faint:     dim,
		Label:     dim,
		Value:     plain,
		Unit:      dim,
		Accent:    bold,
		Border:    dim,
		TabActive: bold.Reverse(true),
		TabIdle:   plain,
		Good:      plain,
		Warn:      bold,
		Bad:       bold,
		Stale:     dim,
		Select:    plain.Reverse(true),
		Bar:       plain,
		BarTrack:  dim,
		Series:    []lipgloss.Style{plain, bold, dim, plain, bold, dim},
		Heat:      []lipgloss.Style{plain, plain, plain, plain},
	}
}
