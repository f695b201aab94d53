package catalog

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"

	"dynascope/sources"
)

// answer is an instant answer: the labels of each group, as "a=1,b=2", and
// its value.
type answer map[string]float64

func (a answer) String() string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		out = append(out, fmt.Sprintf("{%s} %v", k, math.Round(a[k]*1e9)/1e9))
	}
	return strings.Join(out, "  ")
}

// ask evaluates a need over the whole store with a real engine.
func ask(t *testing.T, c *Catalog, store storage.Queryable, at time.Duration, n sources.Need, s Scope) (answer, Query) {
	t.Helper()
	q, err := c.Query(n, time.Minute, s)
	if err != nil {
		t.Fatal(err)
	}
	engine := promqltest.NewTestEngineWithOpts(t, promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: promQL})
	query, err := engine.NewInstantQuery(context.Background(), store, nil, q.Expr, time.Unix(0, 0).Add(at))
	if err != nil {
		t.Fatalf("%v\n%s", err, q.Expr)
	}
	defer query.Close()
	v, err := query.Exec(context.Background()).Vector()
	if err != nil {
		t.Fatalf("%v\n%s", err, q.Expr)
	}
	out := answer{}
	for _, s := range v {
		var ls []string
		s.Metric.Range(func(l labels.Label) { ls = append(ls, l.Name+"="+l.Value) })
		out[strings.Join(ls, ",")] = s.F
	}
	return out, q
}

