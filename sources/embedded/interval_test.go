package embedded

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestNextInterval(t *testing.T) {
	ms := func(n ...int) (out []time.Duration) {
		for _, n := range n {
			out = append(out, time.Duration(n)*time.Millisecond)
		}
		return out
	}
	sec := time.Second
	for _, c := range []struct {
		name          string
		base, current time.Duration
		waits         []time.Duration
		want          time.Duration
	}{
		{"nothing known", sec, sec, nil, sec},
		{"cheap", sec, sec, ms(3, 4, 3, 5, 3), sec},
		{"at the edge", sec, sec, ms(50, 50, 50), sec},
		{"two are not enough", sec, sec, ms(90, 90), sec},
		{"one dip resets", sec, sec, ms(90, 10, 90, 90), sec},
		{"one step", sec, sec, ms(90, 80, 70), 2 * sec},
		{"straight to where it fits", sec, sec, ms(300, 240, 260), 5 * sec},
		{"never past 10 s", sec, sec, ms(900, 900, 900), 10 * sec},
		{"stays at 10 s", sec, 10 * sec, ms(900, 900, 900), 10 * sec},
		{"from the middle", sec, 2 * sec, ms(150, 150, 150), 5 * sec},
		{"hysteresis holds", sec, 2 * sec, ms(40, 40, 40, 40, 40), 2 * sec},
		{"back at half", sec, 2 * sec, ms(20, 20, 20, 20, 24), sec},
		{"back needs five", sec, 2 * sec, ms(20, 20, 20, 20), 2 * sec},
		{"back straight down", sec, 10 * sec, ms(3, 3, 3, 3, 3), sec},
		{"back part of the way", sec, 10 * sec, ms(40, 30, 30, 30, 30), 2 * sec},
		{"odd base", 3 * sec, 3 * sec, ms(200, 200, 200), 5 * sec},
		{"back to an odd base", 3 * sec, 5 * sec, ms(3, 3, 3, 3, 3), 3 * sec},
		{"base above all steps", 30 * sec, 30 * sec, ms(9000, 9000, 9000), 30 * sec},
		{"fast base", sec / 10, sec / 10, ms(30, 30, 30), sec},
	} {
		if got := nextInterval(c.base, c.current, c.waits); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestScrapeTimeout(t *testing.T) {
	for _, c := range []struct{ asked, interval, want time.Duration }{
		{0, time.Second, time.Second},
		{0, 200 * time.Millisecond, 200 * time.Millisecond},
		{0, 10 * time.Second, 5 * time.Second},
		{0, 2 * time.Second, time.Second},
		{300 * time.Millisecond, time.Second, 300 * time.Millisecond},
		{5 * time.Second, 2 * time.Second, 2 * time.Second},
	} {
		if got := scrapeTimeout(c.asked, c.interval); got != c.want {
			t.Errorf("%v at %v: %v, want %v", c.asked, c.interval, got, c.want)
		}
	}
}

func TestLookbackFollowsTheSlowestInterval(t *testing.T) {
	s := open(t, Options{})
	now := time.Now()
	at := func(d time.Duration) time.Time { return now.Add(d) }
	s.slowest = []slowestAt{{at(-time.Hour), time.Second}, {at(-30 * time.Minute), 10 * time.Second}, {at(-20 * time.Minute), time.Second}}
	for _, c := range []struct {
		at, want time.Duration
	}{
		{-2 * time.Hour, minLookback},
		{-45 * time.Minute, minLookback},
		{-25 * time.Minute, 25 * time.Second},
		{-20*time.Minute + 10*time.Second, 25 * time.Second}, // the last slow samples still count
		{-10 * time.Minute, minLookback},
		{0, minLookback},
	} {
		if got := s.lookback(at(c.at), at(c.at)); got != c.want {
			t.Errorf("at %v: %v, want %v", c.at, got, c.want)
		}
	}
	if got := s.lookback(at(-time.Hour), now); got != 25*time.Second {
		t.Errorf("over the hour: %v", got)
	}
}

// A page that costs its server too much is asked for less often, and its
// series go on without a hole, until it dies.
func TestSlowServerIsScrapedLessOften(t *testing.T) {
	s := open(t, Options{})
	s.mu.Lock()
	s.steady = false
	s.mu.Unlock()
	f := newFake(t, "")
	f.handler = func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(45 * time.Millisecond) // the work that is measured
		fmt.Fprintln(w, "v 1")
	}
	instance, err := s.Add(t.Context(), TargetSpec{URL: f.URL, Interval: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "up", isValue(t, s, "v", 1))
	eventually(t, "slowed", func() bool {
		if hole(t, s, "v") {
			t.Fatal("a hole before")
		}
		return only(t, s, instance).Slowed
	})
	x := only(t, s, instance)
	if x.Interval < time.Second || x.BaseInterval != 300*time.Millisecond || x.ServerShare < 45*time.Millisecond {
		t.Errorf("%+v", x)
	}
	n := f.requests()
	eventually(t, "scrapes at the new interval", func() bool {
		if hole(t, s, "v") {
			t.Fatal("a hole after")
		}
		return f.requests() > n+2
	})
	f.CloseClientConnections()
	f.Server.Close()
	eventually(t, "down", isValue(t, s, "up", 0))
	if !absent(t, s, "v")() {
		t.Error("still there though up is 0")
	}
}

// The loop that starts at an interval change does not know the series of the
// one before it; those that are gone end all the same.
func TestSeriesEndAcrossAnIntervalChange(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "")
	after := 0 // requests of the new loop, which has another timeout
	f.handler = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds") == "1" {
			f.set(func(*fake) { after++ })
			fmt.Fprintln(w, "w 1")
			return
		}
		fmt.Fprintln(w, "v 1\nw 1")
	}
	add(t, s, f.URL)
	eventually(t, "up", isValue(t, s, "v", 1))
	scrapes(t, f, 2)
	s.mu.Lock()
	s.targets[0].interval = time.Second
	s.mu.Unlock()
	s.wake()
	eventually(t, "two scrapes of the new loop", func() bool {
		if hole(t, s, "w") {
			t.Fatal("w has a hole")
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		return after >= 2
	})
	if !absent(t, s, "v")() {
		t.Error("v goes on")
	}
	if hole(t, s, "w") {
		t.Error("w ended")
	}
}
