//go:build e2e_dynamo

package e2edynamo

import (
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
	"dynascope/cmd/dynascope/e2e/tmux"
)

// TestEveryPaneOnEveryShape: with a real Dynamo under load every screen shows
// its numbers, or says which family is absent and what brings it; nothing waits
// for ever and nothing raw is drawn.
func TestEveryPaneOnEveryShape(t *testing.T) {
	screens := []struct {
		key   string
		shows []string
	}{
		{"1", []string{"TTFT path  mean", "preprocess", "out tok/s"}},
		{"2", []string{"TTFT · frontend", "ITL · frontend", "p95", "in SLA"}},
		{"3", []string{"KV router", "find matches", "prefix reuse", "KV index", "PLANNER_PROMETHEUS_PORT"}},
		{"4", []string{"run/max", "● up"}},
		{"5", []string{"GPU", "DCGM_FI_DEV_GPU_UTIL"}},
		{"6", []string{"pool, all workers", "hit rate by tier", "KVBM"}},
		{"7", []string{"success", "arrivals", "ISL mean", "event loop"}},
	}
	each(t, func(t *testing.T, release string) {
		for _, shape := range []string{"agg", "disagg", "vllm-dp2"} {
			t.Run(shape, func(t *testing.T) {
				d := up(t, release, shape)
				stop := d.background(t, load.Plan{Duration: 2 * time.Minute, Concurrency: 12, ISL: 200, OSL: 40, Seed: 31})
				s := tmux.Start(t, 140, 42, nil, append([]string{bin(t)}, d.targets()...)...)
				s.Until(20*time.Second, "LIVE", "TTFT path  mean")
				for _, screen := range screens {
					s.Keys(screen.key)
					s.Until(15*time.Second, screen.shows...)
					s.When(15*time.Second, "no figure that waits", func(text string) bool { return !strings.Contains(text, "waiting for") })
					for _, line := range strings.Split(s.Screen(), "\n") {
						for _, bad := range []string{"%!", "NaN"} {
							if strings.Contains(line, bad) {
								t.Errorf("screen %s: %s", screen.key, line)
							}
						}
					}
				}
				s.Keys("q")
				stop()
			})
		}
	})
}
