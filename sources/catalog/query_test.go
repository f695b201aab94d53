package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/prometheus/promql/parser"

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

func TestQueryFields(t *testing.T) {
	c := Default()
	need := func(key string, f sources.Form) sources.Need {
		return sources.Need{Key: key, Form: f, By: " model, model,"}
	}
	model := Scope{Match: map[string]string{"model": "tiny"}}
	q, err := c.Query(need("frontend.active", sources.FormNow), 0, model)
	if err != nil {
		t.Fatal(err)
	}
	if q.Expr != `sum by (model) (dynamo_frontend_active_requests{model=~"(?i:tiny)"} or on (instance) dynamo_frontend_inflight_requests{model=~"(?i:tiny)"})` {
		t.Error(q.Expr)
	}
	if !slices.Equal(q.Families, []string{"dynamo_frontend_active_requests", "dynamo_frontend_inflight_requests"}) || !slices.Equal(q.Names, q.Families) {
		t.Errorf("families %v, names %v", q.Families, q.Names)
	}
	if q.AllModels || q.Note != "appears with the first request" {
		t.Errorf("all models %v, note %q", q.AllModels, q.Note)
	}

	// A histogram's presence is that of its count, and one family counts once.
	q, err = c.Query(need("stage.transport", sources.FormBuckets), 90*time.Second, model)
	if err != nil || !q.AllModels || !slices.Equal(q.Names, []string{"dynamo_frontend_stage_duration_seconds_count"}) || !strings.Contains(q.Expr, "[1m30s]") {
		t.Errorf("%+v, %v", q, err)
	}

	// A derived metric asks for the families of all its parts.
	q, err = c.Query(need("engine.hit_ratio", sources.FormExpr), time.Minute, Scope{})
	if err != nil || !slices.Contains(q.Names, "sglang:prefill_effective_tokens_total") || !slices.Contains(q.Names, "trtllm_kv_cache_missed_blocks_total") || q.AllModels {
		t.Errorf("%+v, %v", q, err)
	}
	if strings.Count(q.Note, "--enable-metrics") != 1 {
		t.Errorf("note %q", q.Note)
	}
}

// TestTitles: two figures of one name could not be told apart on a screen.
func TestTitles(t *testing.T) {
	seen := map[string]string{}
	for _, m := range Default().Metrics() {
		if other, twice := seen[m.Title]; twice {
			t.Errorf("%s and %s are both called %q", other, m.Key, m.Title)
		}
		seen[m.Title] = m.Key
		if !strings.HasSuffix(m.Help, ".") {
			t.Errorf("%s: the help is no sentence: %s", m.Key, m.Help)
		}
	}
}

// TestLabels pins the canonical labels: a slip of the pen in variants.csv
// would be a new one.
func TestLabels(t *testing.T) {
	want := strings.Fields(`action cache_source cache_type category class clock_event component dp_rank endpoint engine_type error_type event_type
		finished_reason forward_overlap gpu gpu_name host instance kind mig_id mig_profile migration_type mode model moe_ep_rank namespace outcome
		phase pid plugin_id policy policy_class pool pp_rank process rank_state reason request_type router_id routing_group sleep_state source
		stage state status storage_backend target_component target_endpoint target_namespace tp_rank uuid warning_kind worker worker_hex worker_id
		worker_type xid`)
	if got := Default().Labels(); !slices.Equal(got, want) {
		t.Errorf("canonical labels\n%v\nwant\n%v", got, want)
	}
}

