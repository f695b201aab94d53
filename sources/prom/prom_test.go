package prom

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dynascope/sources"
)

// quiet is a store without its look in the background.
func quiet(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

const scalarOne = `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`

func ask(s *Store) ([]sources.Series, error) {
	return s.Instant(context.Background(), "up", time.Unix(1_700_000_000, 0))
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       []sources.Series
		warning    string
	}{
		{"scalar", `{"resultType":"scalar","result":[12.5,"3"]}`, []sources.Series{{Labels: sources.Labels{}, Points: []sources.Point{{T: 12500, V: 3}}}}, ""},
		{"vector", `{"resultType":"vector","result":[{"metric":{"__name__":"x","a":"b"},"value":[1,"+Inf"]},{"metric":{},"value":[1,"-Inf"]}]}`,
			[]sources.Series{{Labels: sources.Labels{"a": "b"}, Points: []sources.Point{{T: 1000, V: math.Inf(1)}}}, {Labels: sources.Labels{}, Points: []sources.Point{{T: 1000, V: math.Inf(-1)}}}}, ""},
		{"nothing", `{"resultType":"vector","result":[]}`, nil, ""},
		{"nulls", `{"resultType":"vector","result":[null]}`, nil, ""},
		{"native histogram", `{"resultType":"vector","result":[{"metric":{"a":"b"},"histogram":[1,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]}]}`, nil, "native"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"status":"success","data":%s}`, c.data)
			})})
			got, err := ask(s)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			if w := s.Warning(); !strings.Contains(w, c.warning) || c.warning == "" && w != "" {
				t.Errorf("warning %q", w)
			}
		})
	}
	s := quiet(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","warnings":["half \u001b[31mred"],"infos":["not a counter"],"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"NaN"]}]}}`)
	})})
	got, err := ask(s)
	if err != nil || len(got) != 1 || !math.IsNaN(got[0].Points[0].V) {
		t.Errorf("NaN: %v %v", got, err)
	}
	if w := s.Warning(); w != "prometheus: half red" {
		t.Errorf("warning %q", w)
	}
	if i := s.Infos(); len(i) != 1 || i[0] != "not a counter" {
		t.Errorf("infos %q", i)
	}
}

