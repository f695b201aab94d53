package profiling_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/server"
	"dynascope/bench/sim/world"
	"dynascope/profiling"
)

// quick is a deployment of two workers with two ranks each, whose steps take
// a millisecond or two.
const quick = `
duration: 1h
deployment:
  models: [tiny]
  full: true
  pools: [{workers: 2, tp: 2, params: {step_overhead: 500us, weight_time: 1ms, comm_per_step: 1us}}]
`

func simulate(t *testing.T, yaml string, opt server.Options) func(name string) string {
	t.Helper()
	sc, err := scenario.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Start(context.Background(), world.Config{Scenario: sc}, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(name string) string {
		for _, e := range s.Endpoints() {
			if e.Name == name {
				return e.URL
			}
		}
		t.Fatalf("no endpoint %s", name)
		return ""
	}
}

// burst is what cmd wires: the small client.
type burst struct{ url string }

func (b burst) Run(ctx context.Context) error {
	_, err := load.New().Run(ctx, load.Plan{URL: b.url, Model: "tiny", Requests: 1e6, Concurrency: 4, ISL: 64, OSL: 8, Stream: true})
	return err
}

func (b burst) String() string { return "requests to " + b.url }

// TestSimulatedWorkers runs whole sessions on workers that keep SGLang's own
// state machine, write real traces and stand still meanwhile.
func TestSimulatedWorkers(t *testing.T) {
	const plain = "models: [tiny]\n  kind: plain-sglang"
	for name, c := range map[string]struct {
		opt           server.Options
		yaml          string
		front, worker string
		byStage       bool
		ranks, files  int // files: 0 is one a rank
		want          profiling.Phase
		words         string
	}{
		"Dynamo":         {front: "frontend0", worker: "worker0", want: profiling.Done},
		"older Dynamo":   {opt: server.Options{OldEngineRoutes: true}, front: "frontend0", worker: "worker1", want: profiling.Done},
		"plain SGLang":   {yaml: strings.Replace(quick, "models: [tiny]", plain, 1), front: "worker0", worker: "worker0", want: profiling.Done},
		"by stage":       {front: "frontend0", worker: "worker0", byStage: true, files: 4, want: profiling.Done},
		"routes hidden":  {opt: server.Options{NoProfileRoutes: true}, front: "frontend0", worker: "worker0", want: profiling.Failed, words: "hides the route"},
		"a rank is lost": {ranks: 3, front: "frontend0", worker: "worker0", want: profiling.Failed, words: "none of [TP 2]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.yaml == "" {
				c.yaml = quick
			}
			if c.ranks == 0 {
				c.ranks = 2
			}
			if c.files == 0 {
				c.files = 2
			}
			url := simulate(t, c.yaml, c.opt)
			r := &profiling.Runner{Locks: filepath.Join(t.TempDir(), "locks"),
				Timing: profiling.Timing{Poll: 10 * time.Millisecond, Quiet: 50 * time.Millisecond, Lost: time.Second}}
			if c.want == profiling.Done {
				r.Timing.Lost = time.Minute
			}
			p := profiling.Plan{Worker: profiling.Worker{URL: url(c.worker), Local: true, Ranks: c.ranks}, ID: profiling.NewID(time.Now()),
				Dir: filepath.Join(t.TempDir(), "out"), Steps: 3, ByStage: c.byStage, Burst: burst{url(c.front)},
				Traffic: func(context.Context) (bool, error) { return false, nil }}
			rec, err := r.Start(t.Context(), p, nil)
			if rec.Phase != c.want || !strings.Contains(rec.Words, c.words) || (err == nil) != (c.want == profiling.Done) {
				t.Fatalf("%s: %q; %v; %+v", rec.Phase, rec.Words, err, rec.Files)
			}
			if c.want == profiling.Done && len(rec.Files) != c.files {
				t.Errorf("%+v", rec.Files)
			}
			if c.opt.NoProfileRoutes {
				return
			}
			// No profiler is left on.
			if rec, err := r.Stop(t.Context(), p.Worker, nil); err != nil || rec.Phase != profiling.AlreadyStopped {
				t.Errorf("a stop afterwards: %s %q %v", rec.Phase, rec.Words, err)
			}
			if st, err := profiling.StateOf(r.Locks, p.Worker.URL); err != nil || st.Phase != c.want || st.Plan.ID != p.ID {
				t.Errorf("the session was forgotten: %+v %v", st.Record, err)
			}
		})
	}
}

// Without traffic steps never come to an end: the session is stopped in time,
// and what there is of it is written.
func TestSimulatedWithoutTraffic(t *testing.T) {
	t.Parallel()
	url := simulate(t, quick, server.Options{})
	r := &profiling.Runner{Locks: filepath.Join(t.TempDir(), "locks"),
		Timing: profiling.Timing{Poll: 10 * time.Millisecond, Quiet: 50 * time.Millisecond, Record: 100 * time.Millisecond}}
	p := profiling.Plan{Worker: profiling.Worker{URL: url("worker0"), Local: true, Ranks: 2}, ID: "idle", Dir: filepath.Join(t.TempDir(), "out")}
	rec, err := r.Start(t.Context(), p, nil)
	if err != nil || rec.Phase != profiling.Done || len(rec.Files) != 2 {
		t.Errorf("%+v %v", rec, err)
	}
	// What another program started is stopped too, when that is asked for.
	other := &profiling.Runner{Locks: filepath.Join(t.TempDir(), "elsewhere"), Timing: r.Timing}
	other.Timing.Record = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	recording := make(chan struct{})
	p.ID = "other"
	go func() {
		told := false
		_, err := other.Start(ctx, p, func(e profiling.Event) {
			if e.Record.Phase == profiling.Recording && !told {
				told = true
				close(recording)
			}
		})
		done <- err
	}()
	<-recording
	rec, err = r.Stop(t.Context(), p.Worker, nil)
	if err != nil || rec.Phase != profiling.Done {
		t.Errorf("%+v %v", rec, err)
	}
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the other: %v", err)
	}
}
