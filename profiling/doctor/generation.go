package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dynamoProducers are the producers whose since and until are Dynamo's
// releases.
var dynamoProducers = []string{"frontend", "router", "worker", "planner", "kvbm"}

// Release is what the names on a page say of the release that made it.
type Release struct {
	Product string // "dynamo" or an engine
	// From is the release that brought the newest name seen, Before one all of
	// whose unconditional names are missing; either may be empty.
	From, Before string
	FromBy       string // the name that tells
	// Old are names that went with a release, and Last that release.
	Old  []string
	Last string
}

func (r Release) String() string {
	switch {
	case r.From != "" && r.Before != "":
		return r.From + " or later, before " + r.Before
	case r.From != "":
		return r.From + " or later"
	case r.Before != "":
		return "before " + r.Before
	case r.Last != "":
		return "names of " + r.Last
	}
	return ""
}

// Releases reads the releases from the names on a page: Dynamo's first.
func (x *Index) Releases(p *Page) (out []Release) {
	by := map[string]*Release{}
	for _, s := range p.spellings() {
		v := x.byFirst[s].variant
		product := productOf(v.Producer)
		r := by[product]
		if r == nil {
			r = &Release{Product: product}
			by[product] = r
		}
		if v.Since != "" && older(r.From, v.Since) {
			r.From, r.FromBy = v.Since, v.Name
		}
		if v.Until != "" && !slices.Contains(r.Old, v.Name) {
			r.Old = append(r.Old, v.Name)
			if r.Last == "" || older(v.Until, r.Last) {
				r.Last = v.Until
			}
		}
	}
	for product, r := range by {
		if p.Whole {
			r.Before = x.before(p, product, r.From)
		}
		if r.String() != "" {
			out = append(out, *r)
		}
	}
	slices.SortFunc(out, func(a, b Release) int {
		return strings.Compare(strings.Replace(a.Product, "dynamo", "", 1), strings.Replace(b.Product, "dynamo", "", 1))
	})
	return out
}

// before finds the oldest release, newer than from, that would have shown
// itself: two or more of its names come without any condition, a producer of
// them is on the page, and none of them is there.
func (x *Index) before(p *Page, product, from string) string {
	producers := map[string]bool{}
	seen := map[string]bool{} // releases whose unconditional names are there
	names := map[string]map[string]bool{}
	for s := range p.Seen {
		producers[s.Producer] = true
	}
	for s, u := range x.byFirst {
		v := u.variant
		if v.Since == "" || v.Note != "" || v.Unseen || !producers[v.Producer] || productOf(v.Producer) != product {
			continue
		}
		if p.Seen[s] != nil {
			seen[v.Since] = true
			continue
		}
		if names[v.Since] == nil {
			names[v.Since] = map[string]bool{}
		}
		names[v.Since][v.Name] = true
	}
	first := ""
	for release, missing := range names {
		if len(missing) >= 2 && !seen[release] && older(from, release) && (first == "" || older(release, first)) {
			first = release
		}
	}
	return first
}

func productOf(producer string) string {
	if slices.Contains(dynamoProducers, producer) {
		return "dynamo"
	}
	return producer
}

// older says whether release a came before b; one that is no number, or empty,
// before every other.
func older(a, b string) bool {
	x, y := numbers(a), numbers(b)
	return slices.Compare(x, y) < 0
}

func numbers(release string) (out []int) {
	for part := range strings.SplitSeq(release, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return out
		}
		out = append(out, n)
	}
	return out
}

// generations tells the releases and where they exclude each other.
func generations(g *Gathered) (out []Finding) {
	x := g.spellings()
	type place struct {
		instance string
		release  Release
	}
	byRole := map[string][]place{} // "frontend dynamo"
	groups := map[string][]string{}
	var order []string
	for _, e := range g.Endpoints {
		if e.Page == nil || e.Local {
			continue
		}
		for _, r := range x.Releases(e.Page) {
			byRole[e.Role+" "+r.Product] = append(byRole[e.Role+" "+r.Product], place{e.Instance, r})
			line := r.Product + " " + r.String()
			if groups[line] == nil {
				order = append(order, line)
			}
			groups[line] = append(groups[line], e.Instance)
			if len(r.Old) > 0 {
				f := found("generation-old", e.Instance, fmt.Sprintf("%s of %s's old names (until %s): %s.", count(len(r.Old), "family"), r.Product, r.Last, some(r.Old, 3)))
				f.What = strings.Replace(f.What, "familys", "families", 1)
				f.Do = "upgrade when it suits: newer releases say more"
				out = append(out, f)
			}
		}
	}
	if len(order) > 0 {
		f := found("generation", "", "The names on the pages are those of:")
		for _, line := range order {
			f.Details = append(f.Details, line+": "+some(groups[line], 4))
		}
		f.Why = "read from which names are there; one minor release more or less"
		out = append(out, f)
	}
	for role, places := range byRole {
		for _, a := range places {
			i := slices.IndexFunc(places, func(b place) bool {
				return b.release.Before != "" && a.release.From != "" && !older(a.release.From, b.release.Before)
			})
			if i < 0 {
				continue
			}
			b := places[i]
			f := found("generation-mixed", strings.Fields(role)[0]+"s", fmt.Sprintf("%s speaks %s %s, %s %s.", a.instance, a.release.Product, a.release, b.instance, b.release))
			f.Why = a.release.FromBy + " is on the one and not on the other"
			f.Do = "finish the upgrade, or leave the forgotten process away"
			out = append(out, f)
			break
		}
	}
	return out
}
