package overview

import (
	"strings"
	"testing"

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
		golden.Check(t, name, p.View(deployed(p, panetest.Frame(size[0], size[1]))))
	}
}

// Many workers take the charts' room, the cursor keeps its worker in view.
func TestManyWorkers(t *testing.T) {
	p, f := New(), panetest.Frame(140, 38)
	f = panetest.With(p, f, panetest.Many)
	p.Press(pane.Unfocus, f)
	p.Press(pane.Down, f)
	p.Press(pane.Down, f)
	golden.Check(t, "many_140x38", p.View(f))
	p.Press(pane.Bottom, f)
	if out := ansi.Strip(p.View(f)); !strings.Contains(out, "288 of 288") {
		t.Errorf("the last worker is not in view:\n%s", out)
	}
}

func TestNoFrontend(t *testing.T) {
	p := New()
	f := engines(p, panetest.Frame(140, 38))
	golden.Check(t, "no_frontend_140x38", p.View(f))
}

func TestZoom(t *testing.T) {
	p := New()
	f := panetest.Frame(100, 34)
	f.Zoom = true
	p.Press(pane.Focus, f)
	golden.Check(t, "zoom_facts_100x34", p.View(deployed(p, f)))
}

// deployed fills a frame with a deployment whose path adds up: a mean TTFT of
// 1.42 s, most of it in the engine's queue.
func deployed(p *Pane, f pane.Frame) pane.Frame {
	means := map[string]float64{
		"frontend.ttft": 1.42, "stage.preprocess": 0.004, "stage.route": 0.00002, "router.overhead.total": 0.009,
		"stage.transport": 1.394, "engine.ttft": 1.385, "engine.queue_time": 1.189, "engine.prefill_time": 0.188,
	}
	return change(p, f, func(g *sources.Figure) {
		if v, ok := means[g.Need.Key]; ok && !g.Need.IsRange() {
			switch g.Need.Form {
			case sources.FormMean:
				number(g, v)
			case sources.FormCount:
				number(g, 12_402)
			}
		}
	})
}

// engines is a deployment without a frontend.
func engines(p *Pane, f pane.Frame) pane.Frame {
	none := func(g *sources.Figure) {
		if k := g.Need.Key; strings.HasPrefix(k, "frontend.") || strings.HasPrefix(k, "requests.") || strings.HasPrefix(k, "stage.") || strings.HasPrefix(k, "router.") || strings.HasPrefix(k, "model.") {
			g.Status, g.Series, g.Found = sources.StatusAbsent, nil, nil
		}
	}
	for range 2 { // what is asked follows what was found
		f = change(p, f, none)
		s := *f.Snap
		s.Targets = s.Targets[1:]
		f.Snap = rebuilt(&s)
	}
	return f
}

// change fills a frame and then changes its figures.
func change(p *Pane, f pane.Frame, do func(*sources.Figure)) pane.Frame {
	if f.Snap == nil {
		f.Snap = panetest.Fill(f, p.Needs(f), panetest.Full)
	}
	f.Snap = panetest.Fill(f, p.Needs(f), panetest.Full)
	for _, g := range f.Snap.Figures() {
		do(g)
	}
	return f
}

func rebuilt(s *sources.Snapshot) *sources.Snapshot {
	figures := map[sources.Need]*sources.Figure{}
	for _, g := range s.Figures() {
		figures[g.Need] = g
	}
	return sources.NewSnapshot(*s, figures)
}

func number(g *sources.Figure, v float64) {
	g.Status = sources.StatusOK
	g.Series = []sources.Series{{Labels: sources.Labels{}, Points: []sources.Point{{T: g.At.UnixMilli(), V: v}}}}
}
