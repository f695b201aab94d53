package report

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/tui/cells"
)

var checkedAt = time.Date(2026, 11, 23, 12, 3, 40, 0, time.UTC)

// sick is a judgement with everything that one may hold.
func sick() Checked {
	began := checkedAt.Add(-150 * time.Second)
	v := verdict.Verdict{
		Code: "kv-capacity", Title: "decode KV-bound", Severity: verdict.Critical,
		Sentence: "the KV pages of worker 7f3a are used up, and it takes back requests that it had begun",
		Evidence: []verdict.Evidence{
			{Text: "KV 97 %", Need: sources.Need{Key: "engine.kv_usage", Form: sources.FormNow, By: "instance"}, Labels: sources.Labels{"instance": "10.0.0.1:9090"}, Value: 0.97, Threshold: 0.9, Unit: "ratio", Expr: "max by (instance) (sglang:token_usage)"},
			{Text: "queue grows, Mann–Kendall p < 0.01", Value: math.NaN(), Threshold: math.NaN(), Window: time.Minute},
		},
		Culprit: verdict.Culprit{Kind: "worker", Name: "7f3a", Instance: "10.0.0.1:9090", Worker: "7f3a19c2"},
		Since:   began, After: &sources.Event{At: began.Add(-20 * time.Second), Kind: sources.EventRestarted, Subject: "91c2"},
		Advice: []string{"raise --mem-fraction-static of the decode workers, or lower --max-running-requests so that what runs fits"},
		Key:    "6", Missing: []string{"retractions: start the worker with --enable-metrics"},
	}
	quiet := verdict.Verdict{Code: "queue-bound-decode", Title: "decode queue", Severity: verdict.Warning, Culprit: verdict.Culprit{Kind: "pool", Name: "decode\x1b[31m"}, Since: began, Open: true, SilencedBy: "kv-capacity"}
	ended := verdict.Verdict{Code: "worker-down", Title: "worker down", Severity: verdict.Critical, Since: began.Add(-time.Minute), Until: began.Add(-30 * time.Second)}
	return Checked{
		Snap: sources.NewSnapshot(sources.Snapshot{
			At: checkedAt.Add(2 * time.Second), Store: "embedded", Models: []string{"Qwen3-32B"},
			Targets: []sources.Target{{Instance: "10.0.0.1:9090", Health: sources.HealthUp}, {Instance: "10.0.0.2:9090", Health: sources.HealthDown, Error: "connection refused", LastGood: checkedAt.Add(-time.Minute)}},
		}, nil),
		Judgement: &verdict.Judgement{
			At: checkedAt, State: verdict.Critic, Verdicts: []verdict.Verdict{v}, Silenced: []verdict.Verdict{quiet}, Past: []verdict.Verdict{ended},
			Have: 30 * time.Second, Want: 90 * time.Second,
			Blind: []verdict.Blind{{Code: "router-queue", Title: "router queue", Note: "run the router in KV mode"}, {Code: "router-stage", Title: "router stage", Note: "run the router in KV mode"}},
		},
		SLA: verdict.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond}, Name: "prod",
	}
}

func TestCheckText(t *testing.T) {
	var b bytes.Buffer
	if err := CheckText(&b, sick(), 80, false, false); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, l := range strings.Split(got, "\n") {
		if cells.Width(l) > 80 || strings.ContainsRune(l, 0x1b) {
			t.Errorf("%d cells: %q", cells.Width(l), l)
		}
	}
	for _, want := range []string{
		"decode KV-bound", "since 12:01:10", "20 s after 91c2 restarted", "30 s of the 90 s", "culprit   worker 7f3a at 10.0.0.1:9090, id 7f3a19c2",
		"evidence  KV 97 % (threshold 90 %)", "             queue grows, Mann–Kendall p < 0.01 (over 60 s)", "--mem-fraction-static",
		"missing   retractions", "next      press 6", "explained by kv-capacity", "router-queue, router-stage: run the router in KV mode",
		"10.0.0.2:9090 is down: connection refused",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "sglang:token_usage") || strings.Contains(got, "worker down") {
		t.Errorf("the queries, and what ended, are for -v:\n%s", got)
	}
	b.Reset()
	if err := CheckText(&b, sick(), 80, true, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n             max by (instance) (sglang:token_usage)\n", "worker down"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q with -v in\n%s", want, b.String())
		}
	}
	for _, r := range b.String() {
		if r > 126 {
			t.Fatalf("%q with --ascii", r)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	var b bytes.Buffer
	if err := CheckJSON(&b, sick()); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Schema, State, Line string
		Exit                int
		Verdicts            []struct {
			Code, Severity string
			Culprit        struct{ Kind, Name, Instance, Worker string }
			Since          time.Time
			After          struct {
				BeforeS float64 `json:"before_s"`
			}
			Evidence []struct {
				Value, Threshold *float64
				Key, Expr        string
			}
		}
		Consequences []struct {
			Code        string
			ExplainedBy string `json:"explained_by"`
			Open        bool   `json:"since_or_before"`
		}
		Past      []struct{ Until time.Time }
		NotJudged []struct{ Code, Note string } `json:"not_judged"`
		Targets   struct{ Up, Down int }
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Schema != CheckSchema || doc.State != "critical" || doc.Exit != 2 || !strings.Contains(doc.Line, "decode KV-bound") || doc.Targets.Down != 1 {
		t.Errorf("%s", b.String())
	}
	v := doc.Verdicts[0]
	if v.Code != "kv-capacity" || v.Culprit.Worker != "7f3a19c2" || v.After.BeforeS != 20 || *v.Evidence[0].Value != 0.97 || v.Evidence[0].Expr == "" || v.Evidence[1].Value != nil {
		t.Errorf("%+v", v)
	}
	if c := doc.Consequences[0]; c.ExplainedBy != "kv-capacity" || !c.Open || len(doc.NotJudged) != 2 || doc.Past[0].Until.IsZero() {
		t.Errorf("%+v", doc)
	}
}

func TestCodes(t *testing.T) {
	c := sick()
	codes := Codes{Scenario: "kv-pressure", Start: checkedAt.Add(-10 * time.Minute), At: 10 * time.Minute, Judgement: c.Judgement, Name: func(c verdict.Culprit) string { return c.Name }}
	var b bytes.Buffer
	if err := CodesJSON(&b, codes); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
	for _, want := range []string{`"at_s":600`, `"code":"kv-capacity"`, `"culprit":"7f3a"`, `"since_s":450`, `"explained_by":"kv-capacity"`, `"exit":2`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
	b.Reset()
	if err := CodesText(&b, codes); err != nil {
		t.Fatal(err)
	}
	if want := "10m0s  critical  kv-capacity 7f3a since 7m30s; queue-bound-decode decode since 7m30s (explained by kv-capacity)\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func TestExit(t *testing.T) {
	for s, want := range map[verdict.State]int{verdict.Healthy: 0, verdict.Learning: 0, verdict.Warned: 1, verdict.Critic: 2, verdict.Unknown: 3, "": 3} {
		if got := Exit(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}
