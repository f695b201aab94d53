//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// table is printed as it grows: a header, then rows.
type table [][]string

// line is a row below the header's columns.
func (t table) line(row []string) string {
	var b strings.Builder
	for i, cell := range row {
		w := max(utf8.RuneCountInString(t[0][i]), 8)
		if i == 0 {
			w = max(w, 12)
			fmt.Fprintf(&b, "%-*s", w, cell)
			continue
		}
		fmt.Fprintf(&b, "  %*s", w, cell)
	}
	return strings.TrimRight(b.String(), " ")
}

// last prints the newest row, and the header before the first.
func (t table) last() {
	if len(t) == 2 {
		fmt.Println(t.line(t[0]))
	}
	fmt.Println(t.line(t[len(t)-1]))
}

func (t table) all() {
	for _, row := range t {
		fmt.Println(t.line(row))
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f%%", 100*share) }

func ratio(a, b float64) string {
	if b <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/b)
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f", float64(bytes)/(1<<20)) }

func millis(d time.Duration) string { return fmt.Sprintf("%.1fms", d.Seconds()*1000) }

func bytesRate(all []float64) string { return each(all, "%.0f") }

func percents(all []float64) string {
	scaled := make([]float64, len(all))
	for i, v := range all {
		scaled[i] = 100 * v
	}
	return each(scaled, "%.1f%%")
}

// each is one value, or the least and the greatest of several runs.
func each(all []float64, format string) string {
	lo, hi, n := 0.0, 0.0, 0
	for _, v := range all {
		if n == 0 || v < lo {
			lo = v
		}
		hi = max(hi, v)
		n++
	}
	a, b := fmt.Sprintf(format, lo), fmt.Sprintf(format, hi)
	switch {
	case n == 0:
		return "-"
	case a == b:
		return a
	}
	return a + "–" + b
}
