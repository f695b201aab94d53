package catalog

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources"
)

type matcher = *labels.Matcher

// promQL parses standard PromQL: no experimental syntax, so that every
// expression can be pasted into any Prometheus.
var promQL = parser.NewParser(parser.Options{})

var (
	metricColumns  = []string{"key", "title", "unit", "kind", "better", "combine", "help"}
	variantColumns = []string{"key", "producer", "name", "labels", "factor", "since", "until", "note"}
	derivedColumns = []string{"key", "promql"}

	keyPattern   = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
	labelPattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	placeholder  = regexp.MustCompile(`\{([a-z0-9_.]+):([a-z]+)\}`)

	producers = []string{"frontend", "router", "worker", "planner", "kvbm", "sglang", "vllm", "trtllm", "dcgm", "dynascope"}
)

// row is one line of a table; its problems carry the table's name and line.
type row struct {
	file  string
	line  int
	cells map[string]string
}

func (r row) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", r.file, r.line, fmt.Sprintf(format, args...))
}

// readTable reads a CSV with exactly the given columns.
func readTable(file string, in io.Reader, columns []string) ([]row, error) {
	rd := csv.NewReader(in)
	rd.FieldsPerRecord = len(columns)
	var rows []row
	for n := 0; ; n++ {
		rec, err := rd.Read()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return nil, fmt.Errorf("%s:1: the table is empty, hint: its first line is %s", file, strings.Join(columns, ","))
			}
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := rd.FieldPos(0)
		if n == 0 {
			if !slices.Equal(rec, columns) {
				return nil, fmt.Errorf("%s:%d: the columns are %s, want %s", file, line, strings.Join(rec, ","), strings.Join(columns, ","))
			}
			continue
		}
		r := row{file, line, make(map[string]string, len(columns))}
		for i, c := range columns {
			if rec[i] != strings.TrimSpace(rec[i]) {
				return nil, r.errorf("%s has blanks around it", c)
			}
			r.cells[c] = rec[i]
		}
		rows = append(rows, r)
	}
}

