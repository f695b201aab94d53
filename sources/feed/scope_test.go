package feed

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

// pushed is a store fed with pages by hand, a second apart, up to end.
type pushed struct {
	*testing.T
	store *embedded.Store
	end   time.Time
	pages int
}

func openPushed(t *testing.T) *pushed {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &pushed{T: t, store: store, pages: 12, end: time.Now().Truncate(time.Second)}
}

// target is one instance and what its page says in the first and in the
// second half of the time.
type target struct{ instance, before, during string }

// deployment is a recorded one under other names and ids.
func (p *pushed) deployment(host, namespace, model, id string) []target {
	p.Helper()
	rename := func(page string) string {
		// Worker ids keep their length and differ between deployments, in both
		// spellings alike.
		for _, hex := range []string{"13c396659ae5721a", "aea43abe0a923f30", "d7e2f1a628bdc1a4"} {
			dec, err := sources.DecimalID(hex)
			if err != nil {
				p.Fatal(err)
			}
			other := hex[:15] + id
			otherDec, err := sources.DecimalID(other)
			if err != nil {
				p.Fatal(err)
			}
			page = strings.ReplaceAll(strings.ReplaceAll(page, hex, other), dec, otherDec)
		}
		page = strings.ReplaceAll(page, `namespace="dynamo"`, fmt.Sprintf("namespace=%q", namespace))
		page = strings.ReplaceAll(page, `model_name="tiny"`, fmt.Sprintf("model_name=%q", model))
		return strings.ReplaceAll(page, `model="tiny"`, fmt.Sprintf("model=%q", strings.ToLower(model)))
	}
	var out []target
	for i, name := range []string{"frontend", "worker0", "worker1"} {
		out = append(out, target{
			fmt.Sprintf("%s:%d", host, 8000+i),
			rename(recorded(p.T, "1.6.1", "agg", "during", name+".metrics.txt")),
			rename(recorded(p.T, "1.6.1", "agg", "after", name+".metrics.txt")),
		})
	}
	return out
}

func (p *pushed) feed(targets ...target) {
	p.Helper()
	for _, g := range targets {
		to, err := p.store.Push(embedded.TargetSpec{URL: "http://" + g.instance, Interval: time.Second})
		if err != nil {
			p.Fatal(err)
		}
		for i := range p.pages {
			page := g.before
			if i >= p.pages/2 {
				page = g.during
			}
			if err := to.Page(p.end.Add(time.Duration(i-p.pages+1)*time.Second), []byte(page), time.Millisecond); err != nil {
				p.Fatal(err)
			}
		}
	}
}

var (
	scopeTTFT    = sources.Need{Key: "frontend.ttft", Form: sources.FormTotal}
	scopeEngine  = sources.Need{Key: "engine.ttft", Form: sources.FormTotal}
	scopeWorker  = sources.Need{Key: "worker.requests", Form: sources.FormTotal}
	scopeRunning = sources.Need{Key: "engine.running", Form: sources.FormNow, By: "instance"}
	scopeDelay   = sources.Need{Key: "frontend.event_loop_delay", Form: sources.FormTotal}
	scopeCourse  = sources.Need{Key: "frontend.ttft", Form: sources.FormCount}.Over(10*time.Second, time.Second)
	scopeNeeds   = []sources.Need{scopeTTFT, scopeEngine, scopeWorker, scopeRunning, scopeDelay, scopeCourse}
)

func (p *pushed) look(f *Feed, s catalog.Scope) *sources.Snapshot {
	return f.Tick(p.Context(), Ask{Needs: scopeNeeds, At: p.end, Window: 10 * time.Second, Scope: s})
}

// scope is one of a namespace and a model, either empty.
func scope(namespace, model string) catalog.Scope {
	s := catalog.Scope{Match: map[string]string{}}
	if namespace != "" {
		s.Match["namespace"] = namespace
	}
	if model != "" {
		s.Match["model"] = model
	}
	return s
}

func instances(s *sources.Snapshot) (out []string) {
	for _, g := range s.Targets {
		out = append(out, g.Instance)
	}
	return out
}

