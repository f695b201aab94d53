package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"dynascope/sources/text"
)

const (
	maxBytes  = 1 << 20 // of a file
	maxErrors = 20      // reported of a file
	maxPanes  = 20
	maxItems  = 1000 // of one list
)

// Pos is a place in a file, from 1; the zero line is the whole file.
type Pos struct {
	File         string
	Line, Column int
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Value is one setting as a file has it.
type Value struct {
	Items []string // one, except of a list
	At    Pos
}

// Binding is one action's keys as a file has them.
type Binding struct {
	Action string
	Keys   []string
	At     Pos
}

// Section is what may stand at the top of a file and in each profile.
type Section struct {
	Settings map[string]Value // by key
	Panes    []Pane
}

// File is one parsed file.
type File struct {
	Path string
	Section
	Profiles map[string]Section
	Keys     []Binding
}

// fileKeys are the keys that are no settings.
var fileKeys = []string{"keys", "panes", "profiles"}

// Parse reads a configuration file strictly: an unknown key, a value of the
// wrong type, a secret or a broken pane is an error with its line, column and
// a hint. Up to 20 errors are reported at once.
func Parse(path string, raw []byte, t Table) (*File, error) {
	r := &reader{path: path, table: t}
	f := &File{Path: path, Section: Section{Settings: map[string]Value{}}, Profiles: map[string]Section{}}
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("read %s: larger than %d bytes; hint: is it a configuration?", path, maxBytes)
	}
	tree, err := parse(raw)
	if err != nil {
		return nil, syntaxError(path, err)
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.NullType:
		case body != nil:
			r.fail(doc.Body, "a second document", "one document a file")
		default:
			body = doc.Body
		}
	}
	if body != nil {
		r.file(f, body)
	}
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	return f, nil
}

// parse keeps a panic of the YAML parser from ending the program.
func parse(raw []byte) (f *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("not readable as YAML")
		}
	}()
	return parser.ParseBytes(raw, 0)
}

func syntaxError(path string, err error) error {
	at := Pos{File: path}
	problem, _, _ := strings.Cut(err.Error(), "\n")
	var y yaml.Error
	if errors.As(err, &y) {
		problem = y.GetMessage()
		if tk := y.GetToken(); tk != nil && tk.Position != nil {
			at.Line, at.Column = tk.Position.Line, tk.Position.Column
		}
	}
	hint := "is it YAML?"
	if strings.Contains(problem, "already defined") {
		hint = "remove one of the two"
	}
	return fmt.Errorf("%s: %s; hint: %s", at, text.Clean(problem, 200), hint)
}

// reader walks one file's tree.
type reader struct {
	path  string
	table Table
	errs  []error
}

func (r *reader) fail(n ast.Node, problem, hint string) {
	if len(r.errs) >= maxErrors {
		return
	}
	if hint != "" {
		hint = "; hint: " + hint
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %s%s", r.pos(n), problem, hint))
}

// pos is where a node begins: for a block mapping its first key.
func (r *reader) pos(n ast.Node) Pos {
	switch x := n.(type) {
	case *ast.MappingNode:
		if len(x.Values) > 0 && !x.IsFlowStyle {
			n = x.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = x.Key
	}
	at := Pos{File: r.path}
	if n == nil {
		return at
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		at.Line, at.Column = tk.Position.Line, tk.Position.Column
	}
	return at
}

// entry is one key of a mapping.
type entry struct {
	name  string
	key   ast.Node
	value ast.Node
}

// mapping reads a node as a mapping; what says what it should be.
func (r *reader) mapping(n ast.Node, what string) []entry {
	var values []*ast.MappingValueNode
	switch x := n.(type) {
	case *ast.MappingNode:
		values = x.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{x}
	case *ast.NullNode:
		return nil
	default:
		r.fail(n, what+" is not a mapping", "key: value lines, indented")
		return nil
	}
	out := make([]entry, 0, len(values))
	for _, v := range values {
		name, ok := scalar(v.Key)
		if !ok {
			r.fail(v.Key, "a key that is no plain word", "anchors, tags and merges are not taken")
			continue
		}
		out = append(out, entry{name, v.Key, v.Value})
	}
	return out
}

// scalar is the text of a plain value.
func scalar(n ast.Node) (string, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.MappingKeyNode:
		return "", false
	}
	return "", false
}

// list reads a list of plain values; a lone one is a list of one.
func (r *reader) list(n ast.Node, what string) []string {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		if s, ok := scalar(n); ok {
			return []string{s}
		}
		r.fail(n, what+" is not a list of plain values", what+": [A, B]")
		return nil
	}
	if len(seq.Values) > maxItems {
		r.fail(n, fmt.Sprintf("%s has more than %d entries", what, maxItems), "")
		return nil
	}
	out := make([]string, 0, len(seq.Values))
	for _, v := range seq.Values {
		s, ok := scalar(v)
		if !ok {
			r.fail(v, what+" holds something that is no plain value", what+": [A, B]")
			continue
		}
		out = append(out, s)
	}
	return out
}

