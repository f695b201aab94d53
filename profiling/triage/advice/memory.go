package advice

import (
	"fmt"
	"math"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// The share of GPU memory. Upstream's tuning guide: .85 to .95 in production,
// beginning at .85 for MoE models and disaggregation.
const (
	leastShare = 0.85
	mostShare  = 0.95
	// fullKV is the share of the KV pool at which it counts as full (upstream's
	// dashboard: at capacity above 90 %).
	fullKV = 0.9
)

var needGPU = sources.Need{Key: "gpu.memory_share", Form: sources.FormExpr, By: "uuid"}

func memory() []Rule {
	return []Rule{
		{
			Code: "memory-share-low", Title: "KV is short, and the memory share may be raised", Settings: []string{"memory_share"},
			Needs: []sources.Need{needKV, needPreempts, needGPU},
			Help: fmt.Sprintf("A worker's KV is %.0f %% used at %.0f %% of the looks of %s, or requests are preempted while it is, and its memory share is below %.2f.",
				100*fullKV, 100*lastingShare, Look, leastShare),
			Judge: shareLow,
		},
		{
			Code: "memory-share-high", Title: "little memory is left beside the pool", Settings: []string{"memory_share"},
			Needs: []sources.Need{needGPU},
			Help:  fmt.Sprintf("A worker's memory share is above %.2f: activations, graphs and the collectives' buffers need the rest.", mostShare),
			Judge: shareHigh,
		},
	}
}

// shortOfKV says whether a worker lacks KV: its pool is full at most looks, or
// it preempts while it is full at some. used is the mean.
func (m *Moment) shortOfKV(p Process) (used float64, held, all int, short bool) {
	kv := m.looks(needKV, p.own())
	held, all, short = lasting(func(v []float64) bool { return v[0] >= fullKV }, kv)
	used, _ = mean(kv)
	if !short && held > 0 && all >= leastLooks {
		short = m.or(needPreempts, p.own()) >= 1
	}
	return used, held, all, short
}

func shareLow(m *Moment) {
	for _, p := range m.processes("decode", "aggregated") {
		used, held, all, short := m.shortOfKV(p)
		share, known := p.numeric("memory_share")
		if !short || known && share >= leastShare {
			continue
		}
		to := leastShare
		a := Advice{
			Flag: p.set("memory_share", plain(to)), Now: p.now("memory_share"),
			Observation: fmt.Sprintf("KV is %s used on average, full at %d of %d looks in %s", text.Percent(used), held, all, text.Age(Look)),
			Evidence:    []verdict.Evidence{m.evidence("KV "+text.Percent(used), needKV, p.own(), used, fullKV)},
			Effect:      "the pool grows by what the share gives, and with it how many requests fit",
			Cost:        "less is left for activations and graphs: go up in steps, and back on out-of-memory errors; the same share gives another pool at another TP; restart",
		}
		if n := m.or(needPreempts, p.own()); n >= 1 {
			a.Observation += fmt.Sprintf("; %s requests were preempted", text.Count(n))
			a.Evidence = append(a.Evidence, m.evidence("preempted "+text.Count(n), needPreempts, p.own(), n, 1))
		}
		if !known {
			a.Flag = p.set("memory_share", fmt.Sprintf("%s (or more, up to %s, where it is that already)", plain(to), plain(mostShare)))
			a.Unknown = []Missing{p.unknown("memory_share")}
		}
		a.Observation, a.Evidence = m.withGPU(a.Observation, a.Evidence)
		m.give(p, a)
	}
}

func shareHigh(m *Moment) {
	for _, p := range m.processes("prefill", "decode", "aggregated") {
		share, known := p.numeric("memory_share")
		if !known || share <= mostShare {
			continue
		}
		a := Advice{
			Flag: p.set("memory_share", plain(mostShare)), Now: p.now("memory_share"),
			Observation: fmt.Sprintf("%s of the memory is given away, and %s is left for activations, graphs and buffers", text.Percent(share), text.Percent(max(0, 1-share))),
			Effect:      "room for the peaks of long prompts, whose out-of-memory error ends the worker",
			Cost:        "a smaller KV pool; restart",
		}
		a.Observation, a.Evidence = m.withGPU(a.Observation, a.Evidence)
		m.give(p, a)
	}
}

// withGPU adds how full the GPUs are, where that is known. Which of them are the
// worker's is not.
func (m *Moment) withGPU(words string, ev []verdict.Evidence) (string, []verdict.Evidence) {
	f := m.in.Snap.Figure(needGPU)
	if !f.Live() {
		return words, ev
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, s := range f.Series {
		if p, ok := s.Last(); ok && !math.IsNaN(p.V) {
			lo, hi = min(lo, p.V), max(hi, p.V)
		}
	}
	if lo > hi {
		return words, ev
	}
	full := text.Percent(hi)
	if low := text.Percent(lo); low != full {
		full = low + " to " + full
	}
	return words + "; the GPUs in sight are " + full + " full", append(ev, m.evidence("GPU memory "+full, needGPU, nil, hi, nan))
}
