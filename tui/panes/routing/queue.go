package routing

import (
	"strings"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

const byClass = "policy_class,worker_type"

var (
	needPending       = sources.Need{Key: "router.queue.pending", Form: sources.FormNow}
	needPendingClass  = sources.Need{Key: "router.queue.pending", Form: sources.FormNow, By: byClass}
	needPendingISL    = sources.Need{Key: "router.queue.isl_tokens", Form: sources.FormNow, By: byClass}
	needPendingCached = sources.Need{Key: "router.queue.cached_tokens", Form: sources.FormNow, By: byClass}
	needBackpressure  = sources.Need{Key: "router.queue.backpressure", Form: sources.FormIncrease, By: "reason"}
	needReceived      = sources.Need{Key: "router.admission.received", Form: sources.FormRate}
	needRefused       = sources.Need{Key: "router.admission.rejected", Form: sources.FormIncrease, By: "reason"}
	needInStages      = sources.Need{Key: "frontend.stage_requests", Form: sources.FormNow, By: "stage"}
	needShed          = sources.Need{Key: "requests.rejected", Form: sources.FormIncrease}
	needHeld          = sources.Need{Key: "worker.admission.queue", Form: sources.FormNow}
	needHeldEngine    = sources.Need{Key: "worker.admission.engine_requests", Form: sources.FormNow}
	needHeldRefused   = sources.Need{Key: "worker.admission.rejected", Form: sources.FormIncrease}
)

func queueNeeds(f pane.Frame) []sources.Need {
	return []sources.Need{
		needPending, course(f).Over(needPending), needPendingClass, needPendingISL, needPendingCached, needBackpressure,
		needReceived, needRefused, needInStages, needShed, needHeld, needHeldEngine, needHeldRefused,
	}
}

func requests(v float64) string { return text.Cell(v, "requests") }

// queueLines are what waits in the router by class, and who is refused why.
func queueLines(f pane.Frame) []line {
	st := f.Styles
	var out []line
	if absent(f, needPending) {
		out = append(out, said(f, "queue", "router queue", why(f, needPending), needPending))
	} else {
		l := line{id: "queue", label: "router queue", needs: []sources.Need{needPending, course(f).Over(needPending), needPendingISL, needPendingCached}}
		l.parts = []cells.Part{cells.L(number(f, needPending, requests)+st.Dim.Render(" waiting"), 0)}
		if v, ok := sum(f.Snap.Figure(needPendingISL)); ok {
			l.parts = append(l.parts, cells.L(value(f, f.Snap.Figure(needPendingISL), v, text.SI)+st.Dim.Render(" tok"), 1))
		}
		if !absent(f, needPendingCached) {
			l.parts = append(l.parts, cells.L(total(f, needPendingCached, text.SI)+st.Dim.Render(" of them cached"), 2))
		}
		l.parts = append(l.parts, spark(f, course(f).Over(needPending), chart.SparkOpts{Zero: true}))
		out = append(out, l)
		out = append(out, classes(f)...)
	}
	out = append(out, refusals(f, "back-pressure", "back-pressure", needBackpressure))
	admission := refusals(f, "admission", "admission", needRefused)
	if !absent(f, needReceived) {
		admission.needs = append(admission.needs, needReceived)
		admission.parts = append([]cells.Part{cells.L(number(f, needReceived, text.SI)+st.Dim.Render("/s asked, refused"), 0)}, admission.parts...)
	}
	out = append(out, admission)

	stages := line{id: "stages", label: "in stages", needs: []sources.Need{needInStages}}
	fig := f.Snap.Figure(needInStages)
	for i, name := range []string{"preprocess", "route", "dispatch"} {
		v, ok := fig.Where(sources.Labels{"stage": name})
		s := figure.None(fig.Status, st)
		if ok {
			s = value(f, fig, v, requests)
		} else if fig.Status == sources.StatusOK {
			s = figure.None(sources.StatusAbsent, st)
		}
		stages.parts = append(stages.parts, cells.L(named(f, name, s), i))
	}
	stages.parts = append(stages.parts, cells.L(st.Dim.Render("requests before their first token"), 5))
	if fig.Status == sources.StatusAbsent {
		stages = said(f, "stages", "in stages", why(f, needInStages), needInStages)
	}
	out = append(out, stages)

	shed := line{id: "shed", label: "shed", needs: []sources.Need{needShed, needHeld, needHeldEngine, needHeldRefused}}
	shed.parts = []cells.Part{cells.L(number(f, needShed, text.Count)+st.Dim.Render(" refused by the frontend, all busy"), 0)}
	if absent(f, needShed) {
		shed.parts = []cells.Part{cells.L(st.Dim.Render(why(f, needShed)), 0)}
	}
	if !absent(f, needHeld) {
		shed.parts = append(shed.parts, cells.L(st.Dim.Render("workers hold back ")+number(f, needHeld, requests), 1))
		shed.parts = append(shed.parts, cells.L(named(f, "admitted", number(f, needHeldEngine, requests)), 3))
	}
	if !absent(f, needHeldRefused) {
		shed.parts = append(shed.parts, cells.L(named(f, "refused", number(f, needHeldRefused, text.Count)), 2))
	}
	return append(out, shed)
}

// classes is a line a class where there is more than one.
func classes(f pane.Frame) []line {
	fig := f.Snap.Figure(needPendingClass)
	if !fig.HasValue() || len(fig.Series) < 2 {
		return nil
	}
	var out []line
	for i, s := range fig.Series {
		if i == 12 {
			break // as many as anybody reads; e has them all
		}
		p, ok := s.Last()
		if !ok {
			continue
		}
		name := text.Clean(strings.Trim(s.Labels["policy_class"]+"/"+s.Labels["worker_type"], "/"), 40)
		l := line{id: "class " + name, label: "  class", needs: []sources.Need{needPendingClass, needPendingISL}}
		l.parts = []cells.Part{cells.L(named(f, name, value(f, fig, p.V, requests))+f.Styles.Dim.Render(" waiting"), 0)}
		isl := f.Snap.Figure(needPendingISL)
		if v, ok := isl.Where(s.Labels); ok {
			l.parts = append(l.parts, cells.L(value(f, isl, v, text.SI)+f.Styles.Dim.Render(" tok"), 1))
		}
		out = append(out, l)
	}
	return out
}

// refusals is a line of reasons with their numbers in the window.
func refusals(f pane.Frame, id, label string, n sources.Need) line {
	fig := f.Snap.Figure(n)
	l := line{id: id, label: label, needs: []sources.Need{n}}
	parts, quiet, ok := groups(f, n, "reason", true)
	switch {
	case fig.Status == sources.StatusAbsent:
		return said(f, id, label, why(f, n), n)
	case !ok:
		l.parts = []cells.Part{cells.L(figure.None(fig.Status, f.Styles), 0)}
	case len(parts) == 0:
		s := "nobody"
		if quiet > 0 {
			s += ", of " + text.Count(float64(quiet)) + " reasons watched"
		}
		l.parts = []cells.Part{cells.L(f.Styles.Value.Render("0")+" "+f.Styles.Dim.Render(s), 0)}
	default:
		l.parts = parts
	}
	return l
}
