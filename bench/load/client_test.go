package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

var epoch time.Time

// serve starts a server that closes with the test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// chat answers as Dynamo does: a chunk a token, one with the finish reason,
// one with the usage, [DONE].
func chat(w http.ResponseWriter, tokens int, done bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n")
	for range tokens {
		fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":\" ba\"}}],\"usage\":null}\n\n")
		w.(http.Flusher).Flush()
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":null}\n\n")
	if done {
		fmt.Fprintf(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":%d}}\n\n", tokens)
		fmt.Fprintf(w, "data: [DONE]\n\n")
	}
}

func plan(url string) Plan {
	return Plan{URL: url, Model: "tiny", Requests: 10, Concurrency: 3, ISL: 20, OSL: 5, Stream: true, Seed: 1}
}

func mustRun(t *testing.T, p Plan) Result {
	t.Helper()
	r, err := New().Run(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != r.OK+r.Failed+r.Cancelled {
		t.Errorf("sent %d is not %d + %d + %d", r.Sent, r.OK, r.Failed, r.Cancelled)
	}
	return r
}

func TestStreaming(t *testing.T) {
	var mu sync.Mutex
	prompts, starts := map[string]bool{}, map[string]bool{}
	inFlight, most := 0, 0
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var b map[string]any
		raw, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Error(err)
		}
		if r.URL.Path != "/v1/chat/completions" || r.Method != "POST" || r.Header.Get("Authorization") != "Bearer x" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if b["model"] != "tiny" || b["max_tokens"] != 5.0 || b["min_tokens"] != 5.0 || b["ignore_eos"] != true || b["stream"] != true ||
			fmt.Sprint(b["stream_options"]) != "map[include_usage:true]" {
			t.Errorf("body %s", raw)
		}
		p := b["messages"].([]any)[0].(map[string]any)["content"].(string)
		mu.Lock()
		prompts[p] = true
		starts[strings.Join(strings.Fields(p)[:4], " ")] = true
		if n := len(strings.Fields(p)); n != 20 {
			t.Errorf("%d syllables", n)
		}
		inFlight++
		most = max(most, inFlight)
		mu.Unlock()
		chat(w, 5, true)
		mu.Lock()
		inFlight--
		mu.Unlock()
	})
	p := plan(url)
	p.Header = http.Header{"authorization": {"Bearer x"}}
	r := mustRun(t, p)
	if r.OK != 10 || r.OutputTokens != 50 || r.InputTokens != 70 || r.Streaming != 10 || len(r.TTFT) != 10 || len(r.Errors) != 0 {
		t.Errorf("%+v", r)
	}
	for _, d := range r.TTFT {
		if d <= 0 || d > r.Elapsed {
			t.Errorf("TTFT %v in a run of %v", d, r.Elapsed)
		}
	}
	if len(prompts) != 10 || len(starts) != 10 {
		t.Errorf("%d prompts with %d beginnings in 10 requests", len(prompts), len(starts))
	}
	if most > 3 {
		t.Errorf("%d in flight", most)
	}
	mustRun(t, p)
	if len(prompts) != 10 {
		t.Error("the same seed sent other prompts")
	}
}

func TestNotStreaming(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		if strings.Contains(string(raw), "stream_options") {
			t.Errorf("body %s", raw)
		}
		fmt.Fprint(w, `{"choices":[{"message":{"role":"assistant","content":"ba be"}}],"usage":{"prompt_tokens":7,"completion_tokens":5}}`)
	})
	p := plan(url + "/v1")
	p.Stream = false
	r := mustRun(t, p)
	if r.OK != 10 || r.OutputTokens != 50 || r.InputTokens != 70 || r.Streaming != 0 || len(r.TTFT) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestFailures(t *testing.T) {
	type handler = http.HandlerFunc
	status := func(code int, body string) handler {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		h         handler
		want      string
		streaming int
	}{
		"500":           {status(500, `{"error":{"message":"boom","type":"x"}}`), "http 500: boom", 0},
		"503":           {status(503, `{"message":"no worker","code":503}`), "http 503: no worker", 0},
		"529":           {status(529, `{"error":"all workers are busy"}`), "http 529: all workers are busy", 0},
		"400 names it":  {status(400, `{"message":"unknown field ignore_eos"}`), "http 400: unknown field ignore_eos", 0},
		"validation":    {status(422, `{"detail":"bad"}`), "http 422: bad", 0},
		"text body":     {status(502, "<h1>bad\x1b[31m gateway\n</h1>"), "http 502: <h1>bad gateway </h1>", 0},
		"no body":       {status(504, ""), "http 504", 0},
		"secret inside": {status(401, `{"message":"bad api_key=hunter2hunter2"}`), "http 401: bad api_key=***", 0},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusTemporaryRedirect)
		}, "http 307", 0},
		"no [DONE]":    {func(w http.ResponseWriter, _ *http.Request) { chat(w, 3, false) }, "the stream ended before [DONE]", 1},
		"empty stream": {func(http.ResponseWriter, *http.Request) {}, "an empty stream", 0},
		"html":         {status(200, "<html></html>"), "an empty stream", 0},
		"no token":     {func(w http.ResponseWriter, _ *http.Request) { chat(w, 0, true) }, "an answer without a token", 0},
		"error event": {status(200, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\nevent: error\n: worker gone\n\n"),
			"error in the stream: worker gone", 1},
		"error chunk": {status(200, "data: {\"error\":{\"message\":\"oom\"}}\n\n"), "error in the stream: oom", 0},
		"cut connection": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			fmt.Fprint(w, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n")
		}, "read the stream: unexpected EOF", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(serve(t, c.h))
			p.Requests, p.Concurrency = 1, 1
			r := mustRun(t, p)
			if r.Failed != 1 || r.Streaming != c.streaming || r.OutputTokens != 0 || len(r.TTFT) != 0 {
				t.Errorf("%+v", r)
			}
			for kind := range r.Errors {
				if !strings.HasPrefix(kind, c.want) || strings.ContainsAny(kind, "\x1b\n") {
					t.Errorf("error %q, want %q", kind, c.want)
				}
			}
			if len(r.Errors) != 1 {
				t.Errorf("errors %v", r.Errors)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	url := s.URL
	s.Close()
	p := plan(strings.Replace(url, "http://", "http://user:hunter2@", 1))
	r := mustRun(t, p)
	if r.Failed != 10 || len(r.Errors) != 1 {
		t.Errorf("%+v", r)
	}
	for kind := range r.Errors {
		if !strings.Contains(kind, "refused") || strings.Contains(kind, "hunter2") {
			t.Errorf("error %q", kind)
		}
	}
}

func TestManyKindsOfErrors(t *testing.T) {
	var mu sync.Mutex
	n := 0
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		n++
		http.Error(w, fmt.Sprintf("request %d failed", n), 500)
	})
	p := plan(url)
	p.Requests = 100
	r := mustRun(t, p)
	if len(r.Errors) != maxErrorKinds+1 || r.Errors["other errors"] != 100-maxErrorKinds || r.Failed != 100 {
		t.Errorf("%d kinds, %d others", len(r.Errors), r.Errors["other errors"])
	}
}

