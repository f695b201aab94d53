package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dynascope/profiling/trace"
	"dynascope/profiling/trace/tracegen"
)

// madeTrace writes a session of generated ranks into a directory.
func madeTrace(t *testing.T, spec tracegen.Spec) string {
	t.Helper()
	dir := t.TempDir()
	var out []io.Writer
	for i := range max(spec.Ranks, 1) {
		f, err := os.Create(filepath.Join(dir, "ds-TP-"+string(rune('0'+i))+".trace.json"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		out = append(out, f)
	}
	if _, err := tracegen.Write(spec, out); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTraceCommands(t *testing.T) {
	dir := madeTrace(t, tracegen.Spec{Ranks: 2, Steps: 12, Prefill: 4, Graphs: true, Late: 2})
	out, errOut, code := program(t, "", "", "trace", "summary", dir)
	if code != 0 || !strings.Contains(out, "TP-1 arrives last") || !strings.Contains(out, "Where the GPU's time went") {
		t.Errorf("%d %s %s", code, errOut, out)
	}
	out, errOut, code = program(t, "", "", "trace", "summary", "--json", dir)
	var r trace.Report
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || len(r.Ranks) != 2 || r.Overall.Busy == 0 || r.Overall.Steps[1].Kind != trace.Decode {
		t.Errorf("%d %v %s", code, err, errOut)
	}
	other := madeTrace(t, tracegen.Spec{Ranks: 2, Steps: 12, Prefill: 4, Layers: 8})
	out, errOut, code = program(t, "", "", "trace", "diff", "--markdown", dir, other)
	if code != 0 || !strings.Contains(out, "## decode, per step") {
		t.Errorf("%d %s %s", code, errOut, out)
	}

	one, made := filepath.Join(dir, "ds-TP-0.trace.json"), filepath.Join(t.TempDir(), "s.json.gz")
	out, errOut, code = program(t, "", "", "trace", "slice", one, "--slowest", "decode", "-o", made)
	if code != 0 || !strings.Contains(out, "events of") {
		t.Errorf("%d %s %s", code, errOut, out)
	}
	if out, errOut, code = program(t, "", "", "trace", "summary", made); code != 0 || !strings.Contains(out, "decode") {
		t.Errorf("the slice: %d %s %s", code, errOut, out)
	}
	for args, want := range map[string]string{
		"slice " + one + " --slowest decode -o " + made:          "there already",
		"slice " + one + " --slowest idle -o " + made + "2":      "no idle step",
		"slice " + one + " --step 11-12 -o " + made + "2":        "steps 0 to 11",
		"slice " + one + " --from 5ms --to 1ms -o " + made + "2": "not after",
		"slice " + one:                "at least one of the flags",
		"summary " + dir + "/missing": "no such file",
		"summary " + t.TempDir():      "no *.json",
		"summary /dev/null":           "not a PyTorch trace",
	} {
		if _, errOut, code := program(t, "", "", append([]string{"trace"}, strings.Fields(args)...)...); code == 0 || !strings.Contains(errOut, want) {
			t.Errorf("%s: %d %q, want %q", args, code, errOut, want)
		}
	}
}
