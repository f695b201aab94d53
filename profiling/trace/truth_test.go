package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"dynascope/profiling/trace/tracegen"
)

// generate writes a spec's traces into files and answers their paths.
func generate(t testing.TB, spec tracegen.Spec, zip bool) ([]string, []tracegen.Truth) {
	t.Helper()
	n := max(spec.Ranks, 1)
	bufs, out := make([]bytes.Buffer, n), make([]io.Writer, n)
	for i := range bufs {
		out[i] = &bufs[i]
	}
	truths, err := tracegen.Write(spec, out)
	if err != nil {
		t.Fatal(err)
	}
	dir, paths := t.TempDir(), []string(nil)
	for i := range bufs {
		name, data := fmt.Sprintf("ds-1-TP-%d.trace.json", i), bufs[i].Bytes()
		if zip {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(data)
			w.Close()
			name, data = name+".gz", z.Bytes()
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths, truths
}

func analyse(t testing.TB, paths []string, opt Options) *Report {
	t.Helper()
	r, err := Analyse(context.Background(), paths, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnalysisEqualsTheTruth(t *testing.T) {
	for _, c := range []struct {
		name string
		spec tracegen.Spec
		zip  bool
		opt  Options
	}{
		{name: "decode", spec: tracegen.Spec{}},
		{name: "prefill and decode", spec: tracegen.Spec{Steps: 9, Prefill: 3, Shapes: true}, zip: true},
		{name: "graphs", spec: tracegen.Spec{Steps: 10, Prefill: 5, Graphs: true}},
		{name: "overlap", spec: tracegen.Spec{Steps: 6, Prefill: 2, Overlap: true, Graphs: true}},
		{name: "four ranks, the third late", spec: tracegen.Spec{Ranks: 4, Steps: 6, Prefill: 3, Late: 3}},
		{name: "two ranks, overlap and graphs", spec: tracegen.Spec{Ranks: 2, Steps: 6, Overlap: true, Graphs: true, Late: 1}, zip: true},
		{name: "memory and stacks", spec: tracegen.Spec{Memory: true, Stacks: true, Steps: 5}},
		{name: "compact", spec: tracegen.Spec{Compact: true, Tail: true}},
		{name: "old spellings", spec: tracegen.Spec{Old: true, TextPids: true}},
		{name: "epoch", spec: tracegen.Spec{Epoch: true, TextPids: true}},
		{name: "quotes", spec: tracegen.Spec{Quotes: true, Steps: 11}},
		{name: "quotes, compact", spec: tracegen.Spec{Quotes: true, Steps: 11, Compact: true}},
		{name: "no launches", spec: tracegen.Spec{NoLaunches: true}},
		{name: "spilled", spec: tracegen.Spec{Ranks: 2, Steps: 40, Prefill: 4, Graphs: true, Memory: true, Stacks: true}, opt: Options{memory: 1 << 13}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spec.Truth, c.spec.Seed = true, 42
			paths, truths := generate(t, c.spec, c.zip)
			spill := t.TempDir()
			c.opt.SpillDir = spill
			r := analyse(t, paths, c.opt)
			if left, _ := os.ReadDir(spill); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			for i, truth := range truths {
				compare(t, r, i, truth)
			}
			if len(truths) > 1 {
				compareSkew(t, r, truths)
			}
		})
	}
}

func compare(t *testing.T, r *Report, i int, truth tracegen.Truth) {
	t.Helper()
	k, f := &r.Ranks[i], &r.Files[i]
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("rank %d, %s: %v, truth %v", i, what, got, want)
		}
	}
	same("events", f.Notes.Events, truth.Events)
	same("whole", []any{f.Notes.Ended, f.Notes.Closing, f.Notes.Cut, f.Notes.Malformed}, []any{true, true, "", int64(0)})
	same("window", k.Window, Window{truth.Start, truth.End})
	same("elapsed", k.Elapsed, truth.End-truth.Start)
	same("busy", k.Busy, truth.Busy)
	same("breakdown", k.Breakdown, Breakdown{Compute: truth.Compute, Communication: truth.CommExposed, Memory: truth.MemExposed,
		HostBound: truth.HostBound, KernelGap: truth.KernelGap, IdleUnknown: truth.Unknown})
	same("exposed", k.CommExposed, truth.CommExposed)
	same("overlapped", k.CommOverlapped, truth.Comm-truth.CommExposed)

	cats, kernels, copies := map[string]tracegen.Amount{}, map[string]tracegen.Amount{}, map[string]tracegen.Amount{}
	for _, s := range k.Categories {
		cats[s.Category] = tracegen.Amount{Calls: s.Calls, Time: s.Time}
	}
	same("categories", cats, truth.Categories)
	for _, s := range k.Kernels {
		kernels[s.Name] = tracegen.Amount{Calls: s.Calls, Time: s.Time}
	}
	same("kernels", kernels, truth.Kernels)
	for _, s := range k.Copies {
		copies[s.Name] = tracegen.Amount{Calls: s.Calls, Time: s.Time, Bytes: s.Bytes}
	}
	same("copies", copies, truth.Copies)
	colls := map[string]tracegen.Amount{}
	for _, s := range k.Collectives {
		a := colls[s.Name]
		colls[s.Name] = tracegen.Amount{Calls: a.Calls + s.Calls, Time: a.Time + s.Time}
		same("collective's size", s.Bytes, int64(131072))
	}
	same("collectives", colls, truth.Collectives)
	same("graphs", []int64{k.Graphs.Launches, k.Graphs.Kernels, k.Graphs.Time}, []int64{truth.Graphs, truth.GraphKernels, truth.GraphTime})
	same("launches", k.Launch.Launches+k.Launch.Unknown, truth.Launches)

	steps := map[string]tracegen.StepTruth{}
	for _, s := range k.Steps {
		steps[s.Kind.String()] = tracegen.StepTruth{Count: s.Count, Host: s.Host.Sum, Busy: s.Busy.Sum, Kernels: s.Kernels, Launches: s.Launches}
	}
	same("steps", steps, truth.Steps)
	ops := map[string]tracegen.Amount{}
	for _, o := range f.Host.Operators {
		ops[o.Name] = tracegen.Amount{Calls: o.Calls, Time: o.Time, Self: o.Self}
	}
	same("operators", ops, truth.Operators)
	if truth.Peak > 0 {
		m := f.Host.Memory[0]
		same("memory", []int64{m.First, m.Last, m.Peak, m.PeakReserved}, []int64{truth.First, truth.Last, truth.Peak, 8 << 30})
		by := map[string]int64{}
		for _, a := range m.By {
			by[a.Name] = a.Bytes
		}
		same("allocated", by, truth.Allocated)
	}
}

func compareSkew(t *testing.T, r *Report, truths []tracegen.Truth) {
	t.Helper()
	if r.Skew == nil {
		t.Fatal("no skew found")
	}
	if r.Skew.Left != 0 || r.Skew.Apart || r.Skew.By != "sequence number" {
		t.Errorf("skew: %+v", r.Skew)
	}
	for i, truth := range truths {
		if got := r.Skew.Ranks[i]; got.Last != truth.Late || got.Wait != truth.Waited {
			t.Errorf("rank %d arrived last %d times and waited %d, truth %d and %d", i, got.Last, got.Wait, truth.Late, truth.Waited)
		}
	}
}
