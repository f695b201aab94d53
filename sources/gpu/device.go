//go:build linux && cgo

package gpu

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"dynascope/sources/text"
)

// lostFor is how long a GPU that failed as a whole is left alone.
const lostFor = 30 * time.Second

// device is one GPU as its goroutine knows it.
type device struct {
	s      *Sampler
	lib    nvml.Interface
	index  int
	driver string
	wg     *sync.WaitGroup // of the sampler, for the watcher of XID events

	dev    nvml.Device // nil until the GPU has answered
	labels string
	fields []*asked
	values []*value // asked in one call
	state  GPUState
	down   trouble   // of the whole GPU, OK when it answers
	retry  time.Time // when it is tried again

	mig       bool
	instances []instance
	activity  map[int]*pair           // by GPU instance, -1 is the whole GPU
	gpm       *nvml.GpmMetricsGetType // large, and used again
	links     map[string]link
	seen      uint64 // newest process sample, microseconds
	now       time.Time
	xids      *xids
}

// asked is a field and what became of asking for it.
type asked struct {
	field
	due     time.Time
	gone    string // why it is not asked any more
	failed  string // why the last reading failed
	samples []sample
}

func newDevice(s *Sampler, index int, driver string, wg *sync.WaitGroup) *device {
	return &device{
		s: s, lib: s.lib, index: index, driver: driver, wg: wg, down: trouble{code: OK}, labels: anonymous(index, s.o.Hostname, driver),
		activity: map[int]*pair{}, links: map[string]link{}, state: GPUState{Index: index},
	}
}

// read asks for everything that is due.
func (d *device) read(ctx context.Context, at time.Time) reading {
	d.now = at
	if at.Before(d.retry) {
		return d.reading(at)
	}
	d.down = trouble{code: OK}
	if d.dev == nil {
		if ret := d.open(ctx); ret != nvml.SUCCESS {
			d.fail(ret)
			return d.reading(at)
		}
	}
	for _, f := range d.fields {
		if ctx.Err() != nil {
			break
		}
		if f.gone != "" || at.Before(f.due) {
			continue
		}
		if ret := d.ask(f, at); wholeGPU(ret) {
			d.fail(ret)
			break
		}
	}
	return d.reading(at)
}

func (d *device) fail(ret nvml.Return) {
	d.down = explain(d.lib, ret)
	d.retry = d.now.Add(lostFor)
	for _, f := range d.fields {
		f.samples, f.due = nil, time.Time{}
	}
	clear(d.links)
	for _, p := range d.activity {
		p.have = false
	}
}

// ask reads one field.
func (d *device) ask(f *asked, at time.Time) nvml.Return {
	for _, symbol := range f.symbols {
		// A function that an older library lacks must never be called: the
		// dynamic linker would end the process.
		if d.lib.Extensions().LookupSymbol(symbol) != nil {
			f.gone = reason(d.lib, nvml.ERROR_FUNCTION_NOT_FOUND)
			return nvml.SUCCESS
		}
	}
	samples, ret := f.read(d)
	f.samples, f.failed = samples, ""
	f.due = at.Add(f.every)
	switch {
	case ret == nvml.SUCCESS && f.every == once:
		f.due = at.Add(1 << 62)
	case ret == nvml.SUCCESS:
	case unsupported(ret):
		f.gone = reason(d.lib, ret)
	default:
		f.failed = reason(d.lib, ret)
	}
	return ret
}

