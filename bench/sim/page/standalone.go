package page

import (
	"strconv"
	"strings"
)

// RouterOptions says which standalone router a page is of.
type RouterOptions struct {
	// Namespace is dynamo_namespace, default "dynamo"; Component that of the
	// workers that it routes to, default "backend".
	Namespace, Component string
	// WorkerID is the process's own instance, shown in hexadecimal; RouterID
	// is the router's, shown in decimal.
	WorkerID, RouterID uint64
}

// RouterPage is the page of a standalone router's system port
// (`python -m dynamo.router`).
//
// No page of one was recorded. Known from Dynamo's documents and source: the
// router families are made for the component of the workers that it routes to,
// so that dynamo_component says backend or prefill as on a frontend's page;
// its own endpoints are counted as any worker's, under the component router
// with a label service; and the overhead, queue and belief families, which a
// frontend makes for itself, are not there. Whether the families of its KV
// index are there is not known; they are left out.
type RouterPage struct {
	Page
	Process workerHandles
	Router  RouterHandles

	gen Gen
}

// standaloneFamilies are the families of a router that a standalone one has.
var standaloneFamilies = map[string]bool{
	"requests_started_total": true, "requests_total": true, "time_to_first_token_seconds": true, "inter_token_latency_seconds": true,
	"input_sequence_tokens": true, "output_sequence_tokens": true, "kv_hit_rate": true, "kv_transfer_estimated_latency_seconds": true,
	"shared_cache_hit_rate": true, "shared_cache_beyond_blocks": true, "non_max_overlap_selections_total": true,
	"overlap_blocks_lost": true, "worker_registered": true,
}

// processFamilies are those of any process that serves an endpoint.
var processFamilies = map[string]bool{
	"requests_total": true, "inflight_requests": true, "request_duration_seconds": true, "request_bytes_total": true,
	"response_bytes_total": true, "cancellation_total": true, "errors_total": true, "uptime_seconds": true, "system_uptime_seconds": true,
}

// StandaloneEndpoints are what a standalone router serves: requests, and the
// question where one would go.
var StandaloneEndpoints = []string{generate, "best_worker_id"}

// Router makes the page of a standalone router that has just started.
func Router(gen Gen, o RouterOptions) *RouterPage {
	o.Namespace, o.Component = or(o.Namespace, "dynamo"), or(o.Component, "backend")
	p := &RouterPage{gen: gen}
	process := source{
		page: &p.Page, table: "worker", gen: gen, style: rust,
		fixed: map[string]string{
			"dynamo_namespace": o.Namespace, "dynamo_component": "router", "worker_id": Hex(o.WorkerID), "service": "router",
		},
		only: func(family string) bool {
			rest, ok := strings.CutPrefix(family, "dynamo_component_")
			return ok && processFamilies[rest] || strings.HasPrefix(family, "dynamo_work_handler_")
		},
	}
	process.declare()
	process.bind(&p.Process)
	for _, name := range StandaloneEndpoints {
		process.happen("endpoint", map[string]string{"endpoint": name})
	}
	router := source{
		page: &p.Page, table: "frontend", gen: gen, style: rust, features: []string{"kv"},
		fixed: map[string]string{
			"dynamo_namespace": o.Namespace, "dynamo_component": o.Component, "worker_id": Hex(o.WorkerID),
			"router_id": strconv.FormatUint(o.RouterID, 10),
		},
		only: func(family string) bool {
			rest, ok := strings.CutPrefix(family, "dynamo_component_router_")
			return ok && standaloneFamilies[rest]
		},
	}
	router.declare()
	router.bind(&p.Router)
	return p
}

// Received counts a request in: its bytes, and the seconds that it was on the
// network.
func (p *RouterPage) Received(bytes int, transit float64) {
	h := &p.Process
	h.Requests.Inc(generate)
	h.Inflight.Add(1, generate)
	h.BytesIn.Add(float64(bytes), generate)
	h.NetworkTransit.Observe(transit)
	h.PoolActive.Add(1)
}

// Accepted records the seconds from receipt until the answer's stream was
// opened: not the first token.
func (p *RouterPage) Accepted(seconds float64) { p.Process.FirstResponse.Observe(seconds) }

// Placed records a decision.
func (p *RouterPage) Placed(d Decision) {
	r := &p.Router
	r.Started.Inc()
	if p.gen.index() >= Gen16.index() {
		r.ISL.Observe(float64(d.ISL), d.Model, d.Phase)
	} else {
		r.ISL.Observe(float64(d.ISL))
	}
	r.HitRate.Observe(d.HitRate)
}

// Done counts a request out: the bytes of its answer and its seconds in the
// router. Its tokens count where the router had an answer.
func (p *RouterPage) Done(bytes int, seconds float64, answered bool, tokens int) {
	h := &p.Process
	h.Inflight.Add(-1, generate)
	h.BytesOut.Add(float64(bytes), generate)
	h.Duration.Observe(seconds, generate)
	h.PoolActive.Add(-1)
	if answered {
		p.Router.Requests.Inc()
		p.Router.OSL.Observe(float64(tokens))
	}
}

// WorkerJoined registers a worker's DP ranks.
func (p *RouterPage) WorkerJoined(id uint64, ranks int, workerType string) {
	for rank := range ranks {
		p.Router.Registered.Set(1, decimal(id), strconv.Itoa(rank), workerType)
	}
}

// WorkerLeft takes a worker off the router.
func (p *RouterPage) WorkerLeft(id uint64) { p.Router.Registered.Forget(decimal(id)) }
