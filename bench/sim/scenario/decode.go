package scenario

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// position in a file, from 1.
type position struct{ line, column int }

const (
	maxBytes   = 1 << 20 // of a scenario file
	maxDepth   = 32      // of nested anchors; types bound everything else
	maxAliases = 200     // used in one file, each anchor's content counted again
	maxErrors  = 20      // reported
)

// decoder fills a scenario from a YAML tree. The tree is goccy's, which also
// finds duplicate keys; the walk is ours, because only a walk over tree and
// types together can say where each value was written, tell an absent key from
// a zero, and name the nearest key.
type decoder struct {
	file    string
	pos     map[string]position
	anchors map[string]ast.Node
	aliases int
	errs    Errors
}

// decode parses one document into a scenario whose defaults are applied.
func decode(file string, data []byte) (s *Scenario, errs Errors) {
	d := &decoder{file: file, pos: map[string]position{}, anchors: map[string]ast.Node{}}
	s = &Scenario{file: file, pos: d.pos}
	if len(data) > maxBytes {
		d.fail(nil, "", fmt.Sprintf("larger than %d bytes", maxBytes), "is it a scenario?")
		return s, d.errs
	}
	tree, err := parse(data)
	if err != nil {
		d.syntax(err)
		return s, d.errs
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			d.fail(doc.Body, "", "a second document", "one scenario a file")
			return s, d.errs
		}
		body = doc.Body
	}
	v := reflect.ValueOf(s).Elem()
	if body == nil {
		setDefaults(v)
		return s, d.errs
	}
	d.value(v, body, "", 0)
	return s, d.errs
}

// parse keeps a panic of the parser (some malformed input has that effect) from
// ending the program.
func parse(data []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("not readable as YAML")
		}
	}()
	return parser.ParseBytes(data, 0)
}

