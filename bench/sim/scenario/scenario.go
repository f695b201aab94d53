package scenario

import (
	"time"
)

// Scenario is one script. Durations in it count from the scenario's start,
// except where a field says otherwise.
type Scenario struct {
	// One word by which it is called and listed. Without it, the file's name.
	Name string `yaml:"name" ex:"slow-decode"`
	// What happens in it and what to look at, for a list and for the document.
	Description string `yaml:"description" ex:"one decode worker is four times slower from 1m to 2m"`
	// How long it lasts. A simulation that goes on after it plays it again
	// when `repeat` is set, and otherwise stays as it was at the end.
	Duration time.Duration `yaml:"duration" default:"10m" range:"(0,31536000]" ex:"3m"`
	// Play it again from the start after the end, as long as the simulation
	// runs. The deployment goes on as it is; only load and faults start over.
	Repeat bool `yaml:"repeat" default:"false" ex:"true"`
	// Where randomness starts. The same seed gives the same run.
	Seed uint64 `yaml:"seed" default:"1" ex:"7"`
	// The processes and GPUs that are simulated.
	Deployment Deployment `yaml:"deployment"`
	// The clients, one entry a kind of traffic and a stretch of time. Entries
	// may overlap: their requests add up.
	Load []Segment `yaml:"load"`
	// What goes wrong, and when. Several may be on at once.
	Faults []Fault `yaml:"faults"`
	// The latencies that are promised to users, for judging this scenario.
	SLA SLA `yaml:"sla"`
	// What a triage of this scenario must say, for tests of the triage.
	Expect []Expect `yaml:"expect"`
	// Verdicts that may stand beside the expected ones: consequences that are
	// true too.
	Also []string `yaml:"also" ex:"[queue-bound-decode]"`

	file string              // where it came from, for messages
	pos  map[string]position // of each key that was written
}

// SLA holds limits of latency. Zero is no limit.
type SLA struct {
	// Longest time to first token.
	TTFT time.Duration `yaml:"ttft" default:"0s" range:"[0,)" ex:"500ms"`
	// Longest mean time between output tokens of one request.
	ITL time.Duration `yaml:"itl" default:"0s" range:"[0,)" ex:"25ms"`
}

// Expect is one verdict that a triage must reach in a stretch of time.
type Expect struct {
	// The verdict's code, or `healthy`, which means no verdict at all.
	Verdict string `yaml:"verdict" required:"true" ex:"straggler-worker"`
	// From when on it may appear: the time at which its cause begins.
	From time.Duration `yaml:"from" default:"0s" range:"[0,)" ex:"60s"`
	// Until when it must have appeared. 0s is the end of the scenario.
	To time.Duration `yaml:"to" default:"0s" range:"[0,)" ex:"2m"`
	// The least severity that is right.
	Severity string `yaml:"severity" default:"warning" enum:"info|warning|critical" ex:"critical"`
	// Whom it must name (a target as in faults); without it, anyone.
	Culprit Target `yaml:"culprit" ex:"worker1"`
}
