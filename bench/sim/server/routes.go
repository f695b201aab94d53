package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dynascope/bench/sim/world"
)

// frontendRoutes are those of a dynamo.frontend.
func (s *Server) frontendRoutes(mux *http.ServeMux, l *listening) {
	mux.HandleFunc("POST /v1/chat/completions", s.answers(l.Name, "chat_completions"))
	mux.HandleFunc("POST /v1/completions", s.answers(l.Name, "completions"))
	mux.HandleFunc("GET /v1/models", s.models("nvidia"))
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]string{"status": "live", "message": "Service is live"})
	})
	mux.HandleFunc("GET /health", s.frontendHealth)
}

func (s *Server) models(owner string) http.HandlerFunc {
	created := s.driver.start.Unix()
	return func(w http.ResponseWriter, _ *http.Request) {
		data := []any{}
		for _, m := range s.world.Models() {
			entry := map[string]any{"id": m, "object": "model", "created": created, "owned_by": owner}
			if owner == "sglang" {
				entry["root"], entry["max_model_len"] = m, 40960
			} else {
				entry["context_window"] = 0
			}
			data = append(data, entry)
		}
		writeJSON(w, 200, map[string]any{"object": "list", "data": data})
	}
}

// frontendHealth lists the registered instances; the address in it is the
// request plane's, where nothing listens here.
func (s *Server) frontendHealth(w http.ResponseWriter, _ *http.Request) {
	var instances []world.Instance
	s.driver.look(func() { instances = s.world.Instances() })
	sc := s.world.Scenario()
	ns, old := sc.Deployment.Namespace, sc.Deployment.Generation == "1.4"
	if len(instances) == 0 {
		writeJSON(w, 200, map[string]any{"status": "unhealthy", "message": "No endpoints available", "endpoints": []string{}, "instances": []any{}})
		return
	}
	seen := map[string]bool{}
	endpoints, list := []string{}, []any{}
	for _, i := range instances {
		name := "dyn://" + ns + "." + i.Component + "." + i.Endpoint
		if !seen[name] {
			seen[name] = true
			endpoints = append(endpoints, name)
		}
		tail := fmt.Sprintf("%x/%s/%s/%s", i.ID, ns, i.Component, i.Endpoint)
		if old {
			tail = fmt.Sprintf("%x/%s", i.ID, i.Endpoint)
		}
		e := map[string]any{
			"component": i.Component, "endpoint": i.Endpoint, "namespace": ns, "instance_id": i.ID,
			"transport": map[string]string{"tcp": "127.0.0.1:1/" + tail},
		}
		if !old {
			e["device_type"], e["request_plane_codec"] = "cuda", "msgpack"
		}
		list = append(list, e)
	}
	writeJSON(w, 200, map[string]any{"status": "healthy", "endpoints": endpoints, "instances": list})
}

// workerRoutes are those of a worker's system port.
func (s *Server) workerRoutes(mux *http.ServeMux, l *listening) {
	routes := map[string]http.HandlerFunc{}
	if !s.world.Mocker() && s.world.Engine(l.Name) != "trtllm" && !s.opt.NoProfileRoutes {
		p := s.profilerFor(l)
		prefix := "control/"
		if s.opt.OldEngineRoutes {
			prefix = ""
		}
		routes[prefix+"start_profile"] = s.profileStart(p, false)
		routes[prefix+"stop_profile"] = s.profileStop(p, false)
	}
	s.systemRoutes(mux, l, routes)
}

