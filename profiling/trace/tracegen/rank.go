package tracegen

import (
	"fmt"
	"slices"
)

// us writes ns as the microseconds with three decimals of a trace.
func us(ns int64) string { return fmt.Sprintf("%d.%03d", ns/1000, ns%1000) }

func (r *rank) ts(ns int64) string {
	if r.spec.Epoch {
		ns += Base
	}
	return us(ns)
}

func (r *rank) put(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.w, format, args...)
	}
}

func (r *rank) pid() string { return r.id(4000 + r.n) }
func (r *rank) tid(n int) string {
	return r.id(4000 + n)
}
func (r *rank) id(n int) string {
	if r.spec.TextPids {
		return fmt.Sprintf("\"%d\"", n)
	}
	return fmt.Sprint(n)
}

func (r *rank) header() {
	sep := "\n  "
	if r.spec.Compact {
		sep = ""
	}
	r.put(`"schemaVersion": 1,%s"deviceProperties": [%s{"id": 0, "name": "NVIDIA H100 80GB HBM3", "totalGlobalMem": 85017493504, "numSms": 132}],%s`, sep, sep, sep)
	r.put(`"distributedInfo": {"backend": "nccl", "rank": %d, "world_size": %d, "pg_count": 1, "pg_config": [{"pg_name": "0", "ranks": [0, 1]}]},%s`, r.n, r.spec.Ranks, sep)
	r.put(`"record_shapes": %d,%s"displayTimeUnit": "ms"`, b2i(r.spec.Shapes), sep)
	if !r.spec.Epoch {
		r.put(`,%s"baseTimeNanoseconds": %d`, sep, int64(Base))
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *rank) head() {
	if r.spec.Compact {
		r.put("{")
	} else {
		r.put("\n{\n  ")
	}
	if !r.spec.Tail {
		r.header()
		r.put(", ")
	}
	r.put(`"traceEvents": [`)
	r.event(`"name": "process_name", "ph": "M", "ts": %s, "pid": %s, "tid": 0, "args": {"name": "python3"}`, r.ts(0), r.pid())
	r.event(`"name": "process_labels", "ph": "M", "ts": %s, "pid": %s, "tid": 0, "args": {"labels": "GPU 0"}`, r.ts(0), r.id(0))
}

func (r *rank) tail() {
	r.event(`"name": "Record Window End", "ph": "i", "s": "g", "pid": "", "tid": "", "ts": %s`, r.ts(max(r.host, r.gpu)))
	r.put("\n  ]")
	if r.spec.Tail {
		r.put(", ")
		r.header()
	}
	r.put(`, "traceName": "/tmp/x.json"`)
	r.put("}")
}

// event writes one event in Kineto's layout or compact.
func (r *rank) event(format string, args ...any) {
	open, shut, between := "\n  {\n    ", "\n  }", ","
	if r.spec.Compact {
		open, shut = "{", "}"
	}
	if r.first {
		between, r.first = "", false
	}
	r.put("%s%s", between, open)
	r.put(format, args...)
	r.put("%s", shut)
	r.truth.Events++
}

func (r *rank) operator(name string, dur, self int64) {
	if !r.spec.Truth {
		return
	}
	a := r.truth.Operators[name]
	r.truth.Operators[name] = Amount{Calls: a.Calls + 1, Time: a.Time + dur, Self: a.Self + self}
}

// annotate books a step's annotation, which holds the operators inside.
func (r *rank) annotate(name string, dur int64) {
	r.operator(name, dur, dur-r.inside)
	r.inside = 0
}

func (r *rank) begin(kind string, _ bool) {
	if r.spec.Truth {
		s := r.truth.Steps[kind]
		r.step = &s
	} else {
		r.step = &StepTruth{}
	}
	r.inside = 0
	r.from = len(r.work)
}

func (r *rank) end(kind string, dur int64) {
	r.step.Count++
	r.step.Host += dur
	if r.spec.Truth {
		r.step.Busy += covered(r.work[r.from:])
		r.truth.Steps[kind] = *r.step
		return
	}
	r.work = r.work[:0]
}

// launch writes an operator with the runtime call inside it, and answers the
// call's time and correlation.
func (r *rank) launch(op, call string) (at, corr int64) {
	shapes := ""
	if r.spec.Shapes {
		shapes = `, "Input type": ["c10::BFloat16", "c10::BFloat16", "Scalar"], "Input Strides": [[4096, 1], [1, 4096], []], "Input Dims": [[16, 4096], [4096, 6144], []], "Ev Idx": ` + fmt.Sprint(r.corr)
	}
	if r.spec.Stacks {
		r.event(`"ph": "X", "cat": "python_function", "name": "sglang/srt/layers/linear.py(%d): forward", "pid": %s, "tid": %s, "ts": %s, "dur": %s, "args": {"Python id": %d, "Python parent id": %d, "Ev Idx": %d}`,
			100+r.corr%400, r.pid(), r.tid(1), r.ts(r.host-200), us(4_400), r.corr, r.corr-1, r.corr)
	}
	r.corr++
	opName := "cpu_op"
	cat := "cuda_runtime"
	if r.spec.Old {
		opName, cat = "Operator", "Runtime"
	}
	const whole, inner, lead, dur = 4_000, 3_200, 500, 1_900
	r.event(`"ph": "X", "cat": "%s", "name": "%s", "pid": %s, "tid": %s, "ts": %s, "dur": %s, "args": {"External id": %d, "Sequence number": 7, "Fwd thread id": 0%s}`,
		opName, op, r.pid(), r.tid(1), r.ts(r.host), us(whole), r.corr, shapes)
	r.event(`"ph": "X", "cat": "%s", "name": "%s_impl", "pid": %s, "tid": %s, "ts": %s, "dur": %s, "args": {"External id": %d%s}`,
		opName, op, r.pid(), r.tid(1), r.ts(r.host+lead/2), us(inner), r.corr, shapes)
	r.operator(op, whole, whole-inner)
	r.operator(op+"_impl", inner, inner)
	r.inside += whole
	at = r.host + lead
	if r.spec.Memory {
		r.allocate(op+"_impl", at+100)
	}
	if !r.spec.NoLaunches {
		r.event(`"ph": "X", "cat": "%s", "name": "%s", "pid": %s, "tid": %s, "ts": %s, "dur": %s, "args": {"External id": %d, "cbid": 211, "correlation": %d}`,
			cat, call, r.pid(), r.tid(1), r.ts(at), us(dur), r.corr, r.corr)
		if !r.spec.Old {
			r.event(`"ph": "s", "id": %d, "pid": %s, "tid": %s, "ts": %s, "cat": "ac2g", "name": "ac2g"`, r.corr, r.pid(), r.tid(1), r.ts(at))
		}
	}
	r.host += whole
	return at, r.corr
}

func (r *rank) allocate(op string, at int64) {
	bytes := int64(1<<20) + r.corr%7*512
	if r.corr%3 == 0 {
		bytes = -bytes - 1024
	}
	r.alloc += bytes
	t := r.truth
	if t.First < 0 {
		t.First = r.alloc
	}
	t.Last, t.Peak = r.alloc, max(t.Peak, r.alloc)
	if bytes > 0 && r.spec.Truth {
		t.Allocated[op] += bytes
	}
	r.event(`"ph": "i", "cat": "cpu_instant_event", "s": "t", "name": "[memory]", "pid": %s, "tid": %s, "ts": %s, "args": {"Ev Idx": 1, "Device Type": 1, "Device Id": 0, "Addr": 139926520725504, "Bytes": %d, "Total Allocated": %d, "Total Reserved": %d}`,
		r.pid(), r.tid(1), r.ts(at), bytes, r.alloc, int64(8<<30))
}

// onGPU writes GPU work and books it.
func (r *rank) onGPU(cat, name, category string, stream int, from, dur, launch, corr int64, class byte, more string) {
	if r.spec.Old {
		cat = map[string]string{"kernel": "Kernel", "gpu_memcpy": "Memcpy"}[cat]
	}
	r.event(`"ph": "X", "cat": "%s", "name": "%s", "pid": %s, "tid": %s, "ts": %s, "dur": %s, "args": {"External id": %d, "queued": 0, "device": 0, "context": 1, "stream": %d, "correlation": %d, "registers per thread": 168, "shared memory": 230400, "blocks per SM": 1.000000, "warps per SM": 12.000000, "grid": [132, 1, 1], "block": [384, 1, 1], "est. achieved occupancy %%": 19%s}`,
		cat, name, r.id(0), r.id(stream), r.ts(from), us(dur), corr, stream, corr, more)
	if !r.spec.Old && !r.spec.NoLaunches {
		r.event(`"ph": "f", "id": %d, "pid": %s, "tid": %s, "ts": %s, "cat": "ac2g", "name": "ac2g", "bp": "e"`, corr, r.id(0), r.id(stream), r.ts(from))
	}
	if r.spec.NoLaunches {
		launch = -1
	} else {
		r.step.Kernels++
	}
	r.truth.Launches++
	if !r.spec.Truth {
		return
	}
	r.work = append(r.work, interval{from, from + dur, launch, class})
	add(r.truth.Categories, category, dur)
	if class != 'm' {
		add(r.truth.Kernels, name, dur)
	}
}

func add(m map[string]Amount, name string, dur int64) {
	a := m[name]
	m[name] = Amount{Calls: a.Calls + 1, Time: a.Time + dur, Bytes: a.Bytes}
}

// start is when work on the main stream begins that the host launched at at.
func (r *rank) start(at, gap int64) int64 { return max(at+3_500, r.gpu+gap) }

func (r *rank) copy(name string, bytes, dur int64) {
	at, corr := r.launch("aten::copy_", "cudaMemcpyAsync")
	from := r.start(at, 700)
	r.onGPU("gpu_memcpy", name, "memcpy", 7, from, dur, at, corr, 'm', fmt.Sprintf(`, "bytes": %d, "memory bandwidth (GB/s)": 1.5`, bytes))
	r.gpu = from + dur
	if r.spec.Truth {
		add(r.truth.Copies, name, dur)
		a := r.truth.Copies[name]
		a.Bytes += bytes
		r.truth.Copies[name] = a
	}
}

// replay launches the step's graph; its kernels follow with its correlation.
func (r *rank) replay() {
	r.graphAt, r.graphCorr = r.launch("cuda_graph::replay", "cudaGraphLaunch")
	if !r.spec.NoLaunches {
		r.truth.Graphs++
		r.step.Launches++
	}
}

// source is the launch of the next kernel: its own, or the graph's.
func (r *rank) source(op string, graph bool) (at, corr int64, more string) {
	if graph {
		return r.graphAt, r.graphCorr, `, "graph id": 3, "graph node id": 77`
	}
	at, corr = r.launch(op, "cudaLaunchKernel")
	return at, corr, ""
}

func (r *rank) kernel(k int, dur, gap int64, graph bool) {
	at, corr, more := r.source(layer[k].op, graph)
	from := r.start(at, gap)
	r.onGPU("kernel", layer[k].name, layer[k].category, 7, from, dur, at, corr, 'c', more)
	r.gpu = from + dur
	if graph {
		r.truth.GraphKernels++
		r.truth.GraphTime += dur
	}
}

// collective lets all ranks meet: it ends for all at one moment, as long after
// the last arrival as the transfer takes.
func collective(spec *Spec, ranks []*rank, k int, transfer, gap int64, graph bool) {
	last, lastAt, tie := 0, int64(-1), false
	type arrival struct{ from, at, corr int64 }
	arrivals := make([]arrival, len(ranks))
	mores := make([]string, len(ranks))
	for i, r := range ranks {
		at, corr, more := r.source(layer[k].op, graph)
		from := r.start(at, gap)
		arrivals[i], mores[i] = arrival{from, at, corr}, more
		switch {
		case from > lastAt:
			last, lastAt, tie = i, from, false
		case from == lastAt:
			tie = true
		}
	}
	end := lastAt + transfer
	for i, r := range ranks {
		a := arrivals[i]
		stream := 7
		if spec.Overlap {
			stream = 20
		}
		r.seq++
		more := mores[i] + fmt.Sprintf(`, "Collective name": "allreduce", "In msg nelems": 65536, "Out msg nelems": 65536, "Group size": %d, "dtype": "BFloat16", "In split size": "[]", "Out split size": "[]", "Process Group Name": "0", "Process Group Description": "tp", "Process Group Ranks": "[0, 1]", "Seq": %d`, spec.Ranks, r.seq)
		r.onGPU("kernel", layer[k].name, "communication", stream, a.from, end-a.from, a.at, a.corr, 'n', more)
		if spec.Overlap {
			r.gpu = a.from // compute goes on beside it
		} else {
			r.gpu = end
		}
		if graph {
			r.truth.GraphKernels++
			r.truth.GraphTime += end - a.from
		}
		if spec.Truth {
			add(r.truth.Collectives, "allreduce", end-a.from)
			r.truth.Waited += lastAt - a.from
			if i == last && !tie && len(ranks) > 1 {
				r.truth.Late++
			}
		}
	}
}

// books closes the truth: every moment of the window is looked at for itself.
func (r *rank) books() {
	t := r.truth
	if len(r.work) == 0 {
		return
	}
	edges := make([]int64, 0, 2*len(r.work))
	for _, w := range r.work {
		edges = append(edges, w.from, w.to)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	t.Start, t.End = Base+edges[0], Base+edges[len(edges)-1]
	ordered := slices.Clone(r.work)
	slices.SortStableFunc(ordered, func(a, b interval) int { return int(a.from - b.from) })
	for i := range len(edges) - 1 {
		from, to := edges[i], edges[i+1]
		on := map[byte]bool{}
		for _, w := range ordered {
			if w.from <= from && w.to >= to {
				on[w.class] = true
			}
		}
		d := to - from
		if on['c'] || on['n'] || on['m'] {
			t.Busy += d
		}
		if on['c'] {
			t.Compute += d
		}
		if on['n'] {
			t.Comm += d
			if !on['c'] {
				t.CommExposed += d
			}
		}
		if on['m'] && !on['c'] && !on['n'] {
			t.MemExposed += d
		}
		if len(on) > 0 {
			continue
		}
		for _, w := range ordered {
			if w.from == to {
				switch {
				case w.launch < 0:
					t.Unknown += d
				case w.launch >= from:
					t.HostBound += d
				default:
					t.KernelGap += d
				}
				break
			}
		}
	}
}

// covered is the union of intervals, counted by nanosecond edges.
func covered(ws []interval) (sum int64) {
	edges := make([]int64, 0, 2*len(ws))
	for _, w := range ws {
		if w.launch >= 0 {
			edges = append(edges, w.from, w.to)
		}
	}
	slices.Sort(edges)
	for i := range max(len(edges)-1, 0) {
		for _, w := range ws {
			if w.launch >= 0 && w.from <= edges[i] && w.to >= edges[i+1] {
				sum += edges[i+1] - edges[i]
				break
			}
		}
	}
	return sum
}
