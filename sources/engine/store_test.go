package engine

import (
	"context"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

// TestIntoTheStore carries a server's answers to a figure of the catalogue: the
// server has no /metrics, and its load is there all the same.
func TestIntoTheStore(t *testing.T) {
	f := newFake(t)
	p, err := NewPoller(PollerOptions{URL: f.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := embedded.Open(t.Context(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	const instance = "worker:30000"
	if _, err := s.AddLocal(t.Context(), embedded.LocalSpec{Instance: instance, Interval: p.Interval(), Quiet: true, Page: p.Page}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for key, want := range map[string]float64{"engine.running": 71, "engine.waiting": 2, "engine.kv_capacity_tokens": 804000, "engine.page_size": 64, "engine.is_sglang": 1} {
		q, err := catalog.Default().Query(sources.Need{Key: key, Form: sources.FormNow, By: "instance"}, time.Minute, catalog.Scope{Match: map[string]string{"model": "qwen3"}})
		if err != nil {
			t.Fatal(err)
		}
		for {
			got, err := s.Instant(ctx, q.Expr, time.Now())
			if err == nil && len(got) == 1 && got[0].Labels["instance"] == instance {
				if v, _ := got[0].Last(); v.V != want {
					t.Errorf("%s is %v, want %v", key, v.V, want)
				}
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("%s: %v, %v", key, got, err)
			}
			time.Sleep(10 * time.Millisecond) // the first page is on its way
		}
	}
}
