package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dynascope/profiling/trace/tracegen"
)

func codes(r *Report) string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.Code)
	}
	return strings.Join(out, " ")
}

func TestFindingsNameTheCause(t *testing.T) {
	for _, c := range []struct {
		spec tracegen.Spec
		want []string
		not  []string
	}{
		{tracegen.Spec{Steps: 6, Layers: 1}, []string{"host-bound", "decode-without-graphs"}, []string{"cut", "straggler"}},
		{tracegen.Spec{Steps: 6, Graphs: true, Layers: 30}, nil, []string{"decode-without-graphs", "host-bound"}},
		{tracegen.Spec{Steps: 6, Ranks: 4, Graphs: true, Late: 2}, []string{"straggler"}, []string{"ranks-missing"}},
		{tracegen.Spec{Steps: 4, Layers: 1, Stacks: true, NoLaunches: true}, []string{"stacks", "idle-unknown"}, []string{"host-bound"}},
	} {
		paths, _ := generate(t, c.spec, false)
		r := analyse(t, paths, Options{})
		for _, w := range c.want {
			if !strings.Contains(codes(r), w) {
				t.Errorf("%+v: no %s in %s", c.spec, w, codes(r))
			}
		}
		for _, w := range c.not {
			if strings.Contains(codes(r), w) {
				t.Errorf("%+v: %s in %s", c.spec, w, codes(r))
			}
		}
		for _, f := range r.Findings {
			if f.Text == "" || f.Evidence == "" {
				t.Errorf("finding without words or evidence: %+v", f)
			}
		}
	}
	paths, _ := generate(t, tracegen.Spec{Ranks: 2}, false)
	if r := analyse(t, paths[:1], Options{}); !strings.Contains(codes(r), "ranks-missing") {
		t.Errorf("one rank of two: %s", codes(r))
	}
}

func TestDiffIsPerStep(t *testing.T) {
	a, _ := generate(t, tracegen.Spec{Steps: 12, Prefill: 4, Graphs: true}, false)
	b, _ := generate(t, tracegen.Spec{Steps: 24, Prefill: 4, Graphs: true, Layers: 8}, false)
	same, _ := generate(t, tracegen.Spec{Steps: 12, Prefill: 4, Graphs: true}, false)
	ra, rb := analyse(t, a, Options{}), analyse(t, b, Options{})
	d := Compare(ra, rb)
	if len(d.Parts) != 2 || d.Parts[0].Kind != "prefill" || d.Parts[1].Kind != "decode" || d.Parts[1].Per != "step" {
		t.Fatalf("%+v", d.Parts)
	}
	for _, c := range d.Parts[1].Categories {
		if c.Name == "attention" && (c.Calls != [2]float64{4, 8} || c.B < 1.8*c.A || c.B > 2.2*c.A) {
			t.Errorf("twice the layers: %+v", c)
		}
	}
	if len(d.Says) == 0 || !strings.Contains(d.Says[0].Text, "longer") {
		t.Errorf("%+v", d.Says)
	}
	for _, p := range Compare(ra, analyse(t, same, Options{})).Parts {
		for _, k := range append(p.Kernels, p.Categories...) {
			if k.Change() != 0 {
				t.Errorf("a trace against itself: %+v", k)
			}
		}
	}
	var md bytes.Buffer
	if err := d.WriteMarkdown(&md); err != nil || !strings.Contains(md.String(), "decode, per step") {
		t.Errorf("%v %s", err, md.String())
	}
}

// TestSliceIsATrace cuts out one step and reads the slice again.
func TestSliceIsATrace(t *testing.T) {
	for _, spec := range []tracegen.Spec{{Steps: 20, Graphs: true}, {Steps: 20, Tail: true, Epoch: true}, {Steps: 20, Compact: true, Tail: true}} {
		paths, _ := generate(t, spec, false)
		r := analyse(t, paths, Options{})
		step := r.Ranks[0].Sequence[7]
		window := Window{step.Start, max(step.GPUEnd, step.Start+step.Host)}
		out := filepath.Join(t.TempDir(), "slice.json")
		f, err := os.Create(out)
		if err != nil {
			t.Fatal(err)
		}
		res, err := Slice(context.Background(), &r.Files[0], window, 0, f)
		f.Close()
		data, _ := os.ReadFile(out)
		if err != nil || !json.Valid(data) || res.Cut || res.Bytes != int64(len(data)) {
			t.Fatalf("%v %+v valid %v", err, res, json.Valid(data))
		}
		s := analyse(t, []string{out}, Options{})
		found := false
		for _, p := range s.Ranks[0].Sequence {
			if p.Name == step.Name && p.Start == step.Start {
				found = p.Busy == step.Busy && p.Kernels == step.Kernels
			}
		}
		if !found || s.Files[0].Notes.Events > r.Files[0].Notes.Events/4 {
			t.Errorf("%+v: the step is not in its slice, %d events of %d", spec, s.Files[0].Notes.Events, r.Files[0].Notes.Events)
		}
		if res, err := Slice(context.Background(), &r.Files[0], window, 2000, &bytes.Buffer{}); err != nil || !res.Cut {
			t.Errorf("beyond the size: %v %+v", err, res)
		}
	}
}

// TestJSONHasNoNulls keeps readers from having to tell null from empty.
func TestJSONHasNoNulls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cpu.json")
	if err := os.WriteFile(path, []byte(`[{"ph":"X","cat":"cpu_op","name":"a","pid":1,"tid":1,"ts":1,"dur":2}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	paths, _ := generate(t, tracegen.Spec{Steps: 1, Layers: 1}, false)
	for _, p := range append(paths, path) {
		r := analyse(t, []string{p}, Options{})
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil || strings.Contains(b.String(), "null") {
			t.Errorf("%v %s", err, b.String())
		}
		if p == path && (codes(r) != "no-gpu-work no-closing-record" || r.Files[0].Host.Operators[0].Time != 2000) {
			t.Errorf("CPU only: %s", codes(r))
		}
	}
}
