package rules

import (
	"math"
	"slices"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

// The columns of a laid table: all of what is judged.
const columns = int(verdict.Span / verdict.Step)

var laidAt = time.Date(2031, 2, 3, 12, 0, 0, 0, time.UTC)

// laid is what a snapshot holds: of each need, the groups and what each says in
// a column, counted from the oldest; NaN is a gap.
type laid struct {
	figures map[sources.Need][]series
	targets []sources.Target
	workers []sources.Worker
	events  []sources.Event
	sla     verdict.SLA
}

type series struct {
	labels sources.Labels
	at     func(i int) float64
}

func steady(v float64) func(int) float64 { return func(int) float64 { return v } }

// from is one value up to some time before the end, and another since.
func from(back time.Duration, before, since float64) func(int) float64 {
	return func(i int) float64 {
		if i >= columns-int(back/verdict.Step) {
			return since
		}
		return before
	}
}

func of(labels sources.Labels, at func(int) float64) series { return series{labels, at} }

// judge judges a rule over a table; needs that are not in it are absent.
func (l laid) judge(t *testing.T, r verdict.Rule) *verdict.Judgement {
	t.Helper()
	figures := map[sources.Need]*sources.Figure{}
	known := map[sources.Need]bool{}
	for _, n := range r.Needs {
		plain := n
		if n.Window <= 0 && n.Form != sources.FormNow {
			n.Window = verdict.Look
		}
		n = n.Over(verdict.Span, verdict.Step)
		f := &sources.Figure{Need: n, Status: sources.StatusAbsent, Window: n.Window, At: laidAt}
		known[plain] = true
		for _, s := range l.figures[plain] {
			f.Status = sources.StatusOK
			line := sources.Series{Labels: s.labels}
			for i := range columns {
				if v := s.at(i); !math.IsNaN(v) {
					line.Points = append(line.Points, sources.Point{T: laidAt.Add(-time.Duration(columns-1-i) * verdict.Step).UnixMilli(), V: v})
				}
			}
			f.Series = append(f.Series, line)
		}
		figures[n] = f
	}
	for n := range l.figures {
		if !known[n] {
			t.Fatalf("%s does not ask %v", r.Code, n)
		}
	}
	snap := sources.NewSnapshot(sources.Snapshot{At: laidAt, Targets: l.targets, Workers: l.workers, Events: l.events}, figures)
	return verdict.Judge(verdict.Input{Snap: snap, Rules: []verdict.Rule{r}, SLA: l.sla})
}

// is tells what a judgement names: severity and whom, "" for nothing.
func is(j *verdict.Judgement) string {
	if len(j.Verdicts) == 0 {
		return ""
	}
	v := j.Verdicts[0]
	return v.Severity.String() + " " + v.Culprit.Name
}

func TestWindows(t *testing.T) {
	gap := math.NaN()
	if lasted([]float64{1, 1}, 15*time.Second, func(v float64) bool { return v > 0 }) || !lasted([]float64{0, 1, 1}, 10*time.Second, func(v float64) bool { return v > 0 }) ||
		lasted([]float64{1, gap, 1}, 15*time.Second, func(float64) bool { return true }) {
		t.Error("lasted")
	}
	if v, ok := averageOf([]float64{9, 1, gap, 3}, 15*time.Second); !ok || v != 2 {
		t.Errorf("average %v %v", v, ok)
	}
	if _, ok := averageOf([]float64{gap, gap, 3}, 15*time.Second); ok {
		t.Error("an average of a third")
	}
	if got := disjoint([]float64{0, 1, 2, 3, 4, 5, 6}, 15*time.Second); !slices.Equal(got, []float64{0, 3, 6}) {
		t.Errorf("disjoint %v", got)
	}
	if v := lowerQuartile([]float64{4, 1, 3, 2, 5}); v != 2 {
		t.Errorf("quartile %v", v)
	}
	if v := shareAtLeast(10, 100); v < 0.03 || v > 0.06 {
		t.Errorf("at least %v of 10 in 100", v)
	}
	if shareAtLeast(0, 100) != 0 || shareAtLeast(3, 0) != 0 || shareAtLeast(5.5, 5) <= 0.3 {
		t.Error("shares at the edges")
	}
}