func TestBadAnswers(t *testing.T) {
	fail := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	const apiError = `{"status":"error","errorType":"%s","error":"it \u001b]0;x\u0007broke\nhere"}`
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   []string
	}{
		{"400", fail(400, fmt.Sprintf(apiError, "bad_data")), []string{"refused the question", "it broke here"}},
		{"401", fail(401, "no"), []string{"401", "hint: give a bearer token"}},
		{"401 html", fail(401, "<html>login</html>"), []string{"401", "web page", "hint:"}},
		{"403", fail(403, ""), []string{"403", "hint:"}},
		{"404", fail(404, "404 page not found"), []string{"404", "prefix"}},
		{"422", fail(422, fmt.Sprintf(apiError, "execution")), []string{"could not answer", "hint:"}},
		{"422 timeout", fail(422, fmt.Sprintf(apiError, "timeout")), []string{"too long", "hint:"}},
		{"422 html", fail(422, "<html>"), []string{"422", "web page"}},
		{"429", fail(429, "slow down"), []string{"429", "slow down", "hint:"}},
		{"500", fail(500, fmt.Sprintf(apiError, "internal")), []string{"500", "it broke here", "hint:"}},
		{"502 html", fail(502, "<html>nginx</html>"), []string{"502", "web page"}},
		{"503", fail(503, fmt.Sprintf(apiError, "unavailable")), []string{"503", "hint:"}},
		{"secret in body", fail(500, `token=abcdefgh12345678`), []string{"500", "***"}},
		{"web page", fail(200, "<!DOCTYPE html><html>Sign in</html>"), []string{"web page", "/prometheus"}},
		{"empty", fail(200, ""), []string{"nothing", "hint:"}},
		{"text", fail(200, "hello"), []string{"hello", "hint:"}},
		{"half", fail(200, `{"status":"success","data":{"resultType":"vector","result":[{"metr`), []string{"cannot be read", "hint:"}},
		{"no data", fail(200, `{"status":"success"}`), []string{"hint:"}},
		{"null", fail(200, `{"status":"success","data":null}`), []string{"hint:"}},
		{"a string", fail(200, `{"status":"success","data":{"resultType":"string","result":[1,"x"]}}`), []string{"string"}},
		{"wrong type", fail(200, `{"status":"success","data":{"resultType":"vector","result":{"a":1}}}`), []string{"ask http://"}},
		{"a number where text belongs", fail(200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,2]}]}}`), []string{"ask http://"}},
		{"error with 200", fail(200, fmt.Sprintf(apiError, "execution")), []string{"could not answer"}},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"status":`)
		}, []string{"broke off"}},
		{"bad gzip", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, scalarOne)
		}, []string{"unpacked"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet(t, Options{URL: serve(t, c.answer)})
			got, err := ask(s)
			if err == nil {
				t.Fatalf("no error: %v", got)
			}
			line := err.Error()
			for _, w := range c.want {
				if !strings.Contains(line, w) {
					t.Errorf("%q lacks %q", line, w)
				}
			}
			if strings.ContainsAny(line, "\n\x1b\a") || len(line) > 700 || strings.Contains(line, "abcdefgh") {
				t.Errorf("not fit for a line: %q", line)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	var got http.Header
	var path string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header.Clone(), r.URL.Path
		fmt.Fprint(w, scalarOne)
	})
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"none", Options{URL: url}, ""},
		{"bearer", Options{URL: url, Bearer: "tok"}, "Bearer tok"},
		{"bearer file", Options{URL: url, BearerFile: file}, "Bearer one"},
		{"basic", Options{URL: url, Username: "u", Password: "p"}, "Basic dTpw"},
		{"basic file", Options{URL: url, Username: "u", PasswordFile: file}, "Basic dTpvbmU="},
		{"in the URL", Options{URL: strings.Replace(url, "://", "://u:p@", 1)}, "Basic dTpw"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Headers = map[string]string{"X-Scope-OrgID": "team"}
			s := quiet(t, c.o)
			if _, err := ask(s); err != nil {
				t.Fatal(err)
			}
			if got.Get("Authorization") != c.want || got.Get("X-Scope-OrgID") != "team" || path != "/api/v1/query" {
				t.Errorf("%v %v", got, path)
			}
			if strings.Contains(s.URL(), "@") {
				t.Errorf("shows %q", s.URL())
			}
		})
	}
	s := quiet(t, Options{URL: url + "/prometheus/", BearerFile: file})
	write("two")
	if _, err := ask(s); err != nil || got.Get("Authorization") != "Bearer two" || path != "/prometheus/api/v1/query" {
		t.Errorf("a renewed token: %v %q %q", err, got.Get("Authorization"), path)
	}
	write("")
	if _, err := ask(s); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an emptied file: %v", err)
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("a\nb"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"no URL":            {},
		"no host":           {URL: "http://"},
		"ftp":               {URL: "ftp://h"},
		"parameters":        {URL: "http://h/?a=b"},
		"not a URL":         {URL: "http://user:hunter2@h:port"},
		"two credentials":   {URL: "http://user:hunter2@h", Bearer: "x"},
		"token and user":    {URL: "h", Bearer: "x", Username: "u"},
		"token twice":       {URL: "h", Bearer: "x", BearerFile: junk},
		"password alone":    {URL: "h", Password: "hunter2"},
		"no such file":      {URL: "h", BearerFile: filepath.Join(dir, "none")},
		"two lines":         {URL: "h", BearerFile: junk},
		"certificate alone": {URL: "h", CertFile: junk},
		"junk certificate":  {URL: "h", CertFile: junk, KeyFile: junk},
		"junk authority":    {URL: "h", CAFile: junk},
		"no authority":      {URL: "h", CAFile: filepath.Join(dir, "none")},
		"header name":       {URL: "h", Headers: map[string]string{"a b": "c"}},
		"header value":      {URL: "h", Headers: map[string]string{"a": "c\r\nd: e"}},
		"host header":       {URL: "h", Headers: map[string]string{"host": "x"}},
		"two authorities":   {URL: "h", Bearer: "x", Headers: map[string]string{"authorization": "y"}},
	} {
		s, err := Open(context.Background(), o)
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: accepted", name)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", name, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	var leaked atomic.Bool
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(true)
		fmt.Fprint(w, scalarOne)
	})
	for _, c := range []struct {
		name, to string
		status   int
		ok       bool
	}{
		{"another server", other + "/api/v1/query", 307, false},
		{"another server, found", other + "/login?secret=1", 302, false},
		{"same server", "/there", 307, true},
		{"same server, question lost", "/there", 302, false},
		{"round and round", "/api/v1/query", 308, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/there" {
					fmt.Fprint(w, scalarOne)
					return
				}
				http.Redirect(w, r, c.to, c.status)
			})
			_, err := ask(quiet(t, Options{URL: url, Bearer: "tok"}))
			if (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), "redirects to") || !strings.Contains(err.Error(), "hint:") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("%q", err)
			}
			if leaked.Load() {
				t.Error("the other server was asked")
			}
		})
	}
}

