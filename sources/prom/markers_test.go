package prom

import (
	"slices"
	"testing"
)

// What a server writes about every target makes none one of ours, and of a
// histogram its count is enough.
func TestMarkers(t *testing.T) {
	got := markers([]string{"up", "scrape_duration_seconds", "scrape_body_size_bytes", "a_bucket", "a_count", "a_sum", "b_sum", "c_total"})
	if want := []string{"a_count", "b_sum", "c_total"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
