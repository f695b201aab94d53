// Package virtual fills an embedded store from a simulated deployment in virtual
// time: it advances the world from scrape to scrape and hands each page to the
// store as if it had been scraped at that moment. An hour takes seconds, and one
// seed gives one history, sample for sample.
//
// It opens no connection, reads no clock and starts no goroutine. It judges
// nothing; tests and triage ask the store. For real HTTP there is
// bench/sim/server.
package virtual

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"dynascope/bench/sim/world"
	"dynascope/sources/embedded"
)

// Options say how a world is scraped; the zero value scrapes all of the
// scenario once a second.
type Options struct {
	// Interval between two scrapes of a target, default 1 s.
	Interval time.Duration
	// Jitter gives each target a phase of its own within the interval, drawn
	// from Seed and its name, as a real scraper does. Without it all targets
	// are scraped at the same moments, the first at the start.
	Jitter bool
	Seed   uint64
	// Until is the last moment that may be scraped, since the scenario's start;
	// default its duration.
	Until time.Duration
	// Only picks the endpoints that are scraped; nil is all.
	Only func(world.Endpoint) bool
	// OnScrape is called after each moment at which something was scraped, with
	// the world at that moment and the store filled up to it. Its error ends
	// the run.
	OnScrape func(at time.Time) error
}

// Run scrapes a world into a store that nothing else feeds, from the world's
// present to the end, and returns the instance label of each endpoint by its
// name. A process is a target from the first scrape at which it is there; what
// has died stays one, as a scraper keeps its list. The samples' times count
// from the world's Start, which must be set.
func Run(ctx context.Context, w *world.World, s *embedded.Store, o Options) (map[string]string, error) {
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.Until <= 0 {
		o.Until = w.Scenario().Duration
	}
	if w.Start().Unix() <= 0 {
		return nil, errors.New("scrape the simulation: its world has no start; hint: set world.Config.Start")
	}
	r := &run{w: w, s: s, o: o, instances: map[string]string{}}
	for _, e := range w.Endpoints() {
		if o.Only != nil && !o.Only(e) {
			continue
		}
		r.targets = append(r.targets, &target{Endpoint: e, next: w.Now() + o.phase(e.Name)})
	}
	slices.SortStableFunc(r.targets, func(a, b *target) int { return cmp.Compare(a.next, b.next) })
	return r.instances, r.all(ctx)
}

// phase is where in the interval a target is scraped.
func (o Options) phase(name string) time.Duration {
	if !o.Jitter {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	at := time.Duration(rand.New(rand.NewPCG(o.Seed, h.Sum64())).Int64N(int64(o.Interval)))
	return at.Truncate(time.Millisecond) // as fine as the store's times
}

type run struct {
	w         *world.World
	s         *embedded.Store
	o         Options
	targets   []*target // by phase
	instances map[string]string
}

type target struct {
	world.Endpoint
	next time.Duration
	to   *embedded.Pushed // nil: not seen yet
}

func (r *run) all(ctx context.Context) error {
	for i := 0; len(r.targets) > 0; i = (i + 1) % len(r.targets) {
		t := r.targets[i]
		if t.next > r.o.Until {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("scrape the simulation at %v: %w", t.next, err)
		}
		at := t.next
		r.w.Advance(at)
		if err := r.scrape(t); err != nil {
			return fmt.Errorf("scrape the simulation at %v: %w", at, err)
		}
		t.next += r.o.Interval
		if last := r.targets[(i+1)%len(r.targets)].next > at; last && r.o.OnScrape != nil {
			if err := r.o.OnScrape(r.w.Start().Add(at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// answerTime is what a page takes without any fault.
const answerTime = 2 * time.Millisecond

// scrape stores what a target answers now.
func (r *run) scrape(t *target) error {
	if t.to == nil {
		if r.w.Condition(t.Name) == world.Dead {
			return nil
		}
		p, err := r.s.Push(embedded.TargetSpec{URL: fmt.Sprintf("http://%s:%d/metrics", t.Name, port[t.Role]), Interval: r.o.Interval})
		if err != nil {
			return err
		}
		t.to, r.instances[t.Name] = p, p.Instance()
	}
	at := r.w.Start().Add(r.w.Now())
	switch p := r.w.Page(t.Name); p.State {
	case world.PageDown:
		return t.to.Fail(at, fmt.Errorf("dial %s: %w", t.to.Instance(), syscall.ECONNREFUSED))
	case world.PageHang:
		return t.to.Fail(at, context.DeadlineExceeded)
	default: // garbage, huge and torn pages are for the store to refuse
		return t.to.Page(at, p.Body, answerTime+p.Delay)
	}
}

// port is where such a process listens by custom.
var port = map[world.Role]int{
	world.RoleFrontend: 8000, world.RoleRouter: 9090, world.RoleWorker: 9090, world.RoleDCGM: 9400, world.RoleKVBM: 6880, world.RolePlanner: 9085,
}