func TestGETFallback(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		if r.URL.Query().Get("query") == "up" {
			fmt.Fprint(w, scalarOne)
		}
	})
	if _, err := ask(quiet(t, Options{URL: url})); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	big := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[`)
		for i := range 10_000 {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"metric":{"i":"%d"},"value":[1,"1"]}`, i)
		}
		fmt.Fprint(w, `]}}`)
	})
	if _, err := ask(quiet(t, Options{URL: big, BodyLimit: 1000})); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("body limit: %v", err)
	}
	if _, err := ask(quiet(t, Options{URL: big, MaxSamples: 9_999})); err == nil || !strings.Contains(err.Error(), "9999 samples") {
		t.Errorf("sample limit: %v", err)
	}
	if got, err := ask(quiet(t, Options{URL: big, MaxSamples: 10_000})); err != nil || len(got) != 10_000 {
		t.Errorf("at the limit: %d %v", len(got), err)
	}
	s := quiet(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.Repeat(" ", 3*smallAnswer)+scalarOne)
	})})
	for range 2 { // the token comes back
		if got, err := ask(s); err != nil || len(got) != 1 {
			t.Errorf("in pieces: %v %v", got, err)
		}
	}
	cut := quiet(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(10*smallAnswer))
		fmt.Fprint(w, strings.Repeat(" ", 3*smallAnswer+7))
	})})
	if _, err := ask(cut); err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("broken off late: %v", err)
	}
	for name, span := range map[string]sources.Span{
		"backwards": {From: time.Unix(2, 0), To: time.Unix(1, 0), Step: time.Second},
		"no step":   {From: time.Unix(1, 0), To: time.Unix(2, 0)},
		"too long":  {From: time.Unix(0, 0), To: time.Unix(11_000, 0), Step: time.Second},
	} {
		if _, err := s.Range(context.Background(), "up", span); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	matrix := quiet(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"]]}]}}`)
	})})
	if _, err := ask(matrix); err == nil || !strings.Contains(err.Error(), "range of points") {
		t.Errorf("a range for one moment: %v", err)
	}
	got, err := matrix.Range(context.Background(), "up", sources.Span{From: time.Unix(1, 0), To: time.Unix(2, 0), Step: time.Second})
	if err != nil || len(got) != 1 || len(got[0].Points) != 2 {
		t.Errorf("range: %v %v", got, err)
	}
}

// TestDeadServer: two questions wait, the rest fail at once, and a server that
// comes back is asked again.
func TestDeadServer(t *testing.T) {
	hang, alive := make(chan struct{}), atomic.Bool{}
	var asked atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if !alive.Load() {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		fmt.Fprint(w, scalarOne)
	})
	t.Cleanup(func() { close(hang) })
	s := quiet(t, Options{URL: url, Timeout: 30 * time.Millisecond})
	for range 10 {
		if _, err := ask(s); err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 30ms") {
			t.Fatalf("%v", err)
		}
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("%d questions waited for a dead server", n)
	}
	s.refresh()
	if w := s.Warning(); !strings.Contains(w, "no answer") {
		t.Errorf("warning %q", w)
	}
	alive.Store(true)
	s.refresh()
	if _, err := ask(s); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	srv := httptest.NewServer(nil)
	url := srv.URL
	srv.Close()
	for name, c := range map[string]struct{ url, want string }{
		"refused":         {url, "is the server running"},
		"https on http":   {strings.Replace(serve(t, func(http.ResponseWriter, *http.Request) {}), "http://", "https://", 1), "hint:"},
		"unknown signer":  {tlsServer(t), "hint: name the file of the authority"},
		"cut off":         {resets(t), "hint: http or https?"},
		"cancelled":       {url, "context canceled"},
		"after the close": {url, "closed"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		s := quiet(t, Options{URL: c.url})
		switch name {
		case "cancelled":
			cancel()
		case "after the close":
			_ = s.Close()
		}
		_, err := s.Instant(ctx, "up", time.Now())
		cancel()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// resets is a server that cuts every connection off.
func resets(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			one := make([]byte, 1)
			_, _ = c.Read(one) // so that the client has written
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func tlsServer(t *testing.T) string {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, scalarOne) }))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestCertificates: a server with its own authority that wants a client
// certificate.
func TestCertificates(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 1 {
			fmt.Fprint(w, scalarOne)
		}
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert := srv.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{URL: srv.URL, CAFile: file("ca", "CERTIFICATE", srv.Certificate().Raw)}
	if _, err := ask(quiet(t, o)); err == nil {
		t.Error("without a client certificate: no error")
	}
	o.CertFile, o.KeyFile = file("cert", "CERTIFICATE", cert.Certificate[0]), file("key", "PRIVATE KEY", key)
	if _, err := ask(quiet(t, o)); err != nil {
		t.Error(err)
	}
}

