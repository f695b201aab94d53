package routing

import (
	"math"
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// line is one line of facts under a name.
type line struct {
	id, label string
	parts     []cells.Part
	needs     []sources.Need
}

func linesOf(i part, f pane.Frame) []line {
	switch i {
	case partCache:
		return cacheLines(f)
	case partQueue:
		return queueLines(f)
	case partIndex:
		return indexLines(f)
	case partPlanner:
		return plannerLines(f)
	}
	return nil
}

// lines are linesOf, built once a snapshot.
func (p *Pane) lines(i part, f pane.Frame) []line {
	l := p.listing(f)
	if l.lines[i] == nil {
		l.lines[i] = linesOf(i, f)
	}
	return l.lines[i]
}

const labelWidth = 13

// drawLines draws the facts of a part, the cursor's line in view.
func (p *Pane) drawLines(i part, f pane.Frame, a area) string {
	list := p.lines(i, f)
	at := slices.IndexFunc(list, func(l line) bool { return l.id == p.cursor[i] })
	if at < 0 || p.focus != i {
		at = -1
	}
	first := max(0, at-a.h+1)
	label := f.Styles.Label
	if p.focus == i {
		label = f.Styles.Accent
	}
	var out []string
	for k, l := range list[min(first, len(list)):] {
		s := cells.Fit(label.Render(cells.Clip(l.label, labelWidth)), labelWidth) + " " + cells.Line(max(a.w-labelWidth-1, 0), l.parts...)
		if first+k == at {
			s = f.Styles.Select.Render(cells.Fit(cells.Strip(s), a.w))
		}
		out = append(out, s)
	}
	if rest := a.h - len(list); rest >= leastChart && charts(i, f) {
		return cells.Stack(cells.Block(out, a.w, len(list)), drawChart(i, f, area{a.w, rest}))
	}
	return cells.Block(out, a.w, a.h)
}

// said is a line that is a sentence.
func said(f pane.Frame, id, label, s string, needs ...sources.Need) line {
	return line{id: id, label: label, parts: []cells.Part{cells.L(f.Styles.Dim.Render(text.Clean(s, 300)), 0)}, needs: needs}
}

// unit draws a number with its word, or only why there is none.
func unit(f pane.Frame, n sources.Need, spell func(float64) string, word string) string {
	s := number(f, n, spell)
	if f.Snap.Figure(n).HasValue() {
		s += f.Styles.Dim.Render(" " + word)
	}
	return s
}

// number draws a figure of one group in its own spelling, or why it has none.
func number(f pane.Frame, n sources.Need, spell func(float64) string) string {
	fig := f.Snap.Figure(n)
	v, ok := fig.Value()
	if !ok {
		return figure.None(fig.Status, f.Styles)
	}
	return value(f, fig, v, spell)
}

func value(f pane.Frame, fig *sources.Figure, v float64, spell func(float64) string) string {
	switch {
	case math.IsNaN(v):
		return figure.None(sources.StatusNaN, f.Styles)
	case fig.Status != sources.StatusOK:
		return f.Styles.Stale.Render(spell(v) + " (" + text.Age(f.Now().Sub(fig.At)) + ")")
	}
	return f.Styles.Value.Render(spell(v))
}

// sum adds up the groups of an extensive figure.
func sum(fig *sources.Figure) (v float64, ok bool) {
	if !fig.HasValue() {
		return 0, false
	}
	for _, s := range fig.Series {
		if p, has := s.Last(); has {
			v, ok = v+p.V, true
		}
	}
	return v, ok
}

// total draws the sum over the groups of a figure.
func total(f pane.Frame, n sources.Need, spell func(float64) string) string {
	fig := f.Snap.Figure(n)
	v, ok := sum(fig)
	if !ok {
		return figure.None(fig.Status, f.Styles)
	}
	return value(f, fig, v, spell)
}

// absent says that none of the figures exists anywhere.
func absent(f pane.Frame, needs ...sources.Need) bool {
	for _, n := range needs {
		if f.Snap.Figure(n).Status != sources.StatusAbsent {
			return false
		}
	}
	return true
}

// why is what would bring an absent figure.
func why(f pane.Frame, n sources.Need) string {
	if h := hint(f, f.Snap.Figure(n)); h != "" {
		return "absent: " + h
	}
	return "absent"
}

// hint is what would bring an absent figure. The catalogue's hint tells how to
// get a KV router; where there is one, the truth is that this release of it
// exports no such family, or needs what the rest of the hint says.
func hint(f pane.Frame, fig *sources.Figure) string {
	note := text.Clean(fig.Note, 200)
	if !strings.Contains(note, "--router-mode") {
		return note
	}
	who := "needs --router-mode kv"
	switch triage.RouterModeOf(f.Snap) {
	case triage.ModeKV:
		who = "not from this KV router"
	case triage.ModeStandalone:
		who = "not from a standalone router"
	}
	rest := slices.DeleteFunc(strings.Split(note, "; "), func(s string) bool { return strings.Contains(s, "--router-mode") })
	return strings.Join(append([]string{who}, rest...), "; ")
}

// named writes "name value" with the name dim.
func named(f pane.Frame, name, v string) string { return f.Styles.Dim.Render(name+" ") + v }

// groups lists a figure's groups by one label, those above zero first and
// marked; ok is false without any.
func groups(f pane.Frame, n sources.Need, label string, bad bool) (parts []cells.Part, quiet int, ok bool) {
	fig := f.Snap.Figure(n)
	if !fig.HasValue() {
		return nil, 0, false
	}
	type group struct {
		name string
		v    float64
	}
	var list []group
	for _, s := range fig.Series {
		if p, has := s.Last(); has {
			ok = true
			if p.V > 0 {
				list = append(list, group{text.Clean(s.Labels[label], 40), p.V})
			} else {
				quiet++
			}
		}
	}
	slices.SortStableFunc(list, func(a, b group) int {
		switch {
		case a.v > b.v:
			return -1
		case a.v < b.v:
			return 1
		}
		return 0
	})
	for i, g := range list {
		v := value(f, fig, g.v, text.Count)
		if bad {
			v = mark(f, true) + v
		}
		parts = append(parts, cells.L(named(f, g.name, v), i))
	}
	return parts, quiet, ok
}

// mark is a warning's glyph, or nothing.
func mark(f pane.Frame, on bool) string {
	if !on {
		return ""
	}
	return f.Styles.Mark(themes.Warn) + " "
}

const sparkWidth = 20

// spark draws the course of a figure of one group at the right of a line.
func spark(f pane.Frame, n sources.Need, o chart.SparkOpts) cells.Part {
	fig := f.Snap.Figure(n)
	if f.Snap == nil || len(fig.Series) == 0 {
		return cells.Part{}
	}
	o.Style, o.Glyphs = f.Styles.Theme.Bar, f.Styles.G
	if fig.Status != sources.StatusOK {
		o.Style = f.Styles.Stale
	}
	points := squeeze(course(f).Points(fig.Series[0], f.Snap.At), sparkWidth)
	return cells.R(chart.Spark(points, sparkWidth, o), 3)
}
