//go:build linux && cgo

package gpu

import "github.com/NVIDIA/go-nvml/pkg/nvml"

// Probe loads the library, asks for the driver's version and unloads it. It
// may take seconds where the driver wakes a GPU.
func Probe() State {
	lib := nvml.New()
	if ret := lib.Init(); ret != nvml.SUCCESS {
		return State{Built: true, Why: lib.ErrorString(ret)}
	}
	defer lib.Shutdown()
	driver, ret := lib.SystemGetDriverVersion()
	if ret != nvml.SUCCESS {
		return State{Built: true, Why: lib.ErrorString(ret)}
	}
	n, _ := lib.DeviceGetCount()
	return State{Built: true, Driver: driver, Devices: n}
}
