package selection

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Filter is terms that a row must all satisfy; the zero filter lets all
// through.
type Filter[R any] struct {
	Text  string // as typed, without blanks around
	terms []func(R) bool
}

// FilterOf is a filter of terms read elsewhere.
func FilterOf[R any](text string, terms ...func(R) bool) Filter[R] {
	return Filter[R]{Text: strings.TrimSpace(text), terms: terms}
}

// Match says whether a row passes.
func (f Filter[R]) Match(r R) bool {
	for _, t := range f.terms {
		if !t(r) {
			return false
		}
	}
	return true
}

// Language is what rows of one kind can be filtered by.
type Language[R any] struct {
	Free    func(R) string // what free text is looked for in, lower case
	Words   []Words[R]
	Numbers []Number[R]

	Inverse string // an example of a term behind !, for hints
	// Addresses: a word such as localhost:9090 is free text.
	Addresses bool
	// Limit reads what a number is compared with; nil is Limit.
	Limit func(text string, s Scale) (float64, bool)
}

// Words is a fact in words that key:value looks at.
type Words[R any] struct {
	Keys   []string // hints name the first
	Of     func(R) string
	Match  func(s, value string) bool // both in lower case; nil is strings.Contains
	Sample string                     // a value for hints; empty is TEXT
}

// Number is a fact in numbers that key>number looks at.
type Number[R any] struct {
	Keys  []string // hints name the first
	Scale Scale
	// Of is what is known of the number: that it lies in (lo, hi], or exactly
	// at both when they are equal.
	Of func(R) (lo, hi float64, ok bool)
}

// Parse reads a filter: terms apart by blanks. A term is free text, key:value,
// key>number (or >=, <, <=, =), or any of them with ! before it; case does not
// count. Shares are in percent (kv>90), times carry their unit (ttft>500ms). A
// number that is not known satisfies no comparison and every inverse of one; a
// quantile is beyond a limit only when the whole bucket it lies in is. Errors
// name the word and carry a hint.
func (l Language[R]) Parse(text string) (Filter[R], error) {
	var terms []func(R) bool
	for _, word := range strings.Fields(text) {
		t, err := l.term(strings.ToLower(word))
		if err != nil {
			return Filter[R]{}, fmt.Errorf("read filter %q: %w", word, err)
		}
		terms = append(terms, t)
	}
	return FilterOf(text, terms...), nil
}

// Set takes a filter as it was typed; with an error the one in force stays.
func (f *Filter[R]) Set(l Language[R], text string) error {
	parsed, err := l.Parse(text)
	if err == nil {
		*f = parsed
	}
	return err
}

// operator is the first one after a key of letters; other words, such as an
// address, are free text.
var operator = regexp.MustCompile(`^([a-z]+)(:|>=|<=|>|<|=)(.*)$`)

func (l Language[R]) term(word string) (func(R) bool, error) {
	if rest, inverse := strings.CutPrefix(word, "!"); inverse {
		if rest == "" {
			return nil, fmt.Errorf("nothing after !, hint: %s", l.Inverse)
		}
		t, err := l.term(rest)
		if err != nil {
			return nil, err
		}
		return func(r R) bool { return !t(r) }, nil
	}
	m := operator.FindStringSubmatch(word)
	if m == nil {
		return l.free(word), nil
	}
	key, op, value := m[1], m[2], m[3]
	if i := slices.IndexFunc(l.Words, func(w Words[R]) bool { return slices.Contains(w.Keys, key) }); i >= 0 {
		return l.Words[i].term(key, op, value)
	}
	if i := slices.IndexFunc(l.Numbers, func(n Number[R]) bool { return slices.Contains(n.Keys, key) }); i >= 0 {
		limit := l.Limit
		if limit == nil {
			limit = Limit
		}
		return l.Numbers[i].term(key, op, value, limit)
	}
	if op == ":" && l.Addresses && port(value) {
		return l.free(word), nil
	}
	return nil, l.unknown(key)
}

func (l Language[R]) free(word string) func(R) bool {
	return func(r R) bool { return strings.Contains(l.Free(r), word) }
}

func (w Words[R]) term(key, op, value string) (func(R) bool, error) {
	sample := key + ":TEXT"
	if w.Sample != "" {
		sample = key + ":" + w.Sample
	}
	switch {
	case op != ":":
		return nil, fmt.Errorf("%s is no number, hint: %s", key, sample)
	case value == "":
		return nil, fmt.Errorf("nothing after %s:, hint: %s", key, sample)
	}
	match := w.Match
	if match == nil {
		match = strings.Contains
	}
	return func(r R) bool { return match(strings.ToLower(w.Of(r)), value) }, nil
}

func (n Number[R]) term(key, op, value string, read func(string, Scale) (float64, bool)) (func(R) bool, error) {
	if op == ":" {
		return nil, fmt.Errorf("%s is a number, hint: %s", key, key+n.Scale.sample())
	}
	limit, ok := read(value, n.Scale)
	if !ok {
		return nil, fmt.Errorf("%q is no limit of %s, hint: %s", value, key, key+n.Scale.sample())
	}
	return func(r R) bool {
		lo, hi, ok := n.Of(r)
		return ok && beyond(lo, hi, op, limit)
	}, nil
}

func (l Language[R]) unknown(key string) error {
	var words, numbers []string
	for _, w := range l.Words {
		words = append(words, w.Keys[0]+":")
	}
	for _, n := range l.Numbers {
		numbers = append(numbers, n.Keys[0])
	}
	return fmt.Errorf("no such key %q, hint: %s or a number: %s", key, strings.Join(words, " "), strings.Join(numbers, " "))
}
