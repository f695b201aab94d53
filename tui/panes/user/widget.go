package user

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// What a widget keeps of its width for axes and names.
const (
	axisWidth = 8
	nameWidth = 14
	markWidth = 10 // of the last value
)

// mostLines is how many lines a chart can tell apart.
const mostLines = 8

// now is the widget's present.
func (b box) now() sources.Need { return sources.Need{Key: b.Key, Form: sources.FormExpr} }

// over is its course in as many columns as it draws.
func (b box) over(f pane.Frame) sources.Need { return b.now().Over(f.Columns(b.columns(f))) }

func (b box) columns(f pane.Frame) int {
	n := b.w - axisWidth
	if b.Kind == Sparkline {
		n = b.w - nameWidth - markWidth - 2
	}
	return max(min(n, int(f.Span()/time.Second)), 1)
}

func (b box) needs(f pane.Frame) []sources.Need {
	switch b.Kind {
	case Table:
		return []sources.Need{b.now()}
	case Heatmap:
		return []sources.Need{b.over(f)}
	}
	return []sources.Need{b.now(), b.over(f)}
}

// view draws the widget with its title in its box.
func (b box) view(f pane.Frame, focused bool, scroll int) string {
	s := f.Styles
	needs := b.needs(f)
	fig := f.Snap.Figure(needs[len(needs)-1])
	title := s.Title.Render(text.Clean(b.Title, 60))
	if focused {
		title = s.Accent.Render(text.Clean(b.Title, 60))
	}
	if fig.AllModels {
		title += s.Dim.Render(" * as written, not narrowed")
	}
	if v := f.Snap.Figure(b.now()); b.Kind == Line && len(v.Series) == 1 {
		title += "  " + figure.Number(last(v.Series[0]), b.Unit, v.Status, f.Now().Sub(v.At), s)
	}
	head := cells.Rule(title, b.w, s)
	if b.h < 2 {
		return cells.Block([]string{head}, b.w, b.h)
	}
	return cells.Stack(head, b.body(f, fig, b.w, b.h-1, scroll))
}

func (b box) body(f pane.Frame, fig *sources.Figure, w, h, scroll int) string {
	if !fig.HasValue() {
		return cells.Message(why(f, fig), w, h)
	}
	switch b.Kind {
	case Table:
		return b.table(f, fig, w, h, scroll)
	case Sparkline:
		return b.sparks(f, fig, w, h, scroll)
	case Heatmap:
		return b.heat(f, fig, w, h)
	}
	return b.lines(f, fig, w, h)
}

// why says in the widget itself why it is empty; e says more.
func why(f pane.Frame, fig *sources.Figure) string {
	s := f.Styles
	switch fig.Status {
	case sources.StatusAbsent:
		return s.Dim.Render(text.Clean(s.G.Or().Absent+" absent: no "+strings.Join(fig.Tried, ", "), 200))
	case sources.StatusError:
		return s.Warn.Render(text.Clean(fig.Err, 200))
	}
	return figure.None(fig.Status, s)
}

// axis are the ends of a course and its step.
func axis(f pane.Frame, n sources.Need) (from, to time.Time) {
	to = f.Now().Truncate(max(n.Step, time.Second))
	return to.Add(-n.Span), to
}

func (b box) format() func(float64) string {
	return func(v float64) string { return text.Clean(text.Cell(v, b.Unit), 12) }
}

func (b box) lines(f pane.Frame, fig *sources.Figure, w, h int) string {
	series, more := fig.Series, 0
	if len(series) > mostLines {
		// The largest, in the order of their labels: colours stay.
		more = len(series) - mostLines
		series = largest(series)[:mostLines]
		slices.SortFunc(series, func(a, b sources.Series) int { return cmp.Compare(a.Labels.Key(), b.Labels.Key()) })
	}
	names := b.names(fig.Series, series)
	from, to := axis(f, fig.Need)
	o := chart.LineOpts{W: w, H: h, From: from, To: to, Step: fig.Need.Step, Zero: true, Format: b.format(), Styles: f.Styles, Empty: fig.Status.String()}
	if len(series) < 2 && names[0] == "" || h <= chart.LeastHeight {
		return chart.Line(series, o)
	}
	legend := chart.Legend(names, w, f.Styles)
	if more > 0 {
		legend = cells.Line(w, cells.L(legend, 0), cells.R(f.Styles.Dim.Render(fmt.Sprintf("and %d more", more)), 0))
	}
	o.H--
	return cells.Stack(cells.Block([]string{legend}, w, 1), chart.Line(series, o))
}

func (b box) sparks(f pane.Frame, fig *sources.Figure, w, h, scroll int) string {
	s := f.Styles
	series := fig.Series // in the order of their labels, so that rows stay
	names := b.names(fig.Series, series)
	n := b.columns(f)
	from, to := axis(f, fig.Need)
	now := f.Snap.Figure(b.now())
	var lines []string
	for i, sr := range series {
		value := figure.None(now.Status, s)
		if g, ok := groupOf(now, sr.Labels); ok {
			value = figure.Number(last(g), b.Unit, now.Status, f.Now().Sub(now.At), s)
		}
		spark := chart.Spark(chart.Columns(sr, from, to, fig.Need.Step, n), n, chart.SparkOpts{Zero: true, Style: s.SeriesStyle(0), Glyphs: s.G})
		name := names[i]
		if name == "" {
			name = b.Title
		}
		lines = append(lines, cells.Fit(cells.Fit(s.Label.Render(text.Clean(name, 60)), nameWidth)+" "+spark+" "+value, w))
	}
	return scrolled(lines, w, h, scroll, f)
}

