package gpu

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"dynascope/sources/catalog"
)

// read parses a page and hands out its series.
func read(t *testing.T, page []byte, each func(labels.Labels, float64)) (types map[string]model.MetricType) {
	t.Helper()
	types = map[string]model.MetricType{}
	p := textparse.NewPromParser(page, labels.NewSymbolTable(), false)
	for {
		e, err := p.Next()
		if errors.Is(err, io.EOF) {
			return types
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, page)
		}
		switch e {
		case textparse.EntryType:
			name, typ := p.Type()
			types[string(name)] = typ
		case textparse.EntrySeries:
			var ls labels.Labels
			p.Labels(&ls)
			_, _, v := p.Series()
			each(ls, v)
		}
	}
}

// unasked are families that no question of the catalogue needs.
var unasked = map[string]string{
	"DCGM_FI_DEV_FB_TOTAL":          "gpu.memory_total is derived from its parts, which exporters have",
	"DCGM_FI_PROF_PIPE_FP64_ACTIVE": "inference does not use FP64",
}

// TestPageFitsTheCatalogue: every series can be asked for, carries the labels
// that its spelling has, and is there once.
func TestPageFitsTheCatalogue(t *testing.T) {
	page, err := os.ReadFile("testdata/page.golden")
	if err != nil {
		t.Fatal(err)
	}
	spellings := map[string][]catalog.Variant{}
	kinds := map[string]catalog.Kind{}
	for _, m := range catalog.Default().Metrics() {
		for _, v := range m.Variants {
			if v.Producer == "dynascope" {
				spellings[v.Name] = append(spellings[v.Name], v)
				kinds[v.Name] = m.Kind
			}
		}
	}
	seen := map[string]bool{}
	names := map[string]bool{}
	types := read(t, page, func(ls labels.Labels, _ float64) {
		name := ls.Get("__name__")
		names[name] = true
		if seen[ls.String()] {
			t.Errorf("%s is there twice", ls)
		}
		seen[ls.String()] = true
		if ls.Get("source") != "nvml" || ls.Get("gpu") == "" || ls.Get("Hostname") != "node-1" {
			t.Errorf("%s lacks what every series has", ls)
		}
		if unasked[name] == "" && len(spellings[name]) == 0 {
			t.Errorf("%s is asked for by no key", name)
		}
		for _, v := range spellings[name] {
			for canonical, own := range v.Labels {
				if !ls.Has(own) && !v.Optional[canonical] {
					t.Errorf("%s has no label %s", ls, own)
				}
			}
		}
	})
	for _, f := range families {
		if !names[f.name] && f.name != "DCGM_FI_PROF_PIPE_FP64_ACTIVE" {
			t.Errorf("%s is on no line of the golden page", f.name)
		}
		if !names[f.name] {
			continue
		}
		if string(types[f.name]) != f.kind {
			t.Errorf("%s is typed %s", f.name, types[f.name])
		}
		if k := kinds[f.name]; (k == catalog.Counter) != (f.kind == "counter") && k != "" {
			t.Errorf("%s is a %s here and a %s in the catalogue", f.name, f.kind, k)
		}
	}
}

// FuzzLabel: nothing from outside breaks out of its label.
func FuzzLabel(f *testing.F) {
	for _, s := range []string{"NVIDIA H100", `a"b\`, "a\nb", "\x1b[31m", "\xff\xfe", "", "  ", strings.Repeat("ü", 300), `"} 1` + "\nup 1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		page := write([]part{{labels: label("gpu", "0") + label("modelName", s), samples: []sample{{"DCGM_FI_DEV_GPU_UTIL", label("process", s), 1}}}})
		n := 0
		read(t, page, func(ls labels.Labels, v float64) {
			n++
			if ls.Get("gpu") != "0" || ls.Get("source") != "nvml" || v != 1 || slices.ContainsFunc([]byte(ls.Get("modelName")), func(b byte) bool { return b < ' ' }) {
				t.Errorf("%q gave %s", s, ls)
			}
		})
		if n != 1 {
			t.Errorf("%q gave %d series", s, n)
		}
	})
}
