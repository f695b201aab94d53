package engine

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Role is an engine's part in a deployment.
type Role uint8

// The roles. A prefill engine ends each request at its first token; a decode
// engine expects requests that are RemotePrefilled, and prefills the others
// itself.
const (
	Aggregated Role = iota
	Prefill
	Decode
)

// String returns the role's name.
func (r Role) String() string {
	switch r {
	case Aggregated:
		return "aggregated"
	case Prefill:
		return "prefill"
	case Decode:
		return "decode"
	}
	return "unknown"
}

// Retraction says which running request gives way when the pool is full.
type Retraction uint8

const (
	// RetractFewestTokens takes the request with the shortest answer so far,
	// among those the longest prompt, as SGLang does.
	RetractFewestTokens Retraction = iota
	// RetractYoungest takes the one that joined the batch last, as vLLM does.
	RetractYoungest
)

// Params describe an engine. Times are seconds (float64), at TP 1 where a
// field says so; StepTimes in steptime.go tells how they add up, and
// docs/simulator.md which data each is fitted to.
type Params struct {
	// TP is the number of GPUs one step is spread over.
	TP int
	// DP is how many ranks the worker has. It changes nothing here: each rank
	// is an engine of its own.
	DP int

	Role Role
	// MaxRunning limits requests in the batch, those in prefill included.
	MaxRunning int
	// MaxPrefillTokens is the prefill budget of one step: prompts beyond it
	// are cut into chunks at page boundaries.
	MaxPrefillTokens int
	// PageSize is the tokens in a KV page, KVPages the pages in the pool.
	PageSize, KVPages int
	// Mixed lets decode tokens ride along in prefill steps. Without it, as in
	// SGLang's default, a step is either, and prefill goes first.
	Mixed bool
	// NoPrefixCache turns prefix reuse off: pages are free once their request
	// ends.
	NoPrefixCache bool
	// HoldKV keeps the pages of a request that a prefill engine finished in
	// use until Release, as they are while another engine fetches them.
	HoldKV bool

	// Retract picks the request that gives way when the pool is full.
	Retract Retraction
	// NewTokenRatio is the share of its remaining tokens that a running
	// request is expected to produce when the room for a new one is judged:
	// the start value, which falls by NewTokenRatioStep with each decode step
	// to NewTokenRatioMin and jumps up at a retraction. SGLang's defaults:
	// 0.7, 0.098, 0.001.
	NewTokenRatio, NewTokenRatioMin, NewTokenRatioStep float64

	// StepOverhead is the part of every step that neither shrinks with TP nor
	// grows with the batch: launches, norms, sampling, scheduling.
	StepOverhead float64
	// WeightTime is the time to read the weights once at TP 1; a decode step
	// cannot be shorter.
	WeightTime float64
	// DecodePerSeq is the cost of one more sequence in a decode step, at TP 1.
	DecodePerSeq float64
	// DecodePerKVToken is the cost of one token of context in a decode step
	// (reading its KV), at TP 1.
	DecodePerKVToken float64
	// PrefillPerToken is the cost of a prompt token (matrix products), at TP 1.
	PrefillPerToken float64
	// PrefillPerTokenContext is the attention cost of a prompt token for each
	// token before it, at TP 1.
	PrefillPerTokenContext float64
	// CommPerStep is the latency of all of a step's collectives between two
	// GPUs; it grows with log2(TP). Nothing at TP 1.
	CommPerStep float64
	// CommPerToken is the time to move one token's activations through all
	// collectives at TP→∞; a ring moves (TP−1)/TP of it.
	CommPerToken float64
	// Slow multiplies every step's time (a fault). 0 means 1.
	Slow float64
	// HostDelay is host work after every step, while the GPU waits: the step's
	// tokens come out, and the next step starts, so much later. Slow leaves it
	// alone.
	HostDelay float64

	// KVTransferBytesPerToken is one token's KV over all GPUs, bytes;
	// TransferBandwidth is bytes a second; TransferLatency is seconds for
	// setting up a transfer.
	KVTransferBytesPerToken, TransferBandwidth, TransferLatency float64

	// GPU describes one of the engine's GPUs.
	GPU GPUParams
}

