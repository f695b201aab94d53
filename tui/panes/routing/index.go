package routing

import (
	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

var (
	needEvents      = sources.Need{Key: "router.kv_events", Form: sources.FormRate}
	needEventShare  = sources.Need{Key: "router.kv_event_error_share", Form: sources.FormExpr}
	needFailed      = sources.Need{Key: "router.kv_events_failed", Form: sources.FormIncrease, By: "status"}
	needWarnings    = sources.Need{Key: "router.kv_event_warnings", Form: sources.FormIncrease}
	needBatches     = sources.Need{Key: "router.kv_event_batches", Form: sources.FormRate}
	needMismatch    = sources.Need{Key: "router.kv_event_mismatch", Form: sources.FormNow}
	needLifecycle   = sources.Need{Key: "router.kv_event_lifecycle", Form: sources.FormIncrease, By: "action"}
	needDropped     = sources.Need{Key: "publisher.dropped_events", Form: sources.FormIncrease}
	needSuspicious  = sources.Need{Key: "publisher.suspicious_events", Form: sources.FormIncrease}
	needLoadDropped = sources.Need{Key: "router.load_events_dropped", Form: sources.FormIncrease}
	needLoadGaps    = sources.Need{Key: "router.load_event_gaps", Form: sources.FormIncrease}
	needLoadSources = sources.Need{Key: "router.load_event_sources", Form: sources.FormNow}
	needLoadQueue   = sources.Need{Key: "router.load_event_queue", Form: sources.FormNow}
	needCapacity    = sources.Need{Key: "router.index_capacity", Form: sources.FormIncrease, By: "outcome"}
)

func indexNeeds() []sources.Need {
	return append(triage.SightNeeds(),
		needEvents, needEventShare, needFailed, needWarnings, needBatches, needMismatch, needLifecycle, needDropped, needSuspicious,
		needLoadDropped, needLoadGaps, needLoadSources, needLoadQueue, needCapacity)
}

// counted draws a number of events, marked when there were any.
func counted(f pane.Frame, n sources.Need, name string, priority int) cells.Part {
	if absent(f, n) {
		return cells.Part{}
	}
	v, ok := sum(f.Snap.Figure(n))
	return cells.L(named(f, name, mark(f, ok && v > 0)+total(f, n, text.Count)), priority)
}

// indexLines are whether the router sees its workers, and what of their events
// reached it.
func indexLines(f pane.Frame) []line {
	st := f.Styles
	sight := triage.SightNeeds()
	var out []line
	if absent(f, sight[0], needEvents) {
		out = append(out, said(f, "index", "index", why(f, needEvents), sight[0], needEvents))
		if absent(f, needDropped) {
			return out
		}
	} else {
		s := triage.RouterSight(f.Snap)
		l := line{id: "sources", label: "event sources", needs: append(sight, needMismatch, needLifecycle)}
		switch {
		case absent(f, sight[0]):
			l.parts = []cells.Part{cells.L(st.Dim.Render(why(f, sight[0])), 0)}
		case !s.Known:
			l.parts = []cells.Part{cells.L(figure.None(s.Status, st), 0)}
		default:
			who := " workers and ranks"
			if s.Prefill {
				who = " prefill workers and ranks"
			}
			seen := st.Value.Render(text.Count(s.Connected)) + st.Dim.Render(" connected of ") + st.Value.Render(text.Count(s.Indexed)) + st.Dim.Render(who)
			l.parts = []cells.Part{cells.L(seen, 0)}
			if s.Blind > 0 {
				l.parts = append(l.parts, cells.L(mark(f, true)+st.Warn.Render("blind to "+text.Count(s.Blind)), 0))
			}
			if s.Routers > 1 {
				l.parts = append(l.parts, cells.L(st.Dim.Render(text.Count(float64(s.Routers))+" routers together"), 2))
			}
		}
		l.parts = append(l.parts, counted(f, needMismatch, "wrong source", 1))
		events := line{id: "events", label: "events", needs: []sources.Need{needEvents, needEventShare, needWarnings, needBatches}}
		share, ok := f.Snap.Figure(needEventShare).Value()
		events.parts = []cells.Part{
			cells.L(number(f, needEvents, text.SI)+st.Dim.Render("/s"), 0),
			cells.L(named(f, "not applied", mark(f, ok && share > 0)+number(f, needEventShare, text.Percent)), 0),
			counted(f, needWarnings, "warnings", 2),
		}
		if !absent(f, needBatches) {
			events.parts = append(events.parts, cells.L(number(f, needBatches, text.SI)+st.Dim.Render(" batches/s"), 3))
		}
		out = append(out, l, events)
		if parts, _, ok := groups(f, needFailed, "status", true); ok && len(parts) > 0 {
			out = append(out, line{id: "failed", label: "not applied", parts: parts, needs: []sources.Need{needFailed}})
		}
	}
	dropped := line{id: "dropped", label: "dropped", needs: []sources.Need{needDropped, needSuspicious, needLoadDropped, needLoadGaps}}
	dropped.parts = []cells.Part{
		counted(f, needDropped, "at workers", 0), counted(f, needSuspicious, "suspicious", 3),
		counted(f, needLoadDropped, "load events", 1), counted(f, needLoadGaps, "gaps", 1),
	}
	if absent(f, needDropped, needSuspicious, needLoadDropped, needLoadGaps) {
		dropped = said(f, "dropped", "dropped", why(f, needDropped), needDropped, needLoadDropped, needLoadGaps)
	}
	out = append(out, dropped)
	if !absent(f, needLoadSources, needLoadQueue) {
		out = append(out, line{id: "load", label: "load events", needs: []sources.Need{needLoadSources, needLoadQueue}, parts: []cells.Part{
			cells.L(number(f, needLoadSources, text.Count)+st.Dim.Render(" sources"), 0),
			cells.L(named(f, "waiting in the router", number(f, needLoadQueue, text.Count)), 1),
		}})
	}
	if parts, _, ok := groups(f, needCapacity, "outcome", false); ok && len(parts) > 0 {
		out = append(out, line{id: "capacity", label: "index changes", parts: parts, needs: []sources.Need{needCapacity}})
	}
	if parts, _, ok := groups(f, needLifecycle, "action", false); ok && len(parts) > 0 {
		out = append(out, line{id: "lifecycle", label: "source changes", parts: parts, needs: []sources.Need{needLifecycle}})
	}
	return out
}