// A server that never goes on is given up after the timeout.
func TestStall(t *testing.T) {
	for name, first := range map[string]string{"before the header": "", "in the stream": "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if first != "" {
					fmt.Fprint(w, first)
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
			})
			p := plan(url)
			p.Requests, p.Timeout = 2, 150*time.Millisecond
			r := mustRun(t, p)
			if r.Failed != 2 || r.Errors["no end within the timeout of 150ms"] != 2 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	started := make(chan struct{}, 100)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		started <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("the engineer pressed X")
	go func() {
		for range 3 {
			<-started
		}
		cancel(why)
	}()
	r, err := New().Run(ctx, plan(url))
	if !errors.Is(err, why) || r.Sent != 3 || r.Cancelled != 3 || r.Failed != 0 || len(r.Errors) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = New().Run(ctx, plan(url))
	if !errors.Is(err, why) || r.Sent != 0 {
		t.Errorf("already cancelled: %+v, %v", r, err)
	}
}

// With a duration and no number the run ends although answers never cease.
func TestDuration(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { chat(w, 2, true) })
	p := plan(url)
	p.Requests, p.Duration = 0, 200*time.Millisecond
	r := mustRun(t, p)
	if r.OK == 0 || r.OK != r.Sent || r.Elapsed < p.Duration {
		t.Errorf("%+v", r)
	}
}

// An open loop does not wait for answers, until places run out; then it says so.
func TestOpenLoop(t *testing.T) {
	var mu sync.Mutex
	inFlight := 0
	full := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		if inFlight++; inFlight == 5 {
			close(full)
		}
		mu.Unlock()
		<-full // nobody is answered before all five are here
		chat(w, 1, true)
	})
	p := plan(url)
	p.Requests, p.Concurrency, p.Rate = 5, 0, 1000
	if r := mustRun(t, p); r.OK != 5 || r.Late != 0 {
		t.Errorf("%+v", r)
	}
	slow := serve(t, func(w http.ResponseWriter, _ *http.Request) { chat(w, 1, true) })
	p = plan(slow)
	p.Requests, p.Concurrency, p.Rate = 200, 1, MaxRate
	if r := mustRun(t, p); r.OK != 200 || r.Late == 0 {
		t.Errorf("%+v", r)
	}
}

func TestPlanIsBounded(t *testing.T) {
	good := plan("http://h:1")
	for name, change := range map[string]func(*Plan){
		"no end":          func(p *Plan) { p.Requests = 0 },
		"no model":        func(p *Plan) { p.Model = "" },
		"requests":        func(p *Plan) { p.Requests = MaxRequests + 1 },
		"minus requests":  func(p *Plan) { p.Requests, p.Duration = -1, time.Second },
		"duration":        func(p *Plan) { p.Duration = 25 * time.Hour },
		"concurrency":     func(p *Plan) { p.Concurrency = MaxConcurrency + 1 },
		"no input":        func(p *Plan) { p.ISL = 0 },
		"no output":       func(p *Plan) { p.OSL = 0 },
		"rate":            func(p *Plan) { p.Rate = MaxRate + 1 },
		"timeout":         func(p *Plan) { p.Timeout = -1 },
		"scheme":          func(p *Plan) { p.URL = "ftp://h" },
		"no host":         func(p *Plan) { p.URL = "" },
		"not an address":  func(p *Plan) { p.URL = "http://u:hunter2@h:port" },
		"control in host": func(p *Plan) { p.URL = "http://h\x1b[31m" },
	} {
		p := good
		change(&p)
		r, err := New().Run(context.Background(), p)
		if err == nil || r.Sent != 0 || !strings.Contains(err.Error(), "hint: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

func TestEndpoint(t *testing.T) {
	const want = "http://h:8000/v1/chat/completions"
	for _, in := range []string{"h:8000", "http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/", want} {
		if got, err := endpoint(in); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if got, err := endpoint("https://h/proxy/v1?key=1"); err != nil || got != "https://h/proxy/v1/chat/completions?key=1" {
		t.Errorf("%s, %v", got, err)
	}
}
