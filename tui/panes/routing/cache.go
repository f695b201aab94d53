package routing

import (
	"math"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

var (
	needPredicted = sources.Need{Key: "router.kv_hit_rate", Form: sources.FormMean}
	needReal      = sources.Need{Key: "engine.hit_ratio", Form: sources.FormExpr}
	needReported  = sources.Need{Key: "frontend.cached_share", Form: sources.FormExpr}
)

func cacheNeeds(f pane.Frame) []sources.Need {
	c := course(f)
	out := []sources.Need{needPredicted, needReal, needReported, c.Over(needPredicted), c.Over(needReal)}
	return append(append(out, triage.RegretNeeds()...), triage.OverlapNeeds()...)
}

// cacheLines are what the router expected of the prefix caches beside what
// they gave, and what routing gave away.
func cacheLines(f pane.Frame) []line {
	st := f.Styles
	c := course(f)
	all, models := triage.RoutingRegret(f.Snap)
	regret := triage.RegretNeeds()
	scale := chart.SparkOpts{Lo: 0, Hi: 1}

	predicted := line{id: "predicted", label: "predicted hit", needs: append([]sources.Need{needPredicted, c.Over(needPredicted)}, regret...)}
	if absent(f, needPredicted) {
		predicted = said(f, "predicted", "predicted hit", why(f, needPredicted), needPredicted)
	} else {
		predicted.parts = []cells.Part{cells.L(unit(f, needPredicted, text.Percent, "by request"), 0)}
		if v := all.Share(all.Chosen); !math.IsNaN(v) {
			fig := f.Snap.Figure(regret[1])
			predicted.parts = append(predicted.parts, cells.L(value(f, fig, v, text.Percent)+st.Dim.Render(" by token"), 2))
		}
		predicted.parts = append(predicted.parts, spark(f, c.Over(needPredicted), scale))
	}
	actual := line{id: "real", label: "real hit", needs: []sources.Need{needReal, c.Over(needReal), needReported}, parts: []cells.Part{
		cells.L(unit(f, needReal, text.Percent, "by token, at the engine"), 0),
	}}
	if absent(f, needReal) {
		actual = said(f, "real", "real hit", why(f, needReal), needReal)
	} else if !absent(f, needReported) {
		actual.parts = append(actual.parts, cells.L(named(f, "told to clients", number(f, needReported, text.Percent)), 4))
	}
	actual.parts = append(actual.parts, spark(f, c.Over(needReal), scale))
	out := []line{predicted, actual}

	if absent(f, regret[0]) {
		out = append(out, said(f, "regret", "regret", why(f, regret[0])+"; since release 1.6", regret...))
	} else {
		out = append(out, given(f, "given away", all), wrong(f, "wrong belief", all))
	}
	out = append(out, lostLine(f))
	for _, m := range models {
		name := text.Clean(m.Model, 40)
		g, w := given(f, name, m), wrong(f, name, m)
		g.id, g.label = "model "+name, name
		g.parts = append([]cells.Part{cells.L(st.Dim.Render("given away"), 0)}, g.parts...)
		g.parts = append(g.parts, cells.L(st.Dim.Render("wrong belief"), 2))
		for _, part := range w.parts {
			part.Priority += 2
			g.parts = append(g.parts, part)
		}
		out = append(out, g)
	}
	return out
}

// tokens writes tokens of the window and their share of all prompt tokens.
func tokens(f pane.Frame, r triage.Regret, v float64, n sources.Need) []cells.Part {
	fig := f.Snap.Figure(n)
	if math.IsNaN(v) {
		st := fig.Status
		if st == sources.StatusOK {
			st = sources.StatusAbsent
		}
		return []cells.Part{cells.L(figure.None(st, f.Styles), 0)}
	}
	out := []cells.Part{cells.L(value(f, fig, v, func(v float64) string { return text.Cell(math.Round(v), "tokens") })+f.Styles.Dim.Render(" tok"), 0)}
	if share := r.Share(v); !math.IsNaN(share) {
		out = append(out, cells.L(value(f, fig, share, text.Percent)+f.Styles.Dim.Render(" of the prompts"), 1))
	}
	return out
}

func given(f pane.Frame, label string, r triage.Regret) line {
	needs := triage.RegretNeeds()
	l := line{id: "given", label: label, needs: needs, parts: tokens(f, r, r.GivenAway, needs[0])}
	if r.Best > 0 {
		l.parts = append(l.parts, cells.L(f.Styles.Dim.Render("the worker chosen had ")+value(f, f.Snap.Figure(needs[1]), r.Chosen/r.Best, text.Percent)+f.Styles.Dim.Render(" of the best one's"), 3))
	}
	return l
}

func wrong(f pane.Frame, label string, r triage.Regret) line {
	needs := triage.RegretNeeds()
	l := line{id: "wrong", label: label, needs: []sources.Need{needs[2], needs[1], needs[3]}}
	switch {
	case r.Silent:
		l.parts = []cells.Part{cells.L(f.Styles.Dim.Render("not known: workers report no reuse at all"), 0)}
	case r.WrongBelief < 0:
		l.parts = append(tokens(f, r, -r.WrongBelief, needs[2]), cells.L(f.Styles.Dim.Render("more than the router knew of"), 2))
	default:
		l.parts = append(tokens(f, r, r.WrongBelief, needs[2]), cells.L(f.Styles.Dim.Render("believed, not reused"), 2))
	}
	return l
}

func lostLine(f pane.Frame) line {
	needs := triage.OverlapNeeds()
	if absent(f, needs[0], needs[1]) {
		return said(f, "lost", "overlap lost", why(f, needs[0])+"; since release 1.6", needs...)
	}
	o := triage.OverlapLostOf(f.Snap)
	l := line{id: "lost", label: "overlap lost", needs: needs}
	l.parts = append(l.parts, cells.L(number(f, needs[0], text.Count)+f.Styles.Dim.Render(" choices against the best overlap"), 0))
	if !math.IsNaN(o.Blocks) {
		fig := f.Snap.Figure(needs[1])
		l.parts = append(l.parts, cells.L(value(f, fig, o.Blocks, text.Count)+f.Styles.Dim.Render(" blocks"), 1))
		if !math.IsNaN(o.Tokens) {
			l.parts = append(l.parts, cells.L(value(f, fig, o.Tokens, text.SI)+f.Styles.Dim.Render(" tok"), 2))
		}
	}
	return l
}