func (d *decoder) syntax(err error) {
	e := &Error{File: d.file, Problem: firstLine(err.Error())}
	var at yaml.Error
	if errors.As(err, &at) {
		e.Problem = at.GetMessage()
		if tk := at.GetToken(); tk != nil && tk.Position != nil {
			e.Line, e.Column = tk.Position.Line, tk.Position.Column
		}
	}
	if strings.Contains(e.Problem, "already defined") {
		e.Hint = "remove one of the two"
	}
	d.errs = append(d.errs, e)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// fail records what is wrong with a node (or with the whole file).
func (d *decoder) fail(n ast.Node, path, problem, hint string) {
	if len(d.errs) >= maxErrors {
		return
	}
	p := positionOf(n)
	d.errs = append(d.errs, &Error{File: d.file, Line: p.line, Column: p.column, Path: path, Problem: problem, Hint: hint})
}

// positionOf is where a node begins: for a mapping its first key, since the
// parser's own answer is the colon behind that.
func positionOf(n ast.Node) position {
	var tk *token.Token
	switch n := n.(type) {
	case nil:
		return position{}
	case *ast.MappingNode:
		if len(n.Values) > 0 && !n.IsFlowStyle {
			return positionOf(n.Values[0].Key)
		}
		tk = n.GetToken()
	case *ast.MappingValueNode:
		return positionOf(n.Key)
	case *ast.AnchorNode:
		tk = n.Start
	default:
		tk = n.GetToken()
	}
	if tk == nil || tk.Position == nil {
		return position{}
	}
	return position{tk.Position.Line, tk.Position.Column}
}

// plain follows anchors and aliases to the node that holds the value; nil after
// an error.
func (d *decoder) plain(n ast.Node, path string, depth int) ast.Node {
	for ; depth < maxDepth; depth++ {
		switch x := n.(type) {
		case *ast.AnchorNode:
			d.anchors[x.Name.String()] = x.Value
			n = x.Value
		case *ast.AliasNode:
			at, ok := d.anchors[x.Value.String()]
			if !ok {
				d.fail(x, path, fmt.Sprintf("no anchor &%s before this", clip(x.Value.String())), "")
				return nil
			}
			if d.aliases++; d.aliases > maxAliases {
				d.fail(x, path, fmt.Sprintf("more than %d aliases", maxAliases), "")
				return nil
			}
			n = at
		case *ast.TagNode:
			d.fail(x, path, fmt.Sprintf("the tag %s is not understood", clip(x.Start.Value)), "leave it out")
			return nil
		default:
			return n
		}
	}
	d.fail(n, path, "an anchor that contains itself", "")
	return nil
}

// value decodes a node into v, whose type says what is expected.
func (d *decoder) value(v reflect.Value, n ast.Node, path string, depth int) {
	if depth > maxDepth || len(d.errs) >= maxErrors {
		return
	}
	at := n
	if n = d.plain(n, path, depth); n == nil {
		return
	}
	if _, written := d.pos[path]; !written {
		d.pos[path] = positionOf(at)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if n.Type() == ast.NullType {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.value(v.Elem(), n, path, depth+1)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Target]() {
			d.scalar(v, n, path)
			return
		}
		d.mapping(v, n, path, depth)
	case reflect.Slice:
		d.list(v, n, path, depth)
	default:
		d.scalar(v, n, path)
	}
}

func (d *decoder) mapping(v reflect.Value, n ast.Node, path string, depth int) {
	setDefaults(v)
	var entries []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		entries = m.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{m}
	case *ast.NullNode:
		return // "load:" with nothing behind it, or a list entry "-"
	default:
		if short, ok := v.Interface().(interface{ shorthand() string }); ok && isScalar(n) {
			f, _ := fieldByKey(v.Type(), short.shorthand())
			d.scalar(v.FieldByIndex(f.Index), n, path)
			return
		}
		d.fail(n, path, "want keys and values, got "+describe(n), "keys: "+strings.Join(keysOf(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for _, e := range entries {
		if e == nil || e.Key == nil {
			continue
		}
		key, ok := keyOf(e.Key)
		if !ok {
			d.fail(e.Key, path, "want a key, got "+describe(e.Key), "")
			continue
		}
		f, known := fieldByKey(v.Type(), key)
		if !known {
			d.fail(e.Key, path, fmt.Sprintf("unknown key %q", clip(key)), hintFor(clip(key), keysOf(v.Type())))
			continue
		}
		// The parser finds most duplicates; not those in flow style.
		if seen[key] {
			d.fail(e.Key, path, fmt.Sprintf("key %q is there twice", key), "remove one of the two")
			continue
		}
		seen[key] = true
		sub := join(path, key)
		if e.Value == nil || e.Value.Type() == ast.NullType {
			d.pos[sub] = positionOf(e.Key)
			continue // the default stays
		}
		d.pos[sub] = positionOf(e.Key)
		d.value(v.FieldByIndex(f.Index), e.Value, sub, depth+1)
	}
	for _, f := range fields(v.Type()) {
		if key := f.Tag.Get("yaml"); f.Tag.Get("required") != "" && !seen[key] {
			d.fail(n, path, fmt.Sprintf("the key %q is missing", key), "for example "+key+": "+f.Tag.Get("ex"))
		}
	}
}

func (d *decoder) list(v reflect.Value, n ast.Node, path string, depth int) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		// One entry may stand without its dash where entries are words or numbers.
		if isScalar(n) && (v.Type().Elem().Kind() != reflect.Struct || v.Type().Elem() == reflect.TypeFor[Target]()) {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			d.scalar(v.Index(0), n, path)
			return
		}
		if n.Type() != ast.NullType {
			d.fail(n, path, "want a list, got "+describe(n), "start each entry with a dash")
		}
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, e := range seq.Values {
		d.value(v.Index(i), e, fmt.Sprintf("%s[%d]", path, i), depth+1)
	}
}

func (d *decoder) scalar(v reflect.Value, n ast.Node, path string) {
	text, ok := scalarText(n)
	if !ok {
		d.fail(n, path, "want "+kindName(v.Type())+", got "+describe(n), "")
		return
	}
	if err := setScalar(v, text); err != nil {
		d.fail(n, path, err.Error(), "")
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func keyOf(n ast.Node) (string, bool) {
	if _, merge := n.(*ast.MergeKeyNode); merge {
		return "<<", true
	}
	return scalarText(n)
}
