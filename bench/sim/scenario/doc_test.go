package scenario

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const document = "../../../docs/scenarios.md"

// example opens the document.
const example = `description: one of two workers is three times slower for a minute
duration: 3m
deployment:
  pools: [{workers: 2, tp: 2}]
load:
  - rate: {shape: ramp, start: 2, end: 8}
    isl: {dist: lognormal, mean: 1800, stddev: 1000, max: 12000}
    osl: 200
    prefix: {share: 0.7, groups: 6, tokens: 600}
faults:
  - {at: 60s, for: 60s, kind: slow, factor: 3, target: worker1}
`

// TestDocument holds docs/scenarios.md against the types: every key, unit,
// default, range and example in it is what the decoder goes by.
// UPDATE_GOLDEN=1 writes it.
func TestDocument(t *testing.T) {
	want := render(t)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the types say; hint: UPDATE_GOLDEN=1 go test ./bench/sim/scenario, then look at the diff", document)
	}
}

// sections of the document, in order.
var sections = []struct {
	title string
	of    any
}{
	{"The file", Scenario{}},
	{"`deployment`", Deployment{}},
	{"`deployment.frontends`", Frontends{}},
	{"`deployment.pools[]`", Pool{}},
	{"`deployment.pools[].params`", Params{}},
	{"`deployment.router`", Router{}},
	{"`deployment.exporters`", Exporters{}},
	{"`deployment.network`", Network{}},
	{"`deployment.buckets`", Buckets{}},
	{"One grid of `deployment.buckets`", Grid{}},
	{"`load[]`", Segment{}},
	{"A shape: `rate`, `concurrency`", Shape{}},
	{"`steps[]` of a shape", Step{}},
	{"`load[].arrival`", Arrival{}},
	{"A length: `isl`, `osl`, `cancel.after`", Length{}},
	{"`load[].prefix`", Prefix{}},
	{"`load[].cancel`", Cancel{}},
	{"`faults[]`", Fault{}},
	{"`sla`", SLA{}},
	{"`expect[]`", Expect{}},
}

func render(t *testing.T) string {
	docs := comments(t)
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Scenarios of the simulated deployment\n")
	p("<!-- Generated from bench/sim/scenario: UPDATE_GOLDEN=1 go test ./bench/sim/scenario -->\n")
	p("A scenario is one YAML file: the deployment, the load on it over time, and what goes wrong when. `dynascope sim --scenario` and `dynascope demo --scenario` take the name of a shipped one (listed at the end) or a file, which is what has a slash in it or ends in `.yaml`.\n")
	p("Reading is strict. An unknown key, a key that is there twice, one that means nothing where it stands, a number without its unit or out of its range: each is an error with file, line, column and a hint. The same file and seed give the same run.\n")
	p("Durations are written `90s`, `2m30s`, `200us`; shares are 0…1; tokens are whole numbers; times count from the start of the scenario unless a key says otherwise. Anchors and aliases (`&a`, `*a`) may be used, merge keys and tags not.\n")
	if _, err := Parse("example.yaml", []byte(example)); err != nil {
		t.Error(err)
	}
	p("```yaml\n%s```\n", example)
	for _, s := range sections {
		typ := reflect.TypeOf(s.of)
		p("## %s\n\n%s\n", s.title, docs[typ.Name()])
		p("| Key | Type | Default | Allowed | Meaning | Example |\n|---|---|---|---|---|---|")
		for _, f := range fields(typ) {
			text := docs[typ.Name()+"."+f.Name]
			if text == "" {
				t.Errorf("%s.%s has no comment", typ.Name(), f.Name)
			}
			p("| `%s` | %s | %s | %s | %s | %s |", f.Tag.Get("yaml"), typeText(f), defaultText(f), allowedText(f), cell(text), exampleText(f))
		}
		p("")
		if typ == reflect.TypeFor[Fault]() {
			p("### Kinds of fault\n\n| Kind | Meets (first: when no target is written) | Needs | Also reads | What happens |\n|---|---|---|---|---|")
			for _, r := range faultRules {
				p("| `%s` | %s | %s | %s | %s |", r.kind, kindsText(r.targets), keyList(r.needs), keyList(r.uses), cell(r.doc))
			}
			p("\n### Targets\n\n%s\n", docs["Target"])
		}
	}
	p("## Shipped scenarios\n")
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		p("**%s** (%s). %s\n", name, durationText(s.Duration), s.Description)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// comments reads the package's own source: type names and type.field to the
// text of their comments, without the type's name in front.
func comments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				typ, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				if gen.Doc != nil {
					out[typ.Name.Name] = sentence(gen.Doc.Text(), typ.Name.Name)
				}
				if s, ok := typ.Type.(*ast.StructType); ok {
					for _, field := range s.Fields.List {
						for _, n := range field.Names {
							out[typ.Name.Name+"."+n.Name] = oneLine(field.Doc.Text())
						}
					}
				}
			}
		}
	}
	return out
}

