package catalog

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources"
)

// rankLabels are ranks that show the same requests once more: tensor,
// pipeline and expert ranks of one scheduler. Their lines are never added up.
// DP ranks are not among them: they serve different requests.
var rankLabels = []string{"tp_rank", "pp_rank", "moe_ep_rank"}

// builder turns one metric into PromQL for one question.
type builder struct {
	by     []string // canonical
	window string   // as PromQL writes it
	scope  Scope

	instances matcher // of the scope; nil is all
}

// oneOf matches the instances of a scope.
func oneOf(instances []string) matcher {
	switch len(instances) {
	case 0:
		if instances == nil {
			return nil
		}
		return printed(labels.MatchEqual, "instance", "")
	case 1:
		return printed(labels.MatchEqual, "instance", instances[0])
	}
	quoted := make([]string, len(instances))
	for i, in := range instances {
		quoted[i] = regexp.QuoteMeta(in)
	}
	return printed(labels.MatchRegexp, "instance", strings.Join(quoted, "|"))
}

// expr builds the metric in a form that fits it.
func (b *builder) expr(m Metric, form sources.Form) string {
	switch form {
	case sources.FormNow:
		return b.gather(m, part{combine: m.Combine})
	case sources.FormRate:
		return b.gather(m, part{over: "rate"})
	case sources.FormIncrease:
		return b.gather(m, part{over: "increase"})
	case sources.FormTotal:
		if m.Kind == Histogram {
			return b.gather(m, part{suffix: "_count", bare: true})
		}
		return b.gather(m, part{})
	case sources.FormCount:
		return b.gather(m, part{suffix: "_count", over: "increase", bare: true})
	case sources.FormSumRate:
		return b.gather(m, part{suffix: "_sum", over: "rate"})
	case sources.FormMean:
		// Nothing observed is no mean: the guard keeps 0/0 from being one.
		return b.gather(m, part{suffix: "_sum", over: "rate"}) + " / (" + b.gather(m, part{suffix: "_count", over: "rate", bare: true}) + " > 0)"
	case sources.FormBuckets:
		return b.buckets(m)
	}
	return ""
}

// part is one ingredient of an expression.
type part struct {
	suffix  string // _sum, _count, _bucket of a histogram
	over    string // rate or increase; empty for the value itself
	combine string // sum (the default), mean, max, min
	bare    bool   // counts observations: the factor does not apply
	le      bool   // keeps the histogram edges apart
	only    string // one edge: its le
	// even: increase() scales what it saw between the scrapes up to the window,
	// but not past a counter's zero, and decides that for each series by
	// itself. Of the buckets of one histogram the one that has only begun to
	// fill then counts too little beside its neighbours, enough to move a
	// quantile into the next bucket. delta() has no such rule; where a counter
	// fell, increase() is the larger of the two and right.
	even bool
}

func (p part) operator() string {
	switch p.combine {
	case "":
		return "sum"
	case "mean":
		return "avg"
	}
	return p.combine
}

// gather joins the spellings and merges what is left into the groups asked
// for. On one instance the first spelling that is there counts, so that an
// exporter with an old and a new name beside each other is not counted twice,
// while two releases side by side (a rolling upgrade) add up.
func (b *builder) gather(m Metric, p part) string {
	joined, by := b.join(m, p)
	if p.le {
		by = append([]string{"le"}, by...)
	}
	return aggregate(p.operator(), by, joined)
}

// join returns the spellings, before the last aggregation, and the labels
// that this has to keep.
func (b *builder) join(m Metric, p part) (expr string, by []string) {
	if len(m.Variants) == 1 {
		v := m.Variants[0]
		plain := true
		for _, l := range b.by {
			if own, ok := v.own(l); ok {
				by = append(by, l)
				plain = plain && own == l
			}
		}
		return b.variant(v, p, !plain), by
	}
	terms := make([]string, len(m.Variants))
	for i, v := range m.Variants {
		// A label that this spelling lacks must not be taken from what a
		// cluster's relabelling happened to put there under the same name.
		named := slices.ContainsFunc(b.by, func(l string) bool { own, ok := v.own(l); return !ok || own != l })
		terms[i] = b.variant(v, p, named)
	}
	return strings.Join(terms, " or on ("+m.Variants[0].place()+") "), b.by
}

