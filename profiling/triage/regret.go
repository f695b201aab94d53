package triage

import (
	"math"
	"slices"
	"strings"

	"dynascope/sources"
)

// Regret is the prompt tokens of one window that routing gave away, or
// believed in wrongly. Unknown numbers are NaN.
type Regret struct {
	Model  string // empty for all
	Prompt float64
	// Best is the cached prefix on the best eligible worker, summed over
	// decisions; Chosen that on the worker chosen; Reused what the worker then
	// reported.
	Best, Chosen, Reused float64
	// GivenAway is Best less Chosen: reuse given up, for balance or by
	// mistake. WrongBelief is Chosen less Reused; below zero the worker had
	// more than the router knew.
	GivenAway, WrongBelief float64
	// Silent: workers report no reuse at all although the router expected
	// some. Backends that report none do this, and so would an index that is
	// wrong about everything: WrongBelief is not known.
	Silent bool
}

const byModel = "model"

var (
	needBest   = sources.Need{Key: "router.best_cached_tokens", Form: sources.FormIncrease, By: byModel}
	needChosen = sources.Need{Key: "router.selected_cached_tokens", Form: sources.FormIncrease, By: byModel}
	needReused = sources.Need{Key: "router.reused_tokens", Form: sources.FormIncrease, By: byModel}
	needPrompt = sources.Need{Key: "router.isl", Form: sources.FormSumRate, By: byModel}
)

// RegretNeeds are the figures that RoutingRegret reads: best, chosen, reused
// and prompt tokens, by model.
func RegretNeeds() []sources.Need {
	return []sources.Need{needBest, needChosen, needReused, needPrompt}
}

// RoutingRegret reads what routing gave away, for all models together and for
// each where there are several.
func RoutingRegret(s *sources.Snapshot) (all Regret, models []Regret) {
	read := func(model string, every bool) Regret {
		of := func(n sources.Need) float64 {
			f := s.Figure(n)
			if !f.HasValue() {
				return math.NaN()
			}
			sum, seen := 0.0, false
			for _, g := range f.Series {
				if p, ok := g.Last(); ok && (every || strings.EqualFold(g.Labels[byModel], model)) {
					sum, seen = sum+p.V, true
				}
			}
			if !seen {
				return math.NaN()
			}
			return sum
		}
		r := Regret{Model: model, Best: of(needBest), Chosen: of(needChosen), Reused: of(needReused)}
		r.Prompt = of(needPrompt) * s.Figure(needPrompt).Window.Seconds()
		// No worker has more than the best one; what extrapolation adds to one
		// counter and not to the other is no regret.
		if r.GivenAway = r.Best - r.Chosen; r.GivenAway < 0 {
			r.GivenAway = 0
		}
		if r.Silent = r.Reused == 0 && r.Chosen > 0; !r.Silent {
			r.WrongBelief = r.Chosen - r.Reused
		} else {
			r.WrongBelief = math.NaN()
		}
		return r
	}
	all = read("", true)
	var names []string
	for _, g := range s.Figure(needBest).Series {
		if m := g.Labels[byModel]; m != "" && !slices.Contains(names, m) {
			names = append(names, m)
		}
	}
	if len(names) > 1 {
		slices.Sort(names)
		for _, m := range names {
			models = append(models, read(m, false))
		}
	}
	return all, models
}

// Share is a part of the prompt tokens, NaN when unknown.
func (r Regret) Share(tokens float64) float64 {
	if !(r.Prompt > 0) {
		return math.NaN()
	}
	return tokens / r.Prompt
}

// OverlapLost is the cached blocks given up by decisions for another worker
// than the one with most overlap, in the window; NaN when unknown.
type OverlapLost struct {
	Decisions, Blocks, Tokens float64
	Status                    sources.Status // of the decisions
}

var (
	needNonMax    = sources.Need{Key: "router.non_max_overlap", Form: sources.FormIncrease}
	needLost      = sources.Need{Key: "router.overlap_lost", Form: sources.FormSumRate}
	needBlockSize = sources.Need{Key: "model.block_size", Form: sources.FormNow, By: byModel}
)

// OverlapNeeds are the figures that OverlapLostOf reads.
func OverlapNeeds() []sources.Need { return []sources.Need{needNonMax, needLost, needBlockSize} }

// OverlapLostOf reads them. Blocks become tokens where all models have blocks
// of one size.
func OverlapLostOf(s *sources.Snapshot) OverlapLost {
	o := OverlapLost{Decisions: math.NaN(), Blocks: math.NaN(), Tokens: math.NaN(), Status: s.Figure(needNonMax).Status}
	if v, ok := s.Figure(needNonMax).Value(); ok {
		o.Decisions = v
	}
	if f := s.Figure(needLost); f.HasValue() {
		v, _ := f.Value()
		o.Blocks = v * f.Window.Seconds()
		o.Tokens = o.Blocks * blockSize(s, "")
	}
	return o
}

// blockSize is the tokens of a KV block of a model, of all with an empty one;
// NaN when it is unknown or models differ.
func blockSize(s *sources.Snapshot, model string) float64 {
	size := math.NaN()
	for _, g := range s.Figure(needBlockSize).Series {
		p, ok := g.Last()
		if !ok || !(p.V > 0) || model != "" && !strings.EqualFold(g.Labels[byModel], model) {
			continue
		}
		if !math.IsNaN(size) && size != p.V {
			return math.NaN()
		}
		size = p.V
	}
	return size
}
