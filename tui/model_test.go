package tui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// stubFeed answers with a snapshot of the moment asked for.
type stubFeed struct {
	store   string
	newest  time.Time // of a recording
	asks    []feed.Ask
	now     time.Time
	targets []sources.Target
	workers []sources.Worker
}

func (f *stubFeed) Tick(_ context.Context, ask feed.Ask) *sources.Snapshot {
	f.asks = append(f.asks, ask)
	s := sources.Snapshot{Seq: uint64(len(f.asks)), At: ask.At, Live: ask.At.IsZero(), Window: ask.Window, Have: ask.Window, Store: "embedded", Targets: f.targets, Workers: f.workers}
	if s.Live {
		s.At = f.now
		if !f.newest.IsZero() {
			s.At, s.Live = f.newest, false
		}
	}
	if f.store != "" {
		s.Store = f.store
	}
	return sources.NewSnapshot(s, map[sources.Need]*sources.Figure{})
}

// stubPane shows what it is given.
type stubPane struct {
	id      string
	pressed []pane.Action
	filter  string
}

func (p *stubPane) ID() string    { return p.id }
func (p *stubPane) Title() string { return strings.ToUpper(p.id[:1]) + p.id[1:] }
func (p *stubPane) Short() string { return p.id[:3] }
func (p *stubPane) Needs(f pane.Frame) []sources.Need {
	return []sources.Need{{Key: "frontend.ttft", Form: sources.FormMean, By: p.id}}
}
func (p *stubPane) View(f pane.Frame) string {
	return cells.Block([]string{fmt.Sprintf("%s %dx%d %s zoom=%v %s", p.id, f.W, f.H, f.Source, f.Zoom, f.Window)}, f.W, f.H)
}
func (p *stubPane) Press(a pane.Action, _ pane.Frame) bool {
	p.pressed = append(p.pressed, a)
	return true
}
func (p *stubPane) Filter() string { return p.filter }
func (p *stubPane) SetFilter(s string) error {
	p.filter = s
	if strings.Contains(s, ">") && strings.HasSuffix(s, ">") {
		return fmt.Errorf("read filter %q: no number", s)
	}
	return nil
}

// story drives a model as the runtime would, one message at a time.
type story struct {
	*testing.T
	m    *Model
	feed *stubFeed
	a, b *stubPane
	quit bool
}

func tell(t *testing.T, with ...func(*Options)) *story {
	t.Helper()
	s := &story{T: t, feed: &stubFeed{now: noon, targets: []sources.Target{{Instance: "h:8000", Health: sources.HealthUp, LastGood: noon, Interval: time.Second, Role: "frontend"}}}, a: &stubPane{id: "alpha"}, b: &stubPane{id: "beta"}}
	o := Options{Feed: s.feed, Catalog: catalog.Default(), Panes: []pane.Pane{s.a, s.b}, Now: func() time.Time { return s.feed.now }}
	for _, w := range with {
		w(&o)
	}
	m, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	s.send(tea.WindowSizeMsg{Width: 100, Height: 24})
	return s
}

// send delivers a message and then what its commands answer, but not the
// clock.
func (s *story) send(msg tea.Msg) {
	s.Helper()
	_, cmd := s.m.Update(msg)
	s.drain(cmd)
}

func (s *story) drain(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			s.drain(c)
		}
	case answeredMsg, judgedMsg, deploymentsMsg, inquiryMsg:
		s.send(msg)
	case tea.QuitMsg:
		s.quit = true
	}
}

func (s *story) keys(keys ...string) {
	s.Helper()
	for _, k := range keys {
		s.send(press(k))
	}
}

// press makes the message of a key by its Bubble Tea name.
func press(k string) tea.KeyPressMsg {
	special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "space": tea.KeySpace, "backspace": tea.KeyBackspace, "up": tea.KeyUp, "down": tea.KeyDown}
	if code, ok := special[k]; ok {
		msg := tea.KeyPressMsg{Code: code}
		if k == "space" {
			msg.Text = " "
		}
		return msg
	}
	if rest, ok := strings.CutPrefix(k, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: []rune(rest)[0], Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
}

