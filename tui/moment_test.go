package tui

import (
	"context"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/feed"
)

var night = time.Date(2026, 11, 24, 3, 12, 0, 0, time.UTC)

// recording tells the story of a recording from 01:12 to 03:12.
func recording(t *testing.T, with ...func(*Options)) *story {
	t.Helper()
	s := tell(t, append(with, func(o *Options) {
		f := o.Feed.(*stubFeed)
		f.newest, f.store = night, "recording"
		o.Recording = true
		o.Recorded = func() (time.Time, time.Time) { return night.Add(-2 * time.Hour), f.newest }
	})...)
	return s
}

func TestARecordingOpensAtItsMoment(t *testing.T) {
	at := night.Add(-30 * time.Minute)
	s := recording(t, func(o *Options) { o.At = at })
	if !s.last().At.Equal(at) {
		t.Errorf("asked for %v", s.last().At)
	}
	s.shows("AT 02:42:00Z", "recording 01:12–03:12Z")
	s.keys(`\`)
	s.shows("NEWEST 03:12:00Z")
	s.keys("]") // nothing is newer
	s.shows("NEWEST 03:12:00Z")
	// The recorder is still writing.
	s.feed.newest = night.Add(5 * time.Second)
	s.drain(s.m.ask())
	s.shows("NEWEST 03:12:05Z")
	s.keys("[")
	s.shows("AT 03:11:35Z")
	s.keys("]", "]")
	s.shows("NEWEST")
}

func TestSteppingEndsWhereTheRecordingBegins(t *testing.T) {
	s := recording(t, func(o *Options) { o.At = night.Add(-2*time.Hour + 20*time.Second) })
	s.keys("[")
	s.shows("AT 01:12:00Z", "the oldest moment")
	s.keys("[")
	s.shows("AT 01:12:00Z")
}

func TestAnotherDaysMomentsHaveTheirDate(t *testing.T) {
	s := recording(t, func(o *Options) { o.At = night })
	s.feed.now = noon.Add(24 * time.Hour)
	s.shows("AT 2026-11-24 03:12:00Z")
	s.m.span.oldest = night.Add(-24 * time.Hour)
	s.shows("recording 11-23 03:12–11-24 03:12Z")
}

func TestTheStoreAndItsAge(t *testing.T) {
	s := tell(t, func(o *Options) { o.Tick = 5 * time.Second })
	s.feed.store = "prometheus"
	s.feed.targets[0].LastGood = noon.Add(-8 * time.Second)
	s.keys("r")
	s.shows("prometheus 8 s")
	s.feed.targets[0].LastGood = noon
	s.keys("r")
	s.shows("prometheus 5 s") // what is on screen may be as old as the tick
	s.feed.now = noon.Add(40 * time.Second)
	s.shows("prometheus 40 s") // no answer since
}

// slowFeed answers when it is let, or when the question is given up.
type slowFeed struct {
	stubFeed
	let   chan struct{}
	ended chan error
}

func (f *slowFeed) Tick(ctx context.Context, ask feed.Ask) *sources.Snapshot {
	select {
	case <-f.let:
	case <-ctx.Done():
	}
	f.ended <- ctx.Err()
	return f.stubFeed.Tick(ctx, ask)
}

// A question that nobody waits for any more is given up, so that a slow store
// does not make keys slow; one that is still wanted is not.
func TestAQuestionThatTheUserLeftIsGivenUp(t *testing.T) {
	s := tell(t)
	slow := &slowFeed{stubFeed: stubFeed{now: noon}, let: make(chan struct{}), ended: make(chan error, 9)}
	s.m.Feed = slow
	answers := make(chan any, 9)
	run := s.m.ask()
	go func() { answers <- run() }()

	if _, cmd := s.m.Update(press("r")); cmd != nil {
		t.Error("asking for the same again gives the question up")
	}
	s.shows("alpha")
	_, cmd := s.m.Update(press("2"))
	s.shows("beta") // at once
	if cmd == nil {
		t.Fatal("nobody looks after the question that was left")
	}
	s.feed.now = noon.Add(time.Second)
	s.m.Update(impatientMsg{s.m.question.n})
	if err := <-slow.ended; err == nil {
		t.Error("the question was not given up")
	}
	was := s.m.snap
	_, cmd = s.m.Update(<-answers)
	if s.m.snap != was {
		t.Error("the answer of a question that was given up is shown")
	}
	close(slow.let)
	s.send(cmd())
	if s.m.snap == was || s.last().Needs == nil {
		t.Error("the new question was not asked")
	}
}
