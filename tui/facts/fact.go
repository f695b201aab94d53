package facts

import (
	"math"
	"slices"
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// Reading is how a fact is read from its figure.
type Reading int

// The readings.
const (
	Plain     Reading = iota // in the figure's own unit
	PerSecond                // a growth per second
	Counted                  // events in the window
	Quantile                 // the bucket that one quantile lies in
)

// Rare is the highest priority: facts that few deployments have.
const Rare = 3

// Fact is one number with a name.
type Fact struct {
	Label string
	Need  sources.Need
	As    Reading
	Q     float64 // of a quantile
	// Draw draws the value where a reading does not do.
	Draw func(pane.Frame) string
	// More are further figures that Draw reads, and that e explains.
	More []sources.Need
	// Priority says what goes first when room is short: the highest. A fact
	// of priority Rare that nobody exposes is not drawn at all; e still names
	// it with its group.
	Priority int
	// Optional facts are not drawn either where nobody exposes them.
	Optional bool
	// With is a figure without which the fact means nothing, where Need is
	// derived and cannot tell: absent with it.
	With sources.Need
	// Nonzero facts are drawn only when they are not 0, for what few models
	// have and all engines export.
	Nonzero bool
	// Hide leaves the fact out where it would say nothing.
	Hide func(pane.Frame) bool
	// Basis counts what the fact is part of: where it is live, an idle counter
	// is a true 0.
	Basis sources.Need
	// Course asks for the number's course over the window, one question more.
	Course bool
	// Mark, from 1, is the part of the group's bar that the fact names.
	Mark int
}

// Group is a titled list of facts.
type Group struct {
	ID, Title string
	Facts     []Fact
	// Bar are shares of 0…1 drawn above the facts in the order of their marks;
	// the rest of the bar is track. Nil draws none.
	Bar []sources.Need
	// Quiet says why there is nothing to see here, "" when there is.
	Quiet func(pane.Frame) string
	// Why says why nothing of the group is exposed, where more is known than
	// which flag would bring it; "" where it is not.
	Why func(pane.Frame) string
}

// needs are the fact's questions when its course has n columns.
func (c Fact) needs(f pane.Frame, n int) []sources.Need {
	var out []sources.Need
	if c.Need.Key != "" {
		out = append(out, c.Need)
		if c.Course && n > 0 {
			out = append(out, c.course(f, n))
		}
	}
	for _, n := range []sources.Need{c.With, c.Basis} {
		if n.Key != "" {
			out = append(out, n)
		}
	}
	return append(out, c.More...)
}

func (c Fact) course(f pane.Frame, n int) sources.Need { return c.Need.Over(f.Columns(n)) }

// value draws the number without its age.
func (c Fact) value(f pane.Frame) string {
	if c.Draw != nil {
		return c.Draw(f)
	}
	fig := f.Snap.Figure(c.Need)
	if c.With.Key != "" && f.Snap.Figure(c.With).Status == sources.StatusAbsent {
		return figure.None(sources.StatusAbsent, f.Styles)
	}
	if c.As == Quantile {
		return figure.Quantile(fig, c.Q, f.Styles)
	}
	v, ok := fig.Value()
	switch {
	case !ok && fig.Status == sources.StatusIdle && c.Basis.Key != "" && f.Snap.Figure(c.Basis).Live():
		return f.Styles.Dim.Render("0")
	case !ok:
		return figure.None(fig.Status, f.Styles)
	case math.IsNaN(v):
		return figure.None(sources.StatusNaN, f.Styles)
	case fig.Status != sources.StatusOK:
		return f.Styles.Stale.Render(c.spell(v, fig.Unit))
	}
	return f.Styles.Value.Render(c.spell(v, fig.Unit))
}

// spell writes a number of the fact.
func (c Fact) spell(v float64, unit string) string {
	switch {
	case c.As == PerSecond && v == 0:
		return "0"
	case c.As == PerSecond && unit == "requests":
		return text.SI(v) + "/s" // what is counted stands in the label
	case c.As == PerSecond:
		return text.Rate(v, unit)
	case c.As == Counted && v < 1e5:
		return text.Count(v)
	case c.As == Counted:
		return text.SI(v)
	}
	return text.Value(v, unit)
}

// figures are all that the value is read from.
func (c Fact) figures(f pane.Frame) []*sources.Figure {
	var out []*sources.Figure
	if c.Need.Key != "" {
		out = append(out, f.Snap.Figure(c.Need))
	}
	for _, n := range c.More {
		out = append(out, f.Snap.Figure(n))
	}
	return out
}

// absent says whether nothing of the fact is exposed.
func (c Fact) absent(f pane.Frame) bool {
	if c.With.Key != "" && f.Snap.Figure(c.With).Status == sources.StatusAbsent {
		return true
	}
	if v, ok := f.Snap.Figure(c.Need).Value(); c.Nonzero && ok && v == 0 {
		return true
	}
	return !slices.ContainsFunc(c.figures(f), func(g *sources.Figure) bool { return g.Status != sources.StatusAbsent })
}

// age is how old the number is, empty when it is of now.
func (c Fact) age(f pane.Frame) string {
	for _, g := range c.figures(f) {
		if g.HasValue() && g.Status != sources.StatusOK {
			return text.Age(f.Now().Sub(g.At))
		}
	}
	return ""
}

// allModels: a model was picked, and the number cannot be told apart by it.
func (c Fact) allModels(f pane.Frame) bool {
	return slices.ContainsFunc(c.figures(f), func(g *sources.Figure) bool { return g.AllModels && g.HasValue() })
}

// points are the course on n columns, without those before its first sample.
func (c Fact) points(f pane.Frame, n int) []float64 {
	fig := f.Snap.Figure(c.course(f, n))
	if len(fig.Series) == 0 || f.Snap == nil {
		return nil
	}
	return Points(f, fig.Series[0], n)
}

// Points lays a series on n columns that end at the frame's moment. Columns
// before its first sample are left out: nothing was measured there, which is
// not a gap.
func Points(f pane.Frame, s sources.Series, n int) []float64 {
	from, to, step := axis(f, n)
	points := chart.Columns(s, from, to, step, n)
	if i := slices.IndexFunc(points, func(v float64) bool { return !math.IsNaN(v) }); i >= 0 {
		return points[i:]
	}
	return nil
}

func axis(f pane.Frame, n int) (from, to time.Time, step time.Duration) {
	span, step := f.Columns(n)
	ms := max(step.Milliseconds(), 1)
	to = time.UnixMilli(f.Now().UnixMilli() / ms * ms).UTC()
	return to.Add(-span), to, step
}
