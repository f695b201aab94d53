package discover

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestThisHost prints what a scan of this machine says; it is asked for by
// name: DISCOVER_REAL=1 go test -run ThisHost -v ./sources/discover
// DISCOVER_PORTS=43825,39925 stands for more documented ports: those of a
// simulated deployment, which no process names.
func TestThisHost(t *testing.T) {
	if os.Getenv("DISCOVER_REAL") == "" {
		t.Skip("set DISCOVER_REAL=1 to scan this machine")
	}
	o := Options{Ports: Ports()}
	for _, p := range strings.Split(os.Getenv("DISCOVER_PORTS"), ",") {
		if n, err := strconv.Atoi(p); err == nil {
			o.Ports = append(o.Ports, Port{Port: n, Count: 1, What: "simulated", Ask: pathMetrics})
		}
	}
	s := New(o)
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
