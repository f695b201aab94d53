package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"dynascope/sources"
)

// Scope limits a question to a part of what the store holds.
type Scope struct {
	// Match holds canonical labels and the value they must have. It applies
	// to the spellings that carry the label; the others stay whole.
	Match map[string]string
	// Instances are the targets to look at; nil is all.
	Instances []string
}

// Query is a question as PromQL.
type Query struct {
	Expr string
	// Families are the bare family names asked for.
	Families []string
	// Names are the exact series names whose presence says that a family is
	// there: of a histogram, its _count.
	Names []string
	// AllModels: the scope names a model, and a spelling cannot be told apart
	// by model, or can only in some releases.
	AllModels bool
	// Note says what brings the families when they are absent.
	Note string
	// LooksBack: all of the expression is over the window; nothing in it is a
	// present value.
	LooksBack bool
}

// Query turns a need into PromQL over the window. It is an error when the key
// is unknown, the form does not fit the metric, a label of By or the scope is
// not canonical, or a form that looks back has no window.
func (c *Catalog) Query(n sources.Need, window time.Duration, s Scope) (Query, error) {
	q, err := c.query(n, window, s)
	if err != nil {
		return Query{}, fmt.Errorf("ask for %s: %w", n.Key, err)
	}
	return q, nil
}

func (c *Catalog) query(n sources.Need, window time.Duration, s Scope) (Query, error) {
	b := builder{scope: s, instances: oneOf(s.Instances)}
	for l := range strings.SplitSeq(n.By, ",") {
		l = strings.TrimSpace(l)
		switch {
		case l == "" || slices.Contains(b.by, l):
			continue
		case !c.labels[l]:
			return Query{}, fmt.Errorf("no metric carries the label %q, hint: one of %s", l, strings.Join(c.Labels(), ", "))
		}
		b.by = append(b.by, l)
	}
	for l := range s.Match {
		if !c.labels[l] {
			return Query{}, fmt.Errorf("no metric carries the scope's label %q", l)
		}
	}
	if window > 0 {
		b.window = model.Duration(window.Truncate(time.Millisecond)).String()
	}
	q := Query{LooksBack: true}
	var err error
	q.Expr, err = c.expand(&b, &q, n.Key, n.Form)
	return q, err
}

// expand builds one metric's expression and adds its families to q.
func (c *Catalog) expand(b *builder, q *Query, key string, form sources.Form) (string, error) {
	m, ok := c.Metric(key)
	if !ok {
		return "", fmt.Errorf("the catalogue has no key %q", key)
	}
	if !slices.Contains(m.Forms(), form) {
		return "", fmt.Errorf("%s is a %s and has no form %q, hint: one of %v", key, m.Kind, form, m.Forms())
	}
	if m.user() {
		return b.expandUser(q, m)
	}
	if m.Kind == Derived {
		var failed error
		expr := placeholder.ReplaceAllStringFunc(m.Expr, func(ph string) string {
			p := placeholder.FindStringSubmatch(ph)
			inner, err := c.expand(b, q, p[1], sources.Form(p[2]))
			if err != nil && failed == nil {
				failed = err
			}
			return "(" + inner + ")"
		})
		return expr, failed
	}
	switch {
	case form == sources.FormNow || form == sources.FormTotal:
		q.LooksBack = false
	case b.window == "":
		return "", fmt.Errorf("the form %q looks back and has no window", form)
	}
	q.add(m, b.scope)
	return b.expr(m, form), nil
}

// add notes what a metric asks for.
func (q *Query) add(m Metric, s Scope) {
	put := func(to *[]string, v string) {
		if v != "" && !slices.Contains(*to, v) {
			*to = append(*to, v)
		}
	}
	_, scoped := s.Match["model"]
	notes := strings.Split(q.Note, "; ")
	if q.Note == "" {
		notes = nil
	}
	for _, v := range m.Variants {
		put(&q.Families, v.Name)
		if m.Kind == Histogram {
			put(&q.Names, v.Name+"_count")
		} else {
			put(&q.Names, v.Name)
		}
		put(&notes, v.Note)
		if _, has := v.Labels["model"]; scoped && (!has || v.Optional["model"]) {
			q.AllModels = true
		}
	}
	q.Note = strings.Join(notes, "; ")
}
