package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/world"
)

func start(t testing.TB, yaml string, opt Options) *Server {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(context.Background(), world.Config{Scenario: sc}, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *Server) url(t testing.TB, name string) string {
	t.Helper()
	for _, e := range s.Endpoints() {
		if e.Name == name {
			return e.URL
		}
	}
	t.Fatalf("no endpoint %s in %+v", name, s.Endpoints())
	return ""
}

// client does not keep connections: each request finds the door as it is.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

func get(t testing.TB, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// quick is a deployment whose steps take a millisecond or two.
const quick = `
duration: 1h
deployment:
  models: [tiny]
  full: true
  pools: [{workers: 2, tp: 2, params: {step_overhead: 500us, weight_time: 1ms, comm_per_step: 1us}}]
`

func TestAnswers(t *testing.T) {
	s := start(t, quick, Options{})
	front := s.url(t, "frontend0")
	for _, stream := range []bool{true, false} {
		r, err := load.New().Run(context.Background(), load.Plan{
			URL: front, Model: "tiny", Requests: 60, Concurrency: 12, ISL: 100, OSL: 20, Stream: stream, Seed: 1,
		})
		if err != nil || r.OK != 60 || r.OutputTokens != 1200 || r.InputTokens < 6000 || len(r.Errors) != 0 {
			t.Errorf("stream %v: %+v, %v", stream, r, err)
		}
	}
	_, page := get(t, "GET", front+"/metrics", "")
	for _, want := range []string{
		`dynamo_frontend_requests_total{endpoint="chat_completions",error_type="",model="tiny",request_type="stream",status="success"} 60`,
		`dynamo_frontend_requests_total{endpoint="chat_completions",error_type="",model="tiny",request_type="unary",status="success"} 60`,
		`dynamo_frontend_time_to_first_token_seconds_count{model="tiny"} 60`,
		`dynamo_frontend_inter_token_latency_seconds_count{model="tiny"} 1140`,
		`dynamo_frontend_output_tokens_total{model="tiny"} 2400`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("not on the page: %s", want)
		}
	}
	if l := s.Lateness(); l.Tokens != 1200 || l.P50 > l.P99 || l.P99 > l.Worst {
		t.Errorf("lateness %+v", l)
	}
}

func TestFrontendRoutes(t *testing.T) {
	s := start(t, quick, Options{})
	front := s.url(t, "frontend0")
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/live", "", 200, `"status":"live"`},
		{"GET", "/health", "", 200, `"status":"healthy"`},
		{"GET", "/v1/models", "", 200, `"id":"tiny"`},
		{"POST", "/v1/completions", `{"model":"tiny","prompt":"a b c","max_tokens":3}`, 200, `"completion_tokens":3`},
		{"POST", "/v1/completions", `{"model":"tiny","prompt":[1,2,3],"max_tokens":2,"stream":true}`, 200, "data: [DONE]\n\n"},
		{"POST", "/v1/chat/completions", `{"model":"other","messages":[{"role":"user","content":"x"}]}`, 404, "Model not found"},
		{"POST", "/v1/chat/completions", `{"model":"other","stream":true,"messages":[{"role":"user","content":"x"}]}`, 404, "Model not found"},
		{"POST", "/v1/chat/completions", `{`, 400, "deserialize"},
		{"POST", "/v1/chat/completions", `{"model":"tiny","nvext":{"ignore_eos":true},"messages":[{"role":"user","content":"x"}]}`, 400, "ignore_eos"},
		{"GET", "/nothing", "", 404, ""},
	} {
		status, body := get(t, c.method, front+c.path, c.body)
		if status != c.status || !strings.Contains(body, c.has) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, body)
		}
	}
	// Instance ids are whole numbers beyond what a float holds.
	_, body := get(t, "GET", front+"/health", "")
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var h struct {
		Instances []struct {
			Endpoint   string
			InstanceID json.Number `json:"instance_id"`
			Transport  map[string]string
		}
	}
	if err := d.Decode(&h); err != nil {
		t.Fatal(err)
	}
	generate := 0
	for _, i := range h.Instances {
		if i.Endpoint == "generate" {
			generate++
			id := i.InstanceID.String()
			var n uint64
			if _, err := fmt.Sscan(id, &n); err != nil || !strings.Contains(i.Transport["tcp"], fmt.Sprintf("/%x/", n)) {
				t.Errorf("instance %+v", i)
			}
		}
	}
	if generate != 2 {
		t.Errorf("%d instances generate", generate)
	}
}

