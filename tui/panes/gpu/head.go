package gpu

import (
	"cmp"
	"fmt"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// none is the sentence for a snapshot without GPUs: why, and what was tried.
func none(f pane.Frame) string {
	s := f.Styles
	if f.Snap == nil {
		return cells.Message(s.Dim.Render("waiting for the first answer"), f.W, f.H)
	}
	probe := f.Snap.Figure(triage.GPUTemperature.Need())
	switch probe.Status {
	case sources.StatusPending:
		return cells.Message(s.Dim.Render("no GPU yet: waiting for the first scrapes"), f.W, f.H)
	case sources.StatusError:
		return cells.Message(s.Dim.Render(text.Safe("whether there are GPUs could not be asked: "+probe.Err, 240)), f.W, f.H)
	}
	var tried []string
	for _, n := range triage.GPUIdentityNeeds() {
		for _, name := range f.Snap.Figure(n).Tried {
			if name = text.Clean(name, 60); !strings.Contains(strings.Join(tried, " ")+" ", name+" ") {
				tried = append(tried, name)
			}
		}
	}
	line := fmt.Sprintf("no GPU: none of %s shows one", plural(len(f.Snap.Targets), "target"))
	if len(tried) > 0 {
		line += " (looked for " + strings.Join(tried, ", ") + ")"
	}
	note := cmp.Or(text.Clean(probe.Note, 200), "needs the GPU of this host (NVML) or a DCGM exporter among the targets")
	return cells.Message(s.Dim.Render(line+". hint: "+note), f.W, f.H)
}

// head is the lines above the table: what there is, what it draws, and what
// wants a look.
func (p *Pane) head(f pane.Frame, l *listing, at level) []string {
	n := headLines(f.H)
	if n == 0 {
		return nil
	}
	s := f.Styles
	scope := l.scope
	title := plural(len(scope), "GPU")
	switch {
	case p.inHost && len(l.hosts) > 1:
		title = "host " + text.Clean(p.host, 40) + " " + s.G.Or().Sep + " " + title
	case len(l.hosts) > 1:
		title += " on " + plural(len(l.hosts), "host")
	}
	model := l.model
	if p.inHost {
		for i := range l.hosts {
			if l.hosts[i].Name == p.host {
				model = l.hosts[i].model
			}
		}
	}
	shown, all, unit := len(l.shownGPUs), len(scope), ""
	order := words(p.gpus.order, allGPUColumns(), "by number", "by number, falling")
	if at == levelHosts {
		shown, all, unit = len(l.shownHosts), len(l.hosts), " hosts"
		order = words(p.hosts.order, allHostColumns(), "worst first", "worst last")
	}
	var filter string
	if p.filter.Text != "" {
		filter = s.Accent.Render("filter "+cells.Strip(p.filter.Text)) + s.Dim.Render(fmt.Sprintf("  %d of %d%s", shown, all, unit))
	}
	first := []cells.Part{cells.L(s.Title.Render(title), 0), cells.L(s.Dim.Render(model), 3), cells.L(sums(&l.total, f), 2)}
	if fig := f.Snap.Figure(triage.GPUTemperature.Need()); fig.Status != sources.StatusOK {
		first = append(first, cells.L(s.Stale.Render(fig.Status.String()+" "+text.Age(f.Now().Sub(fig.At))), 1))
	}
	if p.inHost && len(l.hosts) > 1 {
		order = "esc all hosts  " + order
	}
	if n == 1 {
		return []string{cells.Line(f.W, append(first, cells.R(filter, 1))...)}
	}
	lines := []string{
		cells.Line(f.W, append(first, cells.R(s.Dim.Render(order), 4))...),
		cells.Line(f.W, cells.L(concern(scope, len(l.hosts) > 1 && !p.inHost, f), 0), cells.R(filter, 0)),
	}
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines
}

// sums are the power and memory of GPUs together.
func sums(h *triage.GPUHost, f pane.Frame) string {
	var out []string
	if h.Util.Has() {
		out = append(out, f.Styles.Label.Render("util ")+number(h.Util, share, f.Styles))
	}
	if h.Used.Has() {
		out = append(out, f.Styles.Label.Render("memory ")+of(h.Used, h.Total, memory, f))
	}
	if h.Power.Has() {
		out = append(out, f.Styles.Label.Render("power ")+of(h.Power, h.Limit, kilowatts, f)+f.Styles.Dim.Render(" kW"))
	}
	return strings.Join(out, "  ")
}

func kilowatts(v float64) string {
	if v >= 99_500 {
		return text.Count(v / 1000)
	}
	return fmt.Sprintf("%.1f", v/1000)
}

// concern says what wants a look first, or that nothing does and what that
// rests on.
func concern(rows []*row, host bool, f pane.Frame) string {
	s := f.Styles
	var worst *row
	n := 0
	masks, xids, live := false, false, false
	for _, r := range rows {
		masks = masks || r.Of(triage.GPUReasons).Status == sources.StatusOK
		xids = xids || r.Of(triage.GPUXID).Status == sources.StatusOK
		live = live || r.Of(triage.GPUTemperature).Status == sources.StatusOK || r.Of(triage.GPUUtil).Status == sources.StatusOK
		if r.grade > triage.GradeNone {
			n++
			if worst == nil || r.grade > worst.grade {
				worst = r
			}
		}
	}
	if worst != nil {
		where := "gpu " + worst.number
		if host {
			where = worst.host + " " + where
		}
		out := mark(worst.grade, s) + " " + s.Value.Render(where) + " " + graded(worst.why, worst.grade, s)
		if n > 1 {
			out += s.Dim.Render(fmt.Sprintf("  and %s", plural(n-1, "other GPU")))
		}
		return out
	}
	var missing []string
	if !masks {
		missing = append(missing, "what holds clocks down")
	}
	if !xids {
		missing = append(missing, "XID errors")
	}
	switch {
	case !live:
		return ""
	case len(missing) == 0:
		return s.Dim.Render("no GPU is throttled, none has an XID error")
	default:
		return s.Dim.Render("not known: " + strings.Join(missing, ", ") + " (no target has them; e says what brings them)")
	}
}
