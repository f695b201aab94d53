package gpu

import (
	"math"
	"strings"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// wide is the width from which a sheet has two columns.
const wide = 120

// Spellings of a table: the head names the unit.
func watts(v float64) string   { return strings.TrimSuffix(text.Value(math.Round(v), "watts"), " W") }
func degrees(v float64) string { return text.Cell(math.Round(v), "") + "°" }
func clock(v float64) string   { return text.Count(v) }
func share(v float64) string   { return strings.ReplaceAll(text.Percent(v), " ", "") }
func bytes(v float64) string   { return text.BytesShort(v) }

// memory is in whole GiB, less than ten of them more precisely.
func memory(v float64) string {
	if v >= 10*(1<<30) && v < 1000*(1<<30) {
		v = math.Round(v/(1<<30)) * (1 << 30)
	}
	return text.BytesShort(v)
}

// sparkWidth is the width of a sparkline in a table, 0 where there is no room
// for any.
func sparkWidth(w int) int {
	if w < 170 {
		return 0
	}
	return min(12+(w-170)/4, 30)
}

// of is a column of one of the GPU's numbers.
func ofGPU(id, title string, width, priority int, sc selection.Scale, fig triage.GPUFigure, spell func(float64) string) column[*row] {
	return column[*row]{
		id: id, title: title, width: width, priority: priority, scale: sc, needs: []sources.Need{fig.Need()},
		value: func(r *row) (float64, bool) { return valueOf(r.Of(fig)) },
		paint: func(r *row, f pane.Frame) string { return number(r.Of(fig), spell, f.Styles) },
	}
}

// both is a column of traffic in the two directions.
func both(id, title string, priority int, sent, received, together triage.GPUFigure) column[*row] {
	sum := func(r *row) (float64, bool) {
		a, okA := valueOf(r.Of(sent))
		b, okB := valueOf(r.Of(received))
		if okA && okB {
			return a + b, true
		}
		if together != sent {
			return valueOf(r.Of(together))
		}
		return 0, false
	}
	return column[*row]{
		id: id, title: title, width: 11, priority: priority, value: sum,
		needs: []sources.Need{sent.Need(), received.Need()},
		paint: func(r *row, f pane.Frame) string {
			a, b := r.Of(sent), r.Of(received)
			if !a.Has() && !b.Has() && together != sent && r.Of(together).Has() {
				return number(r.Of(together), bytes, f.Styles)
			}
			if !a.Has() && !b.Has() {
				return figure.None(a.Status, f.Styles)
			}
			return number(a, bytes, f.Styles) + f.Styles.Dim.Render("/") + number(b, bytes, f.Styles)
		},
	}
}

// allGPUColumns are all columns in the order of the table. What a table leaves
// out is decided where it is laid out.
func allGPUColumns() []column[*row] {
	mem := triage.GPUMemoryUsed
	return []column[*row]{
		{id: "host", title: "host", priority: 2, text: func(r *row) string { return r.host }, paint: func(r *row, f pane.Frame) string { return r.host }},
		{id: "gpu", title: "gpu", width: 5, left: true, value: func(r *row) (float64, bool) { return float64(r.index), true },
			paint: func(r *row, f pane.Frame) string { return mark(r.grade, f.Styles) + " " + r.number }},
		{id: "model", title: "model", priority: 9, text: func(r *row) string { return r.model }, paint: func(r *row, f pane.Frame) string { return f.Styles.Dim.Render(r.model) }},
		{id: "util", title: "util", width: 14, priority: 1, scale: selection.Percent, left: true, needs: []sources.Need{triage.GPUUtil.Need()},
			value: func(r *row) (float64, bool) { return valueOf(r.Of(triage.GPUUtil)) },
			paint: func(r *row, f pane.Frame) string {
				c := r.Of(triage.GPUUtil)
				return gauge(c, 8, f) + cells.FitRight(number(c, share, f.Styles), 6)
			}},
		{title: "over time", priority: 6, left: true},
		{id: "mem", title: "memory", width: 16, priority: 1, scale: selection.Percent, left: true, needs: []sources.Need{mem.Need(), triage.GPUMemoryTotal.Need()},
			value: func(r *row) (float64, bool) { return valueOf(r.MemoryShare()) },
			paint: func(r *row, f pane.Frame) string {
				return gauge(r.MemoryShare(), 6, f) + cells.FitRight(of(r.Of(mem), r.Of(triage.GPUMemoryTotal), memory, f), 10)
			}},
		ofGPU("sm", "SM", 6, 4, selection.Percent, triage.GPUSMActive, share),
		ofGPU("tensor", "tensor", 6, 4, selection.Percent, triage.GPUTensor, share),
		ofGPU("dram", "DRAM", 6, 4, selection.Percent, triage.GPUDRAM, share),
		{id: "power", title: "power W", width: 11, priority: 2, needs: []sources.Need{triage.GPUPower.Need(), triage.GPUPowerLimit.Need()},
			value: func(r *row) (float64, bool) { return valueOf(r.Of(triage.GPUPower)) },
			paint: func(r *row, f pane.Frame) string {
				return of(r.Of(triage.GPUPower), r.Of(triage.GPUPowerLimit), watts, f)
			}},
		ofGPU("temp", "temp", 5, 2, selection.Plain, triage.GPUTemperature, degrees),
		ofGPU("clock", "SM MHz", 6, 3, selection.Plain, triage.GPUSMClock, clock),
		{id: "why", title: "throttle, errors", width: 16, priority: 1, flex: 1, left: true,
			needs: []sources.Need{triage.GPUReasons.Need(), triage.GPUThrottledThermal.Need(), triage.GPUThrottledPower.Need(), triage.GPUXID.Need(), triage.GPUUncorrected.Need()},
			value: func(r *row) (float64, bool) { return float64(r.grade), r.why != "" },
			paint: func(r *row, f pane.Frame) string {
				switch c := r.Of(triage.GPUReasons); {
				case r.why != "":
					return graded(r.why, r.grade, f.Styles)
				case c.Has():
					return f.Styles.Dim.Render("nothing")
				default:
					return figure.None(c.Status, f.Styles)
				}
			}},
		{id: "worker", title: "worker", width: 10, priority: 2, text: func(r *row) string { return r.worker }, needs: []sources.Need{processNeed()},
			paint: func(r *row, f pane.Frame) string {
				switch {
				case r.worker != "":
					return r.worker
				case len(r.Processes) > 0:
					return f.Styles.Dim.Render(f.Styles.G.Or().Unknown + " " + plural(len(r.Processes), "pid"))
				}
				return f.Styles.Dim.Render(f.Styles.G.Or().Absent)
			}},
		both("pcie", "PCIe tx/rx", 5, triage.GPUPCIeSent, triage.GPUPCIeReceived, triage.GPUPCIeSent),
		both("nvlink", "NVL tx/rx", 5, triage.GPUNVLinkSent, triage.GPUNVLinkReceived, triage.GPUNVLink),
		ofGPU("ecc", "ECC", 4, 6, selection.Plain, triage.GPUUncorrected, text.Count),
		ofGPU("xid", "XID", 4, 6, selection.Plain, triage.GPUXID, text.Count),
		{id: "mig", title: "MIG", width: 4, priority: 7, needs: []sources.Need{triage.GPUSlices.Need()},
			value: func(r *row) (float64, bool) { return float64(len(r.Slices)), true },
			paint: func(r *row, f pane.Frame) string { return sliced(r, f) }},
	}
}

func sliced(r *row, f pane.Frame) string {
	if n := len(r.Slices); n > 0 {
		return f.Styles.Value.Render(text.Count(float64(n)))
	}
	return number(r.Of(triage.GPUSlices), text.Count, f.Styles)
}

func processNeed() sources.Need {
	needs := triage.GPUTableNeeds()
	return needs[len(needs)-1]
}

// gpuColumns places the columns on a screen. Those that could only repeat one
// thing, or nothing, in every row are left out; the sorted one stays.
func (p *Pane) gpuColumns(f pane.Frame, l *listing) []column[*row] {
	var out []column[*row]
	for _, c := range allGPUColumns() {
		switch c.id {
		case "":
			if c.width = sparkWidth(f.W); c.width == 0 {
				continue
			}
			n := course(triage.GPUUtil, f, c.width)
			c.paint = func(r *row, f pane.Frame) string {
				s, ok := l.line(n, r.UUID, r.Host)
				return spark(s, ok, l.snap.Figure(n), f, n.Step, sparkWidth(f.W), 1)
			}
		case "host":
			if c.width = min(l.hostWidth, 20); len(l.hosts) < 2 || p.inHost {
				continue
			}
		case "model":
			if c.width = min(l.modelMost, 22); l.model != "" || l.modelMost == 0 {
				continue
			}
		case "why":
			if f.W >= wide {
				c.width = 18
			}
		case "worker":
			if !l.held {
				continue
			}
		case "mig":
			if !l.sliced {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// spark draws a course in w cells.
func spark(s sources.Series, ok bool, fig *sources.Figure, f pane.Frame, step time.Duration, w int, hi float64) string {
	points := pointsOf(s, f, step, w)
	if !ok || points == nil {
		if fig.Status == sources.StatusOK {
			return figure.None(sources.StatusAbsent, f.Styles)
		}
		return figure.None(fig.Status, f.Styles)
	}
	return chart.Spark(points, w, chart.SparkOpts{Zero: true, Hi: hi, Style: f.Styles.Theme.Bar, Glyphs: f.Styles.G})
}

// pointsOf lays a course on w cells, without those before its first sample:
// nothing was measured there, which is not a gap. Nil when it has none.
func pointsOf(s sources.Series, f pane.Frame, step time.Duration, w int) []float64 {
	if len(s.Points) == 0 || step < time.Millisecond || w <= 0 {
		return nil
	}
	span, _ := f.Columns(w)
	to := time.UnixMilli(f.Now().UnixMilli() / step.Milliseconds() * step.Milliseconds())
	points := chart.Columns(s, to.Add(-span), to, step, w)
	for i, v := range points {
		if !math.IsNaN(v) {
			return points[i:]
		}
	}
	return nil
}

// course is the question for a number of all GPUs over time.
func course(fig triage.GPUFigure, f pane.Frame, n int) sources.Need {
	need := fig.Need()
	need.By = "uuid,host"
	return need.Over(f.Columns(n))
}

// hostCourse is the question for the mean utilisation of all hosts over time.
func hostCourse(f pane.Frame, n int) sources.Need {
	return sources.Need{Key: triage.GPUUtil.Need().Key, Form: sources.FormNow, By: "host"}.Over(f.Columns(n))
}
