//go:build e2e_dynamo

package e2edynamo

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
	"dynascope/cmd/dynascope/e2e/tmux"
)

// TestTheRealPlannerDrivesItsStrip: what the real planner decides stands in
// the Routing pane, in words, and equals its page.
func TestTheRealPlannerDrivesItsStrip(t *testing.T) {
	d := up(t, "1.4.2", "agg", "--planner")
	d.run(t, load.Plan{Requests: 60, Concurrency: 8, ISL: 200, OSL: 30, Seed: 21})
	// It decides every five seconds; the first decision is there within two.
	for deadline := time.Now().Add(30 * time.Second); sum(page(t, d.Planner), "dynamo_planner_predicted_num_decode_replicas") == 0; time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatal("the planner has not decided anything within 30 s")
		}
	}
	args := append(d.targets(), "--target", d.Planner)
	doc, err := ask(bin(t), append(args, "--for", "5s")...)
	if err != nil {
		t.Fatal(err)
	}
	front := page(t, d.Planner)
	for key, family := range map[string]string{
		"planner.decode_replicas":           "dynamo_planner_num_decode_replicas",
		"planner.predicted_decode_replicas": "dynamo_planner_predicted_num_decode_replicas",
		"planner.target_ttft":               "dynamo_planner_sla_target_ttft_ms",
	} {
		i := slices.IndexFunc(doc.Figures, func(f figureOf) bool { return f.Key == key })
		if i < 0 || doc.Figures[i].Status != "ok" || len(doc.Figures[i].Groups) == 0 || doc.Figures[i].Groups[0].Value == nil {
			t.Errorf("%s: not among the figures with a value", key)
			continue
		}
		want := sum(front, family)
		if strings.HasSuffix(family, "_ms") {
			want /= 1000
		}
		if got := *doc.Figures[i].Groups[0].Value; got != want {
			t.Errorf("%s: %g, on the page %g", key, got, want)
		}
	}
	s := tmux.Start(t, 140, 42, nil, append([]string{bin(t)}, args...)...)
	s.Until(15*time.Second, "LIVE")
	s.Keys("3")
	s.Until(20*time.Second, "planner", "decode")
	s.Keys("q")
}
