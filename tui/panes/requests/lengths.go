package requests

import (
	"math"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// sides are the two lengths of a request.
var sides = [...]struct{ key, name string }{{".isl", "input length"}, {".osl", "output length"}}

func lengthNeeds(f pane.Frame) []sources.Need {
	return []sources.Need{buckets(place(f) + sides[0].key), buckets(place(f) + sides[1].key)}
}

// length draws the distribution of one length over the window.
func (p *Pane) length(f pane.Frame, side int) string {
	st := f.Styles
	fig := f.Snap.Figure(lengthNeeds(f)[side])
	style := st.Title
	if p.focus == partLengths {
		style = st.Accent
	}
	head := style.Render(sides[side].name) + st.Dim.Render(" · "+place(f))
	b, ok := fig.Buckets()
	if ok && fig.Status != sources.StatusIdle {
		head += st.Dim.Render(" · n " + text.Count(b.N))
	}
	if fig.AllModels {
		head += st.Dim.Render(" · all models")
	}
	if fig.HasValue() && fig.Status != sources.StatusOK {
		head += " " + st.Stale.Render(st.G.Or().Stale)
		if !f.LowBandwidth {
			head += st.Stale.Render(" " + text.Age(f.Now().Sub(fig.At)))
		}
	}
	title := cells.Rule(head, f.W, st)
	if !ok || b.N <= 0 {
		words := figure.None(fig.Status, st)
		if fig.Note != "" {
			words += st.Dim.Render(" " + text.Clean(fig.Note, 200))
		}
		return cells.Stack(title, cells.Message(words, f.W, f.H-1))
	}
	bars := chart.Distribution(b, chart.DistOpts{Rows: f.H - 1, Format: text.SI, Range: tokens})
	return cells.Stack(title, chart.Bars(bars, chart.BarsOpts{W: f.W, H: f.H - 1, Styles: st}))
}

// tokens writes a bucket of lengths.
func tokens(lo, hi float64) string {
	switch {
	case math.IsInf(hi, 1):
		return "> " + text.SI(lo)
	case lo <= 0:
		return "≤ " + text.SI(hi)
	}
	return text.SI(lo) + "–" + text.SI(hi)
}
