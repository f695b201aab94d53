// Package config finds out what the user wants: it reads the configuration
// files, the environment and the flags, merges them by precedence, and tells
// where each value comes from.
//
// It knows no setting by name: the registered flags are the one table, and a
// new flag is a new file key and a new variable. It starts nothing and asks
// no source.
package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// EnvPrefix begins the name of every variable.
const EnvPrefix = "DYNASCOPE_"

// Trait is something special about a flag, noted beside its registration.
type Trait string

// The traits.
const (
	// FlagOnly keeps a flag out of files and the environment.
	FlagOnly Trait = "flag-only"
	// Safety settings can be pinned by the system's file.
	Safety Trait = "safety"
	// Source settings say where numbers come from. They go together: a layer
	// that names one of them sets aside those of the layers below.
	Source Trait = "source"
	// Credential settings belong to the source that a file names: they go
	// with it when a stronger layer names another.
	Credential Trait = "credential"
	// Literal lists may hold secrets written out; files may not.
	Literal Trait = "literal"
)

const annotation = "dynascope"

// Mark notes a trait of flags. A name that is not registered is ignored, so
// that commands can share the marks and not the flags.
func Mark(fs *pflag.FlagSet, t Trait, names ...string) {
	for _, n := range names {
		f := fs.Lookup(n)
		if f == nil || has(f, t) {
			continue
		}
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[annotation] = append(f.Annotations[annotation], string(t))
	}
}

func has(f *pflag.Flag, t Trait) bool { return slices.Contains(f.Annotations[annotation], string(t)) }

// Setting is one row of the table: a flag with its other two names.
type Setting struct {
	Flag string // sla-ttft
	Key  string // sla_ttft, in files
	Env  string // DYNASCOPE_SLA_TTFT
	// Type is pflag's word: duration, bool, string, stringArray …
	Type    string
	Usage   string
	Default string
	traits  []string
}

// Is says whether the setting has a trait.
func (s Setting) Is(t Trait) bool { return slices.Contains(s.traits, string(t)) }

// List says whether the setting takes several values.
func (s Setting) List() bool { return s.Type == "stringArray" }

// Table is every setting of the program, by file key.
type Table map[string]Setting

// TableOf reads the flags of all commands; a flag of several is one setting,
// the first command's that files may set.
func TableOf(sets ...*pflag.FlagSet) Table {
	t := Table{}
	for _, fs := range sets {
		fs.VisitAll(func(f *pflag.Flag) {
			key := strings.ReplaceAll(f.Name, "-", "_")
			if was, known := t[key]; known && (!was.Is(FlagOnly) || has(f, FlagOnly)) || f.Name == "help" || f.Name == "version" {
				return
			}
			_, usage := pflag.UnquoteUsage(f)
			s := Setting{
				Flag: f.Name, Key: key, Env: EnvPrefix + strings.ToUpper(key), Type: f.Value.Type(),
				Usage: usage, Default: f.DefValue, traits: f.Annotations[annotation],
			}
			if s.Default == "[]" {
				s.Default = ""
			}
			t[key] = s
		})
	}
	return t
}

// Keys are the keys that files may hold, sorted.
func (t Table) Keys() []string {
	var out []string
	for k, s := range t {
		if !s.Is(FlagOnly) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// check refuses a text that the setting's type cannot be, without setting it.
func (s Setting) check(text string) error {
	var err error
	hint := ""
	switch s.Type {
	case "bool":
		_, err = strconv.ParseBool(text)
		hint = "true or false"
	case "duration":
		_, err = time.ParseDuration(text)
		hint = "a number with its unit, such as 500ms, 5m"
	case "int", "int64":
		_, err = strconv.ParseInt(text, 0, 64)
		hint = "a whole number"
	case "uint64":
		_, err = strconv.ParseUint(text, 0, 64)
		hint = "a whole number, not negative"
	case "float64":
		_, err = strconv.ParseFloat(text, 64)
		hint = "a number"
	}
	if err != nil {
		return fmt.Errorf("%s cannot be %q; hint: %s", s.Key, clip(text), hint)
	}
	return nil
}

// clip shortens an outside text for an error; quoting escapes the rest.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
