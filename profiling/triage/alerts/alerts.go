// Package alerts writes the verdicts as recording and alerting rules of
// Prometheus: the part of each that PromQL can say, over figures recorded from
// the catalogue's queries, with the numbers that were chosen in plain sight.
//
// It judges nothing and holds no rule; what a verdict says in PromQL stands
// beside it, in profiling/triage/rules.
package alerts

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/text"
)

// Options say how the rules are written; the zero value is that of the verdicts.
type Options struct {
	// Window is the look-back of rates and histograms, default verdict.Look. It
	// should hold four scrapes.
	Window time.Duration
	// Every is the time between evaluations, default 15 s.
	Every time.Duration
	// By is what wrote the file, for its first line.
	By string
}

// alert is one verdict in PromQL.
type alert struct {
	rule       verdict.Rule
	expr       string   // over recorded figures
	parameters []string // its comparisons
	by         []string // labels that its figures keep apart
}

// record is one figure that alerts read.
type record struct {
	name   string
	metric catalog.Metric
	expr   string
}

// Write writes the rules as a file for Prometheus. It is an error when the
// alert of a rule is no PromQL over the catalogue.
func Write(w io.Writer, cat *catalog.Catalog, rules []verdict.Rule, o Options) error {
	if o.Window <= 0 {
		o.Window = verdict.Look
	}
	if o.Every <= 0 {
		o.Every = 15 * time.Second
	}
	var records []record
	seen := map[string]bool{}
	var out []alert
	var left []verdict.Rule
	for _, r := range rules {
		if r.Alert.Expr == "" {
			left = append(left, r)
			continue
		}
		var failed error
		var by []string
		expr, tree, err := cat.Template(r.Alert.Expr, func(n sources.Need) string {
			one, err := recordOf(cat, n, o.Window)
			if err != nil && failed == nil {
				failed = err
			}
			by = append(by, strings.Split(n.By, ",")...)
			if !seen[one.name] {
				seen[one.name] = true
				records = append(records, one)
			}
			return one.name
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return fmt.Errorf("write the alert of %s: %w", r.Code, err)
		}
		out = append(out, alert{r, expr, comparisons(tree), by})
	}
	slices.SortStableFunc(records, func(a, b record) int { return strings.Compare(a.name, b.name) })
	f := &file{}
	f.head(o)
	f.records(records)
	f.alerts(out)
	f.left(left)
	_, err := io.WriteString(w, f.String())
	return err
}

// recordOf is the recorded figure of a need.
func recordOf(cat *catalog.Catalog, n sources.Need, window time.Duration) (record, error) {
	if n.Window > 0 {
		window = n.Window
	}
	m, _ := cat.Metric(n.Key) // the template was refused if there is none
	q, err := cat.Query(n, window, catalog.Scope{})
	if err != nil {
		return record{}, err
	}
	r := record{"dynascope:" + strings.ReplaceAll(n.Key, ".", "_") + ":" + string(n.Form), m, q.Expr}
	if n.By != "" {
		r.name += "_by_" + strings.ReplaceAll(n.By, ",", "_")
	}
	if n.Form != sources.FormNow && n.Form != sources.FormTotal {
		r.name += "_" + model.Duration(window).String()
	}
	return r, nil
}

// comparisons are the parts of an expression in which something is compared:
// the numbers that may have to be others elsewhere.
func comparisons(e parser.Expr) (out []string) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		b, ok := n.(*parser.BinaryExpr)
		// Above nothing is no choice: it keeps a division from being one by zero.
		if ok && b.Op.IsComparisonOperator() && b.RHS.String() != "0" {
			if s := b.String(); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
		return nil
	})
	return out
}

