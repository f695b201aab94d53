package embedded

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/scrape"

	"dynascope/sources"
)

const quiet = "# TYPE up_since gauge\nup_since 1\n"

// raw are all stored points of one series over the last minutes.
func raw(t *testing.T, s *Store, selector string) []sources.Point {
	t.Helper()
	q, err := s.db.Querier(0, time.Now().Add(time.Minute).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	return points(t, q, selector)
}

func TestFirstBurstIsCounted(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, quiet)
	add(t, s, f.URL)
	eventually(t, "first scrape", isValue(t, s, "up_since", 1))
	f.page(quiet + `# TYPE requests_total counter
requests_total{model="m"} 100
# TYPE detokenize_token_count counter
detokenize_token_count 300
# TYPE ttft_seconds histogram
ttft_seconds_bucket{le="1"} 7
ttft_seconds_bucket{le="+Inf"} 9
ttft_seconds_sum 12.5
ttft_seconds_count 9
# TYPE wait_seconds summary
wait_seconds{quantile="0.5"} 4
wait_seconds_sum 8
wait_seconds_count 2
# TYPE running_count gauge
running_count 5
# TYPE kv_total gauge
kv_total 6
no_type_total 3
`)
	eventually(t, "the new series", isValue(t, s, "requests_total", 100))
	for _, c := range []struct {
		series string
		zero   bool
	}{
		{`requests_total`, true},
		{`detokenize_token_count`, true},
		{`ttft_seconds_bucket{le="1.0"}`, true},
		{`ttft_seconds_bucket{le="+Inf"}`, true},
		{`ttft_seconds_sum`, true},
		{`ttft_seconds_count`, true},
		{`wait_seconds_sum`, true},
		{`wait_seconds_count`, true},
		{`wait_seconds{quantile="0.5"}`, false},
		{`running_count`, false},
		{`kv_total`, false},
		{`no_type_total`, false},
		{`up_since`, false},
	} {
		ps := raw(t, s, c.series)
		if len(ps) == 0 {
			t.Errorf("%s: no samples", c.series)
			continue
		}
		if got := ps[0].V == 0; got != c.zero {
			t.Errorf("%s starts at %v, want a zero first: %v", c.series, ps[0].V, c.zero)
		}
		if c.zero {
			if ups := raw(t, s, "up_since"); !hasTime(ups, ps[0].T) {
				t.Errorf("%s: the zero is not at the time of a scrape", c.series)
			}
		}
	}
	if v, ok := value1(t, s, `increase(requests_total[1m])`); !ok || v < 100 {
		t.Errorf("increase is %v, %v; want at least 100", v, ok)
	}
}

func hasTime(ps []sources.Point, at int64) bool {
	for _, p := range ps {
		if p.T == at {
			return true
		}
	}
	return false
}

func TestFirstBurstNotOnFirstScrape(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, "# TYPE old_total counter\nold_total 1e6\n")
	add(t, s, f.URL)
	eventually(t, "first scrape", isValue(t, s, "old_total", 1e6))
	scrapes(t, f, 2)
	if v := raw(t, s, "old_total")[0].V; v != 1e6 {
		t.Errorf("starts at %v", v)
	}
}

func TestFirstBurstOpenMetrics(t *testing.T) {
	const head = "# TYPE a gauge\na 1\n"
	s, f := open(t, Options{}), newFake(t, head+"# EOF\n")
	f.contentType = "application/openmetrics-text; version=1.0.0"
	add(t, s, f.URL)
	eventually(t, "first scrape", isValue(t, s, "a", 1))
	f.page(head + "# TYPE c counter\nc_total 5\nc_created 99\n# EOF\n")
	eventually(t, "the counter", isValue(t, s, "c_total", 5))
	if v := raw(t, s, "c_total")[0].V; v != 0 {
		t.Errorf("c_total starts at %v", v)
	}
	if v := raw(t, s, "c_created")[0].V; v != 99 {
		t.Errorf("c_created starts at %v", v)
	}
}

// A series that vanishes and comes back would jump by its whole total.
func TestFirstBurstNotForReturningSeries(t *testing.T) {
	const counter = "# TYPE c_total counter\nc_total 1000\n"
	for _, retention := range []time.Duration{0, time.Millisecond} { // the second: longer ago than the store keeps
		returning(t, retention, counter)
	}
}

func returning(t *testing.T, retention time.Duration, counter string) {
	s, f := open(t, Options{Retention: retention}), newFake(t, quiet+counter)
	add(t, s, f.URL)
	eventually(t, "first scrape", isValue(t, s, "c_total", 1000))
	scrapes(t, f, 2)
	f.page(quiet)
	eventually(t, "the counter gone", absent(t, s, "c_total"))
	scrapes(t, f, 2) // the previous good scrape is no longer the stale marker's
	f.page(quiet + "# TYPE c_total counter\nc_total 1003\n")
	eventually(t, "the counter back", isValue(t, s, "c_total", 1003))
	for _, p := range raw(t, s, "c_total") {
		if p.V == 0 {
			t.Errorf("a zero at %v", p.Time())
		}
	}
	if v, ok := value1(t, s, "increase(c_total[1m])"); !ok || v > 10 {
		t.Errorf("increase is %v, %v; want about 3", v, ok)
	}
}

