//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynascope/cmd/dynascope/e2e/tmux"
)

// simulate runs a simulated deployment for the length of the test and returns
// host:port of its pages, the frontend's first.
func simulate(t *testing.T, scenario string) []string {
	t.Helper()
	cmd := exec.Command(bin(t), "sim", "--scenario", scenario)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Endpoints []struct{ Metrics string } }
	if err := json.Unmarshal(line, &doc); err != nil || len(doc.Endpoints) == 0 {
		t.Fatalf("%v: %s", err, line)
	}
	var hosts []string
	for _, e := range doc.Endpoints {
		hosts = append(hosts, strings.TrimSuffix(strings.TrimPrefix(e.Metrics, "http://"), "/metrics"))
	}
	return hosts
}

// targetFile writes a Prometheus target file, atomically.
func targetFile(t *testing.T, path string, hosts []string) {
	t.Helper()
	body, err := json.Marshal([]map[string]any{{"targets": hosts, "labels": map[string]string{"cluster": "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", body, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestTargetFilesAreFollowed: what is written into the file is scraped within
// seconds, what leaves it is gone, and a mistake is told while the last good
// list stays.
func TestTargetFilesAreFollowed(t *testing.T) {
	hosts := simulate(t, "healthy")
	file := filepath.Join(t.TempDir(), "targets.json")
	targetFile(t, file, hosts[:1])
	s := tmux.Start(t, 140, 42, nil, bin(t), "--targets", file)
	s.Until(10*time.Second, "1 target")
	targetFile(t, file, hosts)
	s.Until(15*time.Second, fmt.Sprintf("%d targets ok", len(hosts)))
	targetFile(t, file, hosts[:2])
	s.Until(15*time.Second, "2 targets ok")
	if err := os.WriteFile(file, []byte(`[{"targets": "no list"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Until(15*time.Second, "targets.json")
	s.Keys("t")
	s.Until(5*time.Second, hosts[0], hosts[1])
	s.Keys("q", "q")
}

// TestARecordingIsSeenWhileItIsWritten: a second process sees what the
// recorder wrote, writes nothing itself, and after kill -9 the recording is
// still there.
func TestARecordingIsSeenWhileItIsWritten(t *testing.T) {
	hosts := simulate(t, "demo")
	dir := filepath.Join(t.TempDir(), "recording")
	args := []string{"record", "--data", dir}
	for _, h := range hosts {
		args = append(args, "--target", "http://"+h)
	}
	recorder := exec.Command(bin(t), args...)
	var said bytes.Buffer
	recorder.Stderr = &said
	if err := recorder.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = recorder.Process.Kill()
			_ = recorder.Wait()
		}
	})

	// What is recorded is at most a minute late; usually some seconds.
	s := tmux.Shell(t, 140, 42)
	var last string
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Second) {
		out, _ := exec.Command(bin(t), "--data", dir, "--once").CombinedOutput()
		if last = string(out); strings.Contains(last, "TTFT path  mean") {
			break
		}
	}
	if !strings.Contains(last, "TTFT path  mean") || !strings.Contains(last, "recording") {
		t.Fatalf("nothing to see of the recording:\n%s\nthe recorder said %s", last, said.String())
	}

	s.Type(bin(t) + " --data " + dir)
	s.Keys("Enter")
	s.Until(10*time.Second, "NEWEST", "TTFT path  mean")
	s.Keys("[")
	s.Until(10*time.Second, "AT ", "TTFT path")
	s.Keys("\\")
	s.Until(10*time.Second, "NEWEST")

	if err := recorder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = recorder.Wait()
	ended = true
	before := fingerprint(t, dir)
	s.Keys("q")
	out, err := exec.Command(bin(t), "--data", dir, "--at", "-1s", "--once", "--json").Output()
	if err != nil {
		t.Fatalf("after kill -9: %v", err)
	}
	var doc struct {
		Store   string
		Workers []struct{ State string }
		Totals  map[string]struct{ Value *float64 }
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	if v := doc.Totals["frontend.ttft"].Value; doc.Store != "recording" || len(doc.Workers) != 4 || v == nil || *v <= 0 {
		t.Errorf("after kill -9: store %s, %d workers, TTFT count %v", doc.Store, len(doc.Workers), v)
	}
	if after := fingerprint(t, dir); after != before {
		t.Error("looking at a recording changed its directory")
	}
}

// fingerprint is the content of a directory, names and times included.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, path, info.Mode(), info.ModTime().UnixNano())
		if !e.IsDir() {
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h.Write(body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TestWithoutASourceItLooksForOne: what was tried is told, on screen and in
// the document.
func TestWithoutASourceItLooksForOne(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:8000"); err == nil {
		_ = l.Close()
	} else {
		t.Fatalf("port 8000 is in use here, and this test needs it free: %v", err)
	}
	out, _ := exec.Command(bin(t), "--once", "--json", "--for", "3s").Output()
	var doc struct {
		Discovery []struct{ Addr, Why, Outcome string }
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found := false
	for _, d := range doc.Discovery {
		found = found || strings.HasSuffix(d.Addr, ":8000") && d.Why != "" && d.Outcome == "refused"
	}
	if !found {
		t.Errorf("8000 is not among what was tried: %+v", doc.Discovery)
	}
	s := tmux.Start(t, 140, 42, nil, bin(t))
	s.Keys("t")
	s.Until(10*time.Second, "discovery", "8000", "refused")
	s.Keys("q", "q")
}
