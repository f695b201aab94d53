package virtual

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
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
	at     float64
	bounds [len(quantiles)]sources.Bounds
	from   map[string][2]float64 // frontend → its first and last good scrape in the window
}

var quantiles = [...]float64{0.5, 0.95, 0.99}

// The bounds that the screens show of TTFT and ITL contain the true quantile, at
// every look at every shipped scenario. The truth is cut where the scrapes cut
// it: what a window sees lies between its first and its last good scrape.
func TestBoundsHoldTheTruth(t *testing.T) {
	names := scenario.Names()
	if testing.Short() {
		names = []string{"healthy", "disaggregated-imbalance", "errors-and-cancellations", "several-models"}
	}
	checks := 0
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			checks += boundsHold(t, name)
		})
	}
	t.Logf("%d bounds compared with the truth", checks)
}

const (
	truthInterval = 5 * time.Second
	truthWindow   = 60 * time.Second
	truthEvery    = 15 * time.Second
	truthUntil    = 10 * time.Minute
)

func boundsHold(t *testing.T, name string) (checks int) {
	b := open(t, name)
	needs := []sources.Need{
		{Key: "frontend.ttft", Form: sources.FormBuckets},
		{Key: "frontend.itl", Form: sources.FormBuckets},
	}
	f := feed.New(b.store, catalog.Default())
	all := map[string][]shown{}
	good := map[string][]float64{} // frontend → its good scrapes
	instances := map[string]string{}
	for _, e := range b.world.Endpoints() {
		if e.Role == "frontend" {
			instances[fmt.Sprintf("%s:%d", e.Name, port[e.Role])] = e.Name
		}
	}
	_, err := Run(t.Context(), b.world, b.store, Options{
		Interval: truthInterval, Until: min(truthUntil, b.world.Scenario().Duration),
		OnScrape: func(at time.Time) error {
			now := at.Sub(epoch).Seconds()
			for _, x := range b.store.Targets() {
				if who := instances[x.Instance]; who != "" && x.LastGood.Equal(at) {
					good[who] = append(good[who], now)
				}
			}
			if at.Sub(epoch)%truthEvery != 0 || at.Equal(epoch) {
				return nil
			}
			snap := f.Tick(t.Context(), feed.Ask{Needs: needs, At: at, Window: truthWindow})
			for _, n := range needs {
				fig := snap.Figure(n)
				bs, ok := fig.Buckets()
				if !fig.Live() || !ok {
					continue
				}
				x := shown{at: now, from: map[string][2]float64{}}
				for i, q := range quantiles {
					x.bounds[i], _ = bs.Quantile(q)
				}
				for who, times := range good {
					for _, g := range times {
						if g <= now-fig.Window.Seconds() {
							continue
						}
						if _, ok := x.from[who]; !ok {
							x.from[who] = [2]float64{g, g}
						}
						x.from[who] = [2]float64{x.from[who][0], g}
					}
				}
				all[n.Key] = append(all[n.Key], x)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	truth := map[string]map[string][]observed{"frontend.ttft": {}, "frontend.itl": {}}
	for _, r := range b.truth() {
		if r.Stream && r.Tokens > 0 {
			truth["frontend.ttft"][r.Frontend] = append(truth["frontend.ttft"][r.Frontend], observed{r.First, r.TTFT})
		}
		truth["frontend.itl"][r.Frontend] = append(truth["frontend.itl"][r.Frontend], r.booked()...)
	}
	for _, n := range needs {
		for _, x := range all[n.Key] {
			var vs []float64
			for who, os := range truth[n.Key] {
				for _, o := range os {
					if o.at > x.from[who][0] && o.at <= x.from[who][1] {
						vs = append(vs, o.v)
					}
				}
			}
			slices.Sort(vs)
			for i, q := range quantiles {
				checks++
				if msg := outside(x.bounds[i], vs, q); msg != "" {
					t.Errorf("%s p%v at %v s: %s", n.Key, 100*q, x.at, msg)
				}
			}
		}
	}
	t.Logf("%d looks at TTFT, %d at ITL", len(all["frontend.ttft"]), len(all["frontend.itl"]))
	if len(all["frontend.ttft"]) == 0 && !b.world.Plain() {
		t.Error("nothing was shown")
	}
	return checks
}

// outside says how bounds miss the quantile of a sorted sample, one rank of
// slack given.
func outside(b sources.Bounds, vs []float64, q float64) string {
	if len(vs) == 0 {
		return fmt.Sprintf("%v–%v of %v where nothing was", b.Lo, b.Hi, b.N)
	}
	rank := max(int(math.Ceil(q*float64(len(vs))-1e-9)), 1)
	low, high := vs[max(rank-2, 0)], vs[min(rank, len(vs)-1)]
	const edge = 1e-9 // the log's rounding
	if high > b.Lo-edge && low <= b.Hi+edge {
		return ""
	}
	return fmt.Sprintf("%v–%v of %.1f, in truth %v (%v–%v) of %d", b.Lo, b.Hi, b.N, vs[rank-1], low, high, len(vs))
}
