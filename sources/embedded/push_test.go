package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/prometheus/prometheus/model/labels"
	pvalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"dynascope/sources"
)

// point is a sample with its bits, so that stale markers and NaN differ.
type point struct {
	t    int64
	bits uint64
}

func (p point) String() string {
	v := math.Float64frombits(p.bits)
	if pvalue.IsStaleNaN(v) {
		return fmt.Sprintf("stale@%d", p.t)
	}
	return fmt.Sprintf("%v@%d", v, p.t)
}

// dump is every sample of a store by series, stale markers included.
func dump(t *testing.T, s *Store) map[string][]point {
	t.Helper()
	q, err := s.db.Querier(0, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchEqual, "job", job))
	out := map[string][]point{}
	for set.Next() {
		name := set.At().Labels().String()
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			at, v := it.At()
			out[name] = append(out[name], point{at, math.Float64bits(v)})
		}
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// step is one answer of a target: a page, or status 503 where it is none.
type step struct {
	body string
	down bool
	bad  bool // a page that is refused
}

// course is a target that answers each scrape with the next step, and stays at
// the last.
type course struct {
	*fake
	spec  TargetSpec
	steps []step

	served int // guarded by fake.mu
}

func newCourse(t *testing.T, spec TargetSpec, steps []step) *course {
	c := &course{fake: newFake(t, ""), spec: spec, steps: steps}
	c.spec.URL, c.spec.Interval = c.fake.URL, courseInterval
	c.handler = func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		x := c.steps[min(c.served, len(c.steps)-1)]
		c.served++
		c.mu.Unlock()
		if x.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(x.body))
	}
	return c
}

// done says whether every step was answered once.
func (c *course) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served >= len(c.steps)
}

const courseInterval = 300 * time.Millisecond

func recorded(t testing.TB, elem ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{"..", "testdata", "pages"}, elem...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// recordedCourses are a frontend and two workers from their start through
// traffic, a failed scrape, and the death of one worker, which comes back. Each
// begins with a page twice: a first scrape that began before the probe's page
// was stored sees no page before its own, and writes no zeros.
func recordedCourses(t *testing.T) []*course {
	page := func(when, who string) step { return step{body: recorded(t, "1.6.1", "agg", when, who+".metrics.txt")} }
	down := step{down: true}
	garbage := step{body: "<!DOCTYPE html><html>502 Bad Gateway</html>\n", bad: true}
	var out []*course
	for _, who := range []string{"frontend", "worker0"} {
		after := page("after", who)
		torn := step{body: after.body[:len(after.body)*2/3], bad: true}
		out = append(out, newCourse(t, TargetSpec{Labels: map[string]string{"role": who}}, []step{
			page("before", who), page("before", who), page("during", who), page("during-2", who), after, down, after, torn, after,
			page("killed-before", who), page("killed-early", who), garbage, page("killed", who), down, down, page("before", who),
			page("during", who),
		}))
	}
	return append(out, newCourse(t, TargetSpec{}, []step{
		page("before", "worker1"), page("before", "worker1"), page("during", "worker1"), page("during-2", "worker1"), page("after", "worker1"), down,
		page("after", "worker1"), page("killed-before", "worker1"), down, down, down, page("before", "worker1"),
		page("during", "worker1"), down,
	}))
}

// oddCourse are pages that no good exporter gives.
func oddCourse(t *testing.T) *course {
	const base = "# HELP a_total x\n# TYPE a_total counter\na_total{x=\"1\"} 50\n# TYPE g gauge\ng 1\nno_type_total 7\n"
	const more = `# TYPE b_total counter
b_total{x="1"} 5
b_total{x="2"} 0
# TYPE h histogram
h_bucket{le="1"} 2
h_bucket{le="1.0"} 2
h_bucket{le="+Inf"} 3
h_sum 4.5
h_count 3
# TYPE s summary
s{quantile="0.5"} 1
s_sum 3
s_count 2
`
	page := func(parts ...string) step { return step{body: strings.Join(parts, "")} }
	refused := func(parts ...string) step { return step{body: strings.Join(parts, ""), bad: true} }
	var many strings.Builder
	for i := range 60 {
		fmt.Fprintf(&many, "many_total{n=\"%d\"} %d\n", i, i)
	}
	return newCourse(t, TargetSpec{SampleLimit: 50, BodyLimit: 12 << 10, LabelLimit: 8}, []step{
		page(base),
		page(base),
		page(base, more, "nan NaN\ninf +Inf\nminus -Inf\nstamped 4 1700000000000\n"),
		page(base, more, "twice 1\ntwice 1\ntwice 2\nspelt{a=\"1\",b=\"2\"} 1\nspelt{b=\"2\",a=\"1\"} 1\nspelt{b=\"2\", a=\"1\"} 2\n"),
		page(base, "clash{instance=\"x\",exported_instance=\"y\",job=\"z\"} 3\nclash{instance=\"x\"} 4\n"),
		page(""),
		page(base),
		refused(base, more, "half 1\nthis is {no page\ng2 1\n"),
		page(base, "half 1\n"),
		{down: true},
		{down: true},
		page(base, more),
		refused("# TYPE many_total counter\n", base, many.String()),
		page("# TYPE many_total counter\nmany_total{n=\"3\"} 9\nmany_total{n=\"4\"} 9\n", base),
		refused(base, "# ", strings.Repeat("x", 13<<10), "\n"),
		refused(base, "long{l=\"", strings.Repeat("x", 9<<10), "\"} 1\n"),
		page(strings.ReplaceAll(base, "50", "3"), more),
		refused(base, "wide{a=\"1\",b=\"1\",c=\"1\",d=\"1\",e=\"1\",f=\"1\"} 1\n"),
		page(more),
		page("# HELP b_total only help\nb_total{x=\"9\"} 1\nc_total 4\n# TYPE c_total counter\n", base),
		page("c_total{x=\"2\"} 4\n", base), // its TYPE line was on the page before
		refused(base, "x{y=\"1\"} 1 2 3\n"),
	})
}

// The same pages at the same times, scraped over HTTP and pushed, are the same
// samples: every series, every time, every bit, with the zeros before a burst
// and the stale markers. The first page is the probe's.
//
// What a scrape measures of itself cannot agree: scrape_duration_seconds. And
// scrape_series_added differs once: the loop does not know the probe's series.
//
// A scrape that a busy machine let fail is pushed as the failure that it was.
func TestPushIsAScrape(t *testing.T) {
	for name, keep := range map[string][]string{
		"all": nil,
		"kept": {
			"dynamo_frontend_requests_total", "dynamo_frontend_time_to_first_token_seconds_bucket", "dynamo_component_uptime_seconds",
			"a_total", "b_total", "h_bucket", "h_sum", "g", "many_total", "half", "c_total", "long", "wide",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pushAndScrape(t, keep)
		})
	}
}

