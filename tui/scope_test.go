package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
	"dynascope/sources/feed"
	"dynascope/themes"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
)

// fed is a store with two recorded deployments under names of their own, a
// page a second up to end.
func fed(t *testing.T, end time.Time) *embedded.Store {
	t.Helper()
	store, err := embedded.Open(t.Context(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	for host, as := range map[string][2]string{"10.0.0.1": {"prod-a", "qwen"}, "10.0.0.2": {"prod-b", "llama"}} {
		for i, page := range []string{"frontend", "worker0", "worker1"} {
			to, err := store.Push(embedded.TargetSpec{URL: fmt.Sprintf("http://%s:%d", host, 8000+i), Interval: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for n := range 10 {
				phase := "during"
				if n >= 5 {
					phase = "after"
				}
				raw, err := os.ReadFile(filepath.Join("..", "sources", "testdata", "pages", "1.6.1", "agg", phase, page+".metrics.txt"))
				if err != nil {
					t.Fatal(err)
				}
				body := strings.NewReplacer(
					`namespace="dynamo"`, fmt.Sprintf("namespace=%q", as[0]),
					`model="tiny"`, fmt.Sprintf("model=%q", as[1]), `model_name="tiny"`, fmt.Sprintf("model_name=%q", as[1]),
				).Replace(string(raw))
				if host == "10.0.0.2" { // its workers are others
					for hex, other := range map[string]string{"13c396659ae5721a": "23c396659ae5721a", "aea43abe0a923f30": "bea43abe0a923f30"} {
						dec, _ := sources.DecimalID(hex)
						otherDec, _ := sources.DecimalID(other)
						body = strings.ReplaceAll(strings.ReplaceAll(body, hex, other), dec, otherDec)
					}
				}
				if err := to.Page(end.Add(time.Duration(n-9)*time.Second), []byte(body), time.Millisecond); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return store
}

// Two models in two namespaces behind one store: no pane shows less of a
// figure under any scope than it does of everything.
func TestNoPaneGoesEmptyUnderAScope(t *testing.T) {
	end := time.Now().Truncate(time.Second)
	f := feed.New(fed(t, end), catalog.Default())
	theme, err := themes.Get("mono")
	if err != nil {
		t.Fatal(err)
	}
	look := func(p pane.Pane, scope catalog.Scope) (*sources.Snapshot, string) {
		fr := pane.Frame{W: 138, H: 38, SLA: pane.SLA{TTFT: 5e8, ITL: 25e6}, Window: time.Minute, Source: pane.FromFrontend, Styles: themes.NewStyles(theme.Plain(), false)}
		for range 2 { // what a pane needs can follow from the first answer
			fr.Snap = f.Tick(t.Context(), feed.Ask{Needs: p.Needs(fr), At: end, Window: fr.Window, Scope: scope})
		}
		return fr.Snap, stripped(p.View(fr))
	}
	scopes := map[string]catalog.Scope{
		"namespace and model": {Match: map[string]string{"namespace": "prod-a", "model": "qwen"}},
		"model":               {Match: map[string]string{"model": "llama"}},
		"instances":           {Instances: []string{"10.0.0.2:8000", "10.0.0.2:8001", "10.0.0.2:8002"}},
	}
	if testing.Short() {
		delete(scopes, "model")
		delete(scopes, "instances")
	}
	for i, p := range panes.All() {
		all, whole := look(p, catalog.Scope{})
		if len(all.Workers) != 4 {
			t.Fatalf("%s: %d workers in all", p.ID(), len(all.Workers))
		}
		for name, scope := range scopes {
			s, view := look(panes.All()[i], scope)
			if len(s.Workers) != 2 {
				t.Errorf("%s by %s: %d workers", p.ID(), name, len(s.Workers))
			}
			for _, fig := range s.Figures() {
				was := all.Figure(fig.Need)
				if fig.Status != was.Status {
					t.Errorf("%s by %s: %v is %v, of everything %v\n%s", p.ID(), name, fig.Need, fig.Status, was.Status, fig.Expr)
				}
				if fig.Need.Form == sources.FormCount && fig.Need.By == "" && !fig.Need.IsRange() {
					one, _ := fig.Value()
					two, _ := was.Value()
					if one*2 != two {
						t.Errorf("%s by %s: %v counts %v of %v", p.ID(), name, fig.Need, one, two)
					}
				}
			}
			if strings.TrimSpace(view) == "" || view == whole {
				t.Errorf("%s by %s: the view is empty or that of everything:\n%s", p.ID(), name, view)
			}
		}
	}
}