// place is the label within which only one spelling counts: the instance, or
// of a GPU its UUID, since two exporters may show the same one.
func (v Variant) place() string {
	if own, ok := v.Labels["uuid"]; ok {
		return own
	}
	return "instance"
}

// own is the spelling's own name of a canonical label.
func (v Variant) own(canonical string) (string, bool) {
	if canonical == "instance" {
		return canonical, true
	}
	own, ok := v.Labels[canonical]
	return own, ok
}

// variant is one spelling, in the metric's unit. With named it is merged per
// instance first and its labels get their canonical names.
func (b *builder) variant(v Variant, p part, named bool) string {
	x := b.selector(v, p)
	switch {
	case p.even:
		over := x + "[" + b.window + "]"
		x = "(increase(" + over + ") > delta(" + over + ") or delta(" + over + "))"
	case p.over != "":
		x = p.over + "(" + x + "[" + b.window + "])"
	}
	var ranks []string
	for _, l := range rankLabels {
		if own, ok := v.Labels[l]; ok && !slices.Contains(b.by, l) {
			ranks = append(ranks, own)
		}
	}
	if v.place() != "instance" {
		x = "max by (" + strings.Join(b.device(v), ", ") + ") (" + x + ")"
	}
	if len(ranks) > 0 && p.operator() != "max" {
		x = "max without (" + strings.Join(ranks, ", ") + ") (" + x + ")"
	}
	if p.le && v.Factor != 1 {
		// Edges are text: 5 milliseconds become 5e-3 seconds.
		exp, _ := decimalExponent(v.Factor)
		x = `label_replace(` + x + `, "le", "${1}e` + strconv.Itoa(exp) + `", "le", "([0-9.]+)")`
	}
	if named {
		x = b.rename(v, p, x)
	}
	if v.Factor != 1 && !p.bare && !p.le {
		x += " * " + strconv.FormatFloat(v.Factor, 'f', -1, 64)
	}
	return x
}

// device are the labels that tell values of a GPU apart. What differs by others
// is the same value once more: of a second exporter, of each pod that shares
// the GPU, or of each MIG instance where the value is the whole GPU's.
func (b *builder) device(v Variant) []string {
	by := slices.Sorted(maps.Values(v.Labels))
	if slices.Contains(b.by, "instance") {
		by = append(by, "instance")
	}
	return by
}

// rename merges a spelling per place by its own labels, then gives those
// their canonical names.
func (b *builder) rename(v Variant, p part, x string) string {
	by := []string{v.place()}
	if p.le {
		by = append(by, "le")
	}
	wanted := map[string]string{}
	for _, l := range b.by {
		own, ok := v.own(l)
		if !ok {
			continue
		}
		wanted[l] = own
		if !slices.Contains(by, own) {
			by = append(by, own)
		}
	}
	x = aggregate(p.operator(), by, x)
	steps, _ := v.renames(b.by, wanted) // cycles were refused at load
	for _, s := range steps {
		if s.from == "" {
			x = fmt.Sprintf(`label_replace(%s, %q, "", %q, ".*")`, x, s.to, s.to)
			continue
		}
		x = fmt.Sprintf(`label_replace(%s, %q, "$1", %q, "(.*)")`, x, s.to, s.from)
	}
	return x
}

type renaming struct{ from, to string }

// renames orders the renamings of wanted (canonical → own) so that none
// overwrites a label that another still reads, and clears own labels whose
// name means something else in by.
func (v Variant) renames(by []string, wanted map[string]string) ([]renaming, error) {
	pending := map[string]string{}
	for to, from := range wanted {
		if to != from {
			pending[to] = from
		}
	}
	var steps []renaming
	for len(pending) > 0 {
		n := len(steps)
		for _, to := range slices.Sorted(maps.Keys(pending)) {
			read := false
			for other, from := range pending {
				read = read || other != to && from == to
			}
			if !read {
				steps = append(steps, renaming{pending[to], to})
				delete(pending, to)
			}
		}
		if len(steps) == n {
			return nil, fmt.Errorf("its labels swap their names in a circle")
		}
	}
	for _, s := range slices.Clone(steps) {
		if _, set := wanted[s.from]; slices.Contains(by, s.from) && !set {
			steps = append(steps, renaming{"", s.from})
		}
	}
	return steps, nil
}