// seen is what one scrape of a course met.
type seen struct {
	at   int64
	step step
	lost bool // it failed without having met a step's answer
}

// scrapes are what the scrapes of a course met, by the samples that they left.
// A scrape that failed on its own may or may not have used up a step.
func (c *course) scrapes(t *testing.T, all map[string][]point) []seen {
	t.Helper()
	up, size := upOf(all, "up", c.addr()), upOf(all, "scrape_body_size_bytes", c.addr())
	answers := func(k, i int) bool {
		x, want := c.steps[k], 0.0
		if !x.down {
			want = float64(len(x.body))
		}
		if c.spec.BodyLimit > 0 && int64(len(x.body)) >= c.spec.BodyLimit {
			want = -1
		}
		return (math.Float64frombits(up[i].bits) == 1) == !(x.down || x.bad) && math.Float64frombits(size[i].bits) == want
	}
	var out []seen
	for i, k := 0, 0; i < len(up) && k < len(c.steps); i++ {
		m := k
		for m < len(c.steps) && !answers(m, i) {
			m++
		}
		switch {
		case m == k:
			out, k = append(out, seen{at: up[i].t, step: c.steps[k]}), k+1
		case math.Float64frombits(up[i].bits) == 0:
			out = append(out, seen{at: up[i].t, lost: true})
		case m < len(c.steps):
			out, k = append(out, seen{at: up[i].t, step: c.steps[m]}), m+1
		default:
			t.Fatalf("%s: scrape %d is no step after %d: %v bytes", c.addr(), i, k, math.Float64frombits(size[i].bits))
		}
	}
	return out
}

