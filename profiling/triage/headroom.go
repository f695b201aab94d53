package triage

import (
	"math"
	"time"

	"dynascope/sources"
	"dynascope/sources/stat"
)

// Headroom is how much more load a deployment takes by what it shows now: the
// lowest of the ceilings of its resources. Occupancy and latency grow faster
// than in proportion to the load, so that a straight line through what was
// seen meets a ceiling too late: every rate here is "at most".
type Headroom struct {
	Rate     float64   // arrivals now, requests per second; NaN when not known
	Ceilings []Ceiling // lowest first; those without a number last
	Missing  []string  // what is not exported and would show another ceiling
}

// Ceiling is one resource, and the arrival rate at which it is used up.
type Ceiling struct {
	Resource string  // "batch", "KV", "TTFT promise", "ITL promise"
	Now, Max float64 // of Unit
	Unit     string
	// Rate is the arrival rate at which Now becomes Max, with the interval of
	// its estimate at HeadroomLevel; NaN when not known, and Why says why.
	// Hi is +Inf where the data also allow that it never does.
	Rate   stat.Interval
	Method string
	Why    string
	Need   sources.Need
}

const (
	// HeadroomSpan is how far back the load is looked at, and HeadroomStep how
	// far apart its points lie: as far as the look-back of a rate, so that no
	// arrival counts in two of them.
	HeadroomSpan = time.Hour
	HeadroomStep = time.Minute
	// HeadroomLevel is the level of the intervals.
	HeadroomLevel = 0.95
	// headroomPoints is how many points a line needs, and headroomSpread how
	// many times the least load the greatest must be: a load that hardly
	// changes tells nothing of how occupancy grows with it.
	headroomPoints = 10
	headroomSpread = 1.5
	// kvCeiling is where SGLang begins to retract.
	kvCeiling = 0.9
)

func headroomNeed(key string, form sources.Form) sources.Need {
	n := sources.Need{Key: key, Form: form}
	if form != sources.FormNow {
		n.Window = HeadroomStep
	}
	return n.Over(HeadroomSpan, HeadroomStep)
}

var (
	roomArrivals = headroomNeed("requests.started", sources.FormRate)
	roomRunning  = headroomNeed("engine.running", sources.FormNow)
	roomKV       = headroomNeed("kv.used_share", sources.FormExpr)
	roomTTFT     = headroomNeed("frontend.ttft", sources.FormMean)
	roomITL      = headroomNeed("frontend.itl", sources.FormMean)
	roomLimit    = sources.Need{Key: "engine.max_running", Form: sources.FormNow}
	roomCard     = sources.Need{Key: "model.max_num_seqs", Form: sources.FormNow, By: "model"}
)

// HeadroomNeeds are the figures that HeadroomOf reads.
func HeadroomNeeds() []sources.Need {
	return []sources.Need{roomArrivals, roomRunning, roomKV, roomTTFT, roomITL, roomLimit, roomCard}
}

// HeadroomOf reads a snapshot whose tick asked HeadroomNeeds.
func HeadroomOf(s *sources.Snapshot, p Promise) Headroom {
	arrivals := pointsOf(s, s.Figure(roomArrivals))
	h := Headroom{Rate: arrivals.last()}
	if s.Figure(roomArrivals).Status == sources.StatusAbsent {
		h.Missing = append(h.Missing, "arrivals at the frontend")
	}
	add := func(resource string, n sources.Need, top float64, unit string, proportional bool) {
		f := s.Figure(n)
		if f.Status == sources.StatusAbsent {
			h.Missing = append(h.Missing, f.Title)
			return
		}
		c := Ceiling{Resource: resource, Max: top, Unit: unit, Need: n}
		c.estimate(arrivals, pointsOf(s, f), proportional)
		h.Ceilings = append(h.Ceilings, c)
	}
	if limit := batchLimit(s); limit > 0 {
		// By Little's law what runs is arrivals times how long each takes,
		// which more load never shortens.
		add("batch", roomRunning, limit, "requests", true)
	} else {
		h.Missing = append(h.Missing, "most running requests")
	}
	add("KV", roomKV, kvCeiling, "ratio", true)
	if p.TTFT > 0 {
		add("TTFT promise", roomTTFT, p.TTFT.Seconds(), "seconds", false)
	}
	if p.ITL > 0 {
		add("ITL promise", roomITL, p.ITL.Seconds(), "seconds", false)
	}
	sortCeilings(h.Ceilings)
	return h
}

// batchLimit is the most requests all workers run at once, zero when not
// known: the engines' own limits, else the model card's for each rank, where
// there is one model.
func batchLimit(s *sources.Snapshot) float64 {
	if v, ok := s.Figure(roomLimit).Value(); ok && v > 0 {
		return v
	}
	ranks := 0
	for _, w := range s.Workers {
		if w.Role != "prefill" && w.State != sources.WorkerGone && w.Instance != "" {
			ranks += max(1, len(w.Ranks))
		}
	}
	f := s.Figure(roomCard)
	if v, ok := f.Value(); ok && len(f.Series) == 1 {
		return v * float64(ranks)
	}
	return 0
}

// points are a course by its times.
type points map[int64]float64

// pointsOf leaves out what looks back further than the store does: a rate over
// a minute of which ten seconds are there is six times too low.
func pointsOf(s *sources.Snapshot, f *sources.Figure) points {
	out := points{}
	first := int64(math.MinInt64)
	if !s.Oldest.IsZero() {
		first = s.Oldest.Add(f.Window).UnixMilli()
	}
	if !f.HasValue() || len(f.Series) == 0 {
		return out
	}
	for _, p := range f.Series[0].Points {
		if p.T >= first && !math.IsNaN(p.V) && !math.IsInf(p.V, 0) {
			out[p.T] = p.V
		}
	}
	return out
}

// last is the newest value.
func (p points) last() float64 {
	newest, v := int64(math.MinInt64), math.NaN()
	for t, x := range p {
		if t > newest {
			newest, v = t, x
		}
	}
	return v
}
