package rules

import (
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

var (
	fe      = sources.Labels{"instance": "f:8000"}
	stageOf = func(key string) stage {
		for _, s := range stages {
			if s.key == key {
				return s
			}
		}
		panic(key)
	}
)

func TestRouterStage(t *testing.T) {
	find, pre, sched := stageOf("router.overhead.find_matches"), stageOf("stage.preprocess"), stageOf(scheduling)
	isl := meanOver("frontend.isl", brief, "instance")
	table := func(s stage, mean, count func(int) float64) map[sources.Need][]series {
		return map[sources.Need][]series{
			s.mean(): {of(fe, mean)}, s.count(): {of(fe, count)}, ttftOfPage: {of(fe, steady(0.2))}, isl: {of(fe, steady(1000))},
		}
	}
	with := func(f map[sources.Need][]series, n sources.Need, s series) map[sources.Need][]series {
		f[n] = []series{s}
		return f
	}
	much := 2 * time.Minute
	for name, c := range map[string]struct {
		laid
		want string
	}{
		"slow against its past":      {laid{figures: table(find, from(much, 1e-5, 0.03), steady(60))}, "warning find matches at f:8000"},
		"one odd request":            {laid{figures: table(find, from(brief, 1e-5, 0.03), steady(60))}, ""},
		"few requests":               {laid{figures: table(find, from(much, 1e-5, 0.03), steady(5))}, ""},
		"too little to be felt":      {laid{figures: table(find, from(much, 1e-5, 0.003), steady(60))}, ""},
		"little of the whole":        {laid{figures: with(table(find, from(much, 1e-5, 0.03), steady(60)), ttftOfPage, of(fe, steady(2)))}, ""},
		"always, and much":           {laid{figures: table(find, steady(0.08), steady(60))}, "warning find matches at f:8000"},
		"preprocess is never little": {laid{figures: table(pre, steady(0.08), steady(60))}, ""},
		"longer prompts":             {laid{figures: with(table(pre, from(much, 0.003, 0.04), steady(60)), isl, of(fe, from(much, 1000, 12000)))}, ""},
		"not so much longer":         {laid{figures: with(table(pre, from(much, 0.003, 0.04), steady(60)), isl, of(fe, from(much, 1000, 2000)))}, "warning preprocess at f:8000"},
		"lengths unknown":            {laid{figures: with(table(pre, from(much, 0.003, 0.04), steady(60)), isl, of(sources.Labels{"instance": "g"}, steady(1)))}, ""},
		"the wait in the queue":      {laid{figures: with(table(sched, from(much, 1e-4, 0.1), steady(60)), pendingQueue, of(fe, steady(3)))}, ""},
		"scheduling, nothing waits":  {laid{figures: with(table(sched, from(much, 1e-4, 0.1), steady(60)), pendingQueue, of(fe, steady(0)))}, "warning scheduling at f:8000"},
		"breaks the promise": {laid{figures: with(table(find, from(much, 1e-5, 0.3), steady(60)), ttftOfPage, of(fe, from(much, 0.2, 0.5))),
			sla: verdict.SLA{TTFT: 300 * time.Millisecond}}, "critical find matches at f:8000"},
	} {
		if got := is(c.judge(t, routerStage())); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	j := laid{figures: table(sched, from(much, 1e-4, 0.1), steady(60))}.judge(t, routerStage())
	if v := j.Verdicts[0]; len(v.Missing) != 1 || !strings.Contains(v.Sentence, "100 ms per request, usually 100 µs: 50 % of the mean TTFT") {
		t.Errorf("%q, missing %q", v.Sentence, v.Missing)
	}
}

func TestRouterQueue(t *testing.T) {
	table := func(pending, sched, matches, count, engines float64) map[sources.Need][]series {
		return map[sources.Need][]series{
			pendingQueue: {of(fe, steady(pending))}, schedulingMean: {of(fe, steady(sched))}, schedulingCount: {of(fe, steady(count))},
			matchesMean: {of(fe, steady(matches))}, ttftOfPage: {of(fe, steady(0.4))}, engineWaiting: {of(nil, steady(engines))},
		}
	}
	for name, c := range map[string]struct {
		laid
		want, says string
	}{
		"waits":                    {laid{figures: table(3, 0.2, 1e-5, 60, 0)}, "warning f:8000", "engines' own queues are empty"},
		"so do the engines":        {laid{figures: table(3, 0.2, 1e-5, 60, 9)}, "warning f:8000", "of the mean TTFT"},
		"nobody waits":             {laid{figures: table(0.2, 0.2, 1e-5, 60, 0)}, "", ""},
		"the search is as slow":    {laid{figures: table(3, 0.2, 0.1, 60, 0)}, "", ""},
		"hardly felt":              {laid{figures: table(3, 0.03, 1e-5, 60, 0)}, "", ""},
		"few requests":             {laid{figures: table(3, 0.2, 1e-5, 4, 0)}, "", ""},
		"the promise breaks by it": {laid{figures: table(3, 0.2, 1e-5, 60, 0), sla: verdict.SLA{TTFT: 300 * time.Millisecond}}, "critical f:8000", ""},
	} {
		j := c.judge(t, routerQueue())
		if got := is(j); got != c.want || c.says != "" && !strings.Contains(j.Verdicts[0].Sentence, c.says) {
			t.Errorf("%s: %q, want %q; %+v", name, got, c.want, j.Verdicts)
		}
	}
}
