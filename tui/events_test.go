package tui

import (
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

// jobs are events as this program's own jobs tell them.
func jobs() []sources.Event {
	at := func(ago time.Duration) time.Time { return noon.Add(-ago) }
	return []sources.Event{
		{At: at(3 * time.Minute), Kind: sources.EventRestarted, Subject: "7f3a", Detail: "was 91c2, away for 20 s", Instance: "node-7:9090", Worker: "7f3a22"},
		{At: at(time.Minute), Kind: sources.EventProfile, Subject: "91c2", Detail: "10 steps \x1b[31mrecorded"},
		{At: at(40 * time.Minute), Kind: sources.EventScrapeLost, Subject: "node-9:9090", Detail: "its scrapes fail"},
		{At: at(-time.Minute), Kind: sources.EventSweep, Subject: "later", Detail: "not yet"},
	}
}

func TestEventsAreListedNewestFirstAndGoneTo(t *testing.T) {
	s := tell(t, func(o *Options) { o.JobEvents = jobs })
	if s.last().Events != 5*time.Minute {
		t.Errorf("asked for the events of %v, the charts show 5m", s.last().Events)
	}
	if got := s.m.frame().Events; len(got) != 2 || got[0].Kind != sources.EventProfile {
		t.Errorf("the frame has %v", got)
	}
	s.keys("v")
	if s.last().Events != time.Hour {
		t.Errorf("the list asks for %v", s.last().Events)
	}
	s.shows("events of the last 60 m", "11:59:00", "profile", "11:57:00", "restarted", "was 91c2", "11:20:00", "scrape lost")
	if screen := s.screen(); strings.Contains(screen, "later") || strings.Index(screen, "profile") > strings.Index(screen, "restarted") {
		t.Errorf("order, or one of the future:\n%s", screen)
	}
	s.keys("/")
	s.keys("7", "f", "3")
	s.shows("/7f3", "restarted")
	if screen := s.screen(); strings.Contains(screen, "scrape lost") {
		t.Errorf("the filter does not hold:\n%s", screen)
	}
	s.keys("enter", "enter")
	if want := noon.Add(-3 * time.Minute); !s.m.at.Equal(want) || !s.last().At.Equal(want) {
		t.Errorf("went to %v and asked %v, want %v", s.m.at, s.last().At, want)
	}
	s.keys("\\")
	if !s.m.at.IsZero() {
		t.Error("not live again")
	}
}

func TestABaselineIsAMomentAndIsAskedAgain(t *testing.T) {
	s := tell(t)
	s.keys("c")
	s.shows("no baseline yet")
	s.keys("b")
	s.shows("baseline: the 5 m up to 12:00:00Z")
	if !s.last().Baseline.At.IsZero() {
		t.Error("asked for a baseline that nothing is compared with")
	}
	s.keys("c")
	if b := s.last().Baseline; !b.At.Equal(noon) || b.Window != 5*time.Minute || len(s.last().Courses) == 0 {
		t.Errorf("asked for %+v and %d courses", b, len(s.last().Courses))
	}
	s.shows("now against the baseline of 12:00:00Z, 5 m", "vs 12:00:00Z 5 m")
	s.keys("c")
	if s.m.overlay.open() || !s.m.compare.on {
		t.Error("c does not close the table, or ends comparing with it")
	}
	s.keys("c")
	if s.m.compare.on || !s.last().Baseline.At.IsZero() {
		t.Error("c does not end comparing")
	}
}
