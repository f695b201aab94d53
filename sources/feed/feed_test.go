package feed

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

// endpoint serves recorded pages; tests turn them, hang it, or take it away.
type endpoint struct {
	*httptest.Server
	mu   sync.Mutex
	page string
	hang chan struct{}
}

func serve(t *testing.T, page string) *endpoint {
	t.Helper()
	e := &endpoint{page: page}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		page, hang := e.page, e.hang
		e.mu.Unlock()
		if hang != nil {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) turn(page string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.page = page
}

// freeze makes the endpoint accept and never answer, as a stopped process.
func (e *endpoint) freeze(t *testing.T) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hang = make(chan struct{})
	hang := e.hang
	t.Cleanup(func() { close(hang) })
}

// recorded reads a page of a real deployment.
func recorded(t *testing.T, elem ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{"..", "testdata", "pages"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

type bed struct {
	*testing.T
	store *embedded.Store
	feed  *Feed
}

func open(t *testing.T, endpoints ...*endpoint) *bed {
	t.Helper()
	cat := catalog.Default()
	store, err := embedded.Open(context.Background(), embedded.Options{KeepNames: cat.Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for _, e := range endpoints {
		if _, err := store.Add(context.Background(), embedded.TargetSpec{URL: e.URL}); err != nil {
			t.Fatal(err)
		}
	}
	return &bed{t, store, New(store, cat)}
}

// until ticks until the snapshot satisfies a condition.
func (b *bed) until(what string, ok func(*sources.Snapshot) bool, needs ...sources.Need) *sources.Snapshot {
	b.Helper()
	end := time.Now().Add(time.Minute)
	for {
		s := b.feed.Tick(context.Background(), Ask{Needs: needs, Window: time.Minute})
		if ok(s) {
			return s
		}
		if time.Now().After(end) {
			for _, f := range s.Figures() {
				b.Logf("%v: %v %v %s", f.Need, f.Status, f.Series, f.Err)
			}
			b.Fatalf("never saw %s; targets %+v workers %+v", what, s.Targets, s.Workers)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func agg(t *testing.T, release, phase string) (frontend, w0, w1 *endpoint) {
	t.Helper()
	return serve(t, recorded(t, release, "agg", phase, "frontend.metrics.txt")),
		serve(t, recorded(t, release, "agg", phase, "worker0.metrics.txt")),
		serve(t, recorded(t, release, "agg", phase, "worker1.metrics.txt"))
}

func allUp(n int) func(*sources.Snapshot) bool {
	return func(s *sources.Snapshot) bool {
		up := 0
		for _, w := range s.Workers {
			if w.State == sources.WorkerUp {
				up++
			}
		}
		return up == n
	}
}

func TestWorkersOfRealPagesJoin(t *testing.T) {
	for _, release := range []string{"1.6.1", "1.4.2"} {
		for _, phase := range []string{"before", "during", "after"} {
			f, w0, w1 := agg(t, release, phase)
			b := open(t, f, w0, w1)
			s := b.until("two workers and a frontend", func(s *sources.Snapshot) bool {
				for _, g := range s.Targets {
					if g.Role == "" {
						return false
					}
				}
				return allUp(2)(s)
			})
			if len(s.Workers) != 2 || !reflect.DeepEqual(s.Models, []string{"tiny"}) {
				t.Errorf("%s %s: %d workers, models %v", release, phase, len(s.Workers), s.Models)
			}
			for _, w := range s.Workers {
				if dec, _ := sources.DecimalID(w.ID); dec != w.Decimal || w.Role != "aggregated" || w.Instance == "" {
					t.Errorf("%s %s: %+v", release, phase, w)
				}
				if phase != "before" && w.Engine != "sglang" {
					t.Errorf("%s %s: engine %q", release, phase, w.Engine)
				}
			}
			roles := map[string]int{}
			for _, g := range s.Targets {
				roles[g.Role]++
			}
			if roles["frontend"] != 1 || roles["worker"] != 2 {
				t.Errorf("%s %s: roles %v", release, phase, roles)
			}
		}
	}
}

func TestTwoDPRanksAreOneWorker(t *testing.T) {
	b := open(t, serve(t, recorded(t, "1.6.1", "vllm-dp2", "during", "frontend.metrics.txt")),
		serve(t, recorded(t, "1.6.1", "vllm-dp2", "during", "worker0.metrics.txt")),
		serve(t, recorded(t, "1.6.1", "vllm-dp2", "during", "worker1.metrics.txt")))
	s := b.until("two workers", allUp(2))
	ranks := map[string]bool{}
	for _, w := range s.Workers {
		ranks[strings.Join(w.Ranks, ",")] = true
		if w.Engine != "vllm" {
			t.Errorf("%+v", w)
		}
	}
	if !ranks["0,1"] || !ranks["0"] {
		t.Errorf("ranks %v, want 0,1 and 0", ranks)
	}
}

func TestDisaggregatedRoles(t *testing.T) {
	b := open(t, serve(t, recorded(t, "1.6.1", "disagg", "after", "frontend.metrics.txt")),
		serve(t, recorded(t, "1.6.1", "disagg", "after", "worker0.metrics.txt")),
		serve(t, recorded(t, "1.6.1", "disagg", "after", "worker1.metrics.txt")))
	s := b.until("two workers", allUp(2))
	if s.Workers[0].Role != "decode" || s.Workers[1].Role != "prefill" {
		t.Errorf("roles %s, %s", s.Workers[0].Role, s.Workers[1].Role)
	}
}

// A family that first appears with its first burst of traffic counts in full.
func TestTheFirstBurstCounts(t *testing.T) {
	f, w0, w1 := agg(t, "1.6.1", "before")
	b := open(t, f, w0, w1)
	b.until("two workers", allUp(2))
	ttft := sources.Need{Key: "frontend.ttft", Form: sources.FormBuckets}
	s := b.until("absence before the first request", func(s *sources.Snapshot) bool {
		return s.Have > 2500*time.Millisecond && s.Figure(ttft).Status == sources.StatusAbsent
	}, ttft)
	if f := s.Figure(ttft); len(f.Tried) == 0 || f.Note == "" {
		t.Errorf("absent without the names tried or a hint: %+v", f)
	}
	page := recorded(t, "1.6.1", "agg", "after", "frontend.metrics.txt")
	f.turn(page)
	total := sources.Need{Key: "frontend.ttft", Form: sources.FormTotal}
	// A scrape can land between two questions of one tick.
	s = b.until("the burst", func(s *sources.Snapshot) bool {
		return s.Figure(ttft).Status == sources.StatusOK && s.Figure(total).Status == sources.StatusOK
	}, ttft, total)
	want, _ := s.Figure(total).Value()
	got, _ := s.Figure(ttft).Buckets()
	if want <= 0 || got.N < want*0.99 || got.N > want*1.4 { // increase() extrapolates by up to half an interval at each end
		t.Errorf("the window holds %g of the burst's %g observations", got.N, want)
	}
}

func TestNoTrafficIsIdleAndNotAbsent(t *testing.T) {
	f, w0, w1 := agg(t, "1.6.1", "after")
	b := open(t, f, w0, w1)
	mean := sources.Need{Key: "frontend.ttft", Form: sources.FormMean}
	buckets := sources.Need{Key: "frontend.ttft", Form: sources.FormBuckets}
	rate := sources.Need{Key: "frontend.output_tokens", Form: sources.FormRate}
	kv := sources.Need{Key: "engine.kv_usage", Form: sources.FormNow}
	s := b.until("idle", func(s *sources.Snapshot) bool {
		return s.Figure(mean).Status == sources.StatusIdle && s.Figure(buckets).Status == sources.StatusIdle
	}, mean, buckets, rate, kv)
	if v, ok := s.Figure(rate).Value(); !ok || v != 0 {
		t.Errorf("a counter that does not move: %v %v, want a true zero", v, ok)
	}
	if f := s.Figure(kv); f.Status != sources.StatusAbsent || f.Note != "the sglang workers scraped here export no such family" {
		t.Errorf("KV of an engine without the family: %v %q, want absent and the truth about it", f.Status, f.Note)
	}
}

// A stopped process keeps its socket: the scrape hangs, its numbers are the
// last good ones with their age, and the neighbours stay live.
func TestAFrozenWorkerIsStale(t *testing.T) {
	f, w0, w1 := agg(t, "1.6.1", "during")
	b := open(t, f, w0, w1)
	running := sources.Need{Key: "engine.running", Form: sources.FormNow, By: "instance"}
	b.until("two workers", func(s *sources.Snapshot) bool { return allUp(2)(s) && len(s.Figure(running).Series) == 2 }, running)
	w1.freeze(t)
	host := strings.TrimPrefix(w1.URL, "http://")
	s := b.until("a stale worker", func(s *sources.Snapshot) bool {
		for _, w := range s.Workers {
			if w.Instance == host {
				return w.State == sources.WorkerStale
			}
		}
		return false
	}, running)
	fig := s.Figure(running)
	if len(fig.Series) != 2 || fig.Status != sources.StatusOK {
		t.Fatalf("want both workers' numbers, got %+v", fig)
	}
	for _, g := range fig.Series {
		p, _ := g.Last()
		old := s.At.UnixMilli()-p.T > 100
		if old != (g.Labels["instance"] == host) {
			t.Errorf("%s: old %v", g.Labels["instance"], old)
		}
	}
}

func TestADeadFrontendLeavesItsLastGoodNumbers(t *testing.T) {
	f, w0, w1 := agg(t, "1.6.1", "during")
	b := open(t, f, w0, w1)
	active := sources.Need{Key: "frontend.active", Form: sources.FormNow}
	live := b.until("live", func(s *sources.Snapshot) bool { return s.Figure(active).Live() }, active)
	want, _ := live.Figure(active).Value()
	f.CloseClientConnections()
	f.Listener.Close()
	s := b.until("stale", func(s *sources.Snapshot) bool { return s.Figure(active).Status == sources.StatusStale }, active)
	if got, _ := s.Figure(active).Value(); got != want {
		t.Errorf("last good %g, want %g", got, want)
	}
	if !s.Figure(active).At.Before(s.At) {
		t.Error("a stale figure claims to be of now")
	}
}

// A worker that was killed and dropped by the router is gone, although the
// frontend's last-value gauges name it again (pages recorded 12 s after a
// kill -9).
func TestAKilledWorkerIsGone(t *testing.T) {
	f := serve(t, recorded(t, "1.6.1", "agg", "killed-before", "frontend.metrics.txt"))
	w0 := serve(t, recorded(t, "1.6.1", "agg", "killed-before", "worker0.metrics.txt"))
	w1 := serve(t, recorded(t, "1.6.1", "agg", "killed-before", "worker1.metrics.txt"))
	b := open(t, f, w0, w1)
	b.until("two workers", allUp(2))
	w1.CloseClientConnections()
	w1.Listener.Close()
	f.turn(recorded(t, "1.6.1", "agg", "killed", "frontend.metrics.txt"))
	w0.turn(recorded(t, "1.6.1", "agg", "killed", "worker0.metrics.txt"))
	host := strings.TrimPrefix(w1.URL, "http://")
	s := b.until("the worker gone", func(s *sources.Snapshot) bool {
		for _, w := range s.Workers {
			if w.Instance == host {
				return w.State == sources.WorkerGone
			}
		}
		return false
	})
	if len(s.Workers) != 2 {
		t.Errorf("%d workers: a last-value gauge made one up", len(s.Workers))
	}
}

// The number of questions must not grow with the fleet.
func TestQueriesDoNotGrowWithWorkers(t *testing.T) {
	needs := []sources.Need{
		{Key: "engine.running", Form: sources.FormNow, By: "instance,dp_rank"},
		{Key: "engine.ttft", Form: sources.FormBuckets, By: "instance"},
		{Key: "frontend.ttft", Form: sources.FormBuckets},
		{Key: "frontend.ttft", Form: sources.FormBuckets}, // equal questions are asked once
	}
	count := func(workers int) int {
		f, w0, _ := agg(t, "1.6.1", "during")
		all := []*endpoint{f}
		for range workers {
			all = append(all, serve(t, w0.page))
		}
		b := open(t, all...)
		s := b.until("all targets", func(s *sources.Snapshot) bool {
			for _, g := range s.Targets {
				if g.Health != sources.HealthUp {
					return false
				}
			}
			return true
		}, needs...)
		return s.Queries
	}
	if two, twelve := count(2), count(12); two != twelve {
		t.Errorf("%d queries for 2 workers, %d for 12", two, twelve)
	}
}

// Emptying the memos changes nothing: the snapshot is a function of the store
// and the moment.
func TestMemosAreMemos(t *testing.T) {
	f, w0, w1 := agg(t, "1.6.1", "during")
	b := open(t, f, w0, w1)
	course := sources.Need{Key: "engine.running", Form: sources.FormNow, By: "instance"}.Over(10*time.Second, time.Second)
	needs := []sources.Need{course, {Key: "engine.running", Form: sources.FormNow, By: "instance"}}
	b.until("two workers", allUp(2))
	w1.freeze(t)
	b.until("some columns and a stale worker", func(s *sources.Snapshot) bool {
		return s.Have > 4*time.Second && len(b.feed.stale) > 0
	}, needs...)
	at := time.Now().Add(-time.Second)
	warm := b.feed.Tick(context.Background(), Ask{Needs: needs, At: at, Window: time.Minute})
	cold := New(b.store, b.feed.cat).Tick(context.Background(), Ask{Needs: needs, At: at, Window: time.Minute})
	for _, n := range needs {
		if w, c := warm.Figure(n), cold.Figure(n); !reflect.DeepEqual(w.Series, c.Series) || w.Status != c.Status {
			t.Errorf("%v: with memos %v %v, without %v %v", n, w.Status, w.Series, c.Status, c.Series)
		}
	}
	if !reflect.DeepEqual(warm.Workers, cold.Workers) {
		t.Errorf("workers %+v, without memos %+v", warm.Workers, cold.Workers)
	}
}

func TestARefusedNeedDegradesItsOwnFigure(t *testing.T) {
	f, w0, w1 := agg(t, "1.6.1", "during")
	b := open(t, f, w0, w1)
	bad := sources.Need{Key: "no.such.metric", Form: sources.FormNow}
	good := sources.Need{Key: "engine.running", Form: sources.FormNow}
	s := b.until("the good figure", func(s *sources.Snapshot) bool { return s.Figure(good).Live() }, bad, good)
	if fig := s.Figure(bad); fig.Status != sources.StatusError || fig.Err == "" {
		t.Errorf("%+v", fig)
	}
}

// A worker that is scraped every ten seconds must not blur the frontend's
// figures: least windows follow the targets that can expose a metric.
func TestASlowWorkerDoesNotBlurTheFrontend(t *testing.T) {
	f, w0, w1 := agg(t, "1.6.1", "during")
	b := open(t, f, w0)
	if _, err := b.store.Add(context.Background(), embedded.TargetSpec{URL: w1.URL, Interval: 10 * time.Second}); err != nil {
		t.Fatal(err)
	}
	front := sources.Need{Key: "frontend.output_tokens", Form: sources.FormRate, Window: 5 * time.Second}
	engine := sources.Need{Key: "engine.requests_done", Form: sources.FormRate, Window: 5 * time.Second}
	s := b.until("two workers", func(s *sources.Snapshot) bool { return allUp(2)(s) && s.Have > 6*time.Second }, front, engine)
	s = b.feed.Tick(context.Background(), Ask{Needs: []sources.Need{front, engine}, Window: s.Window})
	if w := s.Figure(front).Window; w != 5*time.Second {
		t.Errorf("the frontend's window is %v, want the 5 s asked for", w)
	}
	if w := s.Figure(engine).Window; w != 40*time.Second {
		t.Errorf("the engines' window is %v, want four scrapes of the slowest", w)
	}
}

// Targets that never answered are not "waiting": nothing is on its way.
func TestDeadTargetsLeaveNothingPending(t *testing.T) {
	dead := serve(t, "")
	dead.Close()
	b := open(t, dead)
	active := sources.Need{Key: "frontend.active", Form: sources.FormNow}
	s := b.until("the dead target", func(s *sources.Snapshot) bool {
		return s.Targets[0].Health == sources.HealthDown && s.Have > 2*time.Second
	}, active)
	if f := s.Figure(active); f.Status != sources.StatusAbsent || f.Note != "no target answers" {
		t.Errorf("%v %q", f.Status, f.Note)
	}
}

// A target that was slowed a moment ago leaves no gaps in courses.
func TestCoursesBridgeTheTimeOfSlowScrapes(t *testing.T) {
	at := time.Now()
	tk := &tick{Feed: New(nil, catalog.Default()), live: true, Ask: Ask{At: at}}
	tk.targets = []sources.Target{{Instance: "f", Interval: 10 * time.Second, Slowed: true}}
	tk.noteSlowed()
	tk.At = at.Add(30 * time.Second)
	tk.targets = []sources.Target{{Instance: "f", Interval: time.Second}}
	tk.noteSlowed()
	m, _ := catalog.Default().Metric("frontend.ttft")
	if now, course := tk.interval(m, 0), tk.interval(m, time.Minute); now != time.Second || course != 10*time.Second {
		t.Errorf("least interval now %v, over the last minute %v", now, course)
	}
	tk.At = at.Add(10 * time.Minute)
	if course := tk.interval(m, time.Minute); course != time.Second {
		t.Errorf("ten minutes later %v", course)
	}
}
