package embedded

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

func TestFirstSampleComesAtOnce(t *testing.T) {
	s := open(t, Options{})
	// With an interval of an hour, nothing but the probe can be the source.
	f := newFake(t, "v{instance=\"x\",le=\"1\"} 4\n")
	instance, err := s.Add(t.Context(), TargetSpec{URL: f.URL, Interval: time.Hour, Labels: map[string]string{"role": "worker"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first sample", isValue(t, s, fmt.Sprintf(`v{job="dynascope",instance=%q,exported_instance="x",role="worker"}`, instance), 4))
	eventually(t, "up", isValue(t, s, fmt.Sprintf(`up{job="dynascope",instance=%q,role="worker"}`, instance), 1))
	eventually(t, "health", func() bool { return only(t, s, instance).Health == sources.HealthUp })
	x := only(t, s, instance)
	if x.Samples != 1 || x.Bytes != int64(len(f.body)) || x.LastGood.IsZero() || x.URL != f.URL+"/metrics" {
		t.Errorf("%+v", x)
	}
	if got := f.last.Get("User-Agent"); got != userAgent {
		t.Errorf("user agent %q", got)
	}
}

// Once there, the samples stay: no stale marker makes a hole between the probe
// and the scrapes, nor between the scrapes.
func TestFirstSampleHasNoHole(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "v 4\n")
	add(t, s, f.URL)
	eventually(t, "the first sample", isValue(t, s, "v", 4))
	for f.requests() < 10 {
		if hole(t, s, "v") {
			t.Fatal("a hole")
		}
	}
}

func TestDeadTargetIsStaleAtOnce(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "v 4\n")
	instance := add(t, s, f.URL)
	eventually(t, "up", isValue(t, s, "v", 4))
	scrapes(t, f, 2)
	f.CloseClientConnections()
	f.Server.Close()
	eventually(t, "down", isValue(t, s, "up", 0))
	if !absent(t, s, "v")() {
		t.Error("still there though up is 0")
	}
	eventually(t, "the error", func() bool {
		return strings.Contains(only(t, s, instance).Error, "connection refused; hint: ")
	})
	x := only(t, s, instance)
	if x.Health != sources.HealthDown || x.LastGood.IsZero() || !x.LastScrape.After(x.LastGood) {
		t.Errorf("%+v", x)
	}
}

// What only the probe saw ends with the first scrape, good or bad.
func TestProbeSeriesEndWithTheFirstScrape(t *testing.T) {
	for _, status := range []int{200, 500} {
		s := open(t, Options{})
		first := true
		f := newFake(t, "")
		f.handler = func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if first {
				first = false
				fmt.Fprintln(w, "seen_once 1")
				return
			}
			w.WriteHeader(status)
		}
		if _, err := s.Add(t.Context(), TargetSpec{URL: f.URL, Interval: 500 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the probe", isValue(t, s, "count_over_time(seen_once[1m])", 1))
		eventually(t, "two scrapes", func() bool { return f.requests() >= 3 })
		if !absent(t, s, "seen_once")() {
			t.Errorf("status %d: still there", status)
		}
	}
}

func TestRemoveEndsSeriesAndAddBringsThemBack(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "# TYPE v_total counter\nv_total 4\n")
	instance := add(t, s, f.URL)
	eventually(t, "up", isValue(t, s, "v_total", 4))
	if _, err := s.Add(t.Context(), TargetSpec{URL: f.addr()}); err == nil || !strings.Contains(err.Error(), "already scraped") {
		t.Errorf("second add: %v", err)
	}
	if err := s.Remove(instance); err != nil {
		t.Fatal(err)
	}
	if !absent(t, s, "v_total")() || !absent(t, s, "up")() {
		t.Error("still there")
	}
	if len(s.Targets()) != 0 {
		t.Error("still listed")
	}
	if err := s.Remove(instance); err == nil {
		t.Error("removed twice")
	}
	for range 3 {
		if again := add(t, s, f.URL); again != instance {
			t.Errorf("instance %s, was %s", again, instance)
		}
		eventually(t, "back", isValue(t, s, "v_total", 4))
		if err := s.Remove(instance); err != nil {
			t.Fatal(err)
		}
		if !absent(t, s, "v_total")() {
			t.Error("still there")
		}
	}
}

func TestSameAddressTwoPaths(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "")
	f.handler = func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "v{path=%q,q=%q} 1\n", r.URL.Path, r.URL.RawQuery)
	}
	a, b := add(t, s, f.URL), add(t, s, f.URL+"/engine/metrics?part=a")
	if a != f.addr() || b != f.addr()+"/engine/metrics" {
		t.Errorf("instances %s and %s", a, b)
	}
	eventually(t, "first", isValue(t, s, fmt.Sprintf(`v{instance=%q,path="/metrics"}`, a), 1))
	eventually(t, "second", isValue(t, s, fmt.Sprintf(`v{instance=%q,path="/engine/metrics",q="part=a"}`, b), 1))
	if got := s.Targets(); len(got) != 2 || got[0].Instance != a || strings.Contains(got[1].URL, "part") {
		t.Errorf("%+v", got)
	}
	if err := s.Remove(a); err != nil {
		t.Fatal(err)
	}
	scrapes(t, f, 2)
	eventually(t, "the neighbour on the same address", func() bool { return only(t, s, b).Health == sources.HealthUp })
}

