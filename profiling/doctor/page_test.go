package doctor

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

const recorded = "../../sources/testdata/pages"

// recordedPages are all pages of the recordings, by path.
func recordedPages(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(recorded, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".metrics.txt") {
			return err
		}
		raw, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, recorded+"/")] = raw
		return err
	})
	if err != nil || len(out) < 10 {
		t.Fatalf("%d recorded pages: %v", len(out), err)
	}
	return out
}

// No page of a real deployment lacks a label, and each tells its release.
func TestRecordedPages(t *testing.T) {
	x := NewIndex(catalog.Default())
	for path, raw := range recordedPages(t) {
		p, err := x.Read(raw)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		e := Endpoint{Target: sources.Target{Instance: path, Role: p.Role()}, Page: p}
		for _, f := range lostLabels(&Gathered{Catalog: catalog.Default(), index: x, Endpoints: []Endpoint{e}}) {
			t.Errorf("%s: %s %s", path, f.Code, f.What)
		}
		release, _, _ := strings.Cut(path, "/")
		for _, r := range x.Releases(p) {
			if r.Product != "dynamo" {
				continue
			}
			if older(release, r.From) || r.Before != "" && !older(release, r.Before) {
				t.Errorf("%s is %s of Dynamo, and reads as %s (%s)", path, release, r, r.FromBy)
			}
		}
		switch base := filepath.Base(path); {
		case strings.HasPrefix(base, "frontend"):
			if p.Role() != "frontend" || len(x.Releases(p)) == 0 {
				t.Errorf("%s: role %q, releases %v", path, p.Role(), x.Releases(p))
			}
		case strings.HasPrefix(base, "worker"):
			if p.Role() != "worker" || p.WorkerID == "" {
				t.Errorf("%s: role %q, worker %q", path, p.Role(), p.WorkerID)
			}
		}
	}
}

func TestReleasesOfTheTwoRecorded(t *testing.T) {
	x := NewIndex(catalog.Default())
	for path, want := range map[string]string{
		"1.4.2/agg/after/frontend.metrics.txt": "1.4 or later, before 1.6",
		"1.6.1/agg/after/frontend.metrics.txt": "1.6 or later",
	} {
		raw, err := os.ReadFile(filepath.Join(recorded, path))
		if err != nil {
			t.Fatal(err)
		}
		p, err := x.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		if rs := x.Releases(p); len(rs) == 0 || rs[0].String() != want {
			t.Errorf("%s: %v, want %s", path, rs, want)
		}
	}
}

func workerPage(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(recorded, "1.6.1/agg/after/worker0.metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestLabelsThatAreLost(t *testing.T) {
	worker := workerPage(t)
	for name, c := range map[string]struct {
		page []byte
		want []string
	}{
		"as it is": {worker, nil},
		"namespace instead": {bytes.ReplaceAll(worker, []byte("dynamo_namespace="), []byte("namespace=")),
			[]string{"labels-namespace"}},
		"no worker id": {bytes.ReplaceAll(worker, []byte("worker_id="), []byte("dropped=")),
			[]string{"labels-missing"}},
		"renamed by a server": {bytes.ReplaceAll(worker, []byte("dynamo_component="), []byte("exported_dynamo_component=")),
			[]string{"labels-exported"}},
	} {
		p, err := NewIndex(catalog.Default()).Read(c.page)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range lostLabels(&Gathered{Catalog: catalog.Default(), Endpoints: []Endpoint{{Page: p}}}) {
			got = append(got, f.Code)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRenamedFrontend(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(recorded, "1.6.1/agg/after/frontend.metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string]string{"dynamo_frontend": "", "acme": "acme", "my_own": "my_own"} {
		p, err := NewIndex(catalog.Default()).Read(bytes.ReplaceAll(raw, []byte("dynamo_frontend_"), []byte(prefix+"_")))
		if err != nil {
			t.Fatal(err)
		}
		g := &Gathered{Catalog: catalog.Default(), Endpoints: []Endpoint{{Page: p}}}
		f := renamed(g)
		if len(f) > 1 || (len(f) == 1) != (want != "") || len(f) == 1 && f[0].Do != "--frontend-prefix "+want {
			t.Errorf("%s: %+v", prefix, f)
		}
	}
	g := &Gathered{Catalog: catalog.Default()}
	worker, err := NewIndex(catalog.Default()).Read(workerPage(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := g.prefixOf(worker); got != "" {
		t.Errorf("a worker's page is a frontend's under %s", got)
	}
}

// A server's answers tell the same labels as the page, and which releases.
func TestSampled(t *testing.T) {
	x := NewIndex(catalog.Default())
	samples := x.Samples()
	if len(samples) < 6 || len(samples) > 20 {
		t.Fatalf("%d questions", len(samples))
	}
	pages := map[string]*Page{}
	for _, q := range samples {
		if q.whole == "" {
			x.Sampled(pages, q, []sources.Series{{Labels: sources.Labels{"family": "dynamo_transport_tcp_accept_backoff_total", "instance": "f:1"}}, {Labels: sources.Labels{"family": "x"}}})
			continue
		}
		x.Sampled(pages, q, []sources.Series{{Labels: sources.Labels{"instance": "f:1", "job": "j", "exported_endpoint": "chat", "endpoint": "http", "model": "m", "request_type": "unary", "status": "success"}}})
	}
	p := pages["f:1"]
	if p == nil || p.Whole || len(pages) != 1 {
		t.Fatalf("%+v", pages)
	}
	if rs := x.Releases(p); len(rs) == 0 || rs[0].From != "1.6" || rs[0].Before != "" {
		t.Errorf("releases %v", rs)
	}
	found := lostLabels(&Gathered{Catalog: catalog.Default(), Endpoints: []Endpoint{{Page: p}}})
	if !slices.ContainsFunc(found, func(f Finding) bool { return f.Code == "labels-exported" }) {
		t.Errorf("%+v", found)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("# TYPE v gauge\nv{a=\"b\"} 1\n"))
	f.Add([]byte("sglang:num_running_reqs{model_name=\"x\",le=\"0.1\"} NaN\n"))
	f.Add([]byte("dynamo_frontend_time_to_first_token_seconds_bucket{model=\"m\",le=\"+Inf\"} 3\n"))
	f.Add([]byte("dynamo_component_inflight_requests{dynamo_endpoint=\"generate\",worker_id=\"\x1b[2J\"} 3\n<html>"))
	x := NewIndex(catalog.Default())
	f.Fuzz(func(t *testing.T, body []byte) {
		p, _ := x.Read(body)
		if p == nil || p.Series < 0 {
			t.Fatal("no page")
		}
		x.Releases(p)
		g := &Gathered{Catalog: catalog.Default(), index: x, Endpoints: []Endpoint{{Target: sources.Target{Instance: "a:1"}, Page: p}}}
		lostLabels(g)
		if strings.ContainsAny(p.WorkerID, "\x1b\n") {
			t.Errorf("worker id %q", p.WorkerID)
		}
	})
}
