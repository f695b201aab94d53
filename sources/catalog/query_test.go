package catalog

import (
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

// TestEveryQueryParses builds every key in every form that fits it, grouped
// and scoped in every way that matters to the templates.
func TestEveryQueryParses(t *testing.T) {
	c := Default()
	scopes := []Scope{
		{},
		{Match: map[string]string{"model": `Qwen/"3"\32B`, "namespace": "dynamo"}, Instances: []string{"a:1", "b.c:2"}},
		{Match: map[string]string{"host": "node-1"}, Instances: []string{}},
	}
	for _, m := range c.Metrics() {
		if len(m.Forms()) == 0 {
			t.Errorf("%s has no form", m.Key)
		}
		for _, f := range m.Forms() {
			for _, by := range []string{"", "instance", "model", "instance,dp_rank", "namespace,component,endpoint", "worker_id,worker_hex,dp_rank", "host,gpu,uuid", "stage,phase", "tp_rank"} {
				for _, s := range scopes {
					q, err := c.Query(sources.Need{Key: m.Key, Form: f, By: by}, 37*time.Second, s)
					if err != nil {
						t.Fatalf("%s as %s by %q: %v", m.Key, f, by, err)
					}
					if _, err := promQL.ParseExpr(q.Expr); err != nil {
						t.Errorf("%s as %s by %q: %v\n%s", m.Key, f, by, err, q.Expr)
					}
					if len(q.Names) == 0 || len(q.Families) == 0 {
						t.Errorf("%s as %s asks for no family", m.Key, f)
					}
				}
			}
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	for _, c := range []struct {
		need   sources.Need
		window time.Duration
		scope  Scope
		want   string
	}{
		{sources.Need{Key: "frontend.nothing", Form: sources.FormRate}, time.Minute, Scope{}, `no key "frontend.nothing"`},
		{sources.Need{Key: "frontend.ttft", Form: sources.FormNow}, time.Minute, Scope{}, `no form "now"`},
		{sources.Need{Key: "frontend.active", Form: sources.FormRate}, time.Minute, Scope{}, `no form "rate"`},
		{sources.Need{Key: "engine.hit_ratio", Form: sources.FormNow}, time.Minute, Scope{}, `no form "now"`},
		{sources.Need{Key: "pd.transfer_speed", Form: sources.FormBuckets}, time.Minute, Scope{}, `no form "buckets"`},
		{sources.Need{Key: "frontend.active", Form: sources.FormNow, By: "modle"}, time.Minute, Scope{}, `"modle"`},
		{sources.Need{Key: "frontend.active", Form: sources.FormNow, By: "le"}, time.Minute, Scope{}, `"le"`},
		{sources.Need{Key: "frontend.active", Form: sources.FormNow}, time.Minute, Scope{Match: map[string]string{"modle": "x"}}, `"modle"`},
		{sources.Need{Key: "requests.done", Form: sources.FormRate}, 0, Scope{}, "no window"},
	} {
		if _, err := Default().Query(c.need, c.window, c.scope); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want an error with %s", c.need, err, c.want)
		}
	}
}
