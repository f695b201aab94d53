//go:build prometheus

package contract

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"

	"dynascope/sources/prom"
)

const module = "../../.ci/prometheus"

var pin = regexp.MustCompile(`github.com/prometheus/prometheus (v\S+)`)

// version is the pinned version, which both modules must name.
func version(t *testing.T) string {
	t.Helper()
	var found []string
	for _, f := range []string{filepath.Join(module, "go.mod"), "../../go.mod"} {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := pin.FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s does not pin Prometheus", f)
		}
		found = append(found, string(m[1]))
	}
	if found[0] != found[1] {
		t.Fatalf("the server is pinned at %s and the console's engine at %s; hint: (cd .ci/prometheus && go get -tool github.com/prometheus/prometheus/cmd/prometheus@%s)", found[0], found[1], found[1])
	}
	return found[0]
}

var built sync.Mutex

// binary builds the server, or finds it built. It fails where it cannot.
func binary(t *testing.T) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(cache, "dynascope", "prometheus-"+version(t), "prometheus")
	if _, err := os.Stat(bin); err == nil {
		return bin
	}
	began := time.Now()
	// The cloud providers' discovery, left out, is most of the build.
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "netgo,remove_all_sd", "-ldflags", "-s -w", "-o", bin+".part", "github.com/prometheus/prometheus/cmd/prometheus")
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the Prometheus server: %v\n%s", err, out)
	}
	if err := os.Rename(bin+".part", bin); err != nil {
		t.Fatal(err)
	}
	t.Logf("built %s in %v", bin, time.Since(began).Round(time.Second))
	return bin
}

// server runs a Prometheus with a configuration and returns its address.
func server(t *testing.T, config string) string {
	t.Helper()
	bin, dir := binary(t), t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	var log bytes.Buffer
	cmd := exec.Command(bin, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--web.enable-remote-write-receiver", "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the server said:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := http.Get("http://" + addr + "/-/ready")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return "http://" + addr
			}
		}
		select {
		case <-ended:
			t.Fatalf("the server ended:\n%s", log.String())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the server is not ready after a minute")
		}
	}
}

// remote opens a server as a store.
func remote(t *testing.T, url string, keep []string) *prom.Store {
	t.Helper()
	s, err := prom.Open(context.Background(), prom.Options{URL: url, KeepNames: keep, Refresh: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// write sends samples to a server as they are, stale markers included.
func write(t *testing.T, url string, series []prompb.TimeSeries) {
	t.Helper()
	const batch = 2000
	for len(series) > 0 {
		n := min(batch, len(series))
		body, err := (&prompb.WriteRequest{Timeseries: series[:n]}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		series = series[n:]
		req, err := http.NewRequest(http.MethodPost, url+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Encoding", "snappy")
		req.Header.Set("Content-Type", "application/x-protobuf")
		req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		_, _ = said.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			t.Fatalf("write to the server: %s: %s", resp.Status, said.String())
		}
	}
}
