package feed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// Deployment is a part of what the store holds that can be looked at by
// itself: a namespace, one of its models, or a model over all namespaces.
type Deployment struct {
	// Name tells it apart and is shown in the title. Outside text: it is
	// cleaned where it is drawn.
	Name string
	// Detail says what it consists of: "1 frontend · 2 workers".
	Detail string
	Scope  catalog.Scope
}

// Deployments lists what can be picked, by namespace, then by model; "everything"
// is not among them. It asks the store, and may be called beside Tick.
func (f *Feed) Deployments(ctx context.Context) ([]Deployment, error) {
	return f.deployments(ctx, time.Time{})
}

func (f *Feed) deployments(ctx context.Context, at time.Time) ([]Deployment, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*f.limit())
	defer cancel()
	t := f.begin(Ask{At: at, Window: time.Minute})
	t.health(ctx)
	t.askWho(ctx)
	for _, n := range identityNeeds {
		if w := t.who[n]; w.Status == sources.StatusError && len(w.Series) == 0 {
			return nil, fmt.Errorf("ask who is there: %s", w.Err)
		}
	}
	return t.fleet().deployments(t.targets), nil
}

// pool is a namespace or a model that workers or frontends name.
type pool struct{ namespace, model string }

func (f *fleet) deployments(targets []sources.Target) []Deployment {
	var pools []pool
	add := func(p pool) {
		if p == (pool{}) || slices.ContainsFunc(pools, func(q pool) bool { return p.namespace == q.namespace && strings.EqualFold(p.model, q.model) }) {
			return
		}
		pools = append(pools, p)
	}
	// Engines spell a model as it was given, frontends in lower case: the
	// workers go first.
	for _, w := range f.workers {
		add(pool{w.Namespace, f.model(w)})
	}
	for _, models := range f.serves {
		for _, m := range models {
			if !slices.ContainsFunc(pools, func(p pool) bool { return strings.EqualFold(p.model, m) }) {
				add(pool{model: m})
			}
		}
	}
	// A worker that cannot name its model is no deployment of its own beside
	// those of its namespace that can.
	known := slices.Clone(pools)
	pools = slices.DeleteFunc(pools, func(p pool) bool {
		return p.model == "" && slices.ContainsFunc(known, func(q pool) bool { return q.namespace == p.namespace && q.model != "" })
	})
	count := func(same func(pool) bool) (n int) {
		for _, p := range pools {
			if same(p) {
				n++
			}
		}
		return n
	}
	var whole []pool // namespaces of several models, models of several namespaces
	for _, p := range pools {
		if p.namespace != "" && count(func(q pool) bool { return q.namespace == p.namespace }) > 1 && !slices.Contains(whole, pool{namespace: p.namespace}) {
			whole = append(whole, pool{namespace: p.namespace})
		}
		same := func(q pool) bool { return strings.EqualFold(q.model, p.model) }
		if p.namespace != "" && p.model != "" && count(same) > 1 && !slices.ContainsFunc(whole, func(q pool) bool { return q.namespace == "" && same(q) }) {
			whole = append(whole, pool{model: p.model})
		}
	}
	pools = append(pools, whole...)
	slices.SortFunc(pools, func(a, b pool) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.model, b.model))
	})
	out := make([]Deployment, 0, len(pools))
	for _, p := range pools {
		out = append(out, f.deployment(p, targets))
	}
	return out
}

func (f *fleet) deployment(p pool, targets []sources.Target) Deployment {
	d := Deployment{Name: p.namespace, Scope: catalog.Scope{Match: map[string]string{}}}
	if p.namespace != "" {
		d.Scope.Match["namespace"] = p.namespace
	}
	if p.model != "" {
		d.Scope.Match["model"] = p.model
		if d.Name != "" {
			d.Name += " · "
		}
		d.Name += p.model
	}
	in := f.instances(targets, d.Scope)
	roles := map[string]int{}
	for _, i := range in {
		roles[cmp.Or(f.role[i], "other target")]++
	}
	var parts []string
	for _, r := range []string{"frontend", "worker", "gpu", "other target"} {
		if n := roles[r]; n == 1 {
			parts = append(parts, "1 "+r)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %ss", n, r))
		}
	}
	d.Detail = strings.Join(parts, " · ")
	return d
}
