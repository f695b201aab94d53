package trace

// Report is what an analysis found. All durations are whole nanoseconds, all
// shares are left to the reader (Share), all names are cleaned of escape
// sequences and controls.
type Report struct {
	Files    []File    `json:"files"`
	Ranks    []Rank    `json:"ranks"`
	Overall  Totals    `json:"overall"`
	Skew     *Skew     `json:"skew,omitempty"`
	Findings []Finding `json:"findings"`
}

// File is one trace file: where it came from, how whole it is, and its host's
// side. Ranks lie in Report.Ranks.
type File struct {
	Path     string `json:"path"`
	Label    string `json:"label"` // "TP-0", "rank 3", or the file's name
	Rank     int    `json:"rank"`  // of distributedInfo; -1 unknown
	World    int    `json:"world_size,omitempty"`
	Backend  string `json:"backend,omitempty"`
	GPU      string `json:"gpu,omitempty"`
	Base     int64  `json:"base_time_ns,omitempty"` // what the trace's clock is added to
	Recorded Window `json:"recorded"`
	Notes    Notes  `json:"notes"`
	Stacks   bool   `json:"with_stack,omitempty"`
	Shapes   bool   `json:"record_shapes,omitempty"`
	Failed   string `json:"failed,omitempty"` // why it could not be analysed; all else is empty then
	Host     Host   `json:"host"`
	// Unknown counts events by a cat that is not known, at most 32 of them.
	Unknown map[string]int64 `json:"unknown_cats,omitempty"`

	origin int64 // absolute ns of its records' zero
}

// Window is a stretch of absolute time in ns (baseTimeNanoseconds added).
type Window struct {
	Start int64 `json:"start_ns"`
	End   int64 `json:"end_ns"`
}

// Length is the window's duration in ns.
func (w Window) Length() int64 { return w.End - w.Start }

// Rank is one device of one file.
type Rank struct {
	Label  string `json:"label"`
	File   int    `json:"file"` // index into Report.Files
	Device string `json:"device"`
	Window Window `json:"gpu_window"` // first start to last end of GPU work
	Totals
	Gaps  []Gap  `json:"largest_gaps"`
	Strip *Strip `json:"-"`
	// Sequence are the steps in time order.
	Sequence []Step `json:"-"`

	collectives []collective
	sequenced   bool // its collectives carry sequence numbers
}

// Totals are the figures of one rank, or their sums over ranks.
type Totals struct {
	Elapsed   int64     `json:"elapsed_ns"` // GPU window; over ranks the sum of theirs
	Busy      int64     `json:"busy_ns"`    // union of all GPU work
	Breakdown Breakdown `json:"breakdown"`
	// Communication that has compute beside it, and that has not. Together its
	// union.
	CommExposed    int64 `json:"comm_exposed_ns"`
	CommOverlapped int64 `json:"comm_overlapped_ns"`

	Categories  []Share      `json:"categories"` // by time, other included even at 0
	KernelTime  int64        `json:"kernel_time_ns"`
	Kernels     []Kernel     `json:"kernels"` // by time
	Steps       []StepTotals `json:"steps"`
	Launch      Launch       `json:"launch"`
	Graphs      Graphs       `json:"cuda_graphs"`
	Copies      []Copy       `json:"copies"`
	Collectives []Collective `json:"collectives"`
}

// Breakdown parts a window: the parts sum to it exactly. Compute is the union
// of compute kernels; communication what of its union has no compute beside
// it; memory what has neither.
type Breakdown struct {
	Compute       int64 `json:"compute_ns"`
	Communication int64 `json:"communication_exposed_ns"`
	Memory        int64 `json:"memory_exposed_ns"`
	// Idle, by what ended it: work that the host launched only after the GPU
	// had gone idle (HostBound), work that already waited (KernelGap), or work
	// whose launch is not in the trace (IdleUnknown).
	HostBound   int64 `json:"idle_host_bound_ns"`
	KernelGap   int64 `json:"idle_kernel_gap_ns"`
	IdleUnknown int64 `json:"idle_unknown_ns"`
}

// Idle is the window without any GPU work.
func (b Breakdown) Idle() int64 { return b.HostBound + b.KernelGap + b.IdleUnknown }

// Share is one category's part of the kernel time (sums, overlaps counted
// twice).
type Share struct {
	Category string `json:"category"`
	Class    string `json:"class"`
	Time     int64  `json:"time_ns"`
	Calls    int64  `json:"calls"`
	// Steps is the same inside steps of each kind.
	Steps map[string]Amount `json:"by_step,omitempty"`
}

// Amount is time and calls.
type Amount struct {
	Time  int64 `json:"time_ns"`
	Calls int64 `json:"calls"`
}