// systemRoutes are those of any Dynamo system port, with a process's own below
// /engine/.
func (s *Server) systemRoutes(mux *http.ServeMux, l *listening, routes map[string]http.HandlerFunc) {
	health := s.systemHealth(l)
	mux.HandleFunc("/health", health)
	mux.HandleFunc("/live", health)
	mux.HandleFunc("/metadata", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 404, map[string]string{"error": "Discovery metadata not available"})
	})
	// Any method: a plain GET starts a profile.
	mux.HandleFunc("/engine/", func(w http.ResponseWriter, r *http.Request) {
		if h := routes[strings.TrimPrefix(r.URL.Path, "/engine/")]; h != nil {
			h(w, r)
			return
		}
		writeJSON(w, 404, map[string]string{"error": "Route not found", "message": "Route " + r.URL.Path + " not found"})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Route not found", 404) })
}

func (s *Server) systemHealth(l *listening) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		endpoints := map[string]string{}
		var up time.Duration
		s.driver.look(func() {
			up = s.world.Uptime(l.Name)
			for _, i := range s.world.Instances() {
				if i.Worker == l.Name {
					endpoints[i.Endpoint] = "ready"
				}
			}
		})
		status, code := "ready", 200
		if l.Role == world.RoleWorker && s.world.Mocker() && !s.opt.Ready || len(endpoints) == 0 {
			status, code = "notready", 503
		}
		raw, err := json.Marshal(map[string]any{
			"status": status, "endpoints": endpoints,
			"uptime": map[string]int64{"secs": int64(up / time.Second), "nanos": int64(up % time.Second)},
		})
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		_, _ = w.Write(raw) // a client that went away is no error of the server
	}
}

// sglangRoutes are those of an SGLang launch_server.
func (s *Server) sglangRoutes(mux *http.ServeMux, l *listening) {
	mux.HandleFunc("POST /v1/chat/completions", s.answers(l.Name, "chat_completions"))
	mux.HandleFunc("POST /v1/completions", s.answers(l.Name, "completions"))
	mux.HandleFunc("GET /v1/models", s.models("sglang"))
	for _, path := range []string{"GET /health", "GET /health_generate"} {
		mux.HandleFunc(path, func(http.ResponseWriter, *http.Request) {}) // 200 and nothing in it
	}
	info := func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{
			"model_path": l.Model, "tokenizer_path": l.Model, "is_generation": true, "weight_version": "default",
			"has_image_understanding": false, "has_audio_understanding": false, "model_type": "qwen3",
			"architectures": []string{"Qwen3ForCausalLM"},
		})
	}
	mux.HandleFunc("GET /model_info", info)
	mux.HandleFunc("GET /get_model_info", info)
	mux.HandleFunc("GET /server_info", s.serverInfo(l))
	mux.HandleFunc("GET /get_server_info", s.serverInfo(l))
	mux.HandleFunc("GET /v1/loads", s.loads(l))
	if !s.opt.NoProfileRoutes {
		p := s.profilerFor(l)
		mux.HandleFunc("/start_profile", s.profileStart(p, true))
		mux.HandleFunc("/stop_profile", s.profileStop(p, true))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 404, map[string]string{"detail": "Not Found"})
	})
}

const sglangVersion = "0.5.23"

func (s *Server) serverInfo(l *listening) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var loads []world.RankLoad
		s.driver.look(func() { loads = s.world.Loads(l.Name) })
		states := []any{}
		capacity, limit := 0, 0
		for _, r := range loads {
			capacity, limit = r.Load.KVTokens, r.MaxRunning
			states = append(states, map[string]any{
				"effective_max_running_requests_per_dp": r.MaxRunning, "last_gen_throughput": r.Load.Throughput,
				"memory_usage":        map[string]any{"weight": 61.0, "kvcache": 52.0, "token_capacity": r.Load.KVTokens, "graph": 1.8},
				"disaggregation_mode": "null", "startup_time": 33.0,
			})
		}
		writeJSON(w, 200, map[string]any{
			"model_path": l.Model, "served_model_name": l.Model, "tp_size": l.TP, "dp_size": max(l.DP, 1), "pp_size": 1, "ep_size": 1,
			"mem_fraction_static": 0.88, "max_running_requests": limit, "chunked_prefill_size": 8192, "attention_backend": "fa3",
			"schedule_policy": "fcfs", "enable_metrics": true, "api_key": nil, "host": "127.0.0.1",
			"max_total_num_tokens": capacity, "max_req_input_len": 40954, "internal_states": states, "version": sglangVersion,
		})
	}
}