func TestAddRefusesBadAddresses(t *testing.T) {
	s := open(t, Options{})
	for _, c := range []struct{ url, want string }{
		{"", "empty"},
		{"ftp://h/metrics", "only http"},
		{"http://", "no host"},
		{"http://h:99999/", "port"},
		{"http://h:1/metrics#x", "#fragment"},
		{"http://user:hunter2@h:x/metrics", "not a URL"},
		{"http://user:hun/ter2@h:80/metrics", ""},
		{"http://h:80/m?a=1&a=2", "twice"},
		{"http://höst:80/", "ASCII"},
		{"http://h\x1b[31m:80/", "not a URL"},
	} {
		_, err := s.Add(t.Context(), TargetSpec{URL: c.url})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("%q: %v", c.url, err)
			continue
		}
		if msg := err.Error(); strings.Contains(msg, "hunter2") || strings.Contains(msg, "hun/") || strings.ContainsRune(msg, 0x1b) {
			t.Errorf("%q: %v", c.url, err)
		}
	}
	for _, ls := range []map[string]string{{"job": "x"}, {"instance": "x"}, {"__x": "y"}, {"a-b": "c"}, {"le": "1"}, {"a": "\xff"}} {
		if _, err := s.Add(t.Context(), TargetSpec{URL: "h:1", Labels: ls}); err == nil {
			t.Errorf("labels %v: no error", ls)
		}
	}
	if _, err := s.Add(t.Context(), TargetSpec{URL: "https://h:1", CAFile: "/does/not/exist"}); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("missing CA file: %v", err)
	}
	if _, err := s.Add(t.Context(), TargetSpec{URL: "http://a:b@h:1", Bearer: "x"}); err == nil {
		t.Error("two kinds of credentials: no error")
	}
}

func TestParseTargetFillsIn(t *testing.T) {
	for in, want := range map[string]string{
		"h:8000":                         "http://h:8000/metrics",
		"http://h:8000":                  "http://h:8000/metrics",
		"http://H:8000/":                 "http://h:8000/metrics",
		"https://h":                      "https://h:443/metrics",
		"http://[::1]:9/x":               "http://[::1]:9/x",
		"http://u:p@h:1/a/b?x=1":         "http://h:1/a/b?x=1",
		" http://10.0.0.1:8081/metrics ": "http://10.0.0.1:8081/metrics",
	} {
		spec := TargetSpec{URL: in}
		u, err := parseTarget(&spec)
		if err != nil || u.String() != want {
			t.Errorf("%s: %v, %v; want %s", in, u, err, want)
		}
	}
}