// Kernel is one kernel name.
type Kernel struct {
	Name     string            `json:"name"`
	Category string            `json:"category"`
	Time     int64             `json:"time_ns"`
	Calls    int64             `json:"calls"`
	Min      int64             `json:"min_ns"`
	Max      int64             `json:"max_ns"`
	InGraph  int64             `json:"calls_in_graphs"`
	Steps    map[string]Amount `json:"by_step,omitempty"`
}

// Step is one annotated step of the engine and the GPU work launched in it.
type Step struct {
	Kind     StepKind
	Name     string
	Start    int64 // absolute ns, on the host
	Host     int64 // the annotation's duration
	Batch    int   // 0 where the annotation does not tell
	Tokens   int
	Period   int64 // to the next step's start; 0 for the last
	Kernels  int64
	Graphs   int64 // graph launches
	Busy     int64 // union of its GPU work
	Comm     int64 // sum of its communication kernels
	GPUStart int64 // absolute; 0 without GPU work
	GPUEnd   int64
}

// StepTotals are the steps of one kind.
type StepTotals struct {
	Kind     StepKind `json:"kind"`
	Count    int64    `json:"count"`
	WithGPU  int64    `json:"with_gpu_work"`
	Host     Spread   `json:"host_ns"`
	Period   Spread   `json:"period_ns"`   // from start to the next step's start
	Busy     Spread   `json:"gpu_busy_ns"` // of those with GPU work
	Span     Spread   `json:"gpu_span_ns"` // first start to last end
	Batch    float64  `json:"mean_batch,omitempty"`
	Tokens   int64    `json:"tokens,omitempty"`
	Kernels  int64    `json:"kernels"`
	Launches int64    `json:"graph_launches"`
}

// Spread is a sample's size, sum and order statistics (nearest rank).
type Spread struct {
	Count int64 `json:"count"`
	Sum   int64 `json:"sum"`
	Min   int64 `json:"min"`
	P50   int64 `json:"p50"`
	P95   int64 `json:"p95"`
	Max   int64 `json:"max"`
}

// Mean is 0 of nothing.
func (s Spread) Mean() float64 {
	if s.Count == 0 {
		return 0
	}
	return float64(s.Sum) / float64(s.Count)
}

// Launch tells how far the host runs ahead. Kernels of graph replays do not
// count: one launch starts many of them.
type Launch struct {
	Launches  int64 `json:"joined"`          // GPU work whose launch was found
	Unknown   int64 `json:"without_launch"`  // GPU work whose launch is not in the trace
	Early     int64 `json:"before_launch"`   // GPU work that starts before its launch: clocks disagree
	Delay     int64 `json:"delay_sum_ns"`    // from launch to start, summed over Singles
	DelayMax  int64 `json:"delay_max_ns"`    //
	Singles   int64 `json:"outside_graphs"`  // joined work outside graphs
	DepthTime int64 `json:"depth_time"`      // ∫ queue depth dt in launch·ns, over QueueSpan
	QueueSpan int64 `json:"queue_span_ns"`   //
	DepthMax  int64 `json:"depth_max"`       // most launches waiting on one stream
	Full      int64 `json:"queue_full_ns"`   // with 1000 or more waiting on a stream
	Dry       int64 `json:"queue_empty_ns"`  // with none waiting
	GraphWait int64 `json:"graph_delay_sum"` // from a graph's launch to its first kernel, summed
}

// Depth is the mean number of launches waiting.
func (l Launch) Depth() float64 {
	if l.QueueSpan == 0 {
		return 0
	}
	return float64(l.DepthTime) / float64(l.QueueSpan)
}

// Graphs is how much of the work came from CUDA graph replays.
type Graphs struct {
	Launches int64 `json:"launches"` // replays that have work in the trace
	Kernels  int64 `json:"kernels"`  // of them
	Time     int64 `json:"time_ns"`
	All      int64 `json:"all_kernels"` // kernels (no copies) with and without graphs
	AllTime  int64 `json:"all_time_ns"`
}

// Copy is the copies of one kind.
type Copy struct {
	Name  string `json:"name"` // "Memcpy DtoH (Device -> Pinned)"
	Calls int64  `json:"calls"`
	Bytes int64  `json:"bytes"`
	Time  int64  `json:"time_ns"`
	Sized int64  `json:"time_of_sized_ns"` // of calls whose bytes are known
}

// Bandwidth in bytes per second over the calls whose size is known.
func (c Copy) Bandwidth() float64 {
	if c.Sized == 0 {
		return 0
	}
	return float64(c.Bytes) / float64(c.Sized) * 1e9
}

// Collective is the collectives of one operation, type, size and group.
type Collective struct {
	Name   string  `json:"name"`       // "allreduce", or the kernel's name where it carries no description
	Bytes  int64   `json:"bytes"`      // of one call as nccl-tests counts them; 0 unknown
	DType  string  `json:"dtype"`      //
	Ranks  int64   `json:"ranks"`      // in the group; 0 unknown
	Group  string  `json:"group"`      //
	Calls  int64   `json:"calls"`      //
	Time   int64   `json:"time_ns"`    // waiting for late ranks included
	Min    int64   `json:"min_ns"`     //
	Max    int64   `json:"max_ns"`     //
	Factor float64 `json:"bus_factor"` // bus bytes per byte; 0 unknown
}

