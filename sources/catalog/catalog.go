// Package catalog says what each number means and how each producer spells
// it: three embedded tables (metrics, the spellings of each, and what is
// derived from them) and the PromQL built from a question.
//
// It asks nothing of a store, draws nothing, and names no metric in Go code:
// a new metric is a row.
package catalog

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"dynascope/sources"
)

//go:embed metrics.csv
var metricsCSV string

//go:embed variants.csv
var variantsCSV string

//go:embed derived.csv
var derivedCSV string

// Kind is what a metric is, whatever type its producer declares.
type Kind string

// The kinds. An info metric is a constant whose labels are the message.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
	Derived   Kind = "derived"
	Info      Kind = "info"
)

// Forms are the forms that fit the kind.
func (k Kind) Forms() []sources.Form {
	switch k {
	case Counter:
		return []sources.Form{sources.FormRate, sources.FormIncrease, sources.FormTotal}
	case Gauge, Info:
		return []sources.Form{sources.FormNow}
	case Histogram:
		return []sources.Form{sources.FormMean, sources.FormCount, sources.FormSumRate, sources.FormTotal, sources.FormBuckets}
	case Derived:
		return []sources.Form{sources.FormExpr}
	}
	return nil
}

// Metric is one row of metrics.csv with its spellings.
type Metric struct {
	Key, Title string
	// Unit is the base unit after each variant's factor: seconds, tokens,
	// requests, ratio, bytes, bool …; empty for codes and bit masks.
	Unit string
	Kind Kind
	// Better is "lower", "higher" or empty.
	Better string
	// Combine merges a gauge over ranks and instances: sum, mean, max, min.
	Combine string
	Help    string
	// Variants are in order of preference: on one instance the first that is
	// there counts. Empty for derived metrics.
	Variants []Variant
	// Expr is a derived metric's PromQL over {key:form}; of a user's
	// expression it is what the user wrote.
	Expr string

	names []string // exact series names of a user's expression
}

// Forms are the forms that fit the metric: those of its kind, without buckets
// where a spelling's unit cannot be converted edge by edge.
func (m Metric) Forms() []sources.Form {
	forms := m.Kind.Forms()
	for _, v := range m.Variants {
		if _, ok := decimalExponent(v.Factor); m.Kind == Histogram && !ok {
			return slices.DeleteFunc(slices.Clone(forms), func(f sources.Form) bool { return f == sources.FormBuckets })
		}
	}
	return forms
}

// Families are the bare family names of the spellings, each once.
func (m Metric) Families() []string {
	var out []string
	for _, v := range m.Variants {
		if !slices.Contains(out, v.Name) {
			out = append(out, v.Name)
		}
	}
	return out
}

// Variant is one producer's spelling of a metric.
type Variant struct {
	Producer string // frontend, router, worker, planner, kvbm, sglang, vllm, trtllm, dcgm, dynascope
	Name     string // bare family name, without _bucket, _sum, _count
	Selector string // fixed matchers as written, with braces, or empty
	// Labels are the labels the family carries: canonical name → its own.
	Labels map[string]string
	// Optional are those of Labels, by canonical name, that only some
	// releases or configurations put on the family.
	Optional map[string]bool
	Factor   float64 // own unit × Factor = the metric's unit
	Since    string  // first release known to have it, or empty
	Until    string  // last release known to have it, or empty
	Note     string  // what brings the family when it is absent
	Unseen   bool    // in no exposition recorded for the tests

	matchers []matcher
}

// series are the exact series names of the spelling.
func (v Variant) series(k Kind) []string {
	if k == Histogram {
		return []string{v.Name + "_bucket", v.Name + "_count", v.Name + "_sum"}
	}
	return []string{v.Name}
}

// Catalog is the loaded tables. It is immutable.
type Catalog struct {
	metrics []Metric // in the order of metrics.csv
	byKey   map[string]int
	labels  map[string]bool // canonical label names
}

var embedded = sync.OnceValues(func() (*Catalog, error) {
	return Load(strings.NewReader(metricsCSV), strings.NewReader(variantsCSV), strings.NewReader(derivedCSV))
})

// Default is the catalogue built into the program. A broken table is a broken
// build, which the tests find; it panics.
func Default() *Catalog {
	c, err := embedded()
	if err != nil {
		panic(fmt.Sprintf("load the built-in catalogue: %v", err))
	}
	return c
}

// Metric returns the metric of a key.
func (c *Catalog) Metric(key string) (Metric, bool) {
	i, ok := c.byKey[key]
	if !ok {
		return Metric{}, false
	}
	return c.metrics[i], true
}

// Metrics returns all metrics, in the order of the table.
func (c *Catalog) Metrics() []Metric { return slices.Clone(c.metrics) }

// Labels returns the canonical label names that questions may group by.
func (c *Catalog) Labels() []string { return slices.Sorted(maps.Keys(c.labels)) }

// Keep returns the exact series names the catalogue can ask for, sorted: what
// a private store has to keep of a page.
func (c *Catalog) Keep() []string {
	names := map[string]bool{}
	for _, m := range c.metrics {
		for _, v := range m.Variants {
			for _, n := range v.series(m.Kind) {
				names[n] = true
			}
		}
		for _, n := range m.names {
			names[n] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// frontendPrefix is what DYN_METRICS_PREFIX replaces.
const frontendPrefix = "dynamo_frontend"

// WithFrontendPrefix returns the catalogue of a deployment whose frontend
// runs with DYN_METRICS_PREFIX or --metrics-prefix p. The prefix is sanitised
// as Dynamo does it; like there, one that cannot be (empty, nothing but
// underscores) leaves the names as they are. It is an error when a renamed
// family takes the name of another one.
func (c *Catalog) WithFrontendPrefix(p string) (*Catalog, error) {
	p, err := SanitiseName(p)
	if err != nil || p == frontendPrefix {
		return c, nil
	}
	out := &Catalog{metrics: slices.Clone(c.metrics), byKey: c.byKey, labels: c.labels}
	taken := map[string]string{}
	for _, m := range c.metrics {
		for _, v := range m.Variants {
			if _, ours := strings.CutPrefix(v.Name, frontendPrefix+"_"); !ours {
				taken[v.Name] = m.Key
			}
		}
	}
	for i, m := range out.metrics {
		m.Variants = slices.Clone(m.Variants)
		for j, v := range m.Variants {
			rest, ours := strings.CutPrefix(v.Name, frontendPrefix+"_")
			if !ours {
				continue
			}
			name := p + "_" + rest
			if other, ok := taken[name]; ok {
				return nil, fmt.Errorf("rename the frontend's families to prefix %q: %s is already a family of %s, hint: give the prefix of the frontend's DYN_METRICS_PREFIX", p, name, other)
			}
			m.Variants[j].Name = name
		}
		out.metrics[i] = m
	}
	return out, nil
}