func (r *reader) file(f *File, body ast.Node) {
	for _, e := range r.mapping(body, "the file") {
		switch e.name {
		case "profiles":
			for _, p := range r.mapping(e.value, "profiles") {
				s := Section{Settings: map[string]Value{}}
				for _, in := range r.mapping(p.value, "profile "+quoted(p.name)) {
					if in.name == "profile" || in.name == "profiles" || in.name == "keys" {
						r.fail(in.key, in.name+" cannot stand in a profile", "move it to the top of the file")
						continue
					}
					r.entry(&s, in)
				}
				f.Profiles[p.name] = s
			}
		case "keys":
			for _, k := range r.mapping(e.value, "keys") {
				f.Keys = append(f.Keys, Binding{k.name, r.list(k.value, k.name), r.pos(k.key)})
			}
		default:
			r.entry(&f.Section, e)
		}
	}
	if p, ok := f.Settings["profile"]; ok {
		if _, known := f.Profiles[p.Items[0]]; !known {
			r.errs = append(r.errs, fmt.Errorf("%s: %w", p.At, unknownProfile(p.Items[0], f)))
		}
	}
}

// entry reads a setting, or the panes.
func (r *reader) entry(s *Section, e entry) {
	if e.name == "panes" {
		s.Panes = r.panes(e.value)
		return
	}
	set, ok := r.table[e.name]
	switch {
	case !ok || set.Is(FlagOnly):
		r.unknown(e, set)
		return
	case e.value == nil || e.value.Type() == ast.NullType:
		r.fail(e.key, e.name+" has no value", "remove the line, or give one")
		return
	}
	v := Value{At: r.pos(e.key)}
	if set.List() {
		v.Items = r.list(e.value, e.name)
	} else {
		item, ok := scalar(e.value)
		if !ok {
			r.fail(e.value, e.name+" takes one plain value", e.name+": VALUE")
			return
		}
		v.Items = []string{item}
	}
	for _, item := range v.Items {
		if err := set.check(item); err != nil {
			r.errs = append(r.errs, fmt.Errorf("%s: %w", r.pos(e.value), err))
			return
		}
		if problem, hint := secret(set, item); problem != "" {
			r.fail(e.value, problem, hint)
			return
		}
	}
	s.Settings[e.name] = v
}

// unknown refuses a key, with what was most likely meant.
func (r *reader) unknown(e entry, set Setting) {
	known := append(r.table.Keys(), fileKeys...)
	plain := strings.ReplaceAll(e.name, "-", "_")
	hint := "docs/configuration.md lists the keys"
	switch near := Nearest(plain, known); {
	case set.Is(FlagOnly):
		hint = "it is a flag only: --" + set.Flag
	case text.SecretName(e.name) && !strings.HasSuffix(e.name, "_file"):
		hint = "secrets stay out of this file: put it into a file of its own and name that, as in " + r.table.fileKeyFor(plain)
	case near != "":
		hint = near + "?"
	}
	r.fail(e.key, "unknown key "+quoted(e.name), hint)
}

// fileKeyFor is the *_file key that takes what a secret's name asks for.
func (t Table) fileKeyFor(name string) string {
	if near := Nearest(name+"_file", t.Keys()); strings.HasSuffix(near, "_file") {
		return near + ": FILE"
	}
	if strings.Contains(name, "pass") {
		return "password_file: FILE"
	}
	return "bearer_token_file: FILE"
}

// secret says what is wrong with a value that holds a secret in clear.
func secret(s Setting, item string) (problem, hint string) {
	if s.Is(Literal) {
		name, value, _ := strings.Cut(item, ":")
		if text.SecretName(strings.TrimSpace(name)) && !strings.HasPrefix(strings.TrimSpace(value), "@") {
			return s.Key + " holds a secret", "'" + text.Clean(strings.TrimSpace(name), 40) + ": @FILE' reads it from a file"
		}
	}
	if u, err := url.Parse(item); err == nil && u.User != nil && strings.Contains(item, "://") {
		if _, pass := u.User.Password(); pass {
			return s.Key + " holds a password", "give user and password with the username and password_file keys"
		}
	}
	return "", ""
}

func quoted(s string) string { return fmt.Sprintf("%q", clip(s)) }

func unknownProfile(name string, f *File) error {
	names := slices.Sorted(maps.Keys(f.Profiles))
	hint := "one of " + text.Clean(strings.Join(names, ", "), 300)
	if len(names) == 0 {
		hint = "the file has no profiles"
	}
	return fmt.Errorf("no profile %s in %s; hint: %s", quoted(name), f.Path, hint)
}
