package page

import (
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// shape is what a family looks like, over all its series.
type shape struct {
	typ    string
	labels map[string]bool // sets of names
	edges  map[string]bool
}

func shapes(pages ...[]*seen) map[string]*shape {
	out := map[string]*shape{}
	for _, p := range pages {
		for _, f := range p {
			s := out[f.name]
			if s == nil {
				s = &shape{f.typ, map[string]bool{}, map[string]bool{}}
				out[f.name] = s
			}
			for _, x := range f.series {
				s.labels[x.names()] = true
				if f.typ == "histogram" {
					s.edges[strings.Join(x.edges, " ")] = true
				}
			}
		}
	}
	return out
}

// difference is one line of differences.csv without its reason.
type difference struct{ page, family, kind string }

// differ lists how the simulated families of a page differ from the recorded:
// missing, extra, type, labels, edges.
func differ(page string, recorded, simulated map[string]*shape) []difference {
	var out []difference
	for name, r := range recorded {
		s := simulated[name]
		switch {
		case s == nil:
			out = append(out, difference{page, name, "missing"})
			continue
		case s.typ != r.typ:
			out = append(out, difference{page, name, "type"})
		}
		if len(r.labels) > 0 && !maps.Equal(s.labels, r.labels) {
			out = append(out, difference{page, name, "labels"})
		}
		if !maps.Equal(s.edges, r.edges) {
			out = append(out, difference{page, name, "edges"})
		}
	}
	for name := range simulated {
		if recorded[name] == nil {
			out = append(out, difference{page, name, "extra"})
		}
	}
	return out
}

// TestDifferences compares the recorded pages of every release, shape and
// phase with simulated pages on which every family has a series. What differs
// must stand in differences.csv with its reason, and nothing else may.
func TestDifferences(t *testing.T) {
	pages := map[string][][]*seen{}
	for _, r := range recordings(t) {
		kind := "worker"
		if strings.HasPrefix(r.file, "frontend") {
			kind = "frontend"
		}
		key := r.release[:3] + " " + kind
		pages[key] = append(pages[key], r.families)
	}
	pages["sglang-0.5.23"] = [][]*seen{read(t, sglangRecording(t))}

	var found []difference
	for key, families := range pages {
		found = append(found, differ(key, shapes(families...), shapes(simulated(t, key)...))...)
	}
	found = append(found, seriesDifferences(t)...)
	checkListed(t, found)
}

// simulated are pages of one kind that together have everything.
func simulated(t *testing.T, key string) (out [][]*seen) {
	t.Helper()
	add := func(p *Page) {
		text := p.AppendTo(nil)
		parse(t, text)
		out = append(out, read(t, string(text)))
	}
	release, kind, _ := strings.Cut(key, " ")
	switch kind {
	case "frontend":
		add(useFrontend(Frontend(Gen(release), FrontendOptions{KVRouter: true, EventLoop: true, Tokio: true, RemoteIndexer: true, NATS: true})))
	case "worker":
		for _, o := range []WorkerOptions{
			{Model: "m", Engine: "sglang"},
			{Model: "m", Engine: "sglang", Component: "prefill", Role: "prefill"},
			{Model: "m", Engine: "vllm", DPRanks: 2},
		} {
			add(useWorker(Worker(Gen(release), o)))
		}
	default:
		add(useWorker(Worker(Gen16, WorkerOptions{
			Model: "m", Engine: "sglang", Plain: true, Features: sglangFeatures, PID: 4711,
		})))
	}
	return out
}

// seriesDifferences compares the series that are there before the first
// request, and those after requests through every worker.
func seriesDifferences(t *testing.T) []difference {
	t.Helper()
	var out []difference
	for _, r := range recordings(t) {
		after := r.phase == "after" && r.shape != "trtllm-disagg-failing"
		if r.phase != "before" && !after {
			continue
		}
		rec := r.families
		var sim *Page
		kind := "worker"
		if strings.HasPrefix(r.file, "frontend") {
			f := startedFrontend(t, r, rec)
			if after {
				serveFrontend(f, r)
			}
			sim, kind = &f.Page, "frontend"
		} else {
			w := startedWorker(t, r, rec)
			if after {
				serveWorker(w)
			}
			sim = &w.Page
		}
		page := r.release[:3] + " " + kind + " " + r.phase
		got, want := seriesOf(read(t, string(sim.AppendTo(nil)))), seriesOf(rec)
		for f := range want {
			if got[f] == "" {
				out = append(out, difference{page, f, "missing"})
			} else if got[f] != want[f] {
				out = append(out, difference{page, f, "series"})
				t.Logf("%s %s:\n got  %s\n want %s", r, f, got[f], want[f])
			}
		}
		for f := range got {
			if want[f] == "" {
				out = append(out, difference{page, f, "extra"})
			}
		}
	}
	return out
}

// seriesOf names a page's series by family, ids of endpoints aside.
func seriesOf(families []*seen) map[string]string {
	out := map[string]string{}
	for _, f := range families {
		var all []string
		for _, s := range f.series {
			labels := maps.Clone(s.labels)
			if strings.HasPrefix(labels["dynamo_endpoint"], "worker_kv_query") {
				labels["dynamo_endpoint"] = "query"
			}
			all = append(all, fmt.Sprint(labels))
		}
		slices.Sort(all)
		out[f.name] = strings.Join(all, "\n")
	}
	return out
}

// checkListed holds found against differences.csv.
func checkListed(t *testing.T, found []difference) {
	t.Helper()
	file, err := os.Open("differences.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[difference]bool{}
	for _, l := range lines[1:] {
		d := difference{l[0], l[1], l[2]}
		if strings.TrimSpace(l[3]) == "" {
			t.Errorf("%v has no reason", d)
		}
		if listed[d] {
			t.Errorf("%v is listed twice", d)
		}
		listed[d] = true
	}
	seen := map[difference]bool{}
	for _, d := range found {
		if !listed[d] && !seen[d] {
			t.Errorf("not listed: %s,%s,%s", d.page, d.family, d.kind)
		}
		seen[d] = true
	}
	for d := range listed {
		if !seen[d] {
			t.Errorf("listed, but there is no such difference any more: %v", d)
		}
	}
}
