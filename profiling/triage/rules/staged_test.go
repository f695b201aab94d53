package rules

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

// staged is a made-up moment: workers, events, and the courses of figures.
type staged struct {
	at      time.Time
	workers []sources.Worker
	targets []sources.Target
	events  []sources.Event
	figures map[sources.Need]*sources.Figure
}

func stage_() *staged {
	return &staged{at: time.Date(2031, 2, 3, 12, 0, 0, 0, time.UTC), figures: map[sources.Need]*sources.Figure{}}
}

// pool adds n workers of one role, called role0 … by their instances.
func (s *staged) pool(role string, n int) *staged {
	for i := range n {
		id := string(rune('a'+len(s.workers))) + "000"
		in := role + string(rune('0'+i))
		s.workers = append(s.workers, sources.Worker{
			ID: id, Decimal: "1" + in, Short: id, Instance: in, Namespace: "dynamo", Role: role, Engine: "sglang", Model: "m",
			Ranks: []string{"0"}, State: sources.WorkerUp,
		})
		s.targets = append(s.targets, sources.Target{Instance: in, Role: "worker"})
	}
	return s
}

// put gives one group of a figure its course: the last values up to the moment,
// or one value for all columns.
func (s *staged) put(n sources.Need, labels sources.Labels, vals ...float64) *staged {
	need := verdict.Needs([]verdict.Rule{{Needs: []sources.Need{n}}})[0]
	f := s.figures[need]
	if f == nil {
		f = &sources.Figure{Need: need, Status: sources.StatusOK, At: s.at, Window: need.Window}
		s.figures[need] = f
	}
	columns := int(verdict.Span / verdict.Step)
	if len(vals) == 1 {
		vals = slices.Repeat(vals, columns)
	}
	series := sources.Series{Labels: labels}
	for i, v := range vals {
		if !math.IsNaN(v) {
			series.Points = append(series.Points, sources.Point{T: s.at.Add(-time.Duration(len(vals)-1-i) * verdict.Step).UnixMilli(), V: v})
		}
	}
	f.Series = append(f.Series, series)
	return s
}

// of puts one constant an instance.
func (s *staged) of(n sources.Need, role string, vals ...float64) *staged {
	for i, v := range vals {
		s.put(n, sources.Labels{"instance": role + string(rune('0'+i))}, v)
	}
	return s
}

func (s *staged) happened(ago time.Duration, kind sources.EventKind, instance string) *staged {
	s.events = append(s.events, sources.Event{At: s.at.Add(-ago), Kind: kind, Instance: instance, Detail: "was f000"})
	slices.SortStableFunc(s.events, func(a, b sources.Event) int { return b.At.Compare(a.At) })
	return s
}

// says judges by some rules and returns "severity code culprit" of each
// verdict, the silenced ones left out.
func (s *staged) says(t *testing.T, rules []verdict.Rule) string {
	t.Helper()
	for _, r := range rules {
		for _, n := range verdict.Needs([]verdict.Rule{r}) {
			if s.figures[n] == nil {
				s.figures[n] = &sources.Figure{Need: n, Status: sources.StatusAbsent, Window: n.Window}
			}
		}
	}
	snap := sources.NewSnapshot(sources.Snapshot{At: s.at, Workers: s.workers, Targets: s.targets, Events: s.events}, s.figures)
	j := verdict.Judge(verdict.Input{Snap: snap, Rules: rules})
	var out []string
	for _, v := range j.Verdicts {
		out = append(out, v.Severity.String()+" "+v.Code+" "+v.Culprit.Name)
		if v.Sentence == "" || len(v.Evidence) == 0 || len(v.Advice) == 0 {
			t.Errorf("%s of %s has nothing to say: %q, evidence %v, advice %v", v.Code, v.Culprit.Name, v.Sentence, v.Evidence, v.Advice)
		}
		if strings.Contains(v.Sentence, "NaN") || strings.Contains(v.Sentence, "%!") {
			t.Errorf("%s says %q", v.Code, v.Sentence)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
