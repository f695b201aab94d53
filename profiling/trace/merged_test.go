package trace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"dynascope/profiling/trace/tracegen"
)

// merged does what SGLang's merger does: the events of all ranks in one file,
// each pid behind its rank's name. Events come shuffled and their keys in the
// order of the alphabet, args first.
func merged(t *testing.T, paths []string) string {
	t.Helper()
	var all []any
	for n, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		for _, e := range doc["traceEvents"].([]any) {
			m := e.(map[string]any)
			if pid, ok := m["pid"]; ok && m["ph"] == "X" {
				m["pid"] = fmt.Sprintf("[TP%02d] %v", n, pid)
			}
			all = append(all, m)
		}
	}
	rand.New(rand.NewPCG(5, 6)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	data, err := json.Marshal(map[string]any{"traceEvents": all, "baseTimeNanoseconds": int64(tracegen.Base)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "merged-1.trace.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMergedRanks holds a merged file to the truth of its ranks, though both
// number their launches alike.
func TestMergedRanks(t *testing.T) {
	paths, truths := generate(t, tracegen.Spec{Ranks: 3, Steps: 7, Prefill: 3, Graphs: true, Overlap: true, Late: 2, Truth: true, Seed: 9}, false)
	r := analyse(t, []string{merged(t, paths)}, Options{})
	if len(r.Ranks) != 3 {
		t.Fatalf("%d ranks", len(r.Ranks))
	}
	for i, truth := range truths {
		k := &r.Ranks[i]
		if k.Label != fmt.Sprintf("[TP%02d] 0", i) {
			t.Errorf("rank %d is called %q", i, k.Label)
		}
		b := Breakdown{Compute: truth.Compute, Communication: truth.CommExposed, Memory: truth.MemExposed, HostBound: truth.HostBound, KernelGap: truth.KernelGap}
		if k.Busy != truth.Busy || k.Breakdown != b || k.Window != (Window{truth.Start, truth.End}) {
			t.Errorf("rank %d: busy %d %+v, truth %d %+v", i, k.Busy, k.Breakdown, truth.Busy, b)
		}
		for _, s := range k.Steps {
			if w := truth.Steps[s.Kind.String()]; s.Count != w.Count || s.Busy.Sum != w.Busy || s.Launches != w.Launches {
				t.Errorf("rank %d %s: %+v, truth %+v", i, s.Kind, s, w)
			}
		}
	}
	compareSkew(t, r, truths)
}

// TestSkewKeepsGroupsApart gives two pairs of ranks whose groups have the same
// name and sequence numbers: each waits for its own.
func TestSkewKeepsGroupsApart(t *testing.T) {
	a, truthA := generate(t, tracegen.Spec{Ranks: 2, Steps: 5, Late: 1, Truth: true, Seed: 1}, false)
	b, truthB := generate(t, tracegen.Spec{Ranks: 2, Steps: 5, Late: 2, Truth: true, Seed: 2}, false)
	for _, path := range b {
		data, _ := os.ReadFile(path)
		data = bytes.ReplaceAll(data, []byte(`"Process Group Ranks": "[0, 1]"`), []byte(`"Process Group Ranks": "[2, 3]"`))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := analyse(t, append(a, b...), Options{})
	compareSkew(t, r, append(truthA, truthB...))
}
