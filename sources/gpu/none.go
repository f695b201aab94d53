//go:build !linux || !cgo

package gpu

// Probe says that this build has no NVML.
func Probe() State { return State{} }
