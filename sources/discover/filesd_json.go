package discover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"dynascope/sources/text"
)

// jsonReader walks a target file's tokens, because only a walk knows the line
// each of them stands in.
type jsonReader struct {
	data []byte
	dec  *json.Decoder
	line int // of the last token
	upTo int // bytes counted for line
}

const wantJSON = `[{"targets": ["host:port"], "labels": {"name": "value"}}]`

func parseJSON(data []byte) (groups []group, failed *FileError) {
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1}
	defer func() {
		if e := recover(); e != nil {
			fe, ok := e.(*FileError)
			if !ok {
				panic(e)
			}
			groups, failed = nil, fe
		}
	}()
	r.open('[', "a list of groups")
	for r.more() {
		groups = append(groups, r.group())
	}
	r.next()
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		r.fail("something follows the list", "")
	}
	return groups, nil
}

func (r *jsonReader) group() group {
	r.open('{', "a group")
	g := group{line: r.line}
	seen := map[string]bool{}
	for r.more() {
		key := r.string("a key")
		if seen[key.text] {
			r.fail(fmt.Sprintf("key %q is there twice", text.Clean(key.text, 40)), "remove one of the two")
		}
		seen[key.text] = true
		switch key.text {
		case "targets":
			r.open('[', "a list of targets")
			for r.more() {
				g.targets = append(g.targets, r.string("a target in quotes"))
			}
			r.next()
		case "labels":
			r.open('{', "labels")
			names := map[string]bool{}
			for r.more() {
				name := r.string("a label's name")
				if names[name.text] {
					r.fail(fmt.Sprintf("label %q is there twice", text.Clean(name.text, 40)), "remove one of the two")
				}
				names[name.text] = true
				g.labels = append(g.labels, label{name, r.string("a label's value in quotes")})
			}
			r.next()
		default:
			r.fail(unknownKey(key.text), "keys: targets, labels")
		}
	}
	r.next()
	if !seen["targets"] {
		r.fail("a group without targets", "add \"targets\": [\"host:port\"]")
	}
	return g
}

// next is the next token. A failed one ends the walk by a panic that parseJSON
// takes.
func (r *jsonReader) next() json.Token {
	t, err := r.dec.Token()
	r.at()
	if err != nil {
		problem := "not readable as JSON"
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &syntax):
			problem = text.Clean(syntax.Error(), 120)
			r.line += bytes.Count(r.data[min(r.upTo, len(r.data)):min(max(int(syntax.Offset), r.upTo), len(r.data))], []byte("\n"))
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			problem = "it ends in the middle"
		}
		r.fail(problem, "it looks like "+wantJSON)
	}
	return t
}

// at brings line up to the decoder's place.
func (r *jsonReader) at() {
	to := min(int(r.dec.InputOffset()), len(r.data))
	if to > r.upTo {
		r.line += bytes.Count(r.data[r.upTo:to], []byte("\n"))
		r.upTo = to
	}
}

func (r *jsonReader) more() bool { return r.dec.More() }

func (r *jsonReader) open(want json.Delim, what string) {
	if t := r.next(); t != want {
		r.fail("want "+what+", got "+describeToken(t), "it looks like "+wantJSON)
	}
}

func (r *jsonReader) string(what string) word {
	t := r.next()
	s, ok := t.(string)
	if !ok {
		r.fail("want "+what+", got "+describeToken(t), "it looks like "+wantJSON)
	}
	return word{s, r.line}
}

func (r *jsonReader) fail(problem, hint string) {
	panic(&FileError{Line: r.line, Problem: problem, Hint: hint})
}

func describeToken(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		if t == '[' || t == ']' {
			return "a list"
		}
		return "an object"
	case nil:
		return "null"
	case bool:
		return "true or false"
	case float64:
		return "a number"
	}
	return "a string"
}

func unknownKey(key string) string { return fmt.Sprintf("unknown key %q", text.Clean(key, 40)) }
