package workers

import (
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// mostSheetEvents is how many of a worker's events its sheet lists.
const mostSheetEvents = 12

// Details asks for what no store holds about the worker whose sheet is open.
func (p *Pane) Details(f pane.Frame) []pane.DetailNeed {
	if !p.open {
		return nil
	}
	if r := p.listing(f).row(p.cursor.Key); r != nil && r.address != "" {
		return []pane.DetailNeed{detailNeed(r)}
	}
	return nil
}

func detailNeed(r *row) pane.DetailNeed {
	return pane.DetailNeed{Instance: r.address, Engine: r.Engine, Model: r.Model}
}

// sheetGPUNeeds are the questions of the worker's GPUs.
func sheetGPUNeeds() []sources.Need {
	return append(triage.GPUIdentityNeeds(), triage.GPUTableNeeds()...)
}

// sheetBelow is what stands below the numbers, over the whole width.
func sheetBelow(f pane.Frame, r *row, w int) []string {
	d, known := f.Details[detailNeed(r)]
	out := sheetEvents(f, r, w)
	out = append(out, sheetGPUs(f, r, d, w)...)
	out = append(out, sheetFlags(f, r, d, known, w)...)
	return append(out, sheetLog(f, d, known, w)...)
}

// sheetEvents lists what happened to the worker, newest first.
func sheetEvents(f pane.Frame, r *row, w int) []string {
	s := f.Styles
	out := []string{cells.Rule("what happened to it in "+text.Age(f.Window), w, s)}
	events := sources.EventsOf(f.Events, r.ID, r.address)
	if len(events) == 0 {
		return append(out, s.Dim.Render("nothing"))
	}
	for i, e := range events {
		if i == mostSheetEvents {
			return append(out, s.Faint.Render(text.Count(float64(len(events)-i))+" more"))
		}
		style, sign := s.Dim, s.G.Or().Idle
		if e.Kind.Bad() {
			style, sign = s.Theme.Warn, s.G.Or().Warn
		}
		out = append(out, cells.Line(w, cells.L(style.Render(sign)+" "+s.Value.Render(text.Clock(e.At)), 0), cells.L(style.Render(cells.Fit(string(e.Kind), 11)), 0),
			cells.L(s.Text.Render(text.Clean(e.Subject, 24)), 1), cells.L(s.Text.Render(text.Clean(e.Detail, 160)), 1),
			cells.R(s.Dim.Render(text.Age(f.Now().Sub(e.At))+" ago"), 2)))
	}
	return out
}

// sheetGPUs lists the GPUs whose processes serve the worker.
func sheetGPUs(f pane.Frame, r *row, d pane.Detail, w int) []string {
	s := f.Styles
	var owners []triage.Owner
	if d.PID != "" {
		owners = append(owners, triage.Owner{PID: d.PID, Instance: r.address})
	}
	var out []string
	cell := func(label string, c triage.Cell, spell func(float64) string) cells.Part {
		return cells.L(s.Label.Render(label+" ")+paint(c, spell, f), 1)
	}
	for _, g := range triage.GPUs(f.Snap, owners) {
		serves, proof := g.Workers()
		if r.address == "" || !slices.Contains(serves, r.address) {
			continue
		}
		why := "its process holds the port"
		if proof == triage.ProofOnly {
			why = "the one worker known on the host"
		}
		out = append(out, cells.Line(w,
			cells.L(s.Value.Render(text.Clean(g.Host, 30)+" "+text.Clean(g.Index, 4)), 0), cells.L(s.Text.Render(text.Clean(g.Model, 30)), 3),
			cell("busy", g.Of(triage.GPUUtil), text.Percent), cell("memory", g.MemoryShare(), text.Percent),
			cell("power", g.Of(triage.GPUPower), func(v float64) string { return text.Value(v, "watts") }),
			cell("", g.Of(triage.GPUTemperature), func(v float64) string { return text.Value(v, "celsius") }),
			cells.R(s.Dim.Render(why), 4)))
	}
	if out == nil {
		out = []string{s.Dim.Render("not known: no GPU's process could be told to be this worker's")}
	}
	return append([]string{cells.Rule("its GPUs", w, s)}, out...)
}

// sheetFlags lists how the worker was started, each value with where it is
// known from.
func sheetFlags(f pane.Frame, r *row, d pane.Detail, known bool, w int) []string {
	s := f.Styles
	title := "started with"
	if d.Process != "" {
		title += " · " + text.Clean(d.Process, 80)
	}
	out := []string{cells.Rule(title, w, s)}
	switch {
	case r.address == "":
		return append(out, s.Dim.Render("unknown: its page is not scraped, so its address is not known"))
	case !known:
		return append(out, s.Dim.Render("looking for its process"+s.G.Or().Ellipsis))
	}
	var rows [][]cells.Cell
	for _, fl := range d.Flags {
		value := s.Value
		if fl.Source == "default" {
			value = s.Dim
		}
		from := fl.Source
		if fl.Origin != "" && fl.Source != "default" {
			from += " " + fl.Origin
		}
		rows = append(rows, []cells.Cell{
			cells.Styled(text.Clean(fl.Name, 60), s.Label), cells.Styled(text.Safe(fl.Value, 200), value), cells.Styled(text.Clean(from, 80), s.Dim), cells.Styled(text.Safe(strings.TrimPrefix(fl.Note, "; "), 200), s.Dim),
		})
	}
	if len(rows) > 0 {
		t := cells.Table{
			Columns: []cells.Column{{Min: 22, Max: 30}, {Min: 14}, {Min: 16, Priority: 1}, {Min: 10, Priority: 2}},
			Rows:    rows, Selected: cells.None, NoHeader: true, Styles: s, Gap: 1,
		}
		out = append(out, cells.Lines(t.View(w, len(rows)))...)
	}
	if d.Unknown != "" {
		for _, l := range cells.Wrap("the rest is unknown: "+text.Safe(d.Unknown, 300), max(w, 10)) {
			out = append(out, s.Dim.Render(l))
		}
	}
	if len(d.Args) > 0 {
		out = append(out, s.Label.Render("command line"))
		for _, l := range cells.Wrap(text.Safe(strings.Join(d.Args, " "), 4000), max(w-2, 10)) {
			out = append(out, "  "+s.Dim.Render(l))
		}
	}
	return out
}

// sheetLog shows the end of the worker's log, or how to see it.
func sheetLog(f pane.Frame, d pane.Detail, known bool, w int) []string {
	s := f.Styles
	title := "its last log lines"
	if d.Log.From != "" {
		title += " · " + text.Clean(d.Log.From, 120)
	}
	out := []string{cells.Rule(title, w, s)}
	switch {
	case !known:
		return append(out, figure.None(sources.StatusPending, s))
	case len(d.Log.Lines) == 0 && d.Log.Hint == "":
		return append(out, s.Dim.Render("the file is empty"))
	}
	if d.Log.Hint != "" {
		for _, l := range cells.Wrap(text.Safe(d.Log.Hint, 300), max(w, 10)) {
			out = append(out, s.Dim.Render(l))
		}
	}
	for _, l := range d.Log.Lines {
		out = append(out, s.Text.Render(cells.Clip(text.Safe(l, 400), w)))
	}
	return out
}
