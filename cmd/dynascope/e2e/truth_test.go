//go:build e2e

package e2e

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestLiveTTFTAgainstTheTruth looks at a simulated deployment over real HTTP
// and reports how often the shown bounds miss the true quantile. Live, scrapes
// and clocks are not aligned with the truth, so the rate is reported and only
// a wrong order of magnitude fails; in virtual time bench/sim/virtual holds
// the same bounds exactly.
func TestLiveTTFTAgainstTheTruth(t *testing.T) {
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	sim := exec.Command(bin(t), "sim", "--scenario", "bursty-healthy", "--truth", truth)
	out, err := sim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Process.Kill() })
	var doc struct {
		Endpoints []struct{ Role, Metrics string }
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &doc) != nil {
		t.Fatalf("%v: %s", err, line)
	}
	args := []string{"--once", "--json", "--for", "15s"}
	for _, e := range doc.Endpoints {
		if e.Role == "frontend" {
			args = append(args, "--target", e.Metrics)
		}
	}
	raw, err := exec.Command(bin(t), args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = sim.Wait()

	var shown struct {
		At      time.Time
		Latency []struct {
			Key       string
			N         float64
			WindowS   float64 `json:"window_s"`
			Quantiles map[string]struct {
				Lo float64
				Hi *float64
			}
		}
	}
	if err := json.Unmarshal(raw, &shown); err != nil {
		t.Fatal(err)
	}
	l := shown.Latency[0]
	if l.Key != "frontend.ttft" || l.N < 10 {
		t.Fatalf("no TTFT shown: %+v", l)
	}
	to := shown.At.Sub(began).Seconds()
	seen := ttfts(t, truth, to-l.WindowS, to)
	// Requests that were still streaming when the simulation stopped are not
	// in its log.
	if n := float64(len(seen)); n < l.N/2 || n > 2*l.N {
		t.Fatalf("shown n %.0f, true %.0f", l.N, n)
	}
	missed := 0
	for name, q := range map[string]float64{"p50": 0.5, "p95": 0.95, "p99": 0.99} {
		b := l.Quantiles[name]
		true0 := seen[int(math.Ceil(q*float64(len(seen))))-1]
		in := true0 > b.Lo && (b.Hi == nil || true0 <= *b.Hi)
		if !in {
			missed++
		}
		t.Logf("%s: true %.3f s, shown in (%g, %v], inside: %v", name, true0, b.Lo, value(b.Hi), in)
		if b.Hi != nil && (true0 > 3**b.Hi || true0 < b.Lo/3) {
			t.Errorf("%s is off by more than a bucket", name)
		}
	}
	t.Logf("live: %d of 3 bounds missed the truth over %d requests", missed, len(seen))
}

func value(p *float64) float64 {
	if p == nil {
		return math.Inf(1)
	}
	return *p
}

// ttfts are the true times to first token of streams whose first token came
// between from and to, sorted.
func ttfts(t *testing.T, file string, from, to float64) []float64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []float64
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var l struct {
			Request *struct {
				Stream bool
				First  float64 `json:"first_token"`
				TTFT   float64
				Tokens int
			}
		}
		if json.Unmarshal(lines.Bytes(), &l) != nil || l.Request == nil {
			continue
		}
		if r := l.Request; r.Stream && r.Tokens > 0 && r.First > from && r.First <= to {
			out = append(out, r.TTFT)
		}
	}
	slices.Sort(out)
	return out
}
