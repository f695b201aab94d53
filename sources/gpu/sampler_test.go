//go:build linux && cgo

package gpu

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

var update = flag.Bool("update", false, "rewrite the golden pages")

// rig is a sampler over a fake host, with a clock that the test turns.
type rig struct {
	*Sampler
	t        *testing.T
	host     *host
	clock    time.Time
	answered chan int
	budget   chan time.Time // nil: never over
	first    State
}

func (r *rig) now() time.Time                       { return r.clock }
func (r *rig) after(time.Duration) <-chan time.Time { return r.budget }

func rigged(t *testing.T, h *host) *rig {
	t.Helper()
	r := &rig{t: t, host: h, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), answered: make(chan int, 4096)}
	r.Sampler, r.first = open(t.Context(), h, Options{Hostname: "node-1"}, seam{
		now: r.now, after: r.after, eventWait: time.Millisecond,
		process:  func(pid uint32) string { return fmt.Sprintf("sglang::scheduler_TP%d", pid%10) },
		answered: func(i int) { r.answered <- i },
	})
	t.Cleanup(func() { r.Close() })
	return r
}

// page makes the page of a second later.
func (r *rig) page() string {
	r.t.Helper()
	r.clock = r.clock.Add(time.Second)
	b, err := r.Page(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// hears waits for what the watcher of a GPU's events does by itself.
func (r *rig) hears(gpu int, events int) {
	x := r.workers[gpu].device.xids
	for {
		x.mu.Lock()
		n := 0
		for _, c := range x.seen {
			n += c
		}
		done := (x.ready || x.missed != "") && n == events
		x.mu.Unlock()
		if done {
			return
		}
		runtime.Gosched()
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; rewrite it with -update and look at the difference\n%s", name, got)
	}
}

// threeGPUs are one at work, one shared out by MIG, and one that fell off the
// bus.
func threeGPUs() *host {
	mig := h100("GPU-22222222-0000-0000-0000-000000000002")
	mig.procs, mig.busy = nil, nil
	mig.set("utilisation", nvml.ERROR_NOT_SUPPORTED)
	mig.set("process utilisation", nvml.ERROR_NOT_SUPPORTED)
	for i, gi := range []int{2, 1, 1} {
		mig.migs = append(mig.migs, &card{
			uuid: fmt.Sprint("MIG-", i), name: []string{"NVIDIA H100 80GB HBM3 MIG 3g.40gb", "NVIDIA H100 80GB HBM3 MIG 1c.4g.40gb", "NVIDIA H100 80GB HBM3 MIG 1c.4g.40gb"}[i], gi: gi, ci: i,
			memory: nvml.Memory_v2{Total: 40448 << 20, Reserved: 10 << 20, Used: uint64(gi) * 1000 << 20, Free: 39438 << 20},
			procs:  []nvml.ProcessInfo{{Pid: uint32(500 + i), UsedGpuMemory: 900 << 20}},
		})
	}
	lost := h100("GPU-33333333-0000-0000-0000-000000000003")
	lost.set("handle", nvml.ERROR_GPU_IS_LOST)
	return newHost(h100("GPU-11111111-0000-0000-0000-000000000001"), mig, lost)
}

func TestPage(t *testing.T) {
	r := rigged(t, threeGPUs())
	r.hears(1, 0)
	r.host.gpus[0].events <- 31
	r.host.gpus[0].events <- 31
	r.host.gpus[0].events <- 94
	r.hears(0, 3)
	r.page()
	golden(t, "page.golden", r.page())

	var out strings.Builder
	describe(&out, r.State())
	golden(t, "state.golden", out.String())
}

func describe(out *strings.Builder, s State) {
	fmt.Fprintf(out, "%s\n%s: %s; hint: %s\n", s, s.Code, s.Why, s.Hint)
	for _, g := range s.GPUs {
		fmt.Fprintf(out, "%d %s %s %s\n  %s: %s; hint: %s\n", g.Index, g.UUID, g.Model, g.PCI, g.Code, g.Why, g.Hint)
		for _, l := range []struct {
			what string
			list []string
		}{{"notes", g.Notes}, {"missing", g.Missing}, {"failed", g.Failed}} {
			if len(l.list) > 0 {
				fmt.Fprintf(out, "  %s: %s\n", l.what, strings.Join(l.list, ", "))
			}
		}
	}
}

func TestLibraryStates(t *testing.T) {
	for _, c := range []struct {
		init, count nvml.Return
		gpus        int
		code        Code
		version     string // as dynascope version says it
		page        string
	}{
		{init: nvml.ERROR_LIBRARY_NOT_FOUND, code: NoLibrary, version: "built in, no driver here: libnvidia-ml.so.1 is not on this host", page: "libnvidia-ml.so.1 is not on this host; hint: install"},
		{init: nvml.ERROR_DRIVER_NOT_LOADED, code: NoDriver, version: "built in, no driver here: the kernel module", page: "not loaded"},
		{init: nvml.ERROR_LIB_RM_VERSION_MISMATCH, code: VersionMismatch, version: "built in, the driver does not answer: libnvidia-ml.so.1 and", page: "different versions; hint: a driver upgrade"},
		{init: nvml.ERROR_NO_PERMISSION, code: NoPermission, version: "built in, the driver does not answer: no permission", page: "no permission"},
		{init: nvml.ERROR_UNKNOWN, code: Failing, version: "built in, the driver does not answer: the driver says: error 999", page: "error 999"},
		{count: nvml.ERROR_UNKNOWN, gpus: 1, code: Failing, version: "built in, driver 580.95.05, 0 GPU", page: "error 999"},
		{code: NoDevice, version: "built in, driver 580.95.05, 0 GPU", page: "the driver shows no GPU"},
	} {
		h := newHost()
		for range c.gpus {
			h = newHost(h100("GPU-1"))
		}
		h.init, h.count = c.init, c.count
		r := rigged(t, h)
		if r.first.Code != c.code || r.first.Hint == "" || !strings.HasPrefix(r.first.String(), c.version) {
			t.Errorf("%v: %+v\n%s", c, r.first, r.first)
		}
		if _, err := r.Page(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "read the GPUs: ") || !strings.Contains(err.Error(), c.page) {
			t.Errorf("%v: a page, or %v", c, err)
		}
	}
}

// TestGPUStates: what one GPU is, the others are not.
func TestGPUStates(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*card)
		code Code
		want string // in one of its sentences
	}{
		{"lost at work", func(c *card) { c.set("power", nvml.ERROR_GPU_IS_LOST) }, Lost, "fallen off the bus"},
		{"reset required", func(c *card) { c.set("utilisation", nvml.ERROR_RESET_REQUIRED) }, ResetRequired, "nvidia-smi --gpu-reset"},
		{"no permission", func(c *card) { c.set("handle", nvml.ERROR_NO_PERMISSION) }, NoPermission, "device cgroup"},
		{"driver upgraded under it", func(c *card) { c.set("memory2", nvml.ERROR_LIB_RM_VERSION_MISMATCH) }, VersionMismatch, "different versions"},
		{"unified memory", func(c *card) { c.set("memory2", nvml.ERROR_NOT_SUPPORTED); c.set("memory", nvml.ERROR_NOT_SUPPORTED) }, OK, "shared with the CPU"},
		{"vGPU", func(c *card) { c.virtual = nvml.GPU_VIRTUALIZATION_MODE_VGPU }, OK, "a vGPU"},
		{"everything fails", func(c *card) {
			for _, f := range []string{"utilisation", "memory2", "power", "energy", "temperature", "clock", "reasons", "gpm", "values"} {
				c.set(f, nvml.ERROR_UNKNOWN)
			}
		}, Failing, "nothing of it can be read"},
	} {
		sick := h100("GPU-1")
		c.set(sick)
		r := rigged(t, newHost(sick, h100("GPU-2")))
		page := r.page()
		g := r.State().GPUs
		if said := fmt.Sprint(g[0]); g[0].Code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s: %s", c.name, said)
		}
		if g[1].Code != OK || g[1].Why != "" || !strings.Contains(page, `DCGM_FI_DEV_POWER_USAGE{gpu="1",UUID="GPU-2"`) {
			t.Errorf("%s: the other GPU is %+v", c.name, g[1])
		}
		if !strings.Contains(page, fmt.Sprintf(`state=%q`, c.code)) {
			t.Errorf("%s: no state %s on the page\n%s", c.name, c.code, page)
		}
		if c.code != OK && c.code != Failing && strings.Contains(page, `DCGM_FI_DEV_POWER_USAGE{gpu="0"`) {
			t.Errorf("%s: it still has values", c.name)
		}
	}
}

