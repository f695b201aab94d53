package page

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// source is one table as it stands on one page: which rows, how spelt, and the
// values of the fixed labels.
type source struct {
	page     *Page
	table    string
	gen      Gen
	features []string
	style    style
	rename   func(string) string // nil keeps the names
	fixed    map[string]string
	digits   func(family string) int  // nil is the shortest text
	only     func(family string) bool // nil is all of the table
	edges    map[string][]float64     // of families whose edges are not the table's
}

// rows are those of the table that the page has.
func (s source) rows(yield func(row) bool) {
	for _, r := range tables()[s.table] {
		if r.in(s.gen, s.features) && (s.only == nil || s.only(r.family)) && !yield(r) {
			return
		}
	}
}

// with is the same table under further fixed labels: a DP rank's part of it.
func (s source) with(fixed map[string]string) source {
	all := maps.Clone(s.fixed)
	maps.Copy(all, fixed)
	s.fixed = all
	return s
}

// declare puts the families on the page in the order of the table, with the
// series that are there from the start.
func (s source) declare() source {
	for r := range s.rows {
		v := s.vec(r)
		if r.event == "" {
			start(v, r, nil)
		}
	}
	return s
}

// happen starts the series that come with an event, $name replaced by vars.
func (s source) happen(event string, vars map[string]string) {
	for r := range s.rows {
		if r.event == event {
			start(s.vec(r), r, vars)
		}
	}
}

func start(v *vec, r row, vars map[string]string) {
	for _, st := range r.start {
		values := slices.Clone(st.values)
		for i, x := range values {
			if name, ok := strings.CutPrefix(x, "$"); ok {
				values[i] = vars[name]
			}
		}
		n := len(v.fam.series)
		if sr := v.at(values); len(v.fam.series) > n && r.typ != "histogram" {
			sr.value = st.value
		}
	}
}

// vec finds or makes the part of the row's family with the source's labels.
func (s source) vec(r row) *vec {
	name := r.family
	if s.rename != nil {
		name = s.rename(name)
	}
	fixed := map[string]string{}
	var names, vars []string
	for _, l := range r.labels {
		if !l.fixed {
			names, vars = append(names, l.name), append(vars, l.name)
			continue
		}
		value, ok := s.fixed[l.name]
		if !ok && l.optional {
			continue
		}
		if !ok {
			panic(fmt.Sprintf("page: %s wants a value for its label %s", name, l.name))
		}
		names, fixed[l.name] = append(names, l.name), value
	}
	f := s.page.byName[name]
	if f == nil {
		f = s.newFamily(name, r)
	}
	if s.style != exporter {
		slices.Sort(names)
	}
	// Labels that only some have, such as those of a MIG instance, tell apart
	// too.
	var key []byte
	for _, n := range names {
		key = append(append(append(append(key, n...), '='), fixed[n]...), 0xff)
	}
	v := f.vecs[string(key)]
	if v == nil {
		v = &vec{fam: f, labels: names, fixed: fixed, vars: vars, byKey: map[string]*series{}}
		f.vecs[string(key)] = v
	}
	return v
}

func (s source) newFamily(name string, r row) *family {
	f := &family{
		name: name, typ: r.typ, style: s.style, edges: r.edges, digits: -1,
		vecs: map[string]*vec{},
		head: "# HELP " + name + " " + helpEscaper.Replace(r.help) + "\n# TYPE " + name + " " + r.typ + "\n",
	}
	if edges, ok := s.edges[r.family]; ok {
		f.edges = edges
	}
	if s.digits != nil {
		f.digits = s.digits(name)
	}
	for _, e := range f.edges {
		f.edgeText = append(f.edgeText, `le="`+string(s.style.number(nil, e, -1))+`"`)
	}
	if r.typ == "histogram" {
		f.edgeText = append(f.edgeText, `le="+Inf"`)
	}
	if s.page.byName == nil {
		s.page.byName = map[string]*family{}
	}
	s.page.byName[name] = f
	s.page.families = append(s.page.families, f)
	return f
}

// bind fills the handles of a struct: each field tagged family:"name" (or
// "newer|older") becomes the handle of the first of them that the source has,
// and stays empty, swallowing what it is told, where it has none.
func (s source) bind(handles any) {
	rows := map[string]row{}
	for r := range s.rows {
		rows[r.family] = r
	}
	target := reflect.ValueOf(handles).Elem()
	for i := range target.NumField() {
		tag, ok := target.Type().Field(i).Tag.Lookup("family")
		if !ok {
			continue
		}
		for name := range strings.SplitSeq(tag, "|") {
			r, ok := rows[name]
			if !ok {
				continue
			}
			v := s.vec(r)
			switch field := target.Field(i).Addr().Interface().(type) {
			case **Counter:
				v.want("counter", "gauge")
				*field = &Counter{v}
			case **Gauge:
				v.want("gauge", "counter")
				*field = &Gauge{v}
			case **Histogram:
				v.want("histogram")
				*field = &Histogram{v}
			}
			break
		}
	}
}

// want panics where a handle's kind does not fit the table. Counters and gauges
// may stand for each other: real processes type some of them wrongly.
func (v *vec) want(types ...string) {
	if !slices.Contains(types, v.fam.typ) {
		panic(fmt.Sprintf("page: %s is a %s, bound as %v", v.fam.name, v.fam.typ, types))
	}
}