// Load reads the three tables. Everything that does not fit together is an
// error with table and line; all of them are reported at once.
func Load(metrics, variants, derived io.Reader) (*Catalog, error) {
	ms, err1 := readTable("metrics.csv", metrics, metricColumns)
	vs, err2 := readTable("variants.csv", variants, variantColumns)
	ds, err3 := readTable("derived.csv", derived, derivedColumns)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}

	c := &Catalog{byKey: map[string]int{}, labels: map[string]bool{"instance": true}}
	var errs []error
	bad := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	at := map[string]row{} // where each key is defined
	for _, r := range ms {
		m, err := readMetric(r)
		bad(err)
		if first, twice := at[m.Key]; twice {
			bad(r.errorf("%s is already defined in line %d", m.Key, first.line))
			continue
		}
		at[m.Key] = r
		c.byKey[m.Key] = len(c.metrics)
		c.metrics = append(c.metrics, m)
	}

	seen := map[string]int{}
	for _, r := range vs {
		v, err := readVariant(r)
		if err != nil {
			bad(err)
			continue
		}
		i, ok := c.byKey[r.cells["key"]]
		switch id := r.cells["key"] + " " + r.cells["name"]; {
		case !ok:
			bad(r.errorf("metrics.csv has no key %q", r.cells["key"]))
			continue
		case seen[id] != 0:
			bad(r.errorf("the same spelling of the same key is in line %d", seen[id]))
			continue
		case c.metrics[i].Kind == Derived:
			bad(r.errorf("%s is derived and has no spelling of its own", r.cells["key"]))
			continue
		default:
			seen[id] = r.line
		}
		m := &c.metrics[i]
		if len(m.Variants) > 0 && m.Variants[0].place() != v.place() {
			bad(r.errorf("%s is told apart by %s in its first spelling and by %s here", m.Key, m.Variants[0].place(), v.place()))
		}
		m.Variants = append(m.Variants, v)
		for l := range v.Labels {
			c.labels[l] = true
		}
	}

	derivedAt := map[string]row{}
	for _, r := range ds {
		key := r.cells["key"]
		i, ok := c.byKey[key]
		_, twice := derivedAt[key]
		switch {
		case !ok:
			bad(r.errorf("metrics.csv has no key %q", key))
		case c.metrics[i].Kind != Derived:
			bad(r.errorf("%s is a %s, not derived", key, c.metrics[i].Kind))
		case twice:
			bad(r.errorf("%s is already given in line %d", key, derivedAt[key].line))
		case r.cells["promql"] == "":
			bad(r.errorf("%s has no expression", key))
		default:
			derivedAt[key] = r
			c.metrics[i].Expr = r.cells["promql"]
		}
	}
	for _, m := range c.metrics {
		r := at[m.Key]
		switch {
		case m.Kind == Derived && m.Expr == "":
			bad(r.errorf("%s is derived, and derived.csv has no expression for it", m.Key))
		case m.Kind == Derived:
			bad(c.checkDerived(derivedAt[m.Key], m))
		case len(m.Variants) == 0:
			bad(r.errorf("%s has no spelling in variants.csv", m.Key))
		}
	}
	for _, r := range ds {
		bad(c.checkCycle(r, r.cells["key"], nil))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

func readMetric(r row) (Metric, error) {
	m := Metric{
		Key: r.cells["key"], Title: r.cells["title"], Unit: r.cells["unit"], Kind: Kind(r.cells["kind"]),
		Better: r.cells["better"], Combine: r.cells["combine"], Help: r.cells["help"],
	}
	switch {
	case !keyPattern.MatchString(m.Key):
		return m, r.errorf("key %q is not of the form source.name", m.Key)
	case m.Title == "" || m.Help == "":
		return m, r.errorf("%s needs a title and a help", m.Key)
	case m.Kind.Forms() == nil:
		return m, r.errorf("%s has kind %q, want counter, gauge, histogram, derived or info", m.Key, m.Kind)
	case !slices.Contains([]string{"", "lower", "higher"}, m.Better):
		return m, r.errorf("%s has better %q, want lower, higher or nothing", m.Key, m.Better)
	case (m.Kind == Gauge || m.Kind == Info) != (m.Combine != ""):
		return m, r.errorf("%s is a %s with combine %q: gauges and infos need one, others have none", m.Key, m.Kind, m.Combine)
	case !slices.Contains([]string{"", "sum", "mean", "max", "min"}, m.Combine):
		return m, r.errorf("%s has combine %q, want sum, mean, max or min", m.Key, m.Combine)
	case m.Unit == "ratio" && m.Combine == "sum":
		return m, r.errorf("%s is a ratio: ratios are never summed", m.Key)
	}
	return m, nil
}

func readVariant(r row) (Variant, error) {
	v := Variant{
		Producer: r.cells["producer"], Since: r.cells["since"], Until: r.cells["until"],
		Labels: map[string]string{}, Optional: map[string]bool{}, Factor: 1,
	}
	v.Note, v.Unseen = strings.CutPrefix(r.cells["note"], "unseen:")
	v.Note = strings.TrimSpace(v.Note)
	if !slices.Contains(producers, v.Producer) {
		return v, r.errorf("producer %q is none of %s", v.Producer, strings.Join(producers, ", "))
	}

	e, err := promQL.ParseExpr(r.cells["name"])
	sel, ok := e.(*parser.VectorSelector)
	if err != nil || !ok || sel.Name == "" || sel.OriginalOffset != 0 || sel.Timestamp != nil || sel.StartOrEnd != 0 {
		return v, r.errorf("name %q is not a family name with at most a fixed selector", r.cells["name"])
	}
	v.Name = sel.Name
	v.Selector = strings.TrimPrefix(r.cells["name"], sel.Name)
	for _, m := range sel.LabelMatchers {
		if m.Name != model.MetricNameLabel {
			v.matchers = append(v.matchers, m)
		}
	}

	own := map[string]string{}
	for _, l := range strings.Fields(r.cells["labels"]) {
		l, optional := strings.CutSuffix(l, "?")
		canonical, actual, renamed := strings.Cut(l, "=")
		if !renamed {
			actual = canonical
		}
		switch {
		case !labelPattern.MatchString(canonical) || !labelPattern.MatchString(actual):
			return v, r.errorf("label %q is neither a name nor canonical=own", l)
		case canonical == "instance" || canonical == "le":
			return v, r.errorf("label %q is implied", canonical)
		case v.Labels[canonical] != "":
			return v, r.errorf("label %q is given twice", canonical)
		case own[actual] != "":
			return v, r.errorf("label %q is both %s and %s", actual, own[actual], canonical)
		}
		own[actual] = canonical
		v.Labels[canonical] = actual
		if optional {
			v.Optional[canonical] = true
		}
	}
	if _, err := v.renames(nil, v.Labels); err != nil {
		return v, r.errorf("%v", err)
	}

	if f := r.cells["factor"]; f != "" {
		v.Factor, err = strconv.ParseFloat(f, 64)
		if err != nil || !(v.Factor > 0) || math.IsInf(v.Factor, 0) {
			return v, r.errorf("factor %q is not a positive number", f)
		}
	}
	return v, nil
}

// checkDerived refuses unknown placeholders and expressions that are no
// PromQL, or that name a series themselves.
func (c *Catalog) checkDerived(r row, m Metric) error {
	for _, ph := range placeholder.FindAllStringSubmatch(m.Expr, -1) {
		i, ok := c.byKey[ph[1]]
		if !ok {
			return r.errorf("%s asks for the unknown key %q", m.Key, ph[1])
		}
		if f := sources.Form(ph[2]); f == sources.FormBuckets || !slices.Contains(c.metrics[i].Forms(), f) {
			return r.errorf("%s asks for %s as %q, which does not fit a %s here", m.Key, ph[1], f, c.metrics[i].Kind)
		}
	}
	e, err := promQL.ParseExpr(placeholder.ReplaceAllString(m.Expr, "vector(1)"))
	if err != nil {
		return r.errorf("%s is no PromQL: %v", m.Key, err)
	}
	if !placeholder.MatchString(m.Expr) {
		return r.errorf("%s is derived from nothing, hint: write {key:form}", m.Key)
	}
	var named error
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			named = r.errorf("%s names the series %s, hint: write {key:form}", m.Key, s)
		}
		return nil
	})
	return named
}

func (c *Catalog) checkCycle(r row, key string, above []string) error {
	if slices.Contains(above, key) {
		return r.errorf("%s is derived from itself: %s", key, strings.Join(append(above, key), " → "))
	}
	i, ok := c.byKey[key]
	if !ok {
		return nil
	}
	for _, ph := range placeholder.FindAllStringSubmatch(c.metrics[i].Expr, -1) {
		if err := c.checkCycle(r, ph[1], append(slices.Clone(above), key)); err != nil {
			return err
		}
	}
	return nil
}
