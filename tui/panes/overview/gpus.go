package overview

import (
	"fmt"
	"math"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// needGPU tells whether there are GPUs: every exporter shows a temperature,
// also of a GPU that MIG has cut up.
var needGPU = triage.GPUTemperature.Need()

// gpuNeeds is one question as long as there are no GPUs.
func gpuNeeds(s *sources.Snapshot) []sources.Need {
	if !s.Figure(needGPU).HasValue() {
		return []sources.Need{needGPU}
	}
	out := triage.GPUIdentityNeeds()
	for _, f := range [...]triage.GPUFigure{triage.GPUMemoryUsed, triage.GPUMemoryTotal, triage.GPUPower} {
		out = append(out, f.Need())
	}
	return out
}

// host is a host's GPUs, each once by its UUID, in the order of their numbers.
type host struct {
	name string
	gpus []*triage.GPU
}

func hosts(all []triage.GPU) []host {
	var out []host
	for i := range all {
		name := all[i].Host
		if len(out) == 0 || out[len(out)-1].name != name {
			out = append(out, host{name: name})
		}
		last := &out[len(out)-1]
		last.gpus = append(last.gpus, &all[i])
	}
	return out
}

// gpuHeight is the height of the GPUs in a screen of h rows: a title and a
// row a host, as many as an eighth of the screen holds; 0 without GPUs.
func gpuHeight(s *sources.Snapshot, h int) int {
	n := len(hosts(triage.GPUList(s)))
	if n == 0 {
		return 0
	}
	return 1 + min(n, max(h/8, 1))
}

// drawGPUs draws one row of small bars per host.
func drawGPUs(f pane.Frame, a area) string {
	if a.h <= 0 {
		return ""
	}
	all := hosts(triage.GPUs(f.Snap, nil))
	shown := all[:min(len(all), a.h-1)]
	title := "GPU"
	if n := len(all) - len(shown); n > 0 {
		title += fmt.Sprintf(" %s %d of %d hosts", f.Styles.G.Or().Sep, len(shown), len(all))
	}
	if fig := f.Snap.Figure(needGPU); fig.Status != sources.StatusOK {
		title += " " + f.Styles.Stale.Render(fig.Status.String()+" "+text.Age(f.Now().Sub(fig.At)))
	}
	label, most, index := 0, 0, 1
	for _, h := range shown {
		most = max(most, len(h.gpus))
		for _, g := range h.gpus {
			index = min(max(index, cells.Width(text.Clean(g.Index, 8))), 4)
		}
		if len(all) > 1 {
			label = max(label, cells.Width(text.Clean(h.name, 40)))
		}
	}
	label = min(label, 14)
	room := a.w
	if label > 0 {
		room -= label + 1
	}
	d := detailFor(room, most, index)
	lines := []string{cells.Rule(title, a.w, f.Styles)}
	for _, h := range shown {
		var row []string
		for _, g := range h.gpus {
			row = append(row, d.draw(f, g))
		}
		line := strings.Join(row, "  ")
		if label > 0 {
			line = cells.Fit(f.Styles.Label.Render(text.Clean(h.name, 40)), label) + " " + line
		}
		lines = append(lines, line)
	}
	return cells.Block(lines, a.w, a.h)
}

// detail is how much is said of each GPU.
type detail struct {
	index, bar                 int
	util, used, of, watt, heat bool
}

// details from much to little; what all GPUs of a host have room for is drawn.
var details = [...]detail{
	{1, 8, true, true, true, true, true}, {1, 5, true, true, true, true, true}, {1, 5, true, true, true, false, true},
	{1, 5, true, true, false, false, true}, {1, 4, true, true, false, false, false}, {1, 4, true, false, false, false, false}, {1, 2, false, false, false, false, false},
}

func detailFor(room, gpus, index int) detail {
	d := detail{}
	for _, d = range details {
		d.index = index
		if gpus*(d.width()+2)-2 <= room {
			return d
		}
	}
	return d
}

// Widths of the pieces behind a bar.
const (
	utilWidth = 5
	usedWidth = 6
	ofWidth   = 4
	wattWidth = 6
	heatWidth = 4
)

func (d detail) width() int {
	n := d.index + 1 + d.bar
	for _, piece := range []struct {
		on bool
		w  int
	}{{d.util, utilWidth}, {d.used, usedWidth}, {d.of, ofWidth}, {d.watt, wattWidth}, {d.heat, heatWidth}} {
		if piece.on {
			n += piece.w
		}
	}
	return n
}

// draw says "0 ████▉ 89% 71G/80 612W 64°", every piece as wide as it can get.
func (d detail) draw(f pane.Frame, gpu *triage.GPU) string {
	st := f.Styles
	value := func(of triage.GPUFigure, spell func(float64) string) string {
		c := gpu.Of(of)
		switch {
		case !c.Has():
			return figure.None(c.Status, st)
		case c.Status != sources.StatusOK:
			return st.Stale.Render(spell(c.V))
		}
		return st.Value.Render(spell(c.V))
	}
	util := math.NaN()
	if c := gpu.Of(triage.GPUUtil); c.Has() {
		util = c.V
	}
	out := cells.Fit(st.Label.Render(text.Clean(gpu.Index, 8)), d.index) + " " + cells.Gauge(util, d.bar, st)
	add := func(on bool, s string, w int) {
		if on {
			out += cells.FitRight(s, w)
		}
	}
	add(d.util, value(triage.GPUUtil, func(v float64) string { return strings.ReplaceAll(text.Percent(v), " ", "") }), utilWidth)
	add(d.used, value(triage.GPUMemoryUsed, gib), usedWidth)
	if d.of {
		size := ""
		if total := gpu.Of(triage.GPUMemoryTotal); total.Has() {
			size = st.Dim.Render("/" + strings.TrimSuffix(gib(math.Round(total.V/(1<<30))*(1<<30)), "G"))
		}
		out += cells.Fit(size, ofWidth)
	}
	add(d.watt, value(triage.GPUPower, func(v float64) string { return strings.ReplaceAll(text.Value(math.Round(v), "watts"), " ", "") }), wattWidth)
	add(d.heat, value(triage.GPUTemperature, func(v float64) string { return text.Cell(math.Round(v), "") + "°" }), heatWidth)
	return out
}

// gib writes memory in whole GiB, less than ten of them more precisely.
func gib(v float64) string {
	if v >= 10*(1<<30) {
		v = math.Round(v/(1<<30)) * (1 << 30)
	}
	return text.BytesShort(v)
}
