package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

const (
	metricsHead  = "key,title,unit,kind,better,combine,help\n"
	variantsHead = "key,producer,name,labels,factor,since,until,note\n"
	derivedHead  = "key,promql\n"

	okMetrics  = metricsHead + "a.x,x,requests,counter,,,help\na.r,r,ratio,derived,,,help\n"
	okVariants = variantsHead + "a.x,worker,x_total,model,,,,\n"
	okDerived  = derivedHead + "a.r,{a.x:rate} / 2\n"
)

func load(metrics, variants, derived string) (*Catalog, error) {
	return Load(strings.NewReader(metrics), strings.NewReader(variants), strings.NewReader(derived))
}

// TestLoadRefuses: each inconsistency is named with its table and line.
func TestLoadRefuses(t *testing.T) {
	if _, err := load(okMetrics, okVariants, okDerived); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, metrics, variants, derived, want string }{
		{"empty table", "", okVariants, okDerived, "metrics.csv:1: the table is empty"},
		{"columns", "key,title,unit,kind,better,combine,text\n", okVariants, okDerived, "metrics.csv:1: the columns are"},
		{"missing cell", okMetrics + "a.y,y\n", okVariants, okDerived, "metrics.csv: record on line 4: wrong number of fields"},
		{"bare quote", okMetrics, okVariants + "a.x,worker,y_total\",,,,,\n", okDerived, "variants.csv: parse error on line 3"},
		{"blanks", okMetrics + "a.y, y,requests,counter,,,help\n", okVariants, okDerived, "metrics.csv:4: title has blanks"},
		{"key", okMetrics + "Ay,y,requests,counter,,,help\n", okVariants, okDerived, "metrics.csv:4: key"},
		{"no help", okMetrics + "a.y,y,requests,counter,,,\n", okVariants, okDerived, "metrics.csv:4: a.y needs a title"},
		{"kind", okMetrics + "a.y,y,requests,summary,,,help\n", okVariants, okDerived, `metrics.csv:4: a.y has kind "summary"`},
		{"better", okMetrics + "a.y,y,requests,counter,up,,help\n", okVariants, okDerived, `metrics.csv:4: a.y has better "up"`},
		{"gauge without combine", okMetrics + "a.y,y,requests,gauge,,,help\n", okVariants, okDerived, "metrics.csv:4: a.y is a gauge"},
		{"counter with combine", okMetrics + "a.y,y,requests,counter,,sum,help\n", okVariants, okDerived, "metrics.csv:4: a.y is a counter"},
		{"combine", okMetrics + "a.y,y,requests,gauge,,last,help\n", okVariants, okDerived, `metrics.csv:4: a.y has combine "last"`},
		{"summed ratio", okMetrics + "a.y,y,ratio,gauge,,sum,help\n", okVariants, okDerived, "metrics.csv:4: a.y is a ratio"},
		{"key twice", okMetrics + "a.x,x,requests,counter,,,help\n", okVariants, okDerived, "metrics.csv:4: a.x is already defined in line 2"},
		{"no spelling", okMetrics + "a.y,y,requests,counter,,,help\n", okVariants, okDerived, "metrics.csv:4: a.y has no spelling"},
		{"unknown key", okMetrics, okVariants + "a.z,worker,z,,,,,\n", okDerived, `variants.csv:3: metrics.csv has no key "a.z"`},
		{"spelling twice", okMetrics, okVariants + "a.x,worker,x_total,,,,,\n", okDerived, "variants.csv:3: the same spelling"},
		{"spelling of a derived metric", okMetrics, okVariants + "a.r,worker,y,,,,,\n", okDerived, "variants.csv:3: a.r is derived"},
		{"producer", okMetrics, okVariants + "a.x,nobody,y,,,,,\n", okDerived, `variants.csv:3: producer "nobody"`},
		{"no name", okMetrics, okVariants + "a.x,worker,,,,,,\n", okDerived, "variants.csv:3: name"},
		{"expression as name", okMetrics, okVariants + "a.x,worker,rate(y[5m]),,,,,\n", okDerived, "variants.csv:3: name"},
		{"offset in name", okMetrics, okVariants + "a.x,worker,y offset 5m,,,,,\n", okDerived, "variants.csv:3: name"},
		{"only matchers", okMetrics, okVariants + `a.x,worker,"{a=""b""}",,,,,` + "\n", okDerived, "variants.csv:3: name"},
		{"broken selector", okMetrics, okVariants + `a.x,worker,"y{a=}",,,,,` + "\n", okDerived, "variants.csv:3: name"},
		{"label", okMetrics, okVariants + "a.x,worker,y,mod-el,,,,\n", okDerived, `variants.csv:3: label "mod-el"`},
		{"label without own name", okMetrics, okVariants + "a.x,worker,y,model=,,,,\n", okDerived, "variants.csv:3: label"},
		{"label twice", okMetrics, okVariants + "a.x,worker,y,model model=m,,,,\n", okDerived, `variants.csv:3: label "model" is given twice`},
		{"own label twice", okMetrics, okVariants + "a.x,worker,y,model=m namespace=m,,,,\n", okDerived, `variants.csv:3: label "m" is both model and namespace`},
		{"implied label", okMetrics, okVariants + "a.x,worker,y,instance=i,,,,\n", okDerived, "is implied"},
		{"labels in a circle", okMetrics, okVariants + "a.x,worker,y,a=b b=a,,,,\n", okDerived, "variants.csv:3: its labels swap"},
		{"factor", okMetrics, okVariants + "a.x,worker,y,,0,,,\n", okDerived, `variants.csv:3: factor "0"`},
		{"infinite factor", okMetrics, okVariants + "a.x,worker,y,,Inf,,,\n", okDerived, "variants.csv:3: factor"},
		{"GPU and instance", okMetrics, okVariants + "a.x,dcgm,y,uuid=UUID,,,,\n", okDerived, "variants.csv:3: a.x is told apart by instance"},
		{"no expression", okMetrics, okVariants, derivedHead, "metrics.csv:3: a.r is derived, and"},
		{"empty expression", okMetrics, okVariants, derivedHead + "a.r,\n", "derived.csv:2: a.r has no expression"},
		{"expression of a counter", okMetrics, okVariants, okDerived + "a.x,{a.x:rate}\n", "derived.csv:3: a.x is a counter"},
		{"expression of nobody", okMetrics, okVariants, okDerived + "a.z,{a.x:rate}\n", `derived.csv:3: metrics.csv has no key "a.z"`},
		{"expression twice", okMetrics, okVariants, okDerived + "a.r,{a.x:rate}\n", "derived.csv:3: a.r is already given in line 2"},
		{"unknown placeholder", okMetrics, okVariants, derivedHead + "a.r,{a.y:rate}\n", `derived.csv:2: a.r asks for the unknown key "a.y"`},
		{"form of placeholder", okMetrics, okVariants, derivedHead + "a.r,{a.x:mean}\n", `derived.csv:2: a.r asks for a.x as "mean"`},
		{"no PromQL", okMetrics, okVariants, derivedHead + "a.r,{a.x:rate} /\n", "derived.csv:2: a.r is no PromQL"},
		{"a series by name", okMetrics, okVariants, derivedHead + "a.r,{a.x:rate} / up\n", "derived.csv:2: a.r names the series up"},
		{"derived from nothing", okMetrics, okVariants, derivedHead + "a.r,vector(1)\n", "derived.csv:2: a.r is derived from nothing"},
		{"derived from itself", okMetrics, okVariants, derivedHead + "a.r,{a.r:expr} / 2\n", "derived.csv:2: a.r is derived from itself: a.r → a.r"},
	} {
		_, err := load(c.metrics, c.variants, c.derived)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant an error with %s", c.name, err, c.want)
		}
	}
	// All problems come at once.
	_, err := load(okMetrics+"a.y,y,requests,counter,,,help\n", okVariants+"a.z,worker,z,,,,,\n", okDerived)
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two problems gave %v", err)
	}
}

