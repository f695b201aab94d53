package tui

import (
	"context"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/feed"
	"dynascope/tui/pane"
)

var queued = sources.Need{Key: "engine.waiting", Form: sources.FormNow, By: "instance"}

// queueRule fires for every worker with more than ten requests waiting.
func queueRule() verdict.Rule {
	return verdict.Rule{
		Code: "queue-bound-decode", Title: "decode queue", Needs: []sources.Need{queued}, Hold: 10 * time.Second, Key: "2",
		Judge: func(m verdict.Moment) (out []verdict.Finding) {
			for _, g := range m.Groups(queued) {
				if g.V > 10 {
					out = append(out, verdict.Finding{Culprit: verdict.Culprit{Kind: "worker", Name: "7f3a", Worker: "7f3a22", Instance: g.Labels["instance"]}, Level: verdict.Fires, Severity: verdict.Warning})
				}
			}
			return out
		},
		Tell: func(m verdict.Moment, f verdict.Finding) verdict.Story {
			v, _ := m.Where(queued, sources.Labels{"instance": f.Culprit.Instance})
			return verdict.Story{
				Sentence: "requests wait for a place in the batch",
				Evidence: []verdict.Evidence{m.Number("queue 42", queued, sources.Labels{"instance": f.Culprit.Instance}, v, 10)},
				Advice:   []string{"raise --max-running-requests"}, Missing: []string{"queue time: needs --enable-metrics"},
			}
		},
	}
}

// court judges by that rule, and by one whose consequence it is.
func court(o *Options) {
	also := queueRule()
	also.Code, also.Title, also.Silenced = "load-imbalance", "imbalance", []verdict.Silence{{Code: "queue-bound-decode"}}
	blind := queueRule()
	never := sources.Need{Key: "engine.kv_usage", Form: sources.FormNow}
	blind.Code, blind.Title, blind.Needs, blind.Proof = "kv-capacity", "KV full", []sources.Need{never}, []sources.Need{never}
	o.Court = verdict.Court{Rules: []verdict.Rule{queueRule(), also, blind}}
}

// queueFeed answers the rule's needs: a queue of 42 from a moment on.
type queueFeed struct {
	stubFeed
	from time.Time
}

func (f *queueFeed) Tick(ctx context.Context, ask feed.Ask) *sources.Snapshot {
	s := *f.stubFeed.Tick(ctx, ask)
	s.Oldest = s.At.Add(-time.Hour)
	s.Events = []sources.Event{{At: f.from.Add(-20 * time.Second), Kind: sources.EventRestarted, Subject: "91c2"}}
	figures := map[sources.Need]*sources.Figure{}
	for _, n := range ask.Needs {
		if n.Key != queued.Key || !n.IsRange() {
			if n.Key == "engine.kv_usage" && n.IsRange() {
				figures[n] = &sources.Figure{Need: n, Status: sources.StatusAbsent, Note: "start the worker with DYN_SYSTEM_PORT"}
			}
			continue
		}
		line := sources.Series{Labels: sources.Labels{"instance": "h:8081"}}
		for at := s.At.Add(-n.Span).Truncate(n.Step); !at.After(s.At); at = at.Add(n.Step) {
			p := sources.Point{T: at.UnixMilli()}
			if !at.Before(f.from) {
				p.V = 42
			}
			line.Points = append(line.Points, p)
		}
		figures[n] = &sources.Figure{Need: n, Status: sources.StatusOK, At: s.At, Unit: "requests", Expr: "sum by (instance) (waiting)", Series: []sources.Series{line}}
	}
	return sources.NewSnapshot(s, figures)
}

// found is a pane that remembers whom it was sent to.
type found struct {
	stubPane
	whom verdict.Culprit
}

func (p *found) Find(c verdict.Culprit, _ pane.Frame) bool { p.whom = c; return true }

// trouble is a console on a deployment whose queue is long since a minute.
func trouble(t *testing.T, with ...func(*Options)) (*story, *queueFeed, *found) {
	t.Helper()
	f := &queueFeed{stubFeed: stubFeed{now: noon, targets: []sources.Target{{Instance: "h:8081", Health: sources.HealthUp, LastGood: noon, Interval: time.Second}}}, from: noon.Add(-time.Minute)}
	p := &found{stubPane: stubPane{id: "workers"}}
	s := tell(t, append([]func(*Options){court, func(o *Options) {
		o.Feed, o.Panes = f, []pane.Pane{o.Panes[0], p}
		o.Now = func() time.Time { return f.now }
	}}, with...)...)
	return s, f, p
}

func TestTheSecondLineIsTheVerdict(t *testing.T) {
	s, _, _ := trouble(t)
	s.shows("▲ WARNING decode queue · worker 7f3a   queue 42", "since 11:59:00")
	s.send(tea.WindowSizeMsg{Width: 140, Height: 30})
	s.shows("since 11:59:00, 20 s after 91c2 restarted", "press 2")
	s.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	s.shows("▲ decode queue · 7f3a   queue 42", "since 11:59:00")
	if strings.Contains(s.screen(), "imbalance") || strings.Contains(s.screen(), "more") {
		t.Errorf("a consequence stands as a cause:\n%s", s.screen())
	}
	if e := s.m.frame().Events; len(e) == 0 || e[0].Kind != sources.EventVerdict || s.m.frame().Judgement == nil {
		t.Errorf("events of the frame: %+v", e)
	}
}