func TestHangingTarget(t *testing.T) {
	s := open(t, Options{})
	hanging, fine := newFake(t, ""), newFake(t, "v 1\n")
	hang := make(chan struct{})
	hanging.set(func(f *fake) { f.hang = hang })
	t.Cleanup(func() { close(hang) })
	// The hour of timeout shows that nobody waits for it.
	h, err := s.Add(t.Context(), TargetSpec{URL: hanging.URL, Interval: time.Hour, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a request that hangs", func() bool { return hanging.requests() > 0 })
	add(t, s, fine.URL)
	eventually(t, "its neighbour", isValue(t, s, "v", 1))
	scrapes(t, fine, 5)
	if err := s.Remove(h); err != nil {
		t.Fatal(err)
	}
	late := newFake(t, "late 1\n")
	add(t, s, late.URL)
	eventually(t, "a target added behind it", func() bool { return late.requests() > 3 })

	if _, err := s.Add(t.Context(), TargetSpec{URL: hanging.URL, Interval: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the timeout", func() bool {
		return strings.HasPrefix(only(t, s, h).Error, "no answer within 100ms; hint: ")
	})
	if err := s.Remove(h); err != nil {
		t.Fatal(err)
	}
	n := hanging.requests()
	if _, err := s.Add(t.Context(), TargetSpec{URL: hanging.URL, Interval: 2 * time.Second, Timeout: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "probe and scrape hang", func() bool { return hanging.requests() >= n+2 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Close did not wait for the timeout: the scrape failed of its connection.
	if e := only(t, s, h).Error; !strings.Contains(e, "closed the connection") {
		t.Errorf("%q", e)
	}
}

// saying makes a fake answer with these bytes.
func saying(bytes string) func(*fake) {
	return func(f *fake) {
		f.handler = func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_, _ = io.WriteString(c, bytes)
				c.Close()
			}
		}
	}
}

func TestErrorsAreExplained(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(f *fake)
		spec TargetSpec
		want string
	}{
		{"404 json", func(f *fake) { f.status, f.contentType, f.body = 404, "application/json", `{"detail":"Not Found"}` }, TargetSpec{},
			"the server answered 404 not found; hint: engine started without --enable-metrics?"},
		{"404", func(f *fake) { f.status, f.body = 404, "nope" }, TargetSpec{}, "the server answered 404 not found; hint: another path"},
		{"401", func(f *fake) { f.status = 401 }, TargetSpec{}, "the server answered 401 unauthorized; hint: it wants a token"},
		{"401 with", func(f *fake) { f.status = 401 }, TargetSpec{Bearer: "hunter2"}, "hint: it does not take these"},
		{"503", func(f *fake) { f.status = 503 }, TargetSpec{}, "503 service unavailable; hint: "},
		{"html", func(f *fake) { f.contentType, f.body = "text/html", "<!DOCTYPE html><html><body>hi</body></html>" }, TargetSpec{},
			"the page is html, not metrics; hint: "},
		{"json", func(f *fake) { f.contentType, f.body = "application/json", `{"a":1}` }, TargetSpec{}, "the page is json, not metrics; hint: "},
		{"timestamp", func(f *fake) { f.body = "a 1 99999999999999999999999\n" }, TargetSpec{}, "not in the prometheus text format"},
		{"https", func(f *fake) { f.status, f.body = 400, "Client sent an HTTP request to an HTTPS server.\n" }, TargetSpec{}, "hint: the port wants https"},
		{"429", func(f *fake) { f.status = 429 }, TargetSpec{}, "429 too many requests; hint: it limits requests"},
		{"418", func(f *fake) { f.status = 418 }, TargetSpec{}, "418 i'm a teapot; hint: "},
		{"reason", saying("HTTP/1.1 500 token=hunter2 \x1b[31mred\r\nContent-Length: 0\r\n\r\n"), TargetSpec{}, "500 token=*** red; hint: "},
		{"header", saying("HTTP/1.1 302 Found\r\nLocation: http://h/\x1b?token=hunter2\r\n\r\n"), TargetSpec{}, "the answer is broken http: "},
		{"chunk", saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n"), TargetSpec{}, "the answer is broken http: invalid byte in chunk length; hint: "},
		{"escape", func(f *fake) { f.body = "a{\x1b[2Jb=\"c\"} 1\n" }, TargetSpec{}, "not in the prometheus text format"},
		{"body", func(f *fake) { f.body = strings.Repeat("# comment\n", 100) }, TargetSpec{BodyLimit: 500}, "the page is larger than 500 bytes; hint: "},
		{"samples", func(f *fake) { f.body = "a 1\nb 1\nc 1\n" }, TargetSpec{SampleLimit: 2}, "the page has more than 2 samples; hint: "},
		{"labels", func(f *fake) { f.body = `a{b="1",c="2",d="3"} 1` + "\n" }, TargetSpec{LabelLimit: 5}, "label_limit exceeded"},
		{"value", func(f *fake) { f.body = `a{b="` + strings.Repeat("x", labelValueLimit+1) + `"} 1` + "\n" }, TargetSpec{}, "length_limit exceeded"},
		{"not http", func(f *fake) {
			f.handler = func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					fmt.Fprint(c, "SSH-2.0-OpenSSH\r\n\r\n")
					c.Close()
				}
			}
		}, TargetSpec{}, "the answer is not http; hint: "},
		{"cut", func(f *fake) {
			f.handler = func(w http.ResponseWriter, _ *http.Request) {
				if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
					c.Close()
				}
			}
		}, TargetSpec{}, "the server closed the connection before it answered; hint: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, f := open(t, Options{}), newFake(t, "")
			f.set(c.set)
			c.spec.URL, c.spec.Interval = f.URL+"/?key=hunter2", 250*time.Millisecond
			instance, err := s.Add(t.Context(), c.spec)
			if err != nil {
				t.Fatal(err)
			}
			check := func(who string) {
				var x sources.Target
				eventually(t, who+": "+c.want, func() bool {
					x = only(t, s, instance)
					return x.Health == sources.HealthDown && strings.Contains(x.Error, c.want)
				})
				if strings.Contains(x.Error+x.URL, "hunter2") || strings.ContainsRune(x.Error, 0x1b) || strings.Contains(x.Error, "\n") {
					t.Errorf("%s: %q", who, x.Error)
				}
			}
			check("probe")
			scrapes(t, f, 2)
			check("scrape")
			if c.name == "body" && only(t, s, instance).Bytes != -1 {
				t.Errorf("bytes %d", only(t, s, instance).Bytes)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	s := open(t, Options{})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "v 1") }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	instance := add(t, s, srv.URL)
	eventually(t, "unknown CA", func() bool { return strings.Contains(only(t, s, instance).Error, "authority") })
	if err := s.Remove(instance); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), TargetSpec{URL: srv.URL, Interval: fast, InsecureTLS: true}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "up", isValue(t, s, "v", 1))
	if !only(t, s, instance).Insecure {
		t.Error("not marked insecure")
	}
	plain := newFake(t, "v 1\n")
	bad := add(t, s, strings.Replace(plain.URL, "http:", "https:", 1))
	eventually(t, "plain http", func() bool { return strings.Contains(only(t, s, bad).Error, "plain http; hint: ") })
}

