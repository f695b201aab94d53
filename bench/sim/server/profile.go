package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dynascope/bench/sim/world"
)

// profiler is one worker's torch profiler as SGLang drives it. State cannot be
// asked for: callers learn it from the answers, as from the real one.
//
//	idle    → start             recording, or armed with start_step or profile_by_stage
//	armed   → start_step is reached, or the stage's first batch: recording
//	armed   → stop              500 "not in progress"; the armed start remains
//	recording → num_steps done  exporting, then idle: a stop then is a 500
//	recording → stop            exporting; answered when the files are there
//	recording → start           500 "already in progress" with start_step or by stage; a plain
//	                            one clears the session: the next stop answers 200 and writes nothing
//
// Steps advance only with batches: without traffic num_steps is never reached.
// While it exports, the worker stands still.
type profiler struct {
	s      *Server
	worker string
	ranks  int // files of one session
	dp     int

	mu      sync.Mutex // never held together with the simulation's
	state   profileState
	session session
	idle    chan struct{} // closed when an export has ended
}

type profileState uint8

const (
	profileIdle profileState = iota
	profileArmed
	profileRecording
	profileExporting
	profileLost // recording, its handle overwritten
)

// session is what one start asked for.
type session struct {
	start   profileReq
	from    uint64 // forward step at which it was asked for
	steps   []world.Step
	began   time.Time
	prefill int // steps recorded of each stage
	decode  int
}

// profileReq is the body of start_profile, SGLang's names.
type profileReq struct {
	OutputDir      *string  `json:"output_dir"`
	StartStep      *int     `json:"start_step"`
	NumSteps       *int     `json:"num_steps"`
	Activities     []string `json:"activities"`
	WithStack      *bool    `json:"with_stack"`
	RecordShapes   *bool    `json:"record_shapes"`
	ProfileByStage bool     `json:"profile_by_stage"`
	ProfileID      *string  `json:"profile_id"`
	ProfilePrefix  *string  `json:"profile_prefix"`
	MergeProfiles  bool     `json:"merge_profiles"`
	ProfileStages  []string `json:"profile_stages"`
}

const (
	textNotInProgress = "Profiling is not in progress. Call /start_profile first."
	textInProgress    = "Profiling is already in progress. Call /stop_profile first."
	// maxProfileSteps bounds the memory of a session that nobody stops.
	maxProfileSteps = 2000
)

// exportPerStep is how long the export of one step and rank takes: with
// stacks more. The worker answers nobody meanwhile.
const (
	exportBase         = 150 * time.Millisecond
	exportPerStep      = 10 * time.Millisecond
	exportPerStepStack = 40 * time.Millisecond
	longestExport      = 20 * time.Second
)

// parseProfile reads a start's body. An empty one is {}.
func parseProfile(raw []byte) (req profileReq, unknown string, err error) {
	if len(raw) == 0 {
		return req, "", nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return req, "", err
	}
	known := []string{"output_dir", "start_step", "num_steps", "activities", "with_stack", "record_shapes", "profile_by_stage",
		"profile_id", "profile_prefix", "merge_profiles", "profile_stages"}
	for k := range keys {
		if !slices.Contains(known, k) {
			return req, k, nil
		}
	}
	return req, "", json.Unmarshal(raw, &req)
}

// begin is a start_profile; the error's text is the answer's.
func (p *profiler) begin(req profileReq, steps uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	staged := req.StartStep != nil || req.ProfileByStage
	switch p.state {
	case profileArmed, profileExporting:
		return fmt.Errorf("%s", textInProgress)
	case profileRecording, profileLost:
		if staged {
			return fmt.Errorf("%s", textInProgress)
		}
		p.state = profileLost
		return fmt.Errorf("Can't disable Kineto profiler when it's not running")
	}
	p.session = session{start: req, from: steps, began: time.Now()}
	p.state = profileRecording
	if staged {
		p.state = profileArmed
	}
	return nil
}

// step is told of every forward step of rank 0. It runs under the
// simulation's lock and must be quick; it returns true when num_steps is done.
func (p *profiler) step(st world.Step) (done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &p.session
	if p.state == profileArmed {
		if at := q.start.StartStep; at != nil && st.Number < max(uint64(max(*at, 0)), q.from+1) {
			return false
		}
		p.state = profileRecording
	}
	if p.state != profileRecording {
		return false
	}
	if len(q.steps) < maxProfileSteps {
		q.steps = append(q.steps, st)
	}
	if st.Prefill() {
		q.prefill++
	} else {
		q.decode++
	}
	n := q.start.NumSteps
	switch {
	case n == nil:
		return false
	case q.start.ProfileByStage:
		done = q.prefill >= *n && q.decode >= *n
	default:
		done = q.prefill+q.decode >= *n
	}
	if done {
		p.state = profileExporting
		p.idle = make(chan struct{})
	}
	return done
}

