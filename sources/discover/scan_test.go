package discover

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func refuse(_ context.Context, network, addr string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

// host is a made-up loopback: what listens where, and a record of every
// connection and every request.
type host struct {
	t testing.TB

	mu       sync.Mutex
	at       map[string]string // address → real address of a test server
	hang     map[string]bool   // never answers the connection
	dials    []string
	requests []string // "8000 GET /metrics"
}

func newHost(t testing.TB) *host {
	return &host{t: t, at: map[string]string{}, hang: map[string]bool{}}
}

func (h *host) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	h.mu.Lock()
	h.dials = append(h.dials, addr)
	to, hang := h.at[addr], h.hang[addr]
	h.mu.Unlock()
	switch {
	case hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case to == "":
		return refuse(ctx, network, addr)
	}
	return (&net.Dialer{}).DialContext(ctx, network, to)
}

func (h *host) listen(addr, real string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at[addr] = real
}

// serve puts pages behind an address; a path without a page is 404.
func (h *host) serve(addr string, pages map[string]string) *httptest.Server {
	return h.handle(addr, func(w http.ResponseWriter, r *http.Request) {
		body, ok := pages[r.URL.RequestURI()]
		if !ok {
			http.Error(w, `{"detail":"Not Found"}`, http.StatusNotFound)
			return
		}
		fmt.Fprint(w, body)
	})
}

func (h *host) handle(addr string, fn http.HandlerFunc) *httptest.Server {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		h.t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, port+" "+r.Method+" "+r.URL.RequestURI())
		h.mu.Unlock()
		fn(w, r)
	}))
	h.t.Cleanup(srv.Close)
	h.listen(addr, srv.Listener.Addr().String())
	return srv
}

// took empties the record.
func (h *host) took() (dials, requests []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	dials, requests = h.dials, h.requests
	h.dials, h.requests = nil, nil
	slices.Sort(dials)
	slices.Sort(requests)
	return dials, requests
}

func (h *host) scanner(p *proc) *Scanner { return New(Options{Proc: p.root, Dial: h.dial}) }

const modelList = `{"object":"list","data":[{"id":"qwen"}]}`

func outcomes(r Report) map[string]string {
	out := map[string]string{}
	for _, t := range r.Tried {
		out[t.Addr] = strings.TrimSpace(string(t.Outcome) + " " + t.Detail)
	}
	return out
}

