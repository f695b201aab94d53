package routing

import (
	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

var needDecisions = sources.Need{Key: "router.overhead.total", Form: sources.FormCount}

func headNeeds() []sources.Need {
	return append(triage.RouterModeNeeds(), append(triage.SightNeeds(), needDecisions)...)
}

// head says what kind of router there is, and what that leaves out.
func (p *Pane) head(f pane.Frame, w int) []string {
	st := f.Styles
	g := st.G.Or()
	var what, rest string
	switch triage.RouterModeOf(f.Snap) {
	case triage.ModeKV:
		what = "KV router"
		if n := f.Snap.Figure(needDecisions); n.HasValue() {
			v, _ := n.Value()
			rest = text.Count(v) + " decisions in " + text.Age(n.Window)
			if n.Status != sources.StatusOK {
				rest += ", " + text.Age(f.Now().Sub(n.At)) + " ago"
			}
		}
		if s := triage.RouterSight(f.Snap); s.Listed > 0 {
			rest = join(rest, text.Count(s.Listed)+" workers and ranks listed")
		}
	case triage.ModePlain:
		what = "router not in KV mode"
		rest = "its stages, beliefs and index need --router-mode kv"
	case triage.ModeStandalone:
		what = "standalone router"
		rest = "stages, queue and beliefs need the router in the frontend"
	case triage.ModeNone:
		what = "no router families"
		rest = "start the frontend with --router-mode kv, or a standalone router with DYN_SYSTEM_PORT"
	default:
		what = g.Ellipsis + " waiting for two scrapes"
	}
	window := f.Window
	if f.Snap != nil && f.Snap.Have > 0 {
		window = min(window, f.Snap.Have)
	}
	return []string{cells.Line(w,
		cells.L(st.Title.Render(what), 0), cells.L(st.Label.Render(rest), 0),
		cells.R(st.Dim.Render("means and buckets over "+text.Age(window)+", courses "+span(course(f).Span)), 1))}
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + ", " + b
}
