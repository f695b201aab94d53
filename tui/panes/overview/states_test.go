package overview

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

// Why there is no path is said, each cause in its own words.
func TestPathStates(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Pane, pane.Frame) pane.Frame
		want string
	}{
		{"no snapshot", func(_ *Pane, f pane.Frame) pane.Frame { return f }, "waiting for the first answer"},
		{"pending", fill(panetest.Pending), "waiting for two scrapes"},
		{"idle", fill(panetest.Idle), "no traffic in the last 5 m"},
		{"failed", fill(panetest.Failed), "query timed out"},
		{"not a number", fill(panetest.NaN), "not a number"},
		{"a frontend before its first request", fill(panetest.Absent), "no request yet at the frontend"},
		{"no frontend", engines, "no frontend among the targets"},
		{"a silent target", silent, "or is it 10.0.0.1:8000, which does not answer: connection refused"},
	} {
		p := New()
		f := c.do(p, panetest.Frame(200, 38))
		if out := ansi.Strip(p.View(f)); !strings.Contains(out, c.want) {
			t.Errorf("%s: no %q in\n%s", c.name, c.want, out)
		}
	}
}

func fill(d panetest.Dataset) func(*Pane, pane.Frame) pane.Frame {
	return func(p *Pane, f pane.Frame) pane.Frame { return panetest.With(p, f, d) }
}

// silent is a deployment whose frontend has not answered yet.
func silent(p *Pane, f pane.Frame) pane.Frame {
	f = engines(p, f)
	s := *f.Snap
	s.Targets = append([]sources.Target{{Instance: "10.0.0.1:8000", Health: sources.HealthDown, Error: "connection refused"}}, s.Targets...)
	f.Snap = rebuilt(&s)
	return f
}

func TestStalePicture(t *testing.T) {
	p := New()
	golden.Check(t, "stale_80x20", p.View(panetest.With(p, panetest.Frame(80, 20), panetest.Stale)))
}

// What the engine does not export is told from what it exports and counted
// none of these requests in.
func TestNotSplit(t *testing.T) {
	for _, c := range []struct {
		status sources.Status
		want   string
	}{
		{sources.StatusAbsent, "not split: the engine exports no sglang:queue_seconds"},
		{sources.StatusIdle, "not split: sglang:queue_seconds covers none of these requests"},
	} {
		p, f := New(), deployed(New(), panetest.Frame(140, 38))
		g := f.Snap.Figure(sources.Need{Key: "engine.queue_time", Form: sources.FormMean})
		g.Status, g.Series, g.Found, g.Tried = c.status, nil, nil, []string{"sglang:queue_seconds", "trtllm_queue_seconds"}
		out := ansi.Strip(p.View(f))
		if !strings.Contains(out, c.want) || strings.Contains(out, "trtllm") {
			t.Errorf("%v: want %q in\n%s", c.status, c.want, out)
		}
	}
}

// A rest below zero is drawn as it is, without a bar.
func TestNegativeRest(t *testing.T) {
	f := deployed(New(), panetest.Frame(80, 20))
	number(f.Snap.Figure(needProbe), 1.3)
	out := ansi.Strip(New().View(f))
	i := strings.Index(out, "unattributed")
	line, _, _ := strings.Cut(out[i:], "\n")
	if !strings.Contains(line, "-107 ms") || strings.ContainsAny(line, "█▏▎") {
		t.Errorf("unattributed is drawn as %q", line)
	}
}

func TestEngineFiguresStandIn(t *testing.T) {
	keys := func(p *Pane, f pane.Frame) (out []string) {
		for _, c := range facts(f) {
			out = append(out, c.label+" "+c.need.Key)
		}
		return out
	}
	p := New()
	want := []string{
		"engine tok/s engine.decode_tokens", "engine req/s engine.requests_done", "engine TTFT p95 engine.ttft", "in SLA engine.ttft",
		"engine ITL p99 engine.itl", "in engine engine.running", "queue engine.waiting",
	}
	if got := keys(p, engines(p, panetest.Frame(140, 38))); !reflect.DeepEqual(got, want) {
		t.Errorf("without a frontend: %q", got)
	}
	// A frontend that has no figure yet is no reason to show the engines'.
	if got := keys(p, panetest.With(p, panetest.Frame(140, 38), panetest.Absent)); got[0] != "out tok/s frontend.output_tokens" {
		t.Errorf("before the first request: %q", got)
	}
	f := panetest.Frame(140, 38)
	f.Source = pane.FromRouter
	if got := keys(p, panetest.With(p, f, panetest.Full)); got[0] != "out tok/s frontend.output_tokens" || got[2] != "router TTFT p95 router.ttft" {
		t.Errorf("as the router sees it: %q", got)
	}
}

