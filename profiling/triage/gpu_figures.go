package triage

import (
	"dynascope/sources"
)

// GPUFigure names one number of a GPU.
type GPUFigure int

// The numbers of a GPU, those of a table first. Shares are ratios, memory is
// in bytes, traffic in bytes per second; the counters of errors count since
// the driver was loaded, and what is throttled is a share of the window.
const (
	GPUUtil GPUFigure = iota
	GPUMemoryUsed
	GPUMemoryTotal
	GPUPower
	GPUPowerLimit
	GPUTemperature
	GPUSlowdownTemperature
	GPUSMClock
	GPUSMClockMax
	GPUReasons // NVML's bit mask of what holds the clocks down
	GPUThrottledPower
	GPUThrottledThermal
	GPUSMActive
	GPUTensor
	GPUDRAM
	GPUPCIeSent
	GPUPCIeReceived
	GPUNVLinkSent
	GPUNVLinkReceived
	GPUNVLink // both ways, where the two are not told apart
	GPUXID    // newest code, 0 without one
	GPUUncorrected
	GPUUncorrectedNew // in the window
	GPURemapFailed
	GPURemapPending
	GPUSlices // how many MIG instances; 0 without MIG

	// Of the sheet of one GPU.
	GPUMemoryBusy
	GPUMemoryTemperature
	GPUMemoryClock
	GPUOccupancy
	GPUThrottledBoard
	GPUThrottledSync
	GPUThrottledReliability
	GPUCorrected
	GPURemappedCorrectable
	GPURemappedUncorrectable
	GPUPCIeReplays
	GPUNVLinkErrors

	gpuFigures     // how many there are
	gpuTableMost   = GPUMemoryBusy
	gpuBy          = "uuid,host"
	gpuIdentityBy  = "uuid,host,gpu,gpu_name"
	gpuProcessBy   = "uuid,host,pid,process,mig_id"
	gpuProcessSMBy = "uuid,host,pid"
	gpuSliceBy     = "uuid,host,mig_id,mig_profile"
)

// asked is how a number is asked for. What is above most is a blank of the
// exporter: it spells "not supported" as a huge number.
type asked struct {
	key  string
	form sources.Form
	most float64
}

var gpuAsked = [gpuFigures]asked{
	GPUUtil:                  {"gpu.util", sources.FormNow, 10},
	GPUMemoryUsed:            {"gpu.memory_used", sources.FormNow, 1 << 50},
	GPUMemoryTotal:           {"gpu.memory_total", sources.FormExpr, 1 << 50},
	GPUPower:                 {"gpu.power", sources.FormNow, 1e6},
	GPUPowerLimit:            {"gpu.power_limit", sources.FormNow, 1e6},
	GPUTemperature:           {"gpu.temperature", sources.FormNow, 1000},
	GPUSlowdownTemperature:   {"gpu.slowdown_temperature", sources.FormNow, 1000},
	GPUSMClock:               {"gpu.sm_clock", sources.FormNow, 1e6},
	GPUSMClockMax:            {"gpu.sm_clock_max", sources.FormNow, 1e6},
	GPUReasons:               {"gpu.throttle_reasons", sources.FormNow, 1 << 30},
	GPUThrottledPower:        {"gpu.throttle_power", sources.FormRate, 1e3},
	GPUThrottledThermal:      {"gpu.throttle_thermal", sources.FormRate, 1e3},
	GPUSMActive:              {"gpu.sm_active", sources.FormNow, 10},
	GPUTensor:                {"gpu.tensor_active", sources.FormNow, 10},
	GPUDRAM:                  {"gpu.dram_active", sources.FormNow, 10},
	GPUPCIeSent:              {"gpu.pcie_tx", sources.FormNow, 1e15},
	GPUPCIeReceived:          {"gpu.pcie_rx", sources.FormNow, 1e15},
	GPUNVLinkSent:            {"gpu.nvlink_tx", sources.FormNow, 1e15},
	GPUNVLinkReceived:        {"gpu.nvlink_rx", sources.FormNow, 1e15},
	GPUNVLink:                {"gpu.nvlink", sources.FormNow, 1e15},
	GPUXID:                   {"gpu.xid", sources.FormNow, 1e6},
	GPUUncorrected:           {"gpu.ecc_uncorrectable", sources.FormTotal, 1e15},
	GPUUncorrectedNew:        {"gpu.ecc_uncorrectable", sources.FormIncrease, 1e15},
	GPURemapFailed:           {"gpu.remap_failure", sources.FormNow, 1e6},
	GPURemapPending:          {"gpu.remap_pending", sources.FormNow, 1e6},
	GPUSlices:                {"gpu.mig_instances", sources.FormNow, 1e3},
	GPUMemoryBusy:            {"gpu.memory_util", sources.FormNow, 10},
	GPUMemoryTemperature:     {"gpu.memory_temperature", sources.FormNow, 1000},
	GPUMemoryClock:           {"gpu.memory_clock", sources.FormNow, 1e6},
	GPUOccupancy:             {"gpu.sm_occupancy", sources.FormNow, 10},
	GPUThrottledBoard:        {"gpu.throttle_board", sources.FormRate, 1e3},
	GPUThrottledSync:         {"gpu.throttle_sync_boost", sources.FormRate, 1e3},
	GPUThrottledReliability:  {"gpu.throttle_reliability", sources.FormRate, 1e3},
	GPUCorrected:             {"gpu.ecc_correctable", sources.FormTotal, 1e15},
	GPURemappedCorrectable:   {"gpu.remapped_correctable", sources.FormTotal, 1e12},
	GPURemappedUncorrectable: {"gpu.remapped_uncorrectable", sources.FormTotal, 1e12},
	GPUPCIeReplays:           {"gpu.pcie_replays", sources.FormTotal, 1e15},
	GPUNVLinkErrors:          {"gpu.nvlink_crc_errors", sources.FormTotal, 1e15},
}

// Need is the question behind a number, asked once for all GPUs. A GPU is its
// UUID; the host stays apart beside it, so that one which two exporters show
// under two names is not counted twice.
func (f GPUFigure) Need() sources.Need {
	switch f {
	case GPUUtil:
		return needGPUUtil
	case GPUTemperature:
		return needGPUTemp
	}
	a := gpuAsked[f]
	return sources.Need{Key: a.key, Form: a.form, By: gpuBy}
}