// buckets counts observations per edge. Over several instances only the edges
// that all of them have can be added up: where layouts differ, an edge of one
// layout would miss the observations of the other, and cumulative counts
// would fall. The +Inf edge, which every histogram has, says how many
// histograms contribute to a group.
func (b *builder) buckets(m Metric) string {
	p := part{suffix: "_bucket", over: "increase", le: true, even: true}
	sum := b.evened(m, p)
	p.even = false
	if slices.Contains(b.by, "instance") {
		return sum // one process, one layout
	}
	each, by := b.join(m, p)
	p.only = "+Inf"
	all, _ := b.join(m, p)
	return fmt.Sprintf("(%s) and on (%s) (%s == on (%s) group_left () %s)",
		sum, strings.Join(append([]string{"le"}, by...), ", "),
		aggregate("count", append([]string{"le"}, by...), each), strings.Join(by, ", "), aggregate("count", by, all))
}

// evened are the buckets in their true proportions, scaled to the number of
// observations that increase() sees: delta() reaches further past the scrapes
// of a short window. Without observations they stay as they are, zero.
func (b *builder) evened(m Metric, p part) string {
	_, by := b.join(m, p)
	on := strings.Join(by, ", ")
	whole := p
	whole.only = "+Inf"
	tall := aggregate("max", by, b.gather(m, whole))
	whole.even = false
	true0 := aggregate("max", by, b.gather(m, whole))
	return fmt.Sprintf("%s * on (%s) group_left () (%s / (%s > 0) or on (%s) (%s == bool 0))", b.gather(m, p), on, true0, tall, on, tall)
}

func aggregate(op string, by []string, x string) string {
	if len(by) == 0 {
		return op + "(" + x + ")"
	}
	return op + " by (" + strings.Join(by, ", ") + ") (" + x + ")"
}

// selector is the spelling's series within the scope.
func (b *builder) selector(v Variant, p part) string {
	ms := slices.Clone(v.matchers)
	for _, canonical := range slices.Sorted(maps.Keys(b.scope.Match)) {
		own, ok := v.own(canonical)
		if !ok {
			continue
		}
		ms = append(ms, match(canonical, own, b.scope.Match[canonical], v.Optional[canonical]))
	}
	if b.instances != nil {
		ms = append(ms, b.instances)
	}
	if p.only != "" {
		ms = append(ms, printed(labels.MatchEqual, labels.BucketLabel, p.only))
	}
	text := (&parser.VectorSelector{Name: v.Name + p.suffix, LabelMatchers: ms}).String()
	// PromQL takes the replacement character for broken UTF-8 unless escaped.
	return strings.ReplaceAll(text, "\uFFFD", `\ufffd`)
}

// match compares a label with a value of the scope. Dynamo's frontend writes
// model names in lower case and engines as they are, so case does not count
// for them. A label that the family may lack also matches its absence.
func match(canonical, own, value string, optional bool) matcher {
	fold := canonical == "model" && strings.ToLower(value) != strings.ToUpper(value)
	if !fold && !optional {
		return printed(labels.MatchEqual, own, value)
	}
	re := regexp.QuoteMeta(value)
	if fold {
		re = "(?i:" + re + ")"
	}
	if optional {
		re += "|"
	}
	return printed(labels.MatchRegexp, own, re)
}

// printed is a matcher that is only ever printed: its regular expression is
// left uncompiled, since a tick asks some hundred questions.
func printed(t labels.MatchType, name, value string) matcher {
	// No store holds a label value that is not UTF-8, and no parser takes one.
	return &labels.Matcher{Type: t, Name: name, Value: strings.ToValidUTF8(value, "\uFFFD")}
}

// decimalExponent is n where f is 10ⁿ; only then can an edge be converted in
// PromQL, which has no arithmetic on labels.
func decimalExponent(f float64) (int, bool) {
	n := int(math.Round(math.Log10(f)))
	p, err := strconv.ParseFloat("1e"+strconv.Itoa(n), 64)
	return n, err == nil && p == f
}
