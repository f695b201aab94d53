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
	"dynascope/tui/pane/panetest"
)

// judgement is one of everything, with outside text that must not get through.
func judgement() *verdict.Judgement {
	since := panetest.Now().Add(-time.Minute)
	v := verdict.Verdict{
		Code: "kv-capacity", Title: "decode KV-bound", Severity: verdict.Warning, Sentence: "the pool is full\x1b[2J\nof 7f3a",
		Culprit: verdict.Culprit{Kind: "worker", Name: "7f3a\x07", Instance: "h:8081", Worker: "7f3a22"},
		Evidence: []verdict.Evidence{
			{Text: "KV 97 %", Need: sources.Need{Key: "engine.kv_usage", Form: sources.FormNow}, Value: 0.97, Threshold: 0.9, Unit: "ratio", Expr: "max(kv)"},
			{Text: "no number", Value: math.NaN(), Threshold: math.NaN()},
		},
		Since: since, After: &sources.Event{At: since.Add(-20 * time.Second), Kind: sources.EventRestarted, Subject: "91c2"},
		Advice: []string{"raise --mem-fraction-static"}, Missing: []string{"retractions"}, Key: "6",
	}
	silent, past := v, v
	silent.Code, silent.SilencedBy = "queue-bound-decode", v.Code
	past.Code, past.Until = "worker-hung", since
	return &verdict.Judgement{
		At: panetest.Now(), State: verdict.Warned, Have: 12 * time.Second, Want: time.Minute, Verdicts: []verdict.Verdict{v}, Silenced: []verdict.Verdict{silent},
		Past: []verdict.Verdict{past}, Blind: []verdict.Blind{{Code: "kv-transfer-bound", Title: "KV transfer", Note: "start with \x1b[1m--disaggregation"}},
	}
}

func TestTheReportCarriesTheJudgement(t *testing.T) {
	f := frame(110, 32)
	f.Snap, f.Judgement = panetest.Fill(f, Needs(), panetest.Full), judgement()
	var out bytes.Buffer
	if err := Text(&out, f, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"▲ WARNING decode KV-bound · worker 7f3a   KV 97 % · no number", ", 20 s after 91c2 restarted", "press 6", "do: raise --mem-fraction-static",
		"missing: retractions", "so also: warning: decode KV-bound",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, strings.Join(strings.SplitN(out.String(), "\n", 10)[:9], "\n"))
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\x07") {
		t.Error("control characters")
	}
	out.Reset()
	if err := JSON(&out, f); err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	j := doc.Judged
	if j == nil || j.State != "warning" || len(j.Verdicts) != 1 || len(j.Silenced) != 1 || len(j.Past) != 1 || len(j.Blind) != 1 {
		t.Fatalf("%+v", j)
	}
	if v := j.Verdicts[0]; v.Code != "kv-capacity" || v.Evidence[0].Value != 0.97 || v.Evidence[0].Expr != "max(kv)" || v.Culprit.Worker != "7f3a22" || v.After == nil {
		t.Errorf("%+v", v)
	}
	f.Judgement = nil
	out.Reset()
	if err := JSON(&out, f); err != nil || !strings.Contains(out.String(), `"judgement": null`) {
		t.Errorf("without a judgement: %v", err)
	}
}