// Failures that were never counted are none while requests finish.
func TestOutcomesThatNeverHappened(t *testing.T) {
	p := New()
	f := deployed(p, panetest.Frame(80, 20))
	for _, n := range []sources.Need{needTimeouts, needRejected} {
		g := f.Snap.Figure(n)
		g.Status, g.Series = sources.StatusIdle, nil
	}
	if out := ansi.Strip(p.View(f)); !strings.Contains(out, "rejected 0 · timeouts 0") {
		t.Errorf("got\n%s", out)
	}
	done := f.Snap.Figure(needDone)
	done.Status, done.Series = sources.StatusIdle, nil
	if out := ansi.Strip(p.View(f)); !strings.Contains(out, "rejected idle") {
		t.Errorf("without traffic got\n%s", out)
	}
}

func TestBusiestFirst(t *testing.T) {
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Full)
	rows := busiest(f)
	ranks := make([]int, len(rows))
	for i := range rows {
		ranks[i] = presence(&rows[i])
	}
	if !slices.IsSorted(ranks) || ranks[len(ranks)-1] != 2 {
		t.Errorf("stale and gone are not last: %v", ranks)
	}
	for i := 1; i < len(rows) && ranks[i] == 0; i++ {
		if falling(rows[i-1].Waiting, rows[i].Waiting) > 0 {
			t.Errorf("row %d has the longer queue", i)
		}
	}
}

// Questions do not grow with the deployment.
func TestNeedsDoNotGrow(t *testing.T) {
	for _, size := range [][2]int{{80, 20}, {140, 38}, {250, 66}} {
		p, f := New(), panetest.Frame(size[0], size[1])
		few := len(p.Needs(panetest.With(p, f, panetest.Full)))
		many := len(p.Needs(panetest.With(p, f, panetest.Many)))
		if few > 52 || many > few {
			t.Errorf("%v: %d questions, %d for 256 workers", size, few, many)
		}
	}
	p := New()
	span := map[string]bool{}
	for _, n := range p.Needs(panetest.With(p, panetest.Frame(140, 38), panetest.Full)) {
		if n.IsRange() {
			span[n.Span.String()+n.Step.String()] = true
		}
	}
	if len(span) != 1 {
		t.Errorf("courses of %d lengths", len(span))
	}
	if n := gpuNeeds(nil); len(n) != 1 {
		t.Errorf("%d questions about GPUs that are not there", len(n))
	}
}

func TestExplainFollowsTheCursor(t *testing.T) {
	p := New()
	f := deployed(p, panetest.Frame(140, 38))
	first := func() string { n := p.Explain(f)[0]; return n.Key + " " + string(n.Form) }
	for _, c := range []struct {
		do   []pane.Action
		want string
	}{
		{nil, "frontend.ttft mean"},
		{[]pane.Action{pane.Down}, "stage.preprocess mean"},
		{[]pane.Action{pane.Down, pane.Down, pane.Down}, "engine.queue_time mean"},
		{[]pane.Action{pane.Back}, "frontend.ttft mean"},
		{[]pane.Action{pane.Focus}, "frontend.output_tokens rate"},
		{[]pane.Action{pane.Down, pane.Down, pane.Down}, "frontend.ttft buckets"},
		{[]pane.Action{pane.Bottom}, "requests.error_share expr"},
		{[]pane.Action{pane.Focus}, "engine.waiting now"},
		{[]pane.Action{pane.Unfocus, pane.Top}, "frontend.output_tokens rate"},
	} {
		for _, a := range c.do {
			p.Press(a, f)
		}
		if got := first(); got != c.want {
			t.Errorf("after %v: %s, want %s", c.do, got, c.want)
		}
	}
}

// The cursor stays on its worker when the order changes.
func TestCursorKeepsItsWorker(t *testing.T) {
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Full)
	p.Press(pane.Unfocus, f)
	p.Press(pane.Bottom, f)
	was := p.worker.Key
	g := f.Snap.Figure(sources.Need{Key: "engine.waiting", Form: sources.FormNow, By: "instance,dp_rank"})
	for i := range g.Series {
		g.Series[i].Points[0].V *= -1
	}
	rows := busiest(f)
	if got := itemOf(&rows[p.worker.Place(items(rows))]); got != was {
		t.Errorf("the cursor went from %v to %v", was, got)
	}
	if p.Press(pane.Enter, f) {
		t.Error("enter did something")
	}
}

// The figures that rows read are all asked.
func TestWorkerNeeds(t *testing.T) {
	asked := map[string]bool{}
	for _, n := range workerNeeds() {
		asked[n.Key] = true
	}
	for k := range workerKeys {
		if !asked[k] {
			t.Errorf("%s is read and triage does not ask it", k)
		}
	}
	if len(triage.WorkerNeeds()) <= len(workerNeeds()) {
		t.Error("nothing is left out")
	}
}

// Zoom leaves the other parts' questions out.
func TestZoomAsksLess(t *testing.T) {
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Full)
	all := len(p.Needs(f))
	f.Zoom = true
	if n := len(p.Needs(f)); n != len(triage.PathNeeds())+len(triage.TokenPathNeeds()) || n >= all {
		t.Errorf("the path alone asks %d questions, all %d", n, all)
	}
}
