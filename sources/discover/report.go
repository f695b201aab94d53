package discover

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is what one scan found and tried. Every string in it is cleaned for
// a terminal and free of secrets; command lines are never kept.
type Report struct {
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took_ns"`
	// Found are the pages that were identified, by address. One that stopped
	// answering stays for a while, marked Gone.
	Found []Found `json:"found"`
	// Tried is every address of this scan with what came of it, found ones
	// included, in the order of asking.
	Tried []Tried `json:"tried"`
	// Programs are the local processes that were recognised.
	Programs []Program `json:"programs"`
	// Notes say what the scan could not look at, and why.
	Notes []string `json:"notes,omitempty"`
}

// Found is one identified page.
type Found struct {
	URL  string   `json:"url"`  // of the page: http://127.0.0.1:8000/metrics
	Addr string   `json:"addr"` // host:port
	Role string   `json:"role"` // frontend, worker, router, planner, kvbm, gpu, gateway, nixl, monitor, indexer, operator; prometheus
	Why  []Reason `json:"why"`
	// Engine is "sglang", "vllm", "trtllm" or empty.
	Engine string `json:"engine,omitempty"`
	// WorkerID is the hexadecimal instance id on a Dynamo worker's own page.
	WorkerID string `json:"worker_id,omitempty"`
	// Instances are the workers a frontend's /health lists, wherever they run.
	Instances []Instance `json:"instances,omitempty"`
	// Note says what else is to know: that /health did not answer, that the
	// page was not asked.
	Note string `json:"note,omitempty"`
	// Prefix is the frontend's DYN_METRICS_PREFIX, where it has one.
	Prefix string    `json:"prefix,omitempty"`
	Since  time.Time `json:"since"` // first identified
	Gone   bool      `json:"gone,omitempty"`
	// Body is the page as fetched, in the scan that identified it and only
	// there; nil when it was not read to its end.
	Body []byte `json:"-"`

	seen time.Time // last answered
}

// Scrapes says whether the page is one to scrape. A Prometheus server is not:
// it is asked through --prometheus.
func (f Found) Scrapes() bool { return f.Role != rolePrometheus }

// Instance is one worker as a frontend's /health lists it.
type Instance struct {
	ID        string `json:"id"`      // hexadecimal, as the worker's own page spells it
	Decimal   string `json:"decimal"` // the same number as the frontend spells it
	Namespace string `json:"namespace"`
	Component string `json:"component"`
	Host      string `json:"host,omitempty"` // of its request transport; its metrics port is not told
}

// Outcome is how asking an address ended.
type Outcome string

// The outcomes. NotTried is an address the time did not suffice for.
const (
	OutcomeFound      Outcome = "found"
	OutcomeSame       Outcome = "still there" // identified by an earlier scan; connected, not asked
	OutcomeRefused    Outcome = "refused"
	OutcomeTimeout    Outcome = "timeout"
	OutcomeClosed     Outcome = "closed without an answer"
	OutcomeNotHTTP    Outcome = "does not speak HTTP"
	OutcomeTLS        Outcome = "speaks TLS"
	OutcomeStatus     Outcome = "answered" // Detail has the status
	OutcomeNotMetrics Outcome = "not metrics"
	OutcomeOther      Outcome = "metrics of something else"
	OutcomeNoMetrics  Outcome = "serves models without metrics"
	OutcomeFailed     Outcome = "failed"
	OutcomeNotTried   Outcome = "not tried"
)

// Tried is one address of a scan. localhost:PORT stands for both loopback
// addresses where both gave the same answer.
type Tried struct {
	Addr    string   `json:"addr"`
	Why     []Reason `json:"why"`
	Outcome Outcome  `json:"outcome"`
	Detail  string   `json:"detail,omitempty"` // status, role, hint
}

// String is the line of the list on screen.
func (t Tried) String() string {
	s := fmt.Sprintf("%-15s  %s", t.Addr, t.Outcome)
	if t.Detail != "" {
		s += " " + t.Detail
	}
	return s + "  (" + because(t.Why) + ")"
}