// GPUParams turn a step's work into what a GPU monitor would show.
type GPUParams struct {
	// WeightBytes is the model's size over all GPUs of the engine.
	WeightBytes float64
	// FlopsPerToken is the arithmetic of one token through the weights,
	// FlopsPerTokenContext that of its attention to one token before it.
	FlopsPerToken, FlopsPerTokenContext float64
	// MemoryBandwidth (bytes/s) and TensorFlops (1/s) are the GPU's peaks.
	MemoryBandwidth, TensorFlops float64
	// IdleWatts and MaxWatts bound the power. Between them it follows the
	// shares: SMShare·sm + TensorShare·tensor + MemoryShare·memory, at most 1.
	IdleWatts, MaxWatts               float64
	SMShare, TensorShare, MemoryShare float64
}

// Validate reports the first field that makes no sense.
func (p *Params) Validate() error {
	for _, f := range []struct {
		name string
		v    int
	}{
		{"TP", p.TP}, {"MaxRunning", p.MaxRunning}, {"MaxPrefillTokens", p.MaxPrefillTokens},
		{"PageSize", p.PageSize}, {"KVPages", p.KVPages},
	} {
		if f.v < 1 {
			return fmt.Errorf("engine parameters: %s is %d, must be at least 1", f.name, f.v)
		}
	}
	if p.DP < 0 {
		return fmt.Errorf("engine parameters: DP is %d, must not be negative", p.DP)
	}
	if p.MaxPrefillTokens < p.PageSize {
		return fmt.Errorf("engine parameters: MaxPrefillTokens is %d, less than a page of %d tokens; hint: a chunk ends at a page boundary", p.MaxPrefillTokens, p.PageSize)
	}
	if p.KVPages > math.MaxInt32 {
		return fmt.Errorf("engine parameters: KVPages is %d, the model counts to %d; hint: larger pages", p.KVPages, math.MaxInt32)
	}
	for _, f := range []struct {
		name string
		v    float64
	}{
		{"NewTokenRatio", p.NewTokenRatio}, {"NewTokenRatioMin", p.NewTokenRatioMin}, {"NewTokenRatioStep", p.NewTokenRatioStep},
		{"StepOverhead", p.StepOverhead}, {"WeightTime", p.WeightTime}, {"DecodePerSeq", p.DecodePerSeq},
		{"DecodePerKVToken", p.DecodePerKVToken}, {"PrefillPerToken", p.PrefillPerToken},
		{"PrefillPerTokenContext", p.PrefillPerTokenContext}, {"CommPerStep", p.CommPerStep},
		{"CommPerToken", p.CommPerToken}, {"Slow", p.Slow}, {"HostDelay", p.HostDelay},
		{"KVTransferBytesPerToken", p.KVTransferBytesPerToken}, {"TransferBandwidth", p.TransferBandwidth}, {"TransferLatency", p.TransferLatency},
	} {
		if !(f.v >= 0) || math.IsInf(f.v, 0) {
			return fmt.Errorf("engine parameters: %s is %v, must be a number not below 0", f.name, f.v)
		}
	}
	if p.StepOverhead+p.WeightTime <= 0 {
		return errors.New("engine parameters: a step takes no time; hint: set StepOverhead or WeightTime")
	}
	return nil
}

// TransferTime returns how long the KV of so many tokens takes from one engine
// to another over an idle link. Without a bandwidth only the latency counts.
func (p *Params) TransferTime(tokens int) time.Duration {
	s := p.TransferLatency
	if p.TransferBandwidth > 0 {
		s += float64(tokens) * p.KVTransferBytesPerToken / p.TransferBandwidth
	}
	return seconds(s)
}

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }
