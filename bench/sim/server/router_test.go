package server

import (
	"context"
	"strings"
	"testing"

	"dynascope/bench/load"
)

// A standalone router listens on a port of its own and has the router's
// families; the frontend beside it has them at zero.
func TestStandaloneRouter(t *testing.T) {
	s := start(t, `
duration: 1h
deployment:
  models: [tiny]
  router: {standalone: true}
  pools: [{workers: 2, tp: 2, params: {step_overhead: 500us, weight_time: 1ms, comm_per_step: 1us}}]
`, Options{})
	front := s.url(t, "frontend0")
	r, err := load.New().Run(context.Background(), load.Plan{
		URL: front, Model: "tiny", Requests: 20, Concurrency: 4, ISL: 100, OSL: 10, Stream: true, Seed: 1,
	})
	if err != nil || r.OK != 20 {
		t.Fatalf("%+v, %v", r, err)
	}
	var router Endpoint
	for _, e := range s.Endpoints() {
		if e.Role == "router" {
			router = e
		}
	}
	if router.Name != "router0" || router.URL == front || router.Metrics != router.URL+"/metrics" || len(router.WorkerID) < 15 || router.Component != "router" {
		t.Fatalf("the router is listed as %+v", router)
	}
	status, page := get(t, "GET", router.Metrics, "")
	if status != 200 {
		t.Fatalf("%d", status)
	}
	for _, want := range []string{
		`dynamo_component_requests_total{dynamo_component="router",dynamo_endpoint="generate",dynamo_namespace="dynamo",service="router",worker_id="` + router.WorkerID + `"} 20`,
		`dynamo_component_uptime_seconds{worker_id="` + router.WorkerID + `"} `,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("not on the router's page: %s", want)
		}
	}
	const count = "dynamo_component_router_requests_total{"
	if line := lineOf(page, count); !strings.HasSuffix(line, " 20") || !strings.Contains(line, `dynamo_component="backend"`) {
		t.Errorf("on the router's page: %s", line)
	}
	_, page = get(t, "GET", front+"/metrics", "")
	if line := lineOf(page, count); !strings.HasSuffix(line, " 0") {
		t.Errorf("on the frontend's page: %s", line)
	}
	if strings.Contains(page, "dynamo_router_overhead_") {
		t.Error("the frontend's page has a router's overhead")
	}
	for path, want := range map[string]string{"/health": `"best_worker_id":"ready"`, "/live": `"status":"ready"`, "/engine/control/start_profile": "Route not found", "/other": "Route not found"} {
		if _, body := get(t, "GET", router.URL+path, ""); !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
	if _, body := get(t, "GET", front+"/health", ""); !strings.Contains(body, `dyn://dynamo.router.generate`) {
		t.Errorf("the frontend does not know it: %s", body)
	}
}

func lineOf(page, prefix string) string {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
