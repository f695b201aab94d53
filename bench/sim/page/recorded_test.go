package page

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/textparse"
)

// seen is a family of a page as the test reads it.
type seen struct {
	name, typ string
	series    []*seenSeries
	byLabels  map[string]*seenSeries
}

type seenSeries struct {
	labels     map[string]string // without le
	value, sum string
	count      string
	edges      []string
	cumulative []string
}

// read parses a page by its TYPE lines: a suffix alone says nothing.
func read(t *testing.T, text string) []*seen {
	t.Helper()
	var out []*seen
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" {
			out = append(out, &seen{name: f[2], typ: f[3], byLabels: map[string]*seenSeries{}})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		f := out[len(out)-1]
		name, labels, value := sample(t, line)
		le, isBucket := labels["le"]
		if f.typ == "histogram" {
			delete(labels, "le")
		}
		s := f.at(labels)
		switch {
		case f.typ != "histogram":
			s.value = value
		case isBucket:
			s.edges, s.cumulative = append(s.edges, le), append(s.cumulative, value)
		case strings.HasSuffix(name, "_sum"):
			s.sum = value
		default:
			s.count = value
		}
	}
	return out
}

// sample splits a line of a recorded page; their label values need no escapes.
func sample(t *testing.T, line string) (name string, labels map[string]string, value string) {
	at := strings.LastIndexByte(line, ' ')
	head, value := line[:at], line[at+1:]
	name, rest, _ := strings.Cut(head, "{")
	labels = map[string]string{}
	for rest = strings.TrimSuffix(rest, "}"); rest != ""; rest = strings.TrimPrefix(rest, ",") {
		label, after, ok := strings.Cut(rest, `="`)
		value, after, ok2 := strings.Cut(after, `"`)
		if !ok || !ok2 || strings.Contains(value, `\`) {
			t.Fatalf("no sample: %q", line)
		}
		labels[label], rest = value, after
	}
	return name, labels, value
}

func (f *seen) at(labels map[string]string) *seenSeries {
	key := fmt.Sprint(labels)
	s := f.byLabels[key]
	if s == nil {
		s = &seenSeries{labels: labels}
		f.byLabels[key], f.series = s, append(f.series, s)
	}
	return s
}

func (s *seenSeries) names() string {
	names := []string{}
	for n := range s.labels {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// recording is one page under testdata.
type recording struct {
	release, shape, phase, file, text string
	families                          []*seen
}

func (r recording) String() string {
	return strings.Join([]string{r.release, r.shape, r.phase, r.file}, "/")
}

func (r recording) gen() Gen {
	if strings.HasPrefix(r.release, "1.4") {
		return Gen14
	}
	return Gen16
}

var pagesDir = filepath.Join("..", "..", "..", "sources", "testdata", "pages")

// recorded keeps what recordings read: parsing takes most of the tests' time,
// and nobody changes it.
var recorded []recording

func recordings(t *testing.T) []recording {
	t.Helper()
	if recorded != nil {
		return recorded
	}
	files, err := filepath.Glob(filepath.Join(pagesDir, "1.*", "*", "*", "*.metrics.txt"))
	if err != nil || len(files) < 50 {
		t.Fatalf("reading recorded pages: %d files, %v", len(files), err)
	}
	for _, f := range files {
		if name := filepath.Base(f); !strings.HasPrefix(name, "frontend") && !strings.HasPrefix(name, "worker") {
			continue // of a process that these tests do not compare
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(pagesDir, f)
		p := strings.Split(filepath.ToSlash(rel), "/")
		recorded = append(recorded, recording{p[0], p[1], p[2], p[3], string(text), read(t, string(text))})
	}
	return recorded
}

func sglangRecording(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(pagesDir, "sglang-0.5.23", "collectors.metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	// The recording's labels are "x" where the collectors were told nothing.
	return strings.NewReplacer(`storage_backend="x"`, `storage_backend="file"`, `cache_type="x"`, `cache_type="RadixCache"`).
		Replace(withoutCreated(string(text)))
}

// withoutCreated drops the _created gauges, which the multiprocess mode of a
// real SGLang server does not write.
func withoutCreated(text string) string {
	var b strings.Builder
	keep := true
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "# HELP ") {
			keep = !strings.HasSuffix(strings.Fields(line)[2], "_created")
		}
		if keep {
			b.WriteString(line)
		}
	}
	return b.String()
}

// fill makes the page show what a recorded page shows, below the handles: the
// series and the values are the recording's, everything else is the page's.
func fill(t *testing.T, p *Page, recorded []*seen) {
	t.Helper()
	for _, f := range p.families {
		f.series = nil
		for _, v := range f.vecs {
			v.byKey, v.only = map[string]*series{}, nil
		}
	}
	number := func(s string) float64 {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, r := range recorded {
		f := p.byName[r.name]
		if f == nil {
			t.Errorf("no family %s", r.name)
			continue
		}
		for _, rs := range r.series {
			v := f.vecFor(rs.labels)
			if v == nil {
				t.Errorf("%s cannot have the labels %v", r.name, rs.labels)
				continue
			}
			values := []string{}
			for _, n := range v.vars {
				values = append(values, rs.labels[n])
			}
			s := v.at(values)
			if r.typ != "histogram" {
				s.value = number(rs.value)
				continue
			}
			s.value = number(rs.sum)
			var last uint64
			for i, c := range rs.cumulative {
				n := uint64(number(c))
				s.buckets[i], last = n-last, n
			}
			s.count = last
		}
	}
}

// vecFor finds the part of the family that can have these labels.
func (f *family) vecFor(labels map[string]string) *vec {
next:
	for _, v := range f.vecs {
		for n, x := range v.fixed {
			if labels[n] != x {
				continue next
			}
		}
		if len(labels) == len(v.fixed)+len(v.vars) {
			return v
		}
	}
	return nil
}

// TestSpelling writes recorded values with the package and wants the recorded
// bytes: names, order, labels and their order, edges, numbers. Only the HELP
// lines are our own.
func TestSpelling(t *testing.T) {
	for _, r := range recordings(t) {
		p := pageLike(t, r, r.families)
		fill(t, p, r.families)
		compareBytes(t, r.String(), string(p.AppendTo(nil)), r.text)
	}
}

// TestSpellingSGLang is the same for the collectors of a real SGLang.
func TestSpellingSGLang(t *testing.T) {
	text := sglangRecording(t)
	w := fullSGLang(Gen16, false)
	fill(t, &w.Page, read(t, text))
	compareBytes(t, "sglang-0.5.23", string(w.AppendTo(nil)), emptyFamiliesOut(text))
}

// emptyFamiliesOut drops families without a sample, which prometheus_client
// announces in one process and drops in multiprocess mode.
func emptyFamiliesOut(text string) string {
	var b, head strings.Builder
	for line := range strings.Lines(text) {
		if line[0] == '#' {
			if strings.HasPrefix(line, "# HELP") {
				head.Reset()
			}
			head.WriteString(line)
			continue
		}
		b.WriteString(head.String())
		head.Reset()
		b.WriteString(line)
	}
	return b.String()
}

func compareBytes(t *testing.T, name, got, want string) {
	t.Helper()
	g, w := comparable(got), comparable(want)
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("%s: line %d of %d (recorded %d)\n got  %.300s\n want %.300s", name, i, len(g), len(w), line(g, i), line(w, i))
			return
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// comparable are the lines without HELP. The endpoints of a worker come in an
// order that differs from process to process; here generate comes first.
func comparable(text string) []string {
	var lines, others []string
	for l := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(l, "# HELP"):
		case strings.Contains(l, `dynamo_endpoint="worker_kv_query`):
			others = append(others, l)
		case strings.Contains(l, `dynamo_endpoint="generate"`):
			lines = append(lines, l)
		default:
			lines, others = append(lines, others...), nil
			lines = append(lines, l)
		}
	}
	return append(lines, others...)
}

// parse feeds a page to the parser that the console uses.
func parse(t *testing.T, text []byte) {
	t.Helper()
	p := textparse.NewPromParser(text, nil, false)
	for {
		_, err := p.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("textparse: %v", err)
		}
	}
}
