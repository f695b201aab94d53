package gpu

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/pane"
)

// picture is one chart of a GPU over time.
type picture struct {
	title   string
	figures []triage.GPUFigure
	names   []string
	full    float64 // the end of the scale where there is a natural one
	limit   triage.GPUFigure
	limited bool   // limit is drawn across
	over    string // what stands before it
	format  func(float64) string
}

// pictures in the order in which they are given room.
var pictures = [...]picture{
	{title: "active", figures: []triage.GPUFigure{triage.GPUUtil, triage.GPUSMActive, triage.GPUTensor, triage.GPUDRAM}, names: []string{"util", "SM", "tensor", "DRAM"}, full: 1, format: text.Percent},
	{title: "memory", figures: []triage.GPUFigure{triage.GPUMemoryUsed}, limit: triage.GPUMemoryTotal, limited: true, over: " of ", format: memory},
	{title: "power", figures: []triage.GPUFigure{triage.GPUPower}, limit: triage.GPUPowerLimit, limited: true, over: " of ", format: func(v float64) string { return text.Value(v, "watts") }},
	{title: "SM clock", figures: []triage.GPUFigure{triage.GPUSMClock}, limit: triage.GPUSMClockMax, limited: true, over: " of ", format: func(v float64) string { return text.Value(v, "MHz") }},
	{title: "temperature", figures: []triage.GPUFigure{triage.GPUTemperature}, limit: triage.GPUSlowdownTemperature, limited: true, over: ", slows down at ", format: degrees},
	{title: "moved", figures: []triage.GPUFigure{triage.GPUNVLinkSent, triage.GPUNVLinkReceived, triage.GPUPCIeSent, triage.GPUPCIeReceived}, names: []string{"NVLink tx", "rx", "PCIe tx", "rx"}, format: func(v float64) string { return text.Rate(v, "bytes") }},
}

const (
	chartAxis   = 8  // cells of a chart's axis, about
	leastChart  = 28 // cells
	chartHeight = chart.LeastHeight + 1
	mostChart   = 16
)

// detail is the area in which one GPU is drawn, without its title.
type detail struct{ w, h int }

// grid is how the charts stand: none when there is room for sparklines only.
func (d detail) grid() (cols, rows int) {
	if d.w < wide || d.h < chartHeight {
		return 0, 0
	}
	cols = min(max((d.charts()+2)/(leastChart+2), 1), 3)
	rows = (len(pictures) + cols - 1) / cols
	for rows > 1 && d.h/rows < chartHeight {
		rows--
	}
	return cols, rows
}

// charts is the width of all charts side by side: the left part.
func (d detail) charts() int {
	if d.w < wide {
		return d.w
	}
	return min(d.w*11/20, d.w-60)
}

// drawn are the charts, or the sparklines, that have room.
func (d detail) drawn() []picture {
	if cols, rows := d.grid(); cols > 0 {
		return pictures[:min(cols*rows, len(pictures))]
	}
	return pictures[:]
}

// columns is how many columns each course has.
func (d detail) columns(f pane.Frame) int {
	if cols, _ := d.grid(); cols > 0 {
		w := (d.charts() - 2*(cols-1)) / cols
		// No more columns than seconds: a wide chart does not look back further.
		return max(min(w-chartAxis, int(f.Span()/time.Second)), 1)
	}
	return min(max(d.charts()-44, 10), 60)
}

// figures are those drawn over time. A sparkline draws the first of each.
func (d detail) figures() []triage.GPUFigure {
	var out []triage.GPUFigure
	for _, p := range d.drawn() {
		out = append(out, p.figures...)
	}
	return out
}

// below draws the GPU under the cursor below its table.
func (p *Pane) below(f pane.Frame, l *listing, r *row, d detail) string {
	title := "gpu " + r.number
	if len(l.hosts) > 1 {
		title = r.host + " " + title
	}
	title += detailTitle(r, f)
	body := ""
	if d.w >= wide {
		body = p.halves(f, l, r, d, right(f, l, r, d.w-d.charts()-3))
	} else {
		body = cells.Block(p.sheetLines(f, l, r, d), d.w, d.h)
	}
	return cells.Stack(cells.Rule(title, d.w, f.Styles), body)
}

func detailTitle(r *row, f pane.Frame) string {
	sep := " " + f.Styles.G.Or().Sep + " "
	out := ""
	for _, s := range []string{r.model, text.Clean(r.UUID, 40)} {
		if s != "" {
			out += sep + s
		}
	}
	return out
}

// halves are the charts and, beside them, the lines.
func (p *Pane) halves(f pane.Frame, l *listing, r *row, d detail, lines []string) string {
	return cells.Join("   ", d.draw(f, l, r), cells.Block(lines, d.w-d.charts()-3, d.h))
}

// draw draws the charts, or sparklines where they have no room.
func (d detail) draw(f pane.Frame, l *listing, r *row) string {
	cols, rows := d.grid()
	w := d.charts()
	if cols == 0 {
		return cells.Block(d.sparks(f, l, r, w), w, d.h)
	}
	cw := (w - 2*(cols-1)) / cols
	ch := min(d.h/rows, mostChart)
	all := d.drawn()
	var lines []string
	for k := 0; k < len(all); k += cols {
		var line []string
		for _, pic := range all[k:min(k+cols, len(all))] {
			line = append(line, pic.draw(f, l, r, d.columns(f), cw, ch))
		}
		lines = append(lines, cells.Lines(cells.Join("  ", line...))...)
	}
	return cells.Block(lines, w, d.h)
}

