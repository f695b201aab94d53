package chart

import (
	"fmt"
	"math"
	"testing"

	"dynascope/sources"
	"dynascope/themes"
	"dynascope/tui/golden"
)

func TestDistributionPictures(t *testing.T) {
	st := styles(t, "mono", false)
	b := histogram([]float64{1.2}).Columns[0].Buckets
	o := DistOpts{Rows: 9, Format: seconds, Limit: 0.5, Name: "SLA"}
	golden.Check(t, "distribution", Bars(Distribution(b, o), BarsOpts{W: 48, H: 9, Styles: st}))
	o.Limit = 0.47
	golden.Check(t, "distribution_on_edge", Bars(Distribution(b, o), BarsOpts{W: 48, H: 9, Styles: st}))
	o.Rows, o.Limit = 4, 0
	golden.Check(t, "distribution_merged", Bars(Distribution(b, o), BarsOpts{W: 48, H: 4, Styles: st}))
	golden.Check(t, "bars_cut", Bars(Distribution(b, DistOpts{Rows: 9}), BarsOpts{W: 30, H: 3, Styles: styles(t, "mono", true)}))
	golden.Check(t, "bars_empty", Bars(nil, BarsOpts{W: 40, H: 3, Empty: "idle: no request in 5m", Styles: st}))
}

func TestDistribution(t *testing.T) {
	b := histogram([]float64{1.2}).Columns[0].Buckets
	for rows := 1; rows < 15; rows++ {
		bars := Distribution(b, DistOpts{Rows: rows, Limit: 0.5, Name: "SLA"})
		sum, lines, rules := 0.0, len(bars), 0
		for _, bar := range bars {
			sum += bar.Value
			if bar.Rule != "" {
				lines++
				rules++
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%d rows: shares sum to %v", rows, sum)
		}
		if rules != 1 || lines > max(2, rows) {
			t.Errorf("%d rows: %d lines, %d limits", rows, lines, rules)
		}
	}
	// Only what is certainly above the limit is bad.
	for _, bar := range Distribution(b, DistOpts{Rows: 20, Limit: 0.5, Format: seconds}) {
		if bad := bar.Level == themes.Bad; bad != (bar.Label != "≤ 1 s" && bar.Label != "≤ 470 ms" && bar.Label != "≤ 220 ms" && bar.Label != "≤ 100 ms") {
			t.Errorf("%q bad = %v", bar.Label, bad)
		}
	}
	if got := Distribution(sources.Buckets{}, DistOpts{Rows: 5}); got != nil {
		t.Errorf("an empty histogram gives %v", got)
	}
}

func TestPercentKeepsNoneAndAllTrue(t *testing.T) {
	for v, want := range map[float64]string{0: "0 %", 0.0001: "<1 %", 0.5: "50 %", 0.9999: ">99 %", 1: "100 %"} {
		if got := percent(v); got != want {
			t.Errorf("percent(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestStack(t *testing.T) {
	mono := styles(t, "mono", false)
	mono.Series = nil
	for _, c := range []struct {
		in   []float64
		want string
	}{
		{[]float64{0.5, 0.25, 0.25}, "█████▒▒▒░░"},
		{[]float64{0.5, 0.2}, "█████▒▒   "},
		{[]float64{0.98, 0.01, 0.01}, "████████▒░"},
		{[]float64{3, 1}, "████████▒▒"},
		{[]float64{nan, 1, inf, -1}, "▒▒▒▒▒▒▒▒▒▒"},
		{nil, "          "},
		{[]float64{0, 0}, "          "},
	} {
		if got := Stack(c.in, 10, mono); got != c.want {
			t.Errorf("Stack(%v) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := allot([]float64{0.1, 0.5, 0.4}, 2); fmt.Sprint(got) != "[0 1 1]" {
		t.Errorf("with too few cells the largest stay, got %v", got)
	}
}
