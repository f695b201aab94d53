package routing

import (
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/pane"
)

func planned(key string) sources.Need {
	return sources.Need{Key: "planner." + key, Form: sources.FormNow}
}

var (
	needPrefill     = planned("prefill_replicas")
	needDecode      = planned("decode_replicas")
	needLoadWhy     = sources.Need{Key: "planner.load_decision", Form: sources.FormNow, By: "state"}
	needThroughput  = sources.Need{Key: "planner.throughput_decision", Form: sources.FormNow, By: "state"}
	needTickLag     = planned("tick_lag")
	needTickSkipped = sources.Need{Key: "planner.tick_skipped", Form: sources.FormIncrease}
	needTickLate    = sources.Need{Key: "planner.tick_timeouts", Form: sources.FormIncrease}
	needClamped     = sources.Need{Key: "planner.clamped", Form: sources.FormIncrease}
)

var plannedKeys = []string{
	"predicted_prefill_replicas", "predicted_decode_replicas", "observed_requests", "predicted_requests", "observed_isl", "predicted_isl",
	"observed_osl", "predicted_osl", "observed_ttft", "estimated_ttft", "target_ttft", "observed_itl", "estimated_itl", "target_itl",
	"prefill_capacity", "decode_capacity", "gpu_hours", "power_budget", "power_projected",
}

func plannerNeeds(f pane.Frame) []sources.Need {
	c := course(f)
	out := []sources.Need{needPrefill, needDecode, needLoadWhy, needThroughput, needTickLag, needTickSkipped, needTickLate, needClamped, c.Over(needPrefill), c.Over(needDecode)}
	for _, k := range plannedKeys {
		out = append(out, planned(k))
	}
	return out
}

