package feed

import (
	"net"
	"slices"
	"strings"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// fleet is who is who among all targets at one moment, whatever the scope.
type fleet struct {
	workers  []sources.Worker
	listedBy map[string][]string // decimal id → instances that list the worker
	serves   map[string][]string // frontend's instance → models it announces
	role     map[string]string   // instance → role
}

// fleet reads the answers of identityNeeds, and marks the targets with their
// roles.
func (t *tick) fleet() *fleet {
	f := &fleet{listedBy: map[string][]string{}, serves: map[string][]string{}, role: t.roles()}
	for i := range t.targets {
		if r := f.role[t.targets[i].Instance]; r != "" {
			t.targets[i].Role = r
		}
	}
	f.workers = t.workers(f.listedBy)
	for _, s := range t.who[needModels].Series {
		if in, m := s.Labels["instance"], s.Labels["model"]; m != "" && !slices.Contains(f.serves[in], m) {
			f.serves[in] = append(f.serves[in], m)
		}
	}
	return f
}

// models are the names that frontends of the scope announce, or that engines
// report where there is no frontend.
func (f *fleet) models(s catalog.Scope) []string {
	out := []string{}
	add := func(m string) {
		if want := s.Match["model"]; m != "" && !slices.Contains(out, m) && (want == "" || strings.EqualFold(want, m)) {
			out = append(out, m)
		}
	}
	for in, models := range f.serves {
		if s.Instances == nil || slices.Contains(s.Instances, in) {
			for _, m := range models {
				add(m)
			}
		}
	}
	if len(out) == 0 {
		for _, w := range f.workers {
			if s.Instances == nil || slices.Contains(s.Instances, w.Instance) {
				add(w.Model)
			}
		}
	}
	slices.Sort(out)
	return out
}

// model is what a worker serves: as its page says, else what the only model
// of the frontends that list it is; empty when neither tells.
func (f *fleet) model(w sources.Worker) string {
	if w.Model != "" {
		return w.Model
	}
	models := map[string]bool{}
	for _, in := range f.listedBy[w.Decimal] {
		for _, m := range f.serves[in] {
			models[strings.ToLower(m)] = true
		}
	}
	if len(models) == 1 {
		for m := range models {
			return m
		}
	}
	return ""
}

// matches says whether a worker belongs to a scope by what is known of it;
// what is unknown excludes nothing.
func (f *fleet) matches(w sources.Worker, s catalog.Scope) bool {
	if ns := s.Match["namespace"]; ns != "" && w.Namespace != "" && w.Namespace != ns {
		return false
	}
	m := f.model(w)
	want := s.Match["model"]
	return want == "" || m == "" || strings.EqualFold(m, want)
}

// instances are the targets of a scope, in the order given: its own list, or
// all, less what is known to serve another model or namespace.
func (f *fleet) instances(all []sources.Target, s catalog.Scope) []string {
	out := map[string]bool{} // of pages that belong elsewhere
	in := map[string]bool{}  // of workers that belong here, by instance and by decimal id
	hosts, others := map[string]bool{}, map[string]bool{}
	for _, w := range f.workers {
		listed := s.Instances == nil || w.Instance == "" || slices.Contains(s.Instances, w.Instance)
		if listed && f.matches(w, s) {
			in[w.Instance], in[w.Decimal] = true, true
			hosts[host(w.Instance)] = true
		} else {
			out[w.Instance] = true
			others[host(w.Instance)] = true
		}
	}
	keep := []string{}
	for _, g := range all {
		ok := s.Instances == nil || slices.Contains(s.Instances, g.Instance)
		switch f.role[g.Instance] {
		case "worker":
			ok = ok && (in[g.Instance] || !out[g.Instance])
		case "frontend":
			ok = ok && f.frontendMatches(g.Instance, s, in)
		case "gpu":
			// An exporter on a host of other workers only is theirs; one that
			// shares its host with nobody known cannot be told apart.
			h := host(g.Instance)
			ok = ok && (s.Instances != nil || hosts[h] || !others[h])
		}
		if ok {
			keep = append(keep, g.Instance)
		}
	}
	return keep
}

// frontendMatches says whether a frontend leads to workers of the scope: it
// lists one, or, where no router lists anything, serves a model that one of
// them serves.
func (f *fleet) frontendMatches(instance string, s catalog.Scope, in map[string]bool) bool {
	serves := f.serves[instance]
	has := func(model string) bool {
		return slices.ContainsFunc(serves, func(m string) bool { return strings.EqualFold(m, model) })
	}
	if want := s.Match["model"]; want != "" && len(serves) > 0 && !has(want) {
		return false
	}
	if s.Match["namespace"] == "" {
		return true
	}
	lists := false
	for dec, by := range f.listedBy {
		if slices.Contains(by, instance) {
			if in[dec] {
				return true
			}
			lists = true
		}
	}
	if lists {
		return false
	}
	known := false
	for _, w := range f.workers {
		m := f.model(w)
		if m == "" || !f.matches(w, s) {
			continue
		}
		if known = true; has(m) {
			return true
		}
	}
	return !known || len(serves) == 0
}

func host(instance string) string {
	if h, _, err := net.SplitHostPort(instance); err == nil {
		return h
	}
	return instance
}

// mixed says which kinds of pages in a scope also speak of other models than
// the one picked.
type mixed struct{ frontends, workers, gpus bool }

// mixed looks for what the scope's instances serve besides its model.
func (f *fleet) mixed(s catalog.Scope) (m mixed) {
	want := s.Match["model"]
	if want == "" {
		return m
	}
	ours := map[string]bool{}
	others := map[string]bool{}
	for _, w := range f.workers {
		switch model := f.model(w); {
		case !slices.Contains(s.Instances, w.Instance):
			others[host(w.Instance)] = true
		case strings.EqualFold(model, want):
			ours[host(w.Instance)] = true
		default:
			m.workers = true // its model is unknown
		}
	}
	for _, in := range s.Instances {
		switch f.role[in] {
		case "gpu":
			m.gpus = m.gpus || !ours[host(in)] || others[host(in)]
		case "worker":
		default: // frontends and whatever else may speak of them
			m.frontends = m.frontends || f.role[in] == "frontend" && len(f.serves[in]) == 0 ||
				slices.ContainsFunc(f.serves[in], func(has string) bool { return !strings.EqualFold(has, want) })
		}
	}
	return m
}

// touches says whether a metric's numbers can hold those of other models.
func (m mixed) touches(metric catalog.Metric) bool {
	if len(metric.Variants) == 0 {
		return m.frontends || m.workers || m.gpus // derived from several
	}
	for _, v := range metric.Variants {
		switch v.Producer {
		case "frontend", "router", "planner":
			if m.frontends {
				return true
			}
		case "dcgm", "dynascope":
			if m.gpus {
				return true
			}
		default:
			if m.workers {
				return true
			}
		}
	}
	return false
}

// enter limits the tick to its scope: from here on targets, their health and
// questions are those of the scope's instances.
func (t *tick) enter(f *fleet) {
	t.Scope.Instances = f.instances(t.targets, t.Scope)
	t.mixed = f.mixed(t.Scope)
	inside := func(in string) bool { return slices.Contains(t.Scope.Instances, in) }
	t.targets = slices.DeleteFunc(t.targets, func(g sources.Target) bool { return !inside(g.Instance) })
	for in := range t.down {
		if !inside(in) {
			delete(t.down, in)
		}
	}
}

// inside are the workers of the tick's scope. One without a page is inside
// when a frontend of the scope lists it.
func (f *fleet) inside(t *tick) []sources.Worker {
	s := t.Scope
	if s.Instances == nil {
		return f.workers
	}
	out := []sources.Worker{}
	for _, w := range f.workers {
		ok := slices.Contains(s.Instances, w.Instance)
		if w.Instance == "" {
			ok = f.matches(w, s) && slices.ContainsFunc(f.listedBy[w.Decimal], func(in string) bool { return slices.Contains(s.Instances, in) })
		}
		if ok {
			out = append(out, w)
		}
	}
	return out
}
