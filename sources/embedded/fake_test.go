package embedded

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"dynascope/sources"
)

// fake is an exporter over real HTTP whose page can be changed.
type fake struct {
	*httptest.Server
	mu          sync.Mutex
	body        string
	status      int
	contentType string
	handler     http.HandlerFunc // instead of all of these
	hang        chan struct{}    // requests wait for it to close
	hits        int
	last        http.Header
}

func newFake(t *testing.T, body string) *fake {
	f := &fake{body: body, status: 200, contentType: "text/plain; version=0.0.4"}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Server.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.hits++
	f.last = r.Header.Clone()
	body, status, ct, h, hang := f.body, f.status, f.contentType, f.handler, f.hang
	f.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			return
		}
	}
	if h != nil {
		h(w, r)
		return
	}
	if ct != "" {
		w.Header().Set("Content-Type", ct)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (f *fake) set(change func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) page(body string) { f.set(func(f *fake) { f.body = body }) }

func (f *fake) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hits
}

func (f *fake) addr() string { return strings.TrimPrefix(f.URL, "http://") }

func open(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.steady = true
	s.mu.Unlock()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

const fast = 50 * time.Millisecond

// add scrapes at the fast interval with a timeout that a busy machine keeps.
func add(t *testing.T, s *Store, url string) string {
	t.Helper()
	instance, err := s.Add(t.Context(), TargetSpec{URL: url, Interval: fast})
	if err != nil {
		t.Fatal(err)
	}
	return instance
}

// eventually polls; how long it takes decides nothing.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// hole says whether a series is missing though its target is not down: a scrape
// that failed because the machine is busy is no hole.
func hole(t *testing.T, s *Store, series string) bool {
	t.Helper()
	return !absent(t, s, "absent("+series+") unless on() (up == 0)")()
}

// value1 is the newest value of an expression that gives one series.
func value1(t *testing.T, s *Store, expr string) (float64, bool) {
	t.Helper()
	out, err := s.Instant(context.Background(), expr, time.Now())
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	if len(out) == 0 {
		return 0, false
	}
	if len(out) > 1 {
		t.Fatalf("%s: %d series", expr, len(out))
	}
	p, _ := out[0].Last()
	return p.V, true
}

func isValue(t *testing.T, s *Store, expr string, want float64) func() bool {
	return func() bool {
		v, ok := value1(t, s, expr)
		return ok && v == want
	}
}

func absent(t *testing.T, s *Store, expr string) func() bool {
	return func() bool {
		_, ok := value1(t, s, expr)
		return !ok
	}
}

// scrapes waits until the answers of n more requests are stored, as far as one
// loop asks: the request after the last of them came.
func scrapes(t *testing.T, f *fake, n int) {
	t.Helper()
	want := f.requests() + n + 1
	eventually(t, "scrapes", func() bool { return f.requests() > want })
}

func only(t *testing.T, s *Store, instance string) sources.Target {
	t.Helper()
	for _, x := range s.Targets() {
		if x.Instance == instance {
			return x
		}
	}
	t.Fatalf("no target %s", instance)
	return sources.Target{}
}
