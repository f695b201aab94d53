package server

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"time"

	"dynascope/bench/sim/world"
)

// trace writes a Kineto document of recorded steps: user annotations, CPU
// operators with their launches, kernels on a compute and (with several ranks)
// a communication stream, flows between launch and kernel, and the marker with
// which a complete trace ends. Kernel times fill the steps as they were; their
// names are those of a dense model.
type trace struct {
	steps []world.Step
	stage string // "-EXTEND" and "-DECODE" take the steps of one stage
	rank  int
	size  int // tensor parallel ranks
	stack bool
	start time.Time

	w    *bufio.Writer
	more bool
	corr int
}

// traceLayers is how many layers of a step are written; the real number would
// only make the file larger.
const traceLayers = 8

// kernel shares of a layer's time. Collectives are left out at one rank.
var traceKernels = []struct {
	op, name string
	share    float64
	comm     bool
}{
	{"sgl_kernel::rmsnorm", "void flashinfer::norm::RMSNormKernel<8u, __nv_bfloat16>", 0.03, false},
	{"aten::mm", "nvjet_tst_128x256_64x4_1x2_h_bz_coopA_TNN", 0.22, false},
	{"sgl_kernel::fwd", "void cutlass::device_kernel<flash::FlashAttnFwdSm90>", 0.20, false},
	{"aten::mm", "nvjet_tst_192x192_64x4_2x1_v_bz_coopB_TNN", 0.12, false},
	{"sglang::all_reduce", "void sglang::cross_device_reduce_1stage<__nv_bfloat16, 8>", 0.08, true},
	{"aten::mm", "nvjet_tst_256x128_64x4_1x2_h_bz_coopA_TNT", 0.20, false},
	{"sgl_kernel::silu_and_mul", "void flashinfer::activation::act_and_mul_kernel<__nv_bfloat16, &silu>", 0.03, false},
	{"aten::mm", "nvjet_tst_128x128_64x6_1x1_v_bz_TNN", 0.09, false},
	{"sglang::all_reduce", "void sglang::cross_device_reduce_1stage<__nv_bfloat16, 8>", 0.03, true},
}

// writeFile writes the trace in place, as the real exporter does: the file is
// there and incomplete for as long as the export takes.
func (t *trace) writeFile(ctx context.Context, path string, takes time.Duration) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	defer func() {
		if cerr := f.Close(); cerr != nil && err == nil {
			err = fmt.Errorf("write the trace: %w", cerr)
		}
	}()
	z := gzip.NewWriter(f)
	t.w = bufio.NewWriter(z)
	t.head()
	var steps []world.Step
	for _, s := range t.steps {
		if t.stage == "" || s.Prefill() == (t.stage == "-EXTEND") {
			steps = append(steps, s)
		}
	}
	pace := time.NewTimer(0)
	defer pace.Stop()
	for i, s := range steps {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pace.C:
		}
		t.step(s)
		if err := t.w.Flush(); err != nil {
			return fmt.Errorf("write the trace: %w", err)
		}
		if err := z.Flush(); err != nil {
			return fmt.Errorf("write the trace: %w", err)
		}
		if i < len(steps)-1 {
			pace.Reset(takes / time.Duration(len(steps)))
		}
	}
	t.tail()
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	return nil
}

func (t *trace) head() {
	fmt.Fprintf(t.w, "{\n\"schemaVersion\": 1,\n\"deviceProperties\": [\n{\"id\": %d, \"name\": \"NVIDIA H200\", \"totalGlobalMem\": 150109880320, "+
		"\"computeMajor\": 9, \"computeMinor\": 0, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerMultiprocessor\": 2048, \"regsPerBlock\": 65536, "+
		"\"warpSize\": 32, \"sharedMemPerBlock\": 49152, \"numSms\": 132, \"regsPerMultiprocessor\": 65536, \"sharedMemPerBlockOptin\": 232448, "+
		"\"sharedMemPerMultiprocessor\": 233472}\n],\n", t.rank)
	if t.size > 1 {
		fmt.Fprintf(t.w, "\"distributedInfo\": {\"backend\": \"nccl\", \"rank\": %d, \"world_size\": %d, \"pg_count\": 1, "+
			"\"pg_config\": [{\"pg_name\": \"0\", \"pg_desc\": \"tp\", \"backend_config\": \"cuda:nccl\", \"pg_size\": %d}], \"nccl_version\": \"2.27.3\"},\n",
			t.rank, t.size, t.size)
	}
	fmt.Fprintf(t.w, "\"with_stack\": %d,\n\"displayTimeUnit\": \"ms\",\n\"baseTimeNanoseconds\": %d,\n\"traceEvents\": [\n",
		map[bool]int{true: 1}[t.stack], t.start.UnixNano())
	t.event(`{"name": "process_name", "ph": "M", "ts": 0.000, "pid": 4711, "tid": 0, "args": {"name": "sglang::scheduler_TP%d"}}`, t.rank)
	t.event(`{"name": "process_labels", "ph": "M", "ts": 0.000, "pid": 4711, "tid": 0, "args": {"labels": "CPU"}}`)
	t.event(`{"name": "process_labels", "ph": "M", "ts": 0.000, "pid": %d, "tid": 0, "args": {"labels": "GPU %d"}}`, t.rank, t.rank)
	t.event(`{"name": "thread_name", "ph": "M", "ts": 0.000, "pid": %d, "tid": 7, "args": {"name": "stream 7"}}`, t.rank)
}

