package profiling

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"dynascope/sources/text"
)

// Bounds of a session. More than MaxSteps or MaxFor must be forced.
const (
	DefaultSteps = 10
	MaxSteps     = 20
	MostSteps    = 1000 // even when forced
	DefaultFor   = 3 * time.Second
	MaxFor       = 20 * time.Second
)

// Worker is whom to profile.
type Worker struct {
	URL    string `json:"url"` // its system port, or its own server; scheme, host and port
	Engine string `json:"engine"`
	// Local: its files are on this host.
	Local bool `json:"local,omitempty"`
	// Ranks is how many tensor-parallel ranks write a file each; 0 is unknown.
	Ranks int `json:"ranks,omitempty"`
}

// Plan is one session. There is no start step: a start that waits for one
// cannot be cancelled.
type Plan struct {
	Worker Worker `json:"worker"`
	ID     string `json:"id"`            // goes into file names; see NewID
	Dir    string `json:"dir,omitempty"` // output folder, on the worker; of vLLM only where to look
	// Steps is how many forward steps are recorded (SGLang); For how long vLLM
	// records, which counts no steps.
	Steps        int           `json:"steps,omitempty"`
	For          time.Duration `json:"for,omitempty"`
	Stacks       bool          `json:"stacks,omitempty"`
	RecordShapes bool          `json:"record_shapes,omitempty"`
	ByStage      bool          `json:"by_stage,omitempty"` // Steps then count for prefill and decode each
	Memory       bool          `json:"memory,omitempty"`   // also the allocator's events
	Forced       bool          `json:"forced,omitempty"`   // Steps or For beyond their bounds
	// Settle lets a session that was left behind be stopped first.
	Settle bool `json:"settle,omitempty"`

	// Pool is what the worker belongs to, as its caller names it: only one
	// worker of a pool is profiled at once. Workers of which either's pool is
	// not known count as of one. Beside allows it all the same.
	Pool   string `json:"pool,omitempty"`
	Beside bool   `json:"beside,omitempty"`

	// Traffic says whether the worker is stepping now; nil when nobody knows.
	Traffic func(context.Context) (bool, error) `json:"-"`
	// Burst keeps it stepping where there is no traffic; nil for none.
	Burst Burst `json:"-"`
}

// Burst is a small bounded run of requests. Run ends when ctx does.
type Burst interface {
	Run(ctx context.Context) error
	String() string // what is sent, for the confirmation
}

// NewID is a session's name: sortable, and nobody else's.
func NewID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return "dynascope-" + now.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(b[:])
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Check refuses what would hang or kill a worker and fills in defaults.
func (p Plan) Check() (Plan, error) {
	fail := func(what, hint string) (Plan, error) {
		return p, fmt.Errorf("plan a profile: %s; hint: %s", what, hint)
	}
	base, err := origin(p.Worker.URL)
	if err != nil {
		return p, fmt.Errorf("plan a profile: %w; hint: http://host:port of the worker's system port or server", err)
	}
	p.Worker.URL = base
	if p.Worker.Engine == "" {
		p.Worker.Engine = SGLang
	}
	if p.Worker.Engine == SGLang && p.Steps == 0 {
		p.Steps = DefaultSteps
	}
	if p.Worker.Engine == VLLM && p.For == 0 {
		p.For = DefaultFor
	}
	switch {
	case len(Routes(p.Worker.Engine, actStart, "")) == 0:
		return fail("no profile routes of "+text.Clean(p.Worker.Engine, 40), "sglang or vllm; TensorRT-LLM profiles with TLLM_PROFILE_START_STOP, set at its start")
	case !idForm.MatchString(p.ID):
		return fail("the id cannot be part of a file name", "letters, digits, . _ and -")
	case p.Worker.Ranks < 0 || p.Worker.Ranks > 4096:
		return fail(fmt.Sprintf("%d ranks", p.Worker.Ranks), "0 where it is not known")
	case p.Dir != "" && (!path.IsAbs(p.Dir) || text.Clean(p.Dir, len(p.Dir)+1) != p.Dir):
		return fail("the folder is no absolute path", "a path on the worker's file system")
	}
	if p.Worker.Engine == VLLM {
		switch {
		case p.Steps != 0 || p.ByStage || p.Stacks || p.RecordShapes || p.Memory:
			return fail("vLLM takes no options with a start", "they are set when the server starts")
		case p.For < 0 || p.For > MaxFor && !p.Forced || p.For > 10*MaxFor:
			return fail(fmt.Sprintf("recording for %v", p.For), fmt.Sprintf("at most %v", MaxFor))
		}
		return p, nil
	}
	switch {
	case p.For != 0:
		return fail("a time for SGLang", "it records a number of steps")
	case p.Steps < 1 || p.Steps > MaxSteps && !p.Forced || p.Steps > MostSteps:
		return fail(fmt.Sprintf("%d steps", p.Steps), fmt.Sprintf("1 to %d; more makes a long freeze and must be forced", MaxSteps))
	case p.Dir == "":
		return fail("no output folder", "a path on the worker's file system")
	}
	return p, nil
}

