package gpu

import (
	"slices"

	"dynascope/profiling/triage/verdict"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// Find goes to the sheet of a GPU that a verdict names ("host/3"), or to the
// GPUs of a host; a filter that may hide it is dropped.
func (p *Pane) Find(c verdict.Culprit, f pane.Frame) bool {
	l := p.listing(f)
	switch c.Kind {
	case "gpu":
		i := slices.IndexFunc(l.rows, func(r row) bool { return r.Host+"/"+r.Index == c.Name || r.ID == c.Name })
		if i < 0 {
			return false
		}
		r := &l.rows[i]
		p.filter = selection.Filter[*row]{}
		p.inHost, p.host = len(l.hosts) > 1, r.Host
		p.gpus.reset(r.ID)
		p.open, p.scroll = true, 0
		return true
	case "host":
		if l.hostRow(c.Name) == nil {
			return false
		}
		p.filter, p.open = selection.Filter[*row]{}, false
		p.inHost, p.host = len(l.hosts) > 1, c.Name
		p.gpus.reset("")
		return true
	}
	return false
}
