package advice

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// The layout of latency histograms. A quantile is the bucket that it lies in, so
// a bucket that holds almost everything says nothing, and an SLA inside a bucket
// is kept by a range.
const (
	// crowded is the share of one bucket from which a layout says too little.
	crowded = 0.8
	// narrow is an upper over a lower edge up to which a bucket is no wider than
	// what could be laid out instead, whatever it holds.
	narrow = 1.51
	// leastCounted is the number of observations a share must rest on.
	leastCounted = 100
	// vague is the width of the share within an SLA from which an edge there is
	// worth a restart; our own number.
	vague = 0.02
	// within is how many edges a crowded bucket is split by.
	within = 8
)

// layout is a histogram whose edges can be set.
type layout struct {
	key  string
	name string // in a sentence
	env  string // X of DYN_METRICS_<X>_…, of a frontend's
	flag string // of an SGLang worker's
	sla  func(verdict.SLA) time.Duration
}

var (
	ttftSLA = func(s verdict.SLA) time.Duration { return s.TTFT }
	itlSLA  = func(s verdict.SLA) time.Duration { return s.ITL }
	noSLA   = func(verdict.SLA) time.Duration { return 0 }

	layouts = []layout{
		{key: "frontend.ttft", name: "TTFT at the frontend", env: "TTFT", sla: ttftSLA},
		{key: "frontend.itl", name: "ITL at the frontend", env: "ITL", sla: itlSLA},
		{key: "frontend.e2e", name: "request duration at the frontend", env: "REQUEST_DURATION", sla: noSLA},
		{key: "engine.ttft", name: "TTFT at the engine", flag: "--bucket-time-to-first-token", sla: ttftSLA},
		{key: "engine.itl", name: "ITL at the engine", flag: "--bucket-inter-token-latency", sla: itlSLA},
		{key: "engine.e2e", name: "request duration at the engine", flag: "--bucket-e2e-request-latency", sla: noSLA},
	}
)

func (l layout) need() sources.Need {
	return sources.Need{Key: l.key, Form: sources.FormBuckets, Window: Look}
}

func buckets() []Rule {
	var needs []sources.Need
	for _, l := range layouts {
		needs = append(needs, l.need())
	}
	return []Rule{
		{
			Code: "buckets-crowded", Title: "one bucket holds almost everything", Needs: needs,
			Help: fmt.Sprintf("More than %.0f %% of %d or more observations of a latency lie in one bucket that is wider than half of its lower edge: all its quantiles are that bucket. "+
				"The variables of a frontend or the flag of an SGLang worker lay out finer edges there.", 100*crowded, leastCounted),
			Judge: bucketsCrowded,
		},
		{
			Code: "buckets-sla", Title: "the SLA lies inside a bucket", Needs: needs,
			Help: fmt.Sprintf("The SLA is no edge of its histogram, and the share within it is known no better than to %.0f points (of %d or more observations).",
				100*vague, leastCounted),
			Judge: bucketsSLA,
		},
	}
}

// owners are the processes whose histogram it is; none where another engine's
// observations are in it too.
func (m *Moment) owners(l layout) []Process {
	if l.env != "" {
		return []Process{m.frontend()}
	}
	workers := m.processes("prefill", "decode", "aggregated")
	for _, p := range workers {
		if p.Flags.Engine != "sglang" {
			return nil
		}
	}
	return workers
}

// crowd is the fullest bucket of a layout that is crowded.
func (m *Moment) crowd(l layout) (b sources.Buckets, at int, ok bool) {
	b, ok = m.histogram(l.need())
	if !ok || b.N < leastCounted || len(b.Edges) < 2 {
		return b, 0, false
	}
	for i, c := range b.Counts {
		if c > b.Counts[at] {
			at = i
		}
	}
	if at > 0 && b.Edges[at] <= narrow*b.Edges[at-1] {
		return b, at, false
	}
	return b, at, b.Counts[at] > crowded*b.N
}

