//go:build !linux || !cgo

package gpu

import (
	"context"
	"errors"
)

// Probe says that this build has no NVML.
func Probe() State { return State{Code: NotBuilt} }

// Sampler samples nothing in this build.
type Sampler struct{}

// Open returns a sampler without GPUs.
func Open(context.Context, Options) (*Sampler, State) { return &Sampler{}, (*Sampler)(nil).State() }

// Page returns an error: this build has no NVML.
func (*Sampler) Page(context.Context) ([]byte, error) {
	return nil, errors.New("read the GPUs: NVML is not built into this program; hint: give a DCGM exporter as a target, or build with a C compiler")
}

// State says that NVML is not built in.
func (*Sampler) State() State {
	return State{Code: NotBuilt, Why: "NVML is not built into this program", Hint: "give a DCGM exporter as a target, or build with a C compiler"}
}

// Close does nothing.
func (*Sampler) Close() error { return nil }