func TestUnsupportedIsAskedOnce(t *testing.T) {
	c := h100("GPU-1")
	c.set("power", nvml.ERROR_NOT_SUPPORTED)
	c.set("energy", nvml.ERROR_UNKNOWN)
	delete(c.values, nvml.FI_DEV_MEMORY_TEMP)
	h := newHost(c)
	h.lacks["nvmlDeviceGetTemperatureThreshold"] = true
	h.lacks["nvmlDeviceGetCurrentClocksEventReasons"] = true
	h.lacks["nvmlGpmMetricsGet"] = true
	r := rigged(t, h)
	for range 3 {
		r.page()
	}
	for what, want := range map[string]int{"power": 1, "energy": 4, "slowdown": 0, "reasons": 0, "old reasons": 4, "gpm": 0, "temperature": 4} {
		if got := c.called(what); got != want {
			t.Errorf("%s was asked %d times in 4 pages, want %d", what, got, want)
		}
	}
	g := r.State().GPUs[0]
	for _, want := range []string{"power: not supported", "memory temperature: not supported", "slow-down temperature: needs a newer driver", "SM activity: needs a newer driver"} {
		if !slices.Contains(g.Missing, want) {
			t.Errorf("%q is not among %q", want, g.Missing)
		}
	}
	if !slices.Equal(g.Failed, []string{"energy: error 999"}) || g.Code != OK {
		t.Errorf("failed %q, code %s", g.Failed, g.Code)
	}
	c.set("energy", nvml.SUCCESS)
	if page := r.page(); !strings.Contains(page, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{") || len(r.State().GPUs[0].Failed) != 0 {
		t.Errorf("a field that failed once does not come back: %q", r.State().GPUs[0].Failed)
	}
	// What activity would have told comes from slower questions.
	if page := r.page(); !strings.Contains(page, "DCGM_FI_PROF_PCIE_TX_BYTES{") || !strings.Contains(page, "DCGM_FI_PROF_NVLINK_TX_BYTES{") {
		t.Errorf("no PCIe or NVLink throughput without activity\n%s", page)
	}
}

// TestSlowFieldsAreAskedSeldom also is the cost of sampling, in calls.
func TestSlowFieldsAreAskedSeldom(t *testing.T) {
	c := h100("GPU-1")
	c.gpm = false
	r := rigged(t, newHost(c))
	for range 20 {
		r.page()
	}
	r.hears(0, 0) // the watcher asks in its own time
	for what, want := range map[string]int{
		"handle": 1, "uuid": 1, "name": 1, "pci": 1, "virtual": 1, "max clock": 2, "slowdown": 1, "events": 1, "gpm": 1, // once
		"utilisation": 21, "memory2": 21, "power": 21, "clock": 42, "reasons": 21, // a page
		"values": 21 + 3, "mig": 3, "limit": 3, "processes": 5, "process utilisation": 5, "pcie": 2 * 11,
	} {
		if got := c.called(what); got != want {
			t.Errorf("%s was asked %d times in 21 pages, want %d", what, got, want)
		}
	}
}

func TestLostGPUIsLeftAlone(t *testing.T) {
	c := h100("GPU-1")
	r := rigged(t, newHost(c))
	c.set("utilisation", nvml.ERROR_GPU_IS_LOST)
	asked := c.called("utilisation")
	for range 20 {
		if page := r.page(); strings.Contains(page, "# TYPE DCGM_") || !strings.Contains(page, `state="lost"`) {
			t.Fatalf("a lost GPU has values:\n%s", page)
		}
	}
	if got := c.called("utilisation") - asked; got != 1 {
		t.Errorf("a lost GPU was asked %d times in 20 s", got)
	}
	c.set("utilisation", nvml.SUCCESS)
	r.clock = r.clock.Add(lostFor)
	if page := r.page(); !strings.Contains(page, "DCGM_FI_DEV_GPU_UTIL{") || !strings.Contains(page, `state="ok"`) {
		t.Errorf("a GPU that is back is not seen:\n%s", page)
	}
}

// TestStuckCall: a call that does not return costs its own GPU's values.
func TestStuckCall(t *testing.T) {
	sick, well := h100("GPU-1"), h100("GPU-2")
	r := rigged(t, newHost(sick, well))
	for range 2 {
		<-r.answered // of Open
	}
	block := make(chan struct{})
	sick.mu.Lock()
	sick.stuck = map[string]chan struct{}{"power": block}
	sick.mu.Unlock()

	for range 3 {
		r.budget = make(chan time.Time)
		go func(over chan time.Time) {
			for i := range r.answered {
				if i == 1 {
					close(over)
					return
				}
			}
		}(r.budget)
		page := r.page()
		if !strings.Contains(page, `DCGM_FI_DEV_POWER_USAGE{gpu="1",UUID="GPU-2"`) || strings.Contains(page, `DCGM_FI_DEV_POWER_USAGE{gpu="0"`) ||
			!strings.Contains(page, `dynascope_gpu_state{gpu="0",UUID="GPU-1"`) || !strings.Contains(page, `state="not_answering"`) {
			t.Fatal(page)
		}
	}
	g := r.State().GPUs
	if g[0].Code != NotAnswering || !strings.Contains(g[0].Why, "has not returned for 2s") || g[0].UUID != "GPU-1" || g[1].Code != OK {
		t.Errorf("%+v", g)
	}
	// Close does not wait for it for ever, and says so.
	over := make(chan time.Time)
	close(over)
	r.budget = over
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "does not return") {
		t.Errorf("close gave %v", err)
	}
	select {
	case <-r.host.shut:
		t.Error("the library was shut down under a call")
	default:
	}
	if _, err := r.Page(t.Context()); err == nil || r.State().Code != Closed {
		t.Error("a closed sampler makes pages")
	}
	close(block)
	<-r.ended
	<-r.host.shut
	if n := sick.called("power"); n != 2 {
		t.Errorf("power was asked %d times: a stuck GPU is asked on", n)
	}
	if err := r.Close(); err != nil {
		t.Errorf("close again gave %v", err)
	}
}

