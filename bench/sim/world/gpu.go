package world

import (
	"fmt"
	"time"

	"dynascope/bench/sim/page"
)

// gpu is one simulated device.
type gpu struct {
	number int // over the deployment
	host   int
	index  int // on its host
	model  gpuModel
	worker *worker
	rank   int
	book   *page.GPU // nil without a DCGM exporter

	temp, memTemp float64
	energy        float64 // J not yet booked

	clock   float64 // share of the SM clock that faults leave
	reason  string
	foreign float64
	xid     int

	events []clockEvent // samples with the clocks held down, oldest first
}

type clockEvent struct {
	at    time.Duration
	label string
}

// eventWindow is how far back the exporter counts clock events.
const eventWindow = 5 * time.Minute

func (g *gpu) clear() { g.clock, g.reason, g.foreign, g.xid = 1, "", 0, 0 }

func (g *gpu) throttle(share float64, reason string) {
	if share < g.clock {
		g.clock, g.reason = share, reason
	}
}

// Temperatures in °C: of an idle GPU, and where the board slows its clocks.
const (
	ambient  = 34.0
	slowdown = 87.0
)

// sample takes one second's activity into the exporter's families.
func (g *gpu) sample(now, since time.Duration) {
	if g.book == nil {
		return
	}
	b, k := g.book, g.worker
	sm, tensor, memory, watts := 0.0, 0.0, 0.0, g.model.idleWatts
	used := 600.0
	total := g.model.memory / (1 << 20)
	if !k.dead {
		r := k.ranks[g.rank]
		a := r.engine.GPU(now)
		sm, tensor, memory, watts = a.SM, a.Tensor, a.Memory, a.Watts
		p := k.pool.params
		used += (p.GPU.WeightBytes + float64(p.KVPages*p.PageSize)*p.KVTransferBytesPerToken) / float64(p.TP) / (1 << 20)
		used += 2500 // graphs, context, communication buffers
	}
	if g.clock < 1 {
		watts = g.model.idleWatts + (watts-g.model.idleWatts)*g.clock
	}
	dt := since.Seconds()
	// Temperatures follow the power slowly.
	target := ambient + 0.065*(watts-g.model.idleWatts)*700/g.model.watts
	if g.reason == "hw_thermal" || g.reason == "sw_thermal" {
		target = slowdown
	}
	if g.temp == 0 {
		g.temp, g.memTemp = ambient, ambient+4
	}
	g.temp += (target - g.temp) * min(dt/12, 1)
	g.memTemp += (target + 6 - g.memTemp) * min(dt/15, 1)
	b.Util.Set(100 * sm)
	b.MemUtil.Set(100 * memory)
	b.EncUtil.Set(0)
	b.DecUtil.Set(0)
	clock := float64(g.model.smClock) * g.clock
	if sm == 0 && g.clock == 1 {
		clock = 345
	}
	b.SMClock.Set(clock)
	b.MemClock.Set(float64(g.model.memClock))
	b.MaxSMClock.Set(float64(g.model.smClock))
	b.MaxMemClock.Set(float64(g.model.memClock))
	b.Temp.Set(g.temp)
	b.MemTemp.Set(g.memTemp)
	b.Power.Set(watts)
	b.Energy.Add(watts * dt * 1000)
	used = min(used+g.foreign*total, total)
	b.MemUsed.Set(used)
	b.MemFree.Set(max(total-used-500, 0))
	b.MemRest.Set(500)
	b.XID.Set(float64(g.xid))
	b.Graphics.Set(sm)
	b.SMActive.Set(0.92 * sm)
	b.SMOccupancy.Set(0.28 * sm)
	b.Tensor.Set(tensor)
	b.DRAM.Set(memory)
	b.PCIeTx.Set(2e6 + 3e7*sm)
	b.PCIeRx.Set(2e6 + 5e7*sm)
	if tp := k.pool.params.TP; tp > 1 {
		// Two collectives a layer; what matters is that it follows the work.
		b.NVLinkTx.Set(4.5e10 * sm * float64(tp-1) / float64(tp))
		b.NVLinkRx.Set(4.5e10 * sm * float64(tp-1) / float64(tp))
		b.NVLinkMBs.Set(9e4 * sm * float64(tp-1) / float64(tp))
	}
	// A software power cap is a lower limit; the brake comes from outside and
	// leaves the limit where it is.
	limit := g.model.watts
	if g.reason == "sw_power_cap" {
		limit = g.model.idleWatts + (limit-g.model.idleWatts)*g.clock
	}
	b.PowerLimit.Set(limit)
	b.EnforcedLimit.Set(limit)
	b.SlowdownTemp.Set(slowdown)
	b.ClockReasons.Set(float64(g.clockReasons(sm == 0)))
	lost := (1 - g.clock) * dt * 1e9
	switch g.reason {
	case "":
	case "sw_power_cap", "hw_power_brake":
		b.PowerThrottle.Add(lost)
	case "sync_boost":
		b.SyncBoostThrottle.Add(lost)
	case "hw_slowdown":
		b.BoardThrottle.Add(lost)
	default:
		b.ThermalThrottle.Add(lost)
	}
	g.clockEvents(now)
}

// clockReasons are NVML's bits (nvmlClocksEventReason…) for what holds the
// clocks down: what the hardware does by itself is a slowdown besides.
func (g *gpu) clockReasons(idle bool) int {
	if r, ok := clockReasons[g.reason]; ok {
		return r.bits
	}
	if idle {
		return 0x1
	}
	return 0
}

// clockReasons are the reasons of scenarios: NVML's bits, and the label by
// which the exporter counts them.
var clockReasons = map[string]struct {
	bits  int
	event string
}{
	"sw_power_cap":   {0x4, "power_cap"},
	"hw_slowdown":    {0x8, "hw_slowdown"},
	"sync_boost":     {0x10, "sync_boost"},
	"sw_thermal":     {0x20, "sw_thermal"},
	"hw_thermal":     {0x40 | 0x8, "hw_thermal"},
	"hw_power_brake": {0x80 | 0x8, "hw_power_brake"},
}

// clockEvents counts the seconds under a reason as the exporter does: over its
// window.
func (g *gpu) clockEvents(now time.Duration) {
	if r, ok := clockReasons[g.reason]; ok {
		g.events = append(g.events, clockEvent{now, r.event})
	}
	old := 0
	for old < len(g.events) && g.events[old].at <= now-eventWindow {
		g.book.ClockEvents.Set(0, g.events[old].label)
		old++
	}
	g.events = append(g.events[:0], g.events[old:]...)
	count := map[string]int{}
	for _, e := range g.events {
		count[e.label]++
	}
	for label, n := range count {
		g.book.ClockEvents.Set(float64(n), label)
	}
}

// exporter is the DCGM exporter of one host.
type exporter struct {
	name   string
	number int
	book   *page.DCGMPage
	gpus   []*gpu
	last   time.Duration
}

func uuid(n uint64) string {
	a, b := mix(n), mix(n^0x5bd1e995)
	return fmt.Sprintf("GPU-%08x-%04x-%04x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48), uint16(b), b>>16)
}