// open gets hold of the GPU and of the facts that never change.
func (d *device) open(ctx context.Context) nvml.Return {
	dev, ret := d.lib.DeviceGetHandleByIndex(d.index)
	if ret != nvml.SUCCESS {
		return ret
	}
	uuid, ret := dev.GetUUID()
	if ret != nvml.SUCCESS {
		return ret
	}
	model, _ := dev.GetName()
	minor, ret := dev.GetMinorNumber()
	if ret != nvml.SUCCESS {
		minor = d.index
	}
	d.state.UUID, d.state.Model = text.Clean(uuid, 80), text.Clean(model, 80)
	if pci, ret := dev.GetPciInfo(); ret == nvml.SUCCESS {
		d.state.PCI = text.Clean(chars(pci.BusId[:]), 32)
	}
	d.labels = label("gpu", fmt.Sprint(d.index)) + label("UUID", d.state.UUID) + label("pci_bus_id", d.state.PCI) +
		label("device", fmt.Sprintf("nvidia%d", minor)) + label("modelName", d.state.Model) +
		label("Hostname", d.s.o.Hostname) + label("DCGM_FI_DRIVER_VERSION", d.driver)
	if d.lib.Extensions().LookupSymbol("nvmlDeviceGetVirtualizationMode") == nil {
		switch mode, ret := dev.GetVirtualizationMode(); {
		case ret != nvml.SUCCESS:
		case mode == nvml.GPU_VIRTUALIZATION_MODE_VGPU:
			d.note("a vGPU: its hypervisor keeps power, temperature and clocks to itself")
		case mode == nvml.GPU_VIRTUALIZATION_MODE_HOST_VGPU:
			d.note("shared out as vGPUs: what runs inside them is not seen here")
		}
	}
	d.dev = dev
	for _, f := range fields() {
		d.fields = append(d.fields, &asked{field: f})
	}
	for _, v := range values {
		d.values = append(d.values, &value{fieldValue: v})
	}
	d.xids = &xids{seen: map[uint64]int{}}
	d.wg.Go(func() { d.xids.watch(ctx, d.lib, dev, d.s.seam.eventWait) })
	return nvml.SUCCESS
}

func (d *device) note(s string) {
	if !slices.Contains(d.state.Notes, s) {
		d.state.Notes = append(slices.Clone(d.state.Notes), s)
	}
}

// again asks anew for what was unsupported: MIG mode changes what is.
func (d *device) again() {
	for _, f := range d.fields {
		f.gone, f.due = "", time.Time{}
	}
	for _, v := range d.values {
		v.gone = ""
	}
}

// reading is the answer: everything that is known now.
func (d *device) reading(at time.Time) reading {
	r := reading{at: at, labels: d.labels, state: d.state}
	r.state.Code, r.state.Why, r.state.Hint = d.down.code, d.down.why, d.down.hint
	r.state.Notes = slices.Clone(d.state.Notes)
	if d.down.code != OK {
		return r
	}
	good := false
	type series struct{ family, labels string }
	have := map[series]bool{} // what activity tells is not told twice
	for _, f := range d.fields {
		for _, s := range f.samples {
			if id := (series{s.family, s.labels}); !have[id] {
				have[id] = true
				r.samples = append(r.samples, s)
			}
		}
		good = good || f.every == each && len(f.samples) > 0
		switch {
		case f.gone != "":
			r.state.Missing = append(r.state.Missing, f.what+": "+f.gone)
		case f.failed != "":
			r.state.Failed = append(r.state.Failed, f.what+": "+f.failed)
		}
	}
	missing, failed := d.lacking()
	r.state.Missing, r.state.Failed = append(r.state.Missing, missing...), append(r.state.Failed, failed...)
	if d.mig {
		r.state.Notes = append(r.state.Notes, fmt.Sprintf("MIG: %d GPU instances", d.gpuInstances()))
	}
	samples, missed := d.xids.samples()
	r.samples = append(r.samples, samples...)
	if missed != "" {
		r.state.Missing = append(r.state.Missing, "XID errors: "+missed)
	}
	if !good && len(r.state.Failed) > 0 {
		r.state.Code, r.state.Why = Failing, "nothing of it can be read: "+strings.Join(r.state.Failed[:1], "")
		r.state.Hint = "compare with nvidia-smi, and look for NVRM in the kernel log"
	}
	return r
}

// release frees what the library holds for this GPU.
func (d *device) release() {
	for _, p := range d.activity {
		p.free()
	}
}

// chars is a C string.
func chars(in []int8) string {
	var b []byte
	for _, c := range in {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}
