package feed

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"dynascope/sources"
)

// The questions from which roles, models and workers are read. They are asked
// in every tick, whatever the panes want.
var (
	needFrontend   = sources.Need{Key: "frontend.disconnects", Form: sources.FormTotal, By: "instance"}
	needWorkerPage = sources.Need{Key: "worker.identity", Form: sources.FormNow, By: "instance,worker_hex,namespace,component"}
	needRegistered = sources.Need{Key: "router.registered", Form: sources.FormNow, By: "instance,worker_id,dp_rank,worker_type,namespace"}
	needModels     = sources.Need{Key: "model.block_size", Form: sources.FormNow, By: "instance,model"}
	needGPU        = sources.Need{Key: "gpu.util", Form: sources.FormNow, By: "instance"}
	// One question per engine: which kind of engine a page belongs to.
	needEngines = map[string]sources.Need{
		"sglang": {Key: "engine.is_sglang", Form: sources.FormNow, By: "instance,model,dp_rank"},
		"vllm":   {Key: "engine.is_vllm", Form: sources.FormNow, By: "instance,model,dp_rank"},
		"trtllm": {Key: "engine.is_trtllm", Form: sources.FormNow, By: "instance,model,dp_rank"},
	}
	identityNeeds = append([]sources.Need{needFrontend, needWorkerPage, needRegistered, needModels, needGPU},
		needEngines["sglang"], needEngines["vllm"], needEngines["trtllm"])
)

// roles tells what each target's page turned out to be, by instance.
func (t *tick) roles() map[string]string {
	role := map[string]string{}
	set := func(n sources.Need, name string) {
		for _, s := range t.who[n].Series {
			if in := s.Labels["instance"]; in != "" && role[in] == "" {
				role[in] = name
			}
		}
	}
	set(needFrontend, "frontend")
	set(needWorkerPage, "worker")
	for _, n := range needEngines {
		set(n, "worker")
	}
	set(needGPU, "gpu")
	return role
}

// workers joins the three spellings of a worker's identity: the hexadecimal
// id of its own page, the decimal id of the router's registration, and the
// bare instance of engine lines. The frontend's last-value gauges are never
// consulted: they come back after a worker has died. listedBy gets the frontends
// and routers that list a worker, by its decimal id.
func (t *tick) workers(listedBy map[string][]string) []sources.Worker {
	byDecimal := map[string]*sources.Worker{}
	byInstance := map[string]*sources.Worker{}
	var all []*sources.Worker
	add := func(w *sources.Worker) {
		all = append(all, w)
		if w.Decimal != "" {
			byDecimal[w.Decimal] = w
		}
		if w.Instance != "" {
			byInstance[w.Instance] = w
		}
	}

	for _, s := range t.who[needWorkerPage].Series {
		hex, in := s.Labels["worker_hex"], s.Labels["instance"]
		if in == "" {
			continue
		}
		if w := byInstance[in]; w != nil && w.ID == hex {
			continue
		}
		dec, err := sources.DecimalID(hex)
		if err != nil {
			hex, dec = "", ""
		}
		add(&sources.Worker{
			ID: hex, Decimal: dec, Instance: in,
			Namespace: s.Labels["namespace"], Component: s.Labels["component"], Role: roleOf(s.Labels["component"]),
		})
	}

	registered := t.who[needRegistered]
	listed := map[string]bool{}
	for _, s := range registered.Series {
		dec := s.Labels["worker_id"]
		if p, ok := s.Last(); !ok || p.V <= 0 || dec == "" {
			continue
		}
		listed[dec] = true
		if in := s.Labels["instance"]; in != "" && !slices.Contains(listedBy[dec], in) {
			listedBy[dec] = append(listedBy[dec], in)
		}
		w := byDecimal[dec]
		if w == nil {
			hex, err := sources.HexID(dec)
			if err != nil {
				continue
			}
			w = &sources.Worker{ID: hex, Decimal: dec, Namespace: s.Labels["namespace"]}
			add(w)
		}
		if w.Role == "" || w.Role == "aggregated" {
			// The router calls aggregated workers decode too; only prefill
			// says more than the component did.
			if r := s.Labels["worker_type"]; r == "prefill" || w.Component == "" {
				w.Role = r
			}
		}
		w.Ranks = addRank(w.Ranks, s.Labels["dp_rank"])
	}

	for _, engine := range []string{"sglang", "vllm", "trtllm"} {
		for _, s := range t.who[needEngines[engine]].Series {
			in := s.Labels["instance"]
			w := byInstance[in]
			if w == nil {
				if in == "" {
					continue
				}
				w = &sources.Worker{Instance: in, Role: "aggregated"}
				add(w)
			}
			w.Engine, w.Model = engine, cmp.Or(w.Model, s.Labels["model"])
			w.Ranks = addRank(w.Ranks, s.Labels["dp_rank"])
		}
	}

	t.finish(all, routers(registered, listed))
	out := make([]sources.Worker, len(all))
	for i, w := range all {
		out[i] = *w
	}
	slices.SortFunc(out, func(a, b sources.Worker) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Instance, b.Instance))
	})
	return out
}

