package discover

import (
	"os"
	"testing"
)

// TestThisHost prints what a scan of this machine says; it is asked for by
// name: DISCOVER_REAL=1 go test -run ThisHost -v ./sources/discover
func TestThisHost(t *testing.T) {
	if os.Getenv("DISCOVER_REAL") == "" {
		t.Skip("set DISCOVER_REAL=1 to scan this machine")
	}
	s := New(Options{})
	for range 2 {
		r := s.Scan(t.Context())
		t.Log("took", r.Took)
		for _, l := range r.Lines() {
			t.Log(l)
		}
		t.Log("listed by a frontend, not found here:", r.Unmatched())
		for _, x := range r.Tried {
			t.Log("  tried", x)
		}
	}
}
