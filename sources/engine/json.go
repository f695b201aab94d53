package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"dynascope/sources/text"
)

// maxDepth is how deep an answer may nest. server_info needs five levels.
const maxDepth = 32

var errDepth = fmt.Errorf("the answer nests deeper than %d levels", maxDepth)

// decode reads one JSON document into v. It refuses deep nesting before it
// looks at anything, and its errors quote nothing of the body.
func decode(body []byte, v any) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return errors.New("the answer is empty")
	}
	if c := body[0]; c != '{' && c != '[' {
		return errors.New("the answer is not JSON")
	}
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return errDepth
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	if err := json.Unmarshal(body, v); err != nil {
		var typ *json.UnmarshalTypeError
		if errors.As(err, &typ) {
			return errors.New("the answer has another shape than this route's")
		}
		return errors.New("the answer is not JSON")
	}
	return nil
}

// number is a JSON number that may be missing, null or something else: one
// odd field does not cost the others.
type number struct {
	v  float64
	ok bool
}

func (n *number) UnmarshalJSON(raw []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	*n = number{v: v, ok: err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)}
	return nil
}

// word is a JSON string, number or boolean as text; null and structures are
// none. It is kept as it came and cleaned when it is shown.
type word struct {
	v  string
	ok bool
}

func (w *word) UnmarshalJSON(raw []byte) error {
	*w = word{}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	switch raw[0] {
	case '{', '[':
		return nil
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil
		}
		*w = word{v: s, ok: true}
	default:
		*w = word{v: string(raw), ok: true}
	}
	return nil
}

// list is a JSON array whose odd elements cost only themselves; anything else
// is an empty one. More than max elements are left out.
type list[T any] []T

const maxElements = 4096

func (l *list[T]) UnmarshalJSON(raw []byte) error {
	var parts []json.RawMessage
	*l = nil
	if json.Unmarshal(raw, &parts) != nil {
		return nil
	}
	for _, p := range parts[:min(len(parts), maxElements)] {
		var v T
		if json.Unmarshal(p, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// section is a JSON object that may be missing or something else.
type section[T any] struct {
	v  T
	ok bool
}

func (s *section[T]) UnmarshalJSON(raw []byte) error {
	*s = section[T]{}
	if len(raw) > 0 && raw[0] == '{' {
		s.ok = json.Unmarshal(raw, &s.v) == nil
	}
	return nil
}

// label is an outside string as a label's value or a shown word.
func label(s string) string { return text.Safe(s, 160) }

// plain writes a number without an exponent where it is whole.
func plain(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
