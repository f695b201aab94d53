package doctor

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/text"
)

// Page is what stands on a metrics page, as far as the catalogue and the table
// of strangers know it.
type Page struct {
	// Whole: everything on it was read; else only a few families of it are
	// known, from a server that scrapes it.
	Whole    bool
	Series   int // lines
	Families int // known to the catalogue
	Unknown  int // families not known
	Seen     map[Spelling]*Seen
	WorkerID string // hexadecimal, of a Dynamo worker's own page
	// Others are unknown families, at most maxOthers of them.
	Others []string
}

// Spelling is one row of the catalogue's variants.
type Spelling struct{ Key, Producer, Name, Selector string }

// Seen is one spelling on a page.
type Seen struct {
	Series int
	// Named: only its presence is known, not its labels.
	Named bool
	// Always are the label names that every one of its series carries, Ever
	// those that any of them carries.
	Always, Ever map[string]bool
	// Edges are the finite upper bounds of a histogram's buckets, ascending.
	Edges []float64
}

const (
	maxOthers = 2000
	maxEdges  = 1024
)

// use is a spelling with what it takes to recognise its lines.
type use struct {
	Spelling
	variant  catalog.Variant
	matchers []*labels.Matcher
}

// Index finds the spellings of a series name. It is immutable.
type Index struct {
	byName  map[string][]*use
	byFirst map[Spelling]*use
	inOrder []*use
}

// NewIndex reads the catalogue.
func NewIndex(cat *catalog.Catalog) *Index {
	x := &Index{byName: map[string][]*use{}, byFirst: map[Spelling]*use{}}
	selectors := parser.NewParser(parser.Options{})
	for _, m := range cat.Metrics() {
		for _, v := range m.Variants {
			u := &use{Spelling: Spelling{m.Key, v.Producer, v.Name, v.Selector}, variant: v}
			if v.Selector != "" {
				ms, err := selectors.ParseMetricSelector(v.Name + v.Selector)
				if err != nil {
					continue // the catalogue's own tests hold that it parses
				}
				u.matchers = ms
			}
			x.byFirst[u.Spelling] = u
			x.inOrder = append(x.inOrder, u)
			names := []string{v.Name}
			if m.Kind == catalog.Histogram {
				names = []string{v.Name + "_bucket", v.Name + "_count", v.Name + "_sum"}
			}
			for _, n := range names {
				x.byName[n] = append(x.byName[n], u)
			}
		}
	}
	return x
}

