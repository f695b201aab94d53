package overview

import (
	"math"
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// needProbe is the path's total; whether it exists tells whether there is a
// frontend.
var needProbe = sources.Need{Key: "frontend.ttft", Form: sources.FormMean}

// Widths of the path's columns.
const (
	meanWidth  = 10
	shareWidth = 7
	leastBar   = 6
	mostNotes  = 2 // lines below the path
)

// pathHeight is how many lines the path has to say.
func pathHeight(f pane.Frame, w int) int {
	path := triage.PathOf(f.Snap)
	if len(path.Stages) == 0 {
		return 1 + max(len(missing(f, w)), 1)
	}
	return 1 + len(path.Stages) + len(notes(f, path, w))
}

// drawPath draws the total, a row a stage, and what keeps it from being split
// further. Where there is room, rows stand apart.
func (p *Pane) drawPath(f pane.Frame, a area) string {
	path := triage.PathOf(f.Snap)
	lines := []string{p.pathTitle(f, path, a.w)}
	if len(path.Stages) == 0 {
		return cells.Block(append(lines, missing(f, a.w)...), a.w, a.h)
	}
	title := 0
	for _, st := range path.Stages {
		title = max(title, cells.Width(st.Title))
	}
	title = min(title, max(a.w-meanWidth-shareWidth-leastBar-3, a.w/3))
	below := notes(f, path, a.w)
	airy := a.h >= 2+2*len(path.Stages)+len(below)
	for _, st := range path.Stages {
		if airy {
			lines = append(lines, "")
		}
		line := stageLine(f.Styles, st, title, a.w)
		if p.focus == partPath && p.stage == st.Key {
			line = f.Styles.Select.Render(cells.Fit(cells.Strip(line), a.w))
		}
		lines = append(lines, line)
	}
	if airy {
		lines = append(lines, "")
	}
	return cells.Block(append(lines, below...), a.w, a.h)
}

func (p *Pane) pathTitle(f pane.Frame, path triage.Path, w int) string {
	st := f.Styles
	style := st.Title
	if p.focus == partPath {
		style = st.Accent
	}
	out := []cells.Part{cells.L(style.Render("TTFT path"), 0)}
	if len(path.Stages) == 0 {
		return cells.Line(w, out...)
	}
	fig := f.Snap.Figure(needProbe)
	number := st.Value
	if path.Status != sources.StatusOK {
		number = st.Stale
	}
	window := fig.Window
	if window <= 0 {
		window = f.Window
	}
	out = append(out,
		cells.L(st.Label.Render("mean ")+number.Render(text.Duration(path.Total)), 0),
		cells.L(st.Dim.Render("(n ")+number.Render(text.Count(path.N))+st.Dim.Render(", "+text.Age(window)+")"), 1))
	if path.Status != sources.StatusOK {
		out = append(out, cells.L(st.Stale.Render(path.Status.String()+" "+text.Age(f.Now().Sub(fig.At))), 0))
	}
	if fig.AllModels {
		out = append(out, cells.L(st.Dim.Render("all models"), 2))
	}
	return cells.Line(w, out...)
}

// stageLine draws one stage: title, bar, mean, share. The bar is the share of
// the total; a negative rest has none.
func stageLine(s themes.Styles, st triage.Stage, title, w int) string {
	label, number := s.Label, s.Value
	switch {
	case st.Status != sources.StatusOK:
		label, number = s.Stale, s.Stale
	case st.Rest:
		label, number = s.Dim.Italic(), s.Dim.Italic()
	}
	bar := w - title - meanWidth - shareWidth - 2
	if bar < leastBar {
		return cells.Line(w, cells.L(label.Render(st.Title), 0), cells.R(number.Render(text.Millis(st.Mean)), 0), cells.R(number.Render(text.Percent(st.Share)), 1))
	}
	bs := s
	if st.Rest {
		bs.Theme.Bar = s.BarTrack
	}
	return cells.Fit(label.Render(cells.Clip(st.Title, title)), title) + " " + cells.Bar(st.Share, bar, bs) + " " +
		cells.FitRight(number.Render(text.Millis(st.Mean)), meanWidth) + cells.FitRight(number.Render(text.Percent(st.Share)), shareWidth)
}

// notes say what keeps the path from being split further.
func notes(f pane.Frame, path triage.Path, w int) []string {
	var out []string
	if path.Note != "" {
		out = append(out, path.Note)
	}
	var names []string
	for _, st := range path.Stages {
		names = append(names, st.Missing...)
	}
	if len(names) > 0 {
		out = append(out, unsplit(f.Snap, names)...)
	}
	var lines []string
	for _, s := range out {
		lines = append(lines, cells.Wrap(f.Styles.Dim.Render(s), w)...)
	}
	if len(lines) > mostNotes {
		lines[mostNotes-1] = cells.Fit(lines[mostNotes-1], max(w-2, 0)) + " " + f.Styles.Dim.Render(f.Styles.G.Or().Ellipsis)
		lines = lines[:mostNotes]
	}
	return lines
}

// unsplit tells families that are not exported from those that are and saw
// none of the requests: only the former can be switched on.
func unsplit(s *sources.Snapshot, names []string) []string {
	wanted := map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	var absent, quiet []string
	for _, n := range triage.PathNeeds() {
		if n.Form != sources.FormMean {
			continue
		}
		f := s.Figure(n)
		var own []string
		for _, t := range f.Tried {
			if wanted[t] {
				own = append(own, t)
				delete(wanted, t)
			}
		}
		switch {
		case len(own) == 0:
		case f.Status == sources.StatusAbsent:
			absent = append(absent, spellings(s, own)...)
		case len(f.Found) > 0:
			quiet = append(quiet, spellings(s, f.Found)...)
		default:
			quiet = append(quiet, spellings(s, own)...)
		}
	}
	var out []string
	if len(absent) > 0 {
		out = append(out, "not split: the engine exports no "+listed(absent))
	}
	if len(quiet) > 0 {
		out = append(out, "not split: "+listed(quiet)+" covers none of these requests")
	}
	return out
}

// spellings picks out of the names of one figure the first of each engine
// that is here; the explanation has them all.
func spellings(s *sources.Snapshot, names []string) []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, w := range s.Workers {
		if seen[w.Engine] {
			continue
		}
		seen[w.Engine] = true
		if i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, w.Engine) }); i >= 0 {
			out = append(out, names[i])
		}
	}
	if len(out) == 0 {
		return names[:min(1, len(names))]
	}
	return out
}

