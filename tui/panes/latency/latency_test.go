package latency

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

func TestContract(t *testing.T) { panetest.Run(t, func() pane.Pane { return New() }) }

func TestPictures(t *testing.T) {
	for name, size := range map[string][2]int{"80x20": {80, 20}, "140x38": {140, 38}, "250x66": {250, 66}} {
		p := New()
		golden.Check(t, name, p.View(panetest.With(p, panetest.Frame(size[0], size[1]), panetest.Full)))
	}
}

// Gaps, a picked column, a swapped part, and a router that has no ITL.
func TestOddPictures(t *testing.T) {
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Gaps)
	for range 4 {
		p.Press(pane.Left, f)
	}
	p.Press(pane.Focus, f)
	p.Press(pane.Enter, f)
	golden.Check(t, "gaps_cursor_e2e", p.View(panetest.With(p, f, panetest.Gaps)))

	p = New()
	f = panetest.Frame(140, 38)
	f.Source = pane.FromRouter
	golden.Check(t, "router_without_itl", p.View(without(p, f, "router.itl")))

	p = New()
	golden.Check(t, "stale_60x18", p.View(panetest.With(p, panetest.Frame(60, 18), panetest.Stale)))
}

// without fills a frame in which one metric is absent.
func without(p *Pane, f pane.Frame, key string) pane.Frame {
	full := panetest.Fill(f, p.Needs(f), panetest.Full)
	none := panetest.Fill(f, p.Needs(f), panetest.Absent)
	figures := map[sources.Need]*sources.Figure{}
	for _, g := range full.Figures() {
		figures[g.Need] = g
		if g.Need.Key == key {
			figures[g.Need] = none.Figure(g.Need)
			figures[g.Need].Note = "needs a frontend with --router-mode kv"
		}
	}
	f.Snap = sources.NewSnapshot(*full, figures)
	return f
}

func keys(needs []sources.Need) (out []string) {
	for _, n := range needs {
		s := n.Key + " " + string(n.Form)
		if n.IsRange() {
			s += " course"
		}
		out = append(out, s)
	}
	return out
}

