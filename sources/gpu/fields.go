//go:build linux && cgo

package gpu

import (
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// How often what is slow, or seldom changes, is asked for.
const (
	each           = time.Duration(0) // every page
	once           = time.Duration(-1)
	throughput     = 2 * time.Second // blocks for 20 ms each way
	processesEvery = 5 * time.Second
	seldom         = 10 * time.Second
)

const activityField = "SM activity"

// field is one question to a GPU.
type field struct {
	what    string // in the words of GPUState.Missing
	every   time.Duration
	symbols []string // functions that older libraries lack
	read    func(*device) ([]sample, nvml.Return)
}

// fields are the questions, in the order of asking: MIG decides how the rest
// is asked, and activity spares the slower questions for the same.
func fields() []field {
	return []field{
		{"MIG", seldom, []string{"nvmlDeviceGetMigMode", "nvmlDeviceGetMaxMigDeviceCount", "nvmlDeviceGetMigDeviceHandleByIndex", "nvmlDeviceGetGpuInstanceId", "nvmlDeviceGetComputeInstanceId"}, readMIG},
		{"utilisation", each, nil, readUtilisation},
		{"memory", each, nil, readMemory},
		{"power", each, nil, number("DCGM_FI_DEV_POWER_USAGE", 0.001, nvml.Device.GetPowerUsage)},
		{"energy", each, []string{"nvmlDeviceGetTotalEnergyConsumption"}, number("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", 1, nvml.Device.GetTotalEnergyConsumption)},
		{"temperature", each, nil, number("DCGM_FI_DEV_GPU_TEMP", 1, func(d nvml.Device) (uint32, nvml.Return) { return d.GetTemperature(nvml.TEMPERATURE_GPU) })},
		{"SM clock", each, nil, number("DCGM_FI_DEV_SM_CLOCK", 1, func(d nvml.Device) (uint32, nvml.Return) { return d.GetClockInfo(nvml.CLOCK_SM) })},
		{"memory clock", each, nil, number("DCGM_FI_DEV_MEM_CLOCK", 1, func(d nvml.Device) (uint32, nvml.Return) { return d.GetClockInfo(nvml.CLOCK_MEM) })},
		{"clock limit reasons", each, nil, readReasons},
		{activityField, each, []string{"nvmlGpmQueryDeviceSupport", "nvmlGpmSampleAlloc", "nvmlGpmSampleGet", "nvmlGpmMigSampleGet", "nvmlGpmMetricsGet", "nvmlGpmSampleFree"}, readActivity},
		{"field values", each, []string{"nvmlDeviceGetFieldValues"}, func(d *device) ([]sample, nvml.Return) { return readValues(d, false) }},
		{"errors and rows", seldom, []string{"nvmlDeviceGetFieldValues"}, func(d *device) ([]sample, nvml.Return) { return readValues(d, true) }},
		{"PCIe throughput", throughput, []string{"nvmlDeviceGetPcieThroughput"}, readPCIe},
		{"power limit in force", seldom, nil, number("DCGM_FI_DEV_ENFORCED_POWER_LIMIT", 0.001, nvml.Device.GetEnforcedPowerLimit)},
		{"power limit", seldom, nil, number("DCGM_FI_DEV_POWER_MGMT_LIMIT", 0.001, nvml.Device.GetPowerManagementLimit)},
		{"highest SM clock", once, nil, number("DCGM_FI_DEV_MAX_SM_CLOCK", 1, func(d nvml.Device) (uint32, nvml.Return) { return d.GetMaxClockInfo(nvml.CLOCK_SM) })},
		{"highest memory clock", once, nil, number("DCGM_FI_DEV_MAX_MEM_CLOCK", 1, func(d nvml.Device) (uint32, nvml.Return) { return d.GetMaxClockInfo(nvml.CLOCK_MEM) })},
		{"slow-down temperature", once, []string{"nvmlDeviceGetTemperatureThreshold"}, number("DCGM_FI_DEV_SLOWDOWN_TEMP", 1, func(d nvml.Device) (uint32, nvml.Return) {
			return d.GetTemperatureThreshold(nvml.TEMPERATURE_THRESHOLD_SLOWDOWN)
		})},
		{"processes", processesEvery, []string{"nvmlDeviceGetComputeRunningProcesses"}, readProcesses},
		{"utilisation of processes", processesEvery, []string{"nvmlDeviceGetProcessUtilization"}, readProcessUtil},
	}
}

// number is a field of one value.
func number[N uint32 | uint64](family string, factor float64, get func(nvml.Device) (N, nvml.Return)) func(*device) ([]sample, nvml.Return) {
	return func(d *device) ([]sample, nvml.Return) {
		v, ret := get(d.dev)
		if ret != nvml.SUCCESS {
			return nil, ret
		}
		x := float64(v)
		if factor == 0.001 {
			x = float64(v) / 1000 // 0.001 has no exact binary form
		}
		return []sample{{family, "", x}}, ret
	}
}

func readUtilisation(d *device) ([]sample, nvml.Return) {
	u, ret := d.dev.GetUtilizationRates()
	if ret != nvml.SUCCESS {
		return nil, ret
	}
	return []sample{{"DCGM_FI_DEV_GPU_UTIL", "", float64(u.Gpu)}, {"DCGM_FI_DEV_MEM_COPY_UTIL", "", float64(u.Memory)}}, ret
}

// readMemory is the frame buffer; with MIG that of each GPU instance, and not
// of the whole GPU beside them, so that sums count it once.
func readMemory(d *device) ([]sample, nvml.Return) {
	if parts := d.slices(); len(parts) > 0 {
		var out []sample
		for _, in := range parts {
			m, ret := d.memory(in.dev, in.labels())
			if ret != nvml.SUCCESS {
				return nil, ret
			}
			out = append(out, m...)
		}
		return out, nvml.SUCCESS
	}
	out, ret := d.memory(d.dev, "")
	if ret == nvml.ERROR_NOT_SUPPORTED {
		d.note("memory is shared with the CPU, or hidden: NVML reports no frame buffer")
	}
	return out, ret
}

func (d *device) memory(dev nvml.Device, labels string) ([]sample, nvml.Return) {
	if d.lib.Extensions().LookupSymbol("nvmlDeviceGetMemoryInfo_v2") == nil {
		m, ret := dev.GetMemoryInfo_v2()
		if ret == nvml.SUCCESS {
			return []sample{
				{"DCGM_FI_DEV_FB_TOTAL", labels, float64(m.Total / mebi)}, {"DCGM_FI_DEV_FB_FREE", labels, float64(m.Free / mebi)},
				{"DCGM_FI_DEV_FB_USED", labels, float64(m.Used / mebi)}, {"DCGM_FI_DEV_FB_RESERVED", labels, float64(m.Reserved / mebi)},
			}, ret
		}
		if !unsupported(ret) {
			return nil, ret
		}
	}
	m, ret := dev.GetMemoryInfo() // its used holds what is reserved
	if ret != nvml.SUCCESS {
		return nil, ret
	}
	return []sample{
		{"DCGM_FI_DEV_FB_TOTAL", labels, float64(m.Total / mebi)}, {"DCGM_FI_DEV_FB_FREE", labels, float64(m.Free / mebi)},
		{"DCGM_FI_DEV_FB_USED", labels, float64(m.Used / mebi)},
	}, ret
}

func readReasons(d *device) ([]sample, nvml.Return) {
	var mask uint64
	var ret nvml.Return
	switch ext := d.lib.Extensions(); {
	case ext.LookupSymbol("nvmlDeviceGetCurrentClocksEventReasons") == nil:
		mask, ret = d.dev.GetCurrentClocksEventReasons()
	case ext.LookupSymbol("nvmlDeviceGetCurrentClocksThrottleReasons") == nil:
		mask, ret = d.dev.GetCurrentClocksThrottleReasons()
	default:
		ret = nvml.ERROR_FUNCTION_NOT_FOUND
	}
	if ret != nvml.SUCCESS {
		return nil, ret
	}
	return []sample{{"DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "", float64(mask)}}, ret
}

// readPCIe asks only where activity does not tell already.
func readPCIe(d *device) ([]sample, nvml.Return) {
	var out []sample
	for _, way := range []struct {
		counter nvml.PcieUtilCounter
		family  string
	}{{nvml.PCIE_UTIL_TX_BYTES, "DCGM_FI_PROF_PCIE_TX_BYTES"}, {nvml.PCIE_UTIL_RX_BYTES, "DCGM_FI_PROF_PCIE_RX_BYTES"}} {
		if d.measures(way.family) {
			continue
		}
		kb, ret := d.dev.GetPcieThroughput(way.counter)
		if ret != nvml.SUCCESS {
			return nil, ret
		}
		out = append(out, sample{way.family, "", float64(kb) * 1000})
	}
	return out, nvml.SUCCESS
}