// registry is what the routers of the store know.
type registry struct {
	listed map[string]bool // decimal ids
	// spaces are the namespaces they speak of. A worker of another one has no
	// KV router, and is not missed by any.
	spaces map[string]bool
	speaks bool
}

func routers(registered *sources.Figure, listed map[string]bool) registry {
	r := registry{listed: listed, spaces: map[string]bool{}, speaks: registered.Status == sources.StatusOK}
	for _, s := range registered.Series {
		r.spaces[s.Labels["namespace"]] = true
	}
	return r
}

func (r registry) knows(w *sources.Worker) bool {
	return r.speaks && (w.Namespace == "" || r.spaces[""] || r.spaces[w.Namespace])
}

// finish settles what needs the whole list: state, short ids, split roles.
func (t *tick) finish(all []*sources.Worker, r registry) {
	var ids []string
	disaggregated := map[string]bool{} // namespaces
	for _, w := range all {
		if w.ID != "" {
			ids = append(ids, w.ID)
		}
		disaggregated[w.Namespace] = disaggregated[w.Namespace] || w.Role == "prefill"
	}
	short := sources.ShortIDs(ids)
	for _, w := range all {
		w.Short = cmp.Or(short[w.ID], w.Instance)
		if len(w.Ranks) == 0 {
			w.Ranks = []string{"0"}
		}
		slices.SortFunc(w.Ranks, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
		switch split := disaggregated[w.Namespace]; {
		case split && w.Role == "aggregated":
			w.Role = "decode"
		case !split && w.Role == "decode":
			w.Role = "aggregated"
		}
		w.State, w.LastGood = t.state(w, r)
	}
}

func (t *tick) state(w *sources.Worker, r registry) (sources.WorkerState, time.Time) {
	if w.Instance == "" {
		return sources.WorkerUnscraped, time.Time{}
	}
	good, down := t.down[w.Instance]
	missed := r.knows(w) && !r.listed[w.Decimal]
	switch {
	case down && missed:
		return sources.WorkerGone, good
	case down:
		return sources.WorkerStale, good
	case w.ID == "":
		return sources.WorkerStandalone, t.At
	case missed && len(r.listed) > 0:
		return sources.WorkerUnlisted, t.At
	default:
		return sources.WorkerUp, t.At
	}
}

// noteSilentEngines corrects the hints of absent figures. The catalogue's
// hint tells how to switch an engine's page on; where the page of such an
// engine is scraped already, the truth is that this release of it exports no
// such family.
func (t *tick) noteSilentEngines(workers []sources.Worker) {
	for _, f := range t.figures {
		if f.Status != sources.StatusAbsent {
			continue
		}
		var silent []string
		for _, w := range workers {
			speaks := func(family string) bool { return w.Engine != "" && strings.HasPrefix(family, w.Engine) }
			if !slices.Contains(silent, w.Engine) && slices.ContainsFunc(f.Tried, speaks) {
				silent = append(silent, w.Engine)
			}
		}
		if len(silent) > 0 {
			slices.Sort(silent)
			f.Note = "the " + strings.Join(silent, " and ") + " workers scraped here export no such family"
		}
	}
}

// roleOf reads a worker's role from Dynamo's component name: "backend" is the
// decode or the aggregated pool (dynamo.md §1.2).
func roleOf(component string) string {
	switch c := strings.ToLower(component); {
	case strings.Contains(c, "prefill"):
		return "prefill"
	case strings.Contains(c, "encode"):
		return "encode"
	case strings.Contains(c, "decode"):
		return "decode"
	default:
		return "aggregated"
	}
}

func addRank(ranks []string, rank string) []string {
	if rank == "" || slices.Contains(ranks, rank) {
		return ranks
	}
	return append(ranks, rank)
}