func TestKeep(t *testing.T) {
	keep := Default().Keep()
	if !slices.IsSorted(keep) || len(slices.Compact(slices.Clone(keep))) != len(keep) {
		t.Error("not sorted, or with doubles")
	}
	for _, n := range []string{
		"dynamo_frontend_time_to_first_token_seconds_bucket", "dynamo_frontend_time_to_first_token_seconds_sum", "dynamo_frontend_time_to_first_token_seconds_count",
		"dynamo_frontend_detokenize_token_count", "vllm:iteration_tokens_total_bucket", "sglang:num_running_reqs", "DCGM_FI_DEV_FB_RESERVED",
	} {
		if !slices.Contains(keep, n) {
			t.Errorf("%s is not kept", n)
		}
	}
	if slices.Contains(keep, "dynamo_frontend_time_to_first_token_seconds") {
		t.Error("a histogram's bare name is kept")
	}
	// Whatever a question asks for is kept.
	for _, m := range Default().Metrics() {
		q, err := Default().Query(sources.Need{Key: m.Key, Form: m.Forms()[0]}, time.Minute, Scope{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range q.Names {
			if !slices.Contains(keep, n) {
				t.Errorf("%s asks for %s, which is not kept", m.Key, n)
			}
		}
	}
}

func TestWithFrontendPrefix(t *testing.T) {
	c, err := Default().WithFrontendPrefix("my-app")
	if err != nil {
		t.Fatal(err)
	}
	need := sources.Need{Key: "frontend.ttft", Form: sources.FormMean}
	q, err := c.Query(need, time.Minute, Scope{})
	if err != nil || !strings.Contains(q.Expr, "rate(my_app_time_to_first_token_seconds_sum[1m])") || q.Families[0] != "my_app_time_to_first_token_seconds" {
		t.Errorf("%+v, %v", q, err)
	}
	keep := c.Keep()
	if !slices.Contains(keep, "my_app_requests_total") || !slices.Contains(keep, "dynamo_router_overhead_total_ms_sum") || !slices.Contains(keep, "dynamo_tokio_alive_tasks") {
		t.Error("the prefix does not rename the frontend's families, or renames others")
	}
	for _, n := range keep {
		if strings.HasPrefix(n, "dynamo_frontend") {
			t.Errorf("%s kept its prefix", n)
		}
	}
	if m, _ := Default().Metric("frontend.ttft"); m.Variants[0].Name != "dynamo_frontend_time_to_first_token_seconds" {
		t.Errorf("the default catalogue was changed: %s", m.Variants[0].Name)
	}
	// Dynamo falls back to its own prefix where nothing is left of another.
	for _, p := range []string{"", "__", "---", "dynamo_frontend"} {
		if c, err := Default().WithFrontendPrefix(p); err != nil || c != Default() {
			t.Errorf("prefix %q: %v", p, err)
		}
	}
	// A prefix that makes two families one is refused.
	if _, err := Default().WithFrontendPrefix("dynamo_component"); err == nil {
		t.Error("the workers' prefix was taken for the frontend's")
	}
	clash, err := load(metricsHead+"a.x,x,requests,counter,,,help\na.y,y,requests,counter,,,help\n",
		variantsHead+"a.x,frontend,dynamo_frontend_x,,,,,\na.y,worker,app_x,,,,,\n", derivedHead)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clash.WithFrontendPrefix("app"); err == nil || !strings.Contains(err.Error(), "app_x is already a family of a.y") {
		t.Errorf("a taken name gave %v", err)
	}
}

// FuzzScope: no value of a scope breaks out of its matcher.
func FuzzScope(f *testing.F) {
	f.Add("tiny", "10.0.0.1:8000")
	f.Add(`"} or up{a="`, "a|b\n\\E")
	f.Add("\xff\x00(?i:", "")
	f.Fuzz(func(t *testing.T, value, instance string) {
		valid := utf8.ValidString(value) && utf8.ValidString(instance)
		for _, key := range []string{"frontend.active", "worker.inflight", "engine.ttft"} {
			m, _ := Default().Metric(key)
			q, err := Default().Query(sources.Need{Key: key, Form: m.Forms()[0]}, time.Minute,
				Scope{Match: map[string]string{"model": value, "namespace": value}, Instances: []string{instance, "b"}})
			if err != nil {
				t.Fatal(err)
			}
			e, err := promQL.ParseExpr(q.Expr)
			if err != nil {
				t.Fatalf("%v\n%s", err, q.Expr)
			}
			parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
				s, ok := n.(*parser.VectorSelector)
				if !ok {
					return nil
				}
				found := !valid
				for _, l := range s.LabelMatchers {
					found = found || l.Name == "instance" && l.Matches(instance) && l.Matches("b")
					if l.Name == "model" && valid && !l.Matches(value) || l.Name == "namespace" {
						t.Fatalf("matcher %s for %q", l, value)
					}
				}
				if !found || !slices.ContainsFunc(m.Variants, func(v Variant) bool { return strings.HasPrefix(s.Name, v.Name) }) {
					t.Fatalf("selector %s for %q", s, instance)
				}
				return nil
			})
		}
	})
}
