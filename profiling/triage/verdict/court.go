package verdict

import (
	"time"

	"dynascope/sources"
)

// Court is by what a program judges: everything that judges one store in one
// run holds the same one, so that the console, a report and a check agree on
// one moment. It is a value and never changes.
type Court struct {
	Rules []Rule
	// Base finds the baselines of the deployment and model that a snapshot
	// shows, nil when none were learned. It may be nil, and depends on nothing
	// but the snapshot.
	Base func(*sources.Snapshot) Baselines
	SLA  SLA
}

// Needs are what a judgement asks of the feed, with the events of Span.
func (c Court) Needs() []sources.Need { return Needs(c.Rules) }

// Judge judges the moment of a snapshot that answered Needs.
func (c Court) Judge(snap *sources.Snapshot) *Judgement {
	in := Input{Snap: snap, SLA: c.SLA, Rules: c.Rules}
	if c.Base != nil {
		in.Base = c.Base(snap)
	}
	return Judge(in)
}

// Column is the newest column that is judged at a moment.
func Column(at time.Time) time.Time {
	return time.UnixMilli(at.UnixMilli() / Step.Milliseconds() * Step.Milliseconds()).UTC()
}
