package facts

import (
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// The widths of a column of groups.
const (
	leastColumn = 36
	between     = 3
	valueWidth  = 10
	mostLabel   = 18
	leastSpark  = 5
	mostSpark   = 40
)

// sheet is groups as they are placed in an area.
type sheet struct {
	columns [][]placed
	w       int // of a column
}

// placed is a group with the facts that have room.
type placed struct {
	Group
	absent bool // nothing of it is exposed
	tight  bool // there is no room to say why
	quiet  string
	say    int // lines for why nothing is there
	label  int // width of the labels
	spark  int // width of the courses, 0 for none
}

func (g placed) height() int {
	switch {
	case g.absent && g.tight:
		return 1
	case g.absent:
		return 1 + g.say
	}
	n := 1 + len(g.Facts)
	if g.Bar != nil && !g.tight {
		n++
	}
	return n
}

// place lays groups out in as many columns as have room, and leaves facts out
// by priority until they fit.
func place(f pane.Frame, groups []Group) sheet {
	found := look(f, groups)
	var s sheet
	for level := Rare; level >= -1; level-- {
		if s = placeIn(f.W, found, level); s.height() <= f.H {
			break
		}
	}
	s.measure()
	return s
}

// Height is how many lines groups take in a width when nothing is left out.
func Height(f pane.Frame, groups []Group) int {
	return placeIn(f.W, look(f, groups), Rare).height()
}

// look finds out which groups are exposed, and leaves out rare facts that are
// not.
func look(f pane.Frame, groups []Group) []placed {
	out := make([]placed, len(groups))
	for i, g := range groups {
		out[i] = placed{Group: g, absent: true}
		kept := make([]Fact, 0, len(g.Facts))
		for _, c := range g.Facts {
			absent := c.absent(f)
			out[i].absent = out[i].absent && absent
			if !absent || c.Priority < Rare {
				kept = append(kept, c)
			}
		}
		out[i].Facts = kept
		if g.Quiet != nil {
			if out[i].quiet = g.Quiet(f); out[i].quiet != "" {
				out[i].absent = true
			}
		}
	}
	return out
}

func placeIn(w int, groups []placed, level int) sheet {
	n := min(max((w+between)/(leastColumn+between), 1), max(len(groups), 1), 6)
	all := make([]placed, len(groups))
	total, most := 0, 0
	for i, g := range groups {
		g.tight, g.say = level < 1, min(max(level, 1), 2)
		if level < Rare {
			kept := make([]Fact, 0, len(g.Facts))
			for _, c := range g.Facts {
				if c.Priority <= max(level, 0) {
					kept = append(kept, c)
				}
			}
			g.Facts = kept
		}
		all[i] = g
		total += g.height()
		most = max(most, g.height())
	}
	s := sheet{w: (w - between*(n-1)) / n}
	for h := max(most, (total+n-1)/n); h <= total; h++ { // the lowest height that holds them in order
		if s.columns = fill(all, h); len(s.columns) <= n {
			break
		}
	}
	if k := len(s.columns); k > 0 && k < n {
		s.w = (w - between*(k-1)) / k
	}
	return s
}

// measure finds the widths within the columns.
func (s sheet) measure() {
	for _, column := range s.columns {
		for i := range column {
			column[i].measure(s.w)
		}
	}
}

// fill puts groups below each other, in their order, in columns of height h.
func fill(all []placed, h int) (columns [][]placed) {
	used := h + 1
	for _, g := range all {
		if used+g.height() > h {
			columns, used = append(columns, nil), 0
		}
		at := len(columns) - 1
		columns[at] = append(columns[at], g)
		used += g.height()
	}
	return columns
}

func (g *placed) measure(w int) {
	for _, c := range g.Facts {
		n := cells.Width(c.Label) + 1 // for the sign of all models
		if c.Mark > 0 {
			n += 2
		}
		g.label = max(g.label, n)
	}
	g.label = min(g.label, mostLabel+2, max(w-valueWidth-1, w/2))
	if g.spark = min(w-g.label-1-valueWidth-1, mostSpark); g.spark < leastSpark {
		g.spark = 0
	}
}

func (s sheet) height() int {
	most := 0
	for _, column := range s.columns {
		h := 0
		for _, g := range column {
			h += g.height()
		}
		most = max(most, h)
	}
	return most
}

// columnsOf is how many columns every course has: all share them, so that
// their questions are alike.
func (s sheet) columnsOf() int {
	least := mostSpark
	found := false
	for _, column := range s.columns {
		for _, g := range column {
			for _, c := range g.Facts {
				if c.Course && !g.absent && g.spark > 0 {
					least, found = min(least, g.spark), true
				}
			}
		}
	}
	if !found {
		return 0
	}
	return least
}
