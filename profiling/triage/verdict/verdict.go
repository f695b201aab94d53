package verdict

import (
	"time"

	"dynascope/sources"
)

// Severity orders verdicts. Its names are stable: exit codes, JSON and alerts
// use them.
type Severity int

// The severities. Info is worth a line and no alarm.
const (
	Info Severity = iota
	Warning
	Critical
)

func (s Severity) String() string { return [...]string{"info", "warning", "critical"}[s] }

// Culprit is who a verdict is about. The zero value means the whole
// deployment.
type Culprit struct {
	// Kind is "worker", "pool", "frontend", "router", "stage", "gpu", "host",
	// "model", "target", "planner", "family" or empty.
	Kind string
	// Name is what people call it: a worker's short id, a pool's role, a
	// stage's title. Outside text is cleaned by whoever draws it.
	Name string
	// Instance is the target of its page, Worker the hexadecimal id; each may
	// be empty.
	Instance, Worker string
}

// Evidence is one number that a verdict rests on, or that speaks to it.
type Evidence struct {
	Text      string       // short, without outside text: "KV 97 %"
	Need      sources.Need // where the number comes from, for explain; the zero Need when computed from several
	Labels    sources.Labels
	Value     float64 // in Unit; NaN when there is no single number
	Threshold float64 // in Unit; NaN when nothing was crossed
	Unit      string  // of the catalogue: "seconds", "ratio", "requests" …
	Window    time.Duration
	// Expr is the PromQL behind it, as it was asked; the engine fills it in.
	Expr string
}

// Verdict is one thing that is wrong.
type Verdict struct {
	Code     string // stable: lower-case words joined by dashes
	Title    string // two or three words: "decode KV-bound"
	Severity Severity
	// Sentence says what is wrong in one line, Evidence with which numbers.
	Sentence string
	Evidence []Evidence
	Culprit  Culprit
	// Since is the first column from which it held without a break. Open says
	// that it held at the first column that was judged, so began before it.
	Since time.Time
	Open  bool
	// Until is the first column at which it held no more; zero while it does.
	Until time.Time
	// After is what happened shortly before Since ("20 s after 91c2
	// restarted"); nil when nothing did.
	After *sources.Event
	// Advice says what to do, most useful first; Key is the key to press next.
	Advice []string
	Key    string
	// Missing names, by catalogue title and flag, what is not exported here and
	// would prove more.
	Missing []string
	// SilencedBy is the code of the verdict that explains this one; set only in
	// Judgement.Silenced and Judgement.Past.
	SilencedBy string

	score float64
	rank  int
}

// State is a judgement in one word.
type State string

// The states.
const (
	Healthy  State = "healthy"
	Warned   State = "warning"
	Critic   State = "critical"
	Unknown  State = "unknown"  // no number proves anything
	Learning State = "learning" // the windows are not filled yet; nothing is wrong so far
)

// Judgement is everything that is said of one moment.
type Judgement struct {
	// At is the last column that was judged: at most one Step before the
	// snapshot's moment.
	At       time.Time
	State    State
	Verdicts []Verdict // worst first
	// Silenced are verdicts that another one explains; they are shown as its
	// consequences, never as causes.
	Silenced []Verdict
	// Past are verdicts that ended within Span, newest end first.
	Past []Verdict
	// Have is how much of Want, the longest look-back of any rule, is filled.
	Have, Want time.Duration
	// Blind names what is not exported and would let more rules judge, by rule
	// code, with the flag that brings it.
	Blind []Blind
}

// Blind is a rule that cannot judge, and what would let it.
type Blind struct{ Code, Title, Note string }

// Head returns the verdict that is shown first; ok is false when there is none
// above Info.
func (j *Judgement) Head() (Verdict, bool) {
	if j == nil || len(j.Verdicts) == 0 || j.Verdicts[0].Severity == Info {
		return Verdict{}, false
	}
	return j.Verdicts[0], true
}
