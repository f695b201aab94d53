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
	// Namespace is Dynamo's; Place is the cluster and namespace that a scraper
	// put on; Models are its models. Each may be empty.
	Namespace, Place string
	Models           []string
	// Frontends and Workers are how many targets of each kind it has.
	Frontends, Workers int
	// Scope asks for it alone. It is the zero Scope where there is only one
	// deployment.
	Scope catalog.Scope
}

// Detail says what it consists of: "1 frontend · 6 workers · prod".
func (d Deployment) Detail() string {
	count := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	parts := []string{count(d.Frontends, "frontend"), count(d.Workers, "worker")}
	for _, p := range []string{d.Place, d.Namespace} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " · ")
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
	whole := Deployment{Namespace: one(namespaces), Place: one(places)}
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
		d := Deployment{Namespace: whole.Namespace, Place: whole.Place, Models: []string{spelled[m]}}
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

// one is the first of a set, empty of an empty one.
func one(s set) string {
	if len(s) == 0 {
		return ""
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
