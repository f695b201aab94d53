package advice

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// Moment is what a rule sees, and where it leaves what it says.
type Moment struct {
	in      Input
	rule    Rule
	advice  []Advice
	unknown []Unknown
}

// give takes a piece of advice to a process.
func (m *Moment) give(p Process, a Advice) {
	a.Code, a.Title, a.Culprit = m.rule.Code, m.rule.Title, p.culprit()
	m.advice = append(m.advice, a)
}

// cannot notes that a setting of a process would have to be known.
func (m *Moment) cannot(p Process, setting string) {
	m.unknown = append(m.unknown, Unknown{Code: m.rule.Code, Title: m.rule.Title, Culprit: p.culprit(), Missing: p.unknown(setting)})
}

// processes are those of some roles, in the order of the snapshot.
func (m *Moment) processes(roles ...string) (out []Process) {
	for _, p := range m.in.Processes {
		if slices.Contains(roles, p.Role) {
			out = append(out, p)
		}
	}
	return out
}

// frontend is the first frontend, or one that stands for what nobody scrapes.
func (m *Moment) frontend() Process {
	for _, p := range m.processes("frontend") {
		return p
	}
	p := Process{Name: "the frontend", Role: "frontend"}
	p.Flags.Engine = "frontend"
	return p
}

// disaggregated says whether prefill and decode are apart.
func (m *Moment) disaggregated() bool {
	return len(m.processes("prefill")) > 0 && len(m.processes("decode")) > 0
}

// number is a live figure's group with all of want.
func (m *Moment) number(n sources.Need, want sources.Labels) (float64, bool) {
	f := m.in.Snap.Figure(n)
	if !f.Live() {
		return 0, false
	}
	v, ok := f.Where(want)
	return v, ok && !math.IsNaN(v)
}

// or is number, or zero where there is none: of counters that nothing counted.
func (m *Moment) or(n sources.Need, want sources.Labels) float64 {
	v, _ := m.number(n, want)
	return v
}

// histogram is a live figure's buckets.
func (m *Moment) histogram(n sources.Need) (sources.Buckets, bool) {
	f := m.in.Snap.Figure(n)
	if !f.Live() {
		return sources.Buckets{}, false
	}
	b, ok := f.Buckets()
	return b, ok && b.N > 0
}

// looks are the values of a course's group, by time in milliseconds.
func (m *Moment) looks(n sources.Need, want sources.Labels) map[int64]float64 {
	out := map[int64]float64{}
	f := m.in.Snap.Figure(n)
	if !f.HasValue() {
		return out
	}
	s, _ := f.Group(want)
	for _, p := range s.Points {
		if !math.IsNaN(p.V) {
			out[p.T] = p.V
		}
	}
	return out
}

// leastLooks is the number of looks below which nothing is called lasting, and
// lastingShare the share of them at which it is.
const (
	leastLooks   = 10
	lastingShare = 0.8
)

// lasting says whether something held at most looks of some courses; a look
// counts when all of them have a value. It also returns how many held.
func lasting(holds func(v []float64) bool, courses ...map[int64]float64) (held, all int, ok bool) {
	if len(courses) == 0 {
		return 0, 0, false
	}
	for t := range courses[0] {
		v := make([]float64, 0, len(courses))
		for _, c := range courses {
			if x, ok := c[t]; ok {
				v = append(v, x)
			}
		}
		if len(v) < len(courses) {
			continue
		}
		all++
		if holds(v) {
			held++
		}
	}
	return held, all, all >= leastLooks && float64(held) >= lastingShare*float64(all)
}

// mean is the mean of a course's looks; ok is false when there are too few.
func mean(c map[int64]float64) (float64, bool) {
	sum := 0.0
	for _, t := range slices.Sorted(maps.Keys(c)) { // sums depend on the order
		sum += c[t]
	}
	return sum / max(1, float64(len(c))), len(c) >= leastLooks
}

// evidence is a number with where it is from.
func (m *Moment) evidence(words string, n sources.Need, want sources.Labels, value, threshold float64) verdict.Evidence {
	f := m.in.Snap.Figure(n)
	return verdict.Evidence{
		Text: words, Need: n, Labels: want, Value: value, Threshold: threshold, Unit: f.Unit, Window: f.Window, Expr: f.Expr,
	}
}

// own is the label that picks a process' own figures.
func (p Process) own() sources.Labels { return sources.Labels{"instance": p.Instance} }

func (p Process) culprit() verdict.Culprit {
	kind := "worker"
	if p.Role == "frontend" {
		kind = "frontend"
	}
	return verdict.Culprit{Kind: kind, Name: p.Name, Instance: p.Instance, Worker: p.Worker}
}

// spelled is how a process spells a setting, its canonical name where that is
// not known.
func (p Process) spelled(setting string) string {
	for _, s := range p.Flags.Known() {
		if s.Name == setting {
			return s.Flag()
		}
	}
	return setting
}

// value is what a setting is; ok is false when nothing tells.
func (p Process) value(setting string) (string, bool) {
	f, ok := p.Flags.Values[setting]
	return f.Value, ok && f.Value != ""
}

// numeric is a setting that is a number; ok is false also for "auto", which
// only the engine resolves.
func (p Process) numeric(setting string) (float64, bool) {
	v, ok := p.value(setting)
	if !ok {
		return 0, false
	}
	x, err := strconv.ParseFloat(v, 64)
	return x, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// is says whether a setting is known to be on.
func (p Process) is(setting string) bool {
	v, _ := p.value(setting)
	return v == "true" || v == "1"
}

// now is a setting with where it is known from: "16 (process)".
func (p Process) now(setting string) string {
	f, ok := p.Flags.Values[setting]
	if !ok || f.Value == "" {
		return ""
	}
	return fmt.Sprintf("%s (%s)", text.Clean(f.Value, 80), f.Source)
}

// unknown is a setting that is not known, or of which only the engine knows what
// it came to.
func (p Process) unknown(setting string) Missing {
	reveal := cmp.Or(p.Flags.Unknown, "run dynascope on its host, as its user")
	if v, ok := p.value(setting); ok {
		reveal = "it is " + text.Clean(v, 80) + ", and no figure tells what that came to"
	}
	return Missing{p.spelled(setting), reveal}
}

// set is a flag as a process takes it.
func (p Process) set(setting, value string) string { return p.spelled(setting) + " " + value }

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// each are the names of processes: "7f3a, 91c2 and 2 more".
func each(ps []Process) string {
	var names []string
	for _, p := range ps {
		names = append(names, p.Name)
	}
	if len(names) > 4 {
		names = append(names[:3:3], fmt.Sprintf("%d more", len(names)-3))
	}
	return list(names)
}
