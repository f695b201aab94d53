//go:build linux

package main

import (
	"bytes"
	"math"
	"strconv"
)

// template is a metrics page whose values move from second to second at the
// price of printing them: two pages of the same process, taken gap seconds
// apart, of which counters go on at the pace between the two and gauges swing
// from one to the other.
type template struct {
	gap   float64
	parts []moving
	tail  []byte
}

// moving is one value that is not the same on both pages, and the text before
// it.
type moving struct {
	before  []byte
	a, b    float64
	counter bool
	whole   bool
}

// newTemplate reads two pages. Lines that only the first has stay as they are.
func newTemplate(first, second []byte, gap float64) *template {
	later := map[string]float64{}
	for line := range bytes.Lines(second) {
		if series, v, ok := sample(line); ok {
			later[string(series)] = v
		}
	}
	t := &template{gap: gap}
	types := map[string]string{}
	for line := range bytes.Lines(first) {
		if f := bytes.Fields(line); len(f) == 4 && string(f[1]) == "TYPE" {
			types[string(f[2])] = string(f[3])
		}
		series, a, ok := sample(line)
		b, known := later[string(series)]
		if !ok || !known || a == b {
			t.tail = append(t.tail, line...)
			continue
		}
		m := moving{a: a, b: b, counter: b > a && counts(series, types), whole: a == math.Trunc(a) && b == math.Trunc(b)}
		m.before = append(append(t.tail, series...), ' ')
		t.tail = []byte{'\n'}
		t.parts = append(t.parts, m)
	}
	return t
}

// sample splits a line of text 0.0.4 without timestamps.
func sample(line []byte) (series []byte, v float64, ok bool) {
	line = bytes.TrimSpace(line)
	i := bytes.LastIndexByte(line, ' ')
	if i < 0 || line[0] == '#' {
		return nil, 0, false
	}
	v, err := strconv.ParseFloat(string(line[i+1:]), 64)
	return line[:i], v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// counts says whether a series only grows: a counter's, or a histogram's.
func counts(series []byte, types map[string]string) bool {
	name, _, _ := bytes.Cut(series, []byte{'{'})
	if types[string(name)] == "counter" {
		return true
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if family, ok := bytes.CutSuffix(name, []byte(suffix)); ok && types[string(family)] == "histogram" {
			return true
		}
	}
	return false
}

// at appends the page of a second.
func (t *template) at(out []byte, second float64) []byte {
	for _, p := range t.parts {
		out = append(out, p.before...)
		along := second / t.gap
		if !p.counter {
			along = math.Abs(math.Remainder(along, 2)) // there and back
		}
		v := p.a + (p.b-p.a)*along
		if p.whole {
			v = math.Floor(v) // keeps cumulative buckets in their order
		}
		out = strconv.AppendFloat(out, v, 'g', -1, 64)
	}
	return append(out, t.tail...)
}
