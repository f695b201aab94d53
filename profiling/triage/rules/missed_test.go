package rules

import (
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

// promised are a minute's requests by where they lie against edges of 0.47 and
// 1 s.
func promised(in, between, over float64) laid {
	l := laid{sla: verdict.SLA{TTFT: 500 * time.Millisecond}, figures: map[sources.Need][]series{}}
	total := 0.0
	for _, b := range []struct {
		le string
		n  float64
	}{{"0.47", in}, {"1.0", between}, {"+Inf", over}} {
		total += b.n
		l.figures[missedTTFT.need] = append(l.figures[missedTTFT.need], of(sources.Labels{"le": b.le}, steady(total)))
	}
	return l
}

func TestPromiseMissed(t *testing.T) {
	for name, c := range map[string]struct {
		table laid
		want  string
	}{
		"kept":                        {promised(990, 0, 10), ""},
		"one in fifty":                {promised(980, 0, 20), ""},
		"a fifth":                     {promised(800, 0, 200), "warning"},
		"nearly all":                  {promised(50, 0, 950), "critical"},
		"nobody can tell":             {promised(500, 490, 10), ""}, // between 0.47 and 1 s may be 0.5
		"few requests":                {promised(5, 0, 10), ""},
		"few, and not surely a tenth": {promised(26, 0, 4), ""},
	} {
		got := ""
		for _, v := range c.table.judge(t, promiseMissed(nil)).Verdicts {
			got = v.Severity.String()
			if !strings.Contains(v.Sentence, "500 ms") || len(v.Evidence) != 1 || len(v.Advice) == 0 {
				t.Errorf("%s says %q by %v", name, v.Sentence, v.Evidence)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	// Without a promise nothing is missed.
	none := promised(50, 0, 950)
	none.sla = verdict.SLA{}
	if j := none.judge(t, promiseMissed(nil)); len(j.Verdicts) != 0 {
		t.Errorf("%+v", j.Verdicts)
	}
}

// Whatever names a cause explains it.
func TestEveryCauseExplainsAMissedPromise(t *testing.T) {
	all := All()
	last := all[len(all)-1]
	if last.Code != "sla-missed" || len(last.Silenced) != len(all)-2 {
		t.Errorf("%s is silenced by %d of %d", last.Code, len(last.Silenced), len(all)-1)
	}
}