// origin is scheme://host:port; a path is taken for that of a metrics page.
func origin(raw string) (string, error) {
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", fmt.Errorf("the address cannot be read") // the cause repeats it, with its password
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("scheme %q is neither http nor https", text.Clean(u.Scheme, 20))
	case u.Hostname() == "":
		return "", fmt.Errorf("the address has no host")
	case u.User != nil:
		return "", fmt.Errorf("the address holds a password")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// body is the start request's.
func (p Plan) body(form string) []byte {
	switch form {
	case bodyNone:
		return nil
	case bodyEmpty:
		return []byte("{}")
	}
	activities := []string{"CPU", "GPU"}
	if p.Memory {
		activities = append(activities, "MEM")
	}
	b := struct {
		OutputDir    string   `json:"output_dir"`
		NumSteps     int      `json:"num_steps"`
		Activities   []string `json:"activities"`
		WithStack    bool     `json:"with_stack"`
		RecordShapes bool     `json:"record_shapes"`
		ByStage      bool     `json:"profile_by_stage,omitempty"`
		ID           string   `json:"profile_id"`
	}{p.Dir, p.Steps, activities, p.Stacks, p.RecordShapes, p.ByStage, p.ID}
	raw, err := json.Marshal(b)
	if err != nil {
		panic(err) // strings, numbers and flags
	}
	return raw
}

// Request is the exact start request, for the confirmation: the one that is
// sent first, and those that follow a 404.
func (p Plan) Request(remembered string) string {
	out := requestText(p.Worker.URL, Routes(p.Worker.Engine, actStart, remembered), p.body)
	return out
}

// StopRequest is the exact stop request.
func StopRequest(w Worker, remembered string) string {
	return requestText(w.URL, Routes(w.Engine, actStop, remembered), Plan{}.body)
}

func requestText(base string, rs []Route, body func(string) []byte) string {
	var lines []string
	for i, r := range rs {
		line := r.Method + " " + base + r.Path
		if i > 0 {
			line = "on 404: " + line
		}
		if b := body(r.Body); len(b) > 0 {
			line += " " + string(b)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Size of one rank's step in a trace file, from reports: 50 steps on eight
// ranks were 242 MB with stacks.
const (
	stepBytes      = 200 << 10
	stepBytesStack = 600 << 10
)

// Estimate is about how many bytes all files come to; an unknown number of
// ranks counts as 8. Zero for vLLM, whose steps nobody knows.
func (p Plan) Estimate() int64 {
	ranks := int64(p.Worker.Ranks)
	if ranks == 0 {
		ranks = 8
	}
	n := int64(p.Steps) * ranks
	if p.ByStage {
		n *= 2
	}
	if p.Stacks {
		return n * stepBytesStack
	}
	return n * stepBytes
}

// Freeze is how long the worker is likely to stand still, from reports of
// some 0.5 s a step with stacks on eight ranks; it is often longer.
func (p Plan) Freeze() time.Duration {
	per := 200 * time.Millisecond
	if p.Stacks {
		per = 500 * time.Millisecond
	}
	return time.Second + time.Duration(max(p.Steps, 10))*per
}
