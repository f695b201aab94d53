package triage

import (
	"math"

	"dynascope/sources"
)

// GPUHost is one host's GPUs, summed up. Sums and means are over the GPUs that
// have a number of now; where none has, over the last ones known.
type GPUHost struct {
	Name string
	GPUs []*GPU // by number

	Util, UtilLeast, UtilMost Cell // mean, least and most
	SMActive, Tensor, DRAM    Cell // means
	Used, Total               Cell // sums, of the GPUs that have both
	Power, Limit              Cell // sums, of the GPUs that have both; power alone without limits
	Temperature               Cell // of the hottest
	Concerned                 int  // GPUs with a concern of at least a notice
	Worst                     *GPU // the one with the worst concern, nil without any
	Grade                     Grade
	Why                       string // the worst concern's words
}

// MemoryShare is used over total memory.
func (h *GPUHost) MemoryShare() Cell { return ratio(h.Used, h.Total) }

// GPUHosts groups GPUs, in their order, by host.
func GPUHosts(gpus []GPU) []GPUHost {
	var out []GPUHost
	at := map[string]int{}
	for i := range gpus {
		g := &gpus[i]
		k, ok := at[g.Host]
		if !ok {
			k, at[g.Host] = len(out), len(out)
			out = append(out, GPUHost{Name: g.Host})
		}
		out[k].GPUs = append(out[k].GPUs, g)
	}
	for i := range out {
		out[i].Sum()
	}
	return out
}

// Sum works the sums out from the GPUs.
func (h *GPUHost) Sum() {
	h.Util = merge(h.each(GPUUtil), foldMean)
	h.UtilLeast, h.UtilMost = merge(h.each(GPUUtil), foldLeast), merge(h.each(GPUUtil), foldMost)
	h.SMActive, h.Tensor, h.DRAM = merge(h.each(GPUSMActive), foldMean), merge(h.each(GPUTensor), foldMean), merge(h.each(GPUDRAM), foldMean)
	h.Used, h.Total = merge(h.both(GPUMemoryUsed, GPUMemoryTotal), foldSum), merge(h.both(GPUMemoryTotal, GPUMemoryUsed), foldSum)
	h.Power, h.Limit = merge(h.both(GPUPower, GPUPowerLimit), foldSum), merge(h.both(GPUPowerLimit, GPUPower), foldSum)
	if !h.Power.Has() {
		h.Power = merge(h.each(GPUPower), foldSum)
	}
	h.Temperature = merge(h.each(GPUTemperature), foldMost)
	for _, g := range h.GPUs {
		all := g.Concerns()
		if len(all) == 0 {
			continue
		}
		h.Concerned++
		if all[0].Grade > h.Grade {
			h.Grade, h.Worst, h.Why = all[0].Grade, g, all[0].Words
		}
	}
}

func (h *GPUHost) each(f GPUFigure) []Cell {
	out := make([]Cell, 0, len(h.GPUs))
	for _, g := range h.GPUs {
		out = append(out, g.Of(f))
	}
	return out
}

// both is one number of the GPUs that have another one too.
func (h *GPUHost) both(f, with GPUFigure) []Cell {
	out := make([]Cell, 0, len(h.GPUs))
	for _, g := range h.GPUs {
		c := g.Of(f)
		if !g.Of(with).Has() {
			c.V = math.NaN()
			if c.Status == sources.StatusOK || c.Status == sources.StatusStale {
				c.Status = sources.StatusAbsent
			}
		}
		out = append(out, c)
	}
	return out
}

// folding is how numbers become one.
type folding int

const (
	foldSum folding = iota
	foldMean
	foldLeast
	foldMost
)

// merge folds the live cells, or the stale ones where none is live.
func merge(all []Cell, how folding) Cell {
	if len(all) == 0 {
		return Cell{V: math.NaN(), Status: sources.StatusAbsent}
	}
	for _, want := range [...]sources.Status{sources.StatusOK, sources.StatusStale} {
		var out Cell
		n := 0
		for _, c := range all {
			if !c.Has() || c.Status != want {
				continue
			}
			if n++; n == 1 {
				out = c
				continue
			}
			switch how {
			case foldLeast:
				out.V = min(out.V, c.V)
			case foldMost:
				out.V = max(out.V, c.V)
			default:
				out.V += c.V
			}
			if c.At.Before(out.At) {
				out.At = c.At
			}
		}
		if how == foldMean && n > 0 {
			out.V /= float64(n)
		}
		if n > 0 {
			return out
		}
	}
	return all[0]
}
