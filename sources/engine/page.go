package engine

import (
	"bytes"
	_ "embed"
	"slices"
	"strconv"
	"strings"
)

//go:embed gauges.csv
var gaugesCSV string

// prefix begins the name of everything this package puts into the store.
const prefix = "dynascope_engine_"

type family struct{ name, typ, help string }

var families = must(readFamilies(gaugesCSV))

func readFamilies(text string) (out []family, err error) {
	err = readTable("gauges.csv", text, []string{"family", "type", "help"}, func(c map[string]string) error {
		out = append(out, family{name: c["family"], typ: c["type"], help: c["help"]})
		return nil
	})
	return out, err
}

// page collects samples by family and writes them in the text format 0.0.4.
type page struct {
	byFamily map[string][]string // lines without the name
}

// pair is one label; its value is an outside string and cleaned before.
type pair struct{ name, value string }

func (p *page) add(name string, v float64, labels ...pair) {
	// "memory_bytes{pool=kv}" is the family memory_bytes with that label.
	if fam, own, ok := strings.Cut(name, "{"); ok {
		n, v, _ := strings.Cut(strings.TrimSuffix(own, "}"), "=")
		name, labels = fam, append(slices.Clone(labels), pair{n, v})
	}
	var b strings.Builder
	sep := byte('{')
	for _, l := range labels {
		if l.value == "" {
			continue // an empty label is no label
		}
		b.WriteByte(sep)
		sep = ','
		b.WriteString(l.name)
		b.WriteString(`="`)
		b.WriteString(labelEscape.Replace(l.value))
		b.WriteByte('"')
	}
	if sep == ',' {
		b.WriteByte('}')
	}
	b.WriteByte(' ')
	b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	if p.byFamily == nil {
		p.byFamily = map[string][]string{}
	}
	p.byFamily[name] = append(p.byFamily[name], b.String())
}

var labelEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (p *page) bytes() []byte {
	var b bytes.Buffer
	for _, f := range families {
		lines := p.byFamily[f.name]
		if len(lines) == 0 {
			continue
		}
		b.WriteString("# HELP " + prefix + f.name + " " + f.help + "\n# TYPE " + prefix + f.name + " " + f.typ + "\n")
		for _, l := range lines {
			b.WriteString(prefix + f.name + l + "\n")
		}
	}
	return b.Bytes()
}
