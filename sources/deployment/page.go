package deployment

import (
	"context"
	"slices"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

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