// A chunk a token, one with the reason, one with the usage, the end.
func TestStreamForm(t *testing.T) {
	s := start(t, quick, Options{})
	_, body := get(t, "POST", s.url(t, "frontend0")+"/v1/chat/completions",
		`{"model":"tiny","stream":true,"max_tokens":5,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"one two three"}]}`)
	events := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	if len(events) != 8 || events[7] != "data: [DONE]" {
		t.Fatalf("%d events: %s", len(events), body)
	}
	for i, e := range events[:7] {
		var c struct {
			Choices []struct {
				Delta struct{ Content string }
				Why   *string `json:"finish_reason"`
			}
			Usage *struct {
				Prompt int `json:"prompt_tokens"`
				Out    int `json:"completion_tokens"`
			}
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(e, "data: ")), &c); err != nil {
			t.Fatalf("event %q: %v", e, err)
		}
		switch {
		case i < 5 && (len(c.Choices) != 1 || c.Choices[0].Delta.Content == "" || c.Choices[0].Why != nil),
			i == 5 && (len(c.Choices) != 1 || c.Choices[0].Why == nil || *c.Choices[0].Why != "length"),
			i == 6 && (len(c.Choices) != 0 || c.Usage == nil || c.Usage.Prompt != 3 || c.Usage.Out != 5):
			t.Errorf("event %d: %s", i, e)
		}
	}
}

