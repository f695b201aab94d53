package doctor

import (
	"cmp"
	"slices"
	"strings"

	"dynascope/sources"
	"dynascope/sources/catalog"
)

// engines are the producers of which a deployment has one: what another engine
// would export is no remedy.
var engines = []string{"sglang", "vllm", "trtllm"}

// remedies says what brings absent figures: the catalogue's notes, without
// what holds already on the pages that are there.
type remedies struct {
	cat       *catalog.Catalog
	producers map[string]bool // on some page
	holds     map[string]bool // segments of notes
	engine    map[string]bool // engines of the workers, as far as they are known
	workers   bool            // some worker's page is there
}

// remedies reads from the pages which conditions hold: those in the notes of
// families that are there.
func (g *Gathered) remedies() *remedies {
	r := &remedies{cat: g.Catalog, producers: map[string]bool{}, holds: map[string]bool{}, engine: map[string]bool{}}
	x := g.spellings()
	for _, e := range g.Endpoints {
		if e.Page == nil {
			continue
		}
		for s := range e.Page.Seen {
			r.producers[s.Producer] = true
			for _, part := range segments(x.byFirst[s].variant.Note) {
				if !strings.HasPrefix(part, byItself) {
					r.holds[part] = true
				}
			}
		}
	}
	for _, w := range g.Snap.Workers {
		for _, e := range []string{w.Engine, g.Processes[w.Instance].Engine} {
			if slices.Contains(engines, e) {
				r.engine[e] = true
			}
		}
		r.workers = r.workers || w.Instance != ""
	}
	return r
}

func segments(note string) []string {
	if note == "" {
		return nil
	}
	return strings.Split(note, "; ")
}

// of is the remedy for one figure that is absent. byItself is true where it
// only needs something to happen.
func (r *remedies) of(f *sources.Figure) (remedy string, comes bool) {
	var ways, releases []string
	elsewhere, own, unknown, page := false, false, false, ""
	for _, v := range r.variants(f.Need.Key, 0) {
		if slices.Contains(engines, v.Producer) && !r.engine[v.Producer] {
			switch {
			case len(r.engine) > 0:
				elsewhere = true
				continue
			case r.workers:
				unknown = true
				continue
			}
		}
		own = own || r.engine[v.Producer]
		if v.Until != "" {
			continue // a name that went
		}
		here := r.producers[v.Producer]
		var open []string
		for _, part := range segments(v.Note) {
			switch {
			case strings.HasPrefix(part, byItself):
				comes = comes || here
			case !r.holds[part] || !here:
				open = append(open, part)
			}
		}
		if len(open) == 0 && !here {
			// This program's own pages come by themselves where they can.
			if page == "" && v.Producer != "dynascope" {
				page = "needs the page of a " + v.Producer
			}
			continue
		}
		switch way := strings.Join(open, "; "); {
		case way != "" && !slices.Contains(ways, way):
			ways = append(ways, way)
		case way == "" && v.Since != "":
			releases = append(releases, productOf(v.Producer)+" "+v.Since+" or later")
		}
	}
	switch {
	case unknown:
		return "needs the families of an engine; the workers' pages have none yet", false
	case len(ways) > 0:
		// A way that is a part of another one says less.
		slices.SortStableFunc(ways, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		return strings.Join(ways[:min(len(ways), 2)], ", or "), false
	case comes:
		return "", true
	case len(releases) > 0:
		return "comes with " + releases[0], false
	case page != "":
		return page, false
	case elsewhere && !own:
		return "no such family in this engine", false
	}
	return cmp.Or(f.Note, "no release seen here exports it"), false
}

// variants are all spellings behind a key, of a derived one those of its
// parts.
func (r *remedies) variants(key string, depth int) (out []catalog.Variant) {
	m, ok := r.cat.Metric(key)
	if !ok || depth > 4 {
		return nil
	}
	if m.Kind != catalog.Derived {
		return m.Variants
	}
	for _, part := range strings.Split(m.Expr, "{")[1:] {
		if inner, _, ok := strings.Cut(part, ":"); ok {
			out = append(out, r.variants(inner, depth+1)...)
		}
	}
	return out
}
