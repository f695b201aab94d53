package figure

import (
	"math"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
)

// Ranged draws one side of a comparison: a number, or the range it lies in.
func Ranged(c triage.Compared, r triage.Ranged, s themes.Styles) string {
	unit := c.Unit
	spell := func(v float64) string {
		if c.Need.Form == sources.FormRate {
			return text.Rate(v, unit)
		}
		return text.Value(v, unit)
	}
	switch {
	case !r.Has:
		return None(r.Status, s)
	case r.Bounds.N > 0:
		return Bounds(r.Bounds, unit, r.Status, s)
	case r.Lo != r.Hi:
		return s.Value.Render(text.Share(r.Lo, r.Hi))
	case r.Status == sources.StatusStale || r.Status == sources.StatusError:
		return s.Stale.Render(spell(r.Lo))
	}
	return s.Value.Render(spell(r.Lo))
}

// Change draws the difference of a compared number in the colour of what it
// means, with a sign beside it: nothing but dim where it is within noise.
func Change(c triage.Compared, s themes.Styles) string {
	style, sign := direction(c.Direction, s)
	return style.Render(difference(c) + " " + sign)
}

// Sign draws what a comparison says in one cell.
func Sign(d triage.Direction, s themes.Styles) string {
	style, sign := direction(d, s)
	return style.Render(sign)
}

func direction(d triage.Direction, s themes.Styles) (themes.Style, string) {
	g := s.G.Or()
	switch d {
	case triage.ForBetter:
		return s.Theme.Good, g.Good
	case triage.ForWorse:
		return s.Theme.Bad, g.Warn
	case triage.Differs:
		return s.Value, g.Idle
	case triage.Unclear:
		return s.Dim, g.Unknown
	}
	return s.Dim, " "
}

// difference is the size of a change: a ratio for what can be many times more,
// percentage points for shares, a difference where there is no ratio.
func difference(c triage.Compared) string {
	if !c.Before.Has || !c.Now.Has {
		return ""
	}
	if c.Unit == "ratio" && c.Before.Exact() && c.Now.Exact() {
		return signed((c.Now.Lo-c.Before.Lo)*100, "") + " pp"
	}
	r, ok := c.Ratio()
	switch {
	case !ok && c.Before.Exact() && c.Now.Exact():
		return signed(c.Now.Lo-c.Before.Lo, "")
	case !ok:
		return ""
	case r >= 2:
		return text.SI(r) + "×"
	}
	return signed((r-1)*100, "%")
}

func signed(v float64, unit string) string {
	if unit != "" {
		unit = " " + unit
	}
	v = math.Round(v*10) / 10
	if math.Abs(v) >= 10 {
		v = math.Round(v)
	}
	if v >= 0 {
		return "+" + text.SI(v) + unit
	}
	return "-" + text.SI(-v) + unit
}
