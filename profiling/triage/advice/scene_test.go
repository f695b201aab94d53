package advice

import (
	"math"
	"strconv"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/engine"
)

var noon = time.Date(2031, 2, 3, 12, 0, 0, 0, time.UTC)

// scene is a deployment's figures and flags as a test needs them.
type scene struct {
	processes []Process
	figures   map[sources.Need]*sources.Figure
	sla       verdict.SLA
}

func newScene() *scene {
	return &scene{figures: map[sources.Need]*sources.Figure{}, sla: verdict.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond}}
}

// process adds one, with flags as name and value in turn. What is not named is
// not known.
func (s *scene) process(name, role, program string, flags ...string) *scene {
	p := Process{Instance: name + ":1", Name: name, Role: role, Flags: engine.Flags{Engine: program, Values: map[string]engine.Flag{}, Unknown: "no process of this host listens there"}}
	for i := 0; i+1 < len(flags); i += 2 {
		p.Flags.Values[flags[i]] = engine.Flag{Value: flags[i+1], Source: engine.FromProcess}
	}
	s.processes = append(s.processes, p)
	return s
}

// disagg adds a prefill and a decode worker with the same flags.
func (s *scene) disagg(flags ...string) *scene {
	return s.process("p", "prefill", "sglang", flags...).process("d", "decode", "sglang", flags...)
}

func (s *scene) figure(n sources.Need) *sources.Figure {
	f := s.figures[n]
	if f == nil {
		f = &sources.Figure{Need: n, Status: sources.StatusOK}
		s.figures[n] = f
	}
	return f
}

// value gives a figure without groups its number.
func (s *scene) value(n sources.Need, v float64) *scene { return s.of(n, "", v) }

// of gives a process its number, in every look where it is a course.
func (s *scene) of(n sources.Need, name string, v float64) *scene {
	one := sources.Series{Labels: sources.Labels{}}
	if name != "" {
		one.Labels["instance"] = name + ":1"
	}
	from := noon
	if n.IsRange() {
		from = noon.Add(-n.Span + n.Step)
	}
	for t := from; !t.After(noon); t = t.Add(max(n.Step, time.Second)) {
		one.Points = append(one.Points, sources.Point{T: t.UnixMilli(), V: v})
	}
	f := s.figure(n)
	f.Series = append(f.Series, one)
	return s
}

// is gives a figure without numbers its status.
func (s *scene) is(n sources.Need, st sources.Status) *scene {
	s.figure(n).Status = st
	return s
}

// histogram gives a figure its buckets, counts as many as edges and one more.
func (s *scene) histogram(key string, edges, counts []float64) *scene {
	n := sources.Need{Key: key, Form: sources.FormBuckets, Window: Look}
	cum := 0.0
	for i, c := range counts {
		cum += c
		le := math.Inf(1)
		if i < len(edges) {
			le = edges[i]
		}
		f := s.figure(n)
		f.Series = append(f.Series, sources.Series{
			Labels: sources.Labels{"le": strconv.FormatFloat(le, 'g', -1, 64)}, Points: []sources.Point{{T: noon.UnixMilli(), V: cum}},
		})
	}
	return s
}

func (s *scene) judge() Report {
	snap := sources.NewSnapshot(sources.Snapshot{At: noon}, s.figures)
	return Judge(Input{Snap: snap, Processes: s.processes, SLA: s.sla}, All())
}
