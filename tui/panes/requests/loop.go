package requests

import (
	"math"
	"strconv"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/facts"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// The idle baseline is looked for in this much history, in means over these
// steps.
const (
	baselineSpan = time.Hour
	baselineStep = 30 * time.Second
)

// What the interference factor is made of.
var (
	needDelay      = sources.Need{Key: "frontend.event_loop_delay", Form: sources.FormMean, By: "instance"}
	needDelayEver  = needDelay.Over(baselineSpan, baselineStep)
	needActiveEver = sources.Need{Key: "frontend.active", Form: sources.FormNow}.Over(baselineSpan, baselineStep)
)

// frontends are the interference factors, the worst frontend first, worked out
// once for a snapshot.
func (p *Pane) frontends(f pane.Frame) []triage.Interference {
	if p.memo.snap != f.Snap || f.Snap == nil {
		p.memo.snap = f.Snap
		p.memo.frontends = triage.Interferences(f.Snap.Figure(needDelay), f.Snap.Figure(needDelayEver), f.Snap.Figure(needActiveEver))
	}
	return p.memo.frontends
}

// loop is the frontend's event loop: the worst frontend's where there are
// several.
func (p *Pane) loop() facts.Group {
	more := []sources.Need{needDelay, needDelayEver, needActiveEver}
	worst := func(draw func(pane.Frame, triage.Interference) string) func(pane.Frame) string {
		return func(f pane.Frame) string {
			all := p.frontends(f)
			if len(all) == 0 {
				return figure.None(f.Snap.Figure(needDelay).Status, f.Styles)
			}
			return draw(f, all[0])
		}
	}
	return facts.Group{ID: "loop", Title: "frontend event loop", Facts: []facts.Fact{
		{Label: "delay mean", Need: mean("frontend.event_loop_delay"), Course: true},
		{Label: "delay p99", Need: buckets("frontend.event_loop_delay"), As: facts.Quantile, Q: 0.99, Priority: 1},
		{Label: "interference", More: more, Draw: worst(interference)},
		{Label: "idle baseline", More: more, Priority: 1, Draw: worst(baseline)},
		{Label: "worst frontend", More: more, Priority: 2, Draw: worst(worstFrontend), Hide: func(f pane.Frame) bool { return len(p.frontends(f)) < 2 }},
		{Label: "stalls over 5 ms", Need: rate("frontend.event_loop_stalls"), As: facts.PerSecond, Priority: 1},
		{Label: "runtime busy", Need: now("tokio.busy"), Priority: 2},
		{Label: "poll time mean", Need: now("tokio.poll_time"), Priority: facts.Rare},
		{Label: "runtime queue", Need: now("tokio.global_queue"), Priority: 2},
		{Label: "blocking queue", Need: now("tokio.blocking_queue"), Priority: facts.Rare},
	}}
}

// interference is the factor with the sign of how much the loop is held up.
func interference(f pane.Frame, in triage.Interference) string {
	st := f.Styles
	level, ok := map[int]themes.Level{0: themes.Good, 1: themes.Warn, 2: themes.Bad}[in.Held()]
	if !ok {
		return st.Dim.Render("no baseline")
	}
	words := times(in.Factor)
	if f.Snap.Figure(needDelay).Status != sources.StatusOK {
		return st.Stale.Render(words)
	}
	return st.Mark(level) + " " + st.Of(level).Render(words)
}

// baseline is what the factor is over; without any, the lowest lateness there
// was under load.
func baseline(f pane.Frame, in triage.Interference) string {
	st := f.Styles
	switch {
	case !math.IsNaN(in.Baseline):
		return st.Value.Render(text.Duration(in.Baseline))
	case math.IsNaN(in.Least):
		return st.Dim.Render("none")
	}
	return st.Dim.Render("none, least " + text.Duration(in.Least))
}

func worstFrontend(f pane.Frame, in triage.Interference) string {
	words := text.Duration(in.Mean) + " " + text.Clean(in.Instance, 40)
	if f.Snap.Figure(needDelay).Status != sources.StatusOK {
		return f.Styles.Stale.Render(words)
	}
	return f.Styles.Value.Render(words)
}

// times prints a factor: "2.3×".
func times(v float64) string {
	if v >= 9.95 {
		return text.SI(math.Round(v)) + "×"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + "×"
}
