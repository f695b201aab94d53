//go:build linux && cgo

package gpu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// host is a fake NVML. It counts the calls to each function of each GPU; what
// it does not fake panics, by the nil interface it embeds.
type host struct {
	nvml.Interface
	nvml.ExtendedInterface
	init, count nvml.Return
	entered     chan struct{} // Init waits for it, when there is one
	gpus        []*card
	lacks       map[string]bool // functions of the library
	shut        chan struct{}   // closed by Shutdown
}

func newHost(gpus ...*card) *host {
	for i, c := range gpus {
		c.index = i
		if c.calls == nil {
			c.calls = map[string]int{}
		}
		c.events = make(chan uint64, 4)
	}
	return &host{gpus: gpus, lacks: map[string]bool{}, shut: make(chan struct{})}
}

func (h *host) Init() nvml.Return {
	if h.entered != nil {
		<-h.entered
	}
	return h.init
}
func (h *host) Shutdown() nvml.Return { close(h.shut); return nvml.SUCCESS }
func (h *host) SystemGetDriverVersion() (string, nvml.Return) {
	return "580.95.05", nvml.SUCCESS
}
func (h *host) DeviceGetCount() (int, nvml.Return)           { return len(h.gpus), h.count }
func (h *host) ErrorString(r nvml.Return) string             { return fmt.Sprintf("error %d", int(r)) }
func (h *host) Extensions() nvml.ExtendedInterface           { return h }
func (h *host) EventSetCreate() (nvml.EventSet, nvml.Return) { return &events{}, nvml.SUCCESS }
func (h *host) LookupSymbol(name string) error {
	if h.lacks[name] {
		return errors.New("no such symbol")
	}
	return nil
}
func (h *host) DeviceGetHandleByIndex(i int) (nvml.Device, nvml.Return) {
	return h.gpus[i], h.gpus[i].enter("handle")
}
func (h *host) GpmSampleAlloc() (nvml.GpmSample, nvml.Return) { return &gpmSample{}, nvml.SUCCESS }
func (h *host) GpmMetricsGet(m *nvml.GpmMetricsGetType) nvml.Return {
	a, b := m.Sample1.(*gpmSample), m.Sample2.(*gpmSample)
	if a.n >= b.n || a.gi != b.gi {
		return nvml.ERROR_INVALID_ARGUMENT
	}
	for i := range m.Metrics[:m.NumMetrics] {
		m.Metrics[i].Value = float64(m.Metrics[i].MetricId)
		if m.Metrics[i].MetricId == uint32(nvml.GPM_METRIC_FP64_UTIL) {
			m.Metrics[i].NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
		}
	}
	return nvml.SUCCESS
}

type gpmSample struct {
	nvml.GpmSample
	n, gi int
}

func (s *gpmSample) Free() nvml.Return { return nvml.SUCCESS }

// events is an event set of one GPU.
type events struct {
	nvml.EventSet
	of *card
}

func (e *events) Free() nvml.Return { return nvml.SUCCESS }
func (e *events) Wait(ms uint32) (nvml.EventData, nvml.Return) {
	select {
	case code := <-e.of.events:
		defer func() { e.of.heard <- struct{}{} }()
		return nvml.EventData{EventType: nvml.EventTypeXidCriticalError, EventData: code}, nvml.SUCCESS
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nvml.EventData{}, nvml.ERROR_TIMEOUT
	}
}

// card is a fake GPU, or with of a MIG device of one.
type card struct {
	nvml.Device
	mu      sync.Mutex
	index   int
	uuid    string
	name    string
	calls   map[string]int
	rets    map[string]nvml.Return   // by function; SUCCESS when absent
	stuck   map[string]chan struct{} // functions that wait
	values  map[uint32]uint64        // by field; NOT_SUPPORTED when absent
	memory  nvml.Memory_v2
	procs   []nvml.ProcessInfo
	busy    []nvml.ProcessUtilizationSample
	migs    []*card
	gi, ci  int
	gpm     bool
	samples int
	virtual nvml.GpuVirtualizationMode
	events  chan uint64
	heard   chan struct{}
}

func (c *card) enter(what string) nvml.Return {
	c.mu.Lock()
	if c.calls == nil {
		c.calls = map[string]int{}
	}
	c.calls[what]++
	ret, block := c.rets[what], c.stuck[what]
	c.mu.Unlock()
	if block != nil {
		<-block
	}
	return ret
}

func (c *card) set(what string, ret nvml.Return) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rets == nil {
		c.rets = map[string]nvml.Return{}
	}
	c.rets[what] = ret
}

func (c *card) called(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[what]
}

