package rules

import (
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

func kind(k string) sources.Labels { return sources.Labels{"error_type": k} }

func both(a, b string) sources.Labels { return sources.Labels{"instance": a, "error_type": b} }

// ofType is a count of failures of one type in both windows.
func ofType(k string, n float64) map[sources.Need][]series {
	return map[sources.Need][]series{doneIn: {of(nil, steady(400))}, failedIn: {of(kind(k), steady(n))}, failedNow: {of(kind(k), steady(n/2))}}
}

func plus(parts ...map[sources.Need][]series) map[sources.Need][]series {
	out := map[sources.Need][]series{}
	for _, p := range parts {
		maps.Copy(out, p)
	}
	return out
}

func TestFailures(t *testing.T) {
	workers := func(one, other float64) map[sources.Need][]series {
		return map[sources.Need][]series{
			workerErrors: {of(both("a:9090", "generate"), steady(one)), of(both("b:9090", "generate"), steady(other)), of(both("b:9090", "publish_response"), steady(500))},
			workerAsked:  {of(sources.Labels{"instance": "a:9090"}, steady(200)), of(sources.Labels{"instance": "b:9090"}, steady(200))},
		}
	}
	burst := ofType("internal", 40)
	burst[failedNow] = []series{of(kind("internal"), from(brief, math.NaN(), 40))}
	lost := []sources.Event{{At: laidAt.Add(-time.Minute), Kind: sources.EventVanished, Subject: "a410", Worker: "a410ff", Instance: "a:9090"}}
	for name, c := range map[string]struct {
		laid
		want, says string
	}{
		"a few in a hundred":            {laid{figures: ofType("internal", 16)}, "warning ", "4 % of the requests fail: internal"},
		"many":                          {laid{figures: ofType("internal", 60)}, "critical ", ""},
		"too few to tell":               {laid{figures: ofType("internal", 4)}, "", ""},
		"one in a hundred, by chance":   {laid{figures: ofType("internal", 6)}, "", ""},
		"a burst that is over":          {laid{figures: burst}, "", ""},
		"cancelled":                     {laid{figures: ofType("cancelled", 200)}, "", ""},
		"refused for load":              {laid{figures: ofType("overload", 200)}, "", ""},
		"refused, workers' own errors":  {laid{figures: plus(ofType("overload", 60), workers(60, 0))}, "critical a:9090", "overload, counted by a:9090"},
		"refused by a limit":            {laid{figures: plus(ofType("overload", 60), workers(60, 0), map[sources.Need][]series{workerRefuse: {of(sources.Labels{"instance": "a:9090"}, steady(60))}})}, "", ""},
		"a worker's":                    {laid{figures: plus(ofType("internal", 16), workers(16, 0))}, "warning a:9090", "counted by a:9090"},
		"all workers'":                  {laid{figures: plus(ofType("internal", 16), workers(8, 8))}, "warning ", ""},
		"invalid ones":                  {laid{figures: ofType("validation", 80)}, "warning invalid requests", "20 % of the requests are refused as invalid"},
		"some invalid ones":             {laid{figures: ofType("not_found", 30)}, "", ""},
		"after a worker was lost":       {laid{figures: ofType("internal", 16), events: lost}, "warning a410", "since a410 was lost"},
		"types are not told apart here": {laid{figures: ofType("", 40)}, "critical ", "unknown type"},
	} {
		j := c.judge(t, failures())
		if got := is(j); got != c.want || c.says != "" && !strings.Contains(j.Verdicts[0].Sentence, c.says) {
			t.Errorf("%s: %q, want %q; %+v", name, got, c.want, j.Verdicts)
		}
	}
}

func TestRefusals(t *testing.T) {
	reasons := func(n float64) map[sources.Need][]series {
		return map[sources.Need][]series{
			pushedBack:   {of(sources.Labels{"reason": "request_limit"}, steady(n))},
			routerRefuse: {of(sources.Labels{"reason": "request_limit"}, steady(n))}, // the same once more
		}
	}
	admission := func(a, b float64) map[sources.Need][]series {
		return map[sources.Need][]series{workerRefuse: {of(sources.Labels{"instance": "a:9090"}, steady(a)), of(sources.Labels{"instance": "b:9090"}, steady(b))}}
	}
	for name, c := range map[string]struct {
		figures    map[sources.Need][]series
		want, says string
	}{
		"by the router":       {plus(ofType("overload", 20), reasons(20)), "warning router", "5 % of the requests are refused for load by the router's queue limit"},
		"by one worker":       {plus(ofType("overload", 20), admission(19, 1)), "warning a:9090", "by the admission limit of a:9090"},
		"by the workers":      {plus(ofType("overload", 20), admission(10, 10)), "warning workers", "by the admission limit of workers"},
		"by nobody known":     {ofType("overload", 20), "warning ", "no queue limit"},
		"a third":             {plus(ofType("overload", 130), reasons(130)), "critical router", ""},
		"too few to tell":     {plus(ofType("overload", 6), reasons(6)), "", ""},
		"workers' own errors": {plus(ofType("overload", 60), map[sources.Need][]series{workerErrors: {of(both("a:9090", "generate"), steady(60))}}), "", ""},
	} {
		j := laid{figures: c.figures}.judge(t, refusals())
		if got := is(j); got != c.want || c.says != "" && !strings.Contains(j.Verdicts[0].Sentence, c.says) {
			t.Errorf("%s: %q, want %q; %+v", name, got, c.want, j.Verdicts)
		}
	}
	v := laid{figures: plus(ofType("overload", 20), reasons(20))}.judge(t, refusals()).Verdicts[0]
	if len(v.Evidence) != 2 || v.Evidence[1].Text != "router: 20 for request_limit" {
		t.Errorf("%+v", v.Evidence)
	}
}

func TestClientSide(t *testing.T) {
	table := func(before, now, ttft float64) map[sources.Need][]series {
		return map[sources.Need][]series{
			doneIn: {of(nil, steady(400))}, cancelledIn: {of(nil, from(2*time.Minute, before, now))}, cancelledNow: {of(nil, steady(now/2))},
			ttftAll: {of(nil, from(2*time.Minute, 0.1, ttft))}, itlAll: {of(nil, steady(0.012))},
		}
	}
	failed := ofType("internal", 40)
	delete(failed, failedNow)
	timeouts := map[sources.Need][]series{timeoutIn: {of(nil, steady(2))}}
	old := map[sources.Need][]series{
		doneIn: {of(nil, steady(400))}, leftIn: {of(nil, from(2*time.Minute, 2, 160))}, ttftAll: {of(nil, steady(0.1))}, itlAll: {of(nil, steady(0.012))},
	}
	for name, c := range map[string]struct {
		laid
		want bool
	}{
		"more than usual":            {laid{figures: table(8, 80, 0.1)}, true},
		"many":                       {laid{figures: table(8, 250, 0.1)}, true},
		"as many as usual":           {laid{figures: table(70, 80, 0.1)}, false},
		"few":                        {laid{figures: table(2, 30, 0.1)}, false},
		"the server has become slow": {laid{figures: table(8, 160, 0.4)}, false},
		"the promise is broken":      {laid{figures: table(8, 160, 0.1), sla: verdict.SLA{TTFT: 50 * time.Millisecond}}, false},
		"time-outs":                  {laid{figures: plus(table(8, 160, 0.1), timeouts)}, false},
		"failures":                   {laid{figures: plus(table(8, 160, 0.1), failed)}, false},
		"only disconnects":           {laid{figures: old}, true},
	} {
		j := c.judge(t, clientSide())
		if got := is(j) != ""; got != c.want {
			t.Errorf("%s: %+v", name, j.Verdicts)
		}
	}
}