func pushAndScrape(t *testing.T, keep []string) {
	courses := append(recordedCourses(t), oddCourse(t))
	scraped := open(t, Options{KeepNames: keep})
	for _, c := range courses {
		if _, err := scraped.Add(t.Context(), c.spec); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range courses {
		eventually(t, "all steps", func() bool {
			return c.done() && len(upOf(dump(t, scraped), "up", c.addr())) > len(c.steps)
		})
	}

	pushed := open(t, Options{KeepNames: keep})
	var feeds []*Pushed
	real := dump(t, scraped)
	met, lost, all := make([][]seen, len(courses)), 0, 0
	for k, c := range courses {
		met[k] = c.scrapes(t, real)
		for _, x := range met[k] {
			all++
			if x.lost {
				lost++
			}
		}
		p, err := pushed.Push(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		feeds = append(feeds, p)
	}
	t.Logf("%d of %d scrapes failed on their own", lost, all)
	if lost*2 > all {
		t.Fatal("too few scrapes met a step for a comparison")
	}
	// All targets advance together.
	next := make([]int, len(courses))
	for {
		first, at := -1, int64(math.MaxInt64)
		for k := range courses {
			if next[k] < len(met[k]) && met[k][next[k]].at < at {
				first, at = k, met[k][next[k]].at
			}
		}
		if first < 0 {
			break
		}
		x := met[first][next[first]]
		next[first]++
		var err error
		switch {
		case x.lost:
			err = feeds[first].Fail(time.UnixMilli(at), context.DeadlineExceeded)
		case x.step.down:
			err = feeds[first].Fail(time.UnixMilli(at), errors.New("server returned HTTP status 503 Service Unavailable"))
		default:
			err = feeds[first].Page(time.UnixMilli(at), []byte(x.step.body), time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	fed := dump(t, pushed)
	series, samples, stale, zeros := 0, 0, 0, 0
	for k, c := range courses {
		last := met[k][len(met[k])-1].at
		mine := fmt.Sprintf("instance=%q", c.addr())
		for name := range union(real, fed) {
			if !strings.Contains(name, mine) || strings.Contains(name, `"scrape_duration_seconds"`) {
				continue
			}
			a, b := until(real[name], last), fed[name]
			if strings.Contains(name, `"scrape_series_added"`) && len(a) > 1 && len(b) > 1 {
				a[1], b[1] = point{}, point{}
			}
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%s\n scraped %v\n pushed  %v", name, a, b)
				continue
			}
			series++
			samples += len(a)
			for _, p := range a {
				if pvalue.IsStaleNaN(math.Float64frombits(p.bits)) {
					stale++
				}
				if p.bits == 0 {
					zeros++
				}
			}
		}
	}
	t.Logf("%d series, %d samples alike, %d of them stale markers, %d zeros", series, samples, stale, zeros)
	if series < 20 || stale < 20 || zeros < 5 {
		t.Error("too few for a comparison")
	}

	// Every later scrape meets the last step again.
	eventually(t, "the status of a scraped target is that of the pushed one", func() bool {
		was := map[string]sources.Target{}
		for _, x := range scraped.Targets() {
			was[x.Instance] = x
		}
		for _, x := range pushed.Targets() {
			y := was[x.Instance]
			if x.Health != y.Health || x.Error != y.Error || x.Bytes != y.Bytes || x.Samples != y.Samples || x.Interval != y.Interval || x.URL != y.URL {
				t.Logf("status\n scraped %+v\n pushed  %+v", y, x)
				return false
			}
		}
		return true
	})
}

func upOf(all map[string][]point, name, instance string) []point {
	for k, ps := range all {
		if strings.Contains(k, fmt.Sprintf("__name__=%q", name)) && strings.Contains(k, fmt.Sprintf("instance=%q", instance)) {
			return ps
		}
	}
	return nil
}

func until(ps []point, last int64) []point {
	var out []point
	for _, p := range ps {
		if p.t <= last {
			out = append(out, p)
		}
	}
	return out
}

func union(a, b map[string][]point) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

// Virtual time may lie anywhere: what a store says of the present follows its
// pages, not the clock on the wall.
func TestPushedTimeIsThePresent(t *testing.T) {
	for name, start := range map[string]time.Time{
		"past":   time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC),
		"future": time.Date(2101, 2, 3, 4, 5, 6, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Options{})
			p, err := s.Push(TargetSpec{URL: "http://worker0:9090", Interval: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Add(t.Context(), TargetSpec{URL: "h:1"}); err == nil || !strings.Contains(err.Error(), "not both") {
				t.Errorf("a scrape beside: %v", err)
			}
			for i := range 720 {
				body := fmt.Appendf(nil, "# TYPE c_total counter\nc_total %d\n", 50*i)
				if err := p.Page(start.Add(time.Duration(i)*10*time.Second), body, 0); err != nil {
					t.Fatal(err)
				}
			}
			end := start.Add(7190 * time.Second)
			if err := p.Page(end, nil, 0); err == nil {
				t.Error("a page at the time of another was taken")
			}
			if got := s.Oldest(); !got.Equal(start) {
				t.Errorf("oldest %v, want %v", got, start)
			}
			// 2.5 intervals is how long a sample counts, from the very start.
			for _, at := range []time.Time{start.Add(9 * time.Second), end.Add(24 * time.Second)} {
				if out, err := s.Instant(t.Context(), "c_total", at); err != nil || len(out) != 1 {
					t.Errorf("at %v: %v, %v", at, out, err)
				}
			}
			if out, err := s.Instant(t.Context(), "rate(c_total[1m])", end); err != nil || len(out) != 1 || out[0].Points[0].V != 5 {
				t.Errorf("rate %v, %v", out, err)
			}
			if err := p.Fail(end.Add(10*time.Second), context.DeadlineExceeded); err != nil {
				t.Fatal(err)
			}
			x := only(t, s, p.Instance())
			if x.Health != sources.HealthDown || !strings.Contains(x.Error, "no answer within 5s") || !x.LastGood.Equal(end) {
				t.Errorf("%+v", x)
			}
			if out, _ := s.Instant(t.Context(), "c_total", end.Add(10*time.Second)); len(out) != 0 {
				t.Error("still there though down")
			}
			if err := p.Page(end.Add(20*time.Second), []byte("c_total 9\n"), 6*time.Second); err != nil {
				t.Fatal(err)
			}
			if x := only(t, s, p.Instance()); x.Health != sources.HealthDown {
				t.Errorf("an answer after the timeout counts: %+v", x)
			}
			if err := s.Remove(p.Instance()); err != nil {
				t.Fatal(err)
			}
			if out, _ := s.Instant(t.Context(), "up", end.Add(20*time.Second+time.Millisecond)); len(out) != 0 {
				t.Error("removed and still there")
			}
			if err := p.Page(end.Add(30*time.Second), nil, 0); err == nil || !strings.Contains(err.Error(), "removed") {
				t.Errorf("a page after Remove: %v", err)
			}
		})
	}
}

// Pages of several targets may come from several goroutines.
func TestPushFromManyGoroutines(t *testing.T) {
	s := open(t, Options{})
	var wg sync.WaitGroup
	for k := range 4 {
		p, err := s.Push(TargetSpec{URL: fmt.Sprintf("http://worker%d:9090", k)})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := range 50 {
				if err := p.Page(time.Unix(1_000_000+int64(i), 0), fmt.Appendf(nil, "# TYPE c_total counter\nc_total{i=\"%d\"} 1\n", i/7), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if out, err := s.Instant(t.Context(), "count(c_total)", time.Unix(1_000_049, 0)); err != nil || len(out) != 1 || out[0].Points[0].V != 4 {
		t.Errorf("%v, %v", out, err)
	}
}

// FuzzPage: whatever a page holds, the scrape succeeds or fails in one line,
// and the next good page is taken.
func FuzzPage(f *testing.F) {
	for _, s := range []string{
		"v 1\n", "# TYPE v histogram\nv_bucket{le=\"1\"} 2\nv_sum NaN\nv_count +Inf\n", "v{a=\"\x1b[31m\"} 1 1\nv{a=\"b\"} 2\nv{a=\"b\"} 3\n",
		"<html>", "{\"v\"} 1\n", "v{", "\x00", "v 1 99999999999999999999\n", "up 7\nscrape_samples_scraped 9\n",
	} {
		f.Add([]byte(s))
	}
	s, err := Open(f.Context(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	p, err := s.Push(TargetSpec{URL: "http://h:1"})
	if err != nil {
		f.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0)
	f.Fuzz(func(t *testing.T, page []byte) {
		at = at.Add(time.Second)
		if err := p.Page(at, page, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if x := s.Targets()[0]; strings.ContainsFunc(x.Error, unicode.IsControl) || x.Health == sources.HealthDown && !strings.Contains(x.Error, "; hint: ") {
			t.Errorf("health %v, error %q", x.Health, x.Error)
		}
		at = at.Add(time.Second)
		if err := p.Page(at, []byte("good 1\n"), time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if x := s.Targets()[0]; x.Health != sources.HealthUp || x.Error != "" {
			t.Errorf("after it: %v %q", x.Health, x.Error)
		}
	})
}
