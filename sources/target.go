package sources

import "time"

// Health is the state of a scrape target.
type Health int

// The states of a target.
const (
	HealthPending Health = iota // no scrape has ended yet
	HealthUp
	HealthDown
)

func (h Health) String() string {
	return [...]string{"pending", "up", "down"}[h]
}

// Target is one scraped endpoint and how its scrapes go.
type Target struct {
	Instance string // the instance label, host:port
	URL      string // without credentials
	Health   Health
	Error    string // of the last scrape, sanitised; of a good one what is odd about it, mostly nothing
	Role     string // "frontend", "worker", "gpu", …; empty until its page tells

	LastGood     time.Time     // newest successful scrape, zero when none
	LastScrape   time.Time     // newest attempt
	Took         time.Duration // whole scrape
	ServerShare  time.Duration // request written to first byte of the answer: the server's work
	Bytes        int64         // uncompressed body, -1 over the limit
	Samples      int           // lines on the page, before the catalogue's filter
	Interval     time.Duration // in force
	BaseInterval time.Duration // asked for
	Slowed       bool          // the interval grew to spare the server
	Insecure     bool          // TLS is not verified
}

// StaleAfter is the age past which a number of this target is no longer
// live: three intervals (screens.md, feel).
func (t Target) StaleAfter() time.Duration {
	if t.Interval <= 0 {
		return 3 * time.Second
	}
	return 3 * t.Interval
}