func (s *story) screen() string { return stripped(s.m.View().Content) }

func (s *story) shows(texts ...string) {
	s.Helper()
	for _, x := range texts {
		if !strings.Contains(s.screen(), x) {
			s.Errorf("the screen does not show %q:\n%s", x, s.screen())
		}
	}
}

func (s *story) last() feed.Ask { return s.feed.asks[len(s.feed.asks)-1] }

func TestScreensSwitchAndAskAtOnce(t *testing.T) {
	s := tell(t)
	s.shows("alpha 98x20", "1 Alpha", "LIVE 12:00:00Z")
	n := len(s.feed.asks)
	s.keys("2")
	s.shows("beta 98x20")
	if len(s.feed.asks) != n+1 || s.last().Needs[len(s.last().Needs)-1].By != "beta" {
		t.Error("switching did not ask for the new screen's needs at once")
	}
	s.keys("9")
	s.shows("beta")
}

func TestPauseFreezesTheViewAndStepsInTime(t *testing.T) {
	s := tell(t)
	s.keys("space")
	s.shows("PAUSED 12:00:00Z")
	s.feed.now = noon.Add(20 * time.Second)
	n := len(s.feed.asks)
	s.m.Update(tickedMsg{})
	if len(s.feed.asks) != n {
		t.Error("the clock asked while paused")
	}
	s.keys("[")
	if want := noon.Add(-30 * time.Second); !s.last().At.Equal(want) {
		t.Errorf("stepped to %v, want %v", s.last().At, want)
	}
	s.shows("PAUSED 11:59:30Z")
	s.keys("]", "]")
	s.shows("LIVE 12:00:20Z") // a step past now is live again
	s.keys("[", `\`)
	s.shows("LIVE")
}

func TestWindowZoomAndSource(t *testing.T) {
	s := tell(t)
	s.keys("w")
	if s.last().Window != 15*time.Minute {
		t.Errorf("window %v", s.last().Window)
	}
	s.keys("+", "+")
	if s.last().Window != time.Minute {
		t.Errorf("window %v after zooming in", s.last().Window)
	}
	s.keys("o")
	s.shows("alpha 98x20 router")
	s.keys("z")
	s.shows("zoom=true")
	s.keys("esc")
	s.shows("zoom=false")
}

func TestPaneActionsReachThePane(t *testing.T) {
	s := tell(t)
	s.keys("j", "s", "i", "tab", "G")
	want := []pane.Action{pane.Down, pane.Sort, pane.Invert, pane.Focus, pane.Bottom}
	if fmt.Sprint(s.a.pressed) != fmt.Sprint(want) {
		t.Errorf("pressed %v, want %v", s.a.pressed, want)
	}
}

func TestFilterIsTypedLiveAndClearedByEscape(t *testing.T) {
	s := tell(t)
	s.keys("/", "k", "v", ">")
	s.shows("/kv>", "no number")
	s.keys("enter") // a filter in error stays open
	s.keys("9", "0", "enter")
	if s.a.filter != "kv>90" {
		t.Errorf("filter %q", s.a.filter)
	}
	s.shows("/kv>90", "alpha")
	s.keys("esc")
	if s.a.filter != "" || s.quit {
		t.Error("escape did not clear the filter")
	}
}

func TestOverlays(t *testing.T) {
	s := tell(t)
	s.keys("?")
	s.shows("keys", "focus the next part")
	s.keys("?")
	s.shows("alpha 98x20")
	s.keys("t")
	s.shows("what each scrape costs", "h:8000", "frontend")
	s.keys("esc", "e")
	s.shows("explain", "status")
	s.keys("esc", ":", "b", "e", "t", "a", "enter")
	s.shows("beta 98x20")
	s.keys(":", "q", "u", "i", "t", "enter")
	if !s.quit {
		t.Error("the palette did not run quit")
	}
}

func TestEscapeNeverQuits(t *testing.T) {
	s := tell(t)
	s.keys("esc", "esc", "esc")
	if s.quit {
		t.Error("escape quit")
	}
	s.keys("q")
	if !s.quit {
		t.Error("q did not quit")
	}
}

func TestEveryScreenIsExactlyTheTerminal(t *testing.T) {
	s := tell(t, func(o *Options) { o.Deployments = twoDeployments; o.Tried = tried })
	for _, size := range [][2]int{{0, 0}, {1, 1}, {5, 3}, {20, 5}, {80, 24}, {140, 42}, {250, 70}} {
		s.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for _, over := range []string{"", "?", "t", "e", ":", "d"} {
			if over != "" {
				s.keys(over)
			}
			lines := cells.Lines(s.m.View().Content)
			if len(lines) != size[1] && size[0] > 0 {
				t.Errorf("%v with %q: %d lines", size, over, len(lines))
			}
			for _, l := range lines {
				if cells.Width(l) != size[0] {
					t.Errorf("%v with %q: a line of %d cells: %q", size, over, cells.Width(l), l)
				}
			}
			s.keys("esc")
		}
	}
}

func TestSilenceSaysWhatIsMissing(t *testing.T) {
	s := tell(t)
	s.feed.targets = []sources.Target{{Instance: "h:8000", Health: sources.HealthDown, Error: "connection refused; hint: is it running?", Interval: time.Second}}
	s.keys("r")
	s.shows("NO DATA", "h:8000: connection refused", "hint:")
	s.feed.targets = nil
	s.keys("r")
	s.shows("NO DATA", "--target")
}

func TestAStaleTargetIsCounted(t *testing.T) {
	s := tell(t)
	s.feed.targets = append(s.feed.targets, sources.Target{Instance: "w:8081", Health: sources.HealthDown, LastGood: noon.Add(-12 * time.Second), Interval: time.Second})
	s.keys("r")
	s.shows("1 of 2 targets stale 12 s")
}

func TestHostileNamesDoNotReachTheTerminal(t *testing.T) {
	s := tell(t)
	s.feed.targets = []sources.Target{{Instance: "h\x1b]0;owned\x07:1", Health: sources.HealthDown, Error: "bad \x1b[2J page", Interval: time.Second}}
	s.keys("r", "t")
	if c := s.m.View().Content; strings.Contains(c, "\x1b]0;") || strings.Contains(c, "\x1b[2J") {
		t.Errorf("an escape sequence from outside reached the terminal: %q", c)
	}
}

func TestALateAnswerOfAnotherMomentIsDropped(t *testing.T) {
	s := tell(t)
	s.keys("space", "[")
	stale := sources.NewSnapshot(sources.Snapshot{At: noon.Add(-time.Hour)}, nil)
	s.m.Update(answeredMsg{snap: stale, at: stale.At})
	if s.m.snap == stale {
		t.Error("an answer for a moment that was left is shown")
	}
	s.m.Update(answeredMsg{snap: stale, at: s.m.at, scope: "another"})
	if s.m.snap == stale {
		t.Error("an answer for a deployment that was left is shown")
	}
}

func stripped(screen string) string {
	lines := cells.Lines(screen)
	for i, l := range lines {
		lines[i] = cells.Strip(l)
	}
	return strings.Join(lines, "\n")
}

// growing needs more once it has an answer, as a chart does whose span follows
// the data.
type growing struct{ stubPane }

func (p *growing) Needs(f pane.Frame) []sources.Need {
	out := p.stubPane.Needs(f)
	if f.Snap != nil {
		out = append(out, sources.Need{Key: "frontend.itl", Form: sources.FormMean})
	}
	return out
}

func TestNeedsThatFollowTheAnswerAreAskedAtOnce(t *testing.T) {
	s := tell(t)
	s.m.Panes = []pane.Pane{&growing{stubPane{id: "grow"}}}
	s.m.snap = nil
	n := len(s.feed.asks)
	s.keys("r")
	if got := len(s.feed.asks) - n; got != 2 {
		t.Errorf("%d questions, want one for the answer and one for what followed from it", got)
	}
}
