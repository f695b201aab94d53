package requests

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/facts"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

const perOutcome = "status,error_type"

// The outcomes of requests; where a release names reasons, those too.
var (
	needOutcomes = sources.Need{Key: "requests.done", Form: sources.FormIncrease, By: perOutcome}
	needReasons  = sources.Need{Key: "requests.failures", Form: sources.FormIncrease, By: "class,reason"}
	courseDone   = sources.Need{Key: "requests.done", Form: sources.FormRate, By: perOutcome}
)

// order is by how the outcomes are sorted.
type order int

const (
	byCount order = iota
	byName
	orders
)

// outcome is one way for requests to end.
type outcome struct {
	name   string
	n      float64
	reason bool // of a failure: it counts again what an outcome has counted
	labels sources.Labels
}

func (p *Pane) outcomeNeeds(f pane.Frame) []sources.Need {
	out := []sources.Need{needOutcomes, needReasons}
	if n := p.sparkWidth(f); n > 0 {
		out = append(out, courseDone.Over(f.Columns(n)))
	}
	return out
}

// outcomeWidth is the width of the table in a frame.
func (p *Pane) outcomeWidth(f pane.Frame) int {
	if f.W < lengthsFrom || f.Zoom {
		return f.W
	}
	return f.W - 6 - 2*max((f.W-6)/3, 1)
}

func (p *Pane) sparkWidth(f pane.Frame) int {
	return min(max(p.outcomeWidth(f)-39, 0), 60)
}

// list are the outcomes in their order, those that the filter keeps.
func (p *Pane) list(f pane.Frame) (out []outcome, total float64) {
	add := func(n sources.Need, names func(sources.Labels) string, reason bool) {
		fig := f.Snap.Figure(n)
		if !fig.HasValue() {
			return
		}
		for _, s := range fig.Series {
			last, ok := s.Last()
			if !ok || math.IsNaN(last.V) || math.IsInf(last.V, 0) {
				continue
			}
			if !reason {
				total += max(last.V, 0)
			}
			o := outcome{name: text.Clean(names(s.Labels), 60), n: last.V, reason: reason, labels: s.Labels}
			if strings.Contains(strings.ToLower(o.name), strings.ToLower(p.filter)) {
				out = append(out, o)
			}
		}
	}
	add(needOutcomes, func(l sources.Labels) string {
		switch {
		case l["error_type"] != "":
			return l["error_type"]
		case l["status"] == "error":
			return "error, no type told"
		}
		return cmp.Or(l["status"], "?")
	}, false)
	add(needReasons, func(l sources.Labels) string { return cmp.Or(l["class"], "?") + ": " + cmp.Or(l["reason"], "?") }, true)
	slices.SortFunc(out, func(a, b outcome) int {
		if a.reason != b.reason { // reasons below
			if a.reason {
				return 1
			}
			return -1
		}
		d := 0
		if p.order == byCount {
			d = cmp.Compare(b.n, a.n)
		}
		d = cmp.Or(d, cmp.Compare(a.name, b.name))
		if p.inverted {
			d = -d
		}
		return d
	})
	return out, total
}