func TestCredentialsBelongToOneOrigin(t *testing.T) {
	s := open(t, Options{})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	auth := func(f *fake) string {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.last.Get("Authorization")
	}
	token, basic, none := newFake(t, "a 1\n"), newFake(t, "b 1\n"), newFake(t, "c 1\n")
	if _, err := s.Add(t.Context(), TargetSpec{URL: token.URL, Interval: fast, BearerFile: file}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), TargetSpec{URL: "http://me:hunter2@" + basic.addr(), Interval: fast}); err != nil {
		t.Fatal(err)
	}
	add(t, s, none.URL)
	eventually(t, "all up", isValue(t, s, "sum(up)", 3))
	for _, f := range []*fake{token, basic, none} {
		scrapes(t, f, 1)
	}
	if got := auth(token); got != "Bearer hunter2" {
		t.Errorf("token: %q", got)
	}
	if got := auth(basic); !strings.HasPrefix(got, "Basic ") {
		t.Errorf("basic: %q", got)
	}
	if got := auth(none); got != "" {
		t.Errorf("none: %q", got)
	}
	for _, x := range s.Targets() {
		if strings.Contains(x.URL+x.Instance+x.Error, "hunter2") || strings.Contains(x.URL, "me") && !strings.Contains(x.URL, "metrics") {
			t.Errorf("%+v", x)
		}
	}

	// A redirect, with credentials and without, to a target and to a stranger.
	stranger := newFake(t, "d 1\n")
	redirect := func(to string) func(f *fake) {
		return func(f *fake) {
			f.handler = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
		}
	}
	n := none.requests()
	token.set(redirect(stranger.URL + "/metrics"))
	basic.set(redirect(none.URL + "/metrics"))
	eventually(t, "both refused", isValue(t, s, "sum(up)", 1))
	for _, x := range s.Targets()[:2] {
		if !strings.Contains(x.Error, "302 found; hint: ") {
			t.Errorf("%+v", x)
		}
	}
	none.set(redirect(stranger.URL + "/metrics"))
	eventually(t, "no redirect to a stranger", isValue(t, s, "sum(up)", 0))
	if e := s.Targets()[2].Error; !strings.Contains(e, stranger.addr()) || !strings.Contains(e, "hint: add that address") {
		t.Errorf("%q", e)
	}
	if stranger.requests() != 0 {
		t.Error("the stranger was asked")
	}
	if auth(none) != "" || none.requests() <= n {
		t.Error("the neighbour got credentials, or nothing at all")
	}
	// To another path of its own is fine.
	none.set(func(f *fake) {
		f.handler = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/metrics" {
				http.Redirect(w, r, "/metrics/", http.StatusTemporaryRedirect)
				return
			}
			fmt.Fprintln(w, "own 1")
		}
	})
	eventually(t, "its own redirect", isValue(t, s, "own", 1))
}