// plannerLines are the planner's view of load and replicas, and both scaling
// decisions in words.
func plannerLines(f pane.Frame) []line {
	st := f.Styles
	if absent(f, needPrefill, needDecode, needLoadWhy, planned("observed_requests")) {
		l := said(f, "absent", "planner", why(f, needDecode), needDecode, needPrefill, needLoadWhy)
		return []line{l}
	}
	arrow := " -> "
	if !st.G.Or().ASCII {
		arrow = " → "
	}
	replicas := func(name string, now sources.Need, want string) string {
		return named(f, name, number(f, now, text.Count)) + st.Dim.Render(arrow) + number(f, planned(want), text.Count)
	}
	triple := func(seen, guess, goal string) []cells.Part {
		out := []cells.Part{cells.L(named(f, "seen", number(f, planned(seen), latency)), 0)}
		for _, x := range []struct{ word, key string }{{"estimated", guess}, {"target", goal}} {
			if x.key != "" && !absent(f, planned(x.key)) {
				out = append(out, cells.Part{Text: named(f, x.word, number(f, planned(x.key), latency)), Priority: 1})
			}
		}
		return out
	}
	pair := func(name, seen, guess string, priority int) cells.Part {
		return cells.L(named(f, name, number(f, planned(seen), text.SI))+st.Dim.Render(arrow)+number(f, planned(guess), text.SI), priority)
	}
	c := course(f)
	out := []line{
		{
			id: "replicas", label: "replicas", needs: []sources.Need{needDecode, planned("predicted_decode_replicas"), needPrefill, planned("predicted_prefill_replicas"), c.Over(needDecode), c.Over(needPrefill)},
			parts: []cells.Part{
				cells.L(replicas("decode", needDecode, "predicted_decode_replicas"), 0),
				cells.L(replicas("prefill", needPrefill, "predicted_prefill_replicas"), 0),
				cells.L(st.Dim.Render("now"+arrow+"wanted"), 4),
				spark(f, c.Over(needDecode), chart.SparkOpts{Zero: true}),
			},
		},
		decision(f, "by load", "load", needLoadWhy),
		decision(f, "by throughput", "throughput", needThroughput),
		{
			id: "traffic", label: "load", needs: []sources.Need{planned("observed_requests"), planned("predicted_requests"), planned("observed_isl"), planned("predicted_isl"), planned("observed_osl"), planned("predicted_osl")},
			parts: []cells.Part{
				pair("req/s", "observed_requests", "predicted_requests", 0), pair("ISL", "observed_isl", "predicted_isl", 1), pair("OSL", "observed_osl", "predicted_osl", 2),
				cells.L(st.Dim.Render("seen"+arrow+"predicted"), 4),
			},
		},
		{
			id: "ttft", label: "TTFT", needs: []sources.Need{planned("observed_ttft"), planned("estimated_ttft"), planned("target_ttft"), planned("prefill_capacity")},
			parts: triple("observed_ttft", "estimated_ttft", "target_ttft"),
		},
		{
			id: "itl", label: "ITL", needs: []sources.Need{planned("observed_itl"), planned("estimated_itl"), planned("target_itl"), planned("decode_capacity")},
			parts: triple("observed_itl", "estimated_itl", "target_itl"),
		},
	}
	for i, capacity := range map[int]string{4: "prefill_capacity", 5: "decode_capacity"} {
		if !absent(f, planned(capacity)) {
			out[i].parts = append(out[i].parts, cells.L(named(f, "an engine takes", number(f, planned(capacity), capability)), 3))
		}
	}
	if absent(f, needTickLag, needTickSkipped, needTickLate, needClamped, planned("gpu_hours")) {
		return out
	}
	ticks := line{id: "ticks", label: "planner ticks", needs: []sources.Need{needTickLag, needTickSkipped, needTickLate, needClamped, planned("gpu_hours"), planned("power_projected"), planned("power_budget")}}
	if !absent(f, needTickLag) {
		ticks.parts = append(ticks.parts, cells.L(named(f, "late", number(f, needTickLag, text.Duration)), 0))
	}
	ticks.parts = append(ticks.parts, counted(f, needTickSkipped, "skipped", 1), counted(f, needTickLate, "timed out", 1), counted(f, needClamped, "clamped", 2))
	if !absent(f, planned("gpu_hours")) {
		ticks.parts = append(ticks.parts, cells.L(named(f, "GPU hours", number(f, planned("gpu_hours"), text.SI)), 3))
	}
	if b, ok := f.Snap.Figure(planned("power_budget")).Value(); ok && b > 0 {
		watts := func(v float64) string { return text.Cell(v, "watts") }
		ticks.parts = append(ticks.parts, cells.L(named(f, "power", number(f, planned("power_projected"), watts))+st.Dim.Render(" of ")+number(f, planned("power_budget"), watts), 3))
	}
	return append(out, ticks)
}

// latency writes a planner's latency. Its gauges begin at zero, which no
// latency is.
func latency(v float64) string {
	if v == 0 {
		return "not set"
	}
	return text.Duration(v)
}

// capability writes the load that an engine takes, which begins at zero too.
func capability(v float64) string {
	if v == 0 {
		return "not set"
	}
	return text.SI(v) + " req/s"
}

func decision(f pane.Frame, label, id string, n sources.Need) line {
	fig := f.Snap.Figure(n)
	if fig.Status == sources.StatusAbsent {
		return said(f, id, label, "this planner exports no such decision", n)
	}
	l := line{id: id, label: label, needs: []sources.Need{n}}
	state := text.Clean(triage.Decision(fig), 60)
	if state == "" {
		l.parts = []cells.Part{cells.L(number(f, n, func(float64) string { return "no state is set" }), 0)}
		return l
	}
	words := triage.DecisionWords(state)
	l.parts = []cells.Part{cells.L(value(f, fig, 1, func(float64) string { return words }), 0)}
	if words != strings.ReplaceAll(state, "_", " ") {
		l.parts = append(l.parts, cells.L(f.Styles.Dim.Render(state), 1))
	}
	return l
}