// name is an alert's name: DynascopeKvCapacity.
func name(code string) string {
	out := "Dynascope"
	for part := range strings.SplitSeq(code, "-") {
		if part != "" {
			out += strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return out
}

// severity is that of an alert: nobody is woken for what may be a warning.
func severity(a verdict.Alert) verdict.Severity {
	if a.Critical {
		return verdict.Critical
	}
	return verdict.Warning
}

// whom names, in Prometheus' template language, whom an alert is about.
var whom = []string{"model", "host", "gpu", "instance", "worker_id", "dp_rank"}

// file collects the lines of the file.
type file struct{ strings.Builder }

const indent = "      "

func (f *file) line(s string) { f.WriteString(strings.TrimRight(s, " ") + "\n") }

// comment writes a text behind # signs, wrapped.
func (f *file) comment(lead, s string) {
	const width = 92
	line := ""
	for word := range strings.FieldsSeq(text.Clean(s, 4000)) {
		if line != "" && len(line)+1+len(word) > width {
			f.line(lead + "# " + line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		f.line(lead + "# " + line)
	}
}

// block writes PromQL as a YAML block, which needs no quoting.
func (f *file) block(key, expr string) {
	f.line(indent + "  " + key + ": |-")
	for l := range strings.SplitSeq(expr, "\n") {
		f.line(indent + "    " + l)
	}
}

func (f *file) head(o Options) {
	f.comment("", "Recording and alerting rules that say in PromQL what the verdicts of dynascope say"+by(o.By)+".")
	f.comment("", "Check: promtool check rules FILE. Load: rule_files in prometheus.yml.")
	f.line("#")
	f.comment("", "Rates and histograms look back "+model.Duration(o.Window).String()+", which should hold four scrapes: with scrape_interval 30s write the rules anew with --window 2m.")
	f.comment("", "Each alert names its comparisons; their numbers are those of the verdict. Where a verdict tests a trend, compares with a baseline or looks at the past, the alert is simpler, and a comment says in what.")
	f.line("groups:")
	f.line("  - name: dynascope")
	f.comment("    ", "One group: its rules are evaluated in this order, so that alerts read figures of the same moment.")
	f.line("    interval: " + model.Duration(o.Every).String())
	f.line("    rules:")
}

func by(what string) string {
	if what == "" {
		return ""
	}
	return ", written by " + what
}

func (f *file) records(list []record) {
	f.line("")
	f.comment(indent, "Figures that the alerts read, one spelling for all producers and releases.")
	for _, r := range list {
		f.line("")
		unit := ""
		if r.metric.Unit != "" {
			unit = " (" + r.metric.Unit + ")"
		}
		f.comment(indent, r.metric.Title+unit)
		f.line(indent + "- record: " + r.name)
		f.block("expr", r.expr)
	}
}

func (f *file) alerts(list []alert) {
	f.line("")
	f.comment(indent, "Verdicts.")
	for _, a := range list {
		r := a.rule
		f.line("")
		f.comment(indent, r.Code+": "+r.Title+". "+r.Help)
		if r.Alert.Why != "" {
			f.comment(indent, "Simpler than the verdict: "+r.Alert.Why+".")
		}
		for _, p := range a.parameters {
			f.line(indent + "# parameter: " + p)
		}
		f.line(indent + "- alert: " + name(r.Code))
		f.block("expr", a.expr)
		if r.Alert.For > 0 {
			f.line(indent + "  for: " + model.Duration(r.Alert.For).String())
		}
		f.line(indent + "  labels:")
		f.line(indent + "    severity: " + severity(r.Alert).String())
		f.line(indent + "    code: " + r.Code)
		f.line(indent + "  annotations:")
		summary := literal(r.Title)
		for _, l := range whom {
			if !slices.Contains(a.by, l) {
				continue
			}
			summary += "{{ with $labels." + l + " }} " + l + " {{ . }}{{ end }}"
		}
		f.line(indent + "    summary: " + text.QuoteYAML(summary))
		f.line(indent + "    value: " + text.QuoteYAML("{{ $value }}"))
		f.line(indent + "    description: " + text.QuoteYAML(literal(firstSentence(r.Help))))
	}
}

// literal keeps a text from being read as a template.
func literal(s string) string { return strings.ReplaceAll(s, "{{", "{ {") }

func firstSentence(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

func (f *file) left(list []verdict.Rule) {
	if len(list) == 0 {
		return
	}
	f.line("")
	f.comment(indent, "Not exportable: verdicts that no single expression says.")
	for _, r := range list {
		why := r.Alert.Why
		if why == "" {
			why = "no expression is known"
		}
		f.comment(indent, r.Code+": "+why)
	}
}
