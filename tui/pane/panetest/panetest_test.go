package panetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// list is the least pane that keeps the contract.
type list struct{ cursor int }

func (*list) ID() string    { return "list" }
func (*list) Title() string { return "List" }
func (*list) Short() string { return "Li" }

func (*list) Needs(f pane.Frame) []sources.Need {
	n := sources.Need{Key: "engine.running", Form: sources.FormNow, By: "instance,dp_rank"}
	return []sources.Need{n, n.Over(f.Columns(f.W))}
}

func (l *list) View(f pane.Frame) string {
	var lines []string
	for _, s := range f.Snap.Figure(l.Needs(f)[0]).Series {
		p, _ := s.Last()
		lines = append(lines, fmt.Sprint(cells.Strip(s.Labels["instance"]), " ", p.V))
	}
	return cells.Block(lines, f.W, f.H)
}

func (l *list) Press(a pane.Action, _ pane.Frame) bool {
	if a == pane.Down {
		l.cursor++
	}
	return a == pane.Down
}

func (l *list) Explain(f pane.Frame) []sources.Need { return l.Needs(f)[:1] }

func TestRun(t *testing.T) { Run(t, func() pane.Pane { return &list{} }) }

// What Fill gives has the shape that the feed gives.
func TestFillShapes(t *testing.T) {
	f := Frame(80, 20)
	span, step := f.Columns(60)
	now := sources.Need{Key: "engine.running", Form: sources.FormNow, By: "instance,dp_rank"}
	buckets := sources.Need{Key: "frontend.ttft", Form: sources.FormBuckets}
	course := sources.Need{Key: "requests.done", Form: sources.FormRate}.Over(span, step)
	gpus := sources.Need{Key: "gpu.util", Form: sources.FormNow, By: "host,gpu"}
	needs := []sources.Need{now, buckets, course, gpus, buckets.Over(span, step)}

	s := Fill(f, needs, Full)
	if got := len(s.Figure(now).Series); got != 8 { // seven scraped workers, one of two ranks
		t.Errorf("%d groups, want 8", got)
	}
	if b, ok := s.Figure(buckets).Buckets(); !ok || b.N < 130 || !math.IsInf(b.Edges[len(b.Edges)-1], 1) {
		t.Errorf("buckets %+v, %v", b, ok)
	}
	if p := s.Figure(course).Series[0].Points; len(p) != 60 || p[59].Time().After(s.At) || p[59].T%step.Milliseconds() != 0 {
		t.Errorf("%d points, the last at %v", len(p), p[len(p)-1].Time())
	}
	if got := len(s.Figure(gpus).Series); got != 8 {
		t.Errorf("%d GPUs, want 8", got)
	}
	for d, want := range map[Dataset]sources.Status{
		Absent: sources.StatusAbsent, Pending: sources.StatusPending, Idle: sources.StatusIdle, Failed: sources.StatusError,
		NaN: sources.StatusNaN, Stale: sources.StatusStale, Many: sources.StatusOK, Gaps: sources.StatusOK, Empty: sources.StatusPending,
	} {
		if got := Fill(f, needs, d).Figure(buckets).Status; got != want {
			t.Errorf("%s: %v, want %v", d, got, want)
		}
	}
	if got := len(Fill(f, needs, Many).Figure(now).Series); got < 256 {
		t.Errorf("%d groups of 256 workers", got)
	}
	if p := Fill(f, needs, OnePoint).Figure(course).Series[0].Points; len(p) != 1 {
		t.Errorf("%d points, want one", len(p))
	}
	st := Fill(f, needs, Stale)
	if at := st.Figure(now).Series[0].Points[0].Time(); st.At.Sub(at) != 12*time.Second {
		t.Errorf("stale by %v", st.At.Sub(at))
	}
}
