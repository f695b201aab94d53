package server

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dynascope/bench/sim/world"
)

// loadSections are what /v1/loads can be asked to include. The scalars (core)
// are always there; a section of a feature that is off never.
var loadSections = []string{"all", "core", "disagg", "lora", "memory", "queues", "spec"}

// loads is a plain server's /v1/loads as SGLang 0.5.23 answers it.
func (s *Server) loads(l *listening) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		include, unknown := loadIncludes(r.URL.Query().Get("include"))
		if len(unknown) > 0 {
			writeJSON(w, 400, map[string]string{"detail": fmt.Sprintf("Invalid include sections: {%s}. Valid options: [%s]", quoted(unknown), quoted(loadSections))})
			return
		}
		only := -1
		if q := r.URL.Query().Get("dp_rank"); q != "" {
			n, err := strconv.Atoi(q)
			if err != nil {
				writeJSON(w, 422, map[string]any{"detail": []any{map[string]any{
					"type": "int_parsing", "loc": []string{"query", "dp_rank"}, "msg": "Input should be a valid integer, unable to parse string as an integer", "input": q,
				}}})
				return
			}
			only = n
		}
		var loads []world.RankLoad
		s.driver.look(func() { loads = s.world.Loads(l.Name) })
		now := time.Now()
		list := []any{}
		for rank, x := range loads {
			if only >= 0 && rank != only || only < -1 {
				continue
			}
			list = append(list, rankLoad(rank, now, x, include))
		}
		accelerator := ""
		if len(loads) > 0 {
			accelerator = loads[0].GPU
		}
		writeJSON(w, 200, map[string]any{
			"timestamp": now.UTC().Format("2006-01-02T15:04:05.000000-07:00"), "version": sglangVersion, "accelerator": accelerator,
			"num_accelerators": l.TP, "loads": list, // those behind one DP rank
		})
	}
}

// loadIncludes reads the parameter include; without it everything is asked
// for.
func loadIncludes(q string) (include map[string]bool, unknown []string) {
	if q == "" {
		q = "all"
	}
	include = map[string]bool{}
	known := strings.Join(loadSections, " ") + " "
	for part := range strings.SplitSeq(q, ",") {
		part = strings.TrimSpace(part)
		if part == "" || !strings.Contains(known, part+" ") {
			unknown = append(unknown, part)
		}
		include[part] = true
	}
	return include, unknown
}

func quoted(words []string) string { return "'" + strings.Join(words, "', '") + "'" }

// rankLoad is one element of loads.
func rankLoad(rank int, now time.Time, x world.RankLoad, include map[string]bool) map[string]any {
	round := func(v float64, digits int) float64 {
		p := math.Pow10(digits)
		return math.Round(v*p) / p
	}
	load := &x.Load
	out := map[string]any{
		"timestamp": float64(now.UnixMicro()) / 1e6, "dp_rank": rank,
		"num_running_reqs": load.Running, "num_waiting_reqs": load.Waiting, "num_waiting_uncached_tokens": x.WaitingTokens,
		"num_used_tokens": load.KVUsed, "num_total_tokens": load.KVUsed + x.WaitingTokens, "num_active_tokens": load.KVUsed + x.WaitingTokens,
		"num_prealloc_ready_tokens": 0, "max_total_num_tokens": load.KVTokens, "max_running_requests": x.MaxRunning,
		"token_usage": round(load.Usage(), 4), "gen_throughput": round(load.Throughput, 2), "cache_hit_rate": round(load.HitRate, 4),
		"utilization":                   round(float64(load.Running)/float64(max(x.MaxRunning, 1)), 4),
		"total_prefill_uncached_tokens": x.Prefilled, "total_prefill_busy_us": x.PrefillBusy.Microseconds(), "decode_moments": nil,
	}
	section := func(name, key string, value any) {
		if include["all"] || include[name] {
			out[key] = value
		}
	}
	section("memory", "memory", map[string]any{"weight_gb": round(x.WeightsGiB, 3), "kv_cache_gb": round(x.KVGiB, 3), "graph_gb": x.GraphGiB, "token_capacity": load.KVTokens})
	section("disagg", "disaggregation", map[string]any{
		"mode": "null", "prefill_bootstrap_queue_reqs": 0, "prefill_inflight_queue_reqs": 0, "decode_prealloc_queue_reqs": 0,
		"decode_transfer_queue_reqs": 0, "decode_retracted_queue_reqs": 0, "kv_transfer_speed_gb_s": 0.0, "kv_transfer_latency_ms": 0.0,
	})
	section("queues", "queues", map[string]int{"waiting": load.Waiting, "grammar": 0, "paused": 0, "retracted": 0, "prealloc_ready": 0})
	return out
}