// table lists the series, the largest first: what tells them apart, and the
// value.
func (b box) table(f pane.Frame, fig *sources.Figure, w, h, scroll int) string {
	s := f.Styles
	series := largest(fig.Series)
	t := cells.Table{Selected: cells.None, Offset: scroll, Styles: s}
	labels := telling(fig.Series)
	if b.Legend != "" {
		labels = []string{""}
	}
	for i, l := range labels {
		title := l
		if title == "" {
			title = "series"
		}
		t.Columns = append(t.Columns, cells.Column{Title: text.Clean(title, 30), Max: 40, Priority: i + 1})
	}
	t.Columns = append(t.Columns, cells.Column{Title: "value", Align: cells.Right})
	for _, sr := range series {
		var row []cells.Cell
		for _, l := range labels {
			v := sr.Labels[l]
			if b.Legend != "" {
				v = b.name(sr.Labels, nil)
			}
			row = append(row, cells.Styled(text.Clean(v, 80), s.Label))
		}
		t.Rows = append(t.Rows, append(row, cells.Text(figure.Number(last(sr), b.Unit, fig.Status, f.Now().Sub(fig.At), s))))
	}
	return t.View(w, h)
}

// heat draws cumulative counts by le, as sum by (le) (increase(…_bucket[…]))
// gives them.
func (b box) heat(f pane.Frame, fig *sources.Figure, w, h int) string {
	from, to := axis(f, fig.Need)
	m := chart.MatrixOf(fig.Series, from.Add(fig.Need.Step), to, fig.Need.Step)
	empty := "no series with an le label: sum by (le) (increase(NAME_bucket[$window]))"
	return chart.Heat(m, chart.HeatOpts{W: w, H: h, Columns: b.columns(f), Format: b.format(), Styles: f.Styles, Empty: empty})
}

// copy is the widget's newest values as text.
func (b box) copy(f pane.Frame) []string {
	fig := f.Snap.Figure(b.needs(f)[0])
	out := []string{text.Clean(b.Title, 60)}
	if !fig.HasValue() {
		return append(out, fig.Status.String())
	}
	series := largest(fig.Series)
	names := b.names(fig.Series, series)
	for i, s := range series {
		out = append(out, strings.TrimSpace(names[i]+"  "+text.Value(last(s), b.Unit)))
	}
	return out
}

// hidden is how many rows of the widget do not fit.
func (b box) hidden(f pane.Frame) int {
	needs := b.needs(f)
	n := len(f.Snap.Figure(needs[len(needs)-1]).Series)
	if b.Kind != Table && b.Kind != Sparkline {
		return 0
	}
	return max(0, n-max(b.h-3, 1))
}

func scrolled(lines []string, w, h, scroll int, f pane.Frame) string {
	if len(lines) <= h {
		return cells.Block(lines, w, h)
	}
	room := max(h-1, 1)
	from := max(0, min(scroll, len(lines)-room))
	end := min(from+room, len(lines))
	shown := f.Styles.Faint.Render(fmt.Sprintf("%d–%d of %d", from+1, end, len(lines)))
	return cells.Block(append(slices.Clone(lines[from:end]), cells.FitRight(shown, w)), w, h)
}

func last(s sources.Series) float64 {
	p, _ := s.Last()
	return p.V
}

// largest orders series by their newest value, the largest first; what is not
// a number goes last, and equals stay in the order of their labels.
func largest(in []sources.Series) []sources.Series {
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(a, b sources.Series) int { return cmp.Compare(last(b), last(a)) })
	return out
}

func groupOf(fig *sources.Figure, l sources.Labels) (sources.Series, bool) {
	if !fig.HasValue() {
		return sources.Series{}, false
	}
	for _, s := range fig.Series {
		if maps.Equal(s.Labels, l) {
			return s, true
		}
	}
	return sources.Series{}, false
}

// telling are the label names whose values differ between the series, sorted;
// all of them where there is one series.
func telling(all []sources.Series) []string {
	values := map[string]map[string]bool{}
	for _, s := range all {
		for n := range s.Labels {
			values[n] = map[string]bool{}
		}
	}
	var out []string
	for n, seen := range values {
		for _, s := range all {
			seen[s.Labels[n]] = true
		}
		if len(seen) > 1 || len(all) == 1 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

var placeholder = regexp.MustCompile(`\{\{\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}`)

// names are the legends of some of the series.
func (b box) names(all, some []sources.Series) []string {
	labels := telling(all)
	out := make([]string, len(some))
	for i, s := range some {
		out[i] = b.name(s.Labels, labels)
	}
	return out
}

func (b box) name(l sources.Labels, labels []string) string {
	if b.Legend != "" {
		return text.Clean(placeholder.ReplaceAllStringFunc(b.Legend, func(ph string) string {
			return l[placeholder.FindStringSubmatch(ph)[1]]
		}), 60)
	}
	var parts []string
	for _, n := range labels {
		if v := l[n]; v != "" {
			parts = append(parts, v)
		}
	}
	return text.Clean(strings.Join(parts, " "), 60)
}
