package cells

import (
	"strings"

	"dynascope/themes"
)

// Part is one piece of a line.
type Part struct {
	Text string
	// Right moves the part to the right end; right parts keep their order.
	Right bool
	// Priority says what goes first when the line is too narrow: the highest
	// number. Parts with 0 stay and are cut.
	Priority int
	// Sep stands before the part unless it comes first on its side; two blanks
	// when empty.
	Sep string
}

// L is a part at the left, R one at the right.
func L(text string, priority int) Part { return Part{Text: text, Priority: priority} }

// R is a part at the right end of a line.
func R(text string, priority int) Part { return Part{Text: text, Priority: priority, Right: true} }

// Line returns a line of exactly w cells: parts at the left, parts at the
// right, blanks between. Empty parts are skipped. When they do not fit, parts
// go by priority; what is left is cut, the left side first.
func Line(w int, parts ...Part) string {
	if w <= 0 {
		return ""
	}
	kept := make([]Part, 0, len(parts))
	for _, p := range parts {
		if p.Text != "" {
			kept = append(kept, p)
		}
	}
	l, r := sideText(kept, false), sideText(kept, true)
	for need(l, r) > w {
		drop, worst := -1, 0
		for i, p := range kept {
			if p.Priority > 0 && p.Priority >= worst {
				drop, worst = i, p.Priority
			}
		}
		if drop < 0 {
			break
		}
		kept = append(kept[:drop], kept[drop+1:]...)
		l, r = sideText(kept, false), sideText(kept, true)
	}
	rw := Width(r)
	if rw >= w {
		return Fit(r, w)
	}
	if rw > 0 && need(l, r) > w { // keep one blank between what was cut and the right side
		return Fit(l, w-rw-1) + " " + Fit(r, rw)
	}
	return Fit(l, w-rw) + Fit(r, rw)
}

func need(l, r string) int {
	lw, rw := Width(l), Width(r)
	if lw > 0 && rw > 0 {
		return lw + 1 + rw
	}
	return lw + rw
}

func sideText(parts []Part, right bool) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Right != right {
			continue
		}
		if b.Len() > 0 {
			if p.Sep == "" {
				b.WriteString("  ")
			} else {
				b.WriteString(p.Sep)
			}
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// Rule returns a line of exactly w cells with a title in it: "─ title ────".
// Without a title it is all line.
func Rule(title string, w int, s themes.Styles) string {
	if w <= 0 {
		return ""
	}
	g := s.G.Or()
	if title == "" {
		return s.Border.Render(strings.Repeat(g.HLine, w))
	}
	if w < 6 {
		return Fit(title, w)
	}
	text, n := clip(title, w-4, Tail)
	if title == Strip(title) {
		text = s.Title.Render(text)
	}
	return Fit(s.Border.Render(g.HLine)+" "+text+" "+s.Border.Render(strings.Repeat(g.HLine, w-3-n)), w)
}
