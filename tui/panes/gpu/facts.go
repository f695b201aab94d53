package gpu

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// right are the facts about one GPU: what wants a look, its processes, its
// slices, all numbers.
func right(f pane.Frame, l *listing, r *row, w int) []string {
	out := concerns(f, r, w)
	out = append(out, processes(f, l, r, w)...)
	out = append(out, instances(f, r, w)...)
	return append(out, numbers(f, r, w)...)
}

// concerns are what wants a look, a line each.
func concerns(f pane.Frame, r *row, w int) []string {
	if len(r.concerns) == 0 {
		return nil
	}
	out := []string{cells.Rule("wants a look", w, f.Styles)}
	for _, c := range r.concerns {
		out = append(out, mark(c.Grade, f.Styles)+" "+graded(text.Clean(c.Words, 120), c.Grade, f.Styles))
	}
	return out
}

// processes is the table of what holds the GPU's memory, or why there is none.
func processes(f pane.Frame, l *listing, r *row, w int) []string {
	s := f.Styles
	out := []string{cells.Rule("processes", w, s)}
	fig := f.Snap.Figure(processNeed())
	if len(r.Processes) == 0 {
		why := "not known: " + text.Clean(fig.Note, 160)
		switch {
		case r.Local() && fig.Status == sources.StatusOK, r.Local() && fig.Status == sources.StatusAbsent:
			why = "none holds memory of this GPU"
		case fig.Status == sources.StatusOK:
			why = "not known: only NVML of the GPU's own host tells them"
		case fig.Status != sources.StatusAbsent:
			why = fig.Status.String()
		}
		for _, line := range cells.Wrap(why, max(w, 1)) {
			out = append(out, s.Dim.Render(line))
		}
		return out
	}
	workers := workerNames(f.Snap)
	t := cells.Table{Styles: s, Gap: 1, Selected: cells.None, Columns: []cells.Column{
		{Title: "pid", Min: 7, Max: 9, Align: cells.Right}, {Title: "process", Min: 14, Flex: 1}, {Title: "memory", Min: 6, Max: 6, Align: cells.Right},
		{Title: "SM", Min: 5, Max: 5, Align: cells.Right, Priority: 2}, {Title: "worker", Min: 10, Max: 20, Priority: 1},
	}}
	if len(r.Slices) > 0 {
		t.Columns = append(t.Columns, cells.Column{Title: "MIG", Min: 3, Max: 3, Align: cells.Right, Priority: 3})
	}
	for _, p := range r.Processes {
		worker := s.Dim.Render(s.G.Or().Unknown)
		switch name := workers[p.Worker]; {
		case p.Proof == triage.ProofOnly:
			worker = name + s.Dim.Render("? the only one here")
		case p.Proof == triage.ProofPID:
			worker = name
		}
		t.Rows = append(t.Rows, []cells.Cell{
			cells.Text(text.Clean(p.PID, 10)), cells.Text(text.Clean(p.Name, 60)), cells.Text(number(p.Memory, memory, s)), cells.Text(number(p.SM, share, s)),
			cells.Text(worker), cells.Text(text.Clean(p.Slice, 6)),
		})
	}
	return append(out, cells.Lines(t.View(w, len(t.Rows)+1))...)
}

// instances are the slices that MIG has cut the GPU into.
func instances(f pane.Frame, r *row, w int) []string {
	if len(r.Slices) == 0 {
		return nil
	}
	s := f.Styles
	t := cells.Table{Styles: s, Gap: 1, Selected: cells.None, Columns: []cells.Column{
		{Title: "MIG", Min: 4, Max: 4, Align: cells.Right}, {Title: "profile", Min: 9, Max: 14}, {Title: "memory", Min: 17},
		{Title: "SM", Min: 6, Max: 6, Align: cells.Right, Priority: 1}, {Title: "tensor", Min: 6, Max: 6, Align: cells.Right, Priority: 2},
	}}
	for _, in := range r.Slices {
		full := triage.Cell{Status: sources.StatusAbsent, V: math.NaN()}
		if in.Used.Has() && in.Total.Has() && in.Total.V > 0 {
			full = in.Used
			full.V /= in.Total.V
		}
		t.Rows = append(t.Rows, []cells.Cell{
			cells.Text(text.Clean(in.ID, 6)), cells.Text(text.Clean(in.Profile, 16)), cells.Text(gauge(full, 6, f) + " " + of(in.Used, in.Total, memory, f)),
			cells.Text(number(in.SMActive, share, s)), cells.Text(number(in.TensorUse, share, s)),
		})
	}
	return append([]string{cells.Rule("MIG instances", w, s)}, cells.Lines(t.View(w, len(t.Rows)+1))...)
}

