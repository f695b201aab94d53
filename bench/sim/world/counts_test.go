package world

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
)

// script parses a scenario for a test.
func script(t testing.TB, yaml string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// samples is a page as sums over series: by name, and of those series that
// have all the labels asked for.
type samples []sample

type sample struct {
	name, labels string
	v            float64
}

func scrape(t testing.TB, w *World, name string) samples {
	t.Helper()
	s := w.Page(name)
	if s.State != PageOK {
		t.Fatalf("page %s is in state %d", name, s.State)
	}
	return parse(t, s.Body)
}

func parse(t testing.TB, body []byte) (out samples) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		name, labels, _ := strings.Cut(line[:i], "{")
		out = append(out, sample{name, labels, v})
	}
	return out
}

// of sums the series of a name with these labels (`stage="route"`); NaN when
// there is none.
func (s samples) of(name string, labels ...string) float64 {
	sum, found := 0.0, false
next:
	for _, x := range s {
		if x.name != name {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(x.labels, l) {
				continue next
			}
		}
		sum, found = sum+x.v, true
	}
	if !found {
		return math.NaN()
	}
	return sum
}

func (s samples) has(name string, labels ...string) bool { return !math.IsNaN(s.of(name, labels...)) }

// truthLine is one line of the truth log.
type truthLine struct {
	T       float64
	Request *struct {
		Status               string
		Stream               bool
		ISL, OSL, Tokens     int
		Migrations           int
		Arrived, Ended, TTFT float64
		First                float64   `json:"first_token"`
		Gaps                 []float64 `json:"gaps_us"`
		Main, Prefill        *struct {
			Worker              string
			Received, Scheduled float64
		}
	}
	Fault, Target, Bound, Who, Worker, Event string
	On                                       bool
}

