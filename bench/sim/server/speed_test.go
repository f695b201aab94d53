package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkStreams holds 1 000 streams at 50 tokens a second over 16 workers
// for ten seconds, on one core of this process; the clients are a process of
// their own. It prints the server's own lateness.
//
//	taskset -c 0 go test -run '^$' -bench Streams -benchtime 1x ./bench/sim/server
func BenchmarkStreams(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range b.N {
		s := start(b, `
duration: 1h
deployment:
  models: [tiny]
  pools:
  - {workers: 16, tp: 1, params: {max_running: 128, kv_pages: 100000, step_overhead: 1ms, weight_time: 19ms,
     decode_per_seq: 0s, decode_per_kv_token: 0, prefill_per_token: 1us, prefill_per_token_context: 0}}
  exporters: {dcgm: false}
`, Options{})
		streams(b, s.url(b, "frontend0"), 1000, 500, s.Lateness)
	}
}

// BenchmarkFixedStreams is the same for the fixed schedule.
func BenchmarkFixedStreams(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for range b.N {
		f, err := StartFixed(context.Background(), FixedOptions{TTFT: 100 * time.Millisecond, ITL: 20 * time.Millisecond, Model: "tiny"})
		if err != nil {
			b.Fatal(err)
		}
		streams(b, f.URL(), 1000, 500, f.Lateness)
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	}
}

func streams(b *testing.B, url string, n, osl int, late func() Lateness) {
	b.Helper()
	args := []string{os.Args[0], "-test.run=^TestStreamClients$", "-test.v"}
	if taskset, err := exec.LookPath("taskset"); err == nil && runtime.NumCPU() == 1 {
		// The server is pinned to the first core, so its clients get the second.
		args = append([]string{taskset, "-c", "1"}, args...)
	}
	child := exec.Command(args[0], args[1:]...)
	child.Env = append(os.Environ(), "GOMAXPROCS=1", "SIM_STREAMS="+strconv.Itoa(n), "SIM_URL="+url, "SIM_OSL="+strconv.Itoa(osl))
	out, err := child.CombinedOutput()
	if err != nil {
		b.Fatalf("clients: %v\n%s", err, out)
	}
	l := late()
	b.ReportMetric(float64(l.P50)/1e6, "p50-late-ms")
	b.ReportMetric(float64(l.P99)/1e6, "p99-late-ms")
	b.ReportMetric(float64(l.Worst)/1e6, "worst-late-ms")
	b.ReportMetric(float64(l.Tokens), "tokens")
	if l.Tokens != uint64(n*osl) {
		b.Errorf("%d tokens of %d", l.Tokens, n*osl)
	}
}

// TestStreamClients is the clients' process of the benchmarks; by itself it
// does nothing. Its streams start over two seconds, so that they are in
// independent phase.
func TestStreamClients(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SIM_STREAMS"))
	if n == 0 {
		t.Skip("not a child of a benchmark")
	}
	addr := strings.TrimPrefix(os.Getenv("SIM_URL"), "http://")
	body := `{"model":"tiny","stream":true,"max_tokens":` + os.Getenv("SIM_OSL") + `,"messages":[{"role":"user","content":"a b c d"}]}`
	request := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	var wait sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for i := range n {
		wait.Go(func() {
			time.Sleep(time.Duration(i) * 2 * time.Second / time.Duration(n))
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, err := c.Write([]byte(request)); err != nil {
				t.Error(err)
				return
			}
			r := bufio.NewReaderSize(c, 4096)
			for {
				line, err := r.ReadSlice('\n')
				if bytes.HasPrefix(line, []byte("data: [DONE]")) {
					mu.Lock()
					done++
					mu.Unlock()
				}
				if err != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	if done != n {
		t.Errorf("%d of %d streams ended well", done, n)
	}
}