// A failed scrape between does not lose a burst; a long gap does, on purpose.
func TestFirstBurstAfterFailedScrapes(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, quiet)
	add(t, s, f.URL)
	eventually(t, "first scrape", isValue(t, s, "up_since", 1))
	f.set(func(f *fake) { f.status = 500 })
	eventually(t, "failure", isValue(t, s, "up", 0))
	f.set(func(f *fake) { f.status, f.body = 200, quiet+"# TYPE c_total counter\nc_total 8\n" })
	eventually(t, "the counter", isValue(t, s, "c_total", 8))
	if v := raw(t, s, "c_total")[0].V; v != 0 {
		t.Errorf("starts at %v", v)
	}

	s.mu.Lock()
	tg := s.targets[0]
	s.mu.Unlock()
	a := &scrapeAppender{s: s, t: tg, prevGood: 1000}
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{time.Second, false}, {burstGap, false}, {burstGap + time.Second, true}} {
		if got := a.tooLong(1000 + c.after.Milliseconds()); got != c.want {
			t.Errorf("%v after: too long is %v", c.after, got)
		}
	}
}

// A page over a limit is refused, and its series do not count as seen.
func TestFirstBurstOfRefusedScrape(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, quiet)
	if _, err := s.Add(t.Context(), TargetSpec{URL: f.URL, Interval: fast, SampleLimit: 3}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "first scrape", isValue(t, s, "up_since", 1))
	const c = "# TYPE c_total counter\nc_total 8\n"
	f.page(quiet + c + "x 1\ny 1\nz 1\n")
	eventually(t, "refusal", isValue(t, s, "up", 0))
	f.page(quiet + c)
	eventually(t, "the counter", isValue(t, s, "c_total", 8))
	if ps := raw(t, s, "c_total"); ps[0].V != 0 {
		t.Errorf("starts at %v", ps[0].V)
	}
}

// Nor does a target that is removed and added again forget its series.
func TestFirstBurstNotAfterRemoveAndAdd(t *testing.T) {
	s, f := open(t, Options{}), newFake(t, quiet+"# TYPE c_total counter\nc_total 1000\n")
	instance := add(t, s, f.URL)
	eventually(t, "first scrape", isValue(t, s, "c_total", 1000))
	if err := s.Remove(instance); err != nil {
		t.Fatal(err)
	}
	f.page(quiet)
	add(t, s, f.URL)
	eventually(t, "first scrape", isValue(t, s, "up_since", 1))
	scrapes(t, f, 2)
	f.page(quiet + "# TYPE c_total counter\nc_total 1002\n")
	eventually(t, "the counter back", isValue(t, s, "c_total", 1002))
	for _, p := range raw(t, s, "c_total") {
		if p.V == 0 {
			t.Errorf("a zero at %v", p.Time())
		}
	}
}

// pageTypes are TYPE lines.
type pageTypes map[string]model.MetricType

func (p pageTypes) GetMetadata(family string) (scrape.MetricMetadata, bool) {
	typ, ok := p[family]
	return scrape.MetricMetadata{MetricFamily: family, Type: typ}, ok
}

func TestCumulative(t *testing.T) {
	types := pageTypes{
		"dynamo_frontend_detokenize_token_count": model.MetricTypeCounter,
		"x":                                      model.MetricTypeHistogram,
		"x_count":                                model.MetricTypeGauge,
		"s":                                      model.MetricTypeSummary,
		"om":                                     model.MetricTypeCounter,
		"g":                                      model.MetricTypeGauge,
		"gh":                                     model.MetricTypeGaugeHistogram,
		"requests_total":                         model.MetricTypeCounter,
	}
	for name, want := range map[string]bool{
		"dynamo_frontend_detokenize_token_count": true,
		"requests_total":                         true,
		"x_bucket":                               true,
		"x_sum":                                  true,
		"x_count":                                false, // has a TYPE line of its own
		"x":                                      false,
		"x_total":                                false,
		"s":                                      false,
		"s_sum":                                  true,
		"s_count":                                true,
		"s_bucket":                               false,
		"om_total":                               true,
		"om_created":                             false,
		"om_count":                               false,
		"g":                                      false,
		"g_count":                                false,
		"g_total":                                false,
		"gh_bucket":                              false,
		"unknown_total":                          false,
	} {
		if got := cumulative(types, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestOneStoreManyTargetsKeepBurstsApart(t *testing.T) {
	s := open(t, Options{})
	a, b := newFake(t, quiet), newFake(t, quiet)
	ia, ib := add(t, s, a.URL), add(t, s, b.URL)
	eventually(t, "both up", isValue(t, s, "sum(up_since)", 2))
	a.page(quiet + "# TYPE c_total counter\nc_total 4\n")
	eventually(t, "a's counter", isValue(t, s, fmt.Sprintf("c_total{instance=%q}", ia), 4))
	b.page(quiet + "# TYPE c_total counter\nc_total 6\n")
	eventually(t, "b's counter", isValue(t, s, fmt.Sprintf("c_total{instance=%q}", ib), 6))
	out, err := s.Instant(context.Background(), "increase(c_total[1m]) > 0", time.Now())
	if err != nil || len(out) != 2 {
		t.Errorf("%v, %v; want increases of both", out, err)
	}
}
