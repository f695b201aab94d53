package tui

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keyTable is the key table of one console: the shipped one, or with keys
// that the user put elsewhere.
type keyTable []binding

// fixedActions keep their keys: they are how one gets out, and what digits
// are for.
var fixedActions = []string{actScreen, actEscape}

// always are keys that an action keeps whatever else it gets.
var always = map[string][]string{actQuit: {"ctrl+c"}}

// Actions are the names of the actions whose keys can be changed.
func Actions() []string {
	var out []string
	for _, b := range bindings {
		if !slices.Contains(fixedActions, b.action) {
			out = append(out, b.action)
		}
	}
	return out
}

// CheckKeys refuses a mapping of actions to keys that the console would not
// take: an unknown action, a key that is none, two actions on one key, and
// capitals that do not say what they say everywhere else.
func CheckKeys(keys map[string][]string) error {
	_, err := remap(keys)
	return err
}

// remap returns the key table with some actions' keys replaced.
func remap(keys map[string][]string) (keyTable, error) {
	t := slices.Clone(keyTable(bindings))
	var errs []error
	for _, action := range slices.Sorted(maps.Keys(keys)) {
		i := slices.IndexFunc(t, func(b binding) bool { return b.action == action })
		switch {
		case i < 0:
			errs = append(errs, fmt.Errorf("no action %q; hint: one of %s", action, strings.Join(Actions(), ", ")))
			continue
		case slices.Contains(fixedActions, action):
			errs = append(errs, fmt.Errorf("the keys of %s are fixed; hint: leave it out", action))
			continue
		case len(keys[action]) == 0:
			errs = append(errs, fmt.Errorf("%s has no key left; hint: %s: [%s]", action, action, strings.Join(t[i].keys, ", ")))
			continue
		}
		for _, k := range keys[action] {
			if err := t[i].takes(k); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", action, err))
			}
		}
		t[i].keys = slices.Clone(keys[action])
		for _, k := range always[action] {
			if !slices.Contains(t[i].keys, k) {
				t[i].keys = append(t[i].keys, k)
			}
		}
	}
	if err := t.conflict(); err != nil {
		errs = append(errs, err)
	}
	return t, errors.Join(errs...)
}

// takes says whether a key can be given to the action. A capital letter means
// that servers change, on every screen and in every configuration; only those
// that are shipped otherwise (G, N) keep their meaning.
func (b binding) takes(key string) error {
	if !isKey(key) {
		return fmt.Errorf("%q is no key; hint: a character, space, enter, tab, up, pgdown, f5, ctrl+x", key)
	}
	switch {
	case b.changes && !capital(key):
		return fmt.Errorf("the key %s is no capital letter, and this changes servers; hint: %s", key, strings.Join(b.keys, ", "))
	case !b.changes && capital(key) && !b.ships(key):
		return fmt.Errorf("the capital letter %s is kept for what changes servers; hint: a small letter, or ctrl+%s", key, strings.ToLower(key))
	}
	return nil
}

func (b binding) ships(key string) bool {
	i := slices.IndexFunc(bindings, func(o binding) bool { return o.action == b.action })
	return i >= 0 && slices.Contains(bindings[i].keys, key)
}

func capital(key string) bool {
	r, n := utf8.DecodeRuneInString(key)
	return n == len(key) && unicode.IsUpper(r)
}

// namedKeys are the keys that are no single character, as Bubble Tea spells
// them.
var namedKeys = strings.Fields("space enter tab esc backspace delete insert up down left right home end pgup pgdown " +
	"f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 f11 f12")

func isKey(key string) bool {
	for {
		mod, rest, found := strings.Cut(key, "+")
		if !found || rest == "" || !slices.Contains([]string{"ctrl", "alt", "shift"}, mod) {
			break
		}
		key = rest
	}
	r, n := utf8.DecodeRuneInString(key)
	return n > 0 && n == len(key) && unicode.IsGraphic(r) && r != ' ' || slices.Contains(namedKeys, key)
}

// conflict names the first two actions that want the same key.
func (t keyTable) conflict() error {
	taken := map[string]string{}
	for _, b := range t {
		for _, k := range b.keys {
			if other, ok := taken[k]; ok && other != b.action {
				return fmt.Errorf("the key %s is wanted by %s and by %s; hint: give one of them another key", k, other, b.action)
			}
			taken[k] = b.action
		}
	}
	return nil
}

// shipped is the key that an overlay knows a key's action by, so that lists
// move with the keys that move everything else.
func (m *Model) shipped(key string) string {
	b, ok := m.keys.lookup(key)
	if !ok || b.pane == "" {
		return key
	}
	for _, o := range bindings {
		if o.action == b.action && !slices.Contains(o.keys, key) {
			return o.keys[0]
		}
	}
	return key
}

// keyOf is the first key of an action, for sentences that name it.
func (m *Model) keyOf(action string) string {
	for _, b := range m.keys {
		if b.action == action {
			return b.keys[0]
		}
	}
	return ":" + action
}