func TestNeedsFollowTheSource(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Pane, *pane.Frame)
		want []string
	}{
		{"home", func(*Pane, *pane.Frame) {}, []string{
			"frontend.ttft buckets", "frontend.ttft mean", "frontend.ttft buckets course",
			"frontend.itl buckets", "frontend.itl mean", "frontend.itl buckets course"}},
		{"small: the other one is a line", func(_ *Pane, f *pane.Frame) { f.W, f.H = 80, 20 }, []string{
			"frontend.ttft buckets", "frontend.ttft mean", "frontend.ttft buckets course",
			"frontend.itl buckets", "frontend.itl mean"}},
		{"zoom", func(p *Pane, f *pane.Frame) { f.Zoom, p.focus = true, 1 }, []string{
			"frontend.itl buckets", "frontend.itl mean", "frontend.itl buckets course"}},
		{"router's e2e does not exist", func(p *Pane, f *pane.Frame) { f.Zoom, f.Source, p.shown[0] = true, pane.FromRouter, e2e }, nil},
		{"queues are the engine's", func(p *Pane, f *pane.Frame) { f.Zoom, p.shown[0] = true, queue }, []string{
			"engine.queue_time buckets", "engine.queue_time mean", "engine.queue_time buckets course"}},
	} {
		p, f := New(), panetest.Frame(140, 38)
		c.set(p, &f)
		if got := keys(p.Needs(f)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	p, f := New(), panetest.Frame(250, 66)
	if n := len(p.Needs(f)); n != 12 {
		t.Errorf("all four whole ask %d questions, want 12", n)
	}
}

func TestEnterSwapsAndEscBrings(t *testing.T) {
	p, f := New(), panetest.Frame(140, 38)
	var seen []string
	for range 4 {
		seen = append(seen, p.shown[0].String())
		p.Press(pane.Enter, f)
	}
	if want := []string{"TTFT", "E2E", "queue time", "TTFT"}; !reflect.DeepEqual(seen, want) {
		t.Errorf("enter goes through %v, want %v", seen, want)
	}
	// What one part shows is not shown in the other.
	p.Press(pane.Focus, f)
	if p.Press(pane.Enter, f); p.shown != [2]measure{e2e, queue} {
		t.Errorf("shown %v", p.shown)
	}
	if got := keys(p.Explain(f)); got[0] != "engine.queue_time buckets" {
		t.Errorf("explain begins with %q, the focus is on the queue", got[0])
	}
	if !p.Press(pane.Back, f) || p.shown != [2]measure{e2e, itl} {
		t.Errorf("esc: shown %v", p.shown)
	}
	if p.Press(pane.Back, f) {
		t.Error("esc with nothing to go back from claims a change")
	}
	// With room for all of them, nothing is swapped and tab walks all four.
	f = panetest.Frame(250, 66)
	if p.Press(pane.Enter, f) || p.Press(pane.Back, f) {
		t.Error("enter and esc swap parts that are all there")
	}
	p.Press(pane.Focus, f)
	if got := keys(p.Explain(f)); got[0] != "frontend.e2e buckets" {
		t.Errorf("explain begins with %q, want the third part", got[0])
	}
}

// The cursor is a moment. When time goes on the column under it moves left,
// and one that has left the picture is said to be outside.
func TestTheCursorStaysAtItsTime(t *testing.T) {
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Full)
	for range 3 {
		if !p.Press(pane.Left, f) {
			t.Fatal("the cursor did not move")
		}
	}
	_, step := f.Columns(p.parts(f, p.layout(f))[0].shape().heatW - labelWidth)
	newest := f.Now().Truncate(step)
	if want := newest.Add(-2 * step); !p.cursor.Equal(want) {
		t.Fatalf("the cursor is at %v, want two columns before %v", p.cursor, newest)
	}
	at, column := p.cursor, under(t, p, f)
	clock := at.Format("15:04:05Z")
	if !strings.Contains(ansi.Strip(p.View(f)), clock) {
		t.Errorf("the note does not say %s", clock)
	}
	f = later(p, f, 5*step)
	if !p.cursor.Equal(at) || under(t, p, f) != column-5 || !strings.Contains(ansi.Strip(p.View(f)), clock) {
		t.Errorf("five columns later the cursor is at %v under column %d, was under %d", p.cursor, under(t, p, f), column)
	}
	f = later(p, f, time.Hour)
	if !p.cursor.Equal(at) || !strings.Contains(ansi.Strip(p.View(f)), "outside the picture") {
		t.Error("a cursor that left the picture must say so")
	}
	if p.Press(pane.Right, f); under(t, p, f) != 0 {
		t.Errorf("the next press brings it to column %d, want the oldest", under(t, p, f))
	}
	if p.Press(pane.Back, f); !p.cursor.IsZero() {
		t.Error("esc leaves the cursor")
	}
}

// under is the column that the cursor is drawn at.
func under(t *testing.T, p *Pane, f pane.Frame) int {
	t.Helper()
	i, ok := p.parts(f, p.layout(f))[0].course().index(p.cursor)
	if !ok {
		t.Fatal("the cursor is outside")
	}
	return i
}

// later is the frame with its snapshot taken later.
func later(p *Pane, f pane.Frame, by time.Duration) pane.Frame {
	s := *f.Snap
	s.At = s.At.Add(by)
	figures := map[sources.Need]*sources.Figure{}
	for _, g := range f.Snap.Figures() {
		moved := *g
		moved.Series = nil
		for _, line := range g.Series {
			points := make([]sources.Point, len(line.Points))
			for i, pt := range line.Points {
				points[i] = sources.Point{T: pt.T + by.Milliseconds(), V: pt.V}
			}
			moved.Series = append(moved.Series, sources.Series{Labels: line.Labels, Points: points})
		}
		figures[g.Need] = &moved
	}
	f.Snap = sources.NewSnapshot(s, figures)
	return f
}

// A resize asks for another course; until it is answered the old one stays.
func TestAResizeKeepsThePicture(t *testing.T) {
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Full)
	f.W = 180
	if out := ansi.Strip(p.View(f)); strings.Contains(out, "waiting") {
		t.Errorf("the heat maps went blank:\n%s", out)
	}
}
