package page

import (
	"strings"
	"testing"
)

// TestStandaloneRouter: what the references say of its page, and nothing else.
func TestStandaloneRouter(t *testing.T) {
	p := Router(Gen16, RouterOptions{WorkerID: 0xabc, RouterID: 1 << 63, Component: "prefill"})
	p.WorkerJoined(7, 2, "prefill")
	p.Received(1000, 0.001)
	p.Accepted(0.002)
	p.Placed(Decision{Model: "m", Phase: "prefill", ISL: 300, HitRate: 0.5})
	p.Router.TTFT.Observe(0.2)
	p.Done(500, 0.3, true, 1)
	text := string(p.AppendTo(nil))
	for _, want := range []string{
		`dynamo_component_requests_total{dynamo_component="router",dynamo_endpoint="generate",dynamo_namespace="dynamo",service="router",worker_id="abc"} 1`,
		`dynamo_component_requests_total{dynamo_component="router",dynamo_endpoint="best_worker_id",dynamo_namespace="dynamo",service="router",worker_id="abc"} 0`,
		`dynamo_component_inflight_requests{dynamo_component="router",dynamo_endpoint="generate",dynamo_namespace="dynamo",service="router",worker_id="abc"} 0`,
		`dynamo_component_router_requests_total{dynamo_component="prefill",dynamo_namespace="dynamo",router_id="9223372036854775808",worker_id="abc"} 1`,
		`dynamo_component_router_kv_hit_rate_sum{dynamo_component="prefill",dynamo_namespace="dynamo",router_id="9223372036854775808",worker_id="abc"} 0.5`,
		`dynamo_component_router_worker_registered{dp_rank="1",dynamo_component="prefill",dynamo_namespace="dynamo",router_worker_id="7",worker_id="abc",worker_type="prefill"} 1`,
		`dynamo_component_uptime_seconds{worker_id="abc"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("not on the page: %s", want)
		}
	}
	for _, none := range []string{"dynamo_frontend_", "dynamo_router_overhead_", "dynamo_tokio_", "kv_publisher", "sglang:", "dynamo_request_plane_"} {
		if strings.Contains(text, none) {
			t.Errorf("%s is on the page", none)
		}
	}
	p.WorkerLeft(7)
	if strings.Contains(string(p.AppendTo(nil)), `router_worker_id="7"`) {
		t.Error("the worker left and is still registered")
	}
}

// TestSetEdges: an operator's edges replace the release's, of the frontend's
// family alone.
func TestSetEdges(t *testing.T) {
	f := Frontend(Gen16, FrontendOptions{KVRouter: true, Prefix: "acme", Edges: Edges{TTFT: []float64{0, 0.5, 3}}})
	f.TTFT.Observe(0.4, "m")
	f.Router.TTFT.Observe(0.4)
	f.Duration.Observe(0.4, "m")
	text := string(f.AppendTo(nil))
	for name, want := range map[string]int{
		"acme_time_to_first_token_seconds_bucket": 4, "dynamo_component_router_time_to_first_token_seconds_bucket": 19,
		"acme_request_duration_seconds_bucket": 11,
	} {
		if n := strings.Count(text, "\n"+name+"{"); n != want {
			t.Errorf("%s has %d buckets, want %d", name, n, want)
		}
	}
	if !strings.Contains(text, `acme_time_to_first_token_seconds_bucket{model="m",le="0.5"} 1`+"\n") {
		t.Error("no bucket up to 0.5")
	}
}

// TestLeavingSource: how often each thing happened to a source of KV events
// after a kill, as recorded of both releases.
func TestLeavingSource(t *testing.T) {
	for gen, want := range map[Gen]string{Gen14: "2", Gen16: "3"} {
		f := Frontend(gen, FrontendOptions{KVRouter: true, WorkerID: 1})
		f.WorkerJoined(5, 1, "decode", "backend", true)
		f.WorkerJoined(6, 1, "decode", "backend", true)
		f.WorkerLeft(6, 1, "backend", true)
		text := string(f.AppendTo(nil))
		for action, n := range map[string]string{"activated": "2", "preconnected": want, "removed": "1", "replaced": "1", "started": "2", "stopped": "2"} {
			line := `dynamo_component_router_kv_zmq_ingress_lifecycle_total{action="` + action + `",dynamo_component="backend",dynamo_namespace="dynamo",worker_id="1"} ` + n + "\n"
			if !strings.Contains(text, line) {
				t.Errorf("%s: not on the page: %s", gen, line)
			}
		}
	}
}
