//go:build linux

package main

import (
	"strings"
	"testing"
)

const early = `# HELP h_seconds x y
# TYPE h_seconds histogram
h_seconds_bucket{le="0.1"} 1
h_seconds_bucket{le="+Inf"} 4
h_seconds_sum 0.5
h_seconds_count 4
# TYPE c_total counter
c_total{a="b c"} 10
# TYPE g gauge
g 8
g{x="gone"} 3
same 7
`

const late = `# HELP h_seconds x y
# TYPE h_seconds histogram
h_seconds_bucket{le="0.1"} 2
h_seconds_bucket{le="+Inf"} 9
h_seconds_sum 1.5
h_seconds_count 9
# TYPE c_total counter
c_total{a="b c"} 30
# TYPE g gauge
g 2
same 7
`

func TestTemplate(t *testing.T) {
	p := newTemplate([]byte(early), []byte(late), 2)
	if got := string(p.at(nil, 0)); got != early {
		t.Errorf("second 0 is not the first page:\n%s", got)
	}
	page := string(p.at(nil, 3))
	for _, want := range []string{
		`h_seconds_bucket{le="0.1"} 2`, `h_seconds_bucket{le="+Inf"} 11`, "h_seconds_count 11", "h_seconds_sum 2",
		`c_total{a="b c"} 40`, "g 5", `g{x="gone"} 3`, "same 7",
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("no %q after three seconds in\n%s", want, page)
		}
	}
}
