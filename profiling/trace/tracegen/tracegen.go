// Package tracegen writes PyTorch traces of a made-up engine whose figures are
// known: prefill and decode steps over tensor-parallel ranks, CUDA graphs,
// collectives that wait for the last rank, copies, allocator events. Tests and
// the benchmark of profiling/trace read them.
//
// It reads no trace and knows nothing of how one is analysed: its truth comes
// from the plan it writes down. It is no simulator of an engine's speed.
package tracegen

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
)

// Spec says what to write. The zero value of a field is the plain choice.
type Spec struct {
	Seed    uint64
	Ranks   int // tensor-parallel ranks, one file each (default 1)
	Steps   int // default 8
	Prefill int // every how manyth step is a prefill (0 none)
	Layers  int // default 4
	Graphs  bool
	// Overlap puts collectives on a stream of their own beside compute.
	Overlap bool
	// Late makes this rank (1-based; 0 nobody) reach each collective last.
	Late   int
	Memory bool // allocator events
	Stacks bool // python_function events
	Shapes bool // input shapes: what makes real traces large

	// How it is written.
	Compact    bool // one line, no spaces, as json.dump writes it
	Old        bool // the spellings of before 2022, and no flows
	Epoch      bool // ts counts from 1970, no baseTimeNanoseconds
	Tail       bool // header keys behind the events
	TextPids   bool // pids and tids as strings
	Quotes     bool // some annotations carry unescaped quotes
	NoLaunches bool // no runtime events
	Truth      bool // keep the books; without, the memory does not grow
}

// Base is the baseTimeNanoseconds of what is written.
const Base = 1_712_195_494_000_000_000

// Truth is what a rank's trace must be found to say. Times in ns.
type Truth struct {
	Start, End                                   int64 // GPU window, absolute
	Busy, Compute, Comm, CommExposed, MemExposed int64
	HostBound, KernelGap, Unknown                int64
	Categories                                   map[string]Amount
	Kernels                                      map[string]Amount
	Copies                                       map[string]Amount // Calls, Time; Bytes
	Collectives                                  map[string]Amount
	Steps                                        map[string]StepTruth
	Operators                                    map[string]Amount
	Graphs, GraphKernels, GraphTime, Launches    int64
	Late                                         int64 // collectives in which it arrived last
	Waited                                       int64
	Peak, First, Last                            int64 // allocated bytes
	Events                                       int64
	Allocated                                    map[string]int64
}

// Amount is calls, time, bytes, and self time of operators.
type Amount struct{ Calls, Time, Bytes, Self int64 }

// StepTruth is the steps of one kind.
type StepTruth struct{ Count, Host, Busy, Kernels, Launches int64 }

type rank struct {
	spec  *Spec
	n     int
	w     *bufio.Writer
	err   error
	first bool
	host  int64 // ns of the host's clock
	gpu   int64 // end of the main stream
	corr  int64
	alloc int64
	truth *Truth

	seq int64

	work   []interval
	from   int // where the open step's work begins
	step   *StepTruth
	inside int64 // time of operators in the open step

	graphAt, graphCorr int64 // the open step's graph launch
}

type interval struct {
	from, to, launch int64
	class            byte // 'c'ompute, 'n' communication, 'm'emory
}

// kernel names by category, as real engines spell them.
var layer = []struct {
	name, category string
	dur            int64
	op             string
}{
	{"void flashinfer::norm::FusedAddRMSNormKernel<8, __nv_bfloat16>(__nv_bfloat16*, __nv_bfloat16*)", "norm and rope", 3000, "sgl_kernel::fused_add_rmsnorm"},
	{"nvjet_tst_128x64_64x8_1x2_h_bz_coopA_TNT", "gemm", 21000, "aten::mm"},
	{"void flashinfer::BatchQKApplyRotaryPosIdsCosSinCacheEnhancedParallelismKernel<true, 128u>", "norm and rope", 2500, "sgl_kernel::apply_rope"},
	{"void cutlass::device_kernel<flash::FlashAttnFwdSm90<flash::CollectiveMainloopFwdSm90<2, bf16> > >(Params)", "attention", 17000, "sgl_kernel::fwd"},
	{"nvjet_tst_64x64_64x8_1x1_h_bz_TNT", "gemm", 9000, "aten::mm"},
	{"ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", "communication", 12000, "c10d::allreduce_"},
	{"void flashinfer::activation::act_and_mul_kernel<__nv_bfloat16, &(silu(float const&))>", "activation", 2800, "sgl_kernel::silu_and_mul"},
	{"my_secret_kernel<2>", "other", 1500, "mine::op"},
}