// Read reads a page in the text format. A page that breaks off or turns to
// nonsense is an error, with what stood before.
func (x *Index) Read(body []byte) (*Page, error) {
	p := &Page{Whole: true, Seen: map[Spelling]*Seen{}}
	lines := textparse.NewPromParser(body, labels.NewSymbolTable(), false)
	unknown := map[string]bool{}
	known := map[string]bool{}
	var ls labels.Labels
	for {
		entry, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return p, fmt.Errorf("read the page: %w", err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		p.Series++
		series, _, _ := lines.Series()
		name, _, _ := strings.Cut(string(series), "{")
		uses := x.byName[name]
		if len(uses) == 0 {
			if family := bare(name); !unknown[family] && len(unknown) < maxOthers {
				unknown[family] = true
				p.Others = append(p.Others, family)
			}
			continue
		}
		lines.Labels(&ls)
		for _, u := range uses {
			known[u.Name] = true
			if matched(u.matchers, ls) {
				p.note(u, name, ls)
			}
		}
	}
	p.Families, p.Unknown = len(known), len(unknown)
	p.settle()
	return p, nil
}

// Sample is one question to a server, whose answer tells labels or presence.
type Sample struct {
	Expr  string
	whole string // name of the family asked for with all its labels; else presence alone
}

// familyLabel holds the name of a family in the answer about presence.
const familyLabel = "family"

// Samples are the questions that tell labels and releases of what a server
// scrapes.
func (x *Index) Samples() (out []Sample) {
	asked := map[string]bool{}
	for _, key := range sampled {
		for _, u := range x.inOrder {
			if u.Key == key && !asked[u.Name] {
				asked[u.Name] = true
				out = append(out, Sample{Expr: u.Name, whole: u.Name})
			}
		}
	}
	var names []string
	for _, u := range x.inOrder {
		if (u.variant.Since != "" || u.variant.Until != "") && u.Selector == "" && !asked[u.Name] {
			asked[u.Name] = true
			names = append(names, u.Name, u.Name+"_count")
		}
	}
	if len(names) > 0 {
		// Metric names hold nothing that a regular expression reads.
		out = append(out, Sample{Expr: `count by (` + familyLabel + `, instance) (label_replace({__name__=~"` + strings.Join(names, "|") + `"}, "` + familyLabel + `", "$1", "__name__", "(.+)"))`})
	}
	return out
}

// sampled are the keys whose labels are looked at: they tell whose a page is.
var sampled = []string{keyFrontend, keyWorker, "requests.done", "router.requests", keySGLang, keyVLLM, keyTRTLLM}

// Sampled adds a server's answer to the pages that the series came from, by
// instance. Labels that the server puts on a target are not the page's.
func (x *Index) Sampled(pages map[string]*Page, q Sample, series []sources.Series) {
	for _, s := range series {
		in := s.Labels["instance"]
		if in == "" {
			continue
		}
		p := pages[in]
		if p == nil {
			p = &Page{Seen: map[Spelling]*Seen{}}
			pages[in] = p
		}
		if q.whole == "" {
			for _, u := range x.byName[s.Labels[familyLabel]] {
				if u.Selector == "" && p.Seen[u.Spelling] == nil {
					p.Seen[u.Spelling] = &Seen{Series: 1, Named: true}
				}
			}
			continue
		}
		p.Series++
		ls := labels.FromMap(s.Labels.Without("instance", "job"))
		for _, u := range x.byName[q.whole] {
			if matched(u.matchers, ls) {
				p.note(u, q.whole, ls)
			}
		}
	}
}

// The catalogue's keys that tell whose a page is.
const (
	keyFrontend = "frontend.disconnects"
	keyWorker   = "worker.identity"
	keySGLang   = "engine.is_sglang"
	keyVLLM     = "engine.is_vllm"
	keyTRTLLM   = "engine.is_trtllm"
	keyGPU      = "gpu.util"
)

// Role is what the page is of, as the feed calls it; empty when no family
// tells.
func (p *Page) Role() string {
	has := func(keys ...string) bool {
		for s := range p.Seen {
			if slices.Contains(keys, s.Key) {
				return true
			}
		}
		return false
	}
	switch {
	case has(keyFrontend):
		return "frontend"
	case has(keyWorker, keySGLang, keyVLLM, keyTRTLLM):
		return "worker"
	case has(keyGPU):
		return "gpu"
	}
	return ""
}

func (p *Page) note(u *use, name string, ls labels.Labels) {
	s := p.Seen[u.Spelling]
	first := s == nil
	if first {
		s = &Seen{Always: map[string]bool{}, Ever: map[string]bool{}}
		p.Seen[u.Spelling] = s
	}
	s.Series++
	if own := u.variant.Labels["worker_hex"]; u.Key == keyWorker && own != "" && p.WorkerID == "" {
		p.WorkerID = text.Clean(ls.Get(own), 16)
	}
	ls.Range(func(l labels.Label) {
		if l.Name == labels.MetricName || l.Name == labels.BucketLabel || l.Value == "" {
			return
		}
		s.Ever[l.Name] = true
		if first {
			s.Always[l.Name] = true
		}
	})
	for n := range s.Always {
		if ls.Get(n) == "" {
			delete(s.Always, n)
		}
	}
	if strings.HasSuffix(name, "_bucket") && len(s.Edges) < maxEdges {
		le, err := strconv.ParseFloat(ls.Get(labels.BucketLabel), 64)
		if err == nil && !math.IsInf(le, 0) && !math.IsNaN(le) && !slices.Contains(s.Edges, le) {
			s.Edges = append(s.Edges, le)
		}
	}
}

func (p *Page) settle() {
	for _, s := range p.Seen {
		slices.Sort(s.Edges)
	}
}

// edges are the bucket edges of a key on the page, of the first spelling that
// is there.
func (p *Page) edges(m catalog.Metric) ([]float64, catalog.Variant) {
	for _, v := range m.Variants {
		if s := p.Seen[Spelling{m.Key, v.Producer, v.Name, v.Selector}]; s != nil && len(s.Edges) > 2 {
			return s.Edges, v
		}
	}
	return nil, catalog.Variant{}
}

// spellings are what the page has, in a stable order.
func (p *Page) spellings() []Spelling {
	out := make([]Spelling, 0, len(p.Seen))
	for s := range p.Seen {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Spelling) int {
		return strings.Compare(a.Name+a.Selector+a.Key+a.Producer, b.Name+b.Selector+b.Key+b.Producer)
	})
	return out
}

// bare is a series name without what a histogram's or summary's lines add.
func bare(name string) string {
	for _, end := range []string{"_bucket", "_count", "_sum"} {
		if s, ok := strings.CutSuffix(name, end); ok {
			return s
		}
	}
	return name
}

func matched(ms []*labels.Matcher, ls labels.Labels) bool {
	return !slices.ContainsFunc(ms, func(m *labels.Matcher) bool {
		return m.Name != labels.MetricName && !m.Matches(ls.Get(m.Name))
	})
}