// TestOnlyWhatIsAllowed is honesty.md's rule: no port that neither the table
// nor a process names, and on the others nothing but the two identifying
// paths, and /health of a frontend.
func TestOnlyWhatIsAllowed(t *testing.T) {
	h, p := newHost(t), newProc(t)
	frontend := string(recorded(t, "1.6.1/agg/after/frontend.metrics.txt"))
	health := string(recorded(t, "1.6.1/agg/after/frontend.health.json"))
	h.serve("127.0.0.1:8000", map[string]string{"/metrics": frontend, "/health": health, "/v1/models": modelList})
	h.serve("127.0.0.1:18081", map[string]string{"/metrics": string(recorded(t, "1.6.1/agg/after/worker0.metrics.txt")), "/health": "no"})
	h.serve("[::1]:30000", map[string]string{"/metrics": string(made(t, "sglang_old")), "/health": "runs the model"})
	h.serve("127.0.0.1:9090", map[string]string{"/metrics": string(made(t, "prometheus")), "/health": "no"})
	h.serve("127.0.0.1:8081", map[string]string{"/health": "no"})
	h.serve("127.0.0.1:29500", map[string]string{"/metrics": "a torch store"})
	// An SGLang server sits on the port that a frontend's flag names, too.
	h.serve("127.0.0.1:30001", map[string]string{"/metrics": string(made(t, "sglang_old")), "/health": "runs the model"})
	// And one without metrics.
	h.serve("127.0.0.1:30002", map[string]string{"/v1/models": modelList, "/health": "runs the model"})
	p.run(10, words("python -m dynamo.sglang --port 29500 --nccl-port 29500"), words("DYN_SYSTEM_PORT=18081 MASTER_PORT=29500"))
	p.run(11, words("python -m dynamo.frontend --http-port 30001"), []string{})
	p.run(12, words("python -m dynamo.frontend --http-port 30002"), []string{})
	p.run(13, words("torchrun --master-port 29500"), []string{})

	r := h.scanner(p).Scan(t.Context())
	dials, requests := h.took()
	want := []string{
		"18081 GET /metrics", "30000 GET /metrics", "30001 GET /metrics", "30002 GET /metrics", "30002 GET /v1/models",
		"8000 GET /health", "8000 GET /metrics", "8081 GET /metrics", "9090 GET /metrics",
	}
	if !slices.Equal(requests, want) {
		t.Errorf("requests %q\nwant %q", requests, want)
	}
	allowed := map[string]bool{"18081": true, "30001": true, "30002": true}
	for _, port := range Ports() {
		for i := range port.Count {
			allowed[strconv.Itoa(port.Port+i)] = true
		}
	}
	for _, d := range dials {
		ip, port, err := net.SplitHostPort(d)
		if err != nil || ip != "127.0.0.1" && ip != "::1" || !allowed[port] {
			t.Errorf("connected to %s", d)
		}
	}

	byAddr := map[string]Found{}
	for _, f := range r.Found {
		byAddr[f.Addr] = f
	}
	f := byAddr["127.0.0.1:8000"]
	if f.Role != roleFrontend || len(f.Instances) != 2 || string(f.Body) != frontend || f.URL != "http://127.0.0.1:8000/metrics" {
		t.Errorf("frontend: %v, %d instances, %d bytes", f, len(f.Instances), len(f.Body))
	}
	w := byAddr["127.0.0.1:18081"]
	if w.Role != roleWorker || w.WorkerID != "13c396659ae5721a" || w.Engine != "sglang" {
		t.Errorf("worker: %v", w)
	}
	if w.Why[0].String() != "Dynamo worker: environment of pid 10, DYN_SYSTEM_PORT" {
		t.Errorf("worker: why %v", w.Why)
	}
	if s := byAddr["[::1]:30000"]; s.Role != roleWorker || s.Engine != "sglang" || s.Instances != nil {
		t.Errorf("sglang on ::1: %v", s)
	}
	if s := byAddr["127.0.0.1:30001"]; s.Role != roleWorker {
		t.Errorf("sglang behind a frontend's flag: %v", s)
	}
	if pr := byAddr["127.0.0.1:9090"]; pr.Role != rolePrometheus || pr.Scrapes() || !strings.Contains(pr.String(), "--prometheus http://127.0.0.1:9090") {
		t.Errorf("prometheus: %v", pr)
	}
	for _, target := range r.Targets() {
		if strings.Contains(target.URL, "9090") {
			t.Errorf("Prometheus is scraped: %v", r.Targets())
		}
	}
	// One of the frontend's two workers has its page here.
	if u := r.Unmatched(); len(u) != 1 || u[0].Decimal != "12584247846675562288" || u[0].ID != "aea43abe0a923f30" || u[0].Host != "192.0.2.2" {
		t.Errorf("unmatched: %v", u)
	}
	tried := outcomes(r)
	for addr, want := range map[string]string{
		"127.0.0.1:8081":  "answered 404",
		"127.0.0.1:30002": "serves models without metrics qwen; hint: an SGLang server needs --enable-metrics",
		"localhost:9085":  "refused",
		"127.0.0.1:30000": "refused",
		"[::1]:30000":     "found worker sglang",
	} {
		if tried[addr] != want {
			t.Errorf("%s: %q, want %q", addr, tried[addr], want)
		}
	}
}

