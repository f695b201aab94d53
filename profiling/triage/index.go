package triage

import (
	"strings"

	"dynascope/sources"
)

// Sight is how many of the workers that the router may choose send it their
// KV events.
type Sight struct {
	Connected, Registered float64
	Status                sources.Status // of the connections
	// Known: both numbers are there.
	Known bool
}

// Blind is how many of them the router cannot see into.
func (s Sight) Blind() float64 { return max(s.Registered-s.Connected, 0) }

var (
	needSources    = sources.Need{Key: "router.kv_event_sources", Form: sources.FormNow, By: "state"}
	needRegistered = sources.Need{Key: "router.registered", Form: sources.FormNow, By: "worker_id,dp_rank"}
)

// SightNeeds are the figures that RouterSight reads.
func SightNeeds() []sources.Need { return []sources.Need{needSources, needRegistered} }

// RouterSight counts them. There is a source for each worker and DP rank; only
// active ones feed the index. Several routers each have their own sources.
func RouterSight(s *sources.Snapshot) Sight {
	f, reg := s.Figure(needSources), s.Figure(needRegistered)
	out := Sight{Status: f.Status}
	if v, ok := f.Where(sources.Labels{"state": "active"}); ok {
		out.Connected = v
	}
	for _, g := range reg.Series {
		if p, ok := g.Last(); ok && p.V > 0 {
			out.Registered++
		}
	}
	out.Known = f.Live() && reg.Live()
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
