package scenario

import (
	"fmt"
	"slices"
)

func (c *checker) deployment() {
	d := &c.s.Deployment
	names := map[string]bool{}
	served := map[string]bool{}
	roles := map[string]map[Role]bool{}
	for i, p := range d.Pools {
		path := fmt.Sprintf("deployment.pools[%d]", i)
		if !poolName(p.Name) || isNamed(p.Name) {
			c.fail(path+".name", fmt.Sprintf("%q cannot name a pool", clip(p.Name)), "lower-case letters and dashes, and none of the words that name targets")
		}
		if names[p.Name] {
			c.fail(path+".name", fmt.Sprintf("a second pool is called %q", clip(p.Name)), "give each a name")
		}
		names[p.Name], served[p.Model] = true, true
		if !slices.Contains(d.Models, p.Model) {
			c.fail(path+".model", fmt.Sprintf("no model %q", clip(p.Model)), "add it to deployment.models, or "+hintFor(clip(p.Model), d.Models))
		}
		if roles[p.Model] == nil {
			roles[p.Model] = map[Role]bool{}
		}
		roles[p.Model][p.Role] = true
		if p.Params.HostKVPages != nil && (p.Engine != "sglang" || !d.Full) {
			c.fail(path+".params.host_kv_pages", "only SGLang with full: true shows it", "remove it")
		}
		if d.Kind == "plain-sglang" && (p.Engine != "sglang" || p.Role != Aggregated) {
			c.fail(path, "plain SGLang servers are aggregated and run sglang", "or take kind: dynamo")
		}
	}
	for i, m := range d.Models {
		path := fmt.Sprintf("deployment.models[%d]", i)
		if m == "" || slices.Index(d.Models, m) < i {
			c.fail(path, "empty, or there twice", "")
		} else if !served[m] {
			c.fail(path, fmt.Sprintf("no pool serves %q", clip(m)), "add a pool with this model")
		}
		if r := roles[m]; r[Prefill] != r[Decode] {
			c.fail("deployment.pools", fmt.Sprintf("%q has one of prefill and decode, not both", clip(m)), "add a pool with the other role")
		}
	}
	c.meaningless()
	for name, g := range map[string]*Grid{"ttft": d.Buckets.TTFT, "itl": d.Buckets.ITL, "request_duration": d.Buckets.RequestDuration,
		"input_sequence": d.Buckets.InputSequence, "output_sequence": d.Buckets.OutputSequence} {
		if g != nil && g.Max <= g.Min {
			c.fail("deployment.buckets."+name+".max", "not more than min", "")
		}
	}
}

// meaningless reports keys that were written and have no effect in this kind
// of deployment.
func (c *checker) meaningless() {
	d := &c.s.Deployment
	if d.Kind == "plain-sglang" {
		for _, key := range []string{"frontends", "router", "buckets", "generation", "exporters.kvbm", "exporters.planner", "exporters.planner_interval", "exporters.tokio", "exporters.event_loop"} {
			if c.written("deployment." + key) {
				c.fail("deployment."+key, "means nothing before plain SGLang servers", "remove it, or take kind: dynamo")
			}
		}
		if !d.Full {
			c.fail("deployment.full", "plain SGLang servers have every family", "remove it, or take kind: dynamo")
		}
		return
	}
	if d.Router.Mode != "kv" {
		for _, key := range []string{"standalone", "queue_threshold", "overlap_weight", "temperature", "block_size"} {
			if c.written("deployment.router." + key) {
				c.fail("deployment.router."+key, "means nothing with mode: "+d.Router.Mode, "only mode: kv reads it")
			}
		}
	}
}

func isNamed(s string) bool { return s == string(TargetAll) || slices.Contains(named, TargetKind(s)) }

// target checks that there is such a thing in this deployment.
func (c *checker) target(t Target, path string) {
	d := &c.s.Deployment
	workers, gpus, ranks := 0, 0, 0
	var pool *Pool
	var names []string
	hosts := map[int]int{} // GPUs by size of host
	for i := range d.Pools {
		p := &d.Pools[i]
		names = append(names, p.Name)
		if p.Name == t.Pool {
			pool = p
		}
		if t.Kind == TargetWorker && t.Index >= workers && t.Index < workers+p.Workers {
			ranks = p.DP
		}
		workers += p.Workers
		gpus += p.Workers * p.TP * p.DP
		hosts[p.GPUsPerHost] += p.Workers * p.TP * p.DP
	}
	count, what := 0, ""
	switch t.Kind {
	case TargetPool:
		if pool == nil {
			c.fail(path, fmt.Sprintf("no pool is called %q", clip(t.Pool)), hintFor(clip(t.Pool), names))
			return
		}
		count, what, ranks = c.most(pool), "workers in "+t.Pool, pool.DP
	case TargetWorker:
		count, what = workers, "workers"
	case TargetGPU:
		count, what = gpus, "GPUs"
	case TargetHost, TargetDCGM:
		for size, n := range hosts {
			count += (n + size - 1) / size
		}
		what = "hosts"
		if t.Kind == TargetDCGM && !d.Exporters.DCGM {
			count, what = 0, "DCGM exporters: see deployment.exporters"
		}
	case TargetFrontend:
		count, what = d.Frontends.Count, "frontends"
	case TargetRouter:
		count, what = d.Frontends.Count, "routers, in the frontends"
		if d.Router.Standalone {
			count, what = 1, "standalone routers, one for each component of workers"
			if slices.ContainsFunc(d.Pools, func(p Pool) bool { return p.Role == Prefill }) &&
				slices.ContainsFunc(d.Pools, func(p Pool) bool { return p.Role != Prefill }) {
				count = 2
			}
		}
	case TargetKVBM:
		if count, what = workers, "KVBM endpoints"; d.Exporters.KVBM == "off" {
			count, what = 0, "KVBM endpoints: see deployment.exporters"
		}
	case TargetPlanner:
		if count, what = 1, "planner"; !d.Exporters.Planner {
			count, what = 0, "planners: see deployment.exporters"
		}
	default:
		return // all
	}
	if t.Kind == TargetFrontend || t.Kind == TargetRouter {
		if d.Kind == "plain-sglang" {
			count, what = 0, what+" before plain SGLang servers"
		}
	}
	if t.Index >= count || count == 0 {
		c.fail(path, fmt.Sprintf("there is no %s", t), fmt.Sprintf("%d %s, counted from 0", count, what))
	} else if t.Rank >= 0 && t.Rank >= ranks {
		c.fail(path, fmt.Sprintf("%s has %d ranks", t, ranks), "counted from 0; set dp on the pool")
	}
}

// most workers that a pool ever has.
func (c *checker) most(p *Pool) int {
	n := p.Workers
	for _, f := range c.s.Faults {
		if f.Kind == Scale {
			for _, t := range f.Target {
				if t.Pool == p.Name {
					n = max(n, f.Workers)
				}
			}
		}
	}
	return n
}
