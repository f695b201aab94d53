package gpu

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dynascope/sources/text"
)

// filter is a conjunction of terms about a GPU.
type filter struct {
	text  string // as typed
	terms []func(*row) bool
}

func (f filter) match(r *row) bool {
	for _, t := range f.terms {
		if !t(r) {
			return false
		}
	}
	return true
}

// field is a fact in words that key:value looks at, in part unless whole.
type field struct {
	key   string
	of    func(*row) string
	whole bool
}

var fields = []field{
	{"host", func(r *row) string { return r.host }, false},
	{"gpu", func(r *row) string { return r.number }, true},
	{"uuid", func(r *row) string { return r.UUID }, false},
	{"model", func(r *row) string { return r.model }, false},
	{"state", func(r *row) string { return r.State }, false},
	{"why", func(r *row) string { return r.why }, false},
	{"worker", func(r *row) string { return r.worker }, false},
	{"process", func(r *row) string {
		var all []string
		for _, p := range r.Processes {
			all = append(all, p.Name+" "+p.PID)
		}
		return text.Clean(strings.Join(all, " "), 4096)
	}, false},
}

// parse reads a filter: terms apart by blanks, all of which a GPU must
// satisfy. A term is free text, key:value, key>number (or >=, <, <=, =), or
// any of them with ! before it. Shares are in percent (util>90), power in
// watts, temperatures in °C. A number that is not known satisfies no
// comparison and every inverse of one.
func parse(text string) (filter, error) {
	out := filter{text: strings.TrimSpace(text)}
	for _, word := range strings.Fields(text) {
		t, err := parseTerm(strings.ToLower(word))
		if err != nil {
			return filter{}, fmt.Errorf("read filter %q: %w", word, err)
		}
		out.terms = append(out.terms, t)
	}
	return out, nil
}

var operator = regexp.MustCompile(`^([a-z]+)(:|>=|<=|>|<|=)(.*)$`)

func parseTerm(word string) (func(*row) bool, error) {
	if rest, inverse := strings.CutPrefix(word, "!"); inverse {
		if rest == "" {
			return nil, fmt.Errorf("nothing after !, hint: !host:node-1")
		}
		t, err := parseTerm(rest)
		if err != nil {
			return nil, err
		}
		return func(r *row) bool { return !t(r) }, nil
	}
	m := operator.FindStringSubmatch(word)
	if m == nil {
		return func(r *row) bool { return strings.Contains(r.haystack, word) }, nil
	}
	key, op, value := m[1], m[2], m[3]
	if i := slices.IndexFunc(fields, func(f field) bool { return f.key == key }); i >= 0 {
		f := fields[i]
		switch {
		case op != ":":
			return nil, fmt.Errorf("%s is no number, hint: %s:TEXT", key, key)
		case value == "":
			return nil, fmt.Errorf("nothing after %s:, hint: %s:TEXT", key, key)
		case f.whole:
			return func(r *row) bool { return strings.ToLower(f.of(r)) == value }, nil
		}
		return func(r *row) bool { return strings.Contains(strings.ToLower(f.of(r)), value) }, nil
	}
	c, ok := columnOf(key, allGPUColumns())
	switch {
	case !ok || c.text != nil:
		return nil, unknown(key)
	case op == ":":
		return nil, fmt.Errorf("%s is a number, hint: %s", key, sample(c))
	}
	limit, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
	if err != nil || math.IsInf(limit, 0) || math.IsNaN(limit) {
		return nil, fmt.Errorf("%q is no limit of %s, hint: %s", value, key, sample(c))
	}
	if c.scale == percent {
		limit /= 100
	}
	return func(r *row) bool {
		v, ok := c.value(r)
		return ok && compare(v, op, limit)
	}, nil
}

func sample(c column[*row]) string {
	if c.scale == percent {
		return c.id + ">90 (percent)"
	}
	return c.id + ">5"
}

func unknown(key string) error {
	var keys, numbers []string
	for _, f := range fields {
		keys = append(keys, f.key+":")
	}
	for _, c := range allGPUColumns() {
		if c.value != nil && c.id != "gpu" && c.id != "why" {
			numbers = append(numbers, c.id)
		}
	}
	return fmt.Errorf("no such key %q, hint: %s or a number: %s", key, strings.Join(keys, " "), strings.Join(numbers, " "))
}

func compare(v float64, op string, limit float64) bool {
	switch op {
	case ">":
		return v > limit
	case ">=":
		return v >= limit
	case "<":
		return v < limit
	case "<=":
		return v <= limit
	default:
		return v == limit
	}
}
