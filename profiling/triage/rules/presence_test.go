package rules

import (
	"math"
	"slices"
	"testing"
	"time"

	"dynascope/sources"
)

// died is a course of up that ends with n zeros.
func died(n int) []float64 {
	up := slices.Repeat([]float64{1}, 60)
	for i := len(up) - n; i < len(up); i++ {
		up[i] = 0
	}
	return up
}

// serving is a pool of three behind a KV router, all well.
func serving() *staged {
	s := stage_().pool("agg", 3)
	s.targets = append(s.targets, sources.Target{Instance: "front", Role: "frontend"})
	s.put(pageUp, instanceOf("front"), 1)
	s.of(pageUp, "agg", 1, 1).of(pageTook, "agg", 0.01, 0.01, 0.01).of(pageBytes, "agg", 5e4, 5e4)
	for _, id := range []string{"1agg0", "1agg1"} {
		s.put(listedBy, sources.Labels{"worker_id": id, "namespace": "dynamo"}, 1)
	}
	return s
}

var third = sources.Labels{"worker_id": "1agg2", "namespace": "dynamo"}

func TestWorkerDown(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"all well":                 {serving().put(pageUp, instanceOf("agg2"), 1).put(listedBy, third, 1), ""},
		"dead and dropped":         {serving().put(pageUp, instanceOf("agg2"), died(6)...).put(listedBy, third, 1, 1, 1, 1, nan, nan, nan, nan), "critical worker-down c000"},
		"dead for a scrape":        {serving().put(pageUp, instanceOf("agg2"), died(1)...), ""},
		"its page alone is dead":   {serving().put(pageUp, instanceOf("agg2"), died(6)...).put(listedBy, third, 1), ""},
		"never seen in the router": {serving().put(pageUp, instanceOf("agg2"), died(6)...), "critical worker-down c000"},
		"taken away by a planner": {
			serving().put(pageUp, instanceOf("agg2"), died(6)...).happened(20*time.Second, sources.EventScaled, "planner"), "",
		},
		"back again": {serving().put(pageUp, instanceOf("agg2"), append(died(6), 1)...), ""},
	} {
		if got := c.stage.says(t, presence()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Without a router that keeps a list a refused port is what there is to go by.
func TestWorkerDownWithoutRouter(t *testing.T) {
	lone := func(took, bytes float64) *staged {
		return stage_().pool("agg", 2).of(pageUp, "agg", 1).put(pageUp, instanceOf("agg1"), died(6)...).
			of(pageTook, "agg", 0.01, took).of(pageBytes, "agg", 5e4, bytes)
	}
	plain := lone(0, 0)
	for i := range plain.workers {
		plain.workers[i].ID, plain.workers[i].Decimal, plain.workers[i].Namespace = "", "", ""
	}
	unsized := stage_().pool("agg", 2).of(pageUp, "agg", 1).put(pageUp, instanceOf("agg1"), died(6)...).of(pageTook, "agg", 0.01, 0)
	refusing := stage_().pool("agg", 2).of(pageUp, "agg", 1).put(pageUp, instanceOf("agg1"), died(6)...).of(pageTook, "agg", 0.01, 0)
	refusing.targets[1].Health, refusing.targets[1].Error = sources.HealthDown, "connect: connection refused"
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"refused":              {lone(0, 0), "warning worker-down b000"},
		"no metrics page":      {lone(0.01, 300), ""},
		"hangs":                {lone(1, 0), ""},
		"SGLang's own server":  {plain, "critical worker-down b000"},
		"size of no page":      {unsized, ""},
		"forgotten by its id":  {forgotten(false), "critical worker-down agg1"},
		"somebody lists an id": {forgotten(true), ""},
	} {
		if got := c.stage.says(t, presence()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	// The scrape's own words are of now, and the hold asks for more.
	if got := refusing.says(t, presence()); got != "" {
		t.Errorf("refused now: %q", got)
	}
}

// forgotten is a worker that has been dead for so long that nobody knows its
// id.
func forgotten(listed bool) *staged {
	s := stage_().pool("agg", 2).of(pageUp, "agg", 1, 0).of(pageTook, "agg", 0.01, 0).of(pageBytes, "agg", 5e4, 0)
	s.workers = s.workers[:1]
	s.put(listedBy, sources.Labels{"worker_id": "1agg0", "namespace": "dynamo"}, 1)
	if listed {
		s.put(listedBy, sources.Labels{"worker_id": "99", "namespace": "dynamo"}, 1)
	}
	return s
}

func TestWorkerHung(t *testing.T) {
	hangs := func() *staged {
		s := stage_().pool("agg", 3)
		s.targets = append(s.targets, sources.Target{Instance: "front", Role: "frontend"})
		s.put(pageUp, instanceOf("front"), 1)
		s.of(pageUp, "agg", 1, 1).put(pageUp, instanceOf("agg2"), died(10)...).of(pageTook, "agg", 0.01, 0.01, 1)
		s.put(listedBy, sources.Labels{"worker_id": "1agg0", "namespace": "dynamo"}, 1)
		return s
	}
	id := sources.Labels{"worker_id": "1agg2"}
	still := func() *staged {
		return stage_().pool("agg", 2).of(pageUp, "agg", 1, 1).of(hungRunning, "agg", 3, 4).of(ownDecoded, "agg", 900, 0).of(ownPrefilled, "agg", 100, 0)
	}
	clock := func(step float64) (up []float64) {
		for i := range 60 {
			up = append(up, 100+step*float64(i))
		}
		return up
	}
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"prompts do not end": {hangs().put(listedBy, third, 1).put(inFlight, id, 900, 900, 900, 1500, 1500, 1500, 2000, 2000), "critical worker-hung c000"},
		"prompts end":        {hangs().put(listedBy, third, 1).put(inFlight, id, 900, 0, 900, 1500, 0, 1500, 200, 2000), ""},
		"no prompt":          {hangs().put(listedBy, third, 1).put(inFlight, id, 0), ""},
		"dropped":            {hangs(), "critical worker-hung c000"},
		"stands still":       {still().put(ownUptime, instanceOf("agg1"), clock(5)...), "critical worker-hung b000"},
		"its page is frozen": {still().put(ownUptime, instanceOf("agg1"), clock(0)...), ""},
		"no uptime at all":   {still(), "critical worker-hung b000"},
	} {
		if got := c.stage.says(t, presence()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	busy := stage_().pool("agg", 1).of(pageUp, "agg", 1).of(hungRunning, "agg", 3).of(ownDecoded, "agg", 0).of(ownPrefilled, "agg", 4000)
	if got := busy.says(t, presence()); got != "" {
		t.Errorf("a worker that prefills is called %q", got)
	}
}

func TestRestarts(t *testing.T) {
	s := func() *staged { return stage_().pool("agg", 2).of(pageUp, "agg", 1, 1) }
	again := sources.EventRestarted
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"none":           {s(), ""},
		"once, lately":   {s().happened(time.Minute, again, "agg1"), "info worker-restarting b000"},
		"once, long ago": {s().happened(5*time.Minute, again, "agg1"), ""},
		"twice":          {s().happened(5*time.Minute, again, "agg1").happened(8*time.Minute, again, "agg1"), "warning worker-restarting b000"},
		"each once":      {s().happened(5*time.Minute, again, "agg1").happened(time.Minute, again, "agg0"), "info worker-restarting a000"},
		"three times":    {s().happened(time.Minute, again, "agg1").happened(3*time.Minute, again, "agg1").happened(8*time.Minute, again, "agg1"), "critical worker-flapping b000"},
		"scaled each time": {
			s().happened(time.Minute, again, "agg1").happened(time.Minute, sources.EventScaled, "p").
				happened(3*time.Minute, again, "agg1").happened(3*time.Minute, sources.EventScaled, "p").
				happened(5*time.Minute, again, "agg1").happened(5*time.Minute, sources.EventScaled, "p"), "",
		},
	} {
		if got := c.stage.says(t, presence()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