// TestLateAnswerIsNotPresent: the values of a call that hung are of then.
func TestLateAnswerIsNotPresent(t *testing.T) {
	c := h100("GPU-1")
	r := rigged(t, newHost(c))
	block := make(chan struct{})
	c.mu.Lock()
	c.stuck = map[string]chan struct{}{"power": block}
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Page(ctx); err != nil || r.State().GPUs[0].Code != NotAnswering {
		t.Fatalf("%v, %+v", err, r.State())
	}
	c.mu.Lock()
	c.stuck = nil
	c.mu.Unlock()
	close(block)
	asked := c.called("energy")
	if page := r.page(); !strings.Contains(page, `state="ok"`) || c.called("energy") < asked+1 {
		t.Errorf("energy asked %d times, then %d\n%s", asked, c.called("energy"), page)
	}
}

// TestLibraryThatHangs: Open and Page come back while the library starts.
func TestLibraryThatHangs(t *testing.T) {
	h := newHost(h100("GPU-1"))
	h.entered = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &rig{t: t, host: h}
	s, state := open(ctx, h, Options{Hostname: "node-1"}, seam{now: time.Now, after: r.after, eventWait: time.Millisecond, process: processName})
	if state.Code != Starting || state.Hint == "" {
		t.Errorf("%+v", state)
	}
	if _, err := s.Page(ctx); err == nil || !strings.Contains(err.Error(), "has not answered for") {
		t.Errorf("a page, or %v", err)
	}
	close(h.entered)
	page, err := s.Page(t.Context())
	if err != nil || !bytes.Contains(page, []byte("DCGM_FI_DEV_GPU_UTIL{")) {
		t.Errorf("%v\n%s", err, page)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-h.shut
}

// TestMIGSwitchedOn: what was unsupported is asked again, and the frame buffer
// is counted once.
func TestMIGSwitchedOn(t *testing.T) {
	c := h100("GPU-1")
	c.set("process utilisation", nvml.ERROR_NOT_SUPPORTED)
	r := rigged(t, newHost(c))
	if page := r.page(); strings.Contains(page, "GPU_I_ID") || strings.Count(page, "\nDCGM_FI_DEV_FB_USED{") != 1 {
		t.Fatal(page)
	}
	c.migs = []*card{{uuid: "MIG-1", name: "NVIDIA H100 80GB HBM3 MIG 7g.80gb", gi: 0, memory: c.memory}}
	r.clock = r.clock.Add(seldom)
	r.page()
	page := r.page()
	if strings.Count(page, "\nDCGM_FI_DEV_FB_USED{") != 1 || !strings.Contains(page, `GPU_I_PROFILE="7g.80gb",GPU_I_ID="0",source="nvml"} 71000`) ||
		strings.Count(page, "\nDCGM_FI_PROF_SM_ACTIVE{") != 1 || c.called("process utilisation") != 2 {
		t.Errorf("process utilisation asked %d times\n%s", c.called("process utilisation"), page)
	}
}

func BenchmarkPage(b *testing.B) {
	var gpus []*card
	for i := range 8 {
		gpus = append(gpus, h100(fmt.Sprint("GPU-", i)))
	}
	clock := time.Now()
	s, _ := open(b.Context(), newHost(gpus...), Options{Hostname: "node-1"}, seam{
		now: func() time.Time { return clock }, after: func(time.Duration) <-chan time.Time { return nil }, eventWait: time.Second, process: func(uint32) string { return "python3" },
	})
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		clock = clock.Add(time.Second)
		if _, err := s.Page(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
