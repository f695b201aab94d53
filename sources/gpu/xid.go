//go:build linux && cgo

package gpu

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// xids are the XID errors of one GPU since the program started. NVML tells
// them as events only, so a goroutine listens; it ends with its context, at
// most one wait later.
type xids struct {
	mu     sync.Mutex
	ready  bool
	missed string // why nothing is heard
	last   uint64
	seen   map[uint64]int
}

func (x *xids) watch(ctx context.Context, lib nvml.Interface, dev nvml.Device, wait time.Duration) {
	set, ret := lib.EventSetCreate()
	if ret != nvml.SUCCESS {
		x.miss(reason(lib, ret))
		return
	}
	defer set.Free()
	if ret := dev.RegisterEvents(nvml.EventTypeXidCriticalError, set); ret != nvml.SUCCESS {
		x.miss(reason(lib, ret))
		return
	}
	x.mu.Lock()
	x.ready = true
	x.mu.Unlock()
	for ctx.Err() == nil {
		e, ret := set.Wait(uint32(wait.Milliseconds()))
		switch {
		case ret == nvml.SUCCESS && e.EventType&nvml.EventTypeXidCriticalError != 0:
			x.mu.Lock()
			x.last = e.EventData
			x.seen[e.EventData]++
			x.mu.Unlock()
		case ret == nvml.SUCCESS || ret == nvml.ERROR_TIMEOUT:
		case wholeGPU(ret):
			// What was heard last, often the reason, stays.
			return
		default:
			select {
			case <-ctx.Done():
			case <-time.After(wait): // it may fail at once, for long
			}
		}
	}
}

func (x *xids) miss(why string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.missed = why
}

func (x *xids) samples() (out []sample, missed string) {
	if x == nil {
		return nil, ""
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready {
		return nil, x.missed
	}
	out = append(out, sample{"DCGM_FI_DEV_XID_ERRORS", "", float64(x.last)})
	for code, n := range x.seen {
		out = append(out, sample{"dynascope_gpu_xid_events_total", label("xid", strconv.FormatUint(code, 10)), float64(n)})
	}
	return sorted(out), x.missed
}
