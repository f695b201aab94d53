package report

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"dynascope/sources"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

// TestDocumentedFields: docs/once-json.md names every field of the document.
func TestDocumentedFields(t *testing.T) {
	raw, err := os.ReadFile("../../docs/once-json.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	if !strings.Contains(doc, Schema) {
		t.Errorf("the document does not name %s", Schema)
	}
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || typ.PkgPath() != reflect.TypeFor[document]().PkgPath() {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				t.Errorf("%s.%s has no JSON name", typ.Name(), f.Name)
			}
			if !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("docs/once-json.md does not name the field %s of %s", name, typ.Name())
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[document]())
}

func frame(w, h int) pane.Frame { return panetest.Frame(w, h) }

// TestJSONHoldsForAnyData: valid, one schema, no NaN, whatever the snapshot.
func TestJSONHoldsForAnyData(t *testing.T) {
	for _, data := range panetest.Datasets() {
		f := frame(110, 32)
		f.Snap = panetest.Fill(f, Needs(), data)
		if f.Snap == nil {
			continue
		}
		f.Judgement = judgement()
		var out bytes.Buffer
		if err := JSON(&out, f); err != nil {
			t.Errorf("%v: %v", data, err)
			continue
		}
		var doc map[string]any
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Errorf("%v: %v", data, err)
			continue
		}
		if doc["schema"] != Schema {
			t.Errorf("%v: schema %v", data, doc["schema"])
		}
		// Also the controls that JSON escapes: jq -r would undo that.
		controls := func(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				for k, x := range v {
					walk(k)
					walk(x)
				}
			case []any:
				for _, x := range v {
					walk(x)
				}
			case string:
				if controls(v) {
					t.Errorf("%v: control characters in %q", data, v)
				}
			}
		}
		walk(doc)
		for _, list := range []string{"models", "targets", "workers", "latency", "figures", "discovery"} {
			if doc[list] == nil {
				t.Errorf("%v: %s is null, want a list", data, list)
			}
		}
	}
}

// TestSummaryAndTextAreClean: nothing but printable text leaves, also with
// hostile names.
func TestSummaryAndTextAreClean(t *testing.T) {
	for _, data := range panetest.Datasets() {
		f := frame(110, 32)
		f.Snap = panetest.Fill(f, Needs(), data)
		if f.Snap == nil {
			continue
		}
		var out bytes.Buffer
		Summary(&out, f.Snap)
		if err := Text(&out, f, nil); err != nil {
			t.Fatal(err)
		}
		if s := out.String(); strings.ContainsAny(s, "\x1b\x07\x00") {
			t.Errorf("%v: control characters in %q", data, s)
		}
	}
	Summary(&bytes.Buffer{}, nil)
}

func TestPlainStripsStylesLineByLine(t *testing.T) {
	in := "\x1b[31mred\x1b[0m  \n" + cells.Fit("two", 10) + "\n   \n"
	if got := Plain(in); got != "red\ntwo\n" {
		t.Errorf("%q", got)
	}
}

func TestAWorkersRanksStandTogether(t *testing.T) {
	snap := panetest.Fill(frame(110, 32), Needs(), panetest.Datasets()[0])
	n := 0
	for _, w := range workerDocs(snap) {
		n += len(w.Ranks)
	}
	want := 0
	for _, w := range snap.Workers {
		want += len(w.Ranks)
	}
	if n != want || len(workerDocs(snap)) != len(snap.Workers) {
		t.Errorf("%d ranks of %d workers, want %d of %d", n, len(workerDocs(snap)), want, len(snap.Workers))
	}
}

// Each target's error and each address tried stands on a line of its own,
// whatever the text holds.
func TestErrorsAndAttemptsAreOneLineEach(t *testing.T) {
	f := frame(110, 32)
	f.Snap = sources.NewSnapshot(sources.Snapshot{At: panetest.Now(), Targets: []sources.Target{
		{Instance: "a:1", Health: sources.HealthDown, Error: "fetch the page: HTML\x1b[2J\nis no page; hint: the port is a web server"},
		{Instance: "b:2\x1b]0;x\x07", Health: sources.HealthPending, Error: "dial: refused; hint: is it running?"},
	}}, nil)
	tried := []TriedLine{{"127.0.0.1:8000", "documented\nport", "frontend"}, {"127.0.0.1:9400", "flag of process 7", "refused\x1b[2J"}}
	var out bytes.Buffer
	if err := Text(&out, f, nil, tried...); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for _, want := range []string{"fetch the page: HTML is no page; hint: the port is a web server", "dial: refused; hint: is it running?", "documented port", "flag of process 7"} {
		n := 0
		for _, l := range lines {
			if strings.Contains(l, want) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q stands on %d lines:\n%s", want, n, out.String())
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\x07") {
		t.Errorf("control characters in %q", out.String())
	}
	out.Reset()
	if err := JSON(&out, f, tried...); err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Targets) != 2 || doc.Targets[0].Error != "fetch the page: HTML is no page; hint: the port is a web server" || len(doc.Tried) != 2 || doc.Tried[1].Outcome != "refused" {
		t.Errorf("%+v %+v", doc.Targets, doc.Tried)
	}
}
