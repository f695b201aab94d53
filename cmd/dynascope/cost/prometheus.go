//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

const engine = "github.com/prometheus/prometheus"

// buildPrometheus finds the server of the version that the console embeds, or
// builds it in the module of its own that pins it.
func buildPrometheus(ctx context.Context) (bin, version string, err error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", "", errors.New("read which Prometheus is embedded: built without modules")
	}
	for _, d := range info.Deps {
		if d.Path == engine {
			version = d.Version
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", "", err
	}
	bin = filepath.Join(cache, "dynascope", "prometheus-"+version, "prometheus")
	if _, err := os.Stat(bin); err == nil {
		return bin, version, nil
	}
	fmt.Fprintln(os.Stderr, "building Prometheus", version)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", ".ci/prometheus", "-trimpath", "-tags", "netgo,remove_all_sd",
		"-ldflags", "-s -w", "-o", bin+".part", engine+"/cmd/prometheus")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("build the Prometheus server: %w\n%s", err, out)
	}
	return bin, version, os.Rename(bin+".part", bin)
}

// prometheus is a running server.
type prometheus struct {
	*child
	url string
}

// startPrometheus runs a plain server over the targets: no rules, no limits,
// everything else as it comes.
func startPrometheus(ctx context.Context, bin, dir string, urls []string, interval time.Duration) (*prometheus, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "global: {scrape_interval: %s, scrape_timeout: %s}\nscrape_configs:\n- job_name: dynascope\n  static_configs:\n  - targets:\n", interval, interval)
	for _, u := range urls {
		fmt.Fprintf(&conf, "    - %q\n", strings.TrimSuffix(strings.TrimPrefix(u, "http://"), "/metrics"))
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	c, err := start(exec.Command(bin, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn"))
	if err != nil {
		return nil, err
	}
	p := &prometheus{c, "http://" + addr}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(p.url + "/-/ready")
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return p, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("start the Prometheus server: not ready after 30 s\n%s", p.said.String())
}
