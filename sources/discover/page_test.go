package discover

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dynascope/sources/catalog"
)

var defaultPages = sync.OnceValue(func() *classifier { return newClassifier(catalog.Default(), builtin().families) })

func readPage(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// recorded is a page of the shared recordings.
func recorded(t testing.TB, path string) []byte {
	return readPage(t, filepath.Join("..", "testdata", "pages", path))
}

// made is a page of this package.
func made(t testing.TB, name string) []byte {
	return readPage(t, filepath.Join("testdata", "pages", name+".txt"))
}

func TestRecordedPages(t *testing.T) {
	pages, err := filepath.Glob("../testdata/pages/*/*/*/*.metrics.txt")
	if err != nil || len(pages) < 50 {
		t.Fatalf("found %d recorded pages: %v", len(pages), err)
	}
	for _, p := range pages {
		id := defaultPages().page(readPage(t, p))
		want := roleWorker
		for prefix, role := range map[string]string{"frontend": roleFrontend, "planner": "planner"} {
			if strings.HasPrefix(filepath.Base(p), prefix) {
				want = role
			}
		}
		if id.role != want {
			t.Errorf("%s: role %q, want %q", p, id.role, want)
		}
		if (id.workerID != "") != (want == roleWorker) {
			t.Errorf("%s: worker id %q", p, id.workerID)
		}
		// Engines show with the first request; prefill workers have no engine
		// families at all.
		if want == roleWorker && strings.Contains(p, "/agg/after/") && id.engine != "sglang" {
			t.Errorf("%s: engine %q", p, id.engine)
		}
	}
}

func TestPages(t *testing.T) {
	for _, c := range []struct {
		name, role, engine string
		body               []byte
	}{
		{"real sglang", roleWorker, "sglang", recorded(t, "sglang-0.5.23/collectors.metrics.txt")},
		{"sglang", roleWorker, "sglang", made(t, "sglang_old")},
		{"trtllm", roleWorker, "trtllm", made(t, "trtllm")},
		{"prometheus", rolePrometheus, "", made(t, "prometheus")},
		{"dcgm", "gpu", "", made(t, "dcgm")},
		{"gateway", "gateway", "", made(t, "gateway")},
		{"nixl", "nixl", "", made(t, "nixl")},
		{"planner, not a worker", "planner", "", made(t, "planner")},
		{"kvbm", "kvbm", "", made(t, "kvbm")},
		{"renamed frontend", "router", "", made(t, "renamed_frontend")},
		{"something else", "", "", made(t, "node")},
		{"nothing", "", "", nil},
		{"html", "", "", []byte("<!doctype html><html></html>")},
		{"json", "", "", []byte(`[{"iter": 1}]`)},
		{"broken after a while", roleFrontend, "", append(recorded(t, "1.6.1/agg/after/frontend.metrics.txt"), "\x1b[31m{{{"...)},
		{"cut", roleFrontend, "", recorded(t, "1.6.1/agg/after/frontend.metrics.txt")[:60000]},
	} {
		id := defaultPages().page(c.body)
		if id.role != c.role || id.engine != c.engine {
			t.Errorf("%s: got %q %q, want %q %q", c.name, id.role, id.engine, c.role, c.engine)
		}
	}
}

// TestPrefix: with the catalogue of a renamed frontend the page is a
// frontend's.
func TestPrefix(t *testing.T) {
	cat, err := catalog.Default().WithFrontendPrefix("acme")
	if err != nil {
		t.Fatal(err)
	}
	if id := newClassifier(cat, nil).page(made(t, "renamed_frontend")); id.role != roleFrontend {
		t.Errorf("role %q", id.role)
	}
}

func FuzzPage(f *testing.F) {
	for _, n := range []string{"prometheus", "dcgm", "planner", "sglang_old", "node"} {
		f.Add(made(f, n))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id := defaultPages().page(b)
		if strings.Trim(id.workerID, "0123456789abcdef") != "" || len(id.workerID) > 16 {
			t.Errorf("worker id %q", id.workerID)
		}
	})
}

func BenchmarkPage(b *testing.B) {
	body := recorded(b, "1.6.1/agg/after/frontend.metrics.txt")
	c := defaultPages()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		c.page(body)
	}
}
