package discover

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"dynascope/sources/text"
)

// The parser recurses with the nesting of its input; these keep that, and its
// time, small. Real files nest three deep.
const (
	maxYAMLLine = 4096 // bytes
	maxYAMLFlow = 32   // open brackets
	maxYAMLDash = 16   // list entries opened in one line
)

const wantYAML = `- targets: ["host:port"]`

func parseYAML(data []byte) ([]group, *FileError) {
	if err := tameYAML(data); err != nil {
		return nil, err
	}
	tree, err := yamlTree(data)
	if err != nil {
		return nil, yamlSyntax(err)
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, &FileError{Line: lineOf(doc.Body), Problem: "a second document", Hint: "one list a file"}
		}
		body = doc.Body
	}
	if body == nil {
		return nil, nil // Prometheus takes an empty file too
	}
	list, ok := body.(*ast.SequenceNode)
	if !ok {
		return nil, unexpected(body, "a list of groups")
	}
	var groups []group
	for _, n := range list.Values {
		g, err := yamlGroup(n)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// yamlTree keeps a panic of the parser (some malformed input has that effect)
// from ending the program.
func yamlTree(data []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("not readable as YAML")
		}
	}()
	return parser.ParseBytes(data, 0)
}

func yamlSyntax(err error) *FileError {
	problem, _, _ := strings.Cut(err.Error(), "\n")
	e := &FileError{Problem: text.Safe(problem, 120), Hint: "it looks like " + wantYAML}
	var at yaml.Error
	if errors.As(err, &at) {
		e.Problem = text.Safe(at.GetMessage(), 120)
		if tk := at.GetToken(); tk != nil && tk.Position != nil {
			e.Line = max(tk.Position.Line, 0)
		}
	}
	return e
}

// tameYAML refuses what nests deeper than a target file can.
func tameYAML(data []byte) *FileError {
	flow := 0
	for i, line := range bytes.Split(data, []byte("\n")) {
		bad := func(problem string) *FileError {
			return &FileError{Line: i + 1, Problem: problem, Hint: "it looks like " + wantYAML}
		}
		if len(line) > maxYAMLLine {
			return bad(fmt.Sprintf("a line longer than %d bytes", maxYAMLLine))
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				flow++
			case ']', '}':
				flow = max(flow-1, 0)
			}
			if flow > maxYAMLFlow {
				return bad(fmt.Sprintf("more than %d open brackets", maxYAMLFlow))
			}
		}
		if bytes.Count(line, []byte("- "))+bytes.Count(line, []byte("? ")) > maxYAMLDash {
			return bad("nested too deep")
		}
	}
	return nil
}

func yamlGroup(n ast.Node) (g group, _ *FileError) {
	entries, ok := yamlEntries(n)
	if !ok {
		return g, unexpected(n, "a group")
	}
	g.line = lineOf(n)
	seen := map[string]bool{}
	for _, e := range entries {
		key, ok := yamlText(e.Key)
		if !ok {
			return g, unexpected(e.Key, "a key")
		}
		if seen[key.text] {
			return g, twice(key, "key")
		}
		seen[key.text] = true
		switch key.text {
		case "targets":
			list, ok := e.Value.(*ast.SequenceNode)
			if !ok {
				return g, unexpected(e.Value, "a list of targets")
			}
			for _, v := range list.Values {
				t, ok := yamlText(v)
				if !ok {
					return g, unexpected(v, "a target")
				}
				g.targets = append(g.targets, t)
			}
		case "labels":
			pairs, ok := yamlEntries(e.Value)
			if !ok {
				return g, unexpected(e.Value, "labels")
			}
			names := map[string]bool{}
			for _, p := range pairs {
				name, ok := yamlText(p.Key)
				if !ok {
					return g, unexpected(p.Key, "a label's name")
				}
				value, ok := yamlText(p.Value)
				if !ok {
					return g, unexpected(p.Value, "a label's value")
				}
				if names[name.text] {
					return g, twice(name, "label")
				}
				names[name.text] = true
				g.labels = append(g.labels, label{name, value})
			}
		default:
			return g, &FileError{Line: key.line, Problem: unknownKey(key.text), Hint: "keys: targets, labels"}
		}
	}
	if !seen["targets"] {
		return g, &FileError{Line: g.line, Problem: "a group without targets", Hint: "it looks like " + wantYAML}
	}
	return g, nil
}

func twice(w word, what string) *FileError {
	return &FileError{Line: w.line, Problem: fmt.Sprintf("%s %q is there twice", what, text.Clean(w.text, 40)), Hint: "remove one of the two"}
}

func yamlEntries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	var out []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		out = m.Values
	case *ast.MappingValueNode:
		out = []*ast.MappingValueNode{m}
	default:
		return nil, false
	}
	for _, e := range out {
		if e == nil || e.Key == nil || e.Value == nil {
			return nil, false
		}
	}
	return out, true
}

// yamlText is a scalar as written: 8081, true and 1e3 are strings here, as
// they are for Prometheus. Anchors, aliases and tags are not taken.
func yamlText(n ast.Node) (word, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return word{n.Value, lineOf(n)}, true
	case *ast.LiteralNode:
		return word{n.Value.Value, lineOf(n)}, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		if tk := n.GetToken(); tk != nil {
			return word{tk.Value, lineOf(n)}, true
		}
	}
	return word{}, false
}

func unexpected(n ast.Node, want string) *FileError {
	got := "nothing"
	if n != nil {
		got = strings.ToLower(n.Type().String())
	}
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode, *ast.TagNode:
		got += ", which is not taken here"
	}
	return &FileError{Line: lineOf(n), Problem: "want " + want + ", got " + got, Hint: "it looks like " + wantYAML}
}

// lineOf is where a node begins: for a mapping its first key, since the
// parser's own answer is the colon behind that.
func lineOf(n ast.Node) int {
	switch m := n.(type) {
	case nil:
		return 0
	case *ast.MappingNode:
		if len(m.Values) > 0 && m.Values[0] != nil && m.Values[0].Key != nil {
			return lineOf(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		if m.Key != nil {
			return lineOf(m.Key)
		}
	}
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return tk.Position.Line
	}
	return 0
}
