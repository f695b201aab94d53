package scenario

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Validate checks a complete scenario, as Parse returns it and possibly changed
// since (one made in Go from nothing lacks the defaults): words and ranges by the fields' tags,
// then what keys mean together. The error is Errors, with positions when the
// scenario was read from a file.
func (s *Scenario) Validate() error {
	c := &checker{s: s}
	c.tags(reflect.ValueOf(s).Elem(), "")
	if !scenarioName.MatchString(s.Name) {
		c.fail("name", fmt.Sprintf("%q cannot name a scenario", clip(s.Name)), "one word of letters, digits, dots and dashes")
	}
	if len(c.errs) == 0 { // what follows relies on words and ranges
		c.deployment()
		for i := range s.Load {
			c.segment(&s.Load[i], fmt.Sprintf("load[%d]", i))
		}
		for i := range s.Faults {
			c.fault(&s.Faults[i], fmt.Sprintf("faults[%d]", i))
		}
		for i := range s.Expect {
			c.expect(&s.Expect[i], fmt.Sprintf("expect[%d]", i))
		}
		for i, code := range s.Also {
			c.verdict(code, fmt.Sprintf("also[%d]", i))
		}
	}
	if len(c.errs) == 0 {
		return nil
	}
	sort.SliceStable(c.errs, func(i, j int) bool { return c.errs[i].Line < c.errs[j].Line })
	return c.errs[:min(len(c.errs), maxErrors)]
}

type checker struct {
	s    *Scenario
	errs Errors
}

// fail records a problem at the longest beginning of the path that was written.
func (c *checker) fail(path, problem, hint string) {
	e := &Error{File: c.s.file, Path: path, Problem: problem, Hint: hint}
	for p := path; ; {
		if at, ok := c.s.pos[p]; ok {
			e.Line, e.Column = at.line, at.column
			break
		}
		if p == "" {
			break
		}
		p = p[:max(strings.LastIndexAny(p, ".["), 0)]
	}
	c.errs = append(c.errs, e)
}

func (c *checker) written(path string) bool { _, ok := c.s.pos[path]; return ok }

// tags checks enum and range of every field below v.
func (c *checker) tags(v reflect.Value, path string) {
	for _, f := range fields(v.Type()) {
		c.field(v.FieldByIndex(f.Index), f, join(path, f.Tag.Get("yaml")))
	}
}

func (c *checker) field(v reflect.Value, f reflect.StructField, path string) {
	switch {
	case v.Type() == reflect.TypeFor[Target]():
	case v.Kind() == reflect.Pointer:
		if !v.IsNil() {
			c.field(v.Elem(), f, path)
		}
	case v.Kind() == reflect.Struct:
		c.tags(v, path)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			c.field(v.Index(i), f, fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		if words := enumOf(f); words != nil {
			written := fmt.Sprint(v.Interface())
			// Without a default, absent is allowed: a later key or rule decides.
			_, has := f.Tag.Lookup("default")
			absent := v.IsZero() && !has && f.Tag.Get("required") == ""
			if !absent && !slices.Contains(words, written) {
				c.fail(path, fmt.Sprintf("%q is not allowed", clip(written)), hintFor(clip(written), words))
			}
		}
		if in := f.Tag.Get("range"); in != "" && !within(v, in) {
			c.fail(path, fmt.Sprintf("%v is out of range", v.Interface()), "allowed is "+rangeText(in, v.Type()))
		}
	}
}

func enumOf(f reflect.StructField) []string {
	switch tag := f.Tag.Get("enum"); tag {
	case "":
		return nil
	case "@kinds":
		var out []string
		for _, k := range FaultKinds() {
			out = append(out, string(k))
		}
		return out
	default:
		return strings.Split(tag, "|")
	}
}

// within reports whether a number lies in an interval like [0,1], (0,) or (,5].
// Ends are numbers; durations count in seconds.
func within(v reflect.Value, in string) bool {
	var x float64
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		x = time.Duration(v.Int()).Seconds()
	case v.CanFloat():
		x = v.Float()
	case v.CanInt():
		x = float64(v.Int())
	default:
		x = float64(v.Uint())
	}
	lo, hi := ends(in)
	if in[0] == '(' && x <= lo || x < lo {
		return false
	}
	return !(in[len(in)-1] == ')' && x >= hi || x > hi)
}

func ends(in string) (lo, hi float64) {
	a, b, _ := strings.Cut(in[1:len(in)-1], ",")
	lo, hi = math.Inf(-1), math.Inf(1)
	if a != "" {
		lo, _ = strconv.ParseFloat(a, 64)
	}
	if b != "" {
		hi, _ = strconv.ParseFloat(b, 64)
	}
	return lo, hi
}

// rangeText is an interval in words: "0…1", "more than 0", "0 or more".
func rangeText(in string, t reflect.Type) string {
	lo, hi := ends(in)
	num := func(x float64) string {
		if t == reflect.TypeFor[time.Duration]() {
			return durationText(time.Duration(x * float64(time.Second)))
		}
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	switch {
	case math.IsInf(hi, 1) && in[0] == '(':
		return "more than " + num(lo)
	case math.IsInf(hi, 1):
		return num(lo) + " or more"
	case in[0] == '(':
		return "more than " + num(lo) + ", at most " + num(hi)
	}
	return num(lo) + "…" + num(hi)
}

// durationText is a duration without the zeros that Go ends it with: "20m".
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
