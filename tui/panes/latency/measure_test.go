package latency

import (
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/tui/pane"
)

// Every place that claims to measure something asks what the catalogue has.
func TestReadingsAreInTheCatalogue(t *testing.T) {
	cat := catalog.Default()
	for _, from := range []pane.Source{"", pane.FromFrontend, pane.FromRouter, pane.FromEngine} {
		for m := range measures {
			r := m.read(from)
			if r.key == "" {
				if r.why == "" || from != pane.FromRouter || m != e2e {
					t.Errorf("%v from %q: no key, and why is %q", m, from, r.why)
				}
				continue
			}
			for _, form := range []sources.Form{sources.FormBuckets, sources.FormMean} {
				if _, err := cat.Query(sources.Need{Key: r.key, Form: form}, time.Minute, catalog.Scope{}); err != nil {
					t.Errorf("%v from %q: %v", m, from, err)
				}
			}
			if r.at == "" || r.per == "" {
				t.Errorf("%v from %q says neither where nor how: %+v", m, from, r)
			}
		}
	}
	if r := queue.read(pane.FromFrontend); r.at != pane.FromEngine {
		t.Errorf("the queue is said to be measured at the %s", r.at)
	}
}