func readTruth(t testing.TB, r io.Reader) (out []truthLine) {
	t.Helper()
	d := json.NewDecoder(r)
	for {
		var l truthLine
		err := d.Decode(&l)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
}

// run advances a scenario to a time and returns its truth.
func run(t testing.TB, s *scenario.Scenario, to time.Duration) (*World, []truthLine) {
	t.Helper()
	var truth bytes.Buffer
	w := build(t, Config{Scenario: s, Truth: &truth})
	w.Advance(to)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return w, readTruth(t, &truth)
}

const aggregatedYAML = `
duration: 20s
deployment:
  generation: "%s"
  engine: sglang
  full: false
  models: [tiny]
  pools: [{workers: 2, params: {max_running: 8}}]
load:
- {kind: closed, concurrency: 16, to: 15s, isl: 256, osl: 80}
`

// All that is over is counted as the recorded deployments count it, whatever
// the release.
func TestCountsOfAggregatedService(t *testing.T) {
	for _, gen := range []string{"1.6", "1.4"} {
		t.Run(gen, func(t *testing.T) {
			w, truth := run(t, script(t, strings.Replace(aggregatedYAML, "%s", gen, 1)), 20*time.Second)
			n, ttft, tokens := 0.0, 0.0, 0.0
			for _, l := range truth {
				if l.Request != nil {
					if l.Request.Status != "success" || l.Request.Tokens != 80 || len(l.Request.Gaps) != 79 {
						t.Fatalf("request %+v", l.Request)
					}
					n++
					ttft += l.Request.TTFT
					tokens += float64(l.Request.Tokens)
				}
			}
			if n < 50 {
				t.Fatalf("%v requests", n)
			}
			f := scrape(t, w, "frontend0")
			want := map[string]float64{
				"dynamo_frontend_requests_started_total":                    n,
				"dynamo_frontend_requests_total":                            n,
				"dynamo_frontend_time_to_first_token_seconds_count":         n,
				"dynamo_frontend_time_to_first_token_seconds_sum":           ttft,
				"dynamo_frontend_inter_token_latency_seconds_count":         tokens - n,
				"dynamo_frontend_output_tokens_total":                       tokens,
				"dynamo_frontend_input_sequence_tokens_sum":                 256 * n,
				"dynamo_frontend_output_sequence_tokens_sum":                tokens,
				"dynamo_frontend_request_duration_seconds_count":            n,
				"dynamo_frontend_active_requests":                           0,
				"dynamo_frontend_inflight_requests":                         0,
				"dynamo_frontend_queued_requests":                           0,
				"dynamo_frontend_stage_requests":                            0,
				"dynamo_frontend_tokenize_seconds_count":                    n,
				"dynamo_request_plane_roundtrip_ttft_seconds_count":         n + 2,
				"dynamo_request_plane_queue_seconds_count":                  n + 2,
				"dynamo_request_plane_send_seconds_count":                   n + 2,
				"dynamo_request_plane_inflight_requests":                    0,
				"dynamo_router_overhead_total_ms_count":                     n,
				"dynamo_router_overhead_scheduling_ms_count":                n,
				"dynamo_component_router_requests_started_total":            n,
				"dynamo_component_router_requests_total":                    n,
				"dynamo_component_router_kv_hit_rate_count":                 n,
				"dynamo_component_router_time_to_first_token_seconds_count": n,
				"dynamo_component_router_output_sequence_tokens_sum":        tokens,
				"dynamo_component_router_inter_token_latency_seconds_count": 0,
				"dynamo_component_router_worker_registered":                 2,
				"dynamo_frontend_worker_active_decode_blocks":               0,
				"dynamo_frontend_worker_active_prefill_tokens":              0,
			}
			for name, v := range want {
				if got := f.of(name); math.Abs(got-v) > 1e-6 {
					t.Errorf("%s is %v, want %v", name, got, v)
				}
			}
			for stage, v := range map[string]float64{"preprocess": n, "route": n, "transport_roundtrip": n + 2} {
				if got := f.of("dynamo_frontend_stage_duration_seconds_count", `stage="`+stage+`"`); got != v {
					t.Errorf("stage %s is %v, want %v", stage, got, v)
				}
			}
			workers := append(scrape(t, w, "worker0"), scrape(t, w, "worker1")...)
			for name, v := range map[string]float64{
				"dynamo_component_requests_total": n, "dynamo_component_request_duration_seconds_count": n, "dynamo_component_inflight_requests": 0,
			} {
				if got := workers.of(name, `dynamo_endpoint="generate"`); got != v {
					t.Errorf("%s is %v, want %v", name, got, v)
				}
			}
			for name, v := range map[string]float64{
				"dynamo_work_handler_time_to_first_response_seconds_count": n + 2,
				"dynamo_work_handler_network_transit_seconds_count":        n + 2,
				"sglang:num_requests_total":                                n,
				"sglang:time_to_first_token_seconds_count":                 n,
				"sglang:inter_token_latency_seconds_count":                 tokens - n,
				"sglang:e2e_request_latency_seconds_count":                 n,
			} {
				if got := workers.of(name); got != v {
					t.Errorf("%s is %v, want %v", name, got, v)
				}
			}
			// What nests in what, as recorded: the TTFT is preprocessing, the
			// router and the roundtrip; the engine's TTFT is nearly all of the
			// last.
			mean := func(s samples, name string, over float64, labels ...string) float64 {
				return s.of(name+"_sum", labels...) / over
			}
			whole := mean(f, "dynamo_frontend_time_to_first_token_seconds", n)
			pre := mean(f, "dynamo_frontend_stage_duration_seconds", n, `stage="preprocess"`)
			router := mean(f, "dynamo_router_overhead_total_ms", n) / 1000
			trip := mean(f, "dynamo_frontend_stage_duration_seconds", n, `stage="transport_roundtrip"`)
			engine := mean(workers, "sglang:time_to_first_token_seconds", n)
			if rest := whole - pre - router - trip; math.Abs(rest) > 0.0002 {
				t.Errorf("TTFT %v is not %v + %v + %v: %v is left", whole, pre, router, trip, rest)
			}
			if engine > trip || trip-engine > 0.003 {
				t.Errorf("engine TTFT %v in a roundtrip of %v", engine, trip)
			}
			if d := whole - mean(f, "dynamo_component_router_time_to_first_token_seconds", n); math.Abs(d-30e-6) > 1e-6 {
				t.Errorf("the router's TTFT is %v less than the frontend's", d)
			}
			if router > 0.0003 || f.of("dynamo_frontend_stage_duration_seconds_sum", `stage="route"`)/n > 1e-5 {
				t.Errorf("router %v", router)
			}
		})
	}
}

// Under way, gauges and counters agree with each other, and the ITL lags by up
// to a batch a request.
func TestGaugesUnderWay(t *testing.T) {
	s := script(t, strings.Replace(strings.Replace(aggregatedYAML, "%s", "1.6", 1), "concurrency: 16", "concurrency: 24", 1))
	w := build(t, Config{Scenario: s})
	for at := time.Second; at < 14*time.Second; at += 777 * time.Millisecond {
		w.Advance(at)
		f := scrape(t, w, "frontend0")
		started, done := f.of("dynamo_frontend_requests_started_total"), f.of("dynamo_frontend_requests_total")
		if math.IsNaN(done) {
			done = 0
		}
		active := f.of("dynamo_frontend_active_requests")
		if active != started-done || active > 24 || active < 20 {
			t.Errorf("%v: active %v of %v − %v", at, active, started, done)
		}
		firsts := f.of("dynamo_frontend_time_to_first_token_seconds_count")
		if q := f.of("dynamo_frontend_queued_requests"); q != started-firsts {
			t.Errorf("%v: queued %v of %v − %v", at, q, started, firsts)
		}
		staged := f.of("dynamo_frontend_stage_requests")
		if q := f.of("dynamo_frontend_queued_requests"); math.Abs(staged-q) > 24 || staged > q {
			t.Errorf("%v: %v requests in stages, %v before their first token", at, staged, q)
		}
		itl, tokens := f.of("dynamo_frontend_inter_token_latency_seconds_count"), f.of("dynamo_frontend_output_tokens_total")
		if math.IsNaN(itl) {
			itl = 0
		}
		if lag := tokens - firsts - itl; lag < 0 || lag > 64*16 || int(itl)%1 != 0 {
			t.Errorf("%v: ITL lags by %v", at, lag)
		}
		workers := append(scrape(t, w, "worker0"), scrape(t, w, "worker1")...)
		if n := workers.of("sglang:num_running_reqs"); n > 16 {
			t.Errorf("%v: %v running", at, n)
		}
		// 256 tokens are 16 blocks; the belief holds every request sent.
		inflight := f.of("dynamo_request_plane_inflight_requests")
		if b := f.of("dynamo_frontend_worker_active_decode_blocks"); b != 16*inflight {
			t.Errorf("%v: %v blocks for %v requests", at, b, inflight)
		}
		dispatch := f.of("dynamo_frontend_stage_requests", `stage="dispatch"`)
		if p := f.of("dynamo_frontend_worker_active_prefill_tokens"); p != 256*dispatch {
			t.Errorf("%v: %v prefill tokens for %v requests", at, p, dispatch)
		}
	}
}

// Disaggregated, the router's families count both halves, and the prompt's
// tokens are the decode side's alone.
func TestCountsOfDisaggregatedService(t *testing.T) {
	w, truth := run(t, script(t, `
duration: 20s
deployment:
  full: false
  models: [tiny]
  pools: [{role: prefill, workers: 1}, {role: decode, workers: 1, dp: 2}]
load:
- {kind: closed, concurrency: 12, to: 12s, isl: 256, osl: 80}
`), 20*time.Second)
	n := 0.0
	for _, l := range truth {
		if l.Request != nil {
			n++
			if l.Request.Status != "success" || l.Request.Tokens != 80 || l.Request.Prefill == nil || l.Request.Main == nil {
				t.Fatalf("request %+v", l.Request)
			}
		}
	}
	f := scrape(t, w, "frontend0")
	for name, v := range map[string]float64{
		"dynamo_frontend_requests_total":                            n,
		"dynamo_frontend_time_to_first_token_seconds_count":         n,
		"dynamo_frontend_output_tokens_total":                       80 * n,
		"dynamo_frontend_inter_token_latency_seconds_count":         79 * n,
		"dynamo_router_overhead_total_ms_count":                     2 * n,
		"dynamo_component_router_requests_total":                    2 * n,
		"dynamo_component_router_time_to_first_token_seconds_count": 2 * n,
		"dynamo_component_router_output_sequence_tokens_sum":        81 * n,
		"dynamo_request_plane_roundtrip_ttft_seconds_count":         2*n + 1, // one prefill rank was asked for its events
		"dynamo_frontend_router_admission_received_total":           2 * n,
		"dynamo_frontend_stage_requests":                            0,
		"dynamo_request_plane_inflight_requests":                    0,
		"dynamo_frontend_worker_active_decode_blocks":               0,
		"dynamo_frontend_worker_active_prefill_tokens":              0,
		"dynamo_component_router_worker_registered":                 3,
	} {
		if got := f.of(name); got != v {
			t.Errorf("%s is %v, want %v", name, got, v)
		}
	}
	if !f.has("dynamo_frontend_worker_last_time_to_first_token_seconds", `worker_type="prefill"`) ||
		f.has("dynamo_frontend_worker_last_time_to_first_token_seconds", `worker_type="decode"`) ||
		!f.has("dynamo_frontend_worker_last_inter_token_latency_seconds", `worker_type="decode"`) {
		t.Error("the last TTFT belongs to prefill, the last ITL to decode")
	}
	if p := scrape(t, w, "worker0"); p.has("sglang:num_requests_total") || p.of("dynamo_component_requests_total", `dynamo_component="prefill"`, "generate") != n {
		t.Error("the prefill worker's page")
	}
	d := scrape(t, w, "worker1")
	if got := d.of("sglang:num_requests_total"); got != n {
		t.Errorf("%v requests at the decode engine", got)
	}
}

// What enters leaves: requests, handler slots, beliefs, KV pages.
func TestConservation(t *testing.T) {
	for _, name := range scenario.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := load(t, name)
			s.Repeat = false
			for i := range s.Load {
				s.Load[i].To = min(s.Load[i].To, 40*time.Second)
			}
			w, truth := run(t, s, s.Duration+5*time.Minute)
			ended := uint64(0)
			for _, l := range truth {
				if l.Request != nil {
					ended++
				}
			}
			left := 0
			for _, f := range w.frontends {
				left += len(f.live)
			}
			stuck := 0
			for _, k := range w.workers {
				if k.frozen > 0 {
					for _, r := range k.ranks {
						stuck += len(r.live)
					}
					stuck += len(k.stalled)
					continue
				}
				for _, r := range k.ranks {
					if k.dead {
						continue
					}
					st := r.engine.Stats()
					if len(r.live) > 0 || st.Running+st.Waiting+st.Held > 0 || st.UsedPages > 0 {
						t.Errorf("%s/%d still has %d attempts, engine %+v", k.name, r.index, len(r.live), st)
					}
					if r.belief.decodeBlocks != 0 || r.belief.prefillTokens != 0 {
						t.Errorf("%s/%d: belief %d blocks, %d tokens", k.name, r.index, r.belief.decodeBlocks, r.belief.prefillTokens)
					}
				}
				if k.handler.active != 0 || len(k.handler.queue) != 0 {
					t.Errorf("%s: handler %d, %d", k.name, k.handler.active, len(k.handler.queue))
				}
			}
			if left > stuck {
				t.Errorf("%d requests never ended", left)
			}
			if ended+uint64(left) != w.requests {
				t.Errorf("%d of %d requests in the truth", ended, w.requests)
			}
			for _, f := range w.frontends {
				if f.book == nil {
					continue
				}
				p := scrape(t, w, f.name)
				prefix := s.Deployment.Frontends.Prefix
				for _, g := range []string{"_active_requests", "_queued_requests", "_stage_requests"} {
					if got := p.of(prefix + g); got > float64(left) || got < 0 {
						t.Errorf("%s%s is %v with %d left", prefix, g, got, left)
					}
				}
			}
		})
	}
}
