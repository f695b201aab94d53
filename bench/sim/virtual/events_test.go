package virtual

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
)

// occurrence is a line of the truth that an operator should learn of, and the
// kinds of events that tell it.
type occurrence struct {
	at             time.Duration
	target, worker string // one of them
	kinds          []sources.EventKind
}

// occurrences reads the truth log. A page that is frozen or lacks families
// still answers: those are no events.
func (b *bed) occurrences(until time.Duration) (out []occurrence) {
	b.Helper()
	if err := b.world.Flush(); err != nil {
		b.Fatal(err)
	}
	lost, back := []sources.EventKind{sources.EventScrapeLost}, []sources.EventKind{sources.EventScrapeBack}
	for d := json.NewDecoder(&b.log); ; {
		var l struct {
			T                                float64
			Fault, Target, Worker, ID, Event string
			On                               bool
		}
		err := d.Decode(&l)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			b.Fatal(err)
		}
		at := time.Duration(l.T * float64(time.Second))
		if at == 0 || at > until {
			continue
		}
		switch {
		case l.Event == "died":
			out = append(out, occurrence{at: at, worker: l.ID, kinds: []sources.EventKind{sources.EventScrapeLost, sources.EventVanished}})
		case l.Event == "unregistered":
			out = append(out, occurrence{at: at, worker: l.ID, kinds: []sources.EventKind{sources.EventVanished}})
		case l.Event == "started":
			out = append(out, occurrence{at: at, worker: l.ID, kinds: []sources.EventKind{sources.EventAppeared, sources.EventRestarted}})
		case l.Fault == "scale":
			out = append(out, occurrence{at: at, target: "planner", kinds: []sources.EventKind{sources.EventScaled}})
		case l.Fault == "hang" || strings.HasPrefix(l.Fault, "metrics_") && l.Fault != "metrics_frozen" && l.Fault != "metrics_missing":
			kinds := back
			if l.On {
				kinds = lost
			}
			out = append(out, occurrence{at: at, target: l.Target, kinds: kinds})
		}
	}
}

func (o occurrence) is(e sources.Event, slack time.Duration) bool {
	off := e.At.Sub(epoch) - o.at
	who := o.worker != "" && e.Worker == o.worker || o.target != "" && strings.HasPrefix(e.Instance, o.target)
	return who && slices.Contains(o.kinds, e.Kind) && off >= 0 && off <= slack
}

// Every fault of the truth is told within two scrapes, and nothing else is;
// whoever asks for the first time is told the same as who watched.
func TestEventsAreTheTruth(t *testing.T) {
	for _, c := range []struct {
		name     string
		interval time.Duration
		until    time.Duration
		long     bool
		least    int
	}{
		{"worker-killed", 5 * time.Second, 5 * time.Minute, false, 3},
		{"worker-flapping", 5 * time.Second, 9 * time.Minute, true, 15},
		{"worker-hung", 5 * time.Second, 6 * time.Minute, false, 2},
		{"planner-oscillation", 5 * time.Second, 5 * time.Minute, true, 12},
		{"metrics-faults", 2 * time.Second, 360 * time.Second, true, 12},
		{"healthy", 5 * time.Second, 5 * time.Minute, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("long")
			}
			t.Parallel()
			b := open(t, c.name)
			watching := feed.New(b.store, catalog.Default())
			ask := feed.Ask{Window: time.Minute, Events: c.until}
			var watched []sources.Event
			looks := 0
			b.run(Options{Interval: c.interval, Jitter: true, Until: c.until, OnScrape: func(at time.Time) error {
				if at.Sub(epoch) < time.Duration(looks)*20*time.Second {
					return nil
				}
				looks++
				ask.At = at
				watched = watching.Tick(t.Context(), ask).Events
				return nil
			}})
			ask.At = epoch.Add(c.until)
			watched = watching.Tick(t.Context(), ask).Events
			snap := feed.New(b.store, catalog.Default()).Tick(t.Context(), ask)
			if snap.EventsErr != "" {
				t.Fatal(snap.EventsErr)
			}
			if !reflect.DeepEqual(watched, snap.Events) {
				t.Errorf("watched\n%v\nasked at once\n%v", watched, snap.Events)
			}
			if !slices.IsSortedFunc(snap.Events, func(a, b sources.Event) int { return b.At.Compare(a.At) }) {
				t.Error("not newest first")
			}
			told := make([]bool, len(snap.Events))
			slack := 2*c.interval + time.Second
			found := 0
			for _, o := range b.occurrences(c.until - slack) {
				ok := false
				for i, e := range snap.Events {
					if o.is(e, slack) {
						told[i], ok = true, true
					}
				}
				if found++; !ok {
					t.Errorf("not told: %+v", o)
				}
			}
			for i, e := range snap.Events {
				if !told[i] && e.At.Before(epoch.Add(c.until-slack)) {
					t.Errorf("told and not true: %v %s %s %s (%s)", e.At.Sub(epoch), e.Kind, e.Subject, e.Detail, e.Instance)
				}
			}
			if found < c.least {
				t.Errorf("%d true events, at least %d were expected", found, c.least)
			}
		})
	}
}
