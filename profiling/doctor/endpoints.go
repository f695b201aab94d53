package doctor

import (
	"cmp"
	"fmt"
	"strings"

	"dynascope/sources"
)

// reachability tells why a target does not answer, or answers with something
// that is no metrics page.
func reachability(g *Gathered) (out []Finding) {
	for _, e := range g.Endpoints {
		if e.Local || e.Error == "" && e.Answered() {
			continue
		}
		said, hint, _ := strings.Cut(e.Error, "; hint: ")
		if said == "" {
			switch {
			case e.Health == sources.HealthPending && e.Sent.IsZero():
				said = "no answer within the time of the doctor"
			case e.Health == sources.HealthPending:
				said = fmt.Sprintf("no answer within %s", g.At.Sub(e.Sent).Round(1e9))
			default:
				said = "the last scrape failed"
			}
		}
		f := found(codeOf(cmp.Or(e.Error, said)), e.Instance, sentence(said))
		f.Do = hint
		if e.URL != "http://"+e.Instance+"/metrics" {
			f.Why = "GET " + e.URL
		}
		if e.Health == sources.HealthUp && f.Code != "page-empty" {
			continue // what is odd about a good page is the screens' to tell
		}
		if e.Answered() {
			f.Why = strings.TrimPrefix(f.Why+"; it answered before", "; ")
		}
		out = append(out, f)
	}
	if len(g.Endpoints) == 0 && g.Remote == nil {
		f := found("nothing-found", "", "No target was named, and none was found on this host.")
		f.Do = "name the metrics ports: --target http://HOST:8000 --target http://HOST:8081"
		out = append(out, f)
	}
	return out
}

// codeOf finds the code of a scrape's failure by its words, ours or a
// Prometheus'.
func codeOf(said string) string {
	for _, r := range reaches {
		if strings.Contains(said, r.words) {
			return r.code
		}
	}
	return "endpoint-failed"
}

// discovery tells of what serves on this host and cannot be watched.
func discovery(g *Gathered) (out []Finding) {
	for _, s := range g.Silent {
		f := found("metrics-off", s.Who, sentence(s.What))
		f.Do = s.Do
		out = append(out, f)
	}
	for _, n := range g.Notes {
		said, hint, _ := strings.Cut(n, "; hint: ")
		f := found("discovery-blind", "", sentence(said))
		f.Do = hint
		out = append(out, f)
	}
	return out
}

func unverified(g *Gathered) (out []Finding) {
	for _, e := range g.Endpoints {
		if e.Insecure && !e.Local && g.Remote == nil {
			f := found("tls-unverified", e.Instance, "Its certificate is not verified.")
			f.Do = "give the CA that signed it: --ca-file FILE, without --insecure"
			out = append(out, f)
		}
	}
	return out
}

// pages tells of pages that hold metrics of something else.
func pages(g *Gathered) (out []Finding) {
	for _, e := range g.Endpoints {
		p := e.Page
		if e.Local || p == nil || !p.Whole || p.Families > 0 || g.prefixOf(p) != "" || p.Series == 0 || e.Health == sources.HealthDown {
			continue
		}
		f := found("page-stranger", e.Instance, fmt.Sprintf("A page of %d series, and no family on it is one that a screen reads.", p.Series))
		f.Do = "name the metrics port of the frontend, or of a worker (DYN_SYSTEM_PORT)"
		if s, ok := strangerOf(p.Others); ok {
			f.Why, f.Do = "it looks like "+s.what, s.do
		}
		out = append(out, f)
	}
	return out
}

// leastRenamed is how many of the frontend's families under one other prefix
// are no accident.
const leastRenamed = 5

// renamed tells of frontends with a prefix of their own.
func renamed(g *Gathered) (out []Finding) {
	for _, e := range g.Endpoints {
		if e.Local || e.Page == nil || !e.Page.Whole || e.Page.Role() == "frontend" {
			continue
		}
		if prefix := g.prefixOf(e.Page); prefix != "" {
			f := found("frontend-prefix", e.Instance, fmt.Sprintf("The frontend's families are there under the prefix %s.", prefix))
			f.Do = "--frontend-prefix " + prefix
			out = append(out, f)
		}
	}
	return out
}

// prefixOf finds the prefix under which a page has the frontend's families,
// none of which the catalogue knows; empty when it has none.
func (g *Gathered) prefixOf(p *Page) string {
	if g.endings == nil {
		g.endings = map[string]bool{}
		const other = "renamed"
		cat, err := g.Catalog.WithFrontendPrefix(other)
		if err != nil {
			return ""
		}
		for _, m := range cat.Metrics() {
			for _, name := range m.Families() {
				if end, ok := strings.CutPrefix(name, other+"_"); ok {
					g.endings[bare(end)] = true
				}
			}
		}
	}
	seen := map[string]int{}
	for _, name := range p.Others {
		for i := range len(name) {
			if name[i] == '_' && g.endings[name[i+1:]] {
				seen[name[:i]]++
			}
		}
	}
	for _, prefix := range sorted(seen) {
		if seen[prefix] >= leastRenamed {
			return prefix
		}
	}
	return ""
}

// strangerOf finds what a page of unknown families is, the table's first row
// first.
func strangerOf(families []string) (stranger, bool) {
	for _, s := range strangers {
		stem, open := strings.CutSuffix(s.family, "*")
		for _, f := range families {
			if f == s.family || open && strings.HasPrefix(f, stem) {
				return s, true
			}
		}
	}
	return stranger{}, false
}

// sentence begins with a capital, unless with an abbreviation, and ends with a
// full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if s[0] >= 'a' && s[0] <= 'z' {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?…") {
		s += "."
	}
	return s
}

// count words a number of things: "1 target", "3 targets".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// some lists at most n of the words.
func some(words []string, n int) string {
	if len(words) <= n {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:n], ", "), len(words)-n)
}