func TestOutcomes(t *testing.T) {
	h, p := newHost(t), newProc(t)
	raw := func(addr, answer string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		t.Cleanup(func() { l.Close(); wg.Wait() })
		wg.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				buf := make([]byte, 1024)
				_, _ = c.Read(buf)
				fmt.Fprint(c, answer)
				c.Close()
			}
		})
		h.listen(addr, l.Addr().String())
	}
	answer := func(status int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	ports := map[string]string{}
	next := 20000
	addr := func(want string) string {
		next++
		a := "127.0.0.1:" + strconv.Itoa(next)
		ports[a] = want
		return a
	}
	h.handle(addr("not metrics HTML"), answer(200, "<!DOCTYPE html><html>"))
	h.handle(addr("not metrics JSON"), answer(200, `[{"iter":1}]`))
	h.handle(addr("not metrics an empty page"), answer(200, ""))
	h.handle(addr("answered 503"), answer(503, "\x1b[31mno"))
	h.handle(addr("answered 401; hint: it wants credentials, name it with --target"), answer(401, ""))
	h.handle(addr("answered 302, a redirect, which is not followed"), answer(302, "", "Location", "http://127.0.0.1:29500/metrics"))
	h.handle(addr("metrics of something else 1 series, none known; hint: --target http://127.0.0.1:"+strconv.Itoa(next+1)), answer(200, string(made(t, "node"))))
	raw(addr("does not speak HTTP"), "SSH-2.0-OpenSSH_9\r\n")
	raw(addr("closed without an answer"), "")
	raw(addr("speaks TLS hint: --target https://HOST:PORT"), "\x15\x03\x01\x00\x02\x02\x46")
	h.handle(addr("speaks TLS hint: --target https://HOST:PORT"), answer(400, "Client sent an HTTP request to an HTTPS server."))
	hung := addr("timeout")
	h.hang[hung] = true
	stuck := make(chan struct{})
	h.handle(addr("timeout"), func(http.ResponseWriter, *http.Request) { <-stuck })
	h.handle(addr("found worker sglang"), func(w http.ResponseWriter, _ *http.Request) { // stops in the middle
		_, _ = w.Write(made(t, "sglang_old"))
		w.(http.Flusher).Flush()
		<-stuck
	})
	t.Cleanup(func() { close(stuck) }) // before the servers close, which waits for their handlers
	for i := range len(ports) {
		p.run(100+i, words("python -m dynamo.mocker"), []string{"DYN_SYSTEM_PORT=" + strconv.Itoa(20001+i)})
	}
	r := New(Options{Proc: p.root, Dial: h.dial, Ports: []Port{}}).Scan(t.Context())
	got := outcomes(r)
	for a, want := range ports {
		if got[a] != want {
			t.Errorf("%s: %q, want %q", a, got[a], want)
		}
	}
	if slices.Contains(h.dials, "127.0.0.1:29500") {
		t.Error("a redirect was followed")
	}
	if len(r.Found) != 1 || r.Found[0].Body != nil {
		t.Errorf("found %v", r.Found)
	}
	for _, l := range r.Lines() {
		if strings.ContainsAny(l, "\x1b\n") {
			t.Errorf("line %q", l)
		}
	}
}

func TestProgramsOwnPage(t *testing.T) {
	h, p := newHost(t), newProc(t)
	h.serve("127.0.0.1:8002", map[string]string{"/v1/models": modelList, "/metrics": "[]"})
	h.serve("127.0.0.1:8003", map[string]string{"/v1/models": "no list"})
	h.serve("127.0.0.1:8004", map[string]string{"/metrics": string(made(t, "renamed_frontend")), "/health": `{"status":"healthy","instances":[]}`})
	p.run(10, words("trtllm-serve m --port 8002"), []string{})
	p.run(11, words("trtllm-serve m --port 8003"), []string{})
	p.run(12, words("python -m dynamo.frontend --http-port 8004 --metrics-prefix acme"), []string{})
	r := New(Options{Proc: p.root, Dial: h.dial, Ports: []Port{}}).Scan(t.Context())
	_, requests := h.took()
	if want := []string{"8002 GET /v1/models", "8003 GET /v1/models", "8004 GET /health", "8004 GET /metrics"}; !slices.Equal(requests, want) {
		t.Errorf("requests %q, want %q", requests, want)
	}
	if len(r.Found) != 2 || r.Found[0].URL != "http://127.0.0.1:8002/prometheus/metrics" ||
		r.Found[1].Role != roleFrontend || r.Found[1].Prefix != "acme" {
		t.Errorf("found %v", r.Found)
	}
}

