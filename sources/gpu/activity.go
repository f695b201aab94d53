//go:build linux && cgo

package gpu

import (
	"math"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// pair are the two samples between which activity is measured (NVML's GPM, of
// Hopper and newer): the one of the last page and one to overwrite.
type pair struct {
	last, next nvml.GpmSample
	have       bool // last holds a sample
}

func (p *pair) free() {
	for _, s := range []nvml.GpmSample{p.last, p.next} {
		if s != nil {
			s.Free()
		}
	}
	p.last, p.next = nil, nil
}

// measured is a GPM metric under the exporter's name.
type measured struct {
	id     nvml.GpmMetricId
	family string
	factor float64
	whole  bool // of the whole GPU: its instances have no links of their own
}

const mebi = 1 << 20

var activities = []measured{
	{nvml.GPM_METRIC_GRAPHICS_UTIL, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.01, false},
	{nvml.GPM_METRIC_SM_UTIL, "DCGM_FI_PROF_SM_ACTIVE", 0.01, false},
	{nvml.GPM_METRIC_SM_OCCUPANCY, "DCGM_FI_PROF_SM_OCCUPANCY", 0.01, false},
	{nvml.GPM_METRIC_ANY_TENSOR_UTIL, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 0.01, false},
	{nvml.GPM_METRIC_DRAM_BW_UTIL, "DCGM_FI_PROF_DRAM_ACTIVE", 0.01, false},
	{nvml.GPM_METRIC_FP64_UTIL, "DCGM_FI_PROF_PIPE_FP64_ACTIVE", 0.01, false},
	{nvml.GPM_METRIC_FP32_UTIL, "DCGM_FI_PROF_PIPE_FP32_ACTIVE", 0.01, false},
	{nvml.GPM_METRIC_FP16_UTIL, "DCGM_FI_PROF_PIPE_FP16_ACTIVE", 0.01, false},
	{nvml.GPM_METRIC_PCIE_TX_PER_SEC, "DCGM_FI_PROF_PCIE_TX_BYTES", mebi, true},
	{nvml.GPM_METRIC_PCIE_RX_PER_SEC, "DCGM_FI_PROF_PCIE_RX_BYTES", mebi, true},
	{nvml.GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC, "DCGM_FI_PROF_NVLINK_TX_BYTES", mebi, true},
	{nvml.GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC, "DCGM_FI_PROF_NVLINK_RX_BYTES", mebi, true},
}

// readActivity is the activity since the last page, of each GPU instance with
// MIG. The first page only begins to measure.
func readActivity(d *device) ([]sample, nvml.Return) {
	if support, ret := d.dev.GpmQueryDeviceSupport(); ret != nvml.SUCCESS {
		return nil, ret
	} else if support.IsSupportedDevice == 0 {
		return nil, nvml.ERROR_NOT_SUPPORTED
	}
	if len(d.instances) == 0 {
		return d.measure(-1, "")
	}
	var out []sample
	for _, in := range d.slices() {
		part, ret := d.measure(in.gpu, in.labels())
		if ret != nvml.SUCCESS {
			return out, ret
		}
		out = append(out, part...)
	}
	return out, nvml.SUCCESS
}

// measure takes a sample of a GPU instance, -1 for the whole GPU, and says
// what happened since the one before.
func (d *device) measure(gi int, labels string) ([]sample, nvml.Return) {
	p := d.activity[gi]
	if p == nil {
		p = &pair{}
		d.activity[gi] = p
		for _, to := range []*nvml.GpmSample{&p.last, &p.next} {
			s, ret := d.lib.GpmSampleAlloc()
			if ret != nvml.SUCCESS {
				p.free()
				delete(d.activity, gi)
				return nil, ret
			}
			*to = s
		}
	}
	var ret nvml.Return
	if gi < 0 {
		ret = d.dev.GpmSampleGet(p.next)
	} else {
		ret = d.dev.GpmMigSampleGet(gi, p.next)
	}
	if ret != nvml.SUCCESS {
		p.have = false
		return nil, ret
	}
	before, have := p.last, p.have
	p.last, p.next, p.have = p.next, p.last, true
	if !have {
		return nil, nvml.SUCCESS
	}
	if d.gpm == nil {
		d.gpm = &nvml.GpmMetricsGetType{}
	}
	get := d.gpm
	get.NumMetrics, get.Sample1, get.Sample2 = uint32(len(activities)), before, p.last
	for i, m := range activities {
		get.Metrics[i] = nvml.GpmMetric{MetricId: uint32(m.id)}
	}
	if ret := d.lib.GpmMetricsGet(get); ret != nvml.SUCCESS {
		return nil, ret
	}
	var out []sample
	for i, m := range activities {
		got := get.Metrics[i]
		if nvml.Return(got.NvmlReturn) != nvml.SUCCESS || math.IsNaN(got.Value) || got.Value < 0 || m.whole && gi >= 0 {
			continue
		}
		out = append(out, sample{m.family, labels, got.Value * m.factor})
	}
	return out, nvml.SUCCESS
}

// measures says whether activity brought a family the last time, or is about
// to: its first page only begins to measure.
func (d *device) measures(name string) bool {
	for _, f := range d.fields {
		if f.what != activityField {
			continue
		}
		if f.gone == "" && f.failed == "" && len(f.samples) == 0 {
			return true
		}
		for _, s := range f.samples {
			if s.family == name {
				return true
			}
		}
	}
	return false
}