// fact is one number of the sheet.
type fact struct {
	title string
	fig   triage.GPUFigure
	spell func(float64) string
}

// sections are all numbers of a GPU.
var sections = [...]struct {
	title string
	facts []fact
}{
	{"activity", []fact{
		{"utilisation", triage.GPUUtil, text.Percent}, {"SM active", triage.GPUSMActive, text.Percent}, {"SM occupancy", triage.GPUOccupancy, text.Percent},
		{"tensor pipe", triage.GPUTensor, text.Percent}, {"DRAM bandwidth", triage.GPUDRAM, text.Percent}, {"memory read or written", triage.GPUMemoryBusy, text.Percent},
	}},
	{"memory", []fact{{"used", triage.GPUMemoryUsed, text.Bytes}, {"total", triage.GPUMemoryTotal, text.Bytes}}},
	{"power, heat, clocks", []fact{
		{"power", triage.GPUPower, unit("watts")}, {"limit in force", triage.GPUPowerLimit, unit("watts")},
		{"temperature", triage.GPUTemperature, unit("celsius")}, {"slows down at", triage.GPUSlowdownTemperature, unit("celsius")}, {"memory temperature", triage.GPUMemoryTemperature, unit("celsius")},
		{"SM clock", triage.GPUSMClock, unit("MHz")}, {"highest SM clock", triage.GPUSMClockMax, unit("MHz")}, {"memory clock", triage.GPUMemoryClock, unit("MHz")},
		{"held down by", triage.GPUReasons, reasons},
	}},
	{"time throttled", []fact{
		{"by heat", triage.GPUThrottledThermal, text.Percent}, {"by the power limit", triage.GPUThrottledPower, text.Percent}, {"by the board's limit", triage.GPUThrottledBoard, text.Percent},
		{"by sync boost", triage.GPUThrottledSync, text.Percent}, {"by reliability voltage", triage.GPUThrottledReliability, text.Percent},
	}},
	{"moved", []fact{
		{"PCIe sent", triage.GPUPCIeSent, traffic}, {"PCIe received", triage.GPUPCIeReceived, traffic},
		{"NVLink sent", triage.GPUNVLinkSent, traffic}, {"NVLink received", triage.GPUNVLinkReceived, traffic}, {"NVLink both ways", triage.GPUNVLink, traffic},
	}},
	{"errors", []fact{
		{"last XID", triage.GPUXID, xid}, {"ECC, not corrected", triage.GPUUncorrected, text.Count}, {"ECC, corrected", triage.GPUCorrected, text.Count},
		{"rows remapped, hard", triage.GPURemappedUncorrectable, text.Count}, {"rows remapped, soft", triage.GPURemappedCorrectable, text.Count},
		{"remap pending", triage.GPURemapPending, unit("bool")}, {"remap failed", triage.GPURemapFailed, unit("bool")},
		{"PCIe replays", triage.GPUPCIeReplays, text.Count}, {"NVLink CRC errors", triage.GPUNVLinkErrors, text.Count},
	}},
}

func unit(name string) func(float64) string {
	return func(v float64) string { return text.Value(v, name) }
}

func traffic(v float64) string { return text.Rate(v, "bytes") }

