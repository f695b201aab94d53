// Package gpu talks to NVIDIA's management library. So far it only says
// whether the library answers on this host.
//
// It feeds no figure yet, and no pane may import it: GPU numbers reach panes
// through the store.
package gpu

import "fmt"

// State is what this build and this host have.
type State struct {
	Built   bool   // NVML support is compiled in
	Driver  string // driver version, empty when the library does not answer
	Devices int
	Why     string // why there is no driver
}

func (s State) String() string {
	switch {
	case !s.Built:
		return "not built in (built without a C compiler); GPU figures come from a DCGM exporter only"
	case s.Driver == "":
		return "built in, no driver here: " + s.Why
	default:
		return fmt.Sprintf("built in, driver %s, %d GPU", s.Driver, s.Devices)
	}
}
