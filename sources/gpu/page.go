package gpu

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"dynascope/sources/text"
)

// sample is one line of the page, less the labels of its GPU.
type sample struct {
	family string
	labels string // written out, as label writes them; may be empty
	value  float64
}

// part is what one GPU brings to the page.
type part struct {
	labels  string // of the GPU, written out
	samples []sample
}

// label writes one more label. An empty value is no label in the data model.
func label(name, value string) string {
	if value == "" {
		return ""
	}
	var b strings.Builder
	b.WriteByte(',')
	b.WriteString(name)
	b.WriteString(`="`)
	for _, r := range text.Clean(value, 120) {
		switch r {
		case '\\', '"':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}

// write is the page of all GPUs in the text format 0.0.4. Values that are no
// number are left out, as the exporter does.
func write(parts []part) []byte {
	type line struct {
		labels string
		sample
	}
	byFamily := map[string][]line{}
	for _, p := range parts {
		for _, s := range p.samples {
			if math.IsNaN(s.value) || math.IsInf(s.value, 0) {
				continue
			}
			byFamily[s.family] = append(byFamily[s.family], line{p.labels, s})
		}
	}
	var out []byte
	for _, f := range families {
		lines := byFamily[f.name]
		if len(lines) == 0 {
			continue
		}
		out = append(out, "# HELP "+f.name+" "+f.help+"\n# TYPE "+f.name+" "+f.kind+"\n"...)
		for _, l := range lines {
			out = append(out, f.name...)
			out = append(out, '{')
			out = append(out, strings.TrimPrefix(l.labels+l.sample.labels, ",")...)
			out = append(out, `,source="nvml"} `...)
			out = strconv.AppendFloat(out, l.value, 'g', -1, 64)
			out = append(out, '\n')
		}
	}
	return out
}

// sorted orders samples by their labels, so that equal pages read equal.
func sorted(in []sample) []sample {
	slices.SortStableFunc(in, func(a, b sample) int { return strings.Compare(a.labels, b.labels) })
	return in
}
