//go:build linux && cgo

package gpu

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"dynascope/sources/text"
)

// mostProcesses bounds the series of one GPU.
const mostProcesses = 128

// readProcesses are the processes that hold memory, per GPU instance with MIG.
func readProcesses(d *device) ([]sample, nvml.Return) {
	if len(d.instances) == 0 {
		list, ret := d.dev.GetComputeRunningProcesses()
		return d.holders(nil, list, ""), ret
	}
	var out []sample
	any := nvml.ERROR_NOT_SUPPORTED
	for _, in := range d.instances {
		list, ret := in.dev.GetComputeRunningProcesses()
		if ret == nvml.SUCCESS || any != nvml.SUCCESS {
			any = ret
		}
		out = d.holders(out, list, in.labels())
	}
	return sorted(out), any
}

func (d *device) holders(out []sample, list []nvml.ProcessInfo, labels string) []sample {
	for _, p := range list {
		// All ones, also in 32 bits, is the driver's way of not knowing.
		if len(out) >= mostProcesses || p.UsedGpuMemory >= 1<<62 {
			continue
		}
		out = append(out, sample{"dynascope_gpu_process_memory_bytes", labels + d.processLabels(p.Pid), float64(p.UsedGpuMemory)})
	}
	return sorted(out)
}

func (d *device) processLabels(pid uint32) string {
	return label("pid", strconv.FormatUint(uint64(pid), 10)) + label("process", d.s.seam.process(pid))
}

// readProcessUtil is each process's share of the SMs since the last question,
// of the newest sample.
func readProcessUtil(d *device) ([]sample, nvml.Return) {
	since := d.seen
	if since == 0 {
		since = uint64(d.now.UnixMicro() - processesEvery.Microseconds())
	}
	list, ret := d.dev.GetProcessUtilization(since)
	if ret == nvml.ERROR_NOT_FOUND || ret == nvml.ERROR_NO_DATA {
		return nil, nvml.SUCCESS // nothing ran
	}
	newest := map[uint32]nvml.ProcessUtilizationSample{}
	for _, p := range list {
		// Some drivers give slots they never filled.
		if p.Pid == 0 || p.SmUtil > 100 || p.TimeStamp < newest[p.Pid].TimeStamp {
			continue
		}
		newest[p.Pid] = p
		d.seen = max(d.seen, p.TimeStamp)
	}
	var out []sample
	for pid, p := range newest {
		if len(out) < mostProcesses {
			out = append(out, sample{"dynascope_gpu_process_sm_ratio", d.processLabels(pid), float64(p.SmUtil) / 100})
		}
	}
	return sorted(out), ret
}

// hostPIDs says whether this process sees the host's process ids, which the
// driver gives. In a container without them another process may have the id.
var hostPIDs = sync.OnceValue(func() bool {
	ns, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && ns == "pid:[4026531836]" // the kernel's first, a fixed number
})

// processName is what a process calls itself: its program, or the first word
// of a title it has set, such as sglang::scheduler_TP0. Never its arguments.
func processName(pid uint32) string {
	if !hostPIDs() {
		return "unknown"
	}
	dir := "/proc/" + strconv.FormatUint(uint64(pid), 10)
	comm, err := os.ReadFile(dir + "/comm")
	if err != nil {
		return "unknown"
	}
	cmdline, _ := os.ReadFile(dir + "/cmdline")
	return nameOf(comm, cmdline)
}

// nameOf reads a name out of a process's comm, which the kernel cuts at 15
// bytes, and its cmdline, of which it takes the rest of that word.
func nameOf(comm, cmdline []byte) string {
	name := strings.TrimSpace(string(comm))
	if len(name) == 15 {
		word, _, _ := bytes.Cut(cmdline, []byte{0})
		if fields := bytes.Fields(word); len(fields) > 0 {
			if long := path.Base(string(fields[0])); strings.HasPrefix(long, name) {
				name = long
			}
		}
	}
	return text.Clean(text.Redact(name), 40)
}