// Program is one local process that was recognised.
type Program struct {
	PID  int    `json:"pid"`
	Name string `json:"name"` // as programs.csv has it: dynamo.sglang
	// Ports are those its flags and environment name.
	Ports []int    `json:"ports,omitempty"`
	Notes []string `json:"notes,omitempty"` // what hides its ports, and what would show them
}

type rule int

const (
	byTable rule = iota + 1
	byFlag
	byEnv
)

func (r rule) MarshalText() ([]byte, error) {
	return []byte([...]string{"", "documented port", "flag", "environment"}[r]), nil
}

// Reason is the rule by which an address is asked.
type Reason struct {
	Rule rule   `json:"rule"`           // documented port, flag, environment
	What string `json:"what"`           // what is expected there: "Dynamo worker"
	PID  int    `json:"pid,omitempty"`  // of the process that names the port
	Name string `json:"name,omitempty"` // the flag or variable: DYN_SYSTEM_PORT
}

func (r Reason) String() string {
	switch r.Rule {
	case byFlag:
		return fmt.Sprintf("%s: flag %s of pid %d", r.What, r.Name, r.PID)
	case byEnv:
		return fmt.Sprintf("%s: environment of pid %d, %s", r.What, r.PID, r.Name)
	default:
		return "documented port: " + r.What
	}
}

func because(why []Reason) string {
	out := make([]string, 0, len(why))
	for _, r := range why {
		out = append(out, r.String())
	}
	return strings.Join(out, "; ")
}

// Lines are the report as text, a line each: what was found, what was tried
// in vain, which processes hide their ports, and the notes.
func (r Report) Lines() []string {
	var out []string
	for _, f := range r.Found {
		out = append(out, f.String())
	}
	var silent []string // documented ports where nothing listens
	for _, t := range r.Tried {
		switch {
		case t.Outcome == OutcomeFound, t.Outcome == OutcomeSame:
		case t.Outcome == OutcomeRefused && len(t.Why) == 1 && t.Why[0].Rule == byTable:
			silent = append(silent, strings.TrimPrefix(t.Addr, "localhost:"))
		default:
			out = append(out, t.String())
		}
	}
	if len(silent) > 0 {
		out = append(out, "nothing listens on the documented ports "+strings.Join(silent, ", "))
	}
	for _, p := range r.Programs {
		for _, n := range p.Notes {
			out = append(out, fmt.Sprintf("%s (pid %d): %s", p.Name, p.PID, n))
		}
	}
	return append(out, r.Notes...)
}

func (f Found) String() string {
	s := f.URL + "  " + strings.TrimSpace(f.Role+" "+f.Engine)
	if f.WorkerID != "" {
		s += " " + f.WorkerID
	}
	if len(f.Instances) > 0 {
		s += fmt.Sprintf(", lists %d workers", len(f.Instances))
	}
	if f.Role == rolePrometheus {
		s += ", not scraped; hint: --prometheus http://" + f.Addr
	}
	if f.Gone {
		s += ", gone"
	}
	if f.Note != "" {
		s += ", " + f.Note
	}
	return s + "  (" + because(f.Why) + ")"
}

// Unmatched are the workers that found frontends list and whose own page is
// not among the found ones: they run on other hosts, or with their metrics
// off.
func (r Report) Unmatched() []Instance {
	own := map[string]bool{}
	for _, f := range r.Found {
		own[f.WorkerID] = true
	}
	var out []Instance
	for _, f := range r.Found {
		for _, in := range f.Instances {
			if !own[in.ID] && !slices.Contains(out, in) {
				out = append(out, in)
			}
		}
	}
	return out
}

// Targets are the pages to scrape.
func (r Report) Targets() []Target {
	var out []Target
	for _, f := range r.Found {
		if f.Scrapes() {
			out = append(out, Target{URL: f.URL})
		}
	}
	return out
}
