package virtual

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/world"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
)

var epoch = time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)

// bed is a world with its store, and what really happened.
type bed struct {
	*testing.T
	world *world.World
	store *embedded.Store
	log   bytes.Buffer
}

func open(t *testing.T, name string) *bed {
	t.Helper()
	sc, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{T: t}
	if b.world, err = world.New(world.Config{Scenario: sc, Start: epoch, Truth: &b.log}); err != nil {
		t.Fatal(err)
	}
	if b.store, err = embedded.Open(t.Context(), embedded.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bed) run(o Options) map[string]string {
	b.Helper()
	instances, err := Run(b.Context(), b.world, b.store, o)
	if err != nil {
		b.Fatal(err)
	}
	return instances
}

// ended is a request of the truth.
type ended struct {
	Frontend             string
	Status               string
	Stream               bool
	Tokens               int
	Arrived, Ended, TTFT float64
	First                float64   `json:"first_token"`
	Gaps                 []float64 `json:"-"`
}

// truth lets what is under way end, and reads the log.
func (b *bed) truth() (out []ended) {
	b.Helper()
	b.world.Advance(b.world.Now() + 4*time.Minute)
	if err := b.world.Flush(); err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(b.log.Bytes()) {
		if !bytes.Contains(line, []byte(`"request":`)) {
			continue
		}
		// The gaps are most of the log, and encoding/json is slow with them.
		line, gaps := b.gaps(line)
		var l struct{ Request ended }
		if err := json.Unmarshal(line, &l); err != nil {
			b.Fatalf("%v in %.200s", err, line)
		}
		l.Request.Gaps = gaps
		out = append(out, l.Request)
	}
	return out
}

// gaps takes the gaps between tokens out of a line of the truth.
func (b *bed) gaps(line []byte) (rest []byte, gaps []float64) {
	before, list, ok := bytes.Cut(line, []byte(`,"gaps_us":[`))
	if !ok {
		return line, nil
	}
	list, after, _ := bytes.Cut(list, []byte("]"))
	for text := range strings.SplitSeq(string(list), ",") {
		g, err := strconv.ParseFloat(text, 64)
		if err != nil {
			b.Fatal(err)
		}
		gaps = append(gaps, g)
	}
	return slices.Concat(before, after), gaps
}

// everything is all samples as text, in steps of the interval; a gap is a stale
// marker.
func everything(t *testing.T, s *embedded.Store, o Options) string {
	t.Helper()
	// Without the name, series of two families would be one.
	got, err := s.Range(t.Context(), `label_replace({job="dynascope"}, "name", "$1", "__name__", "(.+)")`,
		sources.Span{From: epoch, To: epoch.Add(o.Until), Step: o.Interval})
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(got))
	for i, x := range got {
		lines[i] = fmt.Sprint(x.Labels.Key(), x.Points)
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

// Two runs of one seed give the same samples, however the targets are phased.
func TestRunsRepeat(t *testing.T) {
	for _, o := range []Options{
		{Interval: 2 * time.Second, Until: 80 * time.Second},
		{Interval: 2 * time.Second, Until: 80 * time.Second, Jitter: true, Seed: 7},
	} {
		var got [2]string
		for i := range got {
			b := open(t, "metrics-faults")
			if n := len(b.run(o)); n != len(b.world.Endpoints()) {
				t.Errorf("%d instances of %d endpoints", n, len(b.world.Endpoints()))
			}
			got[i] = everything(t, b.store, o)
		}
		if got[0] != got[1] {
			t.Errorf("jitter %v: two runs differ", o.Jitter)
		}
		if n := strings.Count(got[0], "\n"); n < 500 {
			t.Errorf("%d series", n)
		}
	}
}

// Each metrics fault reaches the store as it would reach a scraper.
func TestMetricsFaults(t *testing.T) {
	b := open(t, "metrics-faults")
	faults := map[time.Duration]struct{ who, want string }{
		80 * time.Second:  {"worker0", "connection refused"},
		130 * time.Second: {"worker1", "no answer within"},
		180 * time.Second: {"worker2", "no answer within"},
		230 * time.Second: {"worker3", "not in the prometheus text format"},
		280 * time.Second: {"worker0", "html"},
		330 * time.Second: {"worker1", "larger than"},
		380 * time.Second: {"worker2", ""}, // frozen is up
		530 * time.Second: {"frontend0", "connection refused"},
	}
	met := 0
	instances := map[string]string{}
	var err error
	instances, err = Run(t.Context(), b.world, b.store, Options{Interval: 5 * time.Second, Until: 9 * time.Minute, OnScrape: func(at time.Time) error {
		f, ok := faults[at.Sub(epoch)]
		if !ok {
			return nil
		}
		met++
		for _, x := range b.store.Targets() {
			name, _, _ := strings.Cut(x.Instance, ":")
			switch {
			case name == f.who && !strings.Contains(x.Error, f.want):
				t.Errorf("%v: %s says %q, want %q", at.Sub(epoch), name, x.Error, f.want)
			case name == f.who && (x.Health == sources.HealthUp) != (f.want == ""):
				t.Errorf("%v: %s is %v", at.Sub(epoch), name, x.Health)
			case name != f.who && x.Health != sources.HealthUp:
				t.Errorf("%v: %s is %v too: %s", at.Sub(epoch), name, x.Health, x.Error)
			}
		}
		return nil
	}})
	if err != nil || met != len(faults) {
		t.Errorf("%d of %d faults, %v", met, len(faults), err)
	}
	if instances["worker3"] != "worker3:9090" || instances["frontend0"] != "frontend0:8000" {
		t.Errorf("%v", instances)
	}
}

func TestRunEnds(t *testing.T) {
	b, stop := open(t, "healthy"), errors.New("enough")
	n := 0
	_, err := Run(t.Context(), b.world, b.store, Options{OnScrape: func(time.Time) error {
		if n++; n == 3 {
			return stop
		}
		return nil
	}})
	if !errors.Is(err, stop) || n != 3 || b.world.Now() != 2*time.Second {
		t.Errorf("%v after %d scrapes at %v", err, n, b.world.Now())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := open(t, "healthy")
	if _, err := Run(ctx, c.world, c.store, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	w, err := world.New(world.Config{Scenario: b.world.Scenario()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), w, b.store, Options{}); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("no start: %v", err)
	}
}

// What the screens would show of a healthy deployment is what happened: counts
// exactly, as far as a rate can tell (from the first to the last scrape in its
// window, scaled up to the window).
func TestRatesAreTheTruth(t *testing.T) {
	const interval, window = 5 * time.Second, 60 * time.Second
	b := open(t, "healthy")
	done := sources.Need{Key: "requests.done", Form: sources.FormRate}
	tokens := sources.Need{Key: "frontend.itl", Form: sources.FormCount}
	ttft := sources.Need{Key: "frontend.ttft", Form: sources.FormMean}
	f := feed.New(b.store, catalog.Default())
	type seen struct {
		at                 float64
		done, tokens, ttft float64
	}
	var all []seen
	_, err := Run(t.Context(), b.world, b.store, Options{Interval: interval, Until: 6 * time.Minute, OnScrape: func(at time.Time) error {
		if at.Sub(epoch) < 2*time.Minute {
			return nil
		}
		snap := f.Tick(t.Context(), feed.Ask{Needs: []sources.Need{done, tokens, ttft}, At: at, Window: window})
		x := seen{at: at.Sub(epoch).Seconds()}
		x.done, _ = snap.Figure(done).Value()
		x.tokens, _ = snap.Figure(tokens).Value()
		x.ttft, _ = snap.Figure(ttft).Value()
		all = append(all, x)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	requests := b.truth()
	covered := (window - interval).Seconds()
	for _, x := range all {
		from := x.at - covered
		var done, gaps, ttfts, sum float64
		for _, r := range requests {
			if r.Ended > from && r.Ended <= x.at {
				done++
			}
			if r.Stream && r.First > from && r.First <= x.at {
				ttfts, sum = ttfts+1, sum+r.TTFT
			}
			for _, g := range r.booked() {
				if g.at > from && g.at <= x.at {
					gaps++
				}
			}
		}
		for what, c := range map[string][2]float64{
			"requests": {x.done * covered, done}, "gaps": {x.tokens * covered / window.Seconds(), gaps}, "mean TTFT": {x.ttft, sum / ttfts},
		} {
			if math.Abs(c[0]-c[1]) > 1e-6*c[1] || c[1] == 0 {
				t.Errorf("at %v: %s %v, in truth %v", x.at, what, c[0], c[1])
			}
		}
	}
}
