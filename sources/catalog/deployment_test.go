package catalog

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"

	"dynascope/sources"
)

// recordedStore holds the pages of one recorded moment, scraped at 0.
func recordedStore(t *testing.T, dir string) storage.Queryable {
	t.Helper()
	store := teststorage.New(t)
	pages, err := filepath.Glob(filepath.Join(dir, "*.metrics.txt"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no page in %s (%v)", dir, err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		app := store.Appender(context.Background())
		p := textparse.NewPromParser(text, labels.NewSymbolTable(), false)
		for {
			e, err := p.Next()
			if err != nil {
				break
			}
			if e != textparse.EntrySeries {
				continue
			}
			var ls labels.Labels
			p.Labels(&ls)
			_, _, v := p.Series()
			ls = labels.NewBuilder(ls).Set("instance", strings.TrimSuffix(filepath.Base(page), ".metrics.txt")).Labels()
			if _, err := app.Append(0, ls, 0, v); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// TestRecordedDeployments asks real deployments, after a load whose size the
// client knew, what went through them.
func TestRecordedDeployments(t *testing.T) {
	root := filepath.Join("..", "testdata", "pages")
	for _, c := range []struct {
		shape   string
		workers int
		engine  string
	}{
		{"1.6.1/agg", 2, "sglang"}, {"1.6.1/disagg", 2, "sglang"}, {"1.6.1/vllm-dp2", 2, "vllm"}, {"1.6.1/agg-queue", 2, "sglang"},
		{"1.4.2/agg", 2, "sglang"}, {"1.4.2/disagg", 2, "sglang"}, {"1.4.2/vllm-dp2", 2, "vllm"},
	} {
		t.Run(c.shape, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, c.shape, "manifest.json"))
			if err != nil {
				t.Fatal(err)
			}
			var manifest struct {
				Phases map[string]struct {
					Client struct {
						OK           float64 `json:"ok"`
						Sent         float64 `json:"sent"`
						InputTokens  float64 `json:"input_tokens"`
						OutputTokens float64 `json:"output_tokens"`
					} `json:"client"`
				} `json:"phases"`
			}
			if err := json.Unmarshal(text, &manifest); err != nil {
				t.Fatal(err)
			}
			client := manifest.Phases["after"].Client
			if client.OK == 0 {
				t.Fatal("the manifest knows no load")
			}
			store := recordedStore(t, filepath.Join(root, c.shape, "after"))
			value := func(key string, f sources.Form) float64 {
				t.Helper()
				got, q := ask(t, Default(), store, time.Second, sources.Need{Key: key, Form: f}, Scope{Match: map[string]string{"model": "tiny"}})
				if len(got) != 1 {
					t.Errorf("%s: %v\n%s", key, got, q.Expr)
				}
				return got[""]
			}
			groups := func(key string, f sources.Form, by string) []string {
				t.Helper()
				got, _ := ask(t, Default(), store, time.Second, sources.Need{Key: key, Form: f, By: by}, Scope{})
				return slices.Sorted(maps.Keys(got))
			}

			for key, want := range map[string]float64{
				"requests.started": client.Sent, "requests.done": client.Sent, "requests.ok": client.OK, "requests.ok_stream": client.OK,
				"frontend.ttft": client.OK, "frontend.e2e": client.Sent, "frontend.output_tokens": client.OutputTokens,
				"router.ttft": client.OK, "router.overhead.total": client.OK,
			} {
				if strings.HasSuffix(c.shape, "disagg") && strings.HasPrefix(key, "router.") {
					continue // both pools have a router there
				}
				if got := value(key, sources.FormTotal); got != want {
					t.Errorf("%s is %v, the client says %v", key, got, want)
				}
			}
			if got := value("frontend.active", sources.FormNow); got != 0 {
				t.Errorf("%v requests are still active", got)
			}
			// The engine's own count, of all workers that decode.
			if got := value("engine.ttft", sources.FormTotal); got != client.OK {
				t.Errorf("the engines count %v first tokens, the client %v", got, client.OK)
			}

			// Identity: a page's hex id is a decimal id that the router lists.
			pages := groups("worker.identity", sources.FormNow, "worker_hex,namespace,component")
			if len(pages) != c.workers {
				t.Fatalf("worker pages %v", pages)
			}
			registered := map[string]bool{}
			for _, g := range groups("router.registered", sources.FormNow, "worker_id") {
				registered[strings.TrimPrefix(g, "worker_id=")] = true
			}
			for _, g := range pages {
				_, hex, _ := strings.Cut(g, "worker_hex=")
				dec, err := sources.DecimalID(hex)
				if err != nil || !registered[dec] || !strings.Contains(g, "component=") || !strings.Contains(g, "namespace=dynamo") {
					t.Errorf("worker page %s: decimal %s (%v) among registered %v", g, dec, err, registered)
				}
			}
			if got := groups("engine.is_"+c.engine, sources.FormNow, "instance,model,dp_rank"); len(got) == 0 || !strings.Contains(got[0], "model=tiny") {
				t.Errorf("engine.is_%s: %v", c.engine, got)
			}
			for _, other := range []string{"sglang", "vllm", "trtllm"} {
				if other != c.engine && len(groups("engine.is_"+other, sources.FormNow, "")) > 0 {
					t.Errorf("an %s engine was taken for %s", c.engine, other)
				}
			}
		})
	}
	// Before the first request a worker is known by its page.
	store := recordedStore(t, filepath.Join(root, "1.6.1", "agg", "before"))
	if got, _ := ask(t, Default(), store, time.Second, sources.Need{Key: "worker.identity", Form: sources.FormNow, By: "instance,worker_hex"}, Scope{}); len(got) != 2 {
		t.Errorf("before the first request: %v", got)
	}
}