// sentence turns "Pool is a group of …" into "A group of …".
func sentence(text, name string) string {
	text = strings.TrimPrefix(text, name+" ")
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	text = oneLine(text)
	return strings.ToUpper(text[:1]) + text[1:]
}

func oneLine(text string) string {
	var p comment.Parser
	return strings.Join(strings.Fields(string((&comment.Printer{TextWidth: -1}).Text(p.Parse(text)))), " ")
}

func typeText(f reflect.StructField) string {
	typ, list := f.Type, ""
	if typ.Kind() == reflect.Slice {
		typ, list = typ.Elem(), "list of "
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	name := "word"
	switch {
	case typ == reflect.TypeFor[time.Duration]():
		name = "duration"
	case typ == reflect.TypeFor[Target]():
		name = "target"
	case typ == reflect.TypeFor[Shape]():
		name = "shape"
	case typ == reflect.TypeFor[Length]():
		name = "length"
	case typ.Kind() == reflect.Struct:
		name = "keys"
	case typ.Kind() == reflect.Bool:
		name = "true/false"
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Uint64:
		name = "whole number"
	case typ.Kind() == reflect.Float64:
		name = "number"
	}
	if u := f.Tag.Get("unit"); u != "" {
		name += ", " + u
	}
	if list != "" {
		name = strings.Replace(strings.Replace(name, "word", "words", 1), "number", "numbers", 1)
		name = strings.Replace(name, "target", "targets", 1)
	}
	return list + name
}

func defaultText(f reflect.StructField) string {
	if text, ok := f.Tag.Lookup("default"); ok {
		return "`" + text + "`"
	}
	if f.Tag.Get("required") != "" {
		return "required"
	}
	return "–"
}

func allowedText(f reflect.StructField) string {
	if in := f.Tag.Get("range"); in != "" {
		typ := f.Type
		if typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		return rangeText(in, typ)
	}
	if f.Tag.Get("enum") == "@kinds" {
		return "the table of kinds"
	}
	if words := enumOf(f); words != nil {
		return keyList(words)
	}
	return ""
}

func exampleText(f reflect.StructField) string {
	if ex := f.Tag.Get("ex"); ex != "" {
		return "`" + cell(ex) + "`"
	}
	return ""
}

func keyList(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return "`" + strings.Join(words, "`, `") + "`"
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// TestExamples decodes the example of every key in its place: it must be
// readable and within its range.
func TestExamples(t *testing.T) {
	for _, sec := range sections {
		typ := reflect.TypeOf(sec.of)
		for _, f := range fields(typ) {
			ex := f.Tag.Get("ex")
			if ex == "" {
				if f.Type.Kind() != reflect.Struct && f.Type.Kind() != reflect.Slice && f.Type.Kind() != reflect.Pointer {
					t.Errorf("%s.%s has no example", typ.Name(), f.Name)
				}
				continue
			}
			tree, err := parse([]byte(f.Tag.Get("yaml") + ": " + ex + "\n"))
			if err != nil {
				t.Errorf("%s.%s: %v", typ.Name(), f.Name, err)
				continue
			}
			d := &decoder{pos: map[string]position{}}
			v := reflect.New(typ).Elem()
			d.value(v, tree.Docs[0].Body, "", 0)
			for _, e := range d.errs {
				if !strings.Contains(e.Problem, "is missing") {
					t.Errorf("%s.%s: %v", typ.Name(), f.Name, e)
				}
			}
			c := &checker{s: &Scenario{}}
			c.field(v.FieldByIndex(f.Index), f, f.Tag.Get("yaml"))
			if len(c.errs) > 0 {
				t.Errorf("%s.%s: %v", typ.Name(), f.Name, c.errs)
			}
		}
	}
}
