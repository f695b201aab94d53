package sources

import "time"

// EventKind says what happened. Names are stable: filters, tests and documents
// use them.
type EventKind string

// The kinds of events. The first group is found in the store, by questions
// about the past; jobs of this program and judgements bring the second.
const (
	EventAppeared   EventKind = "appeared"    // a worker that was not there before
	EventVanished   EventKind = "vanished"    // its page is dead and the router dropped it, or its target is gone
	EventRestarted  EventKind = "restarted"   // a new process at an old address
	EventRole       EventKind = "role"        // a worker changed its role or component
	EventUnlisted   EventKind = "unlisted"    // the router dropped a worker whose page answers
	EventListed     EventKind = "listed"      // the router lists a known worker again
	EventScrapeLost EventKind = "scrape lost" // a page stopped answering
	EventScrapeBack EventKind = "scrape back"
	EventModel      EventKind = "model"      // a model is announced anew
	EventModelGone  EventKind = "model gone" // no frontend announces it any more
	EventScaled     EventKind = "scaled"     // the planner counts another number of workers

	EventProfile     EventKind = "profile"
	EventSweep       EventKind = "sweep"
	EventVerdict     EventKind = "verdict" // one begins
	EventVerdictOver EventKind = "verdict over"
)

// Bad says whether the kind is bad news by itself.
func (k EventKind) Bad() bool {
	switch k {
	case EventVanished, EventRestarted, EventUnlisted, EventScrapeLost, EventModelGone, EventVerdict:
		return true
	}
	return false
}

// Event is something that happened at one moment. It is a value and never
// changes.
type Event struct {
	// At is the first column of time at which it is seen: up to one step of
	// the question, at least a scrape interval, after it happened.
	At   time.Time
	Kind EventKind
	// Subject is whom it happened to: a worker's short id, a target's
	// instance, a model, "planner".
	Subject string
	Detail  string
	// Instance is the target whose page it concerns, Worker the hexadecimal id
	// of the worker; each may be empty.
	Instance, Worker string
}

// EventsOf returns the events of one worker, by its id or its page's address,
// in the order given.
func EventsOf(events []Event, worker, instance string) []Event {
	var out []Event
	for _, e := range events {
		if worker != "" && e.Worker == worker || instance != "" && e.Instance == instance {
			out = append(out, e)
		}
	}
	return out
}
