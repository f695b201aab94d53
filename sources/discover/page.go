package discover

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"

	"dynascope/sources/catalog"
	"dynascope/sources/text"
)

// The roles that Go code has to know; the others come from the tables.
const (
	roleFrontend   = "frontend"
	roleWorker     = "worker"
	rolePrometheus = "prometheus"
)

// The catalogue's keys that tell a page, in order of precedence: the same as
// the feed's, so that both call a target the same.
var identityKeys = []struct{ key, role, engine string }{
	{"frontend.disconnects", roleFrontend, ""},
	{"worker.identity", roleWorker, ""},
	{"engine.is_sglang", roleWorker, "sglang"},
	{"engine.is_vllm", roleWorker, "vllm"},
	{"engine.is_trtllm", roleWorker, "trtllm"},
	{"gpu.util", "gpu", ""},
}

// Where no key tells, the producers of the families do, in this order: what a
// planner exports besides its own families is what every Dynamo component
// exports.
var producerRoles = []struct{ producer, role, engine string }{
	{"frontend", roleFrontend, ""},
	{"planner", "planner", ""},
	{"kvbm", "kvbm", ""},
	{"sglang", roleWorker, "sglang"},
	{"vllm", roleWorker, "vllm"},
	{"trtllm", roleWorker, "trtllm"},
	{"router", "router", ""},
	{"worker", roleWorker, ""},
	{"dcgm", "gpu", ""},
}

// identity is what a page tells of its process.
type identity struct {
	role, engine string
	workerID     string // hexadecimal
	series       int    // lines read
}

// spelling is a catalogue variant as classification needs it.
type spelling struct {
	key, producer string
	workerLabel   string // the variant's own name for worker_hex, or empty
	matchers      []*labels.Matcher
}

// classifier tells pages apart by the families on them. It is immutable.
type classifier struct {
	byName   map[string][]spelling
	families []family
}

func newClassifier(cat *catalog.Catalog, families []family) *classifier {
	c := &classifier{byName: map[string][]spelling{}, families: families}
	selectors := parser.NewParser(parser.Options{})
	for _, m := range cat.Metrics() {
		for _, v := range m.Variants {
			sp := spelling{key: m.Key, producer: v.Producer, workerLabel: v.Labels["worker_hex"]}
			if v.Selector != "" {
				var err error
				if sp.matchers, err = selectors.ParseMetricSelector(v.Selector); err != nil {
					// Such as {a!="b"} alone, which PromQL refuses: with a name it passes.
					if sp.matchers, err = selectors.ParseMetricSelector(v.Name + v.Selector); err != nil {
						continue
					}
				}
			}
			names := []string{v.Name}
			if m.Kind == catalog.Histogram {
				names = []string{v.Name + "_bucket", v.Name + "_count", v.Name + "_sum"}
			}
			for _, n := range names {
				c.byName[n] = append(c.byName[n], sp)
			}
		}
	}
	return c
}

// page identifies a page in the text format. A page that breaks off or turns
// to nonsense is told by what stood before.
func (c *classifier) page(body []byte) identity {
	var id identity
	keys, producers := map[string]bool{}, map[string]bool{}
	var other *family
	names := map[string]bool{} // of families.csv, already looked up
	p := textparse.NewPromParser(body, labels.NewSymbolTable(), false)
	var ls labels.Labels
	for {
		entry, err := p.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && id.series == 0 {
				return id
			}
			break
		}
		if entry != textparse.EntrySeries {
			continue
		}
		id.series++
		series, _, _ := p.Series()
		name, _, _ := strings.Cut(string(series), "{")
		spellings := c.byName[name]
		if len(spellings) == 0 {
			if !names[name] {
				names[name] = true
				other = c.better(other, name)
			}
			continue
		}
		parsed := false
		for _, sp := range spellings {
			if keys[sp.key] && producers[sp.producer] && (sp.workerLabel == "" || id.workerID != "") {
				continue
			}
			if !parsed && (len(sp.matchers) > 0 || sp.workerLabel != "") {
				p.Labels(&ls)
				parsed = true
			}
			if !matches(sp.matchers, ls) {
				continue
			}
			keys[sp.key], producers[sp.producer] = true, true
			if sp.key == "worker.identity" && id.workerID == "" {
				id.workerID = hexID(ls.Get(sp.workerLabel))
			}
		}
	}
	c.settle(&id, keys, producers, other)
	return id
}

func (c *classifier) settle(id *identity, keys, producers map[string]bool, other *family) {
	for _, k := range identityKeys {
		if !keys[k.key] || id.role != "" && k.role != id.role {
			continue
		}
		id.role = k.role
		if id.engine == "" {
			id.engine = k.engine
		}
	}
	switch {
	case id.role != "":
	case other != nil:
		id.role, id.engine = other.role, other.engine
	default:
		for _, p := range producerRoles {
			if producers[p.producer] {
				id.role, id.engine = p.role, p.engine
				break
			}
		}
	}
	if id.role != roleWorker {
		id.workerID = ""
	}
}

// better keeps the row of families.csv that stands first in the file.
func (c *classifier) better(have *family, name string) *family {
	for i := range c.families {
		f := &c.families[i]
		if f == have {
			return have
		}
		stem, open := strings.CutSuffix(f.name, "*")
		if name == f.name || open && strings.HasPrefix(name, stem) {
			return f
		}
	}
	return have
}

func matches(ms []*labels.Matcher, ls labels.Labels) bool {
	return !slices.ContainsFunc(ms, func(m *labels.Matcher) bool {
		return m.Name != labels.MetricName && !m.Matches(ls.Get(m.Name))
	})
}

// hexID keeps an id that is what it should be.
func hexID(s string) string {
	s = text.Clean(s, 17)
	if len(s) == 0 || len(s) > 16 || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}