func reasons(v float64) string {
	words, _ := triage.Throttle(v)
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

func xid(v float64) string {
	if v < 1 {
		return "none"
	}
	words, _ := triage.XID(int(min(v, 1e6)))
	return strings.TrimPrefix(words, "XID ")
}

// numbers are all numbers with what stands behind each. Those that are absent
// follow together, with what would bring them.
func numbers(f pane.Frame, r *row, w int) []string {
	s := f.Styles
	var out []string
	var missing absences
	for _, sec := range sections {
		var rows [][]cells.Cell
		for _, fa := range sec.facts {
			c := r.Of(fa.fig)
			if c.Status == sources.StatusAbsent {
				missing.add(fa.title, absence(f, c))
				continue
			}
			value := number(c, fa.spell, s)
			if fa.fig == triage.GPUReasons && c.Status == sources.StatusOK && c.Has() {
				_, grade := triage.Throttle(c.V)
				value = graded(reasons(c.V), grade, s)
			}
			rows = append(rows, []cells.Cell{cells.Styled(fa.title, s.Label), cells.Text(value), cells.Styled(statusWords(f, c), s.Dim)})
		}
		if len(rows) == 0 {
			continue
		}
		t := cells.Table{Columns: []cells.Column{{Min: 22, Max: 22}, {Min: 16}, {Min: 8, Priority: 1}}, Rows: rows, Selected: cells.None, NoHeader: true, Styles: s, Gap: 1}
		out = append(append(out, cells.Rule(sec.title, w, s)), cells.Lines(t.View(w, len(rows)))...)
	}
	for _, x := range r.XIDs {
		code, err := strconv.Atoi(x.Code)
		if err != nil {
			continue
		}
		words, grade := triage.XID(code)
		out = append(out, graded(fmt.Sprintf("%s: %s since the program started", words, text.Count(x.N)), grade, s))
	}
	return append(out, missing.lines(f, w)...)
}

// absences are the names of absent numbers by why they are.
type absences struct {
	why   []string
	names [][]string
}

func (a *absences) add(name, why string) {
	i := slices.Index(a.why, why)
	if i < 0 {
		i = len(a.why)
		a.why, a.names = append(a.why, why), append(a.names, nil)
	}
	a.names[i] = append(a.names[i], name)
}

func (a *absences) lines(f pane.Frame, w int) []string {
	if len(a.why) == 0 {
		return nil
	}
	out := []string{cells.Rule("absent", w, f.Styles)}
	for i, why := range a.why {
		for _, line := range cells.Wrap(strings.Join(a.names[i], ", ")+": "+why, max(w, 1)) {
			out = append(out, f.Styles.Dim.Render(line))
		}
	}
	return out
}

// absence says why a number is not there.
func absence(f pane.Frame, c triage.Cell) string {
	fig := f.Snap.Figure(c.Need)
	memory := c.Need == triage.GPUMemoryUsed.Need() || c.Need == triage.GPUMemoryTotal.Need()
	switch {
	case memory && fig.HasValue():
		return "the driver tells no memory of this GPU: it is shared with the CPU, or hidden"
	case fig.HasValue():
		return "other GPUs have it, this one does not"
	case fig.Note != "":
		return text.Clean(fig.Note, 240)
	case len(fig.Tried) > 0:
		return text.Clean("no "+strings.Join(fig.Tried, ", "), 200)
	}
	return "nobody shows it"
}

// statusWords says what a number rests on, or why there is none.
func statusWords(f pane.Frame, c triage.Cell) string {
	fig := f.Snap.Figure(c.Need)
	switch c.Status {
	case sources.StatusOK:
		if fig.Window > 0 && (c.Need.Form == sources.FormRate || c.Need.Form == sources.FormIncrease) {
			return "in " + text.Age(fig.Window)
		}
		return ""
	case sources.StatusStale:
		return "stale, " + text.Age(f.Now().Sub(c.At)) + " old"
	case sources.StatusIdle:
		return "idle"
	case sources.StatusNaN:
		return "not a number"
	case sources.StatusPending:
		return "pending"
	case sources.StatusError:
		return text.Safe("error: "+fig.Err, 160)
	}
	return "absent"
}
