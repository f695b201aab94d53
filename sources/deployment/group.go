package deployment

import (
	"maps"
	"slices"
)

// together says whether a frontend and a worker, or two of a kind, belong
// together.
func together(a, b *node) bool {
	if a.lists.meets(b.id) || b.lists.meets(a.id) {
		return true
	}
	if a.places.conflicts(b.places) || a.namespaces.conflicts(b.namespaces) || a.models.conflicts(b.models) {
		return false
	}
	return a.namespaces.meets(b.namespaces) || a.models.meets(b.models)
}

// groups numbers the nodes of each deployment and returns them.
func (f *finder) groups() [][]*node {
	var frontends, workers []*node
	listed := set{} // ids that some router lists
	for _, in := range slices.Sorted(maps.Keys(f.nodes)) {
		n := f.nodes[in]
		switch {
		case n.frontend:
			frontends = append(frontends, n)
			maps.Copy(listed, n.lists)
		case n.worker:
			workers = append(workers, n)
		}
	}
	var groups [][]*node
	join := func(n, to *node) {
		if to == nil {
			groups = append(groups, []*node{n})
			n.group = len(groups)
			return
		}
		if n.group == to.group {
			return
		}
		if n.group == 0 {
			n.group = to.group
			groups[to.group-1] = append(groups[to.group-1], n)
			return
		}
		from := n.group
		for _, m := range groups[from-1] {
			m.group = to.group
		}
		groups[to.group-1] = append(groups[to.group-1], groups[from-1]...)
		groups[from-1] = nil
	}
	for _, n := range frontends {
		join(n, nil)
	}
	for _, w := range workers {
		known := w.id.meets(listed) // then only the router's word counts
		for _, n := range frontends {
			if known && !n.lists.meets(w.id) || !together(n, w) {
				continue
			}
			join(w, n)
		}
	}
	// Frontends that share a model in one namespace, with no worker scraped.
	for i, n := range frontends {
		for _, o := range frontends[:i] {
			if len(groups[n.group-1]) == 1 && maps.Equal(n.models, o.models) && together(n, o) {
				join(n, o)
			}
		}
	}
	for i, w := range workers {
		if w.group != 0 {
			continue
		}
		for _, o := range workers[:i] {
			if !o.withFrontend(groups) && together(w, o) {
				join(w, o)
			}
		}
		if w.group == 0 {
			join(w, nil)
		}
	}
	return slices.DeleteFunc(groups, func(g []*node) bool { return len(g) == 0 })
}

func (n *node) withFrontend(groups [][]*node) bool {
	return slices.ContainsFunc(groups[n.group-1], func(m *node) bool { return m.frontend })
}
