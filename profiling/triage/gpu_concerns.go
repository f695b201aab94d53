package triage

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dynascope/sources"
)

// Grade is how much a fact about a GPU wants a look.
type Grade int

// The grades.
const (
	GradeNone   Grade = iota
	GradeNotice       // may be as it was meant: a power cap, a program's own fault
	GradeBad          // costs speed, or the GPU is ill
)

// Concern is one thing about a GPU that wants a look.
type Concern struct {
	Grade Grade
	Words string
	Need  sources.Need // the evidence
}

const stateOK = "ok"

// gpuStates are the words for what NVML's sampler says of a GPU.
var gpuStates = map[string]string{
	"starting":         "has not answered yet",
	"no_permission":    "its device file may not be opened",
	"version_mismatch": "library and driver differ",
	"lost":             "fell off the bus",
	"reset_required":   "needs a reset",
	"not_answering":    "the driver does not answer",
	"failing":          "the driver reports errors",
}

// reason is one bit of NVML's mask of what holds the clocks down.
type reason struct {
	bit   uint64
	words string
	grade Grade
}

// reasons in the order in which they matter.
var reasons = [...]reason{
	{0x40, "thermal (HW)", GradeBad},
	{0x80, "power brake (HW)", GradeBad},
	{0x08, "HW slowdown", GradeBad},
	{0x20, "thermal (SW)", GradeBad},
	{0x04, "power cap", GradeNotice},
	{0x10, "sync boost", GradeNotice},
	{0x02, "application clocks", GradeNone},
	{0x100, "display clocks", GradeNone},
	{0x01, "idle", GradeNone},
}

// Throttle says in words what a mask of clock limit reasons means, the worst
// first: empty for none. The mask's HW slowdown is left out beside the reason
// that explains it.
func Throttle(mask float64) (words []string, grade Grade) {
	if math.IsNaN(mask) || mask < 0 || mask >= 1<<53 {
		return nil, GradeNone
	}
	bits := uint64(mask)
	if bits&(0x40|0x80) != 0 {
		bits &^= 0x08
	}
	for _, r := range reasons {
		if bits&r.bit != 0 {
			words, grade = append(words, r.words), max(grade, r.grade)
			bits &^= r.bit
		}
	}
	if bits != 0 {
		words = append(words, fmt.Sprintf("reason 0x%x", bits))
	}
	return words, grade
}

// xids are the words for XID errors that are met in practice; those of the
// program that ran, not of the GPU, are a notice.
var xids = map[int]struct {
	words string
	grade Grade
}{
	13:  {"graphics engine exception", GradeNotice},
	31:  {"memory page fault of a program", GradeNotice},
	32:  {"corrupted push buffer", GradeBad},
	43:  {"a program's channel stopped", GradeNotice},
	45:  {"a program was cut off", GradeNotice},
	48:  {"double-bit ECC error", GradeBad},
	61:  {"micro-controller breakpoint", GradeBad},
	62:  {"micro-controller halt", GradeBad},
	63:  {"row remapped, reset to apply", GradeNotice},
	64:  {"row remap failed", GradeBad},
	74:  {"NVLink error", GradeBad},
	79:  {"fell off the bus", GradeBad},
	92:  {"many single-bit ECC errors", GradeNotice},
	94:  {"contained memory error", GradeBad},
	95:  {"uncontained memory error", GradeBad},
	109: {"context switch timed out", GradeBad},
	119: {"GPU firmware timed out", GradeBad},
	120: {"GPU firmware error", GradeBad},
	121: {"C2C link error", GradeBad},
	140: {"unrecovered ECC error", GradeBad},
	144: {"NVLink error", GradeBad},
	149: {"NVLink error", GradeBad},
	154: {"needs recovery", GradeBad},
}

// XID is an XID error's code in words: "XID 79, fell off the bus".
func XID(code int) (words string, grade Grade) {
	if code <= 0 {
		return "", GradeNone
	}
	if x, ok := xids[code]; ok {
		return "XID " + strconv.Itoa(code) + ", " + x.words, x.grade
	}
	return "XID " + strconv.Itoa(code), GradeBad
}

// throttledLeast is the share of the window from which time spent throttled is
// told, where no mask says it of now.
const throttledLeast = 0.01

// Concerns is what wants a look about the GPU, worst first. Only numbers of
// now count, and the state, which is known when nothing else is.
func (g *GPU) Concerns() []Concern {
	var out []Concern
	add := func(gr Grade, words string, n sources.Need) { out = append(out, Concern{gr, words, n}) }
	live := func(f GPUFigure) (float64, sources.Need, bool) {
		c := g.Of(f)
		return c.V, c.Need, c.Has() && c.Status == sources.StatusOK
	}
	if g.State != "" && g.State != stateOK {
		words, known := gpuStates[g.State]
		if !known {
			words = g.State
		}
		gr := GradeBad
		if g.State == "starting" {
			gr = GradeNotice
		}
		add(gr, words, needGPUState)
	}
	if v, n, ok := live(GPURemapFailed); ok && v > 0 {
		add(GradeBad, "row remap failed", n)
	}
	if v, n, ok := live(GPUUncorrectedNew); ok && v >= 0.5 {
		add(GradeBad, fmt.Sprintf("uncorrected ECC errors: %.0f new", v), n)
	} else if v, n, ok := live(GPUUncorrected); ok && v > 0 {
		add(GradeNotice, fmt.Sprintf("uncorrected ECC errors: %.0f", v), n)
	}
	if v, n, ok := live(GPUXID); ok && v >= 1 {
		words, gr := XID(int(v))
		add(gr, words, n)
	}
	if v, n, ok := live(GPUReasons); ok {
		if words, gr := Throttle(v); gr > GradeNone {
			add(gr, strings.Join(words, ", "), n)
		}
	} else {
		if v, n, ok := live(GPUThrottledThermal); ok && v >= throttledLeast {
			add(GradeBad, fmt.Sprintf("thermal %.0f %% of the time", 100*min(v, 1)), n)
		}
		if v, n, ok := live(GPUThrottledPower); ok && v >= throttledLeast {
			add(GradeNotice, fmt.Sprintf("power cap %.0f %% of the time", 100*min(v, 1)), n)
		}
	}
	if v, n, ok := live(GPUTemperature); ok {
		if most, _, known := live(GPUSlowdownTemperature); known && most > 0 && v >= most {
			add(GradeBad, "at its slow-down temperature", n)
		}
	}
	if v, n, ok := live(GPURemapPending); ok && v > 0 {
		add(GradeNotice, "row remap waits for a reset", n)
	}
	slices.SortStableFunc(out, func(a, b Concern) int { return cmp.Compare(b.Grade, a.Grade) })
	return out
}

// Grade is that of the worst concern.
func (g *GPU) Grade() Grade {
	if all := g.Concerns(); len(all) > 0 {
		return all[0].Grade
	}
	return GradeNone
}
