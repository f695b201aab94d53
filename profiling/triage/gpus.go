package triage

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"dynascope/sources"
)

// The questions that tell which GPUs there are, in the order in which their
// host names are believed: NVML knows its own host, the name that an exporter
// gives may be its pod's.
var (
	needGPUState = sources.Need{Key: "gpu.state", Form: sources.FormNow, By: gpuIdentityBy + ",state"}
	needGPUTemp  = sources.Need{Key: "gpu.temperature", Form: sources.FormNow, By: gpuIdentityBy}
	needGPUUtil  = sources.Need{Key: "gpu.util", Form: sources.FormNow, By: gpuIdentityBy}
	identities   = [...]sources.Need{needGPUState, needGPUTemp, needGPUUtil}

	needSliceUsed   = sources.Need{Key: "gpu.memory_used", Form: sources.FormNow, By: gpuSliceBy}
	needSliceTotal  = sources.Need{Key: "gpu.memory_total", Form: sources.FormExpr, By: gpuSliceBy}
	needSliceSM     = sources.Need{Key: "gpu.sm_active", Form: sources.FormNow, By: gpuSliceBy}
	needSliceTensor = sources.Need{Key: "gpu.tensor_active", Form: sources.FormNow, By: gpuSliceBy}
	needProcess     = sources.Need{Key: "gpu.process_memory", Form: sources.FormNow, By: gpuProcessBy}
	needProcessSM   = sources.Need{Key: "gpu.process_sm", Form: sources.FormNow, By: gpuProcessSMBy}
	needXIDEvents   = sources.Need{Key: "gpu.xid_events", Form: sources.FormTotal, By: "uuid,host,xid"}
)

// GPUIdentityNeeds are the figures that tell whether there is a GPU at all.
func GPUIdentityNeeds() []sources.Need { return slices.Clone(identities[:]) }

// GPUTableNeeds are the further figures of a table of GPUs.
func GPUTableNeeds() []sources.Need {
	return append(figureNeeds(GPUUtil, gpuTableMost), needSliceUsed, needOwner, needProcess)
}

// GPUSheetNeeds are those that the sheet of one GPU has beside the table's.
func GPUSheetNeeds() []sources.Need {
	return append(figureNeeds(gpuTableMost, gpuFigures), needSliceTotal, needSliceSM, needSliceTensor, needProcessSM, needXIDEvents)
}

func figureNeeds(from, to GPUFigure) []sources.Need {
	var out []sources.Need
	for f := from; f < to; f++ {
		out = append(out, f.Need())
	}
	return out
}

// GPU is one GPU as NVML or an exporter shows it: the same whoever does.
type GPU struct {
	ID    string // UUID; host and number of one that never told its own
	UUID  string
	Host  string // as NVML says, else as the exporter does
	Index string // number on its host
	Model string
	// State is what NVML says of it, "ok" when all is well; empty for a GPU
	// that only an exporter shows.
	State string

	Slices    []GPUSlice
	Processes []GPUProcess // largest first
	XIDs      []XIDCount   // heard since the program started, most often first

	cells *[gpuFigures]Cell // large: rows are sorted without it
}

// Local says whether NVML of the machine that dynascope reads shows the GPU.
func (g *GPU) Local() bool { return g.State != "" }

// Of is one number of the GPU, absent where GPUList found it.
func (g *GPU) Of(f GPUFigure) Cell {
	if g.cells == nil {
		return Cell{V: math.NaN(), Status: sources.StatusAbsent, Need: f.Need()}
	}
	return g.cells[f]
}

// MemoryShare is used over total memory.
func (g *GPU) MemoryShare() Cell { return ratio(g.Of(GPUMemoryUsed), g.Of(GPUMemoryTotal)) }

// PowerShare is power over the limit in force.
func (g *GPU) PowerShare() Cell { return ratio(g.Of(GPUPower), g.Of(GPUPowerLimit)) }

