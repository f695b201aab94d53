package rules

import (
	"math"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

func TestEventLoop(t *testing.T) {
	canary := func(late, turns float64) map[sources.Need][]series {
		return map[sources.Need][]series{loopMean: {of(fe, from(time.Minute, 0.0011, late))}, loopTurns: {of(fe, steady(turns))}}
	}
	// Idle for the first minutes, so that there is a baseline.
	idle := func(f map[sources.Need][]series, base float64) map[sources.Need][]series {
		late := f[loopMean][0].at
		f[loopMean] = []series{of(fe, func(i int) float64 {
			if i < 40 {
				return base
			}
			return late(i)
		})}
		f[loopActive] = []series{of(fe, func(i int) float64 {
			if i < 40 {
				return 0
			}
			return 30
		})}
		return f
	}
	runtime := func(busy, local float64) map[sources.Need][]series {
		return map[sources.Need][]series{
			runBusy: {
				of(sources.Labels{"instance": "f:8000", "worker": "0"}, steady(busy)),
				of(sources.Labels{"instance": "f:8000", "worker": "1"}, steady(busy)),
			},
			runLocal: {of(fe, steady(local))}, runGlobal: {of(fe, steady(1))},
		}
	}
	for name, c := range map[string]struct {
		laid
		want, says string
	}{
		"late":                   {laid{figures: canary(0.02, 1000)}, "warning f:8000", "late by 20 ms"},
		"later than a token may": {laid{figures: canary(0.05, 1000), sla: verdict.SLA{ITL: 40 * time.Millisecond}}, "critical f:8000", ""},
		"hardly late":            {laid{figures: canary(0.003, 1000)}, "", ""},
		"few turns":              {laid{figures: canary(0.02, 10)}, "", ""},
		"with a baseline":        {laid{figures: idle(canary(0.02, 1000), 0.0011)}, "warning f:8000", ""},
		"as late while idle":     {laid{figures: idle(canary(0.008, 1000), 0.006)}, "", ""},
		"no canary, long queues": {laid{figures: runtime(0.98, 20)}, "warning f:8000", "21 tasks are runnable on 2 threads"},
		"no canary, short ones":  {laid{figures: runtime(0.98, 3)}, "", ""},
		"no canary, not busy":    {laid{figures: runtime(0.5, 20)}, "", ""},
	} {
		j := c.judge(t, eventLoop())
		if got := is(j); got != c.want || c.says != "" && !strings.Contains(j.Verdicts[0].Sentence, c.says) {
			t.Errorf("%s: %q, want %q; %+v", name, got, c.want, j.Verdicts)
		}
	}
}

func TestWorkerPool(t *testing.T) {
	w := sources.Labels{"instance": "w:9090"}
	table := func(wait, waits, active, queue, refused float64) map[sources.Need][]series {
		return map[sources.Need][]series{
			permitMean: {of(w, steady(wait))}, permitWaits: {of(w, steady(waits))}, poolAsked: {of(w, steady(100))},
			poolActive: {of(w, steady(active))}, poolLimit: {of(w, steady(16))}, poolQueue: {of(w, steady(queue))}, poolRefused: {of(w, steady(refused))},
			ownRunning: {of(w, steady(16))}, ownWaiting: {of(w, steady(0))},
		}
	}
	nan := math.NaN()
	for name, c := range map[string]struct {
		figures map[sources.Need][]series
		sla     time.Duration
		want    string
		says    string
	}{
		"all slots at work":      {table(0.2, 50, 16, 0, nan), 0, "warning w:9090", "all 16 are at work"},
		"slots are stuck":        {table(0.2, 50, 9, 4, nan), 0, "warning w:9090", "9 of 16 are counted as at work"},
		"full and nobody waits":  {table(nan, nan, 16, 0, nan), 0, "", ""},
		"few waited":             {table(0.2, 3, 16, 2, nan), 0, "", ""},
		"hardly a wait":          {table(0.001, 50, 16, 2, nan), 0, "", ""},
		"refuses":                {table(0.2, 50, 16, 4, 2), 0, "critical w:9090", ""},
		"the wait alone is long": {table(2, 50, 16, 4, nan), time.Second, "critical w:9090", ""},
	} {
		j := laid{figures: c.figures, sla: verdict.SLA{TTFT: c.sla}}.judge(t, workerPool())
		if got := is(j); got != c.want || c.says != "" && !strings.Contains(j.Verdicts[0].Sentence, c.says) {
			t.Errorf("%s: %q, want %q; %+v", name, got, c.want, j.Verdicts)
		}
	}
	// The wait rises, and disjoint windows say so.
	f := table(0, 50, 16, 4, nan)
	f[permitMean] = []series{of(w, func(i int) float64 { return 0.01 + 0.001*float64(i) })}
	v := laid{figures: f}.judge(t, workerPool()).Verdicts[0]
	found := false
	for _, e := range v.Evidence {
		found = found || strings.Contains(e.Text, "Mann–Kendall p < 0.01")
	}
	if !found {
		t.Errorf("%+v", v.Evidence)
	}
}