// Write writes one trace to each writer (spec.Ranks of them) and answers their
// truths.
func Write(spec Spec, out []io.Writer) ([]Truth, error) {
	spec.Ranks, spec.Steps, spec.Layers = cmp.Or(spec.Ranks, 1), cmp.Or(spec.Steps, 8), cmp.Or(spec.Layers, 4)
	if len(out) != spec.Ranks {
		return nil, fmt.Errorf("writing traces: %d writers for %d ranks", len(out), spec.Ranks)
	}
	rng := rand.New(rand.NewPCG(spec.Seed, 7))
	ranks := make([]*rank, spec.Ranks)
	for i := range ranks {
		ranks[i] = &rank{spec: &spec, n: i, w: bufio.NewWriterSize(out[i], 1<<16), first: true, host: 5_000_123, corr: 100, alloc: 1 << 30,
			truth: &Truth{Categories: map[string]Amount{"other": {}}, Kernels: map[string]Amount{}, Copies: map[string]Amount{}, Collectives: map[string]Amount{},
				Steps: map[string]StepTruth{}, Operators: map[string]Amount{}, Allocated: map[string]int64{}, First: -1}}
		ranks[i].head()
	}
	for s := range spec.Steps {
		prefill := spec.Prefill > 0 && s%spec.Prefill == 0
		play(&spec, rng, ranks, s, prefill)
	}
	truths := make([]Truth, len(ranks))
	for i, r := range ranks {
		r.tail()
		r.books()
		if r.err == nil {
			r.err = r.w.Flush()
		}
		if r.err != nil {
			return nil, fmt.Errorf("writing trace %d: %w", i, r.err)
		}
		truths[i] = *r.truth
	}
	return truths, nil
}

// play runs one step on all ranks, collective by collective.
func play(spec *Spec, rng *rand.Rand, ranks []*rank, n int, prefill bool) {
	kind, name := "decode", fmt.Sprintf("step[DECODE bs=%d]", 8+n%3)
	if prefill {
		kind, name = "prefill", fmt.Sprintf("step[EXTEND bs=2 toks=%d]", 512+n%7)
	}
	graph := spec.Graphs && !prefill
	for _, r := range ranks {
		// Now and then the host thinks longer than the GPU has work.
		r.host += 40_000 + rng.Int64N(30_000)
		if n%3 == 0 {
			r.host = max(r.host, r.gpu+5_000)
		}
		r.begin(kind, prefill)
	}
	starts := make([]int64, len(ranks))
	for i, r := range ranks {
		starts[i] = r.host
		if spec.Quotes && n%5 == 2 {
			r.event(`"ph": "X", "cat": "user_annotation", "name": "say "hello" twice", "pid": %s, "tid": %s, "ts": %s, "dur": %s`, r.pid(), r.tid(1), r.ts(r.host), us(100))
			r.operator("say \"hello\" twice", 100, 100)
			r.inside += 100
			r.host += 100
		}
		r.copy("Memcpy HtoD (Pinned -> Device)", 4096*int64(1+n%2), 1_200)
	}
	scale := int64(1)
	if prefill {
		scale = 5
	}
	if graph {
		for _, r := range ranks {
			r.replay()
		}
	}
	for l := range spec.Layers {
		for k := range layer {
			d := layer[k].dur*scale + rng.Int64N(2_000) + int64(l)
			jitter := rng.Int64N(900)
			if layer[k].category == "communication" {
				collective(spec, ranks, k, d, jitter, graph)
				continue
			}
			for _, r := range ranks {
				extra := int64(0)
				if spec.Late == r.n+1 && k == 4 {
					extra = 6_000
				}
				r.kernel(k, d+extra, jitter, graph)
			}
		}
	}
	for i, r := range ranks {
		r.copy("Memcpy DtoH (Device -> Pinned)", 64, 900)
		r.host += 2_000
		dur := r.host - starts[i]
		r.event(`"ph": "X", "cat": "%s", "name": "%s", "pid": %s, "tid": %s, "ts": %s, "dur": %s`, "user_annotation", name, r.pid(), r.tid(1), r.ts(starts[i]), us(dur))
		r.annotate(name, dur)
		r.end(kind, dur)
	}
}