func TestAJudgementIsAskedOncePerColumnAndBehindThePicture(t *testing.T) {
	s, f, _ := trouble(t)
	judges := func() (n int) {
		for _, a := range f.asks {
			if a.Events == verdict.Span {
				n++
			}
		}
		return n
	}
	n := judges()
	if n == 0 || f.asks[0].Events == verdict.Span {
		t.Fatalf("%d judgements, the first question's events reach %v back", n, f.asks[0].Events)
	}
	tick := func(d time.Duration) {
		f.now = f.now.Add(d)
		s.send(s.m.ask()()) // what the clock does
	}
	tick(time.Second)
	tick(time.Second)
	if got := judges() - n; got != 1 {
		t.Errorf("judged %d times after 2 s, want once, a second into the column", got)
	}
	tick(4 * time.Second)
	if got := judges() - n; got != 2 {
		t.Errorf("judged %d times after 6 s, want twice", got)
	}
	// One that took long rests.
	s.m.judging.took = 2 * time.Second
	tick(5 * time.Second)
	tick(5 * time.Second)
	if got := judges() - n; got != 2 {
		t.Errorf("judged %d times, 10 s after one that took 2 s", got)
	}
	tick(10 * time.Second)
	if got := judges() - n; got != 3 || s.m.judging.took != 0 {
		t.Errorf("judged %d times, 20 s after one that took 2 s", got)
	}
	// The past is judged at its own moment.
	s.keys("space", "[", "[", "[", "[")
	if s.m.judging.is == nil || !s.m.judging.is.At.Equal(verdict.Column(s.m.at)) {
		t.Errorf("judged %+v, shown %v", s.m.judging.is, s.m.at)
	}
	if _, ok := s.m.judging.is.Head(); ok {
		t.Error("a verdict before it began")
	}
	s.shows("1 cause cannot be judged here")
}

func TestAKeyDoesNotWaitForAJudgement(t *testing.T) {
	s, f, _ := trouble(t)
	f.now = f.now.Add(10 * time.Second)
	_, answered := s.m.Update(s.m.ask()())
	if !s.m.question.open || !s.m.question.judges || answered == nil {
		t.Fatal("no judgement is under way")
	}
	s.m.Update(press("2"))
	if !s.m.question.gaveUp {
		t.Error("the key waits for the judgement")
	}
	n := len(f.asks)
	s.drain(answered) // it ends without an answer, and what the key wants is asked
	if len(f.asks) < n+2 || s.m.judging.is == nil {
		t.Errorf("%d questions followed", len(f.asks)-n)
	}
	s.shows("workers 98x20", "decode queue")
}

func TestTheListShowsVerdictsWithTheirConsequences(t *testing.T) {
	s, _, p := trouble(t)
	s.send(tea.WindowSizeMsg{Width: 140, Height: 40})
	s.keys("v")
	s.shows("verdicts, worst first", "▲ warning   decode queue · worker 7f3a", "requests wait for a place in the batch",
		"queue 42 (limit 10 req)", "raise --max-running-requests", "2 Workers (enter)", "queue time: needs --enable-metrics",
		"so also imbalance", "verdict", "91c2", "KV full", "start the worker with DYN_SYSTEM_PORT")
	s.keys("e")
	s.shows("evidence of a verdict", "sum by (instance) (waiting)", "instance=h:8081", "threshold", "10 req")
	s.keys("esc")
	s.shows("verdicts, worst first")
	s.keys("j")
	s.shows("explained by queue-bound-decode")
	s.keys("/", "r", "e", "s", "t", "enter")
	if screen := s.screen(); strings.Contains(screen, "so also") || !strings.Contains(screen, "restarted") {
		t.Errorf("the filter does not hold:\n%s", screen)
	}
	s.keys("esc", "g", "enter")
	s.shows("workers 138x36")
	if p.whom.Worker != "7f3a22" {
		t.Errorf("sent to %+v", p.whom)
	}
}

func TestHostileVerdictsAreClean(t *testing.T) {
	s, _, _ := trouble(t, func(o *Options) {
		r := queueRule()
		judge := r.Judge
		r.Judge = func(m verdict.Moment) []verdict.Finding {
			out := judge(m)
			for i := range out {
				out[i].Culprit.Name = "\x1b]0;x\x07evil\n界"
			}
			return out
		}
		r.Tell = func(verdict.Moment, verdict.Finding) verdict.Story {
			return verdict.Story{Sentence: "a\x1b[2Jb\nc", Evidence: []verdict.Evidence{{Text: "q\x07\n42"}}, Advice: []string{"x\x1by\n"}, Missing: []string{"z\x1b\n"}}
		}
		o.Court = verdict.Court{Rules: []verdict.Rule{r}}
	})
	for _, k := range []string{"v", "e"} {
		s.keys(k)
		for _, l := range strings.Split(s.m.View().Content, "\n") {
			if strings.Contains(l, "\x07") || strings.Contains(l, "\x1b]") || strings.Contains(l, "\x1b[2J") {
				t.Errorf("%q", l)
			}
		}
		if n := strings.Count(s.m.View().Content, "\n"); n != 23 {
			t.Errorf("%d lines", n+1)
		}
	}
}