// forget is the end of the process: with it goes any session, but for an
// export that has the steps already.
func (p *profiler) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != profileExporting {
		p.state, p.session = profileIdle, session{}
	}
}

// end is a stop_profile: it waits for the files.
func (p *profiler) end(ctx context.Context) error {
	p.mu.Lock()
	switch p.state {
	case profileLost:
		p.state = profileIdle
		p.session = session{}
		p.mu.Unlock()
		return nil
	case profileRecording:
		p.state = profileExporting
		p.idle = make(chan struct{})
		p.mu.Unlock()
		return p.export(ctx)
	default:
		p.mu.Unlock()
		return fmt.Errorf("%s", textNotInProgress)
	}
}

// export holds the worker, writes one file a rank in place, and lets go. It is
// cut short when ctx ends.
func (p *profiler) export(ctx context.Context) error {
	p.mu.Lock()
	q := p.session
	idle := p.idle
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.state = profileIdle
		p.session = session{}
		p.mu.Unlock()
		close(idle)
	}()
	p.s.driver.post(func() { p.s.world.Hold(p.worker, true) })
	defer p.s.driver.post(func() { p.s.world.Hold(p.worker, false) })

	stack := q.start.WithStack == nil || *q.start.WithStack
	per := exportPerStep
	if stack {
		per = exportPerStepStack
	}
	budget := min(exportBase+per*time.Duration(len(q.steps)*p.ranks), longestExport)
	dir := p.s.opt.ProfileDir
	if q.start.OutputDir != nil && *q.start.OutputDir != "" {
		dir = expandHome(*q.start.OutputDir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the profile folder: %w", err)
	}
	stages := []string{""}
	if q.start.ProfileByStage {
		stages = []string{"-EXTEND", "-DECODE"}
	}
	files := p.ranks * p.dp * len(stages)
	for tp := range p.ranks {
		for dp := range p.dp {
			for _, stage := range stages {
				path := filepath.Join(dir, traceName(q.start, q.began, tp, dp, p.dp, stage))
				t := trace{steps: q.steps, stage: stage, rank: tp, size: p.ranks, stack: stack, start: p.s.driver.start}
				if err := t.writeFile(ctx, path, budget/time.Duration(files)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// traceName is SGLang's: [prefix-]<id>-TP-<t>[-DP-<d>][-EXTEND|-DECODE].trace.json.gz
func traceName(q profileReq, began time.Time, tp, dp, dps int, stage string) string {
	id := strconv.FormatFloat(float64(began.UnixNano())/1e9, 'f', 7, 64)
	if q.ProfileID != nil && *q.ProfileID != "" {
		id = *q.ProfileID
	}
	name := id + "-TP-" + strconv.Itoa(tp)
	if q.ProfilePrefix != nil && *q.ProfilePrefix != "" {
		name = *q.ProfilePrefix + "-" + name
	}
	if dps > 1 {
		name += "-DP-" + strconv.Itoa(dp)
	}
	return filepath.Base(name) + stage + ".trace.json.gz"
}

func expandHome(dir string) string {
	if rest, ok := strings.CutPrefix(dir, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return dir
}

// profile gives the profilers' routes to a worker: under /engine for Dynamo,
// at the top for plain SGLang.
func (s *Server) profileStart(p *profiler, plain bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return
		}
		req, unknown, err := parseProfile(raw)
		if err != nil {
			if plain {
				http.Error(w, "Unprocessable Entity", 422)
			} else {
				writeJSON(w, 400, map[string]string{"error": "Invalid JSON", "message": err.Error()})
			}
			return
		}
		if unknown != "" && !plain {
			handlerError(w, "TypeError: ProfileReq.__init__() got an unexpected keyword argument '"+unknown+"'")
			return
		}
		var steps uint64
		s.driver.look(func() { steps = s.world.Steps(p.worker) })
		if err := p.begin(req, steps); err != nil {
			profileFailed(w, plain, err)
			return
		}
		if plain {
			plainText(w, "Start profiling.\n")
		} else {
			writeJSON(w, 200, map[string]string{"status": "ok", "message": "Profiling started"})
		}
	}
}

func (s *Server) profileStop(p *profiler, plain bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// An export goes on when its caller goes away.
		if err := p.end(s.ctx); err != nil {
			profileFailed(w, plain, err)
			return
		}
		if plain {
			plainText(w, "Stop profiling. This will take some time.\n")
		} else {
			writeJSON(w, 200, map[string]string{"status": "ok", "message": "Profiling stopped"})
		}
	}
}

func profileFailed(w http.ResponseWriter, plain bool, err error) {
	if plain {
		http.Error(w, "Internal Server Error: "+err.Error(), 500)
		return
	}
	handlerError(w, "RuntimeError: "+err.Error())
}

func handlerError(w http.ResponseWriter, cause string) {
	writeJSON(w, 500, map[string]string{"error": "Handler error", "message": "Python callback failed: " + cause})
}

func plainText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, text)
}