func TestSkip(t *testing.T) {
	h, p := newHost(t), newProc(t)
	h.serve("127.0.0.1:8000", map[string]string{"/metrics": ""})
	s := New(Options{Proc: p.root, Dial: h.dial, Skip: func(addr string) bool { return strings.HasSuffix(addr, ":8000") }})
	s.Scan(t.Context())
	if dials, _ := h.took(); slices.ContainsFunc(dials, func(d string) bool { return strings.HasSuffix(d, ":8000") }) {
		t.Errorf("connected to %v", dials)
	}
}

func TestRescan(t *testing.T) {
	h, p := newHost(t), newProc(t)
	worker := string(recorded(t, "1.6.1/agg/after/worker0.metrics.txt"))
	frontend := map[string]string{"/metrics": string(recorded(t, "1.6.1/agg/after/frontend.metrics.txt")), "/health": `{"instances":[]}`}
	h.serve("127.0.0.1:8000", frontend)
	p.run(10, words("python -m dynamo.sglang"), words("DYN_SYSTEM_PORT=18081"))
	s := h.scanner(p)
	r := s.Scan(t.Context())
	if len(r.Found) != 1 || r.Found[0].Body == nil {
		t.Fatalf("found %v", r.Found)
	}

	// A worker that was still starting appears, and the frontend's list grows;
	// the frontend's page is not asked again.
	h.took()
	h.serve("127.0.0.1:18081", map[string]string{"/metrics": worker})
	h.mu.Lock()
	frontend["/health"] = string(recorded(t, "1.6.1/agg/after/frontend.health.json"))
	h.mu.Unlock()
	r = s.Scan(t.Context())
	_, requests := h.took()
	if want := []string{"18081 GET /metrics", "8000 GET /health"}; !slices.Equal(requests, want) {
		t.Errorf("requests %q, want %q", requests, want)
	}
	if len(r.Found) != 2 || len(r.Found[0].Instances) != 2 || r.Found[0].Body != nil || r.Found[1].WorkerID == "" {
		t.Errorf("found %v", r.Found)
	}

	// Nothing changed: connections only, and the frontend's list.
	r = s.Scan(t.Context())
	if _, requests := h.took(); !slices.Equal(requests, []string{"8000 GET /health"}) {
		t.Errorf("requests %q", requests)
	}
	if got := outcomes(r)["127.0.0.1:18081"]; got != "still there worker sglang" {
		t.Errorf("outcome %q", got)
	}

	// The worker dies: it stays, marked, while its process is listed …
	h.listen("127.0.0.1:18081", "")
	r = s.Scan(t.Context())
	if len(r.Found) != 2 || !r.Found[1].Gone {
		t.Errorf("found %v", r.Found)
	}
	// … and when that is gone too its port is left alone.
	h.serve("127.0.0.1:18081", map[string]string{"/metrics": worker})
	p.end(10)
	h.took()
	r = s.Scan(t.Context())
	if dials, _ := h.took(); slices.Contains(dials, "127.0.0.1:18081") {
		t.Errorf("connected to %v", dials)
	}
	if len(r.Found) != 2 || !r.Found[1].Gone {
		t.Errorf("found %v", r.Found)
	}
	// It comes back under another process.
	p.run(20, words("python -m dynamo.sglang"), words("DYN_SYSTEM_PORT=18081"))
	r = s.Scan(t.Context())
	if len(r.Found) != 2 || r.Found[1].Gone || r.Found[1].Why[0].PID != 20 || r.Found[1].Body == nil {
		t.Errorf("found %v", r.Found)
	}
	// At last it is forgotten.
	h.listen("127.0.0.1:18081", "")
	s.known["127.0.0.1:18081"].seen = time.Now().Add(-forgetAfter - time.Second)
	if r = s.Scan(t.Context()); len(r.Found) != 1 {
		t.Errorf("found %v", r.Found)
	}
}

