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
	needRegistered = sources.Need{Key: "router.registered", Form: sources.FormNow, By: "worker_id,dp_rank,worker_type"}
	needModels     = sources.Need{Key: "model.block_size", Form: sources.FormNow, By: "model"}
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

// roles marks each target with what its page turned out to be.
func (t *tick) roles() []sources.Target {
	role := map[string]string{}
	set := func(n sources.Need, name string) {
		for _, s := range t.figures[n].Series {
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
	for i := range t.targets {
		if r := role[t.targets[i].Instance]; r != "" {
			t.targets[i].Role = r
		}
	}
	return t.targets
}

// models are the names that a frontend announces, or that engines report
// where there is no frontend.
func (t *tick) models() []string {
	seen := map[string]bool{}
	collect := func(n sources.Need) {
		for _, s := range t.figures[n].Series {
			if m := s.Labels["model"]; m != "" {
				seen[m] = true
			}
		}
	}
	collect(needModels)
	if len(seen) == 0 {
		for _, n := range needEngines {
			collect(n)
		}
	}
	out := make([]string, 0, len(seen))
	for m := range seen {
		out = append(out, m)
	}
	slices.Sort(out)
	return out
}

// workers joins the three spellings of a worker's identity: the hexadecimal
// id of its own page, the decimal id of the router's registration, and the
// bare instance of engine lines. The frontend's last-value gauges are never
// consulted: they come back after a worker has died.
func (t *tick) workers() []sources.Worker {
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

	for _, s := range t.figures[needWorkerPage].Series {
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

	registered := t.figures[needRegistered]
	listed := map[string]bool{}
	for _, s := range registered.Series {
		dec := s.Labels["worker_id"]
		if p, ok := s.Last(); !ok || p.V <= 0 || dec == "" {
			continue
		}
		listed[dec] = true
		w := byDecimal[dec]
		if w == nil {
			hex, err := sources.HexID(dec)
			if err != nil {
				continue
			}
			w = &sources.Worker{ID: hex, Decimal: dec}
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
		for _, s := range t.figures[needEngines[engine]].Series {
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

	t.finish(all, listed, registered.Status == sources.StatusOK)
	out := make([]sources.Worker, len(all))
	for i, w := range all {
		out[i] = *w
	}
	slices.SortFunc(out, func(a, b sources.Worker) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Instance, b.Instance))
	})
	return out
}

// finish settles what needs the whole list: state, short ids, split roles.
func (t *tick) finish(all []*sources.Worker, listed map[string]bool, routerKnows bool) {
	var ids []string
	disaggregated := false
	for _, w := range all {
		if w.ID != "" {
			ids = append(ids, w.ID)
		}
		disaggregated = disaggregated || w.Role == "prefill"
	}
	short := sources.ShortIDs(ids)
	for _, w := range all {
		w.Short = cmp.Or(short[w.ID], w.Instance)
		if len(w.Ranks) == 0 {
			w.Ranks = []string{"0"}
		}
		slices.SortFunc(w.Ranks, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
		switch {
		case disaggregated && w.Role == "aggregated":
			w.Role = "decode"
		case !disaggregated && w.Role == "decode":
			w.Role = "aggregated"
		}
		w.State, w.LastGood = t.state(w, listed, routerKnows)
	}
}

func (t *tick) state(w *sources.Worker, listed map[string]bool, routerKnows bool) (sources.WorkerState, time.Time) {
	if w.Instance == "" {
		return sources.WorkerUnscraped, time.Time{}
	}
	good, down := t.down[w.Instance]
	switch {
	case down && routerKnows && !listed[w.Decimal]:
		return sources.WorkerGone, good
	case down:
		return sources.WorkerStale, good
	case w.ID == "":
		return sources.WorkerStandalone, t.At
	case routerKnows && len(listed) > 0 && !listed[w.Decimal]:
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
