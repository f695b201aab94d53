//go:build e2e_dynamo

package e2edynamo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
)

// remoteInterval is how often the real Prometheus scrapes; the window holds
// twelve of its scrapes.
const (
	remoteInterval = 2 * time.Second
	remoteWindow   = "24s"
)

// TestRemotePrometheusAgrees: a real Prometheus scrapes a real Dynamo, and
// dynascope asks it what it also finds out by scraping itself.
func TestRemotePrometheusAgrees(t *testing.T) {
	d := up(t, releases[0], "agg")
	// Every series must exist before the window: a remote server sees no zero
	// before a first burst (honesty.md 4).
	d.run(t, load.Plan{Requests: 40, Concurrency: 8, ISL: 200, OSL: 30, Seed: 11})
	url := d.prometheus(t)
	stop := d.background(t, load.Plan{Duration: 4 * time.Minute, Concurrency: 12, ISL: 200, OSL: 60, Seed: 12})

	// A starved machine scrapes late, and two moments are then not one: look
	// again before calling it a difference.
	var wrong []string
	compared := 0
	for range 2 {
		near, far := sameMoment(t, d, url)
		if wrong, compared = differences(near, far); len(wrong) == 0 {
			break
		}
		t.Logf("a first look differed: %s", strings.Join(wrong, "; "))
	}
	for _, w := range wrong {
		t.Error(w)
	}
	if compared < 4 {
		t.Errorf("only %d histograms to compare", compared)
	}

	stop()
	time.Sleep(3 * remoteInterval)
	far, err := ask(bin(t), "--prometheus", url, "--for", "5s")
	if err != nil {
		t.Fatal(err)
	}
	now := d.once(t, "4s")
	equal := 0
	for key, a := range now.Totals {
		if a.Value == nil {
			continue
		}
		b := far.Totals[key]
		switch {
		case b.Value == nil:
			t.Errorf("total %s: %s at the remote, %g scraped", key, b.Status, *a.Value)
		case *a.Value != *b.Value:
			t.Errorf("total %s: %g at the remote, %g scraped", key, *b.Value, *a.Value)
		default:
			equal++
		}
	}
	t.Logf("%d histograms and %d totals agree", compared, equal)
	if equal < 8 {
		t.Errorf("only %d totals to compare", equal)
	}
}

// sameMoment asks the deployment itself and the remote server, so that both
// answer at about the same moment.
func sameMoment(t *testing.T, d deployment, url string) (near, far document) {
	t.Helper()
	type answer struct {
		doc document
		err error
	}
	scraped := make(chan answer, 1)
	go func() {
		doc, err := ask(bin(t), append(d.targets(), "--window", remoteWindow, "--for", "34s")...)
		scraped <- answer{doc, err}
	}()
	time.Sleep(29 * time.Second)
	far, err := ask(bin(t), "--prometheus", url, "--window", remoteWindow, "--for", "5s")
	here := <-scraped
	if err != nil || here.err != nil {
		t.Fatal(err, here.err)
	}
	return here.doc, far
}

// differences are where the two do not agree: bounds that do not overlap, and
// counts further apart than what arrives in two remote intervals.
func differences(near, far document) (wrong []string, compared int) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if len(far.Targets) != len(near.Targets) || len(far.Workers) != len(near.Workers) {
		say("remote: %d targets and %d workers, scraped: %d and %d", len(far.Targets), len(far.Workers), len(near.Targets), len(near.Workers))
	}
	for _, a := range near.Latency {
		for _, b := range far.Latency {
			if a.Key != b.Key || a.Status != "ok" {
				continue
			}
			compared++
			if b.Status != "ok" {
				say("%s: %s at the remote", b.Key, b.Status)
				continue
			}
			window := 24 * time.Second
			if slack := math.Ceil(a.N*2*remoteInterval.Seconds()/window.Seconds()) + 1; math.Abs(a.N-b.N) > slack {
				say("%s: n %g at the remote, %g scraped; more than %g apart", a.Key, b.N, a.N, slack)
			}
			for q, x := range a.Quantiles {
				y, ok := b.Quantiles[q]
				switch {
				case !ok:
					say("%s: no %s at the remote", a.Key, q)
				case x.Hi != nil && *x.Hi < y.Lo, y.Hi != nil && *y.Hi < x.Lo:
					say("%s %s: %v at the remote and %v scraped do not overlap", a.Key, q, y, x)
				}
			}
		}
	}
	return wrong, compared
}

// ask runs dynascope --once --json.
func ask(bin string, args ...string) (document, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(bin, append([]string{"--once", "--json"}, args...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return document{}, fmt.Errorf("dynascope %v: %w\n%s", args, err, stderr.String())
	}
	var doc document
	if err := json.Unmarshal(out, &doc); err != nil {
		return document{}, fmt.Errorf("read the document: %w\n%s", err, out)
	}
	return doc, nil
}

// prometheus starts the real server on the deployment and waits until it has
// scraped every target.
func (d deployment) prometheus(t *testing.T) string {
	t.Helper()
	server := os.Getenv("PROMETHEUS_SERVER")
	if server == "" {
		t.Fatal("PROMETHEUS_SERVER is not set; hint: make e2e-dynamo")
	}
	targets := []string{d.Frontend}
	for _, w := range d.Workers {
		targets = append(targets, w.URL)
	}
	var hosts []string
	for _, u := range targets {
		hosts = append(hosts, strings.TrimPrefix(u, "http://"))
	}
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: %s}\nscrape_configs:\n- job_name: dynamo\n  static_configs:\n  - targets: ['%s']\n",
		remoteInterval, strings.Join(hosts, "', '"))
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
	cmd := exec.Command(server, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the Prometheus server said:\n%s", log.String())
		}
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var answer struct {
			Data struct{ Result []struct{} }
		}
		resp, err := http.Get("http://" + addr + "/api/v1/query?query=up%3D%3D1")
		if err != nil {
			continue
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		_ = resp.Body.Close()
		if err == nil && len(answer.Data.Result) == len(targets) {
			return "http://" + addr
		}
	}
	t.Fatal("the Prometheus server has not scraped every target within a minute")
	return ""
}
