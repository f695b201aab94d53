package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// checkPage reads a page as Prometheus would and returns its samples.
func checkPage(t testing.TB, raw []byte) map[string]float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	fams, err := parser.TextToMetricFamilies(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	out := map[string]float64{}
	for name, f := range fams {
		if !strings.HasPrefix(name, prefix) {
			t.Errorf("%s on the page", name)
		}
		for _, m := range f.Metric {
			id := strings.TrimPrefix(name, prefix)
			for _, l := range m.Label {
				if len(l.GetValue()) > 1024 {
					t.Errorf("%s has a label of %d bytes", name, len(l.GetValue()))
				}
				if l.GetName() != "model_name" {
					id += "," + l.GetName() + "=" + l.GetValue()
				}
			}
			if _, twice := out[id]; twice {
				t.Errorf("%s is there twice", id)
			}
			out[id] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return out
}

// fake is an SGLang server made of recorded answers.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string
	status map[string]int
	body   map[string]string
	before func(r *http.Request)
}

func newFake(t *testing.T) *fake {
	f := &fake{status: map[string]int{}, body: map[string]string{
		"/v1/loads": string(read(t, "loads.json")), "/server_info": string(read(t, "server_info.json")),
		"/model_info": string(read(t, "model_info.json")), "/v1/models": string(read(t, "models.json")),
	}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.URL.RequestURI())
		status, body, before := f.status[r.URL.Path], f.body[r.URL.Path], f.before
		f.mu.Unlock()
		if before != nil {
			before(r)
		}
		switch {
		case status == 0 && body == "":
			status = 404
		case status == 0:
			status = 200
		}
		if status/100 == 3 {
			w.Header().Set("Location", "http://127.0.0.1:1/")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) set(path, body string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.body[path], f.status[path] = body, status
}

// taken are the questions since the last call.
func (f *fake) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.asked
	f.asked = nil
	return out
}

// clock is the time of a poller under test.
type clock struct{ t time.Time }

func (c *clock) after(d time.Duration) { c.t = c.t.Add(d) }

func newTestPoller(t *testing.T, url string, cred Credentials) (*Poller, *clock) {
	t.Helper()
	c := &clock{time.Unix(1e9, 0)}
	p, err := NewPoller(PollerOptions{URL: url, Credentials: cred, now: func() time.Time { return c.t }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, c
}

func (p *Poller) mustPage(t *testing.T) map[string]float64 {
	t.Helper()
	raw, err := p.Page(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return checkPage(t, raw)
}

func TestPage(t *testing.T) {
	f := newFake(t)
	p, c := newTestPoller(t, f.URL+"/metrics", Credentials{})
	raw, err := p.Page(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := checkPage(t, raw)
	for id, want := range map[string]float64{
		"running_requests,dp_rank=0": 40, "running_requests,dp_rank=1": 31, "waiting_requests,dp_rank=1": 2, "kv_used_tokens,dp_rank=0": 200000,
		"kv_capacity_tokens,dp_rank=0": 402000, "cache_hit_ratio,dp_rank=1": 0.31, "queued_requests,dp_rank=1,queue=grammar": 1,
		"page_size_tokens": 64, "context_length_tokens": 40960, "poll_interval_seconds": 2,
		"info,version=0.5.23,accelerator=NVIDIA H200,weight_version=default,tp=4,dp=2,pp=1,ep=1,page_size=64,kv_dtype=fp8_e4m3,disaggregation=null,attention_backend=fa3": 1,
	} {
		if v, ok := got[id]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v\n%s", id, v, ok, want, raw)
		}
	}
	if !strings.Contains(string(raw), `model_name="qwen3"`) {
		t.Errorf("no model on\n%s", raw)
	}
	for _, secret := range []string{"a1b2c3", "hunter2", "pw-of", "wm-secret", "launch_server"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is on the page", secret)
		}
	}
	if got := f.taken(); !slices.Equal(got, []string{"/v1/loads?include=all", "/server_info", "/model_info", "/v1/models"}) {
		t.Errorf("asked %v", got)
	}
	// Sooner than the interval nothing is asked; the rest comes each minute.
	c.after(time.Second)
	if p.mustPage(t); len(f.taken()) != 0 {
		t.Error("asked too soon")
	}
	c.after(900 * time.Millisecond) // a tick that came a little early
	p.mustPage(t)
	if got := f.taken(); !slices.Equal(got, []string{"/v1/loads?include=all"}) {
		t.Errorf("asked %v", got)
	}
	c.after(time.Minute)
	p.mustPage(t)
	if got := f.taken(); len(got) != 4 {
		t.Errorf("asked %v", got)
	}
	if len(p.Routes()) != 4 || p.Info() == nil || p.Models()[0].ID != "qwen3" || p.Interval() != 2*time.Second {
		t.Errorf("%+v", p.Routes())
	}
}

func TestOldDialects(t *testing.T) {
	f := newFake(t)
	f.set("/v1/loads", "", 404)
	f.set("/server_info", "", 404)
	f.set("/model_info", "", 405)
	f.set("/v1/models", "", 404)
	f.set("/get_load", string(read(t, "get_load.json")), 200)
	f.set("/get_server_info", string(read(t, "server_info.json")), 200)
	p, c := newTestPoller(t, f.URL, Credentials{})
	got := p.mustPage(t)
	// The old answer has no capacity: the server's own word stands in.
	if got["running_requests,dp_rank=0"] != 8 || got["kv_capacity_tokens,dp_rank=0"] != 402000 || got["max_running_requests,dp_rank=1"] != 64 {
		t.Errorf("%v", got)
	}
	want := []string{"/v1/loads?include=all", "/v1/loads", "/get_load", "/server_info", "/get_server_info", "/model_info", "/get_model_info", "/v1/models"}
	if got := f.taken(); !slices.Equal(got, want) {
		t.Errorf("asked %v", got)
	}
	c.after(10 * time.Minute)
	p.mustPage(t)
	if got := f.taken(); !slices.Equal(got, []string{"/get_load", "/get_server_info"}) {
		t.Errorf("what is missing was asked again: %v", got)
	}
	// An old schedule of five seconds, since it costs the scheduler.
	c.after(3 * time.Second)
	if p.mustPage(t); len(f.taken()) != 0 {
		t.Error("asked /get_load too soon")
	}
}

// A release that refuses include=all is asked without it.
func TestRefusedParameters(t *testing.T) {
	f := newFake(t)
	f.before = func(r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.status["/v1/loads"] = 200
	}
	f.set("/v1/loads", string(read(t, "loads.json")), 422)
	p, _ := newTestPoller(t, f.URL, Credentials{})
	if got := p.mustPage(t); got["running_requests,dp_rank=0"] != 40 {
		t.Errorf("%v", got)
	}
	if got := f.taken(); got[0] != "/v1/loads?include=all" || got[1] != "/v1/loads" {
		t.Errorf("asked %v", got)
	}
}

func TestNoSGLang(t *testing.T) {
	f := newFake(t)
	f.body = map[string]string{}
	p, c := newTestPoller(t, f.URL, Credentials{})
	if _, err := p.Page(context.Background()); err == nil || !strings.Contains(err.Error(), "none of SGLang's routes") {
		t.Error(err)
	}
	f.taken()
	c.after(time.Hour)
	if _, err := p.Page(context.Background()); err == nil || len(f.taken()) != 0 {
		t.Errorf("asked again, %v", err)
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"html":      {"<html>secret-of-body</html>", 200, "not JSON"},
		"big":       {strings.Repeat(" ", 2<<20), 200, "larger than 1024 KiB"},
		"deep":      {`{"loads":` + strings.Repeat("[", 100), 200, "nests deeper"},
		"redirect":  {"", 307, "redirects are not followed"},
		"error":     {"secret-of-body", 500, "answered 500"},
		"forbidden": {`{"error":"Forbidden"}`, 403, "hint:"},
		"empty":     {"{}", 200, "no load of any rank"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.set("/v1/loads", c.body, c.status)
			p, now := newTestPoller(t, f.URL, Credentials{})
			_, err := p.Page(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "/v1/loads") || strings.Contains(err.Error(), "secret-of-body") {
				t.Errorf("%v", err)
			}
			if got := f.taken(); len(got) != 1 {
				t.Errorf("a server in trouble was asked %v", got)
			}
			f.set("/v1/loads", string(read(t, "loads.json")), 200)
			now.after(time.Minute)
			p.mustPage(t)
		})
	}
}

// A slow question never makes the page fail, and waits longer each time.
func TestSlowInfo(t *testing.T) {
	f := newFake(t)
	f.set("/server_info", "", 500)
	p, c := newTestPoller(t, f.URL, Credentials{})
	var at []time.Duration
	for d := time.Duration(0); d < 20*time.Minute; d += 30 * time.Second {
		if got := p.mustPage(t); got["running_requests,dp_rank=0"] != 40 {
			t.Fatalf("%v", got)
		}
		if slices.Contains(f.taken(), "/server_info") {
			at = append(at, d)
		}
		c.after(30 * time.Second)
	}
	if want := []time.Duration{0, time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute}; !slices.Equal(at, want) {
		t.Errorf("asked at %v, want %v", at, want)
	}
}

func TestKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("s3cret-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ENGINE_TEST_KEY", "s3cret-key")
	for _, cred := range []Credentials{{Key: "s3cret-key"}, {KeyFile: file}, {KeyEnv: "ENGINE_TEST_KEY"}} {
		f := newFake(t)
		var bad []string
		f.before = func(r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer s3cret-key" {
				f.mu.Lock()
				bad = append(bad, r.URL.Path)
				f.mu.Unlock()
			}
		}
		p, _ := newTestPoller(t, f.URL, cred)
		p.mustPage(t)
		if len(bad) > 0 {
			t.Errorf("%+v: no key to %v", cred, bad)
		}
	}
	// A refused key is not tried each two seconds; a renewed file is read.
	f := newFake(t)
	f.set("/v1/loads", "", 401)
	p, c := newTestPoller(t, f.URL, Credentials{KeyFile: file})
	for range 10 {
		if _, err := p.Page(context.Background()); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Error(err)
		}
		c.after(2 * time.Second)
	}
	if got := f.taken(); len(got) != 1 {
		t.Errorf("asked %v", got)
	}
	if err := os.WriteFile(file, []byte("newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.set("/v1/loads", string(read(t, "loads.json")), 200)
	var sent string
	f.before = func(r *http.Request) { f.mu.Lock(); sent = r.Header.Get("Authorization"); f.mu.Unlock() }
	c.after(time.Minute)
	p.mustPage(t)
	if sent != "Bearer newer" {
		t.Errorf("sent %q", sent)
	}
	for _, opt := range []PollerOptions{
		{URL: "http://user:pw@host:1"}, {URL: "ftp://host"}, {URL: "http://"}, {URL: "http://h:1", Credentials: Credentials{Key: "a", KeyEnv: "B"}},
	} {
		if _, err := NewPoller(opt); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%+v: %v", opt, err)
		}
	}
	for _, cred := range []Credentials{{KeyFile: "/nonexistent/key"}, {KeyEnv: "ENGINE_TEST_UNSET"}} {
		p, _ := newTestPoller(t, f.URL, cred)
		if _, err := p.Page(context.Background()); err == nil {
			t.Errorf("%+v: no error", cred)
		}
	}
}

