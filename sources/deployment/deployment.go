// Package deployment tells the deployments behind one store apart: which
// frontends, workers and exporters belong together, and the scope that asks
// for one of them alone.
//
// It discovers no targets (it sorts those a store has), names no metric (only
// catalogue keys), and leaves out nothing: a target that cannot be told apart
// is in every deployment, so that no figure goes missing with the choice.
package deployment

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// Deployment is one choice.
type Deployment struct {
	// Name tells it apart from the others, such as "prod/Qwen3-32B".
	Name string
	// Namespace is Dynamo's, or else the cluster's; Models are its models.
	// Both may be empty.
	Namespace string
	Models    []string
	// Frontends and Workers are how many targets of each kind it has.
	Frontends, Workers int
	// Scope asks for it alone. It is the zero Scope where there is only one
	// deployment.
	Scope catalog.Scope
}

// Find sorts the targets of a store into deployments, by name, from what their
// pages say at a moment; pages of targets that are down are read at their last
// good scrape. A frontend and a worker belong together when the frontend's
// router lists the worker's id; else when namespaces and models allow it and
// one of them agrees. Workers without a frontend belong together by namespace
// and model. A group that serves several models becomes one deployment for
// each model.
//
// It costs some ten questions, however many targets there are. Where nothing
// is found it returns none and no error.
func Find(ctx context.Context, q sources.Querier, cat *catalog.Catalog, targets []sources.Target, at time.Time) ([]Deployment, error) {
	f := finder{ctx: ctx, q: q, cat: cat, nodes: map[string]*node{}}
	for i, moment := range moments(targets, at) {
		if err := f.read(moment); err != nil && i == 0 {
			return nil, fmt.Errorf("find deployments: %w", err)
		}
	}
	for _, t := range targets {
		f.node(t.Instance)
	}
	delete(f.nodes, "")
	return f.deployments(), nil
}

// moments are now and the last good scrapes of dead targets, a few at most.
func moments(targets []sources.Target, at time.Time) []time.Time {
	out := []time.Time{at}
	var dead []time.Time
	for _, t := range targets {
		if t.Health == sources.HealthDown && !t.LastGood.IsZero() && at.Sub(t.LastGood) < time.Hour && t.LastGood.Before(at) {
			dead = append(dead, t.LastGood)
		}
	}
	slices.SortFunc(dead, func(a, b time.Time) int { return b.Compare(a) })
	for _, d := range dead {
		if out[len(out)-1].Sub(d) > 5*time.Second && len(out) < 4 || len(out) == 1 {
			out = append(out, d)
		}
	}
	return out
}

// set is a set of words; models are in lower case there.
type set map[string]bool

func (s set) meets(o set) bool {
	for x := range s {
		if o[x] {
			return true
		}
	}
	return false
}

// conflicts says that both are known and nothing agrees.
func (s set) conflicts(o set) bool { return len(s) > 0 && len(o) > 0 && !s.meets(o) }

// node is one target and what its pages say.
type node struct {
	instance         string
	frontend, worker bool
	gpu              bool
	places           set // cluster and namespace that the scraper put on
	namespaces       set // Dynamo's
	models           set // in lower case: frontends write them so
	spelled          map[string]string
	id               set // of a worker, decimal
	lists            set // ids that a frontend's router lists
	group            int
}

type finder struct {
	ctx   context.Context
	q     sources.Querier
	cat   *catalog.Catalog
	nodes map[string]*node
	names []string // of the families that were asked for
}

func (f *finder) node(instance string) *node {
	n := f.nodes[instance]
	if n == nil {
		n = &node{instance: instance, places: set{}, namespaces: set{}, models: set{}, spelled: map[string]string{}, id: set{}, lists: set{}}
		f.nodes[instance] = n
	}
	return n
}

func (n *node) model(name string) {
	if name != "" {
		low := strings.ToLower(name)
		n.models[low] = true
		if n.spelled[low] == "" || n.spelled[low] == low {
			n.spelled[low] = name // the engines' spelling keeps capitals
		}
	}
}

// read takes in what the pages say at a moment.
func (f *finder) read(at time.Time) error {
	var failed error
	answered := false
	ask := func(key string, form sources.Form, by string, take func(*node, sources.Labels)) {
		q, err := f.cat.Query(sources.Need{Key: key, Form: form, By: by}, 0, catalog.Scope{})
		if err != nil {
			failed = err
			return
		}
		for _, name := range q.Names {
			if !slices.Contains(f.names, name) {
				f.names = append(f.names, name)
			}
		}
		got, err := f.q.Instant(f.ctx, q.Expr, at)
		if err != nil {
			failed = err
			return
		}
		answered = true
		for _, s := range got {
			take(f.node(s.Labels["instance"]), s.Labels)
		}
	}
	ask("frontend.disconnects", sources.FormTotal, "instance", func(n *node, _ sources.Labels) { n.frontend = true })
	ask("model.block_size", sources.FormNow, "instance,model", func(n *node, l sources.Labels) { n.model(l["model"]) })
	ask("router.registered", sources.FormNow, "instance,namespace,worker_id", func(n *node, l sources.Labels) {
		put(n.namespaces, l["namespace"])
		put(n.lists, l["worker_id"])
	})
	ask("worker.identity", sources.FormNow, "instance,worker_hex,namespace", func(n *node, l sources.Labels) {
		n.worker = true
		put(n.namespaces, l["namespace"])
		if dec, err := sources.DecimalID(l["worker_hex"]); err == nil {
			put(n.id, dec)
		}
	})
	for _, engine := range []string{"engine.is_sglang", "engine.is_vllm", "engine.is_trtllm"} {
		ask(engine, sources.FormNow, "instance,model", func(n *node, l sources.Labels) {
			n.worker = true
			n.model(l["model"])
		})
	}
	ask("gpu.util", sources.FormNow, "instance", func(n *node, _ sources.Labels) { n.gpu = true })
	if !answered {
		return failed
	}
	f.readPlaces(at)
	return nil
}