func listed(names []string) string { return text.Clean(strings.Join(names, ", "), 240) }

// missing says why there is no path.
func missing(f pane.Frame, w int) []string {
	st := f.Styles
	g := st.G.Or()
	if f.Snap == nil {
		return cells.Wrap(st.Dim.Render(g.Ellipsis+" waiting for the first answer"), w)
	}
	fig := f.Snap.Figure(needProbe)
	window := fig.Window
	if window <= 0 {
		window = f.Window
	}
	var out []string
	switch fig.Status {
	case sources.StatusPending:
		out = append(out, g.Ellipsis+" waiting for two scrapes")
	case sources.StatusIdle:
		out = append(out, g.Idle+" no traffic in the last "+text.Age(window))
	case sources.StatusAbsent:
		if hasFrontend(f.Snap) {
			out = append(out, g.Absent+" no request yet at the frontend", "looked for "+listed(fig.Tried))
			if fig.Note != "" {
				out = append(out, text.Clean(fig.Note, 200))
			}
			break
		}
		out = append(out, g.Absent+" no frontend among the targets: add it with --target http://HOST:8000")
		for _, t := range f.Snap.Targets {
			if t.Role == "" && t.Health == sources.HealthDown {
				out = append(out, "or is it "+text.Clean(t.Instance, 60)+", which does not answer: "+text.Safe(t.Error, 120))
				break
			}
		}
	case sources.StatusError:
		out = append(out, g.Unknown+" "+text.Safe(fig.Err, 300))
	case sources.StatusNaN:
		out = append(out, g.Absent+" not a number")
	default: // a total of zero has no parts
		v, _ := fig.Value()
		if math.IsNaN(v) {
			out = append(out, g.Absent+" not a number")
		} else {
			out = append(out, g.Idle+" mean "+text.Duration(v)+": nothing to take apart")
		}
	}
	var lines []string
	for _, s := range out {
		lines = append(lines, cells.Wrap(st.Dim.Render(s), w)...)
	}
	return lines
}

// hasFrontend says whether any target shows itself as a frontend, or a
// frontend's figure exists where targets are not known.
func hasFrontend(s *sources.Snapshot) bool {
	if s == nil {
		return false
	}
	for _, t := range s.Targets {
		if t.Role == "frontend" {
			return true
		}
	}
	st := s.Figure(needProbe).Status
	return st != sources.StatusAbsent && st != sources.StatusPending
}

// engineOnly says that there are engines and no frontend in front of them, so
// that the engines' figures have to stand in.
func engineOnly(s *sources.Snapshot) bool {
	if s == nil || hasFrontend(s) || s.Figure(needProbe).Status != sources.StatusAbsent {
		return false
	}
	return slices.ContainsFunc(s.Workers, func(w sources.Worker) bool { return w.Engine != "" })
}

func (p *Pane) explainStage(s *sources.Snapshot) []sources.Need {
	for _, st := range slices.Concat(triage.PathOf(s).Stages, triage.TokenPathOf(s).Stages) {
		if st.Key == p.stage {
			return st.Needs
		}
	}
	if p.stage == keyTokens {
		return []sources.Need{needTokens, {Key: "frontend.itl", Form: sources.FormCount}}
	}
	return []sources.Need{needProbe, {Key: "frontend.ttft", Form: sources.FormCount}}
}
