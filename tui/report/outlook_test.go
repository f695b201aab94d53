package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources/stat"
)

func TestOutlookLines(t *testing.T) {
	nan := math.NaN()
	kept := triage.Kept{Promised: 500 * time.Millisecond, Lo: 0.58, Hi: 0.71, N: 1234, Window: triage.BurnShort}
	long := kept
	long.Window = triage.BurnLong
	o := Outlook{
		Goodput: triage.Goodput{RequestsLo: 2.4, RequestsHi: 2.9},
		TTFT:    triage.Burning{Short: triage.Burn{Kept: kept, Objective: 0.95, Lo: 5.8, Hi: 8.4}, Long: triage.Burn{Kept: long, Objective: 0.95, Lo: 2, Hi: 3}},
		ITL:     triage.Burning{Short: triage.Burn{Kept: triage.Kept{Promised: 25 * time.Millisecond, Lo: nan, Hi: nan}}},
		Headroom: triage.Headroom{Rate: 4.1, Missing: []string{"KV usage"}, Ceilings: []triage.Ceiling{
			{Resource: "batch", Now: 30, Max: 64, Unit: "requests", Rate: stat.Interval{Value: 8.7, Lo: 7.9, Hi: math.Inf(1), Level: 0.95}, Method: "Theil–Sen line"},
			{Resource: "TTFT promise", Rate: stat.Interval{Value: nan}, Why: "the load did not vary"},
		}},
	}
	got := strings.Join(o.Lines(), "\n")
	for _, want := range []string{
		"TTFT  58–71 % of 1 234 requests within 500 ms in 5 m: goodput 2.4–2.9 requests/s",
		"burn  5.8–8.4 times what may miss (5 %); 2–3 times over 60 m",
		"ITL  no token gaps in 5 m",
		"room  batch: at most 8.7 requests/s (7.9–no end at 95 %), 4.1 now; 30 req of 64 req; Theil–Sen line",
		"room  TTFT promise: not known, the load did not vary",
		"room  not exported here, and would show another ceiling: KV usage",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "NaN") {
		t.Error(got)
	}
}
