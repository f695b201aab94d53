package profiling

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fast is a timing for tests. It decides no test: a wait that is too short
// would end in another state, so those that matter are long.
var fast = Timing{Poll: 2 * time.Millisecond, Quiet: 10 * time.Millisecond, Lost: 80 * time.Millisecond, Record: 60 * time.Millisecond,
	Remote: 10 * time.Millisecond, Start: 20 * time.Second, Stop: 20 * time.Second}

// fake is a worker that answers as its fields say, and keeps what was asked.
type fake struct {
	start, stop func(w http.ResponseWriter, body map[string]any)
	prefix      string // of the routes it has

	mu    sync.Mutex
	calls []string
}

func (f *fake) serve(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.calls = append(f.calls, r.Method+" "+r.URL.Path)
		f.mu.Unlock()
		raw, _ := io.ReadAll(r.Body)
		body := map[string]any{}
		_ = json.Unmarshal(raw, &body)
		switch r.URL.Path {
		case f.prefix + "start_profile":
			f.start(w, body)
		case f.prefix + "stop_profile":
			f.stop(w, body)
		default:
			http.Error(w, `{"error":"Route not found","message":"nothing here"}`, 404)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func (f *fake) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls, ", ")
}

const none = "Profiling is not in progress. Call /start_profile first."

func reply(status int, text string) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, _ map[string]any) { http.Error(w, text, status) }
}

// writes answers a start and writes whole files of the given ranks.
func writes(t *testing.T, ranks ...int) func(http.ResponseWriter, map[string]any) {
	return func(w http.ResponseWriter, body map[string]any) {
		for _, r := range ranks {
			name := filepath.Join(body["output_dir"].(string), fmt.Sprintf("%s-TP-%d.trace.json.gz", body["profile_id"], r))
			if err := writeTrace(name, `"Record Window End"`); err != nil {
				t.Error(err)
			}
		}
		reply(200, `{"status":"ok","message":"Profiling started"}`)(w, body)
	}
}

func writeTrace(path, last string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	_, err = fmt.Fprintf(z, `{"schemaVersion":1,"traceEvents":[{"ph":"X","cat":"kernel","name":"k","pid":0,"tid":7,"ts":1,"dur":1,"args":{}},{"ph":"i","s":"g","name":%s,"pid":"","tid":"","ts":2}]}`, last)
	return errors.Join(err, z.Close(), f.Close())
}

func runner(t *testing.T) *Runner {
	return &Runner{Locks: filepath.Join(t.TempDir(), "locks"), Timing: fast}
}

func planFor(t *testing.T, url string, ranks int) Plan {
	return Plan{Worker: Worker{URL: url, Local: true, Ranks: ranks}, ID: "p1", Dir: filepath.Join(t.TempDir(), "out"), Steps: 3}
}

// phases keeps the phases a session went through.
func phases(into *[]string) func(Event) {
	return func(e Event) {
		if n := len(*into); n == 0 || (*into)[n-1] != string(e.Record.Phase) {
			*into = append(*into, string(e.Record.Phase))
		}
	}
}

