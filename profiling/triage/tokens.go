package triage

import (
	"math"

	"dynascope/sources"
)

var (
	needITL      = mean("frontend.itl")
	needITLCount = count("frontend.itl")
	needStep     = mean("engine.itl")
	needSteps    = count("engine.itl")
	needDetok    = sources.Need{Key: "frontend.detokenize_per_token", Form: sources.FormExpr}
	needStalls   = sources.Need{Key: "engine.preemptions", Form: sources.FormIncrease}
)

// TokenPathNeeds are the figures that TokenPathOf reads.
func TokenPathNeeds() []sources.Need {
	return []sources.Need{needITL, needITLCount, needStep, needSteps, needDetok, needStalls}
}

// TokenPathOf reads where the time between two output tokens goes, of the mean
// at the frontend: the engine's decode step as far as the engine measures the
// same tokens, what the frontend works on each, and the rest. Engines measure no
// stall of a retracted request by itself: it is inside their time between
// tokens, and only told of. The snapshot's tick asked TokenPathNeeds.
func TokenPathOf(s *sources.Snapshot) Path {
	total := s.Figure(needITL)
	p := Path{Status: total.Status}
	p.Total, _ = total.Value()
	p.N, _ = s.Figure(needITLCount).Value()
	if !total.HasValue() || !(p.Total > 0) {
		return p
	}
	rest := p.Total
	add := func(st Stage) {
		st.Share = st.Mean / p.Total
		p.Stages = append(p.Stages, st)
		rest -= st.Mean
	}
	step := s.Figure(needStep)
	switch v, ok := step.Value(); {
	case ok && !math.IsNaN(v) && covers(s, needSteps, p.N):
		title := "decode step"
		if n, ok := s.Figure(needStalls).Value(); ok && n >= 1 {
			title = "decode step, with stalls"
		}
		// Engine and frontend are scraped at different moments, and the
		// frontend's own mean is the whole.
		add(Stage{Key: "itl.step", Title: title, Mean: math.Min(v, p.Total), Status: step.Status, Needs: []sources.Need{needStep, needSteps, needStalls}})
	default:
		p.Note = "not split: no engine measures the time between these tokens"
	}
	if f := s.Figure(needDetok); f.HasValue() {
		if v, ok := f.Value(); ok && v >= 0 && v <= rest {
			add(Stage{Key: "itl.postprocess", Title: "detokenise", Mean: v, Status: f.Status, Needs: []sources.Need{needDetok}})
		}
	}
	add(Stage{Key: "itl.unattributed", Title: "unattributed", Mean: rest, Status: total.Status, Needs: []sources.Need{needITL, needITLCount}, Rest: true})
	return p
}

// covers says whether a stage was observed about as often as the n things that
// it is a part of: half again as many, or two thirds, may be the moment of a
// scrape.
func covers(s *sources.Snapshot, n sources.Need, of float64) bool {
	k, ok := s.Figure(n).Value()
	return ok && of > 0 && k > of*2/3 && k < of*3/2
}

// EnginePath is where the mean time to first token of one worker's engine goes,
// as it measures itself, and its mean time between tokens. Queue, Prefill and
// Transfer are parts of the way; they are means of the requests that passed
// them.
type EnginePath struct {
	TTFT, Queue, Prefill, Transfer, ITL Cell // seconds
}

var enginePathNeeds = [...]sources.Need{
	{Key: "engine.ttft", Form: sources.FormMean, By: "instance"},
	{Key: "engine.queue_time", Form: sources.FormMean, By: "instance"},
	{Key: "engine.prefill_time", Form: sources.FormMean, By: "instance"},
	{Key: "engine.kv_transfer", Form: sources.FormMean, By: "instance"},
	{Key: "engine.itl", Form: sources.FormMean, By: "instance"},
}

// EnginePathNeeds are the figures that EnginePathOf reads.
func EnginePathNeeds() []sources.Need { return enginePathNeeds[:] }

// EnginePathOf reads the path of one worker.
func EnginePathOf(s *sources.Snapshot, w sources.Worker) EnginePath {
	j := join{s, map[sources.Need]map[string][]sources.Series{}}
	var c [len(enginePathNeeds)]Cell
	for i, n := range enginePathNeeds {
		c[i] = j.cell(n, "instance", w.Instance, "", 1)
		if (w.State == sources.WorkerStale || w.State == sources.WorkerGone) && c[i].Status == sources.StatusIdle {
			c[i].Status = sources.StatusAbsent
		}
	}
	return EnginePath{TTFT: c[0], Queue: c[1], Prefill: c[2], Transfer: c[3], ITL: c[4]}
}
