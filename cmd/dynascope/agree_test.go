package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
	"dynascope/themes"
	"dynascope/tui"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
	"dynascope/tui/report"
)

// killedScenario has one obvious thing wrong with it.
const killedScenario = `
description: one of two workers is killed
duration: 2m
deployment: {pools: [{workers: 2}]}
load: [{rate: 2, isl: 200, osl: 50}]
faults: [{at: 40s, kind: kill, target: worker1}]
`

// TestConsoleOnceAndCheckAgree: the verdict line, the Overview, --once and check
// say the same of one store at one time.
func TestConsoleOnceAndCheckAgree(t *testing.T) {
	sc, err := scenario.Parse("killed", []byte(killedScenario))
	if err != nil {
		t.Fatal(err)
	}
	cat, start := catalog.Default(), time.Unix(1_700_000_000, 0)
	store, err := embedded.Open(t.Context(), embedded.Options{KeepNames: cat.Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w, err := world.New(world.Config{Scenario: sc, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := virtual.Run(t.Context(), w, store, virtual.Options{Until: 100 * time.Second}); err != nil {
		t.Fatal(err)
	}
	at := start.Add(99 * time.Second)
	s := settings{sla: pane.SLA{TTFT: time.Second, ITL: 50 * time.Millisecond}, dummy: dummy()}
	court := s.court(s.baselines())
	fresh := func() *feed.Feed {
		f := feed.New(store, cat)
		f.Newest = func() time.Time { return at }
		return f
	}

	// check and --once.
	needs := slices.Concat(report.Needs(), judged.Needs(), court.Needs())
	snap := fresh().Tick(t.Context(), feed.Ask{Needs: needs, Window: time.Minute, Events: verdict.Span})
	j := court.Judge(snap)
	head, ok := j.Head()
	if !ok || head.Culprit.Kind != "worker" {
		t.Fatalf("judged %+v", j)
	}
	var check, once bytes.Buffer
	if err := report.CheckJSON(&check, report.Checked{Snap: snap, Judgement: j, SLA: court.SLA}); err != nil {
		t.Fatal(err)
	}
	theme, _ := themes.Get("mono")
	frame := pane.Frame{W: 110, H: 40, SLA: s.sla, Window: time.Minute, Snap: snap, Judgement: j, Styles: themes.NewStyles(theme.Plain(), false)}
	if err := report.JSON(&once, frame); err != nil {
		t.Fatal(err)
	}
	type said struct {
		State, Line string
		Verdicts    []struct{ Code, Sentence string }
	}
	var checked said
	var printed struct{ Judgement said }
	if err := json.Unmarshal(check.Bytes(), &checked); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(once.Bytes(), &printed); err != nil {
		t.Fatal(err)
	}
	if got := printed.Judgement; got.State != checked.State || got.Line != checked.Line || !slices.Equal(got.Verdicts, checked.Verdicts) {
		t.Errorf("--once says %+v,\ncheck says %+v", got, checked)
	}

	// The console, on a feed of its own.
	m, err := tui.New(t.Context(), tui.Options{
		Feed: fresh(), Catalog: cat, Panes: panes.All(), Court: court, Recording: true, Window: time.Minute, SLA: s.sla,
		Recorded: func() (time.Time, time.Time) { return start, at }, Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	var deliver func(tea.Cmd)
	deliver = func(c tea.Cmd) {
		if c == nil {
			return
		}
		switch msg := c().(type) {
		case nil:
		case tea.BatchMsg:
			for _, c := range msg {
				deliver(c)
			}
		default:
			_, next := m.Update(msg)
			deliver(next)
		}
	}
	_, cmd := m.Update(tea.WindowSizeMsg{Width: 400, Height: 60})
	deliver(cmd)
	screen := strings.Split(ansi.Strip(m.View().Content), "\n")
	if got, want := squeezed(screen[1]), squeezed(checked.Line); got != want {
		t.Errorf("the console says %q,\ncheck says %q", got, want)
	}
	if !strings.Contains(screen[3], head.Sentence) {
		t.Errorf("the Overview says %q, not %q", screen[3], head.Sentence)
	}
}

// squeezed is a line without the blanks that lay it out.
func squeezed(line string) string {
	return strings.TrimSpace(regexp.MustCompile(` {2,}`).ReplaceAllString(line, "  "))
}
