package latency

import (
	"time"

	"dynascope/tui/pane"
)

// measure is one latency that a part of the pane can show.
type measure int

const (
	ttft measure = iota
	itl
	e2e
	queue
	measures // how many there are
)

func (m measure) String() string { return [...]string{"TTFT", "ITL", "E2E", "queue time"}[m] }

// limit is what the SLA promises of it, 0 for nothing.
func (m measure) limit(sla pane.SLA) time.Duration {
	switch m {
	case ttft:
		return sla.TTFT
	case itl:
		return sla.ITL
	default:
		return 0
	}
}

// reading is a measure as one place sees it.
type reading struct {
	measure
	at pane.Source
	// key is the catalogue's, empty where that place cannot measure it; why
	// says what to do then.
	key, why string
	// per is the estimator: what one observation is.
	per string
	// quiet says what an empty histogram may mean besides no traffic.
	quiet string
}

// read returns the measure as the wanted place sees it. Only engines see
// their queue, so that one is always theirs.
func (m measure) read(from pane.Source) reading {
	if from != pane.FromRouter && from != pane.FromEngine {
		from = pane.FromFrontend
	}
	r := reading{measure: m, at: from, per: "per request"}
	switch m {
	case ttft:
		r.key = string(from) + ".ttft"
	case itl:
		r.key = string(from) + ".itl"
		switch from {
		case pane.FromFrontend:
			r.per = "per chunk"
		case pane.FromRouter:
			r.per, r.quiet = "per token", "the router's ITL stays empty in aggregated deployments"
		case pane.FromEngine:
			r.per = "per token or chunk" // SGLang the one, vLLM the other
		}
	case e2e:
		r.key = string(from) + ".e2e"
		if from == pane.FromRouter {
			r.key, r.why = "", "the router does not measure whole requests; o asks the engine or the frontend"
		}
	case queue:
		r.at, r.key = pane.FromEngine, "engine.queue_time"
	}
	return r
}
