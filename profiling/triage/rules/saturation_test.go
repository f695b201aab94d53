package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

// under judges by some rules against a promise and what was learned: what is
// told, with what is silenced in brackets.
func (s *staged) under(t *testing.T, rules []verdict.Rule, sla verdict.SLA, base verdict.Baselines) string {
	t.Helper()
	s.says(t, rules) // fills in what is absent, and reads every word
	snap := sources.NewSnapshot(sources.Snapshot{At: s.at, Workers: s.workers, Targets: s.targets}, s.figures)
	j := verdict.Judge(verdict.Input{Snap: snap, Rules: rules, SLA: sla, Base: base})
	var out []string
	for _, v := range j.Verdicts {
		out = append(out, v.Severity.String()+" "+v.Code+" "+v.Culprit.Name)
	}
	for _, v := range j.Silenced {
		out = append(out, "("+v.Code+" by "+v.SilencedBy+")")
	}
	slices.Sort(out)
	return strings.TrimSpace(strings.Join(out, ", "))
}

// engines is a pool of two, of which everything is told: each with so many
// requests waiting and running of 64, so much KV used, and so long a wait.
func engines(waiting [2]float64, running, kv, wait float64) *staged {
	s := stage_().pool("aggregated", 2)
	s.of(memberWaiting, "aggregated", waiting[0], waiting[1]).of(memberRunning, "aggregated", running, running)
	s.of(memberKV, "aggregated", kv, kv).of(memberWait, "aggregated", wait, wait).of(memberWaits, "aggregated", 100, 100)
	s.of(memberDone, "aggregated", 2, 2)
	return s.put(memberCard, sources.Labels{"model": "m"}, 64)
}

