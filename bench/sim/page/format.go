package page

import (
	"math"
	"strconv"
	"strings"
)

// style is how one exporter library spells a page.
type style struct {
	python       bool // numbers and counts as floats: 1.0, 1.5e+06
	leSorted     bool // le stands among the labels by name, else last
	seriesSorted bool // series by their label values, else as they came
	countFirst   bool // _count before _sum
}

var (
	// rust is the prometheus crate: the Dynamo runtime and its mocker.
	rust = style{seriesSorted: true}
	// python is prometheus_client: the engines and the planner.
	python = style{python: true, leSorted: true, countFirst: true}
	// exporter is the DCGM exporter's template: labels in its own order.
	exporter = style{}
)

// number appends x as the library of the style writes it.
func (s style) number(b []byte, x float64, digits int) []byte {
	if digits >= 0 {
		return strconv.AppendFloat(b, x, 'f', digits, 64)
	}
	if s.python {
		return appendPython(b, x)
	}
	switch {
	case math.IsInf(x, 1):
		return append(b, "inf"...)
	case math.IsInf(x, -1):
		return append(b, "-inf"...)
	case math.IsNaN(x):
		return append(b, "NaN"...)
	case x == math.Trunc(x) && math.Abs(x) < 1<<53:
		return strconv.AppendInt(b, int64(x), 10)
	}
	return strconv.AppendFloat(b, x, 'f', -1, 64)
}

// integer appends a count of observations.
func (s style) integer(b []byte, n uint64) []byte {
	if s.python {
		return appendPython(b, float64(n))
	}
	return strconv.AppendUint(b, n, 10)
}

// appendPython spells x as prometheus_client does: Python's shortest text with
// ".0" for whole numbers, and from seven digits before the point on the form
// with an exponent that always has a leading zero (1e+06, but 1e+010).
func appendPython(b []byte, x float64) []byte {
	switch {
	case math.IsInf(x, 1):
		return append(b, "+Inf"...)
	case math.IsInf(x, -1):
		return append(b, "-Inf"...)
	case math.IsNaN(x):
		return append(b, "NaN"...)
	case x == 0:
		if math.Signbit(x) {
			b = append(b, '-')
		}
		return append(b, "0.0"...)
	}
	// Python changes to an exponent below 1e-4 and from 1e16 on.
	if a := math.Abs(x); a < 1e-4 || a >= 1e16 {
		return strconv.AppendFloat(b, x, 'e', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, x, 'f', -1, 64)
	text := b[start:]
	dot := -1
	for i, c := range text {
		if c == '.' {
			dot = i
		}
	}
	if dot < 0 {
		dot = len(text)
		b = append(b, ".0"...)
	}
	if x < 0 || dot <= 6 {
		return b
	}
	digits := append(append([]byte{}, b[start:start+dot]...), b[start+dot+1:]...)
	mantissa := strings.TrimRight(string(digits[:1])+"."+string(digits[1:]), "0.")
	b = append(append(b[:start], mantissa...), "e+0"...)
	return strconv.AppendInt(b, int64(dot-1), 10)
}

var (
	valueEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

func escapeValue(s string) string { return valueEscaper.Replace(s) }

// append writes the family; a family without series is not there.
func (f *family) append(b []byte) []byte {
	if len(f.series) == 0 {
		return b
	}
	b = append(b, f.head...)
	for _, s := range f.series {
		if f.typ == "histogram" {
			b = f.appendHistogram(b, s)
			continue
		}
		b = appendName(b, f.name, "", s)
		b = append(f.style.number(b, s.value, f.digits), '\n')
	}
	return b
}

func (f *family) appendHistogram(b []byte, s *series) []byte {
	var sum uint64
	for i, le := range f.edgeText {
		sum += s.buckets[i]
		b = append(append(b, f.name...), "_bucket{"...)
		if s.pre != "" {
			b = append(append(b, s.pre...), ',')
		}
		b = append(b, le...)
		if s.post != "" {
			b = append(append(b, ','), s.post...)
		}
		b = append(b, "} "...)
		b = append(f.style.integer(b, sum), '\n')
	}
	if f.style.countFirst {
		b = f.appendCount(b, s)
	}
	b = appendName(b, f.name, "_sum", s)
	b = append(f.style.number(b, s.value, -1), '\n')
	if !f.style.countFirst {
		b = f.appendCount(b, s)
	}
	return b
}

func (f *family) appendCount(b []byte, s *series) []byte {
	b = appendName(b, f.name, "_count", s)
	return append(f.style.integer(b, s.count), '\n')
}

// appendName writes the name and the labels, and the space before the value.
func appendName(b []byte, name, suffix string, s *series) []byte {
	b = append(append(b, name...), suffix...)
	if s.pre != "" || s.post != "" {
		b = append(append(b, '{'), s.pre...)
		if s.pre != "" && s.post != "" {
			b = append(b, ',')
		}
		b = append(append(b, s.post...), '}')
	}
	return append(b, ' ')
}