// outcomes draws the table.
func (p *Pane) outcomes(f pane.Frame) string {
	st := f.Styles
	fig := f.Snap.Figure(needOutcomes)
	title := "outcomes"
	style := st.Title
	if p.focus == partOutcomes {
		style = st.Accent
	}
	window := fig.Window
	if window <= 0 {
		window = f.Window
	}
	head := style.Render(title) + st.Dim.Render(" of the last "+text.Age(window))
	if fig.AllModels {
		head += st.Dim.Render(" · all models")
	}
	if fig.HasValue() && fig.Status != sources.StatusOK && !f.LowBandwidth {
		head += " " + st.Stale.Render(text.Age(f.Now().Sub(fig.At)))
	}
	if p.filter != "" {
		head += "  " + st.Accent.Render("filter "+cells.Strip(p.filter))
	}
	rows, total := p.list(f)
	if len(rows) == 0 {
		return cells.Stack(cells.Rule(head, f.W, st), p.none(f, fig))
	}
	// The frame of the whole pane decides about courses; this one is its part.
	n := min(max(f.W-39, 0), 60)
	t := cells.Table{Styles: st, Selected: cells.None, Columns: []cells.Column{
		{Title: "outcome", Min: 10, Flex: 1},
		{Title: "requests", Min: 9, Align: cells.Right},
		{Title: "share", Min: 6, Align: cells.Right, Priority: 2},
		{Title: "/s", Min: 7, Align: cells.Right, Priority: 3},
	}}
	if p.order == byCount {
		t.Sort, t.Falling = "requests", !p.inverted
	} else {
		t.Sort, t.Falling = "outcome", p.inverted
	}
	course := f.Snap.Figure(courseDone.Over(f.Columns(n)))
	if n > 0 {
		t.Columns = append(t.Columns, cells.Column{Title: "over time", Min: n, Max: n, Priority: 4})
	}
	value := st.Value
	if fig.Status != sources.StatusOK {
		value = st.Stale
	}
	for i, o := range rows {
		share, perSecond, spark := "", "", ""
		if total > 0 && !o.reason {
			share = value.Render(text.Percent(max(o.n, 0) / total))
		}
		if s := window.Seconds(); s > 0 {
			perSecond = value.Render(text.SI(o.n / s))
		}
		if line, ok := course.Group(o.labels); ok && n > 0 && !o.reason {
			spark = chart.Spark(facts.Points(f, line, n), n, chart.SparkOpts{Zero: true, Style: st.Theme.Bar, Glyphs: st.G})
		}
		name := o.name
		if o.reason {
			name = st.Dim.Render("  why " + o.name)
		}
		if p.focus == partOutcomes && p.cursor == o.name {
			t.Selected = i
		}
		t.Rows = append(t.Rows, []cells.Cell{cells.Text(name), cells.Text(value.Render(text.Count(o.n))), cells.Text(share), cells.Text(perSecond), cells.Text(spark)})
	}
	return cells.Stack(cells.Rule(head, f.W, st), t.View(f.W, f.H-1))
}

// none says why there are no outcomes.
func (p *Pane) none(f pane.Frame, fig *sources.Figure) string {
	st := f.Styles
	words := figure.None(fig.Status, st)
	switch {
	case p.filter != "" && fig.HasValue():
		words = st.Dim.Render("no outcome matches; esc clears the filter")
	case fig.Status == sources.StatusAbsent:
		words += st.Dim.Render(" no frontend tells outcomes")
		if fig.Note != "" {
			words += st.Dim.Render(": " + text.Clean(fig.Note, 200))
		}
	case fig.Status == sources.StatusError:
		words += " " + text.Safe(fig.Err, 200)
	case fig.Status == sources.StatusIdle:
		words += st.Dim.Render(": no request ended")
	}
	return cells.Message(words, f.W, f.H-1)
}

func (p *Pane) pressOutcomes(a pane.Action, f pane.Frame) bool {
	rows, _ := p.list(f)
	i := slices.IndexFunc(rows, func(o outcome) bool { return o.name == p.cursor })
	if i < 0 && p.cursor != "" {
		i = min(p.at, len(rows)-1)
	}
	switch a {
	case pane.Sort:
		p.order = (p.order + 1) % orders
		return true
	case pane.Invert:
		p.inverted = !p.inverted
		return true
	case pane.Back:
		was := p.cursor
		p.cursor = ""
		return was != ""
	case pane.Previous:
		a = pane.Up
	case pane.Next:
		a = pane.Down
	}
	to, ok := selection.Step(a, i, len(rows), len(rows))
	if !ok {
		return false
	}
	was := p.cursor
	p.cursor, p.at = rows[to].name, to
	return was != p.cursor
}

// SetFilter keeps outcomes whose names hold the text.
func (p *Pane) SetFilter(s string) error {
	p.filter = strings.TrimSpace(text.Clean(s, 60))
	return nil
}

// Filter is the filter in force.
func (p *Pane) Filter() string { return p.filter }
