//go:build prometheus

package contract

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/composite"
	"dynascope/sources/deployment"
	"dynascope/sources/feed"
	"dynascope/sources/prom"
	"dynascope/themes"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
	"dynascope/tui/report"
)

// fleet serves recorded deployments on loopback; phase says which of the
// recorded moments.
type fleet struct {
	phase atomic.Int32
}

var phases = []string{"before", "during", "during-2", "after"}

// deploy starts the processes of a recorded shape and returns their
// addresses. Words are replaced in all pages alike.
func (f *fleet) deploy(t *testing.T, shape string, replace ...string) []string {
	t.Helper()
	words := strings.NewReplacer(replace...)
	files, err := filepath.Glob(filepath.Join("..", "testdata", "pages", shape, phases[0], "*.metrics.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages of %s (%v)", shape, err)
	}
	var addrs []string
	for _, file := range files {
		var pages []string
		for _, phase := range phases {
			text, err := os.ReadFile(filepath.Join("..", "testdata", "pages", shape, phase, filepath.Base(file)))
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, words.Replace(string(text)))
		}
		addrs = append(addrs, f.serve(t, func() string { return pages[f.phase.Load()] }))
	}
	return addrs
}

func (f *fleet) serve(t *testing.T, page func() string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, page())
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// job is a part of a server's configuration.
func job(name, labels string, targets ...string) string {
	return fmt.Sprintf("  - job_name: %s\n    scrape_interval: 1s\n    static_configs:\n      - targets: ['%s']\n        labels: {%s}\n", name, strings.Join(targets, "','"), labels)
}

// needs are the questions of all panes and of --once.
func needs() []sources.Need {
	frame := pane.Frame{W: 200, H: 60, Window: time.Minute, Source: pane.FromFrontend, SLA: pane.SLA{TTFT: 500 * time.Millisecond, ITL: 25 * time.Millisecond}}
	if theme, err := themes.Get("mono"); err == nil {
		frame.Styles = themes.NewStyles(theme.Plain(), false)
	}
	out := report.Needs()
	for _, p := range panes.All() {
		for _, source := range []pane.Source{pane.FromFrontend, pane.FromRouter, pane.FromEngine} {
			frame.Source = source
			out = append(out, p.Needs(frame)...)
		}
	}
	return out
}

