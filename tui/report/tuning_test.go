package report

import (
	"strings"
	"testing"

	"dynascope/profiling/triage/advice"
	"dynascope/profiling/triage/verdict"
)

func TestTuningLines(t *testing.T) {
	worker := func(name string) verdict.Culprit { return verdict.Culprit{Kind: "worker", Name: name} }
	r := advice.Report{
		Advice: []advice.Advice{{
			Code: "page-size-small", Title: "KV pages are small", Culprit: worker("p"), Also: []verdict.Culprit{worker("d\x1b[2J")},
			Observation: "400 transfers", Flag: "--page-size 128", Now: "16 (process)", Effect: "larger pieces", Cost: "fewer hits",
			Unknown: []advice.Missing{{Setting: "--tp", Reveal: "the process"}},
		}},
		Unknown: []advice.Unknown{{Code: "tp-for-kv", Title: "TP is small", Culprit: worker("p"), Missing: advice.Missing{Setting: "--tp", Reveal: "a flag"}}},
	}
	brief, whole := strings.Join(TuningLines(r, false), "\n"), strings.Join(TuningLines(r, true), "\n")
	for _, want := range []string{
		"KV pages are small (page-size-small): worker p, worker d", "seen  400 transfers", "set  --page-size 128 (now 16 (process))", "unknown  --tp: the process",
	} {
		if !strings.Contains(brief, want) {
			t.Errorf("no %q in\n%s", want, brief)
		}
	}
	if strings.Contains(brief, "tp-for-kv") || !strings.Contains(whole, "not judged: TP is small (tp-for-kv) of worker p: --tp is not known: a flag") || strings.Contains(whole, "\x1b") {
		t.Errorf("%s", whole)
	}
}
