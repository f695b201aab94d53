package engine

import "fmt"

// Qwen3_32B_H200 returns an SGLang engine that serves Qwen3-32B in bfloat16 on
// tp H200 SXM GPUs. Any number but 1, 2, 4 and 8 is an error: nothing was
// measured there, and beyond 8 the collectives leave the host, whose links are
// in no constant of the fit.
//
// Step times are fitted to AI Configurator's measured kernels (SGLang 0.5.14;
// testdata/README.md). One set of values holds for all four TP; fit_test.go
// compares. Limits and the pool's size follow SGLang's defaults and the
// arithmetic of the model, GPU values the data sheet and the model's shape;
// power is an assumption, for the data has none.
func Qwen3_32B_H200(tp int) (Params, error) {
	switch tp {
	case 1, 2, 4, 8:
	default:
		return Params{}, fmt.Errorf("engine parameters: Qwen3-32B on H200 is fitted for TP 1, 2, 4 and 8, not %d", tp)
	}
	const (
		weights  = 65.5e9               // bytes: 32.8e9 parameters of 2 bytes
		kvToken  = 2 * 64 * 8 * 128 * 2 // bytes: K and V, 64 layers, 8 heads of 128, 2 bytes
		memory   = 141e9                // bytes of one GPU
		fraction = 0.88                 // SGLang's --mem-fraction-static
		pageSize = 16                   // tokens
	)
	pool := float64(tp)*memory*fraction - weights
	return Params{
		TP: tp, DP: 1,
		MaxRunning:       256,
		MaxPrefillTokens: 8192,
		PageSize:         pageSize,
		KVPages:          int(pool / (kvToken * pageSize)),

		NewTokenRatio: 0.7, NewTokenRatioMin: 0.098, NewTokenRatioStep: 0.001,

		StepOverhead:           1.80e-3,
		WeightTime:             16.2e-3,
		DecodePerSeq:           27.2e-6,
		DecodePerKVToken:       59.5e-9,
		PrefillPerToken:        97.6e-6,
		PrefillPerTokenContext: 3.59e-9,
		CommPerStep:            0.400e-3,
		CommPerToken:           7.19e-6,

		KVTransferBytesPerToken: kvToken,
		TransferBandwidth:       40e9, // one 400 Gbit/s NIC at 80 %
		TransferLatency:         3e-3,

		GPU: GPUParams{
			WeightBytes:          weights,
			FlopsPerToken:        2 * weights / 2,
			FlopsPerTokenContext: 4 * 64 * 64 * 128, // 64 layers, 64 heads of 128
			MemoryBandwidth:      4.8e12,
			TensorFlops:          989e12,
			IdleWatts:            115, MaxWatts: 700,
			SMShare: 0.35, TensorShare: 1, MemoryShare: 0.30,
		},
	}, nil
}
