//go:build prometheus

package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"dynascope/profiling/triage/rules"
	"dynascope/sources/catalog"
)

// TestPromtool has Prometheus' own tool check the rules of all verdicts, and
// see them fire and not fire on series as real processes write them.
func TestPromtool(t *testing.T) {
	tool := os.Getenv("PROMTOOL")
	if tool == "" {
		t.Fatal("PROMTOOL names no program; hint: make e2e-prometheus builds it")
	}
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		t.Logf("promtool %v\n%s", args, out)
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, window := range map[string]time.Duration{"dynascope.rules.yml": 0, "slow.rules.yml": 4 * time.Minute} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		err = Write(f, catalog.Default(), rules.All(), Options{Window: window})
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			t.Fatal(err)
		}
		run("check", "rules", "--lint=all", "--lint-fatal", name)
	}
	text, err := os.ReadFile(filepath.Join("testdata", "fires.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fires.yml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	run("test", "rules", "fires.yml")
}
