// Package figure draws one number with what honesty asks of it: absent,
// pending, idle, stale and not-a-number each look different, a quantile is
// the bucket it lies in, and too few samples are dim.
//
// It lays nothing out (that is tui/cells) and judges nothing as good or bad.
package figure

import (
	"math"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
)

// None returns the sign for a figure without a number.
func None(st sources.Status, s themes.Styles) string {
	g := s.G.Or()
	switch st {
	case sources.StatusPending:
		return s.Dim.Render(g.Ellipsis)
	case sources.StatusIdle:
		return s.Dim.Render("idle")
	case sources.StatusError:
		return s.Warn.Render(g.Unknown)
	case sources.StatusNaN:
		return s.Dim.Render("n/a")
	default: // absent
		return s.Dim.Render(g.Absent)
	}
}

// Number returns a value in its unit, dim with its age when stale.
func Number(v float64, unit string, st sources.Status, age time.Duration, s themes.Styles) string {
	switch {
	case st != sources.StatusOK && st != sources.StatusStale && st != sources.StatusError:
		return None(st, s)
	case math.IsNaN(v):
		return None(sources.StatusNaN, s)
	case st == sources.StatusOK:
		return s.Value.Render(text.Value(v, unit))
	default:
		return s.Stale.Render(text.Value(v, unit) + " (" + text.Age(age) + ")")
	}
}

// Value draws a figure of one group.
func Value(f *sources.Figure, now time.Time, s themes.Styles) string {
	v, ok := f.Value()
	if !ok {
		return None(f.Status, s)
	}
	return Number(v, f.Unit, f.Status, now.Sub(f.At), s)
}

// Cell draws a worker's number in a table column: short, without its unit
// spelled out when the column's title has it.
func Cell(c triage.Cell, unit string, s themes.Styles) string {
	if !c.Has() {
		return None(c.Status, s)
	}
	if c.Status == sources.StatusStale {
		return s.Stale.Render(text.Cell(c.V, unit))
	}
	return s.Value.Render(text.Cell(c.V, unit))
}

// Bounds draws a quantile, dim when it rests on too few samples.
func Bounds(b sources.Bounds, unit string, st sources.Status, s themes.Styles) string {
	if b.N <= 0 {
		if st == sources.StatusOK {
			st = sources.StatusIdle
		}
		return None(st, s)
	}
	out := text.Bounds(b, unit)
	if b.Pinned {
		out += "!" // the last finite edge: the tail may be piled up there
	}
	if !b.Enough {
		out = "~" + out
	}
	switch {
	case st == sources.StatusStale || st == sources.StatusError:
		return s.Stale.Render(out)
	case !b.Enough:
		return s.Dim.Render(out)
	}
	return s.Value.Render(out)
}

// Quantile draws one quantile of a histogram figure.
func Quantile(f *sources.Figure, q float64, s themes.Styles) string {
	b, ok := f.Buckets()
	if !ok {
		return None(f.Status, s)
	}
	bounds, _ := b.Quantile(q)
	return Bounds(bounds, f.Unit, f.Status, s)
}

// Within draws the share of a histogram figure at or below a limit.
func Within(f *sources.Figure, limit time.Duration, s themes.Styles) string {
	b, ok := f.Buckets()
	if !ok {
		return None(f.Status, s)
	}
	lo, hi, ok := b.Within(limit.Seconds())
	if !ok {
		return None(sources.StatusIdle, s)
	}
	if f.Status != sources.StatusOK {
		return s.Stale.Render(text.Share(lo, hi))
	}
	return s.Value.Render(text.Share(lo, hi))
}
