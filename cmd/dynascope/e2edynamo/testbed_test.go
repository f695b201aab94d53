//go:build e2e_dynamo

package e2edynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dynascope/bench/load"
)

// releases are the two naming generations that every test runs against.
var releases = []string{"1.6.1", "1.4.2"}

const testbed = "../../../.ci/dynamo/testbed.py"

// deployment is what the test bed prints about a running Dynamo.
type deployment struct {
	Name     string
	Model    string
	Frontend string
	Planner  string
	Workers  []struct {
		URL  string
		PID  int
		Role string
	}
}

func python(t testing.TB, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("python3", append([]string{testbed}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("testbed %v: %v\n%s\n%s", args, err, out, stderr.String())
	}
	return out
}

// up starts a deployment for the length of the test.
func up(t testing.TB, release, shape string, args ...string) deployment {
	t.Helper()
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
	t.Cleanup(func() { python(t, "down", "--name", name) })
	out := python(t, append([]string{"up", "--release", release, "--shape", shape, "--name", name}, args...)...)
	var d deployment
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("read the deployment: %v\n%s", err, out)
	}
	return d
}

// fault sends a signal to a worker: "kill", "stop" or "cont".
func (d deployment) fault(t testing.TB, verb, worker string) {
	t.Helper()
	python(t, verb, "--name", d.Name, "--worker", worker)
}

func (d deployment) targets() []string {
	out := []string{"--target", d.Frontend}
	for _, w := range d.Workers {
		out = append(out, "--target", w.URL)
	}
	return out
}

// run sends bounded load and returns what the client saw.
func (d deployment) run(t testing.TB, p load.Plan) load.Result {
	t.Helper()
	p.URL, p.Model, p.Stream = d.Frontend, d.Model, true
	if p.Timeout == 0 {
		p.Timeout = 60 * time.Second
	}
	r, err := load.New().Run(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// background runs load until the returned function is called, which waits.
func (d deployment) background(t testing.TB, p load.Plan) (stop func() load.Result) {
	t.Helper()
	p.URL, p.Model, p.Stream = d.Frontend, d.Model, true
	if p.Timeout == 0 {
		p.Timeout = 60 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan load.Result, 1)
	go func() {
		r, _ := load.New().Run(ctx, p)
		done <- r
	}()
	stopped := false
	var last load.Result
	stop = func() load.Result {
		if !stopped {
			stopped = true
			cancel()
			last = <-done
		}
		return last
	}
	t.Cleanup(func() { stop() })
	return stop
}

func bin(t testing.TB) string {
	t.Helper()
	b := os.Getenv("DYNASCOPE_BIN")
	if b == "" {
		t.Fatal("DYNASCOPE_BIN is not set; hint: make e2e-dynamo")
	}
	return b
}

// once runs dynascope --once --json.
func (d deployment) once(t testing.TB, wait string) document {
	t.Helper()
	args := append([]string{"--once", "--json", "--for", wait}, d.targets()...)
	var stderr bytes.Buffer
	cmd := exec.Command(bin(t), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dynascope %v: %v\n%s", args, err, stderr.String())
	}
	var doc document
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatalf("read the document: %v\n%s", err, out)
	}
	return doc
}

// page fetches a metrics page by hand.
func page(t testing.TB, url string) string {
	t.Helper()
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func status(t testing.TB, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
