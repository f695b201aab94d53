// Package gpu reads the GPUs of this host through NVIDIA's management library
// (NVML) and writes what it finds as one metrics page, under the names, units
// and labels of a DCGM exporter, so that every question which reads an
// exporter reads this page too. Its series carry source="nvml".
//
// It changes nothing on a GPU, stores nothing, serves nothing, and no pane may
// import it: GPU numbers reach panes through the store. Two GPUs' values never
// wait for each other, and nothing waits for a driver that does not answer.
package gpu

import (
	"fmt"
	"time"
)

// Code is what is the matter with the library or with one GPU. It is also the
// state label of the page.
type Code string

// The codes. What is meant for eyes is in Why and Hint.
const (
	OK              Code = "ok"
	NotBuilt        Code = "not_built"        // compiled without cgo
	Starting        Code = "starting"         // the library has not answered yet
	NoLibrary       Code = "no_library"       // libnvidia-ml.so.1 is not here
	NoDriver        Code = "no_driver"        // the kernel module is not loaded
	VersionMismatch Code = "version_mismatch" // of library and kernel module
	NoPermission    Code = "no_permission"    // on the device files
	NoDevice        Code = "no_device"        // a driver, and no GPU
	Lost            Code = "lost"             // fell off the bus
	ResetRequired   Code = "reset_required"   // until the GPU is reset
	NotAnswering    Code = "not_answering"    // a call is stuck in the driver
	Failing         Code = "failing"          // any other error
	Closed          Code = "closed"
)

// Options says how to sample. The zero value is right for a page a second.
type Options struct {
	// Hostname is the Hostname label; empty means what the kernel says.
	Hostname string
	// Budget is how long one page may take; a GPU that has not answered by
	// then is left out of it and said to be not answering. Default 500 ms.
	Budget time.Duration
	// OpenWait is how long Open waits for the library, which takes seconds
	// where the driver wakes GPUs first. Default 2 s; the sampler goes on
	// starting after it.
	OpenWait time.Duration
	// CloseWait is how long Close waits for calls in flight. Default 2 s.
	CloseWait time.Duration
}

// State is what this build and this host have.
type State struct {
	Built   bool   // NVML support is compiled in
	Driver  string // driver version, empty when the library does not answer
	Devices int
	Code    Code
	Why     string     // one sentence, empty when all is well
	Hint    string     // what to do about it
	GPUs    []GPUState // in NVML's order; empty from Probe
}

// GPUState is the state of one GPU.
type GPUState struct {
	Index int
	// UUID, Model and PCI (the bus id) are empty while the GPU has never
	// answered. Outside strings, without control characters.
	UUID, Model, PCI string
	Code             Code
	Why, Hint        string
	// Notes are facts that explain what is missing: MIG, vGPU, unified memory.
	Notes []string
	// Missing are the fields that this GPU, or its driver, does not have:
	// "memory temperature: not supported". They are not asked again.
	Missing []string
	// Failed are the fields whose last reading failed; they are tried again.
	Failed []string
}

func (s State) String() string {
	switch {
	case !s.Built:
		return "not built in (built without a C compiler); GPU figures come from a DCGM exporter only"
	case s.Driver != "":
		return fmt.Sprintf("built in, driver %s, %d GPU", s.Driver, s.Devices)
	case s.Code == "" || s.Code == NoLibrary || s.Code == NoDriver:
		return "built in, no driver here: " + s.Why
	default:
		return "built in, the driver does not answer: " + s.Why
	}
}

// defaults fills what was left at zero.
func (o Options) defaults() Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Budget, 500 * time.Millisecond}, {&o.OpenWait, 2 * time.Second}, {&o.CloseWait, 2 * time.Second}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return o
}