// Two deployments, each of its own namespace and model, behind one store:
// each scope shows its half of everything, whole.
func TestTwoDeploymentsInOneStore(t *testing.T) {
	p := openPushed(t)
	p.feed(p.deployment("10.0.0.1", "prod-a", "Qwen/One", "1")...)
	p.feed(p.deployment("10.0.0.2", "prod-b", "Llama/Two", "2")...)
	f := New(p.store, catalog.Default())

	all := p.look(f, catalog.Scope{})
	if len(all.Workers) != 4 || len(all.Targets) != 6 || len(all.Models) != 2 {
		t.Fatalf("everything: %d workers, targets %v, models %v", len(all.Workers), instances(all), all.Models)
	}
	for _, d := range []struct {
		Name, namespace string
		Scope           catalog.Scope
	}{
		{"namespace and model", "prod-a", scope("prod-a", "Qwen/One")},
		{"the other", "prod-b", scope("prod-b", "Llama/Two")},
		{"a model alone", "prod-a", scope("", "Qwen/One")},
		{"a namespace alone", "prod-b", scope("prod-b", "")},
		{"instances", "prod-b", catalog.Scope{Instances: []string{"10.0.0.2:8000", "10.0.0.2:8001", "10.0.0.2:8002"}}},
	} {
		s := p.look(f, d.Scope)
		if len(s.Workers) != 2 || len(s.Targets) != 3 || len(s.Models) != 1 {
			t.Errorf("%s: %d workers, targets %v, models %v", d.Name, len(s.Workers), instances(s), s.Models)
		}
		for _, w := range s.Workers {
			if w.Namespace != d.namespace || w.State != sources.WorkerUp {
				t.Errorf("%s: %+v", d.Name, w)
			}
		}
		for _, n := range scopeNeeds {
			fig, whole := s.Figure(n), all.Figure(n)
			if fig.Status != whole.Status || fig.AllModels {
				t.Errorf("%s: %v is %v (everything: %v), all models %v\n%s", d.Name, n, fig.Status, whole.Status, fig.AllModels, fig.Expr)
			}
			v, _ := fig.Value()
			w, ok := whole.Value()
			if n.By == "" && !n.IsRange() && (!ok || v*2 != w) {
				t.Errorf("%s: %v is %v of %v", d.Name, n, v, w)
			}
			if n.IsRange() && len(fig.Series) == 0 {
				t.Errorf("%s: %v has no columns", d.Name, n)
			}
		}
		if n := len(s.Figure(scopeRunning).Series); n != 2 {
			t.Errorf("%s: %d workers run", d.Name, n)
		}
		// The memos of one scope are not those of another.
		cold := p.look(New(p.store, catalog.Default()), d.Scope)
		for _, n := range scopeNeeds {
			if fmt.Sprint(s.Figure(n).Series) != fmt.Sprint(cold.Figure(n).Series) {
				t.Errorf("%s: %v with memos %v, without %v", d.Name, n, s.Figure(n).Series, cold.Figure(n).Series)
			}
		}
	}
}

// One frontend in front of two namespaces: what it cannot tell apart is shown
// whole and marked, what it can is split, and the workers are those of the
// scope.
func TestTwoModelsBehindOneFrontend(t *testing.T) {
	p := openPushed(t)
	a := p.deployment("10.0.0.1", "prod-a", "one", "1")
	b := p.deployment("10.0.0.2", "prod-b", "two", "2")
	shared := target{"10.0.0.1:8000", merged(a[0].before, b[0].before), merged(a[0].during, b[0].during)}
	p.feed(append([]target{shared}, append(a[1:], b[1:]...)...)...)
	f := New(p.store, catalog.Default())
	all := p.look(f, catalog.Scope{})
	for _, scope := range []catalog.Scope{scope("prod-a", "one"), scope("", "one"), scope("prod-a", "")} {
		s := p.look(f, scope)
		if got := instances(s); !slices.Equal(got, []string{"10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.1:8002"}) || len(s.Workers) != 2 {
			t.Errorf("%v: targets %v, %d workers", scope, got, len(s.Workers))
		}
		_, byModel := scope.Match["model"]
		for _, n := range scopeNeeds {
			if fig := s.Figure(n); fig.Status != all.Figure(n).Status || !n.IsRange() && !fig.HasValue() {
				t.Errorf("%v: %v is %v, of everything %v", scope, n, fig.Status, all.Figure(n).Status)
			}
		}
		one, _ := s.Figure(scopeTTFT).Value()
		two, _ := all.Figure(scopeTTFT).Value()
		if byModel && (one*2 != two || s.Figure(scopeTTFT).AllModels) {
			t.Errorf("%v: TTFT counts %v of %v", scope, one, two)
		}
		if byModel != s.Figure(scopeDelay).AllModels || s.Figure(scopeWorker).AllModels {
			t.Errorf("%v: all models: the frontend's event loop %v, the workers' requests %v", scope, s.Figure(scopeDelay).AllModels, s.Figure(scopeWorker).AllModels)
		}
	}
}

// merged are the pages of two frontends in one, each line once.
func merged(a, b string) string {
	var out strings.Builder
	seen := map[string]bool{}
	for _, page := range []string{a, b} {
		for line := range strings.Lines(page) {
			name, _, _ := strings.Cut(line, " ")
			if i := strings.LastIndex(line, "}"); i > 0 {
				name = line[:i]
			}
			if strings.HasPrefix(line, "#") || seen[name] {
				continue
			}
			seen[name] = true
			out.WriteString(line)
		}
	}
	return out.String()
}

func TestAScopeOfOneModelOverNamespaces(t *testing.T) {
	p := openPushed(t)
	p.feed(p.deployment("10.0.0.1", "blue", "one", "1")...)
	p.feed(p.deployment("10.0.0.2", "green", "one", "2")...)
	f := New(p.store, catalog.Default())
	if s := p.look(f, scope("", "one")); len(s.Workers) != 4 {
		t.Errorf("one model over two namespaces has %d workers", len(s.Workers))
	}
	// Instances of their own, as a label set finds them.
	s := p.look(f, catalog.Scope{Instances: []string{"10.0.0.2:8000", "10.0.0.2:8001"}})
	if len(s.Workers) != 1 || len(s.Targets) != 2 {
		t.Errorf("by instances: %d workers, targets %v", len(s.Workers), instances(s))
	}
}
