package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"dynascope/cmd/dynascope/config"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
	"dynascope/sources/prom"
	"dynascope/tui/cells"
	"dynascope/tui/pane/panetest"
	"dynascope/tui/panes/user"
)

// own is a pane over families that the catalogue does not know.
func own() []config.Pane {
	w := func(title, kind, expr string) config.Widget {
		return config.Widget{Title: title, Kind: kind, Expr: expr, Unit: "tokens"}
	}
	return []config.Pane{{Title: "Mine", Short: "Mi", Rows: [][]config.Widget{
		{w("Rate", "line", "sum by (pod) (rate(my_tokens_total[$window]))"), w("Now", "table", "topk(2, my_depth)")},
		{w("Spark", "sparkline", "my_depth"), w("Waits", "heatmap", "sum by (le) (increase(my_wait_seconds_bucket[$window]))")},
	}}}
}

// pushed is a store with two minutes of pages, and its newest moment.
func pushed(t *testing.T, cat *catalog.Catalog) (*embedded.Store, time.Time) {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Options{KeepNames: cat.Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	p, err := store.Push(embedded.TargetSpec{URL: "http://pod:9090/metrics", Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for i := range 120 {
		at = at.Add(time.Second)
		body := fmt.Sprintf(`# TYPE my_tokens_total counter
my_tokens_total{pod="a"} %d
my_tokens_total{pod="b"} %d
# TYPE my_depth gauge
my_depth{pod="a"} 3
my_depth{pod="b"} 7
# TYPE my_wait_seconds histogram
my_wait_seconds_bucket{le="1"} %d
my_wait_seconds_bucket{le="+Inf"} %d
my_wait_seconds_sum 1
my_wait_seconds_count %d
# TYPE not_named gauge
not_named 1
`, i*10, i*20, i*2, i*3, i*3)
		if err := p.Page(at, []byte(body), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	return store, at
}

// asServer answers Prometheus' API from a store.
func asServer(t *testing.T, store *embedded.Store) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		number := func(name string) float64 { v, _ := strconv.ParseFloat(r.Form.Get(name), 64); return v }
		when := func(name string) time.Time { return time.UnixMilli(int64(number(name) * 1000)) }
		var series []sources.Series
		var err error
		kind := "vector"
		switch {
		case strings.HasSuffix(r.URL.Path, "/query_range"):
			kind = "matrix"
			step, derr := time.ParseDuration(r.Form.Get("step"))
			if derr != nil {
				step = time.Duration(number("step") * float64(time.Second))
			}
			series, err = store.Range(r.Context(), r.Form.Get("query"), sources.Span{From: when("start"), To: when("end"), Step: step})
		case strings.HasSuffix(r.URL.Path, "/query"):
			series, err = store.Instant(r.Context(), r.Form.Get("query"), when("time"))
		default:
			http.NotFound(w, r)
			return
		}
		if err != nil {
			http.Error(w, `{"status":"error","errorType":"bad_data","error":"no"}`, http.StatusBadRequest)
			return
		}
		result := []any{}
		for _, s := range series {
			var values [][2]any
			for _, p := range s.Points {
				values = append(values, [2]any{float64(p.T) / 1000, strconv.FormatFloat(p.V, 'g', -1, 64)})
			}
			if kind == "vector" {
				result = append(result, map[string]any{"metric": s.Labels, "value": values[0]})
			} else {
				result = append(result, map[string]any{"metric": s.Labels, "values": values})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": kind, "result": result}})
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestUserPanesOnBothStores: one configuration, the same figures from the
// embedded engine and from a remote server.
func TestUserPanesOnBothStores(t *testing.T) {
	exprs, specs := userExprs(own())
	cat, err := catalog.Default().WithUser(exprs...)
	if err != nil {
		t.Fatal(err)
	}
	local, at := pushed(t, cat)
	remote, err := prom.Open(t.Context(), prom.Options{URL: asServer(t, local), KeepNames: cat.Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = remote.Close() })

	for name, store := range map[string]sources.Store{"embedded": local, "remote": remote} {
		t.Run(name, func(t *testing.T) {
			p := user.New(specs[0])
			f := panetest.Frame(120, 30)
			f.Window = time.Minute
			asking := feed.New(store, cat)
			for range 2 { // needs follow the span that the store fills
				f.Snap = asking.Tick(t.Context(), feed.Ask{Needs: p.Needs(f), Window: f.Window, At: at})
			}
			for _, n := range p.Needs(f) {
				fig := f.Snap.Figure(n)
				if fig.Status != sources.StatusOK || len(fig.Series) != 2 {
					t.Errorf("%s over %s: %s, %d series, %s", n.Key, n.Span, fig.Status, len(fig.Series), fig.Err)
				}
			}
			v, ok := f.Snap.Figure(sources.Need{Key: "user.mine.rate", Form: sources.FormExpr}).Where(sources.Labels{"pod": "b"})
			if !ok || v < 19.9 || v > 20.1 {
				t.Errorf("rate of b is %g, want 20", v)
			}
			view := cells.Strip(p.View(f))
			for _, want := range []string{"Rate", "7 tok", "━ a  ━ b"} {
				if !strings.Contains(view, want) {
					t.Errorf("no %q in\n%s", want, strings.Join(cells.Lines(p.View(f)), "\n"))
				}
			}
			if p.Explain(f); !strings.Contains(f.Snap.Figure(p.Needs(f)[0]).Expr, "rate(my_tokens_total[1m])") {
				t.Errorf("run as %s", f.Snap.Figure(p.Needs(f)[0]).Expr)
			}
		})
	}
	if s, err := local.Instant(t.Context(), "not_named", at); err != nil || len(s) > 0 {
		t.Errorf("a family that nobody names is kept: %v, %v", s, err)
	}
}