func ratio(part, whole Cell) Cell {
	c := part
	switch {
	case !part.Has():
	case !whole.Has():
		c.V, c.Status = math.NaN(), whole.Status
	case whole.V <= 0:
		c.V, c.Status = math.NaN(), sources.StatusNaN
	default:
		c.V = part.V / whole.V
		c.Status = min(part.Status, whole.Status) // stale is less than ok
	}
	return c
}

// GPUSlice is one GPU instance of a GPU that MIG has cut up.
type GPUSlice struct {
	ID, Profile         string // "1", "3g.40gb"
	Used, Total         Cell
	SMActive, TensorUse Cell
}

// XIDCount is how often an XID error was heard.
type XIDCount struct {
	Code string
	N    float64
}

// GPUList is which GPUs there are, in the order of GPUs and without a number:
// much cheaper, for who only counts them.
func GPUList(s *sources.Snapshot) []GPU {
	if s == nil {
		return nil
	}
	return gpusOf(s)
}

// GPUs joins what the snapshot knows of GPUs, by host and number. Owners say
// whose processes are whose; see Owner.
func GPUs(s *sources.Snapshot, owners []Owner) []GPU {
	if s == nil {
		return nil
	}
	out := gpusOf(s)
	at := make(map[string]int, len(out))
	cells := make([][gpuFigures]Cell, len(out))
	for i := range out {
		at[out[i].ID] = i
		out[i].cells = &cells[i]
	}
	j := join{snap: s}
	for f := range gpuFigures {
		j.fill(f, out, at)
	}
	j.slices(out, at)
	j.processes(out, at, newOwnership(s, out, owners))
	for _, series := range s.Figure(needXIDEvents).Series {
		i, ok := at[series.Labels["uuid"]]
		if p, has := series.Last(); ok && has && p.V > 0 {
			out[i].XIDs = append(out[i].XIDs, XIDCount{series.Labels["xid"], p.V})
		}
	}
	for i := range out {
		slices.SortFunc(out[i].XIDs, func(a, b XIDCount) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Code, b.Code)) })
	}
	return out
}

// GPUCourse is a GPU's line of a course asked by uuid and host, that under its
// own host's name first.
func GPUCourse(f *sources.Figure, g *GPU) (sources.Series, bool) {
	var any sources.Series
	found := false
	for _, s := range f.Series {
		if s.Labels["uuid"] != g.UUID || g.UUID == "" {
			continue
		}
		if s.Labels["host"] == g.Host {
			return s, true
		}
		if !found {
			any, found = s, true
		}
	}
	return any, found
}

