package world

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// idLabels differ from deployment to deployment.
var idLabels = regexp.MustCompile(`\b(worker_id|router_id|router_worker_id)="[^"]*"|worker_kv_query_source_[0-9a-f]+`)

// seriesOf counts the series of a page by name and labels, ids and edges left
// out, and says which of them have moved from zero.
func seriesOf(s samples) (count map[string]int, moved map[string]bool) {
	count, moved = map[string]int{}, map[string]bool{}
	for _, x := range s {
		if strings.Contains(x.labels, `le="`) {
			continue
		}
		key := x.name + "{" + idLabels.ReplaceAllString(x.labels, "$1")
		count[key]++
		moved[key] = moved[key] || x.v != 0
	}
	return count, moved
}

// After the same load on the same deployment, simulated pages have the series
// of the recorded ones, and the same of them have counted something.
func TestPagesAgainstRecordings(t *testing.T) {
	// What may differ, by the beginning of a series, with the reason.
	known := map[string]string{
		"dynamo_component_cancellation_total": "release 1.4.2 counts a successful request in a hundred as cancelled: chance",
		"dynamo_frontend_event_loop_stall":    "chance",
		"dynamo_tokio_":                       "the runtime's queues at that moment",
		"dynamo_frontend_failures_total":      "appears with the first failure",
	}
	aggregated := func(gen, extra string) string {
		return fmt.Sprintf(`
duration: 20s
deployment:
  generation: "%s"
  full: false
  models: [tiny]
  frontends: {migration_limit: 2}
  pools: [{workers: 2, params: {max_running: 8, kv_pages: 4096}}]%s
load:
- {kind: closed, concurrency: 24, to: 10s, isl: 256, osl: 80}
`, gen, extra)
	}
	disaggregated := func(gen string) string {
		return strings.Replace(aggregated(gen, ""), "pools: [{workers: 2, params: {max_running: 8, kv_pages: 4096}}]",
			"pools: [{role: prefill, workers: 1}, {role: decode, workers: 1}]", 1)
	}
	ranks := func(gen string) string {
		return strings.NewReplacer("full: false", "full: false\n  engine: vllm", "pools: [{workers: 2, params: {max_running: 8, kv_pages: 4096}}]",
			"pools: [{name: two, workers: 1, dp: 2}, {name: one, workers: 1}]").Replace(aggregated(gen, ""))
	}
	queued := strings.Replace(aggregated("1.6", "\n  router: {queue_threshold: 0.01}"), "4096", "1024", 1) // so that blocks are removed
	for _, c := range []struct{ release, shape, yaml string }{
		{"1.6.1", "agg", aggregated("1.6", "")},
		{"1.4.2", "agg", aggregated("1.4", "")},
		{"1.6.1", "agg-queue", queued},
		{"1.6.1", "disagg", disaggregated("1.6")},
		{"1.4.2", "disagg", disaggregated("1.4")},
		{"1.6.1", "vllm-dp2", ranks("1.6")},
		{"1.4.2", "vllm-dp2", ranks("1.4")},
	} {
		t.Run(c.release+"/"+c.shape, func(t *testing.T) {
			w, _ := run(t, script(t, c.yaml), 20*time.Second)
			for recorded, simulated := range map[string]string{"frontend": "frontend0", "worker0": "worker0", "worker1": "worker1"} {
				path := filepath.Join("../../../sources/testdata/pages", c.release, c.shape, "after", recorded+".metrics.txt")
				raw, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				want, wantMoved := seriesOf(parse(t, raw))
				got, gotMoved := seriesOf(scrape(t, w, simulated))
				differ := func(key, how string) {
					for prefix := range known {
						if strings.HasPrefix(key, prefix) {
							return
						}
					}
					t.Errorf("%s: %s %s", simulated, key, how)
				}
				for key, n := range want {
					switch {
					case got[key] == 0:
						differ(key, "is not there")
					case got[key] != n:
						differ(key, fmt.Sprintf("is there %d times, recorded %d", got[key], n))
					case gotMoved[key] != wantMoved[key]:
						differ(key, fmt.Sprintf("has moved: %v, recorded %v", gotMoved[key], wantMoved[key]))
					}
				}
				for key := range got {
					if want[key] == 0 {
						differ(key, "was never recorded")
					}
				}
			}
		})
	}
}

// In the middle of a kill, the counts stand to each other as recorded.
func TestKillAgainstRecording(t *testing.T) {
	w, _ := run(t, script(t, `
duration: 2m
deployment:
  full: false
  models: [tiny]
  frontends: {migration_limit: 2}
  pools: [{workers: 2, params: {max_running: 8, kv_pages: 4096}}]
load:
- {kind: closed, concurrency: 12, to: 14s, isl: 256, osl: 80}
faults:
- {at: 2s, kind: kill, target: worker1}
`), 40*time.Second)
	f := scrape(t, w, "frontend0")
	n := func(name string, labels ...string) float64 {
		v := f.of(name, labels...)
		if math.IsNaN(v) {
			t.Errorf("no %s %v", name, labels)
		}
		return v
	}
	done := n("dynamo_frontend_requests_total", `status="success"`)
	ongoing := n("dynamo_frontend_model_migration_total", "ongoing_request")
	fresh := n("dynamo_frontend_model_migration_total", "new_request")
	if ongoing < 1 || ongoing > 12 || fresh < 1 || fresh > 12 {
		t.Errorf("%v ongoing and %v new requests migrated", ongoing, fresh)
	}
	for name, want := range map[string]float64{
		"dynamo_frontend_requests_started_total":                    done,
		"dynamo_frontend_time_to_first_token_seconds_count":         done,
		"dynamo_frontend_inter_token_latency_seconds_count":         79 * done,
		"dynamo_frontend_router_admission_received_total":           done + ongoing + fresh,
		"dynamo_component_router_requests_started_total":            done + ongoing + fresh,
		"dynamo_component_router_requests_total":                    done + ongoing,
		"dynamo_component_router_output_sequence_tokens_sum":        80 * done,
		"dynamo_component_router_time_to_first_token_seconds_count": done + ongoing,
		"dynamo_request_plane_roundtrip_ttft_seconds_count":         done + ongoing + 2,
		"dynamo_frontend_model_migration_duration_seconds_count":    ongoing + fresh,
	} {
		if got := n(name); got != want {
			t.Errorf("%s is %v, want %v (done %v, ongoing %v, new %v)", name, got, want, done, ongoing, fresh)
		}
	}
	if f.has("dynamo_frontend_requests_total", `status="error"`) {
		t.Error("a request failed")
	}
}
