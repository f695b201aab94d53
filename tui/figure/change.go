package figure

import (
	"math"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
)

// Ranged draws a compared number, or the range that it lies in.
func Ranged(r triage.Ranged, unit string, s themes.Styles) string {
	switch {
	case !r.Has:
		return None(r.Status, s)
	case r.Bounds.N > 0:
		return Bounds(r.Bounds, unit, r.Status, s)
	case r.Lo != r.Hi:
		return s.Value.Render(text.Share(r.Lo, r.Hi))
	case r.Status == sources.StatusStale || r.Status == sources.StatusError:
		return s.Stale.Render(text.Value(r.Lo, unit))
	}
	return s.Value.Render(text.Value(r.Lo, unit))
}

// Change draws the difference of a compared number in the colour of what it
// means, with a sign beside it: nothing but dim where it is within noise.
func Change(c triage.Compared, s themes.Styles) string {
	g := s.G.Or()
	style, sign := s.Dim, " "
	switch c.Direction {
	case triage.ForBetter:
		style, sign = s.Theme.Good, g.Good
	case triage.ForWorse:
		style, sign = s.Theme.Bad, g.Warn
	case triage.Differs:
		style, sign = s.Value, g.Idle
	case triage.Unclear:
		sign = g.Unknown
	}
	return style.Render(difference(c) + " " + sign)
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
