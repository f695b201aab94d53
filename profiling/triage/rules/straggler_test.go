package rules

import (
	"testing"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
)

func TestStragglerWorker(t *testing.T) {
	itl, count := paces[0].mean, paces[0].count
	four := func(last float64) *staged {
		return stage_().pool("agg", 4).of(itl, "agg", 0.012, 0.013, 0.011, last).of(count, "agg", 3000, 3000, 3000, 3000).
			of(workPrefill, "agg", 2000, 2000, 2000, 2000)
	}
	pair := func(last float64) *staged {
		return stage_().pool("agg", 2).of(itl, "agg", 0.012, last).of(count, "agg", 3000, 3000).of(workDecode, "agg", 300, 280)
	}
	two := stage_().pool("agg", 2).pool("decode", 2).of(itl, "agg", 0.03, 0.03).of(itl, "decode", 0.01, 0.01).
		of(count, "agg", 3000, 3000).of(count, "decode", 3000, 3000)
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"slow, and no busier":         {four(0.03).of(workDecode, "agg", 300, 300, 300, 290), "warning straggler-worker d000"},
		"a little slower":             {four(0.015).of(workDecode, "agg", 300, 300, 300, 290), ""},
		"slow because busy":           {four(0.03).of(workDecode, "agg", 300, 300, 300, 500), ""},
		"slow because it retracts":    {four(0.03).of(workDecode, "agg", 300, 300, 300, 290).of(workRetracted, "agg", 0, 0, 0, 4), ""},
		"one of two, twice as slow":   {pair(0.024), "warning straggler-worker b000"},
		"one of two, 1.6 times":       {pair(0.0192), ""},
		"another pool is faster":      {two, ""},
		"too few tokens of the peers": {stage_().pool("agg", 2).of(itl, "agg", 0.012, 0.03).of(count, "agg", 10, 3000), ""},
		"a prefill worker":            {prefilling(0.3, 30), "warning straggler-worker c000"},
		"longer prompts for it":       {prefilling(0.3, 18), ""},
		"prefill a little slower":     {prefilling(0.13, 30), ""},
		"by the requests' means": {
			stage_().pool("agg", 3).of(paces[1].mean, "agg", 0.012, 0.012, 0.03).of(paces[1].count, "agg", 40, 40, 40).of(workDecode, "agg", 9, 9, 9), "warning straggler-worker c000",
		},
	} {
		if got := c.stage.says(t, straggler()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// prefilling are three prefill workers with equal tokens; the last one's time
// and requests are given.
func prefilling(last, requests float64) *staged {
	return stage_().pool("prefill", 3).of(paces[2].mean, "prefill", 0.1, 0.11, last).of(paces[2].count, "prefill", 30, 30, requests).
		of(workPrefill, "prefill", 900, 900, 900)
}

// gpu puts a GPU: clock, share of time busy, mask of reasons.
func (s *staged) gpu(host, number, model string, clock, busy, reasons float64) *staged {
	l := sources.Labels{"uuid": "GPU-" + host + number, "host": host, "gpu": number, "gpu_name": model}
	s.put(gpuClock, l, clock).put(gpuClockMax, l, 1980).put(gpuBusy, l, busy)
	if reasons >= 0 {
		s.put(gpuReasons, l, reasons)
	}
	return s
}

func TestGPUs(t *testing.T) {
	three := func() *staged {
		return stage_().gpu("h", "0", "H200", 1980, 0.9, 0).gpu("h", "1", "H200", 1965, 0.8, 0).gpu("h", "2", "H200", 1980, 0.9, 0)
	}
	hot := sources.Labels{"uuid": "GPU-h0", "host": "h", "gpu": "0", "gpu_name": "H200"}
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"all well":               {three(), ""},
		"one is slow":            {three().gpu("h", "3", "H200", 990, 0.9, 0x48), "warning straggler-gpu h/3"},
		"one is slow, no reason": {three().gpu("h", "3", "H200", 1200, 0.9, -1), "warning straggler-gpu h/3"},
		"one is idle":            {three().gpu("h", "3", "H200", 345, 0, 1), ""},
		"another model":          {three().gpu("h", "3", "L40S", 990, 0.9, 0), ""},
		"two peers are no two":   {stage_().gpu("h", "0", "H200", 1980, 0.9, 0).gpu("h", "1", "H200", 990, 0.9, 0), ""},
		"thermal, alone":         {stage_().gpu("h", "0", "H200", 990, 0.9, 0x48), "warning gpu-throttled h/0"},
		"thermal, idle":          {stage_().gpu("h", "0", "H200", 990, 0, 0x48), ""},
		"power cap at full load": {stage_().gpu("h", "0", "H200", 1830, 0.9, 0x4), ""},
		"power cap that costs":   {stage_().gpu("h", "0", "H200", 1400, 0.9, 0x4), "warning gpu-throttled h/0"},
		"the whole host":         {stage_().gpu("h", "0", "H200", 990, 0.9, 0x48).gpu("h", "1", "H200", 990, 0.9, 0x48).gpu("h", "2", "H200", 990, 0.9, 0x48), "warning gpu-throttled h"},
		"by time, without mask":  {stage_().gpu("h", "0", "H200", 990, 0.9, -1).put(gpuHot, hot, 0.4), "warning gpu-throttled h/0"},
		"blank of the exporter":  {three().gpu("h", "3", "H200", 9.2e18, 0.9, 0), ""},
	} {
		if got := c.stage.says(t, gpus()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHostBound(t *testing.T) {
	s := func(share, tokens float64) *staged {
		return stage_().pool("agg", 2).of(hostShare, "agg", 0.05, share).of(hostTokens, "agg", 4000, tokens)
	}
	timed := func(busy float64, running ...float64) *staged {
		return stage_().pool("agg", 1).of(hostOccupied, "agg", busy).of(hostTokens, "agg", 4000).put(hostRunning, instanceOf("agg0"), running...)
	}
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"well":                {s(0.1, 4000), ""},
		"waits":               {s(0.45, 4000), "warning host-bound b000"},
		"hardly any work":     {s(0.9, 40), ""},
		"by its occupancy":    {timed(0.4, 5), "warning host-bound a000"},
		"idle at times":       {timed(0.4, 5, 5, 5, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5), ""},
		"occupied":            {timed(0.9, 5), ""},
		"no device timer: 0?": {timed(0, 5), ""},
	} {
		if got := c.stage.says(t, host()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSpread(t *testing.T) {
	three := func(given, itl float64) *staged {
		return stage_().pool("agg", 3).of(loadRunning, "agg", 5, 6, 30).of(loadWaiting, "agg", 0, 0, 0).
			of(loadArrivals, "agg", 100, 100, given).of(loadITL, "agg", 0.012, 0.012, itl)
	}
	ranks := func(lost float64, running ...float64) *staged {
		s := stage_().pool("agg", 1)
		for i, v := range running {
			l := sources.Labels{"instance": "agg0", "dp_rank": string(rune('0' + i))}
			wait := max(0, v-24)
			s.put(dpRunning, l, v-wait).put(dpWaiting, l, wait)
			if lost >= 0 {
				s.put(dpRun, l, 5000)
			}
		}
		if lost >= 0 {
			s.of(dpLost, "agg", lost)
		}
		return s
	}
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"far more than its share":      {three(400, 0.018), "warning load-imbalance c000"},
		"more, and it costs nothing":   {three(400, 0.013), ""},
		"piles up its share: slow":     {three(100, 0.03), ""},
		"few requests":                 {stage_().pool("agg", 2).of(loadRunning, "agg", 1, 6).of(loadWaiting, "agg", 0, 3).of(loadArrivals, "agg", 5, 20), ""},
		"plain servers, by what ended": {stage_().pool("agg", 2).of(loadRunning, "agg", 4, 30).of(loadWaiting, "agg", 0, 9).of(loadDone, "agg", 20, 90), "warning load-imbalance b000"},
		"ranks: counted and uneven":    {ranks(0.5, 4, 5, 20, 4), "warning dp-imbalance a000"},
		"ranks: counted, light load":   {ranks(0.5, 1, 1, 3, 0), ""},
		"ranks: counted, little lost":  {ranks(0.1, 4, 5, 20, 4), ""},
		"ranks: one waits":             {ranks(-1, 4, 5, 40, 4), "warning dp-imbalance a000"},
		"ranks: nobody waits":          {ranks(-1, 4, 5, 20, 4), ""},
	} {
		if got := c.stage.says(t, spread()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestMemoryPressure(t *testing.T) {
	l := sources.Labels{"uuid": "GPU-0", "host": "h", "gpu": "0", "gpu_name": "H200"}
	gpu := func(free float64, share ...float64) *staged {
		return stage_().put(memoryFree, l, free).put(memoryShare, l, share...).put(memoryTotal, l, 141<<30)
	}
	for name, c := range map[string]struct {
		stage *staged
		want  string
	}{
		"as engines leave it": {gpu(9<<30, 0.92), ""},
		"nearly nothing left": {gpu(1<<29, 0.99), "warning memory-pressure h/0"},
		"little left":         {gpu(3<<29, 0.98), ""},
		"taken lately":        {gpu(5<<30, 0.9, 0.9, 0.9, 0.96, 0.96, 0.96), "warning memory-pressure h/0"},
		"an engine starts":    {gpu(5<<30, 0.01, 0.4, 0.9, 0.96, 0.96, 0.96), ""},
		"host cache is full":  {stage_().pool("agg", 1).of(hostUsage, "agg", 1), ""},
		"host cache drops":    {stage_().pool("agg", 1).of(hostUsage, "agg", 1).of(hostDropped, "agg", 90), "info memory-pressure a000"},
	} {
		if got := c.stage.says(t, memory()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Who is slow for a known reason is named for the reason.
func TestSilencedByTheCause(t *testing.T) {
	s := stage_().pool("agg", 2).of(paces[0].mean, "agg", 0.012, 0.03).of(paces[0].count, "agg", 3000, 3000).
		of(hostShare, "agg", 0.05, 0.5).of(hostTokens, "agg", 4000, 4000)
	rules := append([]verdict.Rule{stragglerWorker()}, host()...)
	if got, want := s.says(t, rules), "warning host-bound b000"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