func (c *card) GetUUID() (string, nvml.Return)     { return c.uuid, c.enter("uuid") }
func (c *card) GetName() (string, nvml.Return)     { return c.name, c.enter("name") }
func (c *card) GetMinorNumber() (int, nvml.Return) { return c.index, c.enter("minor") }
func (c *card) GetVirtualizationMode() (nvml.GpuVirtualizationMode, nvml.Return) {
	return c.virtual, c.enter("virtual")
}
func (c *card) GetPciInfo() (p nvml.PciInfo, ret nvml.Return) {
	for i, b := range []byte(fmt.Sprintf("00000000:%02X:00.0", 0x1B+c.index)) {
		p.BusId[i] = int8(b)
	}
	return p, c.enter("pci")
}
func (c *card) GetUtilizationRates() (nvml.Utilization, nvml.Return) {
	return nvml.Utilization{Gpu: 97, Memory: 41}, c.enter("utilisation")
}
func (c *card) GetMemoryInfo_v2() (nvml.Memory_v2, nvml.Return) { return c.memory, c.enter("memory2") }
func (c *card) GetMemoryInfo() (nvml.Memory, nvml.Return) {
	return nvml.Memory{Total: c.memory.Total, Free: c.memory.Free, Used: c.memory.Used + c.memory.Reserved}, c.enter("memory")
}
func (c *card) GetPowerUsage() (uint32, nvml.Return) { return 612345, c.enter("power") }
func (c *card) GetTotalEnergyConsumption() (uint64, nvml.Return) {
	return 123456789012, c.enter("energy")
}
func (c *card) GetTemperature(nvml.TemperatureSensors) (uint32, nvml.Return) {
	return 64, c.enter("temperature")
}
func (c *card) GetTemperatureThreshold(nvml.TemperatureThresholds) (uint32, nvml.Return) {
	return 87, c.enter("slowdown")
}
func (c *card) GetClockInfo(t nvml.ClockType) (uint32, nvml.Return) {
	return map[nvml.ClockType]uint32{nvml.CLOCK_SM: 1755, nvml.CLOCK_MEM: 2619}[t], c.enter("clock")
}
func (c *card) GetMaxClockInfo(t nvml.ClockType) (uint32, nvml.Return) {
	return map[nvml.ClockType]uint32{nvml.CLOCK_SM: 1980, nvml.CLOCK_MEM: 2619}[t], c.enter("max clock")
}
func (c *card) GetCurrentClocksEventReasons() (uint64, nvml.Return) { return 4, c.enter("reasons") }
func (c *card) GetCurrentClocksThrottleReasons() (uint64, nvml.Return) {
	return 4, c.enter("old reasons")
}
func (c *card) GetEnforcedPowerLimit() (uint32, nvml.Return)   { return 700000, c.enter("limit") }
func (c *card) GetPowerManagementLimit() (uint32, nvml.Return) { return 700000, c.enter("asked limit") }
func (c *card) GetPcieThroughput(w nvml.PcieUtilCounter) (uint32, nvml.Return) {
	return 1000 + uint32(w), c.enter("pcie")
}
func (c *card) GetFieldValues(v []nvml.FieldValue) nvml.Return {
	for i := range v {
		x, ok := c.values[v[i].FieldId]
		if !ok {
			v[i].NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
			continue
		}
		v[i].ValueType = uint32(nvml.VALUE_TYPE_UNSIGNED_LONG_LONG)
		binary.NativeEndian.PutUint64(v[i].Value[:], x)
	}
	c.mu.Lock()
	// Counters grow from call to call, by as many KiB as there are in a GB.
	for _, id := range []uint32{nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_TX, nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX} {
		if _, ok := c.values[id]; ok && len(v) > 1 {
			c.values[id] += 976562500 / 1000
		}
	}
	c.mu.Unlock()
	return c.enter("values")
}
func (c *card) GetMigMode() (int, int, nvml.Return) {
	if c.migs == nil {
		return 0, 0, c.enter("mig")
	}
	return 1, 1, c.enter("mig")
}
func (c *card) GetMaxMigDeviceCount() (int, nvml.Return) { return 7, c.enter("mig count") }
func (c *card) GetMigDeviceHandleByIndex(i int) (nvml.Device, nvml.Return) {
	if i >= len(c.migs) {
		return nil, nvml.ERROR_NOT_FOUND
	}
	return c.migs[i], nvml.SUCCESS
}
func (c *card) GetGpuInstanceId() (int, nvml.Return)     { return c.gi, nvml.SUCCESS }
func (c *card) GetComputeInstanceId() (int, nvml.Return) { return c.ci, nvml.SUCCESS }
func (c *card) GetComputeRunningProcesses() ([]nvml.ProcessInfo, nvml.Return) {
	return c.procs, c.enter("processes")
}
func (c *card) GetProcessUtilization(uint64) ([]nvml.ProcessUtilizationSample, nvml.Return) {
	if c.busy == nil {
		return nil, nvml.ERROR_NOT_FOUND
	}
	return c.busy, c.enter("process utilisation")
}
func (c *card) RegisterEvents(_ uint64, set nvml.EventSet) nvml.Return {
	set.(*events).of = c
	return c.enter("events")
}
func (c *card) GpmQueryDeviceSupport() (nvml.GpmSupport, nvml.Return) {
	var s nvml.GpmSupport
	if c.gpm {
		s.IsSupportedDevice = 1
	}
	return s, c.enter("gpm")
}
func (c *card) GpmSampleGet(s nvml.GpmSample) nvml.Return { return c.GpmMigSampleGet(-1, s) }
func (c *card) GpmMigSampleGet(gi int, s nvml.GpmSample) nvml.Return {
	c.samples++
	*s.(*gpmSample) = gpmSample{n: c.samples, gi: gi}
	return c.enter("gpm sample")
}

// h100 is a GPU at work that has everything.
func h100(uuid string) *card {
	c := &card{
		uuid: uuid, name: "NVIDIA H100 80GB HBM3", gpm: true,
		memory: nvml.Memory_v2{Total: 81559 << 20, Reserved: 551 << 20, Used: 71000 << 20, Free: 10008 << 20},
		procs:  []nvml.ProcessInfo{{Pid: 4242, UsedGpuMemory: 70000 << 20}, {Pid: 77, UsedGpuMemory: 1<<64 - 1}},
		busy:   []nvml.ProcessUtilizationSample{{Pid: 4242, TimeStamp: 1, SmUtil: 12}, {Pid: 4242, TimeStamp: 2, SmUtil: 93}, {Pid: 9, SmUtil: 4000000}},
		values: map[uint32]uint64{}, heard: make(chan struct{}, 4),
	}
	for _, v := range values {
		c.values[v.id] = uint64(v.id)
	}
	return c
}
