package facts

import (
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/pane"
)

// Chart is several courses over the window in one picture.
type Chart struct {
	Title string
	Names []string
	Needs []sources.Need // one a name, each of one group
	// Ratio fixes the axis to 0…100 %.
	Ratio bool
	// Format writes the axis; nil means plain numbers.
	Format func(float64) string
}

// axisWidth is kept for the chart's axis, about.
const axisWidth = 8

// points is how many columns the courses of a chart of width w have: no more
// than seconds.
func (c Chart) points(f pane.Frame, w int) int {
	return max(min(w-axisWidth, int(f.Span()/time.Second)), 1)
}

// Questions are the courses of a chart of width w.
func (c Chart) Questions(f pane.Frame, w int) []sources.Need {
	var out []sources.Need
	for _, n := range c.Needs {
		out = append(out, n.Over(f.Columns(c.points(f, w))))
	}
	return out
}

// View draws the chart with its title and legend in w×h cells.
func (c Chart) View(f pane.Frame, w, h int) string {
	if w <= 0 || h <= 1 {
		return cells.Blank(w, h)
	}
	st := f.Styles
	n := c.points(f, w)
	from, to, step := axis(f, n)
	var series []sources.Series
	var names []string
	status := sources.StatusAbsent
	for i, need := range c.Needs {
		fig := f.Snap.Figure(need.Over(f.Columns(n)))
		status = max(status, fig.Status)
		s := sources.Series{}
		if fig.HasValue() {
			s = fig.Series[0]
			names = append(names, c.Names[i])
		} else {
			names = append(names, c.Names[i]+" "+fig.Status.String())
		}
		series = append(series, s)
	}
	o := chart.LineOpts{W: w, H: h - 1, From: from, To: to, Step: step, Zero: true, Styles: st, Empty: status.String(), Format: c.Format}
	if c.Ratio {
		o.Lo, o.Hi, o.Format = 0, 1, text.Percent
	}
	title := st.Title.Render(c.Title)
	legend := chart.Legend(names, max(w-cells.Width(c.Title)-2, 0), st)
	return cells.Stack(cells.Line(w, cells.L(title, 0), cells.R(legend, 1)), chart.Line(series, o))
}
