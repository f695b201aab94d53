// Package panes is the list of screens, in the order of their keys. A new
// pane is a folder below this one and a line here.
//
// It holds no pane's code.
package panes

import (
	"dynascope/tui/pane"
	"dynascope/tui/panes/gpu"
	"dynascope/tui/panes/kv"
	"dynascope/tui/panes/latency"
	"dynascope/tui/panes/overview"
	"dynascope/tui/panes/requests"
	"dynascope/tui/panes/routing"
	"dynascope/tui/panes/workers"
)

// All returns fresh panes, each with its own cursor.
func All() []pane.Pane {
	return []pane.Pane{
		overview.New(),
		latency.New(),
		routing.New(),
		workers.New(),
		gpu.New(),
		kv.New(),
		requests.New(),
	}
}