func TestAnswersOfWorkers(t *testing.T) {
	ok := reply(200, `{"status":"ok"}`)
	for name, c := range map[string]struct {
		f      *fake
		change func(*Plan)
		want   Phase
		words  string
		path   string // phases
		asked  string // contained in the calls
	}{
		"it ends by itself": {f: &fake{start: writes(t, 0, 1), stop: reply(500, none)}, want: Done, words: "2 files",
			path: "checking recording exporting verifying done"},
		"older routes": {f: &fake{prefix: "/engine/", start: writes(t, 0, 1), stop: ok}, want: Done,
			asked: "POST /engine/control/start_profile, POST /engine/start_profile"},
		"SGLang's own": {f: &fake{prefix: "/", start: writes(t, 0, 1), stop: ok}, want: Done},
		"404 on all": {f: &fake{prefix: "/nowhere/", start: ok}, want: Failed,
			words: "an operator hides the route"},
		"200 with status error": {f: &fake{start: reply(200, `{"status":"error","message":"no profiler"}`)}, want: Failed,
			words: "status error: no profiler", path: "checking failed"},
		"somebody records": {f: &fake{start: reply(500, "Profiling is already in progress. Call /stop_profile first.")}, want: Failed, words: "left alone"},
		"a rank is lost": {f: &fake{start: writes(t, 0), stop: reply(500, none)}, want: Failed, words: "none of [TP 1]",
			path: "checking recording exporting verifying failed", asked: "stop_profile"},
		"no steps":            {f: &fake{start: ok, stop: ok}, want: Failed, words: "container", path: "checking recording exporting verifying failed", asked: "stop_profile"},
		"auto-stop, no files": {f: &fake{start: ok, stop: reply(500, none)}, want: AlreadyStopped, words: "nothing was in progress"},
		"overrun":             {f: &fake{start: reply(500, "Can't disable Kineto profiler when it's not running"), stop: ok}, want: Failed, words: "its trace is lost", asked: "stop_profile"},
		"the stop fails":      {f: &fake{start: ok, stop: reply(500, "boom")}, want: Unknown, words: "boom"},
		"gateway": {f: &fake{start: reply(504, "timeout"), stop: reply(500, none)}, want: AlreadyStopped, asked: "stop_profile",
			path: "checking unknown exporting verifying already stopped"},
		"elsewhere": {f: &fake{start: ok, stop: reply(500, none)}, change: func(p *Plan) { p.Worker.Local = false }, want: Done, words: "not checked from here"},
		"no traffic": {f: &fake{start: ok, stop: ok}, change: func(p *Plan) {
			p.Traffic = func(context.Context) (bool, error) { return false, nil }
		}, want: Failed, words: "steps advance only with batches", path: "checking failed"},
		"vllm": {f: &fake{prefix: "/", start: ok, stop: ok}, change: func(p *Plan) {
			p.Worker.Engine, p.Dir, p.Steps, p.For = VLLM, "", 0, time.Millisecond
		}, want: Done, words: "in the folder that it was started with", asked: "POST /stop_profile"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.f.prefix == "" {
				c.f.prefix = "/engine/control/"
			}
			p := planFor(t, c.f.serve(t), 2)
			if c.change != nil {
				c.change(&p)
			}
			r := runner(t)
			var seen []string
			rec, err := r.Start(t.Context(), p, phases(&seen))
			if rec.Phase != c.want || !strings.Contains(rec.Words, c.words) || (err == nil) != (c.want == Done) {
				t.Errorf("%s: %q, %v", rec.Phase, rec.Words, err)
			}
			if got := strings.Join(seen, " "); c.path != "" && got != c.path {
				t.Errorf("phases %s", got)
			}
			if got := c.f.asked(); !strings.Contains(got, c.asked) {
				t.Errorf("asked %s", got)
			}
			if st, err := StateOf(r.Locks, p.Worker.URL); err != nil || st.Phase != c.want || st.Held || st.Left() != (c.want == Unknown) {
				t.Errorf("state %+v, %v", st, err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	srv := httptest.NewServer(nil)
	srv.Close()
	rec, err := runner(t).Start(t.Context(), planFor(t, srv.URL, 1), nil)
	if rec.Phase != Failed || err == nil || !strings.Contains(rec.Words, "not reached") {
		t.Errorf("%+v %v", rec, err)
	}
}

// A file that is there is not yet one that is whole.
func TestCutFile(t *testing.T) {
	f := &fake{prefix: "/", stop: reply(500, none)}
	f.start = func(w http.ResponseWriter, body map[string]any) {
		writes(t, 0)(w, body)
		name := filepath.Join(body["output_dir"].(string), "p1-TP-0.trace.json.gz")
		st, err := os.Stat(name)
		if err != nil || os.Truncate(name, st.Size()-20) != nil {
			t.Error(err)
		}
	}
	rec, err := runner(t).Start(t.Context(), planFor(t, f.serve(t), 1), nil)
	if rec.Phase != Failed || err == nil || len(rec.Files) != 1 || rec.Files[0].Whole || rec.Files[0].Trouble == "" || rec.Files[0].Rank != "TP 0" {
		t.Errorf("%+v %v", rec, err)
	}
}

// Ending while it records stops the profiler, and waits for the answer.
func TestEndedWhileRecording(t *testing.T) {
	f := &fake{prefix: "/", start: reply(200, "Start profiling."), stop: reply(200, "Stop profiling.")}
	r := runner(t)
	r.Timing.Record = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	rec, err := r.Start(ctx, planFor(t, f.serve(t), 1), func(e Event) {
		if e.Record.Phase == Recording {
			cancel()
		}
	})
	if !strings.Contains(f.asked(), "POST /stop_profile") || rec.Left() || err == nil {
		t.Errorf("%s: %+v %v", f.asked(), rec, err)
	}
}

// A worker that stands still answers the stop late; whoever goes away
// meanwhile leaves it to the next, who may settle it.
func TestLeftWhileExportingAndSettled(t *testing.T) {
	thaw := make(chan struct{})
	f := &fake{prefix: "/", start: reply(200, "Start profiling.")}
	frozen := true // only handlers touch it, one after the other
	f.stop = func(w http.ResponseWriter, _ map[string]any) {
		if frozen {
			frozen = false
			<-thaw
			return
		}
		reply(500, none)(w, nil)
	}
	url := f.serve(t)
	r, p := runner(t), planFor(t, url, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ticks := 0
	rec, err := r.Start(ctx, p, func(e Event) {
		if e.Record.Phase == Exporting {
			if ticks++; ticks == 5 { // it told that time passes while it waited
				cancel()
			}
		}
	})
	close(thaw)
	if rec.Phase != Unknown || err == nil || !rec.Left() {
		t.Fatalf("%+v %v", rec, err)
	}
	// The next start refuses, names it, and settles it when told to.
	p.ID = "p2"
	var left *LeftError
	if _, err := r.Start(t.Context(), p, nil); !errors.As(err, &left) || left.Left.Plan.ID != "p1" {
		t.Fatal(err)
	}
	f.start = writes(t, 0)
	p.Settle = true
	if rec, err = r.Start(t.Context(), p, nil); err != nil || rec.Phase != Done || rec.Plan.ID != "p2" {
		t.Errorf("%+v %v", rec, err)
	}
	if want := "POST /stop_profile, POST /start_profile"; !strings.HasSuffix(f.asked(), want) {
		t.Errorf("asked %s", f.asked())
	}
}

// The second at a worker is told who the first is, and sends nothing.
func TestSecondUser(t *testing.T) {
	f := &fake{prefix: "/", start: writes(t, 0), stop: reply(500, none)}
	url := f.serve(t)
	r, p := runner(t), planFor(t, url, 1)
	tried := false
	_, err := r.Start(t.Context(), p, func(e Event) {
		if e.Record.Phase != Recording || tried {
			return
		}
		tried = true
		before := f.asked()
		var busy *BusyError
		if _, err := r.Start(t.Context(), p, nil); !errors.As(err, &busy) || busy.Holder.Plan.ID != "p1" || busy.Holder.PID != os.Getpid() {
			t.Errorf("a second start: %v", err)
		}
		if _, err := r.Stop(t.Context(), p.Worker, nil); !errors.As(err, &busy) {
			t.Errorf("a stop: %v", err)
		}
		if got := f.asked(); got != before {
			t.Errorf("asked %s", got)
		}
	})
	if err != nil || !tried {
		t.Error(err, tried)
	}
}

func TestStopAlone(t *testing.T) {
	for name, c := range map[string]struct {
		stop func(http.ResponseWriter, map[string]any)
		want Phase
	}{
		"idle":       {reply(500, none), AlreadyStopped},
		"a stranger": {reply(200, "Stop profiling."), Done},
		"error":      {reply(500, "boom"), Unknown},
	} {
		f := &fake{prefix: "/engine/control/", stop: c.stop}
		r := runner(t)
		rec, err := r.Stop(t.Context(), Worker{URL: f.serve(t)}, nil)
		if rec.Phase != c.want || (err == nil) != (c.want != Unknown) || rec.Left() {
			t.Errorf("%s: %+v %v", name, rec, err)
		}
	}
}

func TestKeyStaysWithItsOrigin(t *testing.T) {
	var other string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { other = "reached with " + r.Header.Get("Authorization") }))
	defer thief.Close()
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	r := runner(t)
	r.Key = "k3y"
	rec, err := r.Start(t.Context(), planFor(t, srv.URL, 1), nil)
	if rec.Phase != Failed || err == nil || got != "Bearer k3y" || other != "" {
		t.Errorf("%s: %v; %q, %q", rec.Phase, err, got, other)
	}
}

// A worker that stands still for long is waited for: the session goes on
// telling that time passes, and the late answer is the one that counts.
func TestFreeze(t *testing.T) {
	thaw := make(chan struct{})
	f := &fake{prefix: "/engine/control/"}
	var start map[string]any
	f.start = func(w http.ResponseWriter, body map[string]any) {
		start = body
		reply(200, `{"status":"ok"}`)(w, body)
	}
	f.stop = func(w http.ResponseWriter, _ map[string]any) {
		<-thaw
		writes(t, 0)(w, start)
	}
	ticks := 0
	rec, err := runner(t).Start(t.Context(), planFor(t, f.serve(t), 1), func(e Event) {
		if e.Record.Phase != Exporting {
			return
		}
		if !strings.Contains(e.Record.Words, "503 is expected now") {
			t.Errorf("%q", e.Record.Words)
		}
		if ticks++; ticks == 20 {
			close(thaw)
		}
	})
	if err != nil || rec.Phase != Done || ticks < 20 {
		t.Errorf("%+v %v after %d", rec, err, ticks)
	}
}

// The burst runs along while steps are recorded, and has ended with them.
func TestBurst(t *testing.T) {
	for _, flows := range []bool{false, true} {
		f := &fake{prefix: "/", start: reply(200, "Start profiling."), stop: reply(500, none)}
		p := planFor(t, f.serve(t), 1)
		var b counted
		p.Burst = &b
		p.Traffic = func(context.Context) (bool, error) { return flows, nil }
		b.run = func() {
			if err := writeTrace(filepath.Join(p.Dir, "p1-TP-0.trace.json.gz"), `"Record Window End"`); err != nil {
				t.Error(err)
			}
		}
		r := runner(t)
		if !flows {
			r.Timing.Record = time.Hour
		}
		rec, _ := r.Start(t.Context(), p, nil) // how it ends the phase says
		if want := map[bool]Phase{false: Done, true: AlreadyStopped}[flows]; rec.Phase != want || b.ended == flows {
			t.Errorf("traffic %v: %s %q, the burst ended: %v", flows, rec.Phase, rec.Words, b.ended)
		}
	}
}

type counted struct {
	run   func()
	ended bool
}

func (c *counted) Run(ctx context.Context) error {
	c.run()
	<-ctx.Done()
	c.ended = true
	return ctx.Err()
}

func (c *counted) String() string { return "a burst" }

// Of a pool one worker at a time; an unknown pool may be the same.
func TestOneOfAPool(t *testing.T) {
	f, g := &fake{prefix: "/", start: writes(t, 0), stop: reply(500, none)}, &fake{prefix: "/", start: writes(t, 0), stop: reply(500, none)}
	r, p := runner(t), planFor(t, f.serve(t), 1)
	p.Pool = "decode"
	other := planFor(t, g.serve(t), 1)
	tried := false
	_, err := r.Start(t.Context(), p, func(e Event) {
		if e.Record.Phase != Recording || tried {
			return
		}
		tried = true
		for _, c := range []struct {
			pool   string
			beside bool
			want   Phase
		}{{"decode", false, Failed}, {"", false, Failed}, {"prefill", false, Done}, {"decode", true, Done}} {
			other.Pool, other.Beside = c.pool, c.beside
			if rec, err := r.Start(t.Context(), other, nil); rec.Phase != c.want || (err == nil) != (c.want == Done) {
				t.Errorf("%+v: %s %v", c, rec.Phase, err)
			}
		}
	})
	if err != nil || !tried {
		t.Error(err, tried)
	}
	if all, err := States(r.Locks); err != nil || len(all) != 2 || all[0].Held || all[1].Held {
		t.Errorf("%+v %v", all, err)
	}
}
