package virtual

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"sync/atomic"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/world"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
)

// observed is one observation and when it is on the page.
type observed struct {
	at, v float64 // seconds
}

// gapsBooked is by how many the frontend books the gaps of a request.
const gapsBooked = 64

// booked are the gaps between a stream's tokens, at the times at which the
// frontend books them: by 64, and the rest at the request's end. Tokens of the
// first chunk have no gap.
func (r *ended) booked() (out []observed) {
	if !r.Stream || r.Tokens == 0 {
		return nil
	}
	at := r.First
	for range r.Tokens - 1 - len(r.Gaps) {
		out = append(out, observed{at, 0})
	}
	for _, us := range r.Gaps {
		at += us / 1e6
		out = append(out, observed{at, us / 1e6})
	}
	for i := range out {
		last := i - i%gapsBooked + gapsBooked - 1
		if last < len(out) {
			out[i].at = out[last].at
		} else {
			out[i].at = r.Ended
		}
	}
	return out
}

// shown is what the screens show of one latency at one moment.
type shown struct {
	at     time.Time
	bounds [len(quantiles)]sources.Bounds
	seen   map[string][2]float64 // frontend → its first and last good scrape in the window
}

var quantiles = [...]float64{0.5, 0.95, 0.99}

const (
	truthInterval = 5 * time.Second
	truthWindow   = time.Minute
	truthEvery    = 15 * time.Second
	truthUntil    = 10 * time.Minute
)

// truthHorizon is how far a scenario is followed: until two minutes after the
// last thing in it has begun; with LONG_TESTS=1 over what is mended too.
func truthHorizon(sc *scenario.Scenario) time.Duration {
	until := 4 * time.Minute
	for _, f := range sc.Faults {
		until = max(until, f.At+2*time.Minute)
	}
	for _, e := range sc.Expect {
		until = max(until, e.From+2*time.Minute)
	}
	if os.Getenv("LONG_TESTS") != "" {
		until = truthUntil
	}
	return min(until, truthUntil, sc.Duration)
}

// The bounds that the screens show of TTFT and ITL contain the true quantile, at
// every look at every shipped scenario. The truth is cut where the scrapes cut
// it: what a window sees lies between its first and its last good scrape.
func TestBoundsHoldTheTruth(t *testing.T) {
	names := scenario.Names()
	if testing.Short() {
		names = []string{"disaggregated-imbalance", "errors-and-cancellations", "event-loop-delay", "several-models"}
	}
	var checks atomic.Int64
	t.Run("scenario", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checks.Add(int64(boundsHold(t, name)))
			})
		}
	})
	t.Logf("%d bounds compared with the truth", checks.Load())
}

func boundsHold(t *testing.T, name string) (checks int) {
	b := open(t, name)
	needs := []sources.Need{
		{Key: "frontend.ttft", Form: sources.FormBuckets},
		{Key: "frontend.itl", Form: sources.FormBuckets},
	}
	all := b.look(needs)
	truth := map[string]map[string][]observed{needs[0].Key: {}, needs[1].Key: {}}
	for _, r := range b.truth() {
		if r.Stream && r.Tokens > 0 {
			truth[needs[0].Key][r.Frontend] = append(truth[needs[0].Key][r.Frontend], observed{r.First, r.TTFT})
		}
		truth[needs[1].Key][r.Frontend] = append(truth[needs[1].Key][r.Frontend], r.booked()...)
	}
	for _, n := range needs {
		for _, os := range truth[n.Key] {
			slices.SortFunc(os, func(a, b observed) int { return cmp.Compare(a.at, b.at) })
		}
		for _, x := range all[n] {
			vs := x.among(truth[n.Key])
			for i, q := range quantiles {
				checks++
				if miss := outside(x.bounds[i], vs, q); miss != "" {
					t.Errorf("%s p%v at %v: %s", n.Key, 100*q, x.at.Sub(epoch), miss)
				}
			}
		}
	}
	t.Logf("%d looks at TTFT, %d at ITL", len(all[needs[0]]), len(all[needs[1]]))
	if len(all[needs[0]]) == 0 && !b.world.Plain() {
		t.Error("nothing was shown")
	}
	return checks
}

// look runs the scenario and asks the feed as the screens do.
func (b *bed) look(needs []sources.Need) map[sources.Need][]shown {
	b.Helper()
	f, all := feed.New(b.store, catalog.Default()), map[sources.Need][]shown{}
	frontends := map[string]string{} // by instance
	for _, e := range b.world.Endpoints() {
		if e.Role == world.RoleFrontend {
			frontends[fmt.Sprintf("%s:%d", e.Name, port[e.Role])] = e.Name
		}
	}
	good := map[string][]time.Time{} // a frontend's good scrapes
	b.run(Options{
		Interval: truthInterval, Until: truthHorizon(b.world.Scenario()),
		// The two latencies are on frontends' pages alone.
		Only: func(e world.Endpoint) bool { return e.Role == world.RoleFrontend },
		OnScrape: func(at time.Time) error {
			for _, x := range b.store.Targets() {
				if who := frontends[x.Instance]; who != "" && x.LastGood.Equal(at) {
					good[who] = append(good[who], at)
				}
			}
			if at.Sub(epoch)%truthEvery != 0 || at.Equal(epoch) {
				return nil
			}
			snap := f.Tick(b.Context(), feed.Ask{Needs: needs, At: at, Window: truthWindow})
			for _, n := range needs {
				fig := snap.Figure(n)
				bs, ok := fig.Buckets()
				if !fig.Live() || !ok {
					continue
				}
				x := shown{at: at, seen: map[string][2]float64{}}
				for i, q := range quantiles {
					x.bounds[i], _ = bs.Quantile(q)
				}
				for who, times := range good {
					begin := at.Add(-fig.Window)
					i := slices.IndexFunc(times, begin.Before)
					if i >= 0 {
						x.seen[who] = [2]float64{times[i].Sub(epoch).Seconds(), times[len(times)-1].Sub(epoch).Seconds()}
					}
				}
				all[n] = append(all[n], x)
			}
			return nil
		},
	})
	return all
}

// among are the values of what was observed between the scrapes.
func (x *shown) among(all map[string][]observed) (vs []float64) {
	for who, os := range all {
		cut := func(at float64) int {
			return sort.Search(len(os), func(i int) bool { return os[i].at > at })
		}
		for _, o := range os[cut(x.seen[who][0]):cut(x.seen[who][1])] {
			vs = append(vs, o.v)
		}
	}
	return vs
}

// outside says how bounds miss the quantile of a sample, one rank of slack
// given; empty when they do not.
func outside(b sources.Bounds, vs []float64, q float64) string {
	const edge = 1e-9 // the log's rounding
	below, within := 0, 0
	for _, v := range vs {
		if v <= b.Lo-edge {
			below++
		} else if v <= b.Hi+edge {
			within++
		}
	}
	rank := max(int(math.Ceil(q*float64(len(vs))-1e-9)), 1)
	if len(vs) > 0 && below < min(rank+1, len(vs)) && below+within >= max(rank-1, 1) {
		return ""
	}
	return fmt.Sprintf("%v–%v of %.1f; in truth it is number %d of %d, of which %d are below and %d within", b.Lo, b.Hi, b.N, rank, len(vs), below, within)
}