// TestTimeIsBounded: with every port black-holed a scan ends by its own
// clock, says what it left out, and the next one begins there.
func TestTimeIsBounded(t *testing.T) {
	h, p := newHost(t), newProc(t)
	for i := range 60 {
		p.run(100+i, words("python -m dynamo.mocker"), []string{"DYN_SYSTEM_PORT=" + strconv.Itoa(20000+i)})
		h.hang["127.0.0.1:"+strconv.Itoa(20000+i)] = true
	}
	s := New(Options{Proc: p.root, Dial: h.dial, Ports: []Port{}})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	r := s.Scan(ctx)
	left := map[string]bool{}
	for _, x := range r.Tried {
		left[x.Addr] = x.Outcome == OutcomeNotTried
	}
	if len(r.Tried) != 60 || !left["127.0.0.1:20059"] || left["127.0.0.1:20000"] {
		t.Fatalf("tried %v", r.Tried)
	}
	h.took()
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	s.Scan(ctx)
	dials, _ := h.took()
	for _, d := range dials {
		if !left[d] {
			t.Errorf("asked %s again before the others had their turn", d)
		}
	}
}

func TestTooManyPorts(t *testing.T) {
	r := New(Options{Proc: t.TempDir(), Dial: refuse, Ports: []Port{{Port: 20000, Count: maxPorts + 10, Ask: pathMetrics}}}).Scan(t.Context())
	if len(r.Tried) != maxPorts || !strings.Contains(strings.Join(r.Notes, " "), "10 of ") {
		t.Errorf("%d tried, notes %v", len(r.Tried), r.Notes)
	}
}

func TestDialGuard(t *testing.T) {
	a := newAsker(func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialled")
		return nil, context.Canceled
	}, map[int]bool{8000: true}, requestTime)
	for _, addr := range []string{"127.0.0.1:8001", "10.0.0.1:8000", "localhost:8000", "[::2]:8000", "169.254.169.254:8000"} {
		if r := a.get(t.Context(), addr, pathMetrics, 10); r.err == nil {
			t.Errorf("%s: asked", addr)
		}
		if err := a.listens(t.Context(), addr); err == nil {
			t.Errorf("%s: connected", addr)
		}
	}
}

func TestWatch(t *testing.T) {
	h, p := newHost(t), newProc(t)
	tick := make(chan time.Time)
	s := New(Options{Proc: p.root, Dial: h.dial, Interval: time.Second, after: func(d time.Duration) <-chan time.Time {
		if d != 10*time.Second {
			t.Errorf("interval %v", d)
		}
		return tick
	}})
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan Report)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx, func(r Report) { reports <- r })
	}()
	if r := <-reports; len(r.Found) != 0 {
		t.Errorf("found %v", r.Found)
	}
	h.serve("127.0.0.1:8081", map[string]string{"/metrics": string(recorded(t, "1.6.1/agg/after/worker0.metrics.txt"))})
	tick <- time.Time{}
	if r := <-reports; len(r.Found) != 1 {
		t.Errorf("found %v", r.Found)
	}
	cancel()
	<-done
}

func TestInstances(t *testing.T) {
	if _, err := instances([]byte("<html>")); err == nil {
		t.Error("HTML is taken for a list")
	}
	list, err := instances([]byte(`{"instances":[
		{"component":"backend","endpoint":"generate","namespace":"a\u001b[31mb","instance_id":18446744073709551615,"transport":{"tcp":"[fd00::1]:4000/x"}},
		{"component":"backend","endpoint":"generate","instance_id":18446744073709551615},
		{"component":"backend","endpoint":"generate","instance_id":1.5},
		{"component":"backend","endpoint":"router-discovery","instance_id":7}]}`))
	if err != nil || len(list) != 1 || list[0].ID != "ffffffffffffffff" || list[0].Host != "fd00::1" || list[0].Namespace != "ab" {
		t.Errorf("got %v, %v", list, err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(modelList))
	f.Add(recorded(f, "1.6.1/agg/after/frontend.health.json"))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, _ := models(b)
		list, _ := instances(b)
		for _, in := range list {
			names = append(names, in.ID, in.Namespace, in.Component, in.Host)
		}
		for _, n := range names {
			if strings.ContainsAny(n, "\x1b\n\r") {
				t.Errorf("%q", n)
			}
		}
	})
}
