package engine

import (
	"math"
	"time"
)

// Work is what one step computes.
type Work struct {
	// PrefillTokens is the prompt tokens computed, PrefillAttention the sum of
	// the tokens that each of them attends to.
	PrefillTokens    int
	PrefillAttention float64
	// DecodeSeqs is the sequences that get one more token, DecodeKV the sum of
	// their contexts.
	DecodeSeqs, DecodeKV int
	// ReloadTokens is the tokens whose KV is copied back (decode role, after a
	// retraction).
	ReloadTokens int
}

// addPrefill adds n prompt tokens behind start tokens of context.
func (w *Work) addPrefill(start, n int) {
	w.PrefillTokens += n
	w.PrefillAttention += float64(n) * (float64(start) + float64(n)/2)
}

// StepTime returns how long a step with this work takes:
//
//	compute = max(WeightTime + DecodePerSeq·seqs, PrefillPerToken·(tokens + seqs))   with prompt tokens
//	        = WeightTime + DecodePerSeq·seqs                                          without
//	attend  = PrefillPerTokenContext·attention + DecodePerKVToken·context
//	comm    = CommPerStep·log2(TP) + CommPerToken·(TP−1)/TP·(tokens + seqs)
//	step    = Slow · (StepOverhead + (compute + attend)/TP + comm) + reload
//
// A step with prompt tokens reads the same weights for its decode tokens: they
// cost what a prompt token costs. The maximum is the roofline: a small prefill
// takes as long as reading the weights.
func (p *Params) StepTime(w Work) time.Duration {
	tp := float64(p.TP)
	tokens := float64(w.PrefillTokens + w.DecodeSeqs)
	compute := p.WeightTime + p.DecodePerSeq*float64(w.DecodeSeqs)
	if w.PrefillTokens > 0 {
		compute = max(compute, p.PrefillPerToken*tokens)
	}
	attend := p.PrefillPerTokenContext*w.PrefillAttention + p.DecodePerKVToken*float64(w.DecodeKV)
	comm := p.CommPerStep*math.Log2(tp) + p.CommPerToken*(tp-1)/tp*tokens
	s := p.StepOverhead + (compute+attend)/tp + comm
	if p.Slow > 0 {
		s *= p.Slow
	}
	d := seconds(s)
	if w.ReloadTokens > 0 {
		d += p.TransferTime(w.ReloadTokens)
	}
	return max(d, 1)
}

// activity returns what the GPUs show while a step with this work runs for d.
func (p *Params) activity(w Work, d time.Duration) GPU {
	s := d.Seconds() * float64(max(p.TP, 1))
	g := GPU{SM: 1}
	if p.GPU.MemoryBandwidth > 0 {
		read := p.GPU.WeightBytes + p.KVTransferBytesPerToken*(float64(w.DecodeKV)+2*float64(w.PrefillTokens))
		g.Memory = min(1, read/(s*p.GPU.MemoryBandwidth))
	}
	if p.GPU.TensorFlops > 0 {
		flops := p.GPU.FlopsPerToken*float64(w.PrefillTokens+w.DecodeSeqs) +
			p.GPU.FlopsPerTokenContext*(w.PrefillAttention+float64(w.DecodeKV))
		g.Tensor = min(1, flops/(s*p.GPU.TensorFlops))
	}
	g.Watts = p.GPU.watts(g)
	return g
}

func (g *GPUParams) watts(a GPU) float64 {
	return g.IdleWatts + (g.MaxWatts-g.IdleWatts)*min(1, g.SMShare*a.SM+g.TensorShare*a.Tensor+g.MemoryShare*a.Memory)
}