// TestAnswers evaluates the generated PromQL. Series are one sample each 15 s
// from 0 to 60 s; the question is asked at 60 s over one minute, so that an
// increase of a +15x4 series is 60.
func TestAnswers(t *testing.T) {
	const now, rate, increase, mean, buckets, expr = sources.FormNow, sources.FormRate, sources.FormIncrease, sources.FormMean, sources.FormBuckets, sources.FormExpr
	for _, c := range []struct {
		name, load string
		key        string
		form       sources.Form
		by         string
		scope      Scope
		want       string
		allModels  bool
	}{
		{
			name: "two releases side by side add up",
			load: `
				dynamo_frontend_active_requests{instance="new",model="m"} 3x4
				dynamo_frontend_inflight_requests{instance="old",model="m"} 4x4`,
			key: "frontend.active", form: now, want: "{} 7",
		},
		{
			name: "old and new name on one instance count once",
			load: `
				dynamo_frontend_active_requests{instance="a",model="m"} 3x4
				dynamo_frontend_inflight_requests{instance="a",model="m"} 4x4
				dynamo_frontend_inflight_requests{instance="a",model="n"} 4x4`,
			key: "frontend.active", form: now, by: "model", want: "{model=m} 3",
		},
		{
			name: "each spelling in its own unit",
			load: `
				dynamo_frontend_tokenize_seconds_sum{instance="new"} 0+1x4
				dynamo_frontend_tokenize_seconds_count{instance="new"} 0+2x4
				dynamo_frontend_tokenizer_latency_ms_sum{instance="old",operation="tokenize"} 0+2000x4
				dynamo_frontend_tokenizer_latency_ms_count{instance="old",operation="tokenize"} 0+2x4
				dynamo_frontend_tokenizer_latency_ms_sum{instance="old",operation="detokenize"} 0+9000x4
				dynamo_frontend_tokenizer_latency_ms_count{instance="old",operation="detokenize"} 0+2x4`,
			key: "frontend.tokenize", form: mean, want: "{} 0.75",
		},
		{
			name: "nothing observed is no mean",
			load: `
				dynamo_frontend_tokenize_seconds_sum{instance="new"} 5x4
				dynamo_frontend_tokenize_seconds_count{instance="new"} 5x4`,
			key: "frontend.tokenize", form: mean, want: "",
		},
		{
			name: "different grids keep their common edges",
			load: `
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="a",model="m",le="0.1"} 0+1x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="a",model="m",le="2"} 0+5x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="a",model="m",le="+Inf"} 0+5x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="b",model="m",le="0.1"} 0+1x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="b",model="m",le="2.3"} 0+2x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="b",model="m",le="+Inf"} 0+3x4`,
			key: "frontend.itl", form: buckets, want: "{le=+Inf} 32  {le=0.1} 8",
		},
		{
			name: "grids are compared within a group",
			load: `
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="a",model="m",le="2"} 0+5x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="a",model="m",le="+Inf"} 0+5x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="b",model="n",le="2.3"} 0+2x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="b",model="n",le="+Inf"} 0+3x4`,
			key: "frontend.itl", form: buckets, by: "model", want: "{le=+Inf,model=m} 20  {le=+Inf,model=n} 12  {le=2,model=m} 20  {le=2.3,model=n} 8",
		},
		{
			name: "one process has one grid",
			load: `
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="a",model="m",le="2"} 0+5x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="a",model="m",le="+Inf"} 0+5x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="b",model="m",le="2.3"} 0+2x4
				dynamo_frontend_inter_token_latency_seconds_bucket{instance="b",model="m",le="+Inf"} 0+3x4`,
			key: "frontend.itl", form: buckets, by: "instance", want: "{instance=a,le=+Inf} 20  {instance=a,le=2} 20  {instance=b,le=+Inf} 12  {instance=b,le=2.3} 8",
		},
		{
			name: "edges in milliseconds become seconds",
			load: `
				dynamo_router_overhead_total_ms_bucket{instance="a",router_id="1",le="0.01"} 0+1x4
				dynamo_router_overhead_total_ms_bucket{instance="a",router_id="1",le="430467.21"} 0+5x4
				dynamo_router_overhead_total_ms_bucket{instance="a",router_id="1",le="+Inf"} 0+5x4`,
			key: "router.overhead.total", form: buckets, want: "{le=+Inf} 20  {le=0.01e-3} 4  {le=430467.21e-3} 20",
		},
		{
			name: "tensor ranks show the same requests, DP ranks their own",
			load: `
				sglang:num_running_reqs{instance="a",model_name="m",tp_rank="0",pp_rank="0",moe_ep_rank="0",dp_rank="0"} 5x4
				sglang:num_running_reqs{instance="a",model_name="m",tp_rank="1",pp_rank="0",moe_ep_rank="1",dp_rank="0"} 5x4
				sglang:num_running_reqs{instance="a",model_name="m",tp_rank="0",pp_rank="0",moe_ep_rank="0",dp_rank="1"} 2x4
				sglang:num_running_reqs{instance="a",model_name="m",tp_rank="1",pp_rank="0",moe_ep_rank="1",dp_rank="1"} 2x4`,
			key: "engine.running", form: now, by: "instance", want: "{instance=a} 7",
		},
		{
			name: "tensor ranks apart when asked for",
			load: `
				sglang:num_running_reqs{instance="a",model_name="m",tp_rank="0",pp_rank="0",moe_ep_rank="0",dp_rank="0"} 5x4
				sglang:num_running_reqs{instance="a",model_name="m",tp_rank="1",pp_rank="0",moe_ep_rank="1",dp_rank="0"} 5x4`,
			key: "engine.running", form: now, by: "tp_rank", want: "{tp_rank=0} 5  {tp_rank=1} 5",
		},
		{
			name: "counters of tensor ranks are not doubled either",
			load: `
				sglang:realtime_tokens_total{instance="a",model_name="m",mode="decode",tp_rank="0",dp_rank="0"} 0+150x4
				sglang:realtime_tokens_total{instance="a",model_name="m",mode="decode",tp_rank="1",dp_rank="0"} 0+150x4
				sglang:realtime_tokens_total{instance="a",model_name="m",mode="decode",tp_rank="0",dp_rank="1"} 0+30x4
				sglang:realtime_tokens_total{instance="a",model_name="m",mode="prefill_compute",tp_rank="0",dp_rank="1"} 0+99x4
				sglang:generation_tokens_total{instance="a",model_name="m"} 0+990x4`,
			key: "engine.decode_tokens", form: rate, by: "dp_rank", want: "{dp_rank=0} 10  {dp_rank=1} 2",
		},
		{
			name: "a ratio is never summed",
			load: `
				sglang:token_usage{instance="a",model_name="m",tp_rank="0",dp_rank="0"} 0.9x4
				sglang:token_usage{instance="a",model_name="m",tp_rank="0",dp_rank="1"} 0.5x4
				vllm:kv_cache_usage_perc{instance="b",model_name="m",engine="0"} 0.1x4
				vllm:gpu_cache_usage_perc{instance="b",model_name="m",engine="0"} 0.8x4`,
			key: "engine.kv_usage", form: now, want: "{} 0.5",
		},
		{
			name: "queues by priority are not counted beside their total",
			load: `
				sglang:num_queue_reqs{instance="a",model_name="m",priority=""} 7x4
				sglang:num_queue_reqs{instance="a",model_name="m",priority="1"} 3x4
				sglang:num_queue_reqs{instance="a",model_name="m",priority="None"} 4x4`,
			key: "engine.waiting", form: now, want: "{} 7",
		},
		{
			name: "two engines, two spellings of the DP rank",
			load: `
				sglang:num_running_reqs{instance="a",model_name="m",tp_rank="0"} 5x4
				vllm:num_requests_running{instance="b",model_name="m",engine="0"} 1x4
				vllm:num_requests_running{instance="b",model_name="m",engine="1"} 2x4`,
			key: "engine.running", form: now, by: "instance,dp_rank", want: "{dp_rank=0,instance=b} 1  {dp_rank=1,instance=b} 2  {instance=a} 5",
		},
		{
			name: "model in the variant's spelling and any case",
			load: `
				sglang:num_running_reqs{instance="a",model_name="Qwen/Qwen3-32B"} 5x4
				sglang:num_running_reqs{instance="b",model_name="Qwen/Qwen3-32B-FP8"} 6x4
				vllm:num_requests_running{instance="c",model_name="qwen/qwen3-32b"} 1x4`,
			key: "engine.running", form: now, scope: Scope{Match: map[string]string{"model": "qwen/qwen3-32b"}}, want: "{} 6",
		},
		{
			name: "a family without the model is whole and says so",
			load: `
				dynamo_frontend_stage_duration_seconds_sum{instance="a",stage="preprocess"} 0+1x4
				dynamo_frontend_stage_duration_seconds_count{instance="a",stage="preprocess"} 0+2x4`,
			key: "stage.preprocess", form: mean, scope: Scope{Match: map[string]string{"model": "m"}}, want: "{} 0.5", allModels: true,
		},
		{
			name: "a label that only some releases have",
			load: `
				dynamo_component_inflight_requests{instance="a",dynamo_endpoint="generate",worker_id="a1"} 1x4
				dynamo_component_inflight_requests{instance="b",dynamo_endpoint="generate",worker_id="b1",model="M"} 2x4
				dynamo_component_inflight_requests{instance="c",dynamo_endpoint="generate",worker_id="c1",model="other"} 4x4
				dynamo_component_inflight_requests{instance="a",dynamo_endpoint="worker_kv_query_source_1",worker_id="a1"} 8x4`,
			key: "worker.inflight", form: now, scope: Scope{Match: map[string]string{"model": "m"}}, want: "{} 3", allModels: true,
		},
		{
			name: "instances of the scope",
			load: `
				dynamo_frontend_active_requests{instance="10.0.0.1:8000",model="m"} 1x4
				dynamo_frontend_active_requests{instance="10.0.0.1:80001",model="m"} 2x4
				dynamo_frontend_active_requests{instance="10a0.0.1:8000",model="m"} 4x4
				dynamo_frontend_active_requests{instance="b",model="m"} 8x4`,
			key: "frontend.active", form: now, scope: Scope{Instances: []string{"10.0.0.1:8000", "b"}}, want: "{} 9",
		},
		{
			name: "no instance in the scope is nothing",
			load: `dynamo_frontend_active_requests{instance="a",model="m"} 1x4`,
			key:  "frontend.active", form: now, scope: Scope{Instances: []string{}}, want: "",
		},
		{
			name: "a cluster's namespace is not Dynamo's",
			load: `
				sglang:num_running_reqs{instance="a",namespace="k8s",dynamo_namespace="dyn",model_name="m"} 5x4
				vllm:num_requests_running{instance="b",namespace="k8s",model_name="m"} 1x4
				trtllm_num_requests_running{instance="c",namespace="k8s",model_name="m"} 1x4`,
			key: "engine.running", form: now, by: "namespace", want: "{} 2  {namespace=dyn} 5",
		},
		{
			name: "a label that no spelling has groups nothing",
			load: `dynamo_frontend_active_requests{instance="a",namespace="k8s",model="m"} 1x4`,
			key:  "frontend.queued_requests", form: now, by: "namespace,worker_id", want: "",
		},
		{
			name: "the router's registration names workers, not itself",
			load: `
				dynamo_component_router_worker_registered{instance="f",worker_id="18d34b",router_worker_id="13185776251899229228",dp_rank="0",worker_type="decode"} 1x4
				dynamo_component_router_worker_registered{instance="g",worker_id="18d34c",router_worker_id="13185776251899229228",dp_rank="0",worker_type="decode"} 1x4`,
			key: "router.registered", form: now, by: "worker_id,dp_rank,worker_type", want: "{dp_rank=0,worker_id=13185776251899229228,worker_type=decode} 1",
		},
		{
			name: "a frontend that restarted within the window",
			load: `
				dynamo_component_router_requests_total{instance="f",dynamo_namespace="d",dynamo_component="backend",router_id="1",worker_id="18d34b"} 0+15x4
				dynamo_component_router_requests_total{instance="f",dynamo_namespace="d",dynamo_component="backend",router_id="2",worker_id="18d34c"} 0+15x4`,
			key: "router.requests", form: increase, by: "instance,namespace", want: "{instance=f,namespace=d} 120",
		},
		{
			name: "a worker's identity, not the router's",
			load: `
				dynamo_component_inflight_requests{instance="w",dynamo_endpoint="generate",dynamo_component="prefill",dynamo_namespace="d",worker_id="b6fd"} 0x4
				dynamo_component_inflight_requests{instance="w",dynamo_endpoint="worker_kv_query_source_1",dynamo_component="prefill",dynamo_namespace="d",worker_id="b6fd"} 0x4
				dynamo_component_inflight_requests{instance="r",dynamo_endpoint="generate",dynamo_component="router",dynamo_namespace="d",worker_id="cccc"} 0x4`,
			key: "worker.identity", form: now, by: "instance,worker_hex,namespace,component", want: "{component=prefill,instance=w,namespace=d,worker_hex=b6fd} 0",
		},
		{
			name: "one GPU seen by two exporters",
			load: `
				DCGM_FI_DEV_GPU_UTIL{instance="local",source="nvml",UUID="GPU-1",gpu="0",Hostname="n1"} 80x4
				DCGM_FI_DEV_GPU_UTIL{instance="n1:9400",UUID="GPU-1",gpu="0",Hostname="n1"} 40x4
				DCGM_FI_DEV_GPU_UTIL{instance="n2:9400",UUID="GPU-2",gpu="0",Hostname="n2"} 20x4
				DCGM_FI_DEV_GPU_UTIL{instance="n3:9400",UUID="GPU-3",gpu="1",hostname="n3"} 10x4`,
			key: "gpu.util", form: now, by: "host,gpu", want: "{gpu=0,host=n1} 0.8  {gpu=0,host=n2} 0.2  {gpu=1,host=n3} 0.1",
		},
		{
			name: "memory of one GPU seen by two exporters",
			load: `
				DCGM_FI_DEV_FB_USED{instance="local",source="nvml",UUID="GPU-1",gpu="0",Hostname="n1"} 2x4
				DCGM_FI_DEV_FB_FREE{instance="local",source="nvml",UUID="GPU-1",gpu="0",Hostname="n1"} 1x4
				DCGM_FI_DEV_FB_USED{instance="n1:9400",UUID="GPU-1",gpu="0",Hostname="n1"} 2x4
				DCGM_FI_DEV_FB_FREE{instance="n1:9400",UUID="GPU-1",gpu="0",Hostname="n1"} 1x4`,
			key: "gpu.memory_total", form: expr, want: "{} 3.145728e+06",
		},
		{
			name: "hit ratio of counters, cold cache included",
			load: `
				sglang:prefill_effective_tokens_total{instance="a",model_name="m",mode="input",tp_rank="0"} 0+10x4
				sglang:prefill_effective_tokens_total{instance="a",model_name="m",mode="device_hit",tp_rank="0"} 0+20x4
				sglang:prefill_effective_tokens_total{instance="a",model_name="m",mode="host_hit",tp_rank="0"} 0+10x4
				sglang:prefill_effective_tokens_total{instance="a",model_name="m",mode="storage_hit",tp_rank="0"} 0x4
				sglang:prompt_tokens_total{instance="old",model_name="m"} 0+10x4
				vllm:prefix_cache_hits_total{instance="v",model_name="m",engine="0"} 0+1x4
				vllm:prefix_cache_queries_total{instance="v",model_name="m",engine="0"} 0+4x4
				trtllm_kv_cache_reused_blocks_total{instance="t",model_name="m"} 0+1x4
				trtllm_kv_cache_missed_blocks_total{instance="t",model_name="m"} 0+1x4`,
			key: "engine.hit_ratio", form: expr, by: "instance", want: "{instance=a} 0.75  {instance=old} 0  {instance=t} 0.5  {instance=v} 0.25",
		},
		{
			name: "no failure is a share of zero, no traffic is none",
			load: `
				dynamo_frontend_requests_total{instance="a",model="m",status="success"} 0+1x4
				dynamo_frontend_requests_total{instance="a",model="n",status="success"} 0+1x4
				dynamo_frontend_requests_total{instance="a",model="n",status="error"} 0+1x4
				dynamo_frontend_requests_total{instance="a",model="o",status="success"} 9x4`,
			key: "requests.error_share", form: expr, by: "model", want: "{model=m} 0  {model=n} 0.5",
		},
		{
			name: "only streams have a client's first token",
			load: `
				sglang:time_to_first_token_seconds_sum{instance="a",model_name="m",is_streaming="true"} 0+1x4
				sglang:time_to_first_token_seconds_count{instance="a",model_name="m",is_streaming="true"} 0+1x4
				sglang:time_to_first_token_seconds_sum{instance="a",model_name="m",is_streaming="false"} 0+9x4
				sglang:time_to_first_token_seconds_count{instance="a",model_name="m",is_streaming="false"} 0+1x4
				sglang:time_to_first_token_seconds_sum{instance="b",model_name="m",stream="False"} 0+9x4
				sglang:time_to_first_token_seconds_count{instance="b",model_name="m",stream="False"} 0+1x4
				sglang:time_to_first_token_seconds_sum{instance="c",model_name="m"} 0+3x4
				sglang:time_to_first_token_seconds_count{instance="c",model_name="m"} 0+1x4`,
			key: "engine.ttft", form: mean, want: "{} 2",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var load strings.Builder
			load.WriteString("load 15s\n")
			for _, l := range strings.Split(strings.TrimSpace(c.load), "\n") {
				load.WriteString("  " + strings.TrimSpace(l) + "\n")
			}
			store := promqltest.LoadedStorage(t, load.String())
			defer store.Close()
			got, q := ask(t, Default(), store, time.Minute, sources.Need{Key: c.key, Form: c.form, By: c.by}, c.scope)
			if got.String() != c.want {
				t.Errorf("got  %s\nwant %s\n%s", got, c.want, q.Expr)
			}
			if q.AllModels != c.allModels {
				t.Errorf("all models is %v, want %v", q.AllModels, c.allModels)
			}
		})
	}
}