func TestWhatBindsAQueue(t *testing.T) {
	sla := verdict.SLA{TTFT: 2 * time.Second}
	both := [2]float64{9, 7}
	for name, c := range map[string]struct {
		stage *staged
		sla   verdict.SLA
		want  string
	}{
		"no queue":              {engines([2]float64{0, 0}, 20, 0.3, 0.01), sla, ""},
		"a short wait":          {engines(both, 20, 0.3, 0.5), sla, ""},
		"room in batch and KV":  {engines(both, 20, 0.3, 1.5), sla, "warning queue-bound-prefill aggregated"},
		"the promise is broken": {engines(both, 20, 0.3, 2.5), sla, "critical queue-bound-prefill aggregated"},
		"nothing was promised":  {engines(both, 20, 0.3, 2.5), verdict.SLA{}, "warning queue-bound-prefill aggregated"},
		"one of two queues":     {engines([2]float64{9, 0}, 20, 0.3, 1.5), sla, ""},
		"the batch is full":     {engines(both, 63, 0.3, 1.5), sla, "warning queue-bound-decode aggregated"},
		"KV is full":            {engines(both, 20, 0.95, 1.5), sla, "warning kv-capacity aggregated"},
		"both are full":         {engines(both, 64, 0.95, 1.5), sla, "warning kv-capacity aggregated, warning queue-bound-decode aggregated"},
		"one retracts": {
			engines([2]float64{0, 0}, 20, 0.85, 0.1).of(memberRetracted, "aggregated", 0, 5), sla, "warning kv-capacity b000",
		},
		"a stray retraction": {engines([2]float64{0, 0}, 20, 0.85, 0.1).of(memberRetracted, "aggregated", 0, 1), sla, ""},
		"KV is full now and then": {
			engines(both, 20, 0.3, 1.5).put(memberKVDynamo, instanceOf("aggregated0"), 0.3), sla, "warning queue-bound-prefill aggregated",
		},
	} {
		if got := c.stage.under(t, saturation(), c.sla, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Where nothing tells what binds, no resource is named, and what is missing is.
func TestNothingToldNothingNamed(t *testing.T) {
	s := stage_().pool("aggregated", 2)
	s.of(memberWaiting, "aggregated", 9, 8).of(memberRunning, "aggregated", 20, 20).of(memberDone, "aggregated", 2, 2)
	if got, want := s.under(t, saturation(), verdict.SLA{}, nil), "warning saturated aggregated"; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
	snap := sources.NewSnapshot(sources.Snapshot{At: s.at, Workers: s.workers}, s.figures)
	v := verdict.Judge(verdict.Input{Snap: snap, Rules: saturation()}).Verdicts[0]
	if len(v.Missing) != 2 {
		t.Errorf("missing: %q", v.Missing)
	}
	if !strings.Contains(v.Evidence[0].Text, "Little") {
		t.Errorf("the wait is an estimate, and says %q", v.Evidence[0].Text)
	}
}

// rising is a course that ends in n columns of growth, from low to high.
func rising(low, high float64, n int) []float64 {
	out := slices.Repeat([]float64{low}, 120)
	for i := range n {
		out[120-n+i] = low + (high-low)*float64(i+1)/float64(n)
	}
	return out
}

func stepped(low, high float64, ago int) []float64 {
	out := slices.Repeat([]float64{low}, 120)
	for i := 120 - ago; i < 120; i++ {
		out[i] = high
	}
	for i := range out { // noise, so that there are no ties
		out[i] *= 1 + 0.05*math.Sin(float64(i*i))
	}
	return out
}

// A queue and a TTFT that grow together are saturation, seen from a frontend
// alone; a step, or one of them, is not.
func TestTrend(t *testing.T) {
	page := func(queue, ttft []float64) *staged {
		return stage_().put(demandBefore, nil, queue...).put(demandTTFT, nil, ttft...)
	}
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"both grow":       {page(rising(2, 60, 40), rising(0.1, 6, 40)), "warning saturated"},
		"the queue grows": {page(rising(2, 60, 40), stepped(0.1, 0.1, 0)), ""},
		"both grow, by a little": {
			page(rising(2, 4, 40), rising(0.1, 0.13, 40)), "",
		},
		"nothing": {page(stepped(2, 2, 0), stepped(0.1, 0.1, 0)), ""},
	} {
		if got := c.stage.under(t, []verdict.Rule{saturated()}, verdict.SLA{}, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for ago := 1; ago < 60; ago++ {
		if got := page(stepped(2, 30, ago), stepped(0.1, 0.6, ago)).under(t, []verdict.Rule{saturated()}, verdict.SLA{}, nil); got != "" {
			t.Errorf("a step %d columns ago: %q", ago, got)
		}
	}
}

// learned are baselines by key.
type learned map[string]float64

func (l learned) Of(key string) (mean, n float64, ok bool) {
	mean, ok = l[key]
	return mean, 1000, ok
}

// One sign is no proof, two are; and a multiple is of what was learned only.
func TestSigns(t *testing.T) {
	slow := func() *staged {
		return stage_().put(demandMean, nil, 0.5).put(demandCount, nil, 200).put(demandBefore, nil, 20)
	}
	flow := func(s *staged, done float64) *staged {
		return s.put(demandArrived, nil, 400).put(demandDone, nil, done)
	}
	base := learned{"frontend.ttft": 0.2}
	for name, c := range map[string]struct {
		stage *staged
		base  verdict.Baselines
		want  string
	}{
		"slower than learned":                {slow(), base, ""},
		"and fewer completions":              {flow(slow(), 280), base, "warning saturated"},
		"fewer completions, nothing learned": {flow(slow(), 280), nil, ""},
		"a few less":                         {flow(slow(), 370), base, ""},
		"and timeouts":                       {flow(slow(), 400).put(demandTimeouts, nil, 30), base, "warning saturated"},
		"and a router's queue":               {slow().put(demandRouter, nil, 3), base, "warning saturated"},
	} {
		if got := c.stage.under(t, []verdict.Rule{saturated()}, verdict.SLA{}, c.base); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestPrefixCacheCollapse(t *testing.T) {
	caches := func(ratio, prefill []float64) *staged {
		s := stage_().pool("aggregated", 2).of(hitDone, "aggregated", 2, 2)
		for _, in := range []string{"aggregated0", "aggregated1"} {
			s.put(hitRatio, instanceOf(in), ratio...).put(hitPrefilled, instanceOf(in), prefill...)
		}
		return s
	}
	lost, work := stepped(0.8, 0.1, 20), stepped(1000, 4500, 20)
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"lost":                   {caches(lost, work), "warning prefix-cache-collapse aggregated"},
		"lost, and nothing felt": {caches(lost, stepped(1000, 900, 20)), ""},
		"never had any":          {caches(stepped(0.2, 0.02, 20), stepped(1000, 1200, 20)), ""},
		"a little less":          {caches(stepped(0.8, 0.5, 20), stepped(1000, 2500, 20)), ""},
		"lost a moment ago":      {caches(stepped(0.8, 0.1, 3), stepped(1000, 4500, 3)), ""},
		"warming up":             {caches(rising(0.05, 0.8, 100), rising(4000, 1000, 100)), ""},
	} {
		if got := c.stage.under(t, []verdict.Rule{prefixCacheCollapse()}, verdict.SLA{}, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// split is a disaggregated deployment: prefill with a queue or without, decode
// so full.
func split(waiting, wait, running, busy float64) *staged {
	s := stage_().pool("prefill", 1).pool("decode", 2).put(memberCard, sources.Labels{"model": "m"}, 64)
	s.of(memberWaiting, "prefill", waiting).of(memberRunning, "prefill", 1).of(memberWait, "prefill", wait).of(memberWaits, "prefill", 100)
	s.of(memberKV, "prefill", 0.1).of(memberKV, "decode", 0.2, 0.2).of(prefillBusy, "prefill", busy).of(memberDone, "decode", 2, 2)
	return s.of(memberRunning, "decode", running, running)
}

func TestBalance(t *testing.T) {
	group := []verdict.Rule{queueBoundPrefill(), queueBoundDecode(), prefillDecodeImbalance(), saturated()}
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"prefill binds, decode idles": {
			split(20, 3, 5, 0.9).of(memberWaiting, "decode", 0, 0), "warning prefill-decode-imbalance prefill, (queue-bound-prefill by prefill-decode-imbalance)",
		},
		"prefill binds, decode works": {split(20, 3, 50, 0.9).of(memberWaiting, "decode", 0, 0), "warning queue-bound-prefill a000"},
		"decode binds, prefill idles": {
			split(0, 0.01, 64, 0.1).of(memberWaiting, "decode", 10, 10), "critical prefill-decode-imbalance decode, (queue-bound-decode by prefill-decode-imbalance)",
		},
		"decode binds, prefill works": {split(0, 0.01, 64, 0.8).of(memberWaiting, "decode", 10, 10), "critical queue-bound-decode decode"},
		"well":                        {split(0, 0.01, 5, 0.3).of(memberWaiting, "decode", 0, 0), ""},
	} {
		want := strings.Split(c.want, ", ")
		slices.Sort(want)
		if got := c.stage.under(t, group, verdict.SLA{}, nil); got != strings.Join(want, ", ") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestKVTransfer(t *testing.T) {
	moved := func(transfer, ttft, queue float64) *staged {
		s := split(0, queue, 5, 0.3).of(memberWaiting, "decode", 0, 0)
		return s.of(moveMean, "prefill", transfer).of(moveCount, "prefill", 100).put(moveTTFT, nil, ttft).put(moveTTFTn, nil, 100)
	}
	const told = "warning kv-transfer-bound KV transfer"
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"most of the TTFT":       {moved(0.6, 1, 0.05), told},
		"little of it":           {moved(0.1, 1, 0.05), ""},
		"most of next to none":   {moved(0.02, 0.04, 0.001), ""},
		"the queue takes longer": {moved(0.6, 1.4, 0.7), ""},
		"decode has no room":     {moved(0.6, 1, 0.05).of(memberPrealloc, "decode", 3, 2), ""},
		"of a few requests only": {moved(0.6, 1, 0.05).put(moveTTFTn, instanceOf("other"), 1), told},
	} {
		if got := c.stage.under(t, []verdict.Rule{kvTransferBound()}, verdict.SLA{}, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// spread puts a histogram: cumulative counts by edge.
func (s *staged) spread(n sources.Need, counts map[string]float64) *staged {
	for le, v := range counts {
		s.put(n, sources.Labels{"model": "m", "le": le}, v)
	}
	return s
}

func TestLongPrompts(t *testing.T) {
	sla := verdict.SLA{TTFT: time.Second}
	model := sources.Labels{"model": "m"}
	of := func(late, long, work float64) *staged {
		s := engines([2]float64{0, 0}, 3, 0.05, 0.01)
		s.spread(promptTTFT, map[string]float64{"0.47": 100, "1": 200 - late, "2.2": 200, "+Inf": 200})
		s.spread(promptUncached, map[string]float64{"1000": 100, "10000": 200 - long, "30000": 200, "+Inf": 200})
		return s.put(promptTime, model, work).put(promptTokens, model, 10000)
	}
	calm := func(late, long float64) *staged { return of(late, long, 1.1) } // 110 µs a token
	for name, c := range map[string]struct {
		stage *staged
		sla   verdict.SLA
		want  string
	}{
		"a fifth too long":       {calm(40, 40), sla, "warning sla-burn-long-prompts"},
		"nothing promised":       {calm(40, 40), verdict.SLA{}, ""},
		"late, and not long":     {calm(40, 5), sla, ""},
		"too few to be sure":     {calm(12, 12), sla, ""},
		"kept":                   {calm(0, 40), sla, ""},
		"prefill is fast enough": {of(40, 40, 0.9), sla, ""},
	} {
		if got := c.stage.under(t, []verdict.Rule{slaBurnLongPrompts()}, c.sla, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	queued := calm(40, 40)
	queued.figures = map[sources.Need]*sources.Figure{}
	if got := queued.under(t, []verdict.Rule{slaBurnLongPrompts()}, sla, nil); got != "" {
		t.Errorf("nothing is told: %q", got)
	}
}

func TestPinned(t *testing.T) {
	ttft := shownNeed("frontend.ttft")
	grid := func(first, last, over float64) *staged {
		return stage_().spread(ttft, map[string]float64{"0": 0, "1": first, "2": first + last, "+Inf": first + last + over})
	}
	for name, c := range map[string]struct {
		stage *staged
		sla   time.Duration
		want  string
	}{
		"in the first bucket":    {grid(900, 0, 0), 0, ""},
		"p99 in the last":        {grid(900, 20, 0), 0, "info quantile-pinned TTFT"},
		"p99 beyond it":          {grid(900, 0, 20), 500 * time.Millisecond, "info quantile-pinned TTFT"},
		"and so is the promise":  {grid(900, 0, 20), 5 * time.Second, "warning quantile-pinned TTFT"},
		"too few for p99":        {grid(300, 0, 6), 5 * time.Second, ""},
		"p50 of enough for that": {grid(10, 0, 20), 5 * time.Second, "warning quantile-pinned TTFT"},
	} {
		if got := c.stage.under(t, []verdict.Rule{quantilePinned()}, verdict.SLA{TTFT: c.sla}, nil); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A pool is called by its role, by its model where there are several, and a
// worker by itself where it is alone.
func TestPoolNames(t *testing.T) {
	s := engines([2]float64{9, 9}, 20, 0.3, 3)
	s.workers[1].Model = "n"
	s.put(memberCard, sources.Labels{"model": "n"}, 64)
	if got, want := s.under(t, []verdict.Rule{queueBoundPrefill()}, verdict.SLA{}, nil), "warning queue-bound-prefill a000, warning queue-bound-prefill b000"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, c := range []struct {
		p    pool
		want string
	}{
		{pool{role: "aggregated", model: "m"}, "aggregated"},
		{pool{role: "decode", model: "m", several: true}, "m decode"},
		{pool{role: "aggregated", model: "m", several: true}, "m"},
	} {
		if got := c.p.name(); got != c.want {
			t.Errorf("%+v is called %q", c.p, got)
		}
	}
}

// 256 workers are judged in a fraction of the five seconds between two looks.
func BenchmarkSaturation(b *testing.B) {
	s := stage_()
	for i := range 256 {
		in := fmt.Sprint("w", i)
		s.workers = append(s.workers, sources.Worker{ID: in, Short: in, Instance: in, Role: "aggregated", Model: "m", Ranks: []string{"0"}})
		for _, n := range []sources.Need{memberWaiting, memberRunning, memberKV, memberWait, memberWaits, memberDone, hitRatio, hitPrefilled} {
			s.put(n, instanceOf(in), 5)
		}
	}
	s.put(memberCard, sources.Labels{"model": "m"}, 64)
	rules := saturation()
	snap := sources.NewSnapshot(sources.Snapshot{At: s.at, Workers: s.workers}, s.figures)
	for b.Loop() {
		verdict.Judge(verdict.Input{Snap: snap, Rules: rules})
	}
}