func TestInsecureIsMarked(t *testing.T) {
	s := quiet(t, Options{URL: tlsServer(t), InsecureTLS: true})
	if _, err := ask(s); err != nil {
		t.Fatal(err)
	}
	s.view.targets = nil
	ts := []sources.Target{{Instance: "a", Interval: time.Second, LastGood: time.Now()}}
	if err := s.complete(context.Background(), time.Now(), ts, nil); err != nil || !ts[0].Insecure {
		t.Errorf("%v %v", ts, err)
	}
}

// FuzzAnswer: whatever a server answers, a question ends in numbers or one
// line.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		scalarOne, `{}`, `{"status":"success","data":{"resultType":"vector","result":[null,{"metric":null,"value":[1,"NaN"]}]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"le":"1"},"values":[[1,"1"]],"histograms":[[1,{"count":"1"}]]}]}}`,
		`{"status":"error","errorType":"bad_data","error":"x"}`, `<html>`,
		`{"status":"success","data":{"activeTargets":[{"labels":{"instance":"a"},"health":"up","scrapeInterval":"1s","lastScrape":"2026-01-01T00:00:00Z"}]}}`,
	} {
		f.Add(200, []byte(s))
		f.Add(422, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			status = 200
		}
		s := quiet(t, Options{URL: "http://h"})
		s.http.http.Transport = fixed{status, body}
		for _, ask := range []func() ([]sources.Series, error){
			func() ([]sources.Series, error) { return s.instant(context.Background(), "x", time.Unix(1, 0)) },
			func() ([]sources.Series, error) {
				return s.Range(context.Background(), "x", sources.Span{From: time.Unix(1, 0), To: time.Unix(2, 0), Step: time.Second})
			},
		} {
			if _, err := ask(); err != nil && (err.Error() == "" || strings.ContainsAny(err.Error(), "\n\r\x1b")) {
				t.Errorf("%q", err)
			}
		}
		if list, err := decodeTargets(body); err == nil {
			for _, a := range list {
				if g := a.target(); g.Interval < 0 || strings.ContainsAny(g.Error, "\n\x1b") {
					t.Errorf("%+v", g)
				}
			}
		}
	})
}

// fixed answers every request the same.
type fixed struct {
	status int
	body   []byte
}

func (f fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(f.status)
	_, _ = w.Write(f.body)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// fake is a server that answers queries by a table: what the query contains →
// data.
type fake struct {
	answers map[string]string
	targets string // data of /api/v1/targets, empty: 404
	queries []string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/api/v1/targets") {
		if f.targets == "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":%s}`, f.targets)
		return
	}
	q := r.FormValue("query")
	f.queries = append(f.queries, q)
	for part, data := range f.answers {
		if strings.Contains(q, part) {
			fmt.Fprintf(w, `{"status":"success","data":%s}`, data)
			return
		}
	}
	fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
}

func vector(rows ...map[string]string) string {
	var result []any
	for _, r := range rows {
		result = append(result, map[string]any{"metric": r, "value": []any{1_700_000_000, "1"}})
	}
	b, _ := json.Marshal(map[string]any{"resultType": "vector", "result": result})
	return string(b)
}

// FuzzAddress: an address is refused in one line that holds no password, or
// gives a URL without one.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"h", "https://u:p@h/prometheus/", "h:9090/api/v1", "http://h?a", "//", "h\x1b[2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		o := Options{URL: raw}
		u, err := o.complete()
		switch {
		case err != nil:
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q", err)
			}
		case u.User != nil || u.Host == "":
			t.Errorf("%q gives %q", raw, u)
		}
	})
}