// A client that goes away is counted, and its place is free again.
func TestClientGoesAway(t *testing.T) {
	s := start(t, quick, Options{})
	front := s.url(t, "frontend0")
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", front+"/v1/chat/completions",
		strings.NewReader(`{"model":"tiny","stream":true,"max_tokens":100000,"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, "the cancellation on the page", func() bool {
		_, page := get(t, "GET", front+"/metrics", "")
		return strings.Contains(page, `error_type="cancelled",model="tiny",request_type="stream",status="error"} 1`) &&
			strings.Contains(page, `dynamo_frontend_active_requests{model="tiny"} 0`)
	})
}

// eventually waits for what the simulation does in its own time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestWorkerRoutes(t *testing.T) {
	mocker := strings.Replace(quick, "full: true", "full: false", 1)
	for _, c := range []struct {
		name, yaml, path string
		opt              Options
		status           int
		has              string
	}{
		{"ready", quick, "/health", Options{}, 200, `"generate":"ready"`},
		{"a mocker", mocker, "/health", Options{}, 503, `"status":"notready"`},
		{"a mocker lives", mocker, "/live", Options{}, 503, `"generate":"ready"`},
		{"a ready mocker", mocker, "/health", Options{Ready: true}, 200, `"status":"ready"`},
		{"a mocker's profile", mocker, "/engine/control/start_profile", Options{}, 404, "Route /engine/control/start_profile not found"},
		{"metadata", quick, "/metadata", Options{}, 404, "not available"},
		{"elsewhere", quick, "/x", Options{}, 404, "Route not found"},
		{"the other profile route", quick, "/engine/start_profile", Options{}, 404, "not found"},
		{"the other profile route, old", quick, "/engine/control/start_profile", Options{OldEngineRoutes: true}, 404, "not found"},
		{"hidden", quick, "/engine/control/start_profile", Options{NoProfileRoutes: true}, 404, "not found"},
		{"metrics", quick, "/metrics", Options{}, 200, `dynamo_component_uptime_seconds{`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.yaml, c.opt)
			status, body := get(t, "GET", s.url(t, "worker1")+c.path, "")
			if status != c.status || !strings.Contains(body, c.has) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestPlainSGLang(t *testing.T) {
	s := start(t, strings.Replace(quick, "models: [tiny]", "models: [tiny]\n  kind: plain-sglang", 1), Options{})
	for _, e := range s.Endpoints() {
		if e.Role == "frontend" {
			t.Errorf("a frontend: %+v", e)
		}
	}
	w := s.url(t, "worker1")
	r, err := load.New().Run(context.Background(), load.Plan{URL: w, Model: "tiny", Requests: 8, Concurrency: 4, ISL: 50, OSL: 10, Stream: true})
	if err != nil || r.OK != 8 || r.OutputTokens != 80 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, c := range []struct {
		path   string
		status int
		has    string
	}{
		{"/health", 200, ""}, {"/health_generate", 200, ""}, {"/v1/models", 200, `"root":"tiny"`}, {"/model_info", 200, `"model_path":"tiny"`},
		{"/server_info", 200, `"tp_size":2`}, {"/get_server_info", 200, `"max_total_num_tokens":`},
		{"/v1/loads", 200, `"disaggregation":`}, {"/v1/loads?include=core", 200, `"num_running_reqs":`}, {"/v1/loads?include=memory,queues", 200, `"queues":`},
		{"/v1/loads?dp_rank=7", 200, `"loads":[]`}, {"/v1/loads?dp_rank=x", 422, "dp_rank"},
		{"/v1/loads?include=nonsense", 400, "nonsense"}, {"/metrics", 200, "sglang:num_requests_total"}, {"/nothing", 404, "Not Found"},
	} {
		if status, body := get(t, "GET", w+c.path, ""); status != c.status || !strings.Contains(body, c.has) {
			t.Errorf("%s: %d %.300s", c.path, status, body)
		}
	}
	var loads struct {
		Timestamp   time.Time
		Accelerator string
		Number      int `json:"num_accelerators"`
		Loads       []map[string]any
	}
	if _, body := get(t, "GET", w+"/v1/loads?include=queues", ""); json.Unmarshal([]byte(body), &loads) != nil || loads.Timestamp.IsZero() ||
		loads.Accelerator != "NVIDIA H200" || loads.Number != 2 || len(loads.Loads) != 1 || loads.Loads[0]["queues"] == nil || loads.Loads[0]["memory"] != nil {
		t.Errorf("%s", body)
	}
	if _, body := get(t, "GET", w+"/metrics", ""); strings.Contains(body, "dynamo_") {
		t.Error("a plain server has Dynamo's families")
	}
	if _, body := get(t, "GET", s.url(t, "worker0")+"/metrics", ""); !strings.Contains(body, "sglang:") || strings.Contains(body, "sglang:num_requests_total{engine_type=\"unified\",is_streaming=\"True\",model_name=\"tiny\"} 8") {
		t.Error("the other server answered too")
	}
}

// What happens to a page happens to the scrape of it.
func TestHTTPFaults(t *testing.T) {
	for kind, check := range map[string]func(t *testing.T, url string){
		"metrics_down": func(t *testing.T, url string) {
			if status, _ := get(t, "GET", url+"/metrics", ""); status != 0 {
				t.Errorf("status %d", status)
			}
			if status, _ := get(t, "GET", url+"/health", ""); status != 200 {
				t.Errorf("health %d: it serves on", status)
			}
		},
		"kill": func(t *testing.T, url string) {
			for _, path := range []string{"/metrics", "/health"} {
				if status, _ := get(t, "GET", url+path, ""); status != 0 {
					t.Errorf("%s: status %d", path, status)
				}
			}
		},
		"hang":         hangs,
		"metrics_hang": hangs,
		"metrics_truncated": func(t *testing.T, url string) {
			if status, body := get(t, "GET", url+"/metrics", ""); status != 200 || strings.HasSuffix(body, "\n") {
				t.Errorf("%d …%s", status, body[max(0, len(body)-50):])
			}
		},
		"metrics_garbage": func(t *testing.T, url string) {
			if status, body := get(t, "GET", url+"/metrics", ""); status != 200 || !strings.Contains(body, "<html>") {
				t.Errorf("%d %s", status, body)
			}
		},
		"metrics_huge": func(t *testing.T, url string) {
			resp, err := client.Get(url + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || n < 64<<20 {
				t.Errorf("%d bytes, %v", n, err)
			}
		},
		"metrics_slow, delay: 50ms": func(t *testing.T, url string) {
			begin := time.Now()
			if status, _ := get(t, "GET", url+"/metrics", ""); status != 200 || time.Since(begin) < 50*time.Millisecond {
				t.Errorf("%d after %v", status, time.Since(begin))
			}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			s := start(t, quick+"faults: [{at: 0s, kind: "+kind+", target: worker0}]\n", Options{})
			eventually(t, "the beginning", func() (begun bool) {
				s.driver.look(func() { begun = s.world.Now() > 0 })
				return begun
			})
			check(t, s.url(t, "worker0"))
			if status, _ := get(t, "GET", s.url(t, "worker1")+"/metrics", ""); status != 200 {
				t.Errorf("the other worker: %d", status)
			}
		})
	}
}

func hangs(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := client.Do(req); err == nil {
		resp.Body.Close()
		t.Error("it answered")
	} else if ctx.Err() == nil {
		t.Errorf("it failed at once: %v", err)
	}
}

// A request whose worker dies in mid-stream: status 200, then an error event.
func TestBrokenStream(t *testing.T) {
	s := start(t, quick+"faults: [{at: 300ms, kind: kill, target: worker}]\n", Options{})
	status, body := get(t, "POST", s.url(t, "frontend0")+"/v1/chat/completions",
		`{"model":"tiny","stream":true,"max_tokens":100000,"messages":[{"role":"user","content":"x"}]}`)
	if status != 200 || !strings.Contains(body, "event: error\ndata: {") || strings.Contains(body, "[DONE]") {
		t.Errorf("%d …%s", status, body[max(0, len(body)-300):])
	}
}

// A fixed schedule keeps its promise in virtual time, and its stamps belong to
// the tokens that were sent.
func TestFixedSchedule(t *testing.T) {
	f, err := StartFixed(context.Background(), FixedOptions{TTFT: 30 * time.Millisecond, ITL: 3 * time.Millisecond, Model: "fixed"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := load.New().Run(context.Background(), load.Plan{URL: f.URL(), Model: "fixed", Requests: 30, Concurrency: 10, ISL: 10, OSL: 15, Stream: true})
	if err != nil || r.OK != 30 || r.OutputTokens != 450 {
		t.Fatalf("%+v, %v", r, err)
	}
	recs := f.Records()
	if len(recs) != 30 {
		t.Fatalf("%d records", len(recs))
	}
	for _, rec := range recs {
		if !rec.Done || len(rec.Writes) != 15 {
			t.Fatalf("record %+v", rec)
		}
		for k, at := range rec.Writes {
			if due := rec.Arrived.Add(30*time.Millisecond + time.Duration(k)*3*time.Millisecond); at.Before(due) {
				t.Errorf("token %d was written %v early", k, due.Sub(at))
			}
		}
	}
	if l := f.Lateness(); l.Tokens != 450 {
		t.Errorf("%+v", l)
	}
}

func TestEndpointsAreJSON(t *testing.T) {
	s := start(t, quick, Options{})
	raw, err := json.Marshal(s.Endpoints())
	if err != nil || bytes.ContainsRune(raw, '\n') || !bytes.Contains(raw, []byte(`"role":"dcgm"`)) {
		t.Errorf("%s, %v", raw, err)
	}
	if _, err := Start(context.Background(), world.Config{Scenario: s.world.Scenario()}, Options{Frontend: "0.0.0.0:0"}); err == nil {
		t.Error("it listens beyond loopback")
	}
}
