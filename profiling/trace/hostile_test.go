package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dynascope/profiling/trace/tracegen"
)

// readAll analyses a stream as if it were one file.
func readAll(in io.Reader, limits Limits) (*Report, error) {
	src, err := newSource(context.Background(), in, limits)
	if err != nil {
		return nil, err
	}
	defer src.close()
	opt := Options{Kernels: 500, Operators: 200}
	m := newMemory(&opt)
	defer m.spill.close()
	f := File{Path: "stream", Label: "stream", Rank: -1}
	ranks, err := f.analyse(src, &opt, m)
	if err != nil {
		return nil, err
	}
	r := &Report{Files: []File{f}, Ranks: ranks}
	r.Overall = overall(ranks, 500)
	r.Skew = skew(r)
	r.Findings = findings(r)
	return r, nil
}

const kernelEvent = `{"ph": "X", "cat": "kernel", "name": %q, "pid": 0, "tid": 7, "ts": %d, "dur": %d, "args": {"correlation": 1}}`

func TestNotATrace(t *testing.T) {
	for body, want := range map[string]string{
		"":                    "no traceEvents",
		"<html>":              "neither",
		"{}":                  "no traceEvents",
		"[]":                  "empty",
		`{"traceEvents": []}`: "empty",
		`{"traceEvents": [`:   "may still be written",
		`{"schema": "1.0", "nodes": [{"x":[{"name":1}]}], "pid": 3}`: "execution graph",
		`{"traceEvents": [{"ph": "M", "name": "x"}]}`:                "has a time",
		`{"a": {"b": 1}, 5}`:                  "no JSON",
		strings.Repeat(" ", 5000):             "no traceEvents",
		`{"a": "` + strings.Repeat("x", 5000): "no event",
	} {
		_, err := readAll(strings.NewReader(body), Limits{calm: 2000})
		if err == nil || !errors.Is(err, errNotTrace) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", body, err, want)
		}
	}
}

