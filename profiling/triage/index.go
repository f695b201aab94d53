package triage

import (
	"strings"

	"dynascope/sources"
)

// Sight is how many of the workers that routers index send them their KV
// events: over all routers, each worker and DP rank once for each of them.
// Where there are prefill workers a router indexes those alone (so do real
// ones of 1.4 and 1.6).
type Sight struct {
	Connected, Indexed float64
	// Blind is how many no events come from, router by router.
	Blind   float64
	Listed  float64 // workers and ranks that any router lists
	Routers int
	Prefill bool           // only prefill workers are indexed
	Status  sources.Status // of the connections
	// Known: connections and lists are both there.
	Known bool
}

var (
	needSources    = sources.Need{Key: "router.kv_event_sources", Form: sources.FormNow, By: "instance,state"}
	needRegistered = sources.Need{Key: "router.registered", Form: sources.FormNow, By: "instance,namespace,worker_id,dp_rank,worker_type"}
)

// SightNeeds are the figures that RouterSight reads.
func SightNeeds() []sources.Need { return []sources.Need{needSources, needRegistered} }

// RouterSight counts them.
func RouterSight(s *sources.Snapshot) Sight {
	f, reg := s.Figure(needSources), s.Figure(needRegistered)
	out := Sight{Status: f.Status, Known: f.Live() && reg.Live()}
	type pool struct{ router, namespace string }
	all, prefill, listed := map[pool]float64{}, map[pool]float64{}, map[[2]string]bool{}
	for _, g := range reg.Series {
		if p, ok := g.Last(); !ok || !(p.V > 0) {
			continue
		}
		k := pool{g.Labels["instance"], g.Labels["namespace"]}
		all[k]++
		if g.Labels["worker_type"] == "prefill" {
			prefill[k]++
		}
		listed[[2]string{g.Labels["worker_id"], g.Labels["dp_rank"]}] = true
	}
	indexed := map[string]float64{} // by router
	out.Prefill = len(all) > 0
	for k, n := range all {
		if prefill[k] > 0 {
			n = prefill[k]
		} else {
			out.Prefill = false
		}
		indexed[k.router] += n
		out.Indexed += n
	}
	connected := map[string]float64{}
	for _, g := range f.Series {
		if p, ok := g.Last(); ok && g.Labels["state"] == "active" && p.V > 0 {
			connected[g.Labels["instance"]] += p.V
			out.Connected += p.V
		}
	}
	for router, n := range indexed {
		out.Blind += max(n-connected[router], 0)
	}
	out.Listed, out.Routers = float64(len(listed)), len(indexed)
	return out
}

// decisions says a planner's decisions in words.
var decisions = map[string]string{
	"unset":                            "none taken yet",
	"disabled":                         "switched off",
	"no_fpm_data":                      "no load data: no engine sends forward-pass metrics",
	"scaling_in_progress":              "waiting: an earlier scaling is under way",
	"worker_count_mismatch":            "waiting: the engines that report are not as many as the workers",
	"insufficient_data":                "waiting: too little data yet",
	"no_change":                        "leave it: load is within bounds",
	"scale_up":                         "scale up",
	"scale_down":                       "scale down",
	"scale_down_capped_by_throughput":  "scale down less: the throughput plan needs the workers",
	"scale_down_refused_consolidation": "no scale down: the rest could not take the load",
	"override_by_user_plugin":          "a user's plug-in decides",
	"reconcile_clamped_to_floor":       "held at the fewest workers allowed",
	"reconcile_clamped_to_ceiling":     "held at the most workers allowed",
	"held_over":                        "the last decision again: no new evaluation",
	"rejected_by_plugin":               "a plug-in refused it",
	"circuit_open":                     "the plug-in is switched off after failures",
	"no_traffic_data":                  "no traffic to plan from",
	"predict_failed":                   "the load prediction failed",
	"model_not_ready":                  "the performance model is not ready",
	"set_lower_bound":                  "sets the least workers for the load plan",
	"scale":                            "scale to the predicted load",
}

// DecisionWords is a planner's decision in words; one that is not known reads
// as it is spelled.
func DecisionWords(state string) string {
	if w, ok := decisions[state]; ok {
		return w
	}
	return strings.ReplaceAll(state, "_", " ")
}

// Decision returns the state whose gauge is 1, empty when none is.
func Decision(f *sources.Figure) string {
	if !f.HasValue() {
		return ""
	}
	for _, g := range f.Series {
		if p, ok := g.Last(); ok && p.V == 1 {
			return g.Labels["state"]
		}
	}
	return ""
}
