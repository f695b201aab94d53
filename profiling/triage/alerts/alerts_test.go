package alerts

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/catalog"
)

// Every verdict's alert is PromQL over the catalogue, or says why there is
// none.
func TestEveryVerdict(t *testing.T) {
	for _, r := range rules.All() {
		if r.Alert.Expr == "" && r.Alert.Why == "" {
			t.Errorf("%s has no alert and does not say why", r.Code)
		}
		var b bytes.Buffer
		if err := Write(&b, catalog.Default(), []verdict.Rule{r}, Options{}); err != nil {
			t.Error(err)
		}
	}
}

func TestWrite(t *testing.T) {
	list := []verdict.Rule{
		{
			Code: "kv-capacity", Title: "decode KV-bound", Help: "It is full. What to do: {{ much }}",
			Alert: verdict.Alert{Expr: "{engine.kv_usage:now:instance,dp_rank} > 0.9 and on (instance) {engine.preemptions:increase:instance} > 2", For: 30 * time.Second, Why: "per worker only", Critical: true},
		},
		{Code: "sla-burn", Title: "SLA burn", Alert: verdict.Alert{Why: "it compares two windows"}},
	}
	var b bytes.Buffer
	if err := Write(&b, catalog.Default(), list, Options{Window: 2 * time.Minute, By: "test"}); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{
		"what the verdicts of dynascope say, written", "- record: dynascope:engine_kv_usage:now_by_instance_dp_rank\n", "- record: dynascope:engine_preemptions:increase_by_instance_2m\n",
		"[2m]", "- alert: DynascopeKvCapacity\n", "          dynascope:engine_kv_usage:now_by_instance_dp_rank > 0.9 and on (instance) dynascope:engine_preemptions:increase_by_instance_2m > 2\n",
		"  for: 30s\n", "severity: critical\n", "code: kv-capacity\n", "# parameter: dynascope:engine_kv_usage:now_by_instance_dp_rank > 0.9\n", "# Simpler than the verdict: per worker only.",
		"# sla-burn: it compares two windows\n", "{{ with $labels.instance }} instance {{ . }}{{ end }}", `"It is full."`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	// Every expression of the file parses.
	p := parser.NewParser(parser.Options{})
	for rest := got; ; {
		_, after, ok := strings.Cut(rest, "expr: |-\n")
		if !ok {
			break
		}
		expr, _, _ := strings.Cut(after, "\n")
		if _, err := p.ParseExpr(strings.TrimSpace(expr)); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
		rest = after
	}
	list[0].Alert.Expr = "{engine.no_such:now} > 1"
	if err := Write(&b, catalog.Default(), list, Options{}); err == nil || !strings.Contains(err.Error(), "kv-capacity") {
		t.Errorf("%v", err)
	}
}