func put(s set, v string) {
	if v != "" {
		s[v] = true
	}
}

// readPlaces takes in the labels that a scraper in a cluster puts on. Knowing
// none only means knowing less.
func (f *finder) readPlaces(at time.Time) {
	got, err := f.q.Instant(f.ctx, `group by (instance, cluster, namespace) ({__name__=~"`+strings.Join(f.names, "|")+`"})`, at)
	if err != nil {
		return
	}
	for _, s := range got {
		place := strings.Trim(s.Labels["cluster"]+"/"+s.Labels["namespace"], "/")
		if n := f.node(s.Labels["instance"]); !n.gpu || n.frontend || n.worker {
			put(n.places, place)
		}
	}
}

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

func (f *finder) deployments() []Deployment {
	var out []Deployment
	groups := f.groups()
	var rest []*node // of no deployment by itself
	for _, in := range slices.Sorted(maps.Keys(f.nodes)) {
		if n := f.nodes[in]; !n.frontend && !n.worker {
			rest = append(rest, n)
		}
	}
	for _, g := range groups {
		for _, d := range split(g) {
			for _, n := range rest {
				if belongs(n, g, groups) {
					d.Scope.Instances = append(d.Scope.Instances, n.instance)
				}
			}
			slices.Sort(d.Scope.Instances)
			out = append(out, d)
		}
	}
	name(out)
	slices.SortFunc(out, func(a, b Deployment) int { return cmp.Compare(a.Name, b.Name) })
	if len(out) == 1 {
		out[0].Scope = catalog.Scope{}
	}
	return out
}

// split makes a deployment of a group, or one for each model where it serves
// several and its workers say which is theirs.
func split(g []*node) []Deployment {
	models, spelled := set{}, map[string]string{}
	namespaces, places := set{}, set{}
	front := set{}
	for _, n := range g {
		maps.Copy(models, n.models)
		maps.Copy(namespaces, n.namespaces)
		maps.Copy(places, n.places)
		if n.frontend {
			maps.Copy(front, n.models)
		}
	}
	for _, n := range g {
		for low, s := range n.spelled {
			if spelled[low] == "" || !n.frontend {
				spelled[low] = s
			}
		}
	}
	whole := Deployment{Namespace: one(namespaces, one(places, ""))}
	for _, m := range slices.Sorted(maps.Keys(models)) {
		whole.Models = append(whole.Models, spelled[m])
	}
	// A worker that names its model as no frontend does would be lost.
	strange := slices.ContainsFunc(g, func(n *node) bool { return n.worker && n.models.conflicts(front) })
	if len(models) < 2 || strange {
		whole.fill(g, "")
		return []Deployment{whole}
	}
	var out []Deployment
	for _, m := range slices.Sorted(maps.Keys(models)) {
		d := Deployment{Namespace: whole.Namespace, Models: []string{spelled[m]}}
		d.fill(g, m)
		d.Scope.Match = map[string]string{"model": spelled[m]}
		out = append(out, d)
	}
	return out
}

// fill takes the members that serve a model, or all.
func (d *Deployment) fill(g []*node, model string) {
	for _, n := range g {
		if model != "" && len(n.models) > 0 && !n.models[model] {
			continue
		}
		d.Scope.Instances = append(d.Scope.Instances, n.instance)
		if n.frontend {
			d.Frontends++
		} else {
			d.Workers++
		}
	}
}

func one(s set, none string) string {
	if len(s) == 0 {
		return none
	}
	return slices.Min(slices.Collect(maps.Keys(s)))
}

// belongs says whether an exporter or another target that is neither frontend
// nor worker is shown with a group: by its host where some group has a member
// there, else with every group whose namespaces allow it.
func belongs(n *node, g []*node, groups [][]*node) bool {
	onHost := func(g []*node) bool {
		return slices.ContainsFunc(g, func(m *node) bool { return host(m.instance) == host(n.instance) })
	}
	allowed := !slices.ContainsFunc(g, func(m *node) bool {
		return n.namespaces.conflicts(m.namespaces) || !n.gpu && n.places.conflicts(m.places)
	})
	if slices.ContainsFunc(groups, onHost) {
		return onHost(g) && allowed
	}
	return allowed
}

// host is an instance label without its port.
func host(instance string) string {
	h, _, _ := strings.Cut(instance, "/")
	if i := strings.LastIndexByte(h, ':'); i > 0 {
		h = h[:i]
	}
	return h
}

// name gives each deployment the shortest name that tells it apart: its model
// and namespace, then its first target.
func name(ds []Deployment) {
	for i := range ds {
		d := &ds[i]
		d.Name = strings.Trim(d.Namespace+"/"+strings.Join(d.Models, "+"), "/")
	}
	count := map[string]int{}
	for _, d := range ds {
		count[d.Name]++
	}
	for i := range ds {
		d := &ds[i]
		if (count[d.Name] > 1 || d.Name == "") && len(d.Scope.Instances) > 0 {
			d.Name = strings.TrimSpace(d.Name + " " + d.Scope.Instances[0])
		}
	}
}
