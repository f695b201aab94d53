package trace

import (
	"fmt"
	"strings"
	"testing"
)

// TestJoinOneToMany holds the join to what real traces do: one launch for many
// kernels, two calls for one, launches without work and work without launch.
func TestJoinOneToMany(t *testing.T) {
	x := func(cat, name string, tid int, ts, dur, corr int) string {
		return fmt.Sprintf(`{"ph":"X","cat":%q,"name":%q,"pid":%d,"tid":%d,"ts":%d,"dur":%d,"args":{"correlation":%d}}`, cat, name, tid/100, tid, ts, dur, corr)
	}
	body := `[` + strings.Join([]string{
		x("cuda_driver", "cuLaunchKernelEx", 100, 12, 2, 5),
		x("cuda_runtime", "cudaLaunchKernelExC", 100, 10, 6, 5), // around the driver's
		x("kernel", "single", 7, 30, 10, 5),
		x("cuda_runtime", "cudaGraphLaunch", 100, 20, 5, 9),
		x("kernel", "in graph", 7, 40, 10, 9),
		x("kernel", "in graph", 7, 50, 10, 9),
		x("cuda_runtime", "cudaStreamSynchronize", 100, 26, 5, 11),
		x("cuda_runtime", "cudaLaunchKernel", 100, 61, 1, 12), // its kernel is not here
		x("kernel", "foundling", 7, 70, 10, 13),
		x("cuda_runtime", "cudaLaunchKernel", 100, 85, 1, 14),
		x("kernel", "late", 7, 90, 10, 14),
	}, ",") + `]`
	r, err := readAll(strings.NewReader(body), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	k := &r.Ranks[0]
	l, g := k.Launch, k.Graphs
	if l.Launches != 4 || l.Unknown != 1 || l.Singles != 2 || l.Delay != 25_000 || l.DelayMax != 20_000 || l.GraphWait != 20_000 {
		t.Errorf("%+v", l)
	}
	if g.Launches != 1 || g.Kernels != 2 || g.All != 5 {
		t.Errorf("%+v", g)
	}
	if b := k.Breakdown; b.Compute != 50_000 || b.IdleUnknown != 10_000 || b.HostBound != 10_000 || b.KernelGap != 0 {
		t.Errorf("%+v", b)
	}
	if len(k.Gaps) != 2 || k.Gaps[0].After == "" || k.Gaps[1].Length != 10_000 {
		t.Errorf("%+v", k.Gaps)
	}
}

// TestQueueDepth follows three launches that wait for each other.
func TestQueueDepth(t *testing.T) {
	var parts []string
	for i := range 3 {
		parts = append(parts,
			fmt.Sprintf(`{"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernel","pid":1,"tid":1,"ts":%d,"dur":1,"args":{"correlation":%d}}`, 10+i, i+1),
			fmt.Sprintf(`{"ph":"X","cat":"kernel","name":"k","pid":0,"tid":7,"ts":%d,"dur":10,"args":{"correlation":%d}}`, 20+10*i, i+1))
	}
	r, err := readAll(strings.NewReader("["+strings.Join(parts, ",")+"]"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	// One waits for 1 µs, two for 1, three for 8; then two for 10 and one for 10.
	l := r.Ranks[0].Launch
	if l.DepthTime != 57_000 || l.QueueSpan != 30_000 || l.DepthMax != 3 || l.Dry != 0 || l.Full != 0 || l.Depth() != 1.9 {
		t.Errorf("%+v", l)
	}
}
