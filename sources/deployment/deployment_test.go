package deployment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/embedded"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// page is one target: a recorded page with some of its words replaced.
type page struct {
	instance, file string
	replace        []string
	place          string // namespace that the scraper puts on
	text           string // instead of a file
	dies           bool   // half-way
}

// seconds is how long each is scraped.
const seconds = 4

// fill scrapes pages once a second.
func fill(t *testing.T, pages []page) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(context.Background(), embedded.Options{KeepNames: catalog.Default().Keep()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var pushed []*embedded.Pushed
	for i, p := range pages {
		if p.text == "" {
			text, err := os.ReadFile(filepath.Join("..", "testdata", "pages", p.file+".metrics.txt"))
			if err != nil {
				t.Fatal(err)
			}
			pages[i].text = strings.NewReplacer(p.replace...).Replace(string(text))
		}
		spec := embedded.TargetSpec{URL: "http://" + p.instance + "/metrics"}
		if p.place != "" {
			spec.Labels = map[string]string{"namespace": p.place}
		}
		in, err := s.Push(spec)
		if err != nil {
			t.Fatal(err)
		}
		pushed = append(pushed, in)
	}
	for sec := range seconds + 1 {
		for i, p := range pages {
			at := start.Add(time.Duration(sec) * time.Second)
			if p.dies && sec > seconds/2 {
				err = pushed[i].Fail(at, errors.New("gone"))
			} else {
				err = pushed[i].Page(at, []byte(p.text), time.Millisecond)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// agg is a recorded deployment: a frontend with a KV router and two workers.
func agg(host string, place string, replace ...string) []page {
	var out []page
	for i, name := range []string{"frontend", "worker0", "worker1"} {
		out = append(out, page{instance: fmt.Sprintf("%s:%d", host, 8000+i), file: "1.6.1/agg/after/" + name, replace: replace, place: place})
	}
	return out
}

// otherIDs are worker ids of a second deployment: the same in both spellings.
var otherIDs = []string{
	"aea43abe0a923f30", "00000000000000a1", "12584247846675562288", "161",
	"13c396659ae5721a", "00000000000000a2", "1424147270313800218", "162",
}

// noRouter takes the router's words off a page.
func noRouter(p []page) []page {
	for i := range p {
		p[i].replace = append([]string{"dynamo_component_router_worker_registered{", "gone{"}, p[i].replace...)
	}
	return p
}

const exporter = `DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-1",Hostname="n"} 5` + "\n"

func find(t *testing.T, pages []page) []Deployment {
	t.Helper()
	s := fill(t, pages)
	got, err := Find(context.Background(), s, catalog.Default(), s.Targets(), start.Add(seconds*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFind(t *testing.T) {
	join := func(parts ...[]page) []page { return slices.Concat(parts...) }
	exp := []page{{instance: "a:9400", text: exporter}}
	for _, c := range []struct {
		name  string
		pages []page
		want  []string // name: instances
	}{
		{"one", agg("a", ""), []string{"dynamo/tiny: all"}},
		{"none", exp, nil},
		{"two models", join(agg("a", ""), agg("b", "", append(otherIDs, `"tiny"`, `"Qwen/Big"`)...)),
			[]string{"dynamo/Qwen/Big: b:8000 b:8001 b:8002", "dynamo/tiny: a:8000 a:8001 a:8002"}},
		{"two Dynamo namespaces, one model", join(agg("a", ""), agg("b", "", append(otherIDs, `namespace="dynamo"`, `namespace="other"`)...)),
			[]string{"dynamo/tiny: a:8000 a:8001 a:8002", "other/tiny: b:8000 b:8001 b:8002"}},
		{"nothing differs but the ids", join(agg("a", ""), agg("b", "", otherIDs...)),
			[]string{"dynamo/tiny a:8000: a:8000 a:8001 a:8002", "dynamo/tiny b:8000: b:8000 b:8001 b:8002"}},
		{"two cluster namespaces, no router", join(noRouter(agg("a", "prod")), noRouter(agg("b", "dev", otherIDs...))),
			[]string{"dev/tiny: b:8000 b:8001 b:8002", "prod/tiny: a:8000 a:8001 a:8002"}},
		{"two models, no router", join(noRouter(agg("a", "")), noRouter(agg("b", "", append(otherIDs, `"tiny"`, `"big"`)...))),
			[]string{"dynamo/big: b:8000 b:8001 b:8002", "dynamo/tiny: a:8000 a:8001 a:8002"}},
		{"engines alone", join(agg("a", "")[1:], agg("b", "", append(otherIDs, `"tiny"`, `"big"`)...)[1:]),
			[]string{"dynamo/big: b:8001 b:8002", "dynamo/tiny: a:8001 a:8002"}},
		{"an exporter on one's host", join(agg("a", ""), agg("b", "", append(otherIDs, `"tiny"`, `"big"`)...), exp),
			[]string{"dynamo/big: b:8000 b:8001 b:8002", "dynamo/tiny: a:8000 a:8001 a:8002 a:9400"}},
		{"an exporter on nobody's host", join(agg("a", ""), agg("b", "", append(otherIDs, `"tiny"`, `"big"`)...), []page{{instance: "c:9400", text: exporter}}),
			[]string{"dynamo/big: b:8000 b:8001 b:8002 c:9400", "dynamo/tiny: a:8000 a:8001 a:8002 c:9400"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range find(t, c.pages) {
				in := "all"
				if d.Scope.Instances != nil {
					in = strings.Join(d.Scope.Instances, " ")
				}
				got = append(got, d.Name+": "+in)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

// TestTwoModelsOfOneFrontend: one frontend in front of two pools is two
// choices, told apart by model.
func TestTwoModelsOfOneFrontend(t *testing.T) {
	pages := agg("a", "")
	pages[2].replace = []string{`"tiny"`, `"Big"`}
	text, err := os.ReadFile(filepath.Join("..", "testdata", "pages", "1.6.1/agg/after/frontend.metrics.txt"))
	if err != nil {
		t.Fatal(err)
	}
	front := string(text)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "dynamo_frontend_") && strings.Contains(line, `model="tiny"`) {
			front += strings.ReplaceAll(line, `"tiny"`, `"big"`)
		}
	}
	pages[0].text = front
	got := find(t, pages)
	if len(got) != 2 || got[0].Name != "dynamo/Big" || got[1].Name != "dynamo/tiny" {
		t.Fatalf("%+v", got)
	}
	if d := got[0]; d.Scope.Match["model"] != "Big" || !slices.Equal(d.Scope.Instances, []string{"a:8000", "a:8002"}) || d.Frontends != 1 || d.Workers != 1 {
		t.Errorf("%+v", d)
	}
	if d := got[0].Detail(); d != "1 frontend · 1 worker · dynamo" {
		t.Errorf("detail %q", d)
	}
}

// TestDeadWorkerStays: a worker that died is still in its deployment.
func TestDeadWorkerStays(t *testing.T) {
	pages := slices.Concat(agg("a", ""), agg("b", "", append(otherIDs, `"tiny"`, `"big"`)...))
	pages[4].dies = true
	got := find(t, pages)
	if len(got) != 2 || !slices.Contains(got[0].Scope.Instances, "b:8001") || slices.Contains(got[1].Scope.Instances, "b:8001") {
		t.Errorf("%+v", got)
	}
}

type failing struct{}

func (failing) Instant(context.Context, string, time.Time) ([]sources.Series, error) {
	return nil, errors.New("no answer")
}

func (failing) Range(context.Context, string, sources.Span) ([]sources.Series, error) {
	return nil, errors.New("no answer")
}

func TestNoAnswer(t *testing.T) {
	if _, err := Find(context.Background(), failing{}, catalog.Default(), nil, start); err == nil || !strings.Contains(err.Error(), "find deployments") {
		t.Errorf("%v", err)
	}
}
