package triage

import (
	"testing"

	"dynascope/sources"
)

func TestSilent(t *testing.T) {
	of := func(engines ...string) *sources.Snapshot {
		s := sources.Snapshot{}
		for _, e := range engines {
			s.Workers = append(s.Workers, sources.Worker{Engine: e})
		}
		return sources.NewSnapshot(s, nil)
	}
	for _, c := range []struct {
		s     *sources.Snapshot
		tried []string
		want  string
	}{
		{of("trtllm"), []string{"sglang:x", "vllm:x"}, "trtllm"},
		{of("vllm", "trtllm", "vllm"), []string{"sglang:x"}, "trtllm and vllm"},
		{of("sglang"), []string{"sglang:x"}, ""},
		{of("vllm"), []string{"kvbm_x"}, ""},
		{of(""), []string{"sglang:x"}, ""},
		{of("vllm"), nil, ""},
		{nil, []string{"sglang:x"}, ""},
	} {
		if got := Silent(c.s, c.tried); got != c.want {
			t.Errorf("Silent(%v) = %q, want %q", c.tried, got, c.want)
		}
	}
}