// BusBandwidth in bytes per second: of the mean call, and of the fastest one,
// which waited least for other ranks. 0 where size or operation is unknown.
func (c Collective) BusBandwidth() (mean, best float64) {
	if c.Bytes == 0 || c.Calls == 0 || c.Time == 0 || c.Min == 0 {
		return 0, 0
	}
	bus := float64(c.Bytes) * c.Factor
	return bus * float64(c.Calls) / float64(c.Time) * 1e9, bus / float64(c.Min) * 1e9
}

// Gap is one stretch without GPU work.
type Gap struct {
	Start  int64  `json:"start_ns"` // absolute
	Length int64  `json:"length_ns"`
	Cause  string `json:"cause"` // "host-bound", "kernel gap", "unknown"
	After  string `json:"after"` // the work that ended before it
	Before string `json:"before"`
}

// Host is the host's side of one file.
type Host struct {
	// Operators are cpu_op and user_annotation by total time, as key_averages
	// counts them.
	Operators []Operator  `json:"operators"`
	Runtime   []Operator  `json:"runtime"` // CUDA runtime and driver calls, by total time
	Python    int64       `json:"python_calls,omitempty"`
	Threads   int64       `json:"threads"`
	Memory    []Allocator `json:"memory,omitempty"`
}

// Operator is one operator, annotation or runtime call by name.
type Operator struct {
	Name       string `json:"name"`
	Annotation bool   `json:"annotation,omitempty"`
	Calls      int64  `json:"calls"`
	Time       int64  `json:"time_ns"`
	Self       int64  `json:"self_ns"` // less the operators inside it; equal Time for runtime calls
}

// Allocator is one device's memory as the allocator events tell it.
type Allocator struct {
	Device       string  `json:"device"` // "GPU 0", "CPU"
	Events       int64   `json:"events"`
	First        int64   `json:"first_allocated_bytes"`
	Last         int64   `json:"last_allocated_bytes"`
	Peak         int64   `json:"peak_allocated_bytes"`
	PeakAt       int64   `json:"peak_at_ns"` // absolute
	PeakReserved int64   `json:"peak_reserved_bytes"`
	By           []Alloc `json:"by"` // who allocates, by bytes
}

// Growth is what was allocated more at the end than at the start.
func (a Allocator) Growth() int64 { return a.Last - a.First }

// Alloc is what one operator (innermost) allocated and freed.
type Alloc struct {
	Name  string `json:"name"`
	Calls int64  `json:"allocations"`
	Bytes int64  `json:"allocated_bytes"`
	Freed int64  `json:"freed_bytes"`
}

// Skew is what the same collectives on several ranks tell about who is late.
type Skew struct {
	Stage   string     `json:"stage,omitempty"` // of a by-stage profile: EXTEND, DECODE
	Matched int64      `json:"matched"`         // collectives found on all ranks of their group
	Left    int64      `json:"unmatched"`
	By      string     `json:"matched_by"` // "sequence number" or "order"
	Ranks   []RankSkew `json:"ranks"`
	// Wait is the sum over collectives of the longest wait inside one.
	Wait int64 `json:"wait_ns"`
	// Start is the sum over collectives of the latest start less the earliest,
	// by the ranks' own clocks.
	Start int64 `json:"start_spread_ns"`
	// Apart says that collectives do not overlap in time by the ranks' clocks:
	// start times of different ranks cannot be compared.
	Apart bool `json:"clocks_apart,omitempty"`
}

// RankSkew is one rank's part: in a collective, the rank with the shortest
// time arrived last, and the others waited for it inside.
type RankSkew struct {
	Label string `json:"label"`
	Met   int64  `json:"collectives"`  // matched ones that it takes part in
	Last  int64  `json:"arrived_last"` // collectives
	Made  int64  `json:"made_wait_ns"` // how long the earliest rank waited, summed over those
	Wait  int64  `json:"waited_ns"`    // its own waiting: time beyond the shortest
}

// Finding is one sentence that the figures prove.
type Finding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // "warn" or "info"
	Text     string `json:"text"`
	Evidence string `json:"evidence"`
	// Also are further ranks of which the same holds; the evidence is the
	// first one's.
	Also []string `json:"also,omitempty"`
}

// Strip is a device's streams over its window in equal bins: what each bin did
// most, and how full it was.
type Strip struct {
	Window  Window
	Bins    int
	Streams []StripStream
	Left    int // streams beyond those kept
}

// StripStream is one stream of a strip. Category indexes Categories().
type StripStream struct {
	Label    string
	Category []uint8
	Fill     []uint8 // 0 empty … 255 full
}

// Categories are all categories, in the order that StripStream counts them.
func Categories() []string { return append([]string(nil), categories...) }
