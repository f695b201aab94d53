package world

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"dynascope/bench/sim/engine"
	"dynascope/bench/sim/scenario"
)

// gpuModel is what sets one GPU apart from the H200, for which the engine's
// parameters are fitted. The others are scaled by data sheet, unmeasured.
type gpuModel struct {
	name              string // as DCGM spells it
	memory            float64
	bandwidth, flops  float64 // of the H200's
	idleWatts, watts  float64
	smClock, memClock int // MHz
}

var gpuModels = map[string]gpuModel{
	"A100":  {"NVIDIA A100-SXM4-80GB", 80e9, 2.04 / 4.8, 312.0 / 989, 60, 400, 1410, 1593},
	"L40S":  {"NVIDIA L40S", 48e9, 0.864 / 4.8, 362.0 / 989, 35, 350, 2520, 9001},
	"H100":  {"NVIDIA H100 80GB HBM3", 80e9, 3.35 / 4.8, 1, 70, 700, 1980, 2619},
	"H200":  {"NVIDIA H200", 141e9, 1, 1, 75, 700, 1980, 3201},
	"B200":  {"NVIDIA B200", 180e9, 8.0 / 4.8, 2250.0 / 989, 140, 1000, 1965, 3996},
	"GB200": {"NVIDIA GB200", 186e9, 8.0 / 4.8, 2500.0 / 989, 140, 1200, 2062, 3996},
}

var billions = regexp.MustCompile(`(?i)(\d+(?:\.\d+)?)B(?:[^a-zA-Z]|$)`)

// fittedBillions is the size of the model that the engine is fitted to.
const fittedBillions = 32.8

// engineParams are a pool's engine: those of Qwen3-32B on H200, scaled to the
// size that the model's name tells and to the GPU, with the scenario's
// overrides on top.
func engineParams(p *scenario.Pool) (engine.Params, error) {
	g, ok := gpuModels[p.GPU]
	if !ok {
		return engine.Params{}, fmt.Errorf("plan pool %s: unknown gpu %q; hint: one of A100, L40S, H100, H200, B200, GB200", p.Name, p.GPU)
	}
	tp := max(p.TP, 1)
	e, err := engine.Qwen3_32B_H200(tp)
	if err != nil {
		return e, fmt.Errorf("plan pool %s: %w", p.Name, err)
	}
	e.DP = max(p.DP, 1)
	size := 1.0
	if m := billions.FindStringSubmatch(p.Model); m != nil {
		if b, err := strconv.ParseFloat(m[1], 64); err == nil && b > 0 && math.Abs(b/fittedBillions-1) > 0.05 {
			size = b / fittedBillions
		}
	}
	weights := e.GPU.WeightBytes * size
	e.KVTransferBytesPerToken *= math.Sqrt(size)
	pages := (float64(tp)*g.memory*0.88 - weights) / (e.KVTransferBytesPerToken * float64(e.PageSize))
	e.WeightTime *= size / g.bandwidth
	e.DecodePerKVToken *= math.Sqrt(size) / g.bandwidth
	e.DecodePerSeq *= size / g.flops
	e.PrefillPerToken *= size / g.flops
	e.PrefillPerTokenContext *= math.Sqrt(size) / g.flops
	e.CommPerToken *= math.Sqrt(size)
	e.GPU.WeightBytes = weights
	e.GPU.FlopsPerToken *= size
	e.GPU.MemoryBandwidth *= g.bandwidth
	e.GPU.TensorFlops *= g.flops
	e.GPU.IdleWatts, e.GPU.MaxWatts = g.idleWatts, g.watts
	switch p.Role {
	case scenario.Prefill:
		e.Role, e.HoldKV = engine.Prefill, true
	case scenario.Decode:
		e.Role = engine.Decode
	}
	if p.Engine == "vllm" {
		e.Mixed, e.Retract = true, engine.RetractYoungest
	}
	e.KVPages = int(max(pages, 0))
	override(&e, &p.Params)
	if e.KVPages < 1 {
		return e, fmt.Errorf("plan pool %s: %s does not fit on %d × %s; hint: a larger tp, or params: {kv_pages: …}", p.Name, p.Model, tp, p.GPU)
	}
	if err := e.Validate(); err != nil {
		return e, fmt.Errorf("plan pool %s: %w", p.Name, err)
	}
	return e, nil
}

// override applies the scenario's settings.
func override(e *engine.Params, p *scenario.Params) {
	number := func(to *int, from *int) {
		if from != nil {
			*to = *from
		}
	}
	seconds := func(to *float64, from *time.Duration) {
		if from != nil {
			*to = from.Seconds()
		}
	}
	scaled := func(to *float64, from *float64, unit float64) {
		if from != nil {
			*to = *from * unit
		}
	}
	if p.PageSize != nil && p.KVPages == nil {
		e.KVPages = max(e.KVPages*e.PageSize / *p.PageSize, 1)
	}
	number(&e.MaxRunning, p.MaxRunning)
	number(&e.MaxPrefillTokens, p.MaxPrefillTokens)
	number(&e.PageSize, p.PageSize)
	number(&e.KVPages, p.KVPages)
	if p.Mixed != nil {
		e.Mixed = *p.Mixed
	}
	if p.PrefixCache != nil {
		e.NoPrefixCache = !*p.PrefixCache
	}
	if p.Conservativeness != nil {
		e.NewTokenRatio *= *p.Conservativeness
		e.NewTokenRatioMin *= *p.Conservativeness
	}
	if p.Retract != nil {
		e.Retract = engine.RetractFewestTokens
		if *p.Retract == "youngest" {
			e.Retract = engine.RetractYoungest
		}
	}
	scaled(&e.Slow, p.Slow, 1)
	scaled(&e.TransferBandwidth, p.TransferBandwidth, 1e9)
	seconds(&e.TransferLatency, p.TransferLatency)
	seconds(&e.StepOverhead, p.StepOverhead)
	seconds(&e.WeightTime, p.WeightTime)
	seconds(&e.DecodePerSeq, p.DecodePerSeq)
	scaled(&e.DecodePerKVToken, p.DecodePerKVToken, 1e-9)
	seconds(&e.PrefillPerToken, p.PrefillPerToken)
	scaled(&e.PrefillPerTokenContext, p.PrefillPerTokenContext, 1e-9)
	seconds(&e.CommPerStep, p.CommPerStep)
	scaled(&e.CommPerToken, p.CommPerToken, 1e-9)
	seconds(&e.HostDelay, p.HostDelay)
}
