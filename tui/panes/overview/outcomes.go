package overview

import (
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
)

// outcomesID is the cursor's name for the line of outcomes.
const outcomesID = "outcomes"

// What became of the requests.
var (
	needErrors    = sources.Need{Key: "requests.error_share", Form: sources.FormExpr}
	needCancelled = sources.Need{Key: "requests.cancel_share", Form: sources.FormExpr}
	needRejected  = sources.Need{Key: "requests.rejected", Form: sources.FormRate}
	needTimeouts  = sources.Need{Key: "requests.timeout", Form: sources.FormIncrease}
	needDone      = sources.Need{Key: "requests.done", Form: sources.FormRate}
)

func outcomeNeeds() []sources.Need {
	return []sources.Need{needErrors, needCancelled, needRejected, needTimeouts, needDone}
}

// outcomes say what became of the requests. Failures hold the cancelled ones,
// so these stand within.
func (b board) outcomes(p *Pane) []string {
	f := b.frame
	st := f.Styles
	if engineOnly(f.Snap) {
		return []string{p.label(b, "outcomes") + " " + figure.None(sources.StatusAbsent, st) + st.Dim.Render(" need a frontend")}
	}
	done, ok := f.Snap.Figure(needDone).Value()
	finished := ok && done > 0
	// A figure that is idle while requests finish counts none of them.
	number := func(n sources.Need, spell func(float64) string) string {
		fig := f.Snap.Figure(n)
		v, ok := fig.Value()
		switch {
		case !ok && fig.Status == sources.StatusIdle && finished:
			return st.Dim.Render("0")
		case !ok:
			return figure.None(fig.Status, st)
		case fig.Status != sources.StatusOK:
			return st.Stale.Render(spell(v))
		}
		return st.Value.Render(spell(v))
	}
	old := "" // the line's age, said once
	if fig := f.Snap.Figure(needErrors); fig.HasValue() && fig.Status != sources.StatusOK {
		old = " " + st.Stale.Render(text.Age(f.Now().Sub(fig.At)))
	}
	perSecond := func(v float64) string {
		if v == 0 {
			return "0"
		}
		return text.Rate(v, "")
	}
	return []string{
		p.label(b, "err") + " " + number(needErrors, text.Percent) + old + st.Dim.Render(" (cancelled ") + number(needCancelled, text.Percent) + st.Dim.Render(")"),
		p.label(b, "rejected") + " " + number(needRejected, perSecond),
		p.label(b, "timeouts") + " " + number(needTimeouts, text.Count),
	}
}

// outcomeLine is the outcomes in one line.
func (p *Pane) outcomeLine(b board, w int) string {
	st := b.frame.Styles
	var list []cells.Part
	for i, s := range b.outcomes(p) {
		part := cells.L(s, i)
		part.Sep = st.Dim.Render(" " + st.G.Or().Sep + " ")
		list = append(list, part)
	}
	return p.picked(b, outcomesID, cells.Line(w, list...), w)
}