// gpusOf finds the GPUs, each once.
func gpusOf(s *sources.Snapshot) []GPU {
	var out []GPU
	at := map[string]int{}
	said := map[int]int64{} // when the state was true
	for _, n := range identities {
		for _, series := range s.Figure(n).Series {
			l := series.Labels
			p, ok := series.Last()
			if !ok {
				continue
			}
			id := l["uuid"]
			if id == "" {
				id = l["host"] + "/" + l["gpu"]
			}
			i, known := at[id]
			if !known {
				i, at[id] = len(out), len(out)
				out = append(out, GPU{ID: id, UUID: l["uuid"], Host: l["host"], Index: l["gpu"], Model: l["gpu_name"]})
			}
			g := &out[i]
			g.Index, g.Model = cmp.Or(g.Index, l["gpu"]), cmp.Or(g.Model, l["gpu_name"])
			if n == needGPUState {
				newer := p.T > said[i] || p.T == said[i] && g.State == stateOK
				if g.State == "" || newer {
					g.State, said[i] = l["state"], p.T
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b GPU) int { // no two have one ID
		if c := compareNames(a.Host, b.Host); c != 0 {
			return c
		}
		return cmp.Or(compareNames(a.Index, b.Index), cmp.Compare(a.ID, b.ID))
	})
	// A GPU that fell off the bus before it told its UUID is that of the same
	// number, when there is one.
	return slices.DeleteFunc(out, func(g GPU) bool {
		if g.UUID != "" {
			return false
		}
		i := slices.IndexFunc(out, func(o GPU) bool { return o.UUID != "" && o.Host == g.Host && o.Index == g.Index })
		if i >= 0 && out[i].State == "" {
			out[i].State = g.State
		}
		return i >= 0
	})
}

// compareNames orders names with numbers in them as people do: node-2 before
// node-10.
func compareNames(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x > 0 && y > 0 {
			n, _ := strconv.ParseUint(a[:x], 10, 64)
			m, _ := strconv.ParseUint(b[:y], 10, 64)
			if n != m {
				return cmp.Compare(n, m)
			}
			if a[:x] != b[:y] {
				return cmp.Compare(a[:x], b[:y])
			}
			a, b = a[x:], b[y:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) int {
	n := 0
	for n < len(s) && n < 18 && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

// fill gives one number to all GPUs. Of a GPU that several exporters show the
// group under its own host's name counts, else the first.
func (j join) fill(f GPUFigure, out []GPU, at map[string]int) {
	need := f.Need()
	fig := j.snap.Figure(need)
	if fig.Status == sources.StatusPending && len(fig.Series) == 0 {
		return // not asked, or not answered yet
	}
	lacking := fig.Status
	if lacking == sources.StatusOK {
		lacking = sources.StatusAbsent // others have it
	}
	for i := range out {
		out[i].cells[f] = Cell{V: math.NaN(), Status: lacking, At: fig.At, Need: need}
	}
	own := map[int]bool{}
	for _, series := range fig.Series {
		i, ok := at[series.Labels["uuid"]]
		if !ok || own[i] {
			continue
		}
		mine := series.Labels["host"] == out[i].Host
		if c := &out[i].cells[f]; mine || math.IsNaN(c.V) {
			*c = j.read(fig, series, gpuAsked[f].most)
			own[i] = mine
		}
	}
}

// read is a group's newest value; a blank of the exporter is none.
func (j join) read(fig *sources.Figure, series sources.Series, most float64) Cell {
	c := Cell{V: math.NaN(), Status: fig.Status, At: fig.At, Need: fig.Need}
	p, ok := series.Last()
	switch {
	case !ok:
		c.Status = sources.StatusAbsent
	case math.Abs(p.V) >= most:
		c.Status = sources.StatusAbsent
	default:
		c.V, c.At, c.Status = p.V, p.Time(), j.freshness(fig, p)
	}
	return c
}

// slices gives each GPU its MIG instances.
func (j join) slices(out []GPU, at map[string]int) {
	find := func(n sources.Need, most float64, put func(*GPUSlice, Cell), add bool) {
		fig := j.snap.Figure(n)
		for _, series := range fig.Series {
			i, ok := at[series.Labels["uuid"]]
			id := series.Labels["mig_id"]
			if !ok || id == "" {
				continue
			}
			g := &out[i]
			k := slices.IndexFunc(g.Slices, func(s GPUSlice) bool { return s.ID == id })
			if k < 0 && add {
				k = len(g.Slices)
				none := Cell{V: math.NaN(), Status: sources.StatusAbsent}
				g.Slices = append(g.Slices, GPUSlice{ID: id, Profile: series.Labels["mig_profile"], Used: none, Total: none, SMActive: none, TensorUse: none})
			}
			if k >= 0 {
				put(&g.Slices[k], j.read(fig, series, most))
			}
		}
	}
	find(needSliceUsed, 1<<50, func(s *GPUSlice, c Cell) { s.Used = c }, true)
	find(needSliceTotal, 1<<50, func(s *GPUSlice, c Cell) { s.Total = c }, false)
	find(needSliceSM, 10, func(s *GPUSlice, c Cell) { s.SMActive = c }, false)
	find(needSliceTensor, 10, func(s *GPUSlice, c Cell) { s.TensorUse = c }, false)
	for i := range out {
		slices.SortStableFunc(out[i].Slices, func(a, b GPUSlice) int { return compareNames(a.ID, b.ID) })
	}
}
