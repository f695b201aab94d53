package routing

import (
	"dynascope/tui/pane"
)

// area is a rectangle; without height the part is not drawn.
type area struct{ w, h int }

// layout is which parts are drawn, where and how large.
type layout struct {
	areas            [parts]area
	head             int
	top, left, right []part
	titled           bool
	alone            bool // only the focused part is drawn
}

const (
	besideWidth = 110 // from here on the parts below the stages stand in two columns
	titledRows  = 28  // from here on parts have a titled line
	leastAll    = 10  // rows; below that there is the focused part alone
	leastChart  = 7   // rows, its legend included
	mostChart   = 12
	moreShares  = 7 // rows of the shares beyond what they want
)

func (p *Pane) layout(f pane.Frame) layout {
	var l layout
	w, h := max(f.W, 0), max(f.H, 0)
	l.head = 1
	if h < 3 {
		l.head = 0
	}
	if f.Zoom || h < leastAll {
		l.alone = true
		l.titled = h >= leastAll
		l.areas[p.focus] = area{w, h - l.head}
		return l
	}
	l.titled = h >= titledRows
	h -= l.head
	extra := 0
	if l.titled {
		extra = 1
	}
	want := func(i part, w int) int {
		switch i {
		case partStages:
			n := len(p.rows(f)) + 1 + extra
			if l.titled && len(p.listing(f).absent) > 0 && n > 2+extra {
				n++ // they are named
			}
			return n
		case partShares:
			return 7 + extra
		case partBelief:
			return len(p.listing(f).belief) + 1 + extra
		}
		return len(p.lines(i, f)) + extra
	}
	if w < besideWidth {
		l.left = []part{partStages, partCache, partQueue, partIndex, partPlanner, partBelief}
		least := []int{7, 2, 2, 2, 3, 0}
		if h >= 24 {
			least[5] = 3
		}
		wants := make([]int, len(l.left))
		for k, i := range l.left {
			wants[k] = want(i, w)
		}
		for k, n := range divide(h, least, wants) {
			l.areas[l.left[k]] = area{w, n}
		}
		return l
	}
	l.top = []part{partStages}
	l.left = []part{partCache, partQueue, partShares}
	l.right = []part{partIndex, partPlanner, partBelief}
	stages := min(want(partStages, w), max(h/2, 6))
	l.areas[partStages] = area{w, stages}
	h -= stages
	lw := (w - 3) / 2
	column := func(list []part, w int, least []int) {
		wants := make([]int, len(list))
		for k, i := range list {
			wants[k] = want(i, w)
		}
		rows := divide(h, least, wants)
		// A picture says more with a few rows, and no more with many: what the
		// last part does not need makes charts of the others.
		last := len(list) - 1
		spare := rows[last] - wants[last]
		if list[last] == partShares {
			spare -= moreShares
		}
		for k, i := range list[:last] {
			if spare >= leastChart && charts(i, f) {
				n := min(spare, mostChart)
				rows[k], rows[last], spare = rows[k]+n, rows[last]-n, spare-n
			}
		}
		for k, n := range rows {
			l.areas[list[k]] = area{w, n}
		}
	}
	column(l.left, lw, []int{3 + extra, 2 + extra, 0})
	column(l.right, w-3-lw, []int{2 + extra, 3 + extra, 2 + extra})
	return l
}

// divide gives h rows to parts: each its least in their order, then what they
// want, and what is left to the last. A part that gets only a title gets
// nothing.
func divide(h int, least, want []int) []int {
	out := make([]int, len(want))
	for k := range out {
		out[k] = min(min(least[k], want[k]), h)
		h -= out[k]
	}
	for k := range out {
		grow := min(max(want[k]-out[k], 0), h)
		out[k] += grow
		h -= grow
	}
	last := len(out) - 1
	out[last] += h
	if out[last] < 3 && last > 0 {
		out[0] += out[last]
		out[last] = 0
	}
	return out
}
