package discover

import (
	"maps"
	"slices"
	"strings"
)

// Target is a page to scrape, as every way of finding targets names it: a
// scan, a target file, a Prometheus' own target list.
type Target struct {
	// URL of the page. Its query part may hold a secret (__param_token in a
	// target file): show the target by String.
	URL string
	// Labels for every series of the target, never job or instance.
	Labels map[string]string
}

// String is the URL without its parameters.
func (t Target) String() string {
	if at := strings.IndexByte(t.URL, '?'); at >= 0 {
		return t.URL[:at] + "?…"
	}
	return t.URL
}

// Equal says whether the target is scraped the same way.
func (t Target) Equal(o Target) bool { return t.URL == o.URL && maps.Equal(t.Labels, o.Labels) }

// Differ turns a changing list of targets into what to add and what to
// remove. The zero value knows no target. It is not safe for concurrent use.
type Differ struct{ have map[string]Target }

// Update takes the list in force and returns the changes since the last one,
// in the order of URLs. A target whose labels changed is in both answers:
// remove first, then add. Of two targets with one URL the first counts.
func (d *Differ) Update(targets []Target) (added, removed []Target) {
	next := make(map[string]Target, len(targets))
	for _, t := range targets {
		if _, twice := next[t.URL]; twice {
			continue
		}
		next[t.URL] = t
		if old, ok := d.have[t.URL]; !ok || !old.Equal(t) {
			added = append(added, t)
		}
	}
	for url, t := range d.have {
		if now, ok := next[url]; !ok || !now.Equal(t) {
			removed = append(removed, t)
		}
	}
	d.have = next
	byURL := func(a, b Target) int { return strings.Compare(a.URL, b.URL) }
	slices.SortFunc(added, byURL)
	slices.SortFunc(removed, byURL)
	return added, removed
}
