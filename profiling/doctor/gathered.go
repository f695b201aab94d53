package doctor

import (
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// Gathered is all that the rules look at. Its strings from outside are cleaned
// when they are printed.
type Gathered struct {
	At      time.Time
	Version string // of this program
	Catalog *catalog.Catalog
	// Remote is the server that is asked instead of scraping; nil without one.
	Remote *Remote
	// Endpoints are the targets of the store, in its order.
	Endpoints []Endpoint
	// Nearby are pages that were found beside a remote server: those named by
	// flags, and those that discovery found on this host.
	Nearby []Nearby
	// Silent are the addresses and processes of this host that discovery could
	// not use and that should be told.
	Silent []Silent
	// Notes say what discovery could not look at.
	Notes []string

	// Snap answered the needs of all screens.
	Snap     *sources.Snapshot
	Screens  []Screen
	Verdicts []Verdict
	SLA      SLA
	GPU      GPU
	Host     string // this host's name
	// Processes are what local workers tell of themselves, by instance.
	Processes map[string]Process

	index   *Index          // of Catalog, once it was needed
	endings map[string]bool // of the frontend's families, without their prefix; likewise
}

// spellings is the index of the catalogue.
func (g *Gathered) spellings() *Index {
	if g.index == nil {
		g.index = NewIndex(g.Catalog)
	}
	return g.index
}

// SLA is what was promised; Default says that nobody set it.
type SLA struct {
	TTFT, ITL time.Duration
	Default   bool
}

// Endpoint is one target and what a look at its page brought.
type Endpoint struct {
	sources.Target
	// Page is what stands on it; nil when it could not be read.
	Page *Page
	// Date is the answer's Date header, zero without one; Sent and Got are our
	// clock around the answer.
	Date, Sent, Got time.Time
	// Local: the page is made in this process (NVML).
	Local bool
}

// Answered says whether a scrape of it was ever good.
func (e Endpoint) Answered() bool { return !e.LastGood.IsZero() }

// Nearby is a page that was reached without the remote server.
type Nearby struct {
	URL      string // without credentials
	Address  string // host:port
	Role     string
	WorkerID string // hexadecimal, of a Dynamo worker
	Err      string
}

// Silent is something on this host that serves and cannot be watched.
type Silent struct {
	Who  string // an address or a process
	What string
	Do   string
}

// Remote is a server that speaks Prometheus' API.
type Remote struct {
	URL     string // without credentials
	Version string // of its build, empty when it does not tell
	Err     string // why it cannot be asked
	Warning string
	Date    time.Time // as in Endpoint
	Sent    time.Time
	Got     time.Time
	// Scraped are the addresses (host:port) of everything it scrapes; Listed is
	// false where it has no list.
	Scraped []string
	Listed  bool
}

// Screen is a pane and all it asks.
type Screen struct {
	Key, Title string // "6", "KV"
	Needs      []sources.Need
}

// Verdict is a rule of the triage and what could prove it: it is blind where
// all of Proof is absent, and never where it is empty.
type Verdict struct {
	Code, Title string
	Proof       []sources.Need
}

// GPU is what NVML says of this host. The codes are those of sources/gpu.
type GPU struct {
	Code      string
	Why, Hint string
	Driver    string
	Devices   int
	Wanted    bool // not switched off
}

// Process is a local process behind an instance.
type Process struct {
	PID     int
	Program string // "dynamo.sglang"
	Engine  string
	Version string            // of a plain server that told
	Env     map[string]string // DYN_* and the like, redacted; nil when it cannot be read
}
