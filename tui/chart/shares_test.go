package chart

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dynascope/themes"
)

func TestShares(t *testing.T) {
	mono, err := themes.Get("mono")
	if err != nil {
		t.Fatal(err)
	}
	o := SharesOpts{W: 8, H: 4, Empty: "nothing", Styles: themes.NewStyles(mono, true)}
	columns := [][]float64{nil, {0.5, 0.5}, nil, {0.01, 0.99}}
	got := ansi.Strip(Shares(columns, o))
	want := strings.Join([]string{
		"  ==  ==",
		"  ==  ==",
		"  ##  ==",
		"  ##..==",
	}, "\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// A sliver between two parts takes no cell from them.
	if got := ansi.Strip(Shares([][]float64{{0.49, 0.02, 0.49}}, SharesOpts{W: 1, H: 3, Styles: o.Styles})); strings.Contains(got, "=") {
		t.Errorf("a sliver has a cell:\n%s", got)
	}
	if got := ansi.Strip(Shares([][]float64{nil, nil}, o)); !strings.Contains(got, "nothing") {
		t.Errorf("without data: %q", got)
	}
	if n := ShareParts(o.Styles); n != len(o.Styles.G.Segment) {
		t.Errorf("%d parts", n)
	}
}
