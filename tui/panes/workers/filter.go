package workers

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// filter is a conjunction of terms.
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

// field is a fact in words that key:value looks at.
type field struct {
	keys []string
	of   func(*row) string
	has  func(s, part string) bool
}

// fields: an id, host, model, namespace or component may be given in part, the
// others from their start; a rank only as a whole.
var fields = []field{
	{[]string{"worker", "id"}, func(r *row) string { return r.name + "\n" + r.ID + "\n" + r.Decimal }, strings.Contains},
	{[]string{"role"}, func(r *row) string { return r.Role }, strings.HasPrefix},
	{[]string{"engine"}, func(r *row) string { return r.Engine }, strings.HasPrefix},
	{[]string{"state"}, func(r *row) string { return string(r.State) }, strings.HasPrefix},
	{[]string{"host", "instance"}, func(r *row) string { return r.Instance }, strings.Contains},
	{[]string{"model"}, func(r *row) string { return r.Model }, strings.Contains},
	{[]string{"namespace", "ns"}, func(r *row) string { return r.Namespace }, strings.Contains},
	{[]string{"component"}, func(r *row) string { return r.Component }, strings.Contains},
	{[]string{"rank", "dp"}, func(r *row) string { return r.Rank }, func(s, part string) bool { return s == part }},
}

func fieldOf(key string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return slices.Contains(f.keys, key) })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

// also are other names of number columns.
var also = map[string]string{
	"running": "run", "waiting": "queue", "preemptions": "preempt", "retractions": "preempt", "retract": "preempt", "error": "errors", "blocks": "blk",
}

// parse reads a filter: terms apart by blanks, all of which a row must
// satisfy. A term is free text, key:value, key>number (or >=, <, <=, =), or
// any of them with ! before it. Shares are in percent (kv>90), times carry
// their unit (ttft>500ms). A number that is not known satisfies no comparison
// and every inverse of one. A quantile is beyond a limit only when the whole
// bucket it lies in is.
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

func parseTerm(word string) (func(*row) bool, error) {
	if rest, inverse := strings.CutPrefix(word, "!"); inverse {
		if rest == "" {
			return nil, fmt.Errorf("nothing after !, hint: !role:prefill")
		}
		t, err := parseTerm(rest)
		if err != nil {
			return nil, err
		}
		return func(r *row) bool { return !t(r) }, nil
	}
	key, op, value := split(word)
	switch {
	case op == "" || key == "":
		return func(r *row) bool { return strings.Contains(r.haystack, word) }, nil
	case op == ":":
		return parseField(word, key, value)
	default:
		return parseNumber(key, op, value)
	}
}

// split finds the first operator after a key of letters; other words, such as
// an address, are free text.
var operator = regexp.MustCompile(`^([a-z]+)(:|>=|<=|>|<|=)(.*)$`)

func split(word string) (key, op, value string) {
	m := operator.FindStringSubmatch(word)
	if m == nil {
		return "", "", word
	}
	return m[1], m[2], m[3]
}

func parseField(word, key, value string) (func(*row) bool, error) {
	if f, ok := fieldOf(key); ok {
		if value == "" {
			return nil, fmt.Errorf("nothing after %s:, hint: %s", key, sample(key))
		}
		return func(r *row) bool { return f.has(strings.ToLower(f.of(r)), value) }, nil
	}
	if c, ok := numberColumn(key); ok {
		return nil, fmt.Errorf("%s is a number, hint: %s", key, numberSample(key, c.scale))
	}
	if _, err := strconv.ParseUint(value, 10, 16); err == nil {
		// "localhost:9090" is an address.
		return func(r *row) bool { return strings.Contains(r.haystack, word) }, nil
	}
	return nil, unknown(key)
}

func sample(key string) string {
	switch key {
	case "role":
		return "role:decode"
	case "state":
		return "state:up"
	case "engine":
		return "engine:vllm"
	}
	return key + ":TEXT"
}

func numberSample(key string, sc scale) string {
	switch sc {
	case percent:
		return key + ">90 (percent)"
	case seconds:
		return key + ">500ms"
	}
	return key + ">5"
}

func unknown(key string) error {
	var words, numbers []string
	for _, f := range fields {
		words = append(words, f.keys[0]+":")
	}
	for _, c := range columns() {
		if c.id != "" && c.text == nil && c.id != "state" {
			numbers = append(numbers, c.id)
		}
	}
	return fmt.Errorf("no such key %q, hint: %s or a number: %s", key, strings.Join(words, " "), strings.Join(numbers, " "))
}

// numberColumn finds a column of numbers by its id or another name of it.
func numberColumn(key string) (column, bool) {
	if id, ok := also[key]; ok {
		key = id
	}
	c, ok := columnOf(key)
	return c, ok && c.text == nil && c.id != "state"
}

func parseNumber(key, op, value string) (func(*row) bool, error) {
	c, ok := numberColumn(key)
	if !ok {
		if _, words := fieldOf(key); words {
			return nil, fmt.Errorf("%s is no number, hint: %s", key, sample(key))
		}
		return nil, unknown(key)
	}
	limit, ok := parseLimit(value, c.scale)
	if !ok {
		return nil, fmt.Errorf("%q is no limit of %s, hint: %s", value, key, numberSample(key, c.scale))
	}
	return func(r *row) bool {
		lo, hi, ok := c.value(r)
		return ok && beyond(lo, hi, op, limit)
	}, nil
}

// beyond says whether a number in (lo, hi], or exactly lo when both are equal,
// is surely on the asked side of a limit.
func beyond(lo, hi float64, op string, limit float64) bool {
	exact := lo == hi
	switch op {
	case ">":
		return lo > limit || !exact && lo == limit
	case ">=":
		return lo >= limit
	case "<":
		return hi < limit
	case "<=":
		return hi <= limit
	default:
		return exact && lo == limit
	}
}

// divisors turn a time in a unit into seconds. They divide, so that 57 % and
// 470 ms are the floats that 0.57 and 0.47 are.
var divisors = map[string]float64{"us": 1e6, "µs": 1e6, "ms": 1e3, "s": 1, "m": 1.0 / 60, "h": 1.0 / 3600}

// parseLimit reads a number in a column's scale: percent as a ratio, times in
// seconds.
func parseLimit(s string, sc scale) (float64, bool) {
	by := 1.0
	switch sc {
	case percent:
		s, by = strings.TrimSuffix(s, "%"), 100
	case seconds:
		unit := strings.TrimLeft(s, "0123456789.")
		d, ok := divisors[unit]
		if !ok {
			return 0, false
		}
		s, by = strings.TrimSuffix(s, unit), d
	default:
		if rest, ok := strings.CutSuffix(s, "k"); ok {
			s, by = rest, 1e-3
		}
	}
	if strings.Trim(s, "0123456789.") != "" {
		return 0, false // no signs, exponents, words
	}
	v, err := strconv.ParseFloat(s, 64)
	return v / by, err == nil && !math.IsInf(v/by, 0)
}
