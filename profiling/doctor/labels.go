package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// hierarchy are the canonical names of the labels that tell whose a series is.
var hierarchy = []string{"namespace", "component", "endpoint", "worker_hex"}

// exported is what Prometheus puts before a page's label when the target has
// one of the same name.
const exported = "exported_"

// lostLabels tells which labels a page should carry and does not. What a family
// carries is a column of the catalogue.
func lostLabels(g *Gathered) (out []Finding) {
	x := g.spellings()
	for _, e := range g.Endpoints {
		if e.Page == nil || e.Local {
			continue
		}
		missing := map[string][]string{} // own label → families
		instead := map[string]string{}   // own label → the label there is
		renamed := map[string][]string{} // own label → families
		for _, s := range e.Page.spellings() {
			v, seen := x.byFirst[s].variant, e.Page.Seen[s]
			if seen.Named {
				continue
			}
			for canonical, own := range v.Labels {
				there := seen.Always[own]
				if seen.Ever[exported+own] && !slices.Contains(renamed[own], s.Name) {
					renamed[own] = append(renamed[own], s.Name)
				}
				if there || v.Optional[canonical] || !slices.Contains(hierarchy, canonical) || slices.Contains(missing[own], s.Name) {
					continue
				}
				missing[own] = append(missing[own], s.Name)
				if canonical != own && seen.Always[canonical] {
					instead[own] = canonical
				}
			}
		}
		for _, own := range sorted(renamed) {
			f := found("labels-exported", e.Instance, fmt.Sprintf("The page's label %s became %s on %s.", own, exported+own, some(renamed[own], 2)))
			f.Why = "the server put a label " + own + " on the target"
			f.Do = "honor_labels: true in that job, or a relabelling that leaves " + own + " alone"
			out = append(out, f)
			delete(missing, own)
		}
		var lost []string
		for _, own := range sorted(missing) {
			if other := instead[own]; other != "" {
				f := found("labels-namespace", e.Instance, fmt.Sprintf("%s carry %s and no %s.", some(missing[own], 2), other, own))
				f.Why = other + " is the scrape configuration's word, " + own + " is Dynamo's"
				f.Do = "look for a relabelling that renames or drops " + own
				out = append(out, f)
				continue
			}
			lost = append(lost, own)
		}
		if len(lost) > 0 {
			f := found("labels-missing", e.Instance, fmt.Sprintf("No %s on %s.", strings.Join(lost, ", "), some(missing[lost[0]], 3)))
			f.Why = "Dynamo's runtime puts them on; something on the way took them off, or the page is of another program"
			f.Do = "look for labeldrop or an aggregation in the scrape configuration"
			out = append(out, f)
		}
	}
	return out
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