func (t *trace) event(format string, args ...any) {
	if t.more {
		t.w.WriteString(",\n")
	}
	t.more = true
	fmt.Fprintf(t.w, format, args...)
}

// us prints nanoseconds as microseconds with three decimals.
func us(ns int64) string { return fmt.Sprintf("%d.%03d", ns/1000, ns%1000) }

func (t *trace) step(s world.Step) {
	begin, dur := int64(s.Begin), int64(s.End-s.Begin)
	kind, toks := "DECODE", ""
	if s.Prefill() {
		kind, toks = "EXTEND", fmt.Sprintf(" toks=%d", s.PrefillTokens)
	}
	t.event(`{"ph": "X", "cat": "user_annotation", "name": "step[%s bs=%d%s]", "pid": 4711, "tid": 4711, "ts": %s, "dur": %s, "args": {"External id": %d}}`,
		kind, s.Batch, toks, us(begin), us(dur), t.corr+1)
	share := 0.0
	for _, k := range traceKernels {
		if !k.comm || t.size > 1 {
			share += k.share
		}
	}
	busy := float64(dur) * 0.96 // the rest is the scheduler's
	at, cpu := begin+dur/50, begin+dur/100
	for layer := range traceLayers {
		for _, k := range traceKernels {
			if k.comm && t.size == 1 {
				continue
			}
			t.corr++
			d := max(int64(busy*k.share/share/traceLayers), 2)
			launch := max(min(d/8, 9000), 1)
			t.event(`{"ph": "X", "cat": "cpu_op", "name": %q, "pid": 4711, "tid": 4711, "ts": %s, "dur": %s, "args": {"External id": %d}}`,
				k.op, us(cpu), us(launch+2000), t.corr)
			if t.stack {
				t.event(`{"ph": "X", "cat": "python_function", "name": "sglang/srt/models/qwen3.py(%d): forward", "pid": 4711, "tid": 4711, "ts": %s, "dur": %s, "args": {"Python id": %d, "Python parent id": null, "Python module id": %d}}`,
					200+layer, us(cpu), us(launch+2500), t.corr, layer)
			}
			t.event(`{"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 4711, "tid": 4711, "ts": %s, "dur": %s, "args": {"cbid": 211, "correlation": %d, "External id": %d}}`,
				us(cpu+500), us(launch), t.corr, t.corr)
			t.event(`{"ph": "s", "id": %d, "pid": 4711, "tid": 4711, "ts": %s, "cat": "ac2g", "name": "ac2g"}`, t.corr, us(cpu+500))
			t.event(`{"ph": "X", "cat": "kernel", "name": %q, "pid": %d, "tid": 7, "ts": %s, "dur": %s, "args": {"External id": %d, "device": %d, "context": 1, "stream": 7, "correlation": %d, "queued": 0, "grid": [132, 1, 1], "block": [384, 1, 1], "registers per thread": 168, "shared memory": 213248, "blocks per SM": 1.0, "warps per SM": 12.0, "est. achieved occupancy %%": 0}}`,
				k.name, t.rank, us(at), us(d), t.corr, t.rank, t.corr)
			t.event(`{"ph": "f", "id": %d, "pid": %d, "tid": 7, "ts": %s, "cat": "ac2g", "name": "ac2g", "bp": "e"}`, t.corr, t.rank, us(at))
			at += d
			cpu += launch + 3000
		}
	}
}

func (t *trace) tail() {
	end := int64(0)
	if n := len(t.steps); n > 0 {
		end = int64(t.steps[n-1].End)
	}
	t.event(`{"name": "Record Window End", "ph": "i", "s": "g", "pid": "", "tid": "", "ts": %s}`, us(end))
	t.w.WriteString("\n],\n\"traceName\": \"simulated\"\n}\n")
}