func TestCutAnywhere(t *testing.T) {
	var whole bytes.Buffer
	truth, err := tracegen.Write(tracegen.Spec{Steps: 2, Layers: 1}, []io.Writer{&whole})
	if err != nil {
		t.Fatal(err)
	}
	data := whole.Bytes()
	last := int64(0)
	for cut := 0; cut < len(data); cut += 211 {
		r, err := readAll(bytes.NewReader(data[:cut]), Limits{})
		if err != nil {
			if !errors.Is(err, errNotTrace) {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			continue
		}
		n := &r.Files[0].Notes
		if n.Ended || n.Malformed > 0 || n.Events < last || n.Events > truth[0].Events {
			t.Fatalf("cut at %d of %d: %+v", cut, len(data), n)
		}
		if !strings.Contains(r.Findings[0].Code, "cut") {
			t.Fatalf("cut at %d is not said first: %+v", cut, r.Findings)
		}
		last = n.Events
	}
	if last < truth[0].Events/2 {
		t.Errorf("only %d events before the last cut", last)
	}
}

func TestCutGzip(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := tracegen.Write(tracegen.Spec{Steps: 60}, []io.Writer{z}); err != nil {
		t.Fatal(err)
	}
	z.Close()
	path := filepath.Join(t.TempDir(), "x.trace.json.gz")
	for _, n := range []int{zipped.Len(), zipped.Len() - 4, zipped.Len() / 2} {
		if err := os.WriteFile(path, zipped.Bytes()[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if notes, err := Check(context.Background(), path); err != nil || notes.Complete() != (n == zipped.Len()) {
			t.Errorf("%d of %d bytes: complete %v, %v, %+v", n, zipped.Len(), notes.Complete(), err, notes)
		}
	}
	r, err := readAll(bytes.NewReader(zipped.Bytes()[:zipped.Len()/2]), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Files[0].Notes; n.Ended || !strings.Contains(n.Cut, "gzip") || n.Events < 100 || r.Overall.Busy == 0 {
		t.Errorf("%+v", n)
	}
}

// repeat gives the same bytes n times without holding them.
type repeat struct {
	part string
	n    int64
	at   int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) && r.n > 0 {
		c := copy(p[n:], r.part[r.at:])
		n, r.at = n+c, r.at+c
		if r.at == len(r.part) {
			r.at = 0
			r.n--
		}
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestZipBombs(t *testing.T) {
	// Members of a gzip file follow each other: one small block, many times.
	bomb := func(head, block string, n int) io.Reader {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, head)
		z.Close()
		at := b.Len()
		z.Reset(&b)
		io.WriteString(z, block)
		z.Close()
		member := bytes.Clone(b.Bytes()[at:])
		for range n - 1 {
			b.Write(member)
		}
		return &b
	}
	one := fmt.Sprintf(kernelEvent, "k", 10, 5)
	limits := Limits{calm: 1 << 17, Ratio: 50}
	if _, err := readAll(bomb("", strings.Repeat("\x00", 64<<10), 20), limits); !errors.Is(err, errNotTrace) {
		t.Errorf("zeros: %v", err)
	}
	r, err := readAll(bomb(`{"traceEvents": [`+one, strings.Repeat(","+one, 600), 30), limits)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Files[0].Notes; !strings.Contains(n.Cut, "expands") || n.Ended || n.Events < 1000 {
		t.Errorf("one event over and over: %+v", n)
	}
	r, err = readAll(io.MultiReader(strings.NewReader(`{"traceEvents": [`+one), &repeat{part: "," + one, n: 30_000}), Limits{Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Files[0].Notes; !strings.Contains(n.Cut, "limit") || n.Bytes > 4<<20 {
		t.Errorf("longer than the limit: %+v", n)
	}
}

func TestLongLine(t *testing.T) {
	for what, long := range map[string]string{"name": strings.Repeat("n", 1<<10), "blanks": strings.Repeat(" ", 1<<10), "nested": strings.Repeat("[", 1<<10)} {
		start := `{"ph": "X", "name": "`
		if what != "name" {
			start = `{"ph": "X", "args": {"x": `
		}
		megabytes := int64(10)
		if what == "name" && !testing.Short() {
			megabytes = 100
		}
		r, err := readAll(io.MultiReader(
			strings.NewReader(`{"traceEvents": [`+fmt.Sprintf(kernelEvent, "first", 10, 5)+",\n"+start),
			&repeat{part: long, n: megabytes << 10},
			strings.NewReader("\n\"},\n"+fmt.Sprintf(kernelEvent, "last", 30, 5)+`], "x": 1}`)), Limits{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		n := r.Files[0].Notes
		if n.Oversized+n.Malformed == 0 || len(r.Overall.Kernels) != 2 || r.Overall.Elapsed != 25_000 {
			t.Errorf("%s: %+v, %d kernels", what, n, len(r.Overall.Kernels))
		}
	}
}

func TestManyThreads(t *testing.T) {
	n, names := 1_000_000, 1_000_000
	if testing.Short() {
		n, names = 70_000, 100
	}
	r, w := io.Pipe()
	go func() { // ends when the reader has taken or refused everything
		fmt.Fprintf(w, `{"traceEvents": [`+kernelEvent, "k", 10, 5)
		line := []byte(nil)
		for i := range n {
			line = fmt.Appendf(line[:0], `,{"ph":"X","cat":"cpu_op","name":"op %d","pid":1,"tid":%d,"ts":%d,"dur":2}`, i%names, i, 20+i)
			if i%10 == 0 {
				line = fmt.Appendf(line, `,{"ph":"X","cat":"kernel","name":"k","pid":%d,"tid":%d,"ts":%d,"dur":1}`, i, i, 20+i)
			}
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		w.CloseWithError(func() error { fmt.Fprint(w, "]}"); return io.EOF }())
	}()
	rep, err := readAll(r, Limits{})
	r.Close()
	if err != nil {
		t.Fatal(err)
	}
	if f := rep.Files[0]; !strings.Contains(f.Notes.TooMany, "threads") || !strings.Contains(f.Notes.TooMany, "devices") || f.Host.Operators[0].Calls == 0 {
		t.Errorf("%+v", f.Notes)
	}
}

func TestOddEvents(t *testing.T) {
	body := `{"traceEvents": [
	{"ph": "X", "cat": "kernel", "name": "ok\u001b[31m\u0007 <b>", "pid": "0", "tid": "7", "ts": "10.5", "dur": 2},
	{"ph": "X", "cat": "kernel", "name": "negative", "pid": 0, "tid": 7, "ts": 11, "dur": -5},
	{"ph": "X", "cat": "kernel", "name": "nan", "pid": 0, "tid": 7, "ts": NaN, "dur": 5},
	{"ph": "X", "cat": "kernel", "name": "far", "pid": 0, "tid": 7, "ts": 9e15, "dur": 5},
	{"ph": "X", "cat": "kernel", "name": "endless", "pid": 0, "tid": 7, "ts": 12, "dur": 1e300},
	{"ph": "X", "cat": "kernel", "name": "no ts", "pid": 0, "tid": 7},
	{"ph": "X", "cat": "brand new", "name": "x", "pid": 0, "tid": 7, "ts": 1, "dur": 1},
	{"ph": "X", "cat": "kernel", "name": "broken" "pid": 0, "tid": 7, "ts": 12, "dur": 1},
	{"args": {"stream": 3, "device": 0}, "dur": 1, "ts": 2.0e1, "tid": 7, "pid": 0, "name": "turned", "cat": "kernel", "ph": "X"}
	]}`
	r, err := readAll(strings.NewReader(body), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n := r.Files[0].Notes
	if n.Negative != 1 || n.BadTimes != 4 || n.Malformed != 1 || r.Files[0].Unknown["brand new"] != 1 || !n.Ended {
		t.Errorf("%+v %v", n, r.Files[0].Unknown)
	}
	var md bytes.Buffer
	if err := r.WriteMarkdown(&md); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(md.String(), "\x1b\x07") || strings.Contains(md.String(), "<b>") || r.Overall.Calls("ok <b>") != 1 {
		t.Errorf("names are not clean: %+v", r.Overall.Kernels)
	}
	if r.Overall.Elapsed != 10_500 || r.Overall.Calls("turned") != 1 {
		t.Errorf("elapsed %d, %+v", r.Overall.Elapsed, r.Overall.Kernels)
	}
}

// Calls is how often a kernel ran.
func (t Totals) Calls(name string) int64 {
	for _, k := range t.Kernels {
		if k.Name == name {
			return k.Calls
		}
	}
	return 0
}

func TestOneBadFileBesideGoodOnes(t *testing.T) {
	paths, _ := generate(t, tracegen.Spec{}, true)
	bad := filepath.Join(t.TempDir(), "notes.json")
	if err := os.WriteFile(bad, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := analyse(t, append(paths, bad, bad+".missing"), Options{})
	if r.Files[0].Failed != "" || r.Files[1].Failed == "" || r.Files[2].Failed == "" || len(r.Ranks) != 1 {
		t.Errorf("%+v", r.Files)
	}
	if _, err := Analyse(context.Background(), []string{bad}, Options{}); err == nil {
		t.Error("a lone bad file is no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Analyse(ctx, paths, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestMutations breaks a trace in a few thousand small ways; each time there
// is an error or a report that says what was lost, and the books balance.
func TestMutations(t *testing.T) {
	var b bytes.Buffer
	if _, err := tracegen.Write(tracegen.Spec{Steps: 1, Layers: 1}, []io.Writer{&b}); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	rounds := 500
	if testing.Short() {
		rounds = 100
	}
	for range rounds {
		data := bytes.Clone(b.Bytes())
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(data))
			switch rng.IntN(4) {
			case 0:
				data[at] = `"{}[],:\-9e`[rng.IntN(11)]
			case 1:
				data = slices.Delete(data, at, min(at+1+rng.IntN(60), len(data)))
			case 2:
				data = slices.Insert(data, at, data[at:min(at+40, len(data))]...)
			default:
				data = slices.Insert(data, at, '"')
			}
		}
		r, err := readAll(bytes.NewReader(data), Limits{EventBytes: 16 << 10})
		if err != nil {
			if !errors.Is(err, errNotTrace) {
				t.Fatalf("%v\n%s", err, data)
			}
			continue
		}
		for _, k := range r.Ranks {
			if k.Elapsed != k.Window.Length() || k.Busy+k.Breakdown.Idle() != k.Elapsed {
				t.Fatalf("the books do not balance: %+v\n%s", k.Totals, data)
			}
		}
		if n := r.Files[0].Notes; n.Events < 40 && n.Malformed == 0 && n.Repaired == 0 && n.Ended {
			t.Errorf("silently lost events: %+v\n%s", n, data)
		}
	}
}
