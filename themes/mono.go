package themes

import "charm.land/lipgloss/v2"

// mono has no colour at all. Severity is told by its glyph and by weight.
func mono() Theme {
	base := lipgloss.NewStyle()
	plain, bold, dim := made(base), made(base.Bold(true)), made(base.Faint(true))
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
		TabActive: made(base.Bold(true).Reverse(true)),
		TabIdle:   plain,
		Good:      plain,
		Warn:      bold,
		Bad:       bold,
		Stale:     dim,
		Select:    made(base.Reverse(true)),
		Bar:       plain,
		BarTrack:  dim,
		Series:    []Style{plain, bold, dim, plain, bold, dim},
		Heat:      []Style{plain, plain, plain, plain},
	}
}