// A server that went away may come back as another one.
func TestRestart(t *testing.T) {
	f := newFake(t)
	f.set("/model_info", "", 404)
	p, c := newTestPoller(t, f.URL, Credentials{})
	p.mustPage(t)
	addr := f.Listener.Addr().String()
	f.Close()
	c.after(2 * time.Second)
	if _, err := p.Page(context.Background()); err == nil || !strings.Contains(err.Error(), "nothing listens there") {
		t.Fatal(err)
	}
	if p.Info() != nil {
		t.Error("the dead server's flags stay")
	}
	g := newFake(t)
	g.set("/server_info", `{"version":"0.6.0","tp_size":8}`, 200)
	p.c.base = g.URL // the port is not ours to take again
	c.after(2 * time.Second)
	p.mustPage(t)
	if i := p.Info(); i == nil || i.Version != "0.6.0" || !slices.Contains(g.taken(), "/model_info") {
		t.Errorf("%+v after %s", i, addr)
	}
}

func TestHang(t *testing.T) {
	f := newFake(t)
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	f.before = func(r *http.Request) {
		close(asked)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}
	p, _ := newTestPoller(t, f.URL, Credentials{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { _, err := p.Page(ctx); done <- err }()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNextInterval(t *testing.T) {
	ms := func(n int, d int) []time.Duration {
		return slices.Repeat([]time.Duration{time.Duration(d) * time.Millisecond}, n)
	}
	s := time.Second
	for _, c := range []struct {
		base, now time.Duration
		waits     []time.Duration
		want      time.Duration
	}{
		{2 * s, 2 * s, ms(2, 900), 2 * s}, {2 * s, 2 * s, ms(3, 90), 2 * s}, {2 * s, 2 * s, ms(3, 110), 5 * s}, {2 * s, 2 * s, ms(3, 300), 10 * s},
		{2 * s, 2 * s, ms(3, 3000), 10 * s}, {2 * s, 10 * s, ms(5, 40), 2 * s}, {2 * s, 10 * s, ms(5, 100), 5 * s}, {2 * s, 5 * s, ms(5, 80), 5 * s},
		{20 * s, 20 * s, ms(5, 9000), 20 * s}, {2 * s, 5 * s, nil, 5 * s},
	} {
		if got := nextInterval(c.base, c.now, c.waits); got != c.want {
			t.Errorf("%v at %v with %v: %v, want %v", c.base, c.now, c.waits, got, c.want)
		}
	}
}

// What decoding may name is in the table of families.
func TestFamilies(t *testing.T) {
	known := map[string]bool{}
	for _, f := range families {
		known[f.name] = true
		if f.typ != "gauge" && f.typ != "counter" || (f.typ == "counter") != strings.HasSuffix(f.name, "_total") {
			t.Errorf("%s is a %s", f.name, f.typ)
		}
	}
	for _, mode := range []string{"prefill", "decode"} {
		body := strings.ReplaceAll(string(read(t, "loads.json")), `"mode":"decode"`, fmt.Sprintf(`"mode":%q`, mode))
		body = strings.ReplaceAll(body, `"queues"`, `"lora":{"slots_used":1,"slots_total":2},"queues"`)
		l, err := decodeLoads([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.Ranks {
			for name := range r.Values {
				if fam, _, _ := strings.Cut(name, "{"); !known[fam] {
					t.Errorf("%s is in no table", name)
				}
			}
		}
	}
}
