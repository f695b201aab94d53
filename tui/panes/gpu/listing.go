package gpu

import (
	"cmp"
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// row is one GPU with what is drawn of it worked out. Its strings are clean.
type row struct {
	*triage.GPU
	host, number, model string
	concerns            []triage.Concern
	grade               triage.Grade
	why                 string // clocks first, in words; empty when nothing holds them down
	worker              string // whose processes are on it, "?" behind a guess
	haystack            string // what free text is looked for in, lower case
	index               int    // in triage's order
}

func (r *row) id() string { return r.ID }

// hostRow is one host with its GPUs.
type hostRow struct {
	*triage.GPUHost
	name  string
	model string
	rows  []*row
	index int
}

func (r *hostRow) id() string { return r.Name }

// listing is what the pane worked out for one snapshot.
type listing struct {
	snap  *sources.Snapshot
	rows  []row
	hosts []hostRow

	model     string // of all GPUs, empty when they differ
	hostWidth int
	modelMost int
	sliced    bool // some GPU has MIG instances
	held      bool // some process is known
	served    bool // some process's worker is known

	sparks map[sources.Need]map[string]sources.Series

	// Of the last order, filter and host:
	view struct {
		gpus, hosts order
		filter      string
		inHost      bool
		host        string
	}
	viewed     bool
	scope      []*row // the GPUs that the table is about, whatever the filter
	total      triage.GPUHost
	shownGPUs  []*row
	shownHosts []*hostRow
}

// listing joins once per snapshot; snapshots are immutable.
func (p *Pane) listing(f pane.Frame) *listing {
	l := &p.memo
	defer p.arrange(l)
	if l.snap == f.Snap && f.Snap != nil {
		return l
	}
	*l = listing{snap: f.Snap}
	gpus := triage.GPUs(f.Snap, nil)
	hosts := triage.GPUHosts(gpus)
	l.rows = make([]row, 0, len(gpus))
	l.hosts = make([]hostRow, len(hosts))
	workers := workerNames(f.Snap)
	for i := range hosts {
		h := &l.hosts[i]
		*h = hostRow{GPUHost: &hosts[i], name: text.Clean(hosts[i].Name, 60), index: i}
		h.name = cmp.Or(h.name, "?")
		l.hostWidth = max(l.hostWidth, cells.Width(h.name))
		for _, g := range h.GPUs {
			l.rows = append(l.rows, rowOf(g, h.name, len(l.rows), workers))
			r := &l.rows[len(l.rows)-1]
			h.rows = append(h.rows, r)
			l.modelMost = max(l.modelMost, cells.Width(r.model))
			l.sliced = l.sliced || len(g.Slices) > 0 || g.Of(triage.GPUSlices).V > 0
			l.held = l.held || len(g.Processes) > 0
			l.served = l.served || r.worker != ""
			if len(h.rows) == 1 {
				h.model = r.model
			} else if h.model != r.model {
				h.model = "mixed"
			}
		}
	}
	for i := range l.rows {
		if i > 0 && l.rows[i].model != l.rows[0].model {
			l.model = ""
			break
		}
		l.model = l.rows[i].model
	}
	return l
}

func rowOf(g *triage.GPU, host string, index int, workers map[string]string) row {
	r := row{GPU: g, host: host, index: index, concerns: g.Concerns()}
	r.number = cmp.Or(text.Clean(g.Index, 12), "?")
	r.model = shortModel(text.Clean(g.Model, 60))
	if len(r.concerns) > 0 {
		r.grade = r.concerns[0].Grade
	}
	r.why = why(g, r.concerns)
	instances, proof := g.Workers()
	var names []string
	for _, in := range instances {
		names = append(names, cmp.Or(workers[in], text.Clean(in, 40)))
	}
	if r.worker = strings.Join(names, " "); proof == triage.ProofOnly {
		r.worker += "?"
	}
	hay := []string{host, r.number, r.model, text.Clean(g.UUID, 64), text.Clean(g.State, 32), r.why, r.worker}
	for _, p := range g.Processes {
		hay = append(hay, text.Clean(p.Name, 64), text.Clean(p.PID, 16))
	}
	r.haystack = strings.ToLower(strings.Join(hay, "\n"))
	return r
}

// why says what holds the clocks down, or ails the GPU; without any of them
// what else NVML names, such as idle.
func why(g *triage.GPU, concerns []triage.Concern) string {
	var words []string
	for _, c := range concerns {
		words = append(words, c.Words)
	}
	if len(words) == 0 {
		if c := g.Of(triage.GPUReasons); c.Has() {
			words, _ = triage.Throttle(c.V)
		}
	}
	return text.Clean(strings.Join(words, ", "), 120)
}

// shortModel leaves out what every GPU has: "NVIDIA H100 80GB HBM3".
func shortModel(s string) string {
	return strings.TrimSpace(strings.TrimPrefix(s, "NVIDIA "))
}

// workerNames are the short names of workers by their instance.
func workerNames(s *sources.Snapshot) map[string]string {
	if s == nil {
		return nil
	}
	out := map[string]string{}
	for _, w := range s.Workers {
		if w.Instance != "" {
			out[w.Instance] = text.Clean(cmp.Or(w.Short, w.ID, w.Instance), 32)
		}
	}
	return out
}

// arrange picks and orders the rows once per snapshot, order and filter.
func (p *Pane) arrange(l *listing) {
	v := l.view
	v.gpus, v.hosts, v.filter, v.inHost, v.host = p.gpus.order, p.hosts.order, p.filter.Text, p.inHost, p.host
	if l.viewed && l.view == v {
		return
	}
	l.view, l.viewed = v, true
	l.scope, l.total = nil, triage.GPUHost{}
	for i := range l.rows {
		if !p.inHost || len(l.hosts) < 2 || l.rows[i].Host == p.host {
			l.scope = append(l.scope, &l.rows[i])
			l.total.GPUs = append(l.total.GPUs, l.rows[i].GPU)
		}
	}
	l.total.Sum()
	l.shownGPUs = slices.DeleteFunc(slices.Clone(l.scope), func(r *row) bool { return !p.filter.Match(r) })
	sortRows(l.shownGPUs, p.gpus.order, allGPUColumns(), func(a, b *row) int { return cmp.Compare(a.index, b.index) })

	// A host is shown with a GPU that matches, the worst first unless a column
	// is sorted.
	l.shownHosts = nil
	for i := range l.hosts {
		if slices.ContainsFunc(l.hosts[i].rows, p.filter.Match) {
			l.shownHosts = append(l.shownHosts, &l.hosts[i])
		}
	}
	sortRows(l.shownHosts, p.hosts.order, allHostColumns(), func(a, b *hostRow) int {
		return cmp.Or(cmp.Compare(b.Grade, a.Grade), cmp.Compare(b.Concerned, a.Concerned), cmp.Compare(a.index, b.index))
	})
}

// row finds a GPU whatever the filter, nil when the snapshot has none such.
func (l *listing) row(id string) *row {
	for i := range l.rows {
		if l.rows[i].ID == id {
			return &l.rows[i]
		}
	}
	return nil
}

// line is the course of a GPU, or of a host, indexed once per snapshot.
func (l *listing) line(n sources.Need, id, host string) (sources.Series, bool) {
	by, ok := l.sparks[n]
	if !ok {
		by = map[string]sources.Series{}
		for _, s := range l.snap.Figure(n).Series {
			by[s.Labels["uuid"]+"\n"+s.Labels["host"]] = s
			if _, has := by[s.Labels["uuid"]]; !has && s.Labels["uuid"] != "" {
				by[s.Labels["uuid"]] = s
			}
		}
		if l.sparks == nil {
			l.sparks = map[sources.Need]map[string]sources.Series{}
		}
		l.sparks[n] = by
	}
	s, ok := by[id+"\n"+host]
	if !ok && id != "" {
		s, ok = by[id] // only another exporter's name of the host
	}
	return s, ok
}
