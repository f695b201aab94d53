package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

func TestCheckExpr(t *testing.T) {
	for _, ok := range []string{
		"up", "vector(1)", "1 + 1", "sum by (le) (increase(my_seconds_bucket[$window]))",
		`topk(5, rate(my_total{job="a"}[5m]))`, `{__name__="my.dotted"}`,
	} {
		if err := CheckExpr(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for expr, want := range map[string]string{
		"":                       "no PromQL",
		"rate(":                  "no PromQL at character 6",
		"rate(x[$window":         "no PromQL",
		"my_total[5m]":           "range vector cannot be drawn",
		`"text"`:                 "string cannot be drawn",
		`{job="a"}`:              "names no family",
		`{__name__=~"my_.+"} +1`: "names no family",
	} {
		if err := CheckExpr(expr); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "hint:") {
			t.Errorf("%q: %v, want %q and a hint", expr, err, want)
		}
	}
}

func TestWithUser(t *testing.T) {
	c, err := Default().WithUser(
		UserExpr{Key: "user.mine.ratio", Title: "Ratio", Unit: "ratio", Expr: "rate(my_hits_total[$window]) / rate(my_asks_total[$window])"},
		UserExpr{Key: "user.mine.plain", Title: "Plain", Expr: "my_gauge"},
	)
	if err != nil {
		t.Fatal(err)
	}
	q, err := c.Query(sources.Need{Key: "user.mine.ratio", Form: sources.FormExpr}, time.Minute, Scope{})
	if err != nil || q.Expr != "rate(my_hits_total[1m]) / rate(my_asks_total[1m])" || q.AllModels {
		t.Errorf("%+v, %v", q, err)
	}
	if want := []string{"my_asks_total", "my_hits_total"}; !slices.Equal(q.Names, want) || !slices.Equal(q.Families, want) {
		t.Errorf("names %v, families %v", q.Names, q.Families)
	}
	for _, name := range []string{"my_hits_total", "my_asks_total", "my_gauge"} {
		if !slices.Contains(c.Keep(), name) {
			t.Errorf("%s is not kept", name)
		}
		if slices.Contains(Default().Keep(), name) {
			t.Errorf("%s leaked into the built-in catalogue", name)
		}
	}
	// As written, whatever is picked; and marked.
	q, err = c.Query(sources.Need{Key: "user.mine.plain", Form: sources.FormExpr}, 0, Scope{Instances: []string{"a:1"}})
	if err != nil || q.Expr != "my_gauge" || !q.AllModels {
		t.Errorf("scoped: %+v, %v", q, err)
	}
	if _, err := c.Query(sources.Need{Key: "user.mine.ratio", Form: sources.FormExpr}, 0, Scope{}); err == nil {
		t.Error("a look-back without a window was taken")
	}
	for _, bad := range [][]UserExpr{
		{{Key: "mine.plain", Expr: "up"}}, {{Key: "user.Mine", Expr: "up"}}, {{Key: "user.a.b", Expr: "("}},
		{{Key: "user.a.b", Expr: "up"}, {Key: "user.a.b", Expr: "up"}},
	} {
		if _, err := Default().WithUser(bad...); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