func (pic picture) draw(f pane.Frame, l *listing, r *row, n, w, h int) string {
	s := f.Styles
	span, step := f.Columns(n)
	var series []sources.Series
	var have []string
	status := sources.StatusPending
	for i, fig := range pic.figures {
		need := course(fig, f, n)
		line, ok := l.line(need, r.UUID, r.Host)
		if st := f.Snap.Figure(need).Status; i == 0 || st > status {
			status = st
		}
		if ok && len(line.Points) > 0 {
			series = append(series, line)
			if pic.names != nil {
				have = append(have, pic.names[i])
			}
		}
	}
	now := ""
	if len(pic.figures) == 1 {
		now = number(r.Of(pic.figures[0]), pic.format, s)
	}
	o := chart.LineOpts{W: w, H: h - 1, Step: step, Zero: true, Styles: s, Format: pic.format, Empty: status.String()}
	switch {
	case status == sources.StatusOK:
		o.Empty = "this GPU has none"
	case status == sources.StatusPending:
		o.Empty = "waiting for the course"
	}
	if ms := step.Milliseconds(); ms > 0 {
		o.To = time.UnixMilli(f.Now().UnixMilli() / ms * ms).UTC()
		o.From = o.To.Add(-span)
	}
	if pic.full > 0 {
		o.Lo, o.Hi = 0, pic.full
	}
	if limit := r.Of(pic.limit); pic.limited && limit.Has() && limit.V > 0 {
		o.Limits = []chart.Limit{{Value: limit.V, Style: s.Dim}}
		now += s.Dim.Render(pic.over + pic.format(limit.V))
	}
	title := s.Label.Render(pic.title) + " " + now
	if legend := chart.Legend(have, w, s); len(have) > 1 {
		// The names say what is drawn where both have no room.
		if title = title + " " + legend; cells.Width(title) > w {
			title = legend
		}
	}
	title = cells.Fit(title, w)
	return cells.Stack(title, chart.Line(series, o))
}

// sparks are the courses as sparklines below each other.
func (d detail) sparks(f pane.Frame, l *listing, r *row, w int) []string {
	n := d.columns(f)
	span, _ := f.Columns(n)
	out := []string{f.Styles.Dim.Render("over " + text.Age(span))}
	for _, pic := range d.drawn() {
		for i, fig := range pic.figures {
			label := pic.title
			if pic.names != nil {
				label = pic.names[i]
				if label == "rx" {
					label = strings.Fields(pic.names[i-1])[0] + " rx"
				}
			}
			need := course(fig, f, n)
			line, ok := l.line(need, r.UUID, r.Host)
			out = append(out, f.Styles.Label.Render(cells.Fit(label, 12))+
				cells.Fit(spark(line, ok, f.Snap.Figure(need), f, need.Step, n, pic.full), n)+"  "+number(r.Of(fig), pic.format, f.Styles)+mostOf(line, ok, pic.format, f))
		}
	}
	return out
}

func mostOf(s sources.Series, ok bool, spell func(float64) string, f pane.Frame) string {
	most := math.Inf(-1)
	for _, p := range s.Points {
		if !math.IsNaN(p.V) && !math.IsInf(p.V, 0) {
			most = max(most, p.V)
		}
	}
	if !ok || math.IsInf(most, 0) {
		return ""
	}
	return f.Styles.Dim.Render("  most " + spell(most))
}

// sheet is one GPU over the whole area.
func (p *Pane) sheet(f pane.Frame, l *listing) string {
	s := f.Styles
	r := p.focused(l)
	if r == nil {
		return cells.Message(s.Dim.Render("this GPU is not known at this moment. hint: esc goes back to the table"), f.W, f.H)
	}
	d := detail{w: f.W, h: max(f.H-2, 0)}
	lines := p.sheetLines(f, l, r, d)
	first := min(max(p.scroll, 0), max(len(lines)-d.h, 0))
	end := min(first+d.h, len(lines))
	more := ""
	if end-first < len(lines) {
		more = s.Faint.Render(fmt.Sprintf("%d–%d of %d", first+1, end, len(lines)))
	}
	title := cells.Line(f.W,
		cells.L(mark(r.grade, s)+" "+s.Title.Render("gpu "+r.number), 0), cells.L(s.Dim.Render("on "+r.host), 1), cells.L(s.Dim.Render(r.model), 2), cells.L(s.Dim.Render(text.Clean(r.UUID, 40)), 5),
		cells.R(more, 3), cells.R(s.Dim.Render("esc back  n N next, previous"), 4))
	body := ""
	if d.w >= wide {
		body = p.halves(f, l, r, d, lines[first:end])
	} else {
		body = cells.Block(lines[first:end], d.w, d.h)
	}
	return cells.Block(append([]string{title, ""}, cells.Lines(body)...), f.W, f.H)
}

// focused is the GPU of the sheet.
func (p *Pane) focused(l *listing) *row { return l.row(p.gpus.cursor.Key) }

// sheetLines are what scrolls: all of it on a narrow screen, what stands
// beside the charts on a wide one.
func (p *Pane) sheetLines(f pane.Frame, l *listing, r *row, d detail) []string {
	if d.w >= wide {
		return right(f, l, r, d.w-d.charts()-3)
	}
	return append(d.sparks(f, l, r, d.w), right(f, l, r, d.w)...)
}

func (p *Pane) sheetLength(f pane.Frame, l *listing) int {
	if r := p.focused(l); r != nil {
		return len(p.sheetLines(f, l, r, detail{w: f.W, h: max(f.H-2, 0)}))
	}
	return 0
}
