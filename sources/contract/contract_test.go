//go:build prometheus

package contract

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/virtual"
	"dynascope/bench/sim/world"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

const tolerance = 1e-9

// filled is an embedded store and the moments at which it was scraped.
type filled struct {
	store *embedded.Store
	times []time.Time
	every time.Duration
}

func (f *filled) at(share float64) time.Time {
	return f.times[int(share*float64(len(f.times)-1))]
}

func begin() time.Time { return time.Now().Add(-15 * time.Minute).Truncate(time.Minute) }

func open(t *testing.T) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(context.Background(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// recorded replays recorded pages of real deployments: each phase for ten
// seconds. A page that a phase lacks is a failed scrape.
func recorded(t *testing.T, phases []string, shapes ...string) *filled {
	t.Helper()
	f := &filled{store: open(t), every: 2 * time.Second}
	pushed := map[string]*embedded.Pushed{}
	pages := map[string]map[string][]byte{}
	for _, phase := range phases {
		pages[phase] = map[string][]byte{}
		for i, shape := range shapes {
			files, err := filepath.Glob(filepath.Join("..", "testdata", "pages", shape, phase, "*.metrics.txt"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				pages[phase][fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(file), ".metrics.txt"), i)] = text
			}
		}
		for name := range pages[phase] {
			if pushed[name] != nil {
				continue
			}
			p, err := f.store.Push(embedded.TargetSpec{URL: "http://" + name + ":9090/metrics", Interval: f.every})
			if err != nil {
				t.Fatal(err)
			}
			pushed[name] = p
		}
	}
	if len(pushed) == 0 {
		t.Fatalf("no recorded page of %v", shapes)
	}
	at := begin()
	for _, phase := range phases {
		for range 5 {
			for _, name := range slices.Sorted(maps.Keys(pushed)) {
				var err error
				if page, ok := pages[phase][name]; ok {
					err = pushed[name].Page(at, page, time.Millisecond)
				} else {
					err = pushed[name].Fail(at, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			f.times = append(f.times, at)
			at = at.Add(f.every)
		}
	}
	return f
}

// simulated scrapes a shipped scenario in virtual time.
func simulated(t *testing.T, name string, until time.Duration) *filled {
	t.Helper()
	sc, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(world.Config{Scenario: sc, Start: begin()})
	if err != nil {
		t.Fatal(err)
	}
	f := &filled{store: open(t), every: 2 * time.Second}
	_, err = virtual.Run(context.Background(), w, f.store, virtual.Options{Interval: f.every, Until: until, OnScrape: func(at time.Time) error {
		f.times = append(f.times, at)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// named keeps the metric name, which answers lack, in a label of its own.
const named = `label_replace(%s, "family", "$1", "__name__", "(.+)")`

// samples reads everything a store holds. Zeros before a first burst lie at
// earlier moments and are found there; a series that is over at a moment
// without a sample got a stale marker.
func samples(t *testing.T, f *filled) (out []prompb.TimeSeries, count int) {
	t.Helper()
	bySeries := map[string]*prompb.TimeSeries{}
	alive := map[string]bool{}
	for _, at := range f.times {
		ask := func(expr string) []sources.Series {
			got, err := f.store.Instant(context.Background(), fmt.Sprintf(named, expr), at)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		has := map[string]bool{}
		for _, x := range ask(`last_over_time({__name__!=""}[1ms])`) {
			key := x.Labels.Key()
			has[key] = true
			s := bySeries[key]
			if s == nil {
				s = &prompb.TimeSeries{Labels: wireLabels(x.Labels)}
				bySeries[key] = s
			}
			s.Samples = append(s.Samples, prompb.Sample{Timestamp: at.UnixMilli(), Value: x.Points[0].V})
			count++
		}
		now := map[string]bool{}
		for _, x := range ask(`{__name__!=""}`) {
			now[x.Labels.Key()] = true
		}
		for key := range alive {
			if !now[key] && !has[key] {
				bySeries[key].Samples = append(bySeries[key].Samples, prompb.Sample{Timestamp: at.UnixMilli(), Value: math.Float64frombits(value.StaleNaN)})
			}
		}
		alive = now
	}
	for _, key := range slices.Sorted(maps.Keys(bySeries)) {
		out = append(out, *bySeries[key])
	}
	return out, count
}

func wireLabels(ls sources.Labels) []prompb.Label {
	out := []prompb.Label{{Name: "__name__", Value: ls["family"]}}
	for _, n := range slices.Sorted(maps.Keys(ls)) {
		if n != "family" {
			out = append(out, prompb.Label{Name: n, Value: ls[n]})
		}
	}
	slices.SortFunc(out, func(a, b prompb.Label) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func TestContract(t *testing.T) {
	for _, c := range []struct {
		name string
		fill func(*testing.T) *filled
	}{
		{"recorded 1.6.1", func(t *testing.T) *filled {
			return recorded(t, []string{"before", "during", "during-2", "after"}, "1.6.1/agg", "1.6.1/disagg", "1.6.1/vllm-dp2")
		}},
		{"recorded 1.4.2, a worker dies", func(t *testing.T) *filled {
			return recorded(t, []string{"before", "during", "killed-before", "killed"}, "1.4.2/agg")
		}},
		{"simulated demo", func(t *testing.T) *filled { return simulated(t, "demo", 60*time.Second) }},
		{"simulated disaggregation", func(t *testing.T) *filled { return simulated(t, "disaggregated-imbalance", 60*time.Second) }},
		{"simulated TensorRT-LLM", func(t *testing.T) *filled { return simulated(t, "trtllm", 60*time.Second) }},
		{"simulated vLLM", func(t *testing.T) *filled { return simulated(t, "vllm", 60*time.Second) }},
		{"simulated planner", func(t *testing.T) *filled { return simulated(t, "planner-oscillation", 60*time.Second) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			f := c.fill(t)
			series, count := samples(t, f)
			url := server(t, "{}")
			write(t, url, series)
			t.Logf("%d series, %d samples in %d scrapes, loaded after %v", len(series), count, len(f.times), time.Since(began).Round(time.Millisecond))
			suite(t, f, remote(t, url, catalog.Default().Keep()))
		})
	}
}

// suite asks both stores every question of the catalogue.
func suite(t *testing.T, f *filled, other sources.Querier) {
	ctx := context.Background()
	c := comparison{t: t, a: f.store, b: other}
	// The same samples, or the rest proves nothing.
	for _, at := range f.times {
		for _, part := range []string{`last_over_time({__name__!=""}[1ms])`, `{__name__!=""}`} {
			c.instant(ctx, fmt.Sprintf(named, part), at)
		}
	}
	if t.Failed() {
		return
	}
	c = comparison{t: t, a: f.store, b: other}
	cat := catalog.Default()
	window := 5 * f.every
	moments := []time.Time{f.at(1), f.at(0.6), f.at(0.35).Add(f.every / 2)}
	span := sources.Span{From: f.at(0.2).Add(f.every / 4), To: f.at(1), Step: 5 * time.Second}
	for _, m := range cat.Metrics() {
		labels := map[string]bool{}
		for _, v := range m.Variants {
			for l := range v.Labels {
				labels[l] = true
			}
		}
		every := strings.Join(append([]string{"instance"}, slices.Sorted(maps.Keys(labels))...), ",")
		for _, form := range m.Forms() {
			bys := []string{"", "instance", every}
			if m.Kind == catalog.Derived {
				bys = []string{"", "instance"}
			}
			for _, by := range bys {
				q, err := cat.Query(sources.Need{Key: m.Key, Form: form, By: by}, window, catalog.Scope{})
				if err != nil {
					continue // some labels cannot be asked for in some forms
				}
				for _, at := range moments {
					c.instant(ctx, q.Expr, at)
				}
				if by == "" {
					c.course(ctx, q.Expr, span)
				}
				if t.Failed() {
					t.Fatalf("%s as %s by %q", m.Key, form, by)
				}
			}
		}
	}
	t.Logf("%d questions, %d with an answer, %d values; greatest relative difference %.2g", c.asked, c.full, c.values, c.worst)
	if c.full < 200 {
		t.Errorf("only %d questions had an answer", c.full)
	}
}

type comparison struct {
	t           *testing.T
	a, b        sources.Querier
	asked, full int
	values      int
	worst       float64
}

func (c *comparison) instant(ctx context.Context, expr string, at time.Time) {
	c.t.Helper()
	a, aErr := c.a.Instant(ctx, expr, at)
	b, bErr := c.b.Instant(ctx, expr, at)
	c.same(expr, a, b, aErr, bErr)
}

func (c *comparison) course(ctx context.Context, expr string, span sources.Span) {
	c.t.Helper()
	a, aErr := c.a.Range(ctx, expr, span)
	b, bErr := c.b.Range(ctx, expr, span)
	c.same(expr, a, b, aErr, bErr)
}

func (c *comparison) same(expr string, a, b []sources.Series, aErr, bErr error) {
	c.t.Helper()
	c.asked++
	if aErr != nil || bErr != nil {
		c.t.Errorf("%s\nembedded: %v\nserver: %v", expr, aErr, bErr)
		return
	}
	as, bs := points(a), points(b)
	if len(as) > 0 {
		c.full++
	}
	for k, v := range as {
		w, ok := bs[k]
		if !ok {
			c.t.Errorf("%s\nonly embedded has %s = %v", expr, k, v)
			return
		}
		c.values++
		if v == w || math.IsNaN(v) && math.IsNaN(w) {
			continue
		}
		d := math.Abs(v-w) / max(math.Abs(v), math.Abs(w))
		c.worst = max(c.worst, d)
		if !(d <= tolerance) {
			c.t.Errorf("%s\n%s: embedded %v, server %v", expr, k, v, w)
			return
		}
	}
	for k, v := range bs {
		if _, ok := as[k]; !ok {
			c.t.Errorf("%s\nonly the server has %s = %v", expr, k, v)
			return
		}
	}
}

// points flattens an answer; le counts as a number, and two spellings of one
// edge add up as in sources.BucketsOf.
func points(in []sources.Series) map[string]float64 {
	out := map[string]float64{}
	for _, s := range in {
		ls := s.Labels
		if le, ok := ls["le"]; ok {
			if v, err := strconv.ParseFloat(le, 64); err == nil {
				ls = ls.Without()
				ls["le"] = strconv.FormatFloat(v, 'g', -1, 64)
			}
		}
		for _, p := range s.Points {
			out[ls.Key()+" at "+strconv.FormatInt(p.T, 10)] += p.V
		}
	}
	return out
}

func spec(url string) embedded.TargetSpec { return embedded.TargetSpec{URL: url} }
