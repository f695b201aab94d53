package engine

import (
	"context"
	"testing"

	"dynascope/bench/sim/scenario"
	"dynascope/bench/sim/server"
	"dynascope/bench/sim/world"
)

// TestSimulated asks the simulated plain servers over real HTTP.
func TestSimulated(t *testing.T) {
	sc, err := scenario.Load("plain-sglang")
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Start(context.Background(), world.Config{Scenario: sc}, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	asked := 0
	for _, e := range s.Endpoints() {
		if e.Role == "dcgm" || e.Role == "gpu" {
			continue
		}
		p, err := NewPoller(PollerOptions{URL: e.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		got := p.mustPage(t)
		if got["kv_capacity_tokens,dp_rank=0"] <= 0 || got["poll_interval_seconds"] != 2 {
			t.Errorf("%s: %v", e.Name, got)
		}
		for _, r := range p.Routes() {
			if r.Err != "" || r.Missing {
				t.Errorf("%s: %+v", e.Name, r)
			}
		}
		f := NewReader().Flags(context.Background(), Question{Instance: e.URL[len("http://"):], Info: p.Info()})
		if f.Source != FromRoute || f.Values["tp"].Value != "2" || f.Unknown == "" {
			t.Errorf("%s: %+v", e.Name, f)
		}
		asked++
	}
	if asked != 2 {
		t.Errorf("asked %d of %+v", asked, s.Endpoints())
	}
}
