package judged

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/themes"
	"dynascope/tui/cells"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func line(j *verdict.Judgement) Line {
	theme, _ := themes.Get("")
	snap := sources.NewSnapshot(sources.Snapshot{At: noon, Targets: []sources.Target{{Instance: "h:1", Health: sources.HealthUp}}}, map[sources.Need]*sources.Figure{
		needWaiting: {Need: needWaiting, Status: sources.StatusOK, Unit: "requests", At: noon, Series: []sources.Series{{Points: []sources.Point{{V: 3}}}}},
	})
	return Line{Snap: snap, Judgement: j, Styles: themes.NewStyles(theme, false)}
}

func TestEachStateSaysWhatItKnows(t *testing.T) {
	v := verdict.Verdict{
		Code: "kv-capacity", Title: "decode KV-bound", Severity: verdict.Warning, Culprit: verdict.Culprit{Kind: "worker", Name: "7f3a"}, Key: "6",
		Evidence: []verdict.Evidence{{Text: "KV 97 %"}, {Text: "queue 42"}}, Since: noon.Add(-time.Minute),
		After: &sources.Event{At: noon.Add(-80 * time.Second), Kind: sources.EventScrapeLost, Subject: "91c2"},
	}
	bad := v
	bad.Severity, bad.Open, bad.After = verdict.Critical, true, nil
	note := v
	note.Severity = verdict.Info
	for _, c := range []struct {
		name string
		j    *verdict.Judgement
		w    int
		want []string
		not  []string
	}{
		{"none yet", nil, 120, []string{"TTFT p95", "queue 3"}, []string{"HEALTHY"}},
		{"healthy", &verdict.Judgement{At: noon, State: verdict.Healthy}, 120, []string{"● HEALTHY", "queue 3"}, []string{"judged"}},
		{"a note is no alarm", &verdict.Judgement{At: noon, State: verdict.Healthy, Verdicts: []verdict.Verdict{note}}, 120, []string{"● HEALTHY", "1 note"}, nil},
		{"blind rules", &verdict.Judgement{At: noon, State: verdict.Healthy, Blind: make([]verdict.Blind, 2)}, 120, []string{"2 causes cannot be judged here"}, nil},
		{"learning", &verdict.Judgement{At: noon, State: verdict.Learning, Have: 12500 * time.Millisecond, Want: 90 * time.Second}, 120, []string{"○ LEARNING 12/90 s", "queue 3"}, nil},
		{"unknown", &verdict.Judgement{At: noon, State: verdict.Unknown, Blind: []verdict.Blind{{Note: "start the worker with DYN_SYSTEM_PORT"}}}, 120, []string{"? NO DATA", "start the worker with DYN_SYSTEM_PORT"}, []string{"queue"}},
		{"wide", &verdict.Judgement{At: noon, State: verdict.Warned, Verdicts: []verdict.Verdict{v, v}}, 160, []string{"▲ WARNING decode KV-bound · worker 7f3a   KV 97 % · queue 42", "+1 more", "press 6", "since 11:59:00, 20 s after 91c2 stopped answering"}, nil},
		{"80", &verdict.Judgement{At: noon, State: verdict.Warned, Verdicts: []verdict.Verdict{v, v}}, 80, []string{"▲ decode KV-bound · 7f3a   KV 97 %", "since 11:59:00"}, []string{"stopped"}},
		{"40", &verdict.Judgement{At: noon, State: verdict.Warned, Verdicts: []verdict.Verdict{v}}, 40, []string{"▲ decode KV-bound · 7f3a"}, nil},
		{"open", &verdict.Judgement{At: noon, State: verdict.Critic, Verdicts: []verdict.Verdict{bad}}, 120, []string{"✗ CRITICAL", "since before 11:59:00"}, nil},
		{"old", &verdict.Judgement{At: noon.Add(-25 * time.Second), State: verdict.Healthy}, 120, []string{"judged 25 s ago"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := line(c.j).Draw(c.w)
			if n := cells.Width(out); n != c.w {
				t.Errorf("%d cells, want %d", n, c.w)
			}
			out = ansi.Strip(out)
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("%q lacks %q", out, want)
				}
			}
			for _, not := range c.not {
				if strings.Contains(out, not) {
					t.Errorf("%q has %q", out, not)
				}
			}
		})
	}
	l := line(nil)
	l.Silence = "no targets"
	if out := ansi.Strip(l.Draw(60)); !strings.Contains(out, "? NO DATA  no targets") {
		t.Errorf("%q", out)
	}
	for w := range 30 {
		if n := cells.Width(line(&verdict.Judgement{State: verdict.Warned, Verdicts: []verdict.Verdict{v}}).Draw(w)); n != w {
			t.Errorf("%d cells, want %d", n, w)
		}
	}
}

func TestEvidenceIsNotSaidTwice(t *testing.T) {
	for _, c := range []struct {
		e    verdict.Evidence
		want string
	}{
		{verdict.Evidence{Text: "KV 97 %", Value: 0.97, Threshold: 0.9, Unit: "ratio"}, "KV 97 % (limit 90 %)"},
		{verdict.Evidence{Text: "KV 97 %, limit 90 %", Value: 0.97, Threshold: 0.9, Unit: "ratio"}, "KV 97 %, limit 90 %"},
		{verdict.Evidence{Text: "queue", Value: 42, Threshold: 0, Unit: "requests"}, "queue (42 req)"},
		{verdict.Evidence{Text: "page dead for 40 s", Value: 0, Threshold: 1, Unit: "0/1"}, "page dead for 40 s"},
	} {
		if got := Evidence(c.e); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
