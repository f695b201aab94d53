//go:build linux && cgo

package gpu

import "github.com/NVIDIA/go-nvml/pkg/nvml"

// Probe loads the library, asks for the driver's version and unloads it. It
// may take seconds where the driver wakes a GPU.
func Probe() State {
	lib := nvml.New()
	if ret := lib.Init(); ret != nvml.SUCCESS {
		return failed(lib, ret)
	}
	defer lib.Shutdown()
	return greet(lib)
}

// greet asks an initialised library for what it says of the host.
func greet(lib nvml.Interface) State {
	driver, ret := lib.SystemGetDriverVersion()
	if ret != nvml.SUCCESS {
		return failed(lib, ret)
	}
	n, ret := lib.DeviceGetCount()
	switch {
	case ret != nvml.SUCCESS:
		s := failed(lib, ret)
		s.Driver = driver
		return s
	case n == 0:
		return State{Built: true, Driver: driver, Code: NoDevice, Why: "the driver shows no GPU",
			Hint: "see lspci for the GPUs, and NVIDIA_VISIBLE_DEVICES in a container"}
	}
	return State{Built: true, Driver: driver, Devices: n, Code: OK}
}

func failed(lib nvml.Interface, ret nvml.Return) State {
	t := explain(lib, ret)
	return State{Built: true, Code: t.code, Why: t.why, Hint: t.hint}
}