// TestTwoDeployments: two models in two namespaces, aggregated and
// disaggregated, and a node of something else, behind one server. With either
// picked, every figure is there that is there when the server scrapes it
// alone, and the counts are its own.
func TestTwoDeployments(t *testing.T) {
	var f fleet
	a := f.deploy(t, "1.6.1/agg")
	b := f.deploy(t, "1.6.1/disagg", `"tiny"`, `"Qwen/Other"`, `namespace="dynamo"`, `namespace="other"`)
	exporter := f.serve(t, func() string {
		return "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=\"GPU-1\",Hostname=\"n\"} 50\nDCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-1\",Hostname=\"n\"} 1000\n"
	})
	node := f.serve(t, func() string { return "node_load1 1\n" })
	inA, inB := job("a", "namespace: prod", a...), job("b", "namespace: dev", b...)
	rest := job("dcgm", "", exporter) + job("node", "", node)
	keep := catalog.Default().Keep()
	all := remote(t, server(t, "scrape_configs:\n"+inA+inB+rest), keep)
	alone := map[string]*prom.Store{
		"dynamo/tiny":      remote(t, server(t, "scrape_configs:\n"+inA+rest), keep),
		"other/Qwen/Other": remote(t, server(t, "scrape_configs:\n"+inB+rest), keep),
	}
	for phase := range phases {
		f.phase.Store(int32(phase))
		time.Sleep(4 * time.Second) // what a scraper needs is time
	}

	targets := all.Targets()
	if len(targets) != len(a)+len(b)+1 {
		t.Errorf("%d targets of %d: %+v", len(targets), len(a)+len(b)+1, targets)
	}
	for _, g := range targets {
		if g.Instance == node || g.Health != sources.HealthUp || g.Interval != time.Second || time.Since(g.LastGood) > g.StaleAfter() {
			t.Errorf("target %+v", g)
		}
	}
	if w := all.Warning(); w != "" {
		t.Errorf("warning %q", w)
	}
	if have := time.Since(all.Oldest()); have < 10*time.Second || have > 2*time.Minute {
		t.Errorf("its samples reach back %v", have)
	}
	found, err := deployment.Find(context.Background(), all, catalog.Default(), targets, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, d := range found {
		names = append(names, d.Name)
	}
	if !slices.Equal(names, []string{"dynamo/tiny", "other/Qwen/Other"}) {
		t.Fatalf("found %q", names)
	}
	questions := needs()
	for _, d := range found {
		t.Run(d.Name, func(t *testing.T) {
			want := tick(alone[d.Name], questions, catalog.Scope{})
			whole := tick(all, questions, catalog.Scope{})
			got := tick(all, questions, d.Scope)
			there := 0
			for _, n := range questions {
				w, g := want.Figure(n), got.Figure(n)
				if w.Status == sources.StatusOK || w.Status == sources.StatusIdle {
					there++
				}
				if g.Status == sources.StatusError {
					t.Errorf("%s as %s: %s", n.Key, n.Form, g.Err)
				}
				absent := func(f *sources.Figure) bool { return f.Status == sources.StatusAbsent }
				if absent(g) && !absent(w) && !absent(whole.Figure(n)) {
					t.Errorf("%s as %s by %q goes empty: alone %v, of all %v, scoped %v\n%s", n.Key, n.Form, n.By, w.Status, whole.Figure(n).Status, g.Status, g.Expr)
				}
				if n.Form == sources.FormTotal && !n.IsRange() {
					if fmt.Sprint(values(w)) != fmt.Sprint(values(g)) {
						t.Errorf("%s by %q is %v, alone %v", n.Key, n.By, values(g), values(w))
					}
				}
			}
			if len(got.Workers) != len(want.Workers) || len(got.Models) != 1 {
				t.Errorf("workers %d, alone %d; models %q", len(got.Workers), len(want.Workers), got.Models)
			}
			t.Logf("%d questions, %d with figures alone; a tick asks %d queries in %v", len(questions), there, got.Queries, got.Took)
			if there < 50 {
				t.Errorf("only %d figures to compare", there)
			}
		})
	}
	t.Run("without a list of targets", func(t *testing.T) {
		hidden, err := prom.Open(context.Background(), prom.Options{
			URL: unlisted(t, all.URL()), KeepNames: keep, Refresh: time.Second, Headers: map[string]string{"X-Scope-OrgID": "team"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer hidden.Close()
		for deadline := time.Now().Add(time.Minute); len(hidden.Targets()) < len(targets); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d targets of %d; %s", len(hidden.Targets()), len(targets), hidden.Warning())
			}
		}
		for i, g := range hidden.Targets() {
			if g.Instance != targets[i].Instance || g.Health != sources.HealthUp || g.Interval != time.Second || time.Since(g.LastGood) > g.StaleAfter() {
				t.Errorf("%+v, listed %+v", g, targets[i])
			}
		}
	})
	t.Run("beside a local store", func(t *testing.T) {
		local := recordedLocal(t)
		both := composite.New(all, local)
		snap := tick(both, questions, catalog.Scope{})
		for _, n := range questions {
			if fig := snap.Figure(n); fig.Status == sources.StatusError {
				t.Errorf("%s: %s", n.Key, fig.Err)
			}
		}
		if n := len(both.Targets()); n != len(targets)+1 {
			t.Errorf("%d targets", n)
		}
	})
}

// unlisted puts a server behind a prefix and a tenant, without its list of
// targets, as Mimir is.
func unlisted(t *testing.T, to string) string {
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, "/prometheus")
	}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("X-Scope-OrgID") == "":
			http.Error(w, "no org id", http.StatusUnauthorized)
		case !strings.HasPrefix(r.URL.Path, "/prometheus/"), strings.HasSuffix(r.URL.Path, "/targets"):
			http.NotFound(w, r)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/prometheus/"
}

// recordedLocal is a local store with the node's GPU and one of its own.
func recordedLocal(t *testing.T) sources.Store {
	s := open(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, u := range []string{"GPU-1", "GPU-2"} {
			fmt.Fprintf(w, "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\",UUID=%q,Hostname=\"n\",source=\"nvml\"} 70\n", u)
		}
	}))
	t.Cleanup(srv.Close)
	if _, err := s.Add(context.Background(), spec(srv.URL)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); s.Targets()[0].LastGood.IsZero(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the local store scraped nothing")
		}
	}
	return s
}

func tick(s sources.Store, needs []sources.Need, scope catalog.Scope) *sources.Snapshot {
	return feed.New(s, catalog.Default()).Tick(context.Background(), feed.Ask{Needs: needs, Window: time.Minute, Scope: scope})
}

// values are the newest values of a figure, without the groups' names.
func values(f *sources.Figure) []float64 {
	out := []float64{}
	for _, s := range f.Series {
		if p, ok := s.Last(); ok {
			out = append(out, p.V)
		}
	}
	slices.Sort(out)
	return out
}
