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
	if got := ansi.Strip(Shares([][]float64{nil, nil}, o)); !strings.Contains(got, "nothing") {
		t.Errorf("without data: %q", got)
	}
	if n := ShareParts(o.Styles); n != len(o.Styles.G.Segment) {
		t.Errorf("%d parts", n)
	}
}
