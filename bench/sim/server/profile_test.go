package server

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dynascope/bench/load"
)

// kineto is what is read back of a trace.
type kineto struct {
	Schema   int   `json:"schemaVersion"`
	BaseTime int64 `json:"baseTimeNanoseconds"`
	Dist     struct {
		Rank int
		Size int `json:"world_size"`
	} `json:"distributedInfo"`
	Events []struct {
		Ph, Cat, Name string
		Ts, Dur       float64
		Pid, Tid      any
		Args          map[string]any
	} `json:"traceEvents"`
}

func readTrace(path string) (k kineto, err error) {
	f, err := os.Open(path)
	if err != nil {
		return k, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return k, err
	}
	raw, err := io.ReadAll(z) // to the trailer: the file is whole
	if err != nil {
		return k, err
	}
	return k, json.Unmarshal(raw, &k)
}

// traffic keeps a frontend or server busy until the test ends.
func traffic(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := load.New().Run(ctx, load.Plan{URL: url, Model: "tiny", Requests: 1e6, Concurrency: 4, ISL: 64, OSL: 50, Stream: true})
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestProfileOfNumberedSteps(t *testing.T) {
	s := start(t, quick, Options{})
	traffic(t, s.url(t, "frontend0"))
	w, dir := s.url(t, "worker0"), t.TempDir()
	status, body := get(t, "POST", w+"/engine/control/start_profile",
		`{"output_dir":"`+dir+`","num_steps":5,"with_stack":false,"profile_id":"p1","activities":["CPU","GPU"]}`)
	if status != 200 || body != `{"message":"Profiling started","status":"ok"}` {
		t.Fatalf("%d %s", status, body)
	}
	// It ends by itself; a stop then says that nothing is in progress, and the
	// files are there, one a rank.
	for rank, name := range []string{"p1-TP-0.trace.json.gz", "p1-TP-1.trace.json.gz"} {
		var k kineto
		eventually(t, "a whole "+name, func() (ok bool) {
			var err error
			k, err = readTrace(filepath.Join(dir, name))
			return err == nil
		})
		if k.Schema != 1 || k.BaseTime == 0 || k.Dist.Rank != rank || k.Dist.Size != 2 {
			t.Errorf("%s: head %d %d %+v", name, k.Schema, k.BaseTime, k.Dist)
		}
		steps, kernels, launches := 0, map[float64]bool{}, map[float64]bool{}
		end := 0.0
		for _, e := range k.Events {
			switch e.Cat {
			case "user_annotation":
				if strings.HasPrefix(e.Name, "step[") {
					steps++
				}
			case "kernel":
				kernels[e.Args["correlation"].(float64)] = true
				if e.Pid != float64(rank) || e.Ts < end-1e-6 || e.Dur <= 0 {
					t.Fatalf("%s: kernel %+v, after %v", name, e, end)
				}
				end = e.Ts + e.Dur
			case "cuda_runtime":
				launches[e.Args["correlation"].(float64)] = true
			}
		}
		if steps != 5 || len(kernels) == 0 || len(kernels) != len(launches) {
			t.Errorf("%s: %d steps, %d kernels, %d launches", name, steps, len(kernels), len(launches))
		}
		if last := k.Events[len(k.Events)-1]; last.Name != "Record Window End" {
			t.Errorf("%s ends with %+v", name, last)
		}
	}
	eventually(t, "idle again", func() bool {
		status, body := get(t, "POST", w+"/engine/control/stop_profile", "")
		return status == 500 && strings.Contains(body, textNotInProgress)
	})
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("%d files", len(entries))
	}
}

