package config

import (
	"fmt"
	"io"
	"strings"

	"dynascope/sources/text"
)

// Print writes what applies as a configuration file, each value with its
// origin in a comment. Secrets are replaced; what has no value is a comment
// itself.
func (e *Effective) Print(w io.Writer) error {
	var b strings.Builder
	file := e.Path
	if file == "" {
		file = "none"
	}
	fmt.Fprintf(&b, "# file: %s\n", text.Clean(file, 300))
	if e.Profile != "" {
		fmt.Fprintf(&b, "# profile: %s\n", text.Clean(e.Profile, 100))
	}
	for _, s := range e.stray {
		fmt.Fprintf(&b, "# %s names no setting\n", text.Clean(s, 100))
	}
	for _, r := range e.rows {
		if r.set.Is(FlagOnly) || r.set.Key == "profile" {
			continue
		}
		value, none := r.yaml()
		mark := ""
		if none {
			mark = "# "
		}
		fmt.Fprintf(&b, "%s%s: %s  # %s\n", mark, r.set.Key, value, text.Clean(r.origin.String(), 300))
	}
	if len(e.Keys) > 0 {
		b.WriteString("keys:\n")
		for _, k := range e.Keys {
			fmt.Fprintf(&b, "  %s: %s  # %s\n", text.QuoteYAML(k.Action), flow(k.Keys), text.Clean(k.At.String(), 300))
		}
	}
	if len(e.Panes) > 0 {
		b.WriteString("panes:\n")
		for _, p := range e.Panes {
			p.print(&b)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p Pane) print(b *strings.Builder) {
	fmt.Fprintf(b, "  - title: %s  # %s\n    short: %s\n    rows:\n", text.QuoteYAML(p.Title), text.Clean(p.At.String(), 300), text.QuoteYAML(p.Short))
	for _, row := range p.Rows {
		for i, w := range row {
			lead := "      - - "
			if i > 0 {
				lead = "        - "
			}
			fmt.Fprintf(b, "%s{title: %s, expr: %s, kind: %s, unit: %s, legend: %s}\n", lead, text.QuoteYAML(w.Title), text.QuoteYAML(w.Expr), w.Kind, text.QuoteYAML(w.Unit), text.QuoteYAML(w.Legend))
		}
	}
}

// yaml is the value as YAML, its secrets replaced; none says that there is no
// value.
func (r row) yaml() (value string, none bool) {
	if r.set.List() {
		shown := make([]string, 0, len(r.values))
		for _, v := range r.values {
			shown = append(shown, r.show(v))
		}
		return flow(shown), len(r.values) == 0
	}
	v := r.values[0]
	switch r.set.Type {
	case "string":
		return text.QuoteYAML(r.show(v)), v == ""
	}
	return v, false
}

func (r row) show(v string) string {
	v = text.Redact(v)
	if !r.set.Is(Literal) {
		return v
	}
	// The value of a header can be a secret under any name.
	name, value, ok := strings.Cut(v, ":")
	if value = strings.TrimSpace(value); ok && !strings.HasPrefix(value, "@") {
		return name + ": " + text.Hidden
	}
	return v
}

func flow(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = text.QuoteYAML(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