func TestLoadReads(t *testing.T) {
	c, err := load(
		metricsHead+"a.x,x of a,seconds,histogram,lower,,\"help, with a comma\"\n",
		variantsHead+`a.x,vllm,"vllm:x{a=""1"",b=~""2|""}",model=model_name dp_rank=engine? phase,0.001,1.0,1.2,unseen: start it`+"\n",
		derivedHead)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := c.Metric("a.x")
	if !ok || m.Title != "x of a" || m.Unit != "seconds" || m.Kind != Histogram || m.Better != "lower" || m.Help != "help, with a comma" || len(m.Variants) != 1 {
		t.Fatalf("%+v", m)
	}
	v := m.Variants[0]
	if v.Producer != "vllm" || v.Name != "vllm:x" || v.Selector != `{a="1",b=~"2|"}` || v.Factor != 0.001 || v.Since != "1.0" || v.Until != "1.2" || v.Note != "start it" || !v.Unseen {
		t.Errorf("%+v", v)
	}
	if v.Labels["model"] != "model_name" || v.Labels["dp_rank"] != "engine" || v.Labels["phase"] != "phase" || !v.Optional["dp_rank"] || v.Optional["model"] {
		t.Errorf("labels %v, optional %v", v.Labels, v.Optional)
	}
	if got := c.Keep(); !slices.Equal(got, []string{"vllm:x_bucket", "vllm:x_count", "vllm:x_sum"}) {
		t.Errorf("keep %v", got)
	}
	if got := c.Labels(); !slices.Equal(got, []string{"dp_rank", "instance", "model", "phase"}) {
		t.Errorf("labels %v", got)
	}
}

// FuzzLoad: whatever the tables hold, loading gives an error or a catalogue
// whose every question parses.
func FuzzLoad(f *testing.F) {
	f.Add(okMetrics, okVariants, okDerived)
	f.Add(metricsHead+"a.x,x,seconds,histogram,,,h\n", variantsHead+`a.x,vllm,"vllm:x{a=""\\1""}",model=model_name? b=c c=d tp_rank,0.001,,,unseen:`+"\n", derivedHead)
	f.Add(metricsHead+"a.x,x,watts,gauge,,max,h\n", variantsHead+"a.x,dcgm,X,uuid=UUID host=Hostname,,,,\na.x,dcgm,Y,uuid=UUID,2,,,\n", derivedHead)
	f.Fuzz(func(t *testing.T, metrics, variants, derived string) {
		c, err := load(metrics, variants, derived)
		if err != nil {
			return
		}
		for _, m := range c.Metrics() {
			for _, form := range m.Forms() {
				for _, by := range []string{"", strings.Join(c.Labels(), ",")} {
					q, err := c.Query(sources.Need{Key: m.Key, Form: form, By: by}, time.Minute, Scope{Instances: []string{"a", "b"}})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := promQL.ParseExpr(q.Expr); err != nil {
						t.Fatalf("%v\n%s", err, q.Expr)
					}
				}
			}
		}
	})
}