func TestKeepNames(t *testing.T) {
	s, f := open(t, Options{KeepNames: []string{"a", "sglang:b"}}), newFake(t, "a 1\nsglang:b 2\nab 3\nc 4\n")
	instance := add(t, s, f.URL)
	eventually(t, "kept", isValue(t, s, "sglang:b", 2))
	scrapes(t, f, 3)
	if v, _ := value1(t, s, `count({job="dynascope",__name__!~"up|scrape_.*"})`); v != 2 {
		t.Errorf("%v series kept", v)
	}
	if x := only(t, s, instance); x.Samples != 4 {
		t.Errorf("%d samples on the page", x.Samples)
	}
	if absent(t, s, "up")() {
		t.Error("up was dropped")
	}
}

// FuzzTargetAddress: an address is refused in one line that holds no password,
// or gives a URL without one.
func FuzzTargetAddress(f *testing.F) {
	for _, s := range []string{"h:1", "http://u:p@h/metrics?a=b", "[::1]:8000", "https://h:99999", "//h", "h:1\x1b[2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		spec := TargetSpec{URL: raw}
		u, err := parseTarget(&spec)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") || !strings.Contains(err.Error(), "hint: ") {
				t.Errorf("%q", err)
			}
			return
		}
		if u.User != nil || u.Host == "" || strings.ContainsAny(shown(u), "\n\x1b@?\u009b") && u.RawQuery == "" && !strings.Contains(u.Path, "@") {
			t.Errorf("%q gives %q", raw, shown(u))
		}
	})
}
