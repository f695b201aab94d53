package gpu

import (
	"fmt"
	"math"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// eachMost is how many GPUs of a host are drawn one by one.
const eachMost = 16

// ofHost is a column of one of the host's numbers.
func ofHost(id, title string, width, priority int, sc selection.Scale, need sources.Need, of func(*hostRow) triage.Cell, spell func(float64) string) column[*hostRow] {
	return column[*hostRow]{
		id: id, title: title, width: width, priority: priority, scale: sc, needs: []sources.Need{need},
		value: func(r *hostRow) (float64, bool) { return valueOf(of(r)) },
		paint: func(r *hostRow, f pane.Frame) string { return number(of(r), spell, f.Styles) },
	}
}

// allHostColumns are all columns of the fleet, in order.
func allHostColumns() []column[*hostRow] {
	return []column[*hostRow]{
		{id: "host", title: "host", text: func(r *hostRow) string { return r.name },
			paint: func(r *hostRow, f pane.Frame) string { return mark(r.Grade, f.Styles) + " " + r.name }},
		{id: "gpus", title: "GPUs", width: 4, priority: 3,
			value: func(r *hostRow) (float64, bool) { return float64(len(r.GPUs)), true },
			paint: func(r *hostRow, f pane.Frame) string { return f.Styles.Value.Render(text.Count(float64(len(r.GPUs)))) }},
		{id: "util", title: "util", width: 14, priority: 1, scale: selection.Percent, left: true, needs: []sources.Need{triage.GPUUtil.Need()},
			value: func(r *hostRow) (float64, bool) { return valueOf(r.Util) },
			paint: func(r *hostRow, f pane.Frame) string {
				return gauge(r.Util, 8, f) + cells.FitRight(number(r.Util, share, f.Styles), 6)
			}},
		{id: "spread", title: "least-most", width: 10, priority: 5, scale: selection.Percent, needs: []sources.Need{triage.GPUUtil.Need()},
			value: func(r *hostRow) (float64, bool) {
				return r.UtilMost.V - r.UtilLeast.V, r.UtilMost.Has() && r.UtilLeast.Has()
			},
			paint: paintSpread},
		{title: "each", priority: 2, left: true, paint: paintEach},
		{title: "over time", priority: 7, left: true},
		{id: "mem", title: "memory", width: 18, priority: 1, scale: selection.Percent, left: true,
			needs: []sources.Need{triage.GPUMemoryUsed.Need(), triage.GPUMemoryTotal.Need()},
			value: func(r *hostRow) (float64, bool) { return valueOf(r.MemoryShare()) },
			paint: func(r *hostRow, f pane.Frame) string {
				return gauge(r.MemoryShare(), 6, f) + cells.FitRight(of(r.Used, r.Total, memory, f), 12)
			}},
		ofHost("sm", "SM", 6, 6, selection.Percent, triage.GPUSMActive.Need(), func(r *hostRow) triage.Cell { return r.SMActive }, share),
		ofHost("tensor", "tensor", 6, 6, selection.Percent, triage.GPUTensor.Need(), func(r *hostRow) triage.Cell { return r.Tensor }, share),
		ofHost("dram", "DRAM", 6, 6, selection.Percent, triage.GPUDRAM.Need(), func(r *hostRow) triage.Cell { return r.DRAM }, share),
		{id: "power", title: "power W", width: 13, priority: 2, needs: []sources.Need{triage.GPUPower.Need(), triage.GPUPowerLimit.Need()},
			value: func(r *hostRow) (float64, bool) { return valueOf(r.Power) },
			paint: func(r *hostRow, f pane.Frame) string { return of(r.Power, r.Limit, watts, f) }},
		ofHost("temp", "hottest", 7, 2, selection.Plain, triage.GPUTemperature.Need(), func(r *hostRow) triage.Cell { return r.Temperature }, degrees),
		{id: "why", title: "worst", width: 20, priority: 1, flex: 1, left: true,
			needs: []sources.Need{triage.GPUReasons.Need(), triage.GPUThrottledThermal.Need(), triage.GPUXID.Need(), triage.GPUUncorrected.Need()},
			value: func(r *hostRow) (float64, bool) { return float64(r.Grade), r.Worst != nil },
			paint: paintWorst},
	}
}

func paintSpread(r *hostRow, f pane.Frame) string {
	if !r.UtilLeast.Has() {
		return figure.None(r.UtilLeast.Status, f.Styles)
	}
	out := fmt.Sprintf("%.0f–%.0f%%", 100*clamp(r.UtilLeast.V), 100*clamp(r.UtilMost.V))
	if r.Util.Status != sources.StatusOK {
		return f.Styles.Stale.Render(out)
	}
	return f.Styles.Value.Render(out)
}

func clamp(share float64) float64 { return min(max(share, 0), 1) }

// paintEach draws the utilisation of each GPU in one cell.
func paintEach(r *hostRow, f pane.Frame) string {
	points := make([]float64, 0, min(len(r.GPUs), eachMost))
	any := false
	for _, g := range r.GPUs[:min(len(r.GPUs), eachMost)] {
		v, ok := valueOf(g.Of(triage.GPUUtil))
		if !ok {
			v = math.NaN()
		}
		any = any || ok
		points = append(points, v)
	}
	if !any {
		return figure.None(r.Util.Status, f.Styles)
	}
	st := f.Styles.Theme.Bar
	if r.Util.Status != sources.StatusOK {
		st = f.Styles.Stale
	}
	return chart.Spark(points, len(points), chart.SparkOpts{Zero: true, Hi: 1, Style: st, Glyphs: f.Styles.G})
}

// paintWorst names the GPU with the worst concern.
func paintWorst(r *hostRow, f pane.Frame) string {
	if r.Worst == nil {
		if r.Util.Has() || r.Temperature.Has() {
			return f.Styles.Dim.Render("nothing")
		}
		return figure.None(r.Util.Status, f.Styles)
	}
	out := "gpu " + text.Clean(r.Worst.Index, 8) + " " + text.Clean(r.Why, 80)
	if r.Concerned > 1 {
		out += fmt.Sprintf(" +%d more", r.Concerned-1)
	}
	return graded(out, r.Grade, f.Styles)
}

// hostColumns places the columns on a screen.
func hostColumns(f pane.Frame, l *listing) []column[*hostRow] {
	most := 0
	for i := range l.hosts {
		most = max(most, len(l.hosts[i].GPUs))
	}
	var out []column[*hostRow]
	for _, c := range allHostColumns() {
		switch c.title {
		case "host":
			c.width = min(max(l.hostWidth, 4), 24) + 2
		case "worst":
			if f.W >= wide {
				c.width = 32
			}
		case "each":
			c.width = max(min(most, eachMost), 4)
		case "over time":
			if c.width = sparkWidth(f.W); c.width == 0 {
				continue
			}
			n := hostCourse(f, c.width)
			c.paint = func(r *hostRow, f pane.Frame) string {
				s, ok := l.line(n, "", r.Name)
				return spark(s, ok, l.snap.Figure(n), f, n.Step, sparkWidth(f.W), 1)
			}
		}
		out = append(out, c)
	}
	return out
}
