//go:build linux && cgo

package gpu

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// fieldValue is a value that NVML gives by number, many in one call.
type fieldValue struct {
	id     uint32
	scope  uint32
	what   string
	family string
	slow   bool // asked for with errors and rows
	link   bool // a count of KiB, shown as bytes per second
}

// value is one of them and what became of asking for it.
type value struct {
	fieldValue
	gone, failed string
}

// allLinks asks for the sum over a GPU's links.
const allLinks = math.MaxUint32

var values = []fieldValue{
	{nvml.FI_DEV_MEMORY_TEMP, 0, "memory temperature", "DCGM_FI_DEV_MEMORY_TEMP", false, false},
	{nvml.FI_DEV_PERF_POLICY_POWER, 0, "time throttled by power", "DCGM_FI_DEV_POWER_VIOLATION", false, false},
	{nvml.FI_DEV_PERF_POLICY_THERMAL, 0, "time throttled by temperature", "DCGM_FI_DEV_THERMAL_VIOLATION", false, false},
	{nvml.FI_DEV_PERF_POLICY_SYNC_BOOST, 0, "time throttled by sync boost", "DCGM_FI_DEV_SYNC_BOOST_VIOLATION", false, false},
	{nvml.FI_DEV_PERF_POLICY_BOARD_LIMIT, 0, "time throttled by the board's limit", "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION", false, false},
	{nvml.FI_DEV_PERF_POLICY_LOW_UTILIZATION, 0, "time throttled by low utilisation", "DCGM_FI_DEV_LOW_UTIL_VIOLATION", false, false},
	{nvml.FI_DEV_PERF_POLICY_RELIABILITY, 0, "time throttled by the reliability voltage", "DCGM_FI_DEV_RELIABILITY_VIOLATION", false, false},
	{nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_TX, allLinks, "NVLink sent", "DCGM_FI_PROF_NVLINK_TX_BYTES", false, true},
	{nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, allLinks, "NVLink received", "DCGM_FI_PROF_NVLINK_RX_BYTES", false, true},

	{nvml.FI_DEV_PCIE_REPLAY_COUNTER, 0, "PCIe replays", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", true, false},
	{nvml.FI_DEV_ECC_SBE_VOL_TOTAL, 0, "ECC errors corrected", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", true, false},
	{nvml.FI_DEV_ECC_DBE_VOL_TOTAL, 0, "ECC errors not corrected", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", true, false},
	{nvml.FI_DEV_REMAPPED_COR, 0, "remapped rows", "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", true, false},
	{nvml.FI_DEV_REMAPPED_UNC, 0, "rows remapped as uncorrectable", "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", true, false},
	{nvml.FI_DEV_REMAPPED_PENDING, 0, "pending row remap", "dynascope_gpu_row_remap_pending", true, false},
	{nvml.FI_DEV_REMAPPED_FAILURE, 0, "row remap failure", "DCGM_FI_DEV_ROW_REMAP_FAILURE", true, false},
	{nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, 0, "NVLink CRC errors", "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", true, false},
	{nvml.FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, 0, "NVLink replays", "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", true, false},
}

// lacking are the values that are not there, and those that failed.
func (d *device) lacking() (missing, failed []string) {
	for _, v := range d.values {
		switch {
		case v.gone != "":
			missing = append(missing, v.what+": "+v.gone)
		case v.failed != "":
			failed = append(failed, v.what+": "+v.failed)
		}
	}
	return missing, failed
}

// link is a count of bytes and when it was.
type link struct {
	at    time.Time
	bytes float64
}

// readValues asks for all values, slow ones or the others, that the GPU has.
func readValues(d *device, slow bool) ([]sample, nvml.Return) {
	var ask []nvml.FieldValue
	var of []*value
	for _, v := range d.values {
		if v.slow == slow && v.gone == "" {
			ask = append(ask, nvml.FieldValue{FieldId: v.id, ScopeId: v.scope})
			of = append(of, v)
		}
	}
	if len(ask) == 0 {
		return nil, nvml.SUCCESS // each of them is missing by its own name
	}
	if ret := d.dev.GetFieldValues(ask); ret != nvml.SUCCESS {
		return nil, ret
	}
	var out []sample
	var both float64
	ways := 0
	for i, v := range of {
		v.failed = ""
		switch ret := nvml.Return(ask[i].NvmlReturn); {
		case wholeGPU(ret):
			return nil, ret
		case unsupported(ret):
			v.gone = reason(d.lib, ret)
			continue
		case ret != nvml.SUCCESS:
			v.failed = reason(d.lib, ret)
			continue
		}
		x, ok := decode(ask[i])
		if !ok {
			continue
		}
		if v.link {
			if x, ok = d.speed(v.family, x*1024); !ok {
				continue
			}
			both += x
			ways++
			if d.measures(v.family) {
				continue
			}
		}
		out = append(out, sample{v.family, "", x})
	}
	if ways == 2 {
		out = append(out, sample{"DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL", "", both / 1e6})
	}
	return out, nvml.SUCCESS
}

// speed is a count's growth per second since the last page.
func (d *device) speed(name string, bytes float64) (float64, bool) {
	last, ok := d.links[name]
	d.links[name] = link{d.now, bytes}
	seconds := d.now.Sub(last.at).Seconds()
	if !ok || seconds <= 0 || bytes < last.bytes {
		return 0, false
	}
	return (bytes - last.bytes) / seconds, true
}

// decode reads a value by its type. The sentinels by which the driver says
// that it does not know are no value.
func decode(f nvml.FieldValue) (float64, bool) {
	raw := binary.NativeEndian.Uint64(f.Value[:])
	switch nvml.ValueType(f.ValueType) {
	case nvml.VALUE_TYPE_DOUBLE:
		x := math.Float64frombits(raw)
		return x, !math.IsNaN(x) && !math.IsInf(x, 0)
	case nvml.VALUE_TYPE_UNSIGNED_INT:
		x := binary.NativeEndian.Uint32(f.Value[:])
		return float64(x), x != math.MaxUint32
	case nvml.VALUE_TYPE_UNSIGNED_LONG, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG:
		return float64(raw), raw < math.MaxInt64-256
	case nvml.VALUE_TYPE_SIGNED_LONG_LONG:
		return float64(int64(raw)), int64(raw) < math.MaxInt64-256
	case nvml.VALUE_TYPE_SIGNED_INT:
		return float64(int32(binary.NativeEndian.Uint32(f.Value[:]))), true
	case nvml.VALUE_TYPE_UNSIGNED_SHORT:
		return float64(binary.NativeEndian.Uint16(f.Value[:])), true
	}
	return 0, false
}