// One row is one call in a sequence; each sequence is a worker's whole history.
func TestProfileStates(t *testing.T) {
	const start, stop = "/engine/control/start_profile", "/engine/control/stop_profile"
	type call struct {
		method, path, body string
		status             int
		has                string
	}
	for name, calls := range map[string][]call{
		"stop while idle":     {{"POST", stop, "", 500, `RuntimeError: ` + textNotInProgress}},
		"an empty body":       {{"POST", start, "", 200, "started"}, {"POST", stop, "", 200, "Profiling stopped"}, {"POST", stop, "", 500, "not in progress"}},
		"a GET starts":        {{"GET", start, "", 200, "started"}, {"GET", stop, "", 200, "stopped"}},
		"broken JSON":         {{"POST", start, "{", 400, "Invalid JSON"}, {"POST", stop, "", 500, "not in progress"}},
		"an unknown key":      {{"POST", start, `{"steps":3}`, 500, "TypeError"}, {"POST", stop, "", 500, "not in progress"}},
		"staged over running": {{"POST", start, "{}", 200, ""}, {"POST", start, `{"start_step":9}`, 500, "already in progress"}, {"POST", stop, "", 200, ""}},
		// The second plain start takes the handle of the first session with it.
		"plain over running": {{"POST", start, "{}", 200, ""}, {"POST", start, "{}", 500, "Kineto"}, {"POST", stop, "", 200, ""}, {"POST", stop, "", 500, ""}},
		"stop while armed": {{"POST", start, `{"start_step":1000000}`, 200, ""}, {"POST", stop, "", 500, "not in progress"},
			{"POST", start, "{}", 500, "already in progress"}},
		"steps without traffic": {{"POST", start, `{"num_steps":2}`, 200, ""}, {"POST", start, `{"start_step":5}`, 500, "already"}, {"POST", stop, "", 200, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			w := s.url(t, "worker0")
			for i, c := range calls {
				status, body := get(t, c.method, w+c.path, c.body)
				if status != c.status || !strings.Contains(body, c.has) {
					t.Fatalf("call %d, %s %s: %d %s", i, c.path, c.body, status, body)
				}
			}
		})
	}
}

func startServer(t *testing.T) *Server { return start(t, quick, Options{}) }

func TestProfileByStage(t *testing.T) {
	s := start(t, quick, Options{})
	traffic(t, s.url(t, "frontend0"))
	dir := t.TempDir()
	status, body := get(t, "POST", s.url(t, "worker1")+"/engine/control/start_profile",
		`{"output_dir":"`+dir+`","num_steps":2,"profile_by_stage":true,"profile_id":"s","profile_prefix":"x"}`)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for _, name := range []string{"x-s-TP-0-EXTEND", "x-s-TP-0-DECODE", "x-s-TP-1-EXTEND", "x-s-TP-1-DECODE"} {
		eventually(t, name, func() bool {
			k, err := readTrace(filepath.Join(dir, name+".trace.json.gz"))
			return err == nil && len(k.Events) > 5
		})
	}
}

func TestProfileOfPlainServer(t *testing.T) {
	s := start(t, strings.Replace(quick, "models: [tiny]", "models: [tiny]\n  kind: plain-sglang", 1), Options{ProfileDir: t.TempDir()})
	w := s.url(t, "worker0")
	traffic(t, w)
	if status, body := get(t, "POST", w+"/start_profile", `{"profile_id":"p"}`); status != 200 || body != "Start profiling.\n" {
		t.Fatalf("%d %q", status, body)
	}
	eventually(t, "steps", func() bool {
		p := s.ends[0].profiler
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.session.steps) >= 3
	})
	if status, body := get(t, "GET", w+"/stop_profile", ""); status != 200 || !strings.HasPrefix(body, "Stop profiling.") {
		t.Fatalf("%d %q", status, body)
	}
	// The answer came after the files.
	if _, err := readTrace(filepath.Join(s.opt.ProfileDir, "p-TP-1.trace.json.gz")); err != nil {
		t.Error(err)
	}
	if status, body := get(t, "POST", w+"/stop_profile", ""); status != http.StatusInternalServerError || !strings.Contains(body, textNotInProgress) {
		t.Errorf("%d %q", status, body)
	}
}
