package page

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
)

// Page is one process' metric families in the order in which they are written.
type Page struct {
	families []*family
	byName   map[string]*family
	buf      []byte
}

// WriteTo writes the page as text 0.0.4.
func (p *Page) WriteTo(w io.Writer) (int64, error) {
	p.buf = p.AppendTo(p.buf[:0])
	n, err := w.Write(p.buf)
	return int64(n), err
}

// AppendTo appends the page to b: the way without a copy of its own for a
// caller that keeps a buffer.
func (p *Page) AppendTo(b []byte) []byte {
	for _, f := range p.families {
		b = f.append(b)
	}
	return b
}

// family is one metric family with the series that exist.
type family struct {
	name, typ string
	style     style
	edges     []float64
	edgeText  []string // `le="0.1"`, the last is +Inf
	head      string   // HELP and TYPE lines
	digits    int      // decimals of a value; -1 shortest
	series    []*series
	vecs      map[string]*vec // by fixed label values
}

// series is one time series, a whole histogram included.
type series struct {
	sort      string // label values, for the order of the Rust exporter
	pre, post string // rendered labels before and after le
	value     float64
	buckets   []uint64 // not cumulative, one more than edges
	count     uint64
	values    []string // variable label values of its vec
	fromVec   *vec
}

// vec is the part of a family whose fixed labels have certain values: what one
// handle of the page speaks to.
type vec struct {
	fam    *family
	labels []string // names, as written
	fixed  map[string]string
	vars   []string // names of the labels given with each record
	byKey  map[string]*series
	only   *series // where vars is empty
	key    []byte
}

// at finds or makes the series of these label values.
func (v *vec) at(values []string) *series {
	if len(values) != len(v.vars) {
		// The copy keeps the caller's values off the heap.
		panic(fmt.Sprintf("page: %s wants the labels %v, got %v", v.fam.name, v.vars, slices.Clone(values)))
	}
	if len(values) == 0 {
		if v.only == nil {
			v.only = v.add(nil)
		}
		return v.only
	}
	if s := v.byKey[string(v.makeKey(values))]; s != nil {
		return s
	}
	s := v.add(values)
	v.byKey[string(v.makeKey(values))] = s
	return s
}

func (v *vec) makeKey(values []string) []byte {
	v.key = v.key[:0]
	for _, s := range values {
		v.key = append(append(v.key, s...), 0xff)
	}
	return v.key
}

func (v *vec) add(values []string) *series {
	f := v.fam
	s := &series{values: slices.Clone(values), fromVec: v}
	var pre, post, order strings.Builder
	for _, name := range v.labels {
		value, ok := v.fixed[name]
		if !ok {
			value = values[slices.Index(v.vars, name)]
		}
		part := &pre
		if f.typ == "histogram" && f.style.leSorted && name > "le" {
			part = &post
		}
		if part.Len() > 0 {
			part.WriteByte(',')
		}
		part.WriteString(name + `="` + escapeValue(value) + `"`)
		order.WriteString(value + "\x00")
	}
	s.pre, s.post, s.sort = pre.String(), post.String(), order.String()
	if f.typ == "histogram" {
		s.buckets = make([]uint64, len(f.edges)+1)
	}
	at := len(f.series)
	if f.style.seriesSorted {
		at = sort.Search(len(f.series), func(i int) bool { return f.series[i].sort > s.sort })
	}
	f.series = slices.Insert(f.series, at, s)
	return s
}

// forget removes the series for which drop says so.
func (v *vec) forget(drop func(values []string) bool) {
	v.fam.series = slices.DeleteFunc(v.fam.series, func(s *series) bool {
		if s.fromVec != v || !drop(s.values) {
			return false
		}
		delete(v.byKey, string(v.makeKey(s.values)))
		if v.only == s {
			v.only = nil
		}
		return true
	})
}

func (s *series) observe(f *family, x float64, n uint64) {
	s.buckets[sort.SearchFloat64s(f.edges, x)] += n
	s.count += n
	s.value += x * float64(n)
}

// Counter only grows. Its label values come in the order of its row in the
// table, without the fixed ones.
type Counter struct{ v *vec }

// Add adds n ≥ 0; Add(0, …) makes the series appear.
func (c *Counter) Add(n float64, labels ...string) {
	if c == nil || c.v == nil {
		return
	}
	if n < 0 || math.IsNaN(n) {
		panic(fmt.Sprintf("page: %s: a counter cannot grow by %v", c.v.fam.name, n))
	}
	c.v.at(labels).value += n
}

// Inc adds one.
func (c *Counter) Inc(labels ...string) { c.Add(1, labels...) }

// Gauge is set, or moved up and down.
type Gauge struct{ v *vec }

// Set replaces the value.
func (g *Gauge) Set(x float64, labels ...string) {
	if g == nil || g.v == nil {
		return
	}
	g.v.at(labels).value = x
}

// Add moves the value by x.
func (g *Gauge) Add(x float64, labels ...string) {
	if g == nil || g.v == nil {
		return
	}
	g.v.at(labels).value += x
}

// Forget removes the series whose first labels are these.
func (g *Gauge) Forget(labels ...string) {
	if g == nil || g.v == nil {
		return
	}
	g.v.forget(func(values []string) bool { return slices.Equal(values[:len(labels)], labels) })
}

// Histogram counts observations between fixed edges.
type Histogram struct{ v *vec }

// Observe counts one observation of x, in the family's unit.
func (h *Histogram) Observe(x float64, labels ...string) { h.ObserveN(x, 1, labels...) }

// ObserveN counts n observations of x; ObserveN(0, 0, …) makes the series
// appear.
func (h *Histogram) ObserveN(x float64, n uint64, labels ...string) {
	if h == nil || h.v == nil {
		return
	}
	h.v.at(labels).observe(h.v.fam, x, n)
}