func bucketsCrowded(m *Moment) {
	for _, l := range layouts {
		b, at, ok := m.crowd(l)
		if !ok {
			continue
		}
		finite := positive(b.Edges)
		lo, hi := 0.0, b.Edges[at]
		if at > 0 {
			lo = b.Edges[at-1]
		}
		if len(finite) == 0 || lo <= 0 && math.IsInf(hi, 1) {
			continue
		}
		where := fmt.Sprintf("%s to %s", text.Duration(lo), text.Duration(hi))
		switch {
		case math.IsInf(hi, 1):
			where, hi = "above "+text.Duration(lo), 8*lo
		case lo <= 0:
			where, lo = "below "+text.Duration(hi), hi/16
		}
		share := b.Counts[at] / b.N
		limit := l.sla(m.in.SLA).Seconds()
		a := Advice{
			Now: laidOut(finite),
			Observation: fmt.Sprintf("%s of %s observations of %s lie in one bucket, %s: every quantile among them is that bucket",
				text.Percent(share), text.Count(b.N), l.name, where),
			Evidence: []verdict.Evidence{m.evidence("one bucket "+text.Percent(share), l.need(), nil, share, crowded)},
			Effect:   "quantiles within a quarter of their value",
			Cost:     cost(l),
		}
		if limit > 0 && significant(limit, 2) == limit {
			a.Effect += fmt.Sprintf(", and the SLA of %s is an edge", text.Duration(limit))
		}
		if l.env != "" {
			anchor := hi
			if limit > lo/4 && limit < 4*hi {
				anchor = limit
			}
			a.Flag = gridThrough(anchor, min(lo, lowest(b)), max(hi, finite[len(finite)-1]), fine).Env(l.env)
		} else {
			var extra []float64
			for i := range within {
				extra = append(extra, significant(lo*math.Pow(hi/lo, float64(i+1)/within), 2))
			}
			a.Flag = l.flag + " " + words(edgesWith(finite, append(extra, limit)...))
		}
		for _, p := range m.owners(l) {
			m.give(p, a)
		}
	}
}

func bucketsSLA(m *Moment) {
	for _, l := range layouts {
		limit := l.sla(m.in.SLA).Seconds()
		if _, _, crowd := m.crowd(l); limit <= 0 || crowd { // the other rule's line mends it
			continue
		}
		b, ok := m.histogram(l.need())
		finite := positive(b.Edges)
		if !ok || b.N < leastCounted || len(finite) < 2 || onGrid(finite, limit) {
			continue
		}
		lo, hi, ok := b.Within(limit)
		if !ok || hi-lo < vague {
			continue
		}
		a := Advice{
			Now: laidOut(finite),
			Observation: fmt.Sprintf("the SLA of %s is no edge of %s, so that %s of %s observations keep it",
				text.Duration(limit), l.name, text.Share(lo, hi), text.Count(b.N)),
			Evidence: []verdict.Evidence{m.evidence("within the SLA "+text.Share(lo, hi), l.need(), nil, lo, nan)},
			Effect:   "the share within the SLA becomes one number",
			Cost:     cost(l),
		}
		switch near := significant(limit, 2); {
		case l.env == "":
			a.Flag = l.flag + " " + words(edgesWith(finite, limit))
		default:
			ratio := math.Pow(finite[len(finite)-1]/finite[0], 1/float64(len(finite)-1))
			a.Flag = gridThrough(limit, finite[0], finite[len(finite)-1], ratio).Env(l.env)
			if near != limit {
				a.Effect = fmt.Sprintf("an edge at %s; %s itself cannot be one, as edges have two significant figures", text.Duration(near), text.Duration(limit))
			}
		}
		for _, p := range m.owners(l) {
			m.give(p, a)
		}
	}
}

func cost(l layout) string {
	if l.env != "" {
		return "each edge is a series for every model; buckets from before and after do not add up; the frontend restarts; releases before September 2026 read DYN_HISTOGRAM_DYN_METRICS_" + l.env + "_… instead"
	}
	return "each edge is a series for every worker; buckets from before and after do not add up; all workers restart"
}

// laidOut tells a layout.
func laidOut(finite []float64) string {
	return fmt.Sprintf("%d edges from %s to %s", len(finite), text.Duration(finite[0]), text.Duration(finite[len(finite)-1]))
}

// positive are the finite edges above 0.
func positive(edges []float64) (out []float64) {
	for _, e := range edges {
		if e > 0 && !math.IsInf(e, 1) {
			out = append(out, e)
		}
	}
	return out
}

// lowest is half the upper edge of the first bucket that holds a hundredth.
func lowest(b sources.Buckets) float64 {
	for i, c := range b.Counts {
		if c >= b.N/100 && b.Edges[i] > 0 && !math.IsInf(b.Edges[i], 1) {
			return b.Edges[i] / 2
		}
	}
	return math.Inf(1)
}
