package routing

import (
	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/pane"
)

// drawn is one line of a chart.
type drawn struct {
	name string
	need sources.Need
}

// courses are those that a part can draw below its facts; they are asked
// for its sparklines anyway.
func courses(i part, f pane.Frame) []drawn {
	c := course(f)
	switch i {
	case partCache:
		return []drawn{{"predicted at routing, by request", c.Over(needPredicted)}, {"real at the engine, by token", c.Over(needReal)}}
	case partQueue:
		return []drawn{{"waiting in the router", c.Over(needPending)}}
	case partPlanner:
		return []drawn{{"decode replicas", c.Over(needDecode)}, {"prefill replicas", c.Over(needPrefill)}}
	}
	return nil
}

// charts says whether a part has anything to draw.
func charts(i part, f pane.Frame) bool {
	for _, d := range courses(i, f) {
		if len(f.Snap.Figure(d.need).Series) > 0 {
			return true
		}
	}
	return false
}

func drawChart(i part, f pane.Frame, a area) string {
	c := course(f)
	var series []sources.Series
	var names []string
	for _, d := range courses(i, f) {
		one := sources.Series{}
		if fig := f.Snap.Figure(d.need); len(fig.Series) > 0 {
			one = fig.Series[0]
		}
		series, names = append(series, one), append(names, d.name)
	}
	to := c.At(triage.CourseColumns-1, f.Now())
	o := chart.LineOpts{
		W: a.w, H: a.h - 1, From: to.Add(-c.Span), To: to, Step: c.Step, Zero: true, Styles: f.Styles,
		Format: text.SI, Empty: "no course yet",
	}
	if i == partCache {
		o.Lo, o.Hi, o.Format = 0, 1, text.Percent
	}
	return cells.Stack(chart.Line(series, o), cells.Fit(chart.Legend(names, a.w, f.Styles), a.w))
}
