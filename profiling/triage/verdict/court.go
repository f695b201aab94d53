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
	Base  Baselines // may be nil
	SLA   SLA
}

// Needs are what a judgement asks of the feed, with the events of Span.
func (c Court) Needs() []sources.Need { return Needs(c.Rules) }

// Judge judges the moment of a snapshot that answered Needs.
func (c Court) Judge(snap *sources.Snapshot) *Judgement {
	return Judge(Input{Snap: snap, Base: c.Base, SLA: c.SLA, Rules: c.Rules})
}

// Column is the newest column that is judged at a moment.
func Column(at time.Time) time.Time {
	return time.UnixMilli(at.UnixMilli() / Step.Milliseconds() * Step.Milliseconds()).UTC()
}
