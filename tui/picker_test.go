package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dynascope/sources/catalog"
	"dynascope/tui/cells"
	"dynascope/tui/pane/panetest"
	"dynascope/tui/panes"
	"dynascope/tui/report"
)

func match(model string) catalog.Scope {
	return catalog.Scope{Match: map[string]string{"model": model}}
}

func twoDeployments(context.Context) ([]Deployment, error) {
	return []Deployment{
		{Name: "prod-a/qwen", Detail: "1 frontend · 2 workers", Scope: match("qwen")},
		{Name: "prod-b/llama\x1b[2J", Detail: "1 frontend · 4 workers", Scope: match("llama")},
	}, nil
}

func tried() []report.TriedLine {
	return []report.TriedLine{
		{Addr: "127.0.0.1:8000", Why: "documented port of a frontend", Outcome: "frontend, 212 families"},
		{Addr: "127.0.0.1:9400\x1b]0;x\x07", Why: "documented port of a DCGM exporter", Outcome: "connection refused"},
	}
}

func TestADeploymentIsPicked(t *testing.T) {
	s := tell(t, func(o *Options) { o.Deployments = twoDeployments })
	s.keys("d")
	s.shows("everything", "prod-a/qwen", "1 frontend · 2 workers", "prod-b/llama")
	if c := s.m.View().Content; strings.Contains(c, "\x1b[2J") {
		t.Error("an escape sequence in a name reached the terminal")
	}
	n := len(s.feed.asks)
	s.keys("j", "j", "j", "k", "enter")
	if got := s.last().Scope.Match["model"]; got != "qwen" || len(s.feed.asks) != n+1 {
		t.Fatalf("asked %d times, scope %v", len(s.feed.asks)-n, s.last().Scope)
	}
	s.shows("prod-a/qwen", "alpha 98x20", "LIVE")
	s.keys("w")
	if s.last().Scope.Match["model"] != "qwen" {
		t.Error("the next question forgot the scope")
	}
	s.keys("d", "g", "enter")
	if s.last().Scope.Match != nil {
		t.Errorf("everything has the scope %v", s.last().Scope)
	}
	s.keys("d", "esc")
	s.shows("alpha 98x20")
}

// The list may not come: the console says so and goes on.
func TestDeploymentsThatCannotBeListed(t *testing.T) {
	s := tell(t)
	s.keys("d")
	s.shows("nothing to pick from", "alpha")
	s.m.Deployments = func(context.Context) ([]Deployment, error) {
		return nil, errors.New("find deployments: 503; hint: is the server up?")
	}
	s.keys("d")
	s.shows("everything", "find deployments: 503", "hint:")
	s.m.Deployments = func(context.Context) ([]Deployment, error) { return nil, nil }
	s.keys("r")
	s.shows("no page names a deployment")
	s.keys("enter")
	s.shows("alpha")
}

// A fleet changes: the scope of what is picked follows by its name.
func TestTheScopeFollowsItsDeployment(t *testing.T) {
	instances := []string{"w:1"}
	s := tell(t, func(o *Options) {
		o.Deployments = func(context.Context) ([]Deployment, error) {
			return []Deployment{{Name: "prod", Scope: catalog.Scope{Instances: instances}}}, nil
		}
	})
	s.keys("d", "j", "enter")
	instances = []string{"w:2"}
	s.feed.now = noon.Add(renewEvery)
	s.drain(s.m.renewScope())
	if got := s.last().Scope.Instances; len(got) != 1 || got[0] != "w:2" {
		t.Errorf("scope %v after the worker moved", got)
	}
	if s.m.renewScope() != nil {
		t.Error("the list is asked for again at once")
	}
	instances = nil
	s.m.Deployments = func(context.Context) ([]Deployment, error) { return nil, nil }
	s.feed.now = noon.Add(3 * renewEvery)
	s.drain(s.m.renewScope())
	s.shows("prod") // gone from the list, and still what is looked at
}

func TestDiscoveryIsListedBesideTheTargets(t *testing.T) {
	s := tell(t, func(o *Options) { o.Tried = tried })
	s.keys("t")
	s.shows("h:8000", "discovery", "127.0.0.1:8000", "documented port of a frontend  ", "connection refused")
	if strings.Contains(s.m.View().Content, "\x1b]0;") {
		t.Error("an escape sequence reached the terminal")
	}
}

func TestLowBandwidthDrawsSeldom(t *testing.T) {
	s := tell(t, func(o *Options) { o.LowBandwidth = true })
	if s.m.Tick != lowBandwidthTick || !s.m.frame().LowBandwidth {
		t.Errorf("tick %v, frame %v", s.m.Tick, s.m.frame().LowBandwidth)
	}
	s.keys("o")
	s.shows("as the router measured it")
	s.m.Update(tickedMsg{})
	if strings.Contains(s.screen(), "measured it") {
		t.Error("a notice outlives a tick of eight seconds")
	}
	if s := tell(t, func(o *Options) { o.LowBandwidth, o.Tick = true, 15*time.Second }); s.m.Tick != 15*time.Second {
		t.Errorf("a slower tick became %v", s.m.Tick)
	}
}

// Half as many columns fill the same rectangles.
func TestPanesKeepTheirShapeWithLowBandwidth(t *testing.T) {
	for i := range panes.All() {
		for _, size := range [][2]int{{20, 5}, {80, 20}, {140, 38}} {
			p := panes.All()[i]
			f := panetest.Frame(size[0], size[1])
			f.LowBandwidth = true
			lines := cells.Lines(p.View(panetest.With(p, f, panetest.Full)))
			if len(lines) != size[1] {
				t.Errorf("%s at %v: %d lines", p.ID(), size, len(lines))
			}
			for _, l := range lines {
				if cells.Width(l) != size[0] {
					t.Errorf("%s at %v: a line of %d cells", p.ID(), size, cells.Width(l))
				}
			}
		}
	}
}

// A name that --deployment gives and no page knows is told and let go: all
// figures must not stand under it.
func TestAnUnknownDeploymentIsToldAndLetGo(t *testing.T) {
	s := tell(t, func(o *Options) { o.Deployments, o.Deployment = twoDeployments, Deployment{Name: "prodd"} })
	s.drain(s.m.renewScope())
	if s.m.picker.chosen.Name != "" || !strings.Contains(s.m.notice.text, "no deployment prodd") {
		t.Errorf("picked %q, said %q", s.m.picker.chosen.Name, s.m.notice.text)
	}
}
