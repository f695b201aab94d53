package facts

import (
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// The widths of a column of groups.
const (
	leastColumn = 36
	goodColumn  = 44
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
	all    []Fact // those left out as well: why a group is absent
	say    int    // lines for why nothing is there
	label  int    // width of the labels
	spark  int    // width of the courses, 0 for none
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

// place lays groups out: in wide columns where everything fits, else in as many
// as there is room for, with facts left out by priority until they fit.
func place(f pane.Frame, groups []Group) sheet {
	found := look(f, groups)
	good, most := columnsOf(f.W, goodColumn, len(groups)), columnsOf(f.W, leastColumn, len(groups))
	levels := make([]int, len(found))
	set := func(l int) {
		for i := range levels {
			levels[i] = l
		}
	}
	set(Rare)
	for n := good; n <= most; n++ {
		if s := placeIn(f.W, n, found, levels); s.height() <= f.H {
			return s.measured()
		}
	}
	for level := Rare - 1; level >= -1; level-- {
		set(level)
		s := placeIn(f.W, most, found, levels)
		if s.height() > f.H && level > -1 {
			continue
		}
		for i := range levels { // what still has room of the next level
			levels[i]++
			if more := placeIn(f.W, most, found, levels); more.height() <= f.H {
				s = more
			} else {
				levels[i]--
			}
		}
		return s.measured()
	}
	return sheet{}
}

func columnsOf(w, least, groups int) int {
	return min(max((w+between)/(least+between), 1), max(groups, 1), 6)
}

// height is how many lines groups take when nothing is left out.
func height(f pane.Frame, groups []Group) int {
	levels := make([]int, len(groups))
	for i := range levels {
		levels[i] = Rare
	}
	return placeIn(f.W, columnsOf(f.W, goodColumn, len(groups)), look(f, groups), levels).height()
}

// look finds out which groups are exposed, and leaves out rare facts that are
// not.
func look(f pane.Frame, groups []Group) []placed {
	out := make([]placed, len(groups))
	for i, g := range groups {
		out[i] = placed{Group: g, all: g.Facts, absent: true}
		kept := make([]Fact, 0, len(g.Facts))
		for _, c := range g.Facts {
			if c.Hide != nil && c.Hide(f) {
				continue
			}
			absent := c.absent(f)
			out[i].absent = out[i].absent && absent
			if !absent || c.Priority < Rare && !c.Optional {
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

// placeIn lays groups out in n columns, each with the facts up to its level.
func placeIn(w, n int, groups []placed, levels []int) sheet {
	all := make([]placed, len(groups))
	total, most := 0, 0
	for i, g := range groups {
		level := levels[i]
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

// measured finds the widths within the columns.
func (s sheet) measured() sheet {
	for _, column := range s.columns {
		for i := range column {
			column[i].measure(s.w)
		}
	}
	return s
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

// points is how many columns every course has: all share them, so that
// their questions are alike.
func (s sheet) points() int {
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
