package catalog

import (
	"encoding/csv"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// family is what the recorded pages show of one metric family.
type family struct {
	name, typ string
	labels    []labels.Labels // of its series, le left out
	pages     []string
}

var sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? `)

// readPages reads recorded expositions. Families go by their TYPE lines: a
// suffix says nothing (dynamo_frontend_detokenize_token_count is a counter).
func readPages(t *testing.T) map[string]*family {
	t.Helper()
	out := map[string]*family{}
	root := filepath.Join("..", "testdata", "pages")
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		if d.IsDir() || !strings.HasSuffix(p, ".metrics.txt") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		readPage(t, filepath.ToSlash(rel), string(text), out)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readPage(t *testing.T, page, text string, out map[string]*family) {
	types := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 4 && f[0] == "#" && f[1] == "TYPE" {
			// The text format of client_golang and the python client name
			// counters in full; "_created" gauges are not of the family.
			if strings.HasSuffix(f[2], "_created") {
				continue
			}
			types[f[2]] = f[3]
			if out[f[2]] == nil {
				out[f[2]] = &family{name: f[2], typ: f[3]}
			}
			if fam := out[f[2]]; !slices.Contains(fam.pages, page) {
				fam.pages = append(fam.pages, page)
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := m[1]
		for _, s := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, s); ok && types[base] == "histogram" {
				name = base
				break
			}
		}
		if out[name] == nil {
			continue
		}
		ls, err := promQL.ParseMetric(name + m[2])
		if err != nil {
			t.Fatalf("%s: %v in %s", page, err, line)
		}
		ls = labels.NewBuilder(ls).Del("le", model.MetricNameLabel).Labels()
		if fam := out[name]; !slices.ContainsFunc(fam.labels, func(o labels.Labels) bool { return labels.Equal(o, ls) }) {
			fam.labels = append(fam.labels, ls)
		}
	}
}

// declaredOtherwise are families whose producer declares another type than
// what they are.
var declaredOtherwise = map[string]string{
	"dynamo_frontend_disconnected_clients": "gauge", // only ever grows
}

// TestSpellingsAgainstPages holds the catalogue against what real processes
// exposed: a name is in a recorded page or marked unseen, its type fits its
// kind, and its labels are the labels of the table.
func TestSpellingsAgainstPages(t *testing.T) {
	pages := readPages(t)
	if len(pages) == 0 {
		t.Fatal("no recorded page under testdata")
	}
	for _, m := range Default().Metrics() {
		for _, v := range m.Variants {
			fam := pages[v.Name]
			// The count of a histogram is a counter in its own right.
			if base, ok := strings.CutSuffix(v.Name, "_count"); ok && fam == nil && m.Kind == Counter {
				if h := pages[base]; h != nil && h.typ == "histogram" {
					c := *h
					c.typ = "counter"
					fam = &c
				}
			}
			switch {
			case fam == nil && !v.Unseen:
				t.Errorf("%s: %s is in no recorded page and not marked unseen", m.Key, v.Name)
				continue
			case fam != nil && v.Unseen:
				t.Errorf("%s: %s is marked unseen and is in %s", m.Key, v.Name, fam.pages[0])
				continue
			case fam == nil:
				continue
			}
			want := string(m.Kind)
			if m.Kind == Info {
				want = "gauge"
			}
			if as, ok := declaredOtherwise[v.Name]; ok {
				want = as
			}
			// Of the engine that says who it is, any family will do.
			if fam.typ != want && m.Kind != Info {
				t.Errorf("%s: %s is a %s in %s, the catalogue says %s", m.Key, v.Name, fam.typ, fam.pages[0], want)
			}
			for _, ls := range fam.labels {
				if slices.ContainsFunc(v.matchers, func(m matcher) bool { return !m.Matches(ls.Get(m.Name)) }) {
					continue
				}
				for canonical, own := range v.Labels {
					if !ls.Has(own) && !v.Optional[canonical] {
						t.Errorf("%s: %s has no label %s (%s) in %s", m.Key, v.Name, own, canonical, ls)
					}
				}
				ls.Range(func(l labels.Label) {
					for _, own := range v.Labels {
						if own == l.Name {
							return
						}
					}
					if notGroupedBy[l.Name] == "" {
						t.Errorf("%s: %s carries the label %s, which the catalogue leaves out", m.Key, v.Name, l.Name)
					}
				})
			}
		}
	}
}

// notGroupedBy are labels on recorded pages that no question may use, and why.
var notGroupedBy = map[string]string{
	"worker_id":    "on router families: the router's own id, which looks like a worker's",
	"operation":    "fixed by the selector of its spelling",
	"is_streaming": "fixed by the selector of its spelling, or of no interest",
	"pid":          "of the process that wrote it",
}

// leftOut reads a table of families, or patterns of families, that the
// catalogue leaves out on purpose.
func leftOut(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows[0], []string{"family", "reason"}) {
		t.Fatalf("%s begins with %v", file, rows[0])
	}
	out := map[string]string{}
	for _, r := range rows[1:] {
		if out[r[0]] != "" || len(r[1]) < 10 {
			t.Errorf("%s: %s is there twice or has no real reason", file, r[0])
		}
		out[r[0]] = r[1]
	}
	return out
}

// TestCoverage: every recorded family of a producer is in the catalogue or
// left out for a reason, and never both.
func TestCoverage(t *testing.T) {
	known := map[string]bool{}
	pages := readPages(t)
	for _, m := range Default().Metrics() {
		for _, v := range m.Variants {
			known[v.Name] = true
		}
	}
	for _, c := range []struct{ file, prefix string }{
		{"sglang_left_out.csv", "sglang:"},
		{"dynamo_left_out.csv", "dynamo_"},
	} {
		out := leftOut(t, c.file)
		used := map[string]bool{}
		recorded := 0
		for name := range pages {
			if !strings.HasPrefix(name, c.prefix) {
				continue
			}
			recorded++
			reason := ""
			for pattern := range out {
				if ok, _ := path.Match(pattern, name); ok {
					used[pattern] = true
					reason = pattern
				}
			}
			switch {
			case reason == "" && !known[name]:
				t.Errorf("%s is recorded, and neither in the catalogue nor in %s", name, c.file)
			case reason != "" && known[name]:
				t.Errorf("%s is in the catalogue and in %s (%s)", name, c.file, reason)
			}
		}
		for pattern := range out {
			if !used[pattern] {
				t.Errorf("%s: %s matches no recorded family", c.file, pattern)
			}
		}
		t.Logf("%s: %d recorded families, %d rows leave some out", c.prefix, recorded, len(out))
	}
}
