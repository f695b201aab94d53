// Package latency is the screen of live latency histograms: TTFT and ITL (E2E
// and queue time are a key away) as heat maps over time, with the quantiles,
// the share within the SLA and the distribution of the window.
//
// It judges nothing and compares nothing: what it shows is one place's
// histogram at a time, never a merge of several.
package latency

import (
	"time"

	"dynascope/sources"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// Pane is the screen. Its state is the focus, what each part shows, and the
// cursor.
type Pane struct {
	focus int
	shown [2]measure
	// cursor is the picked moment, zero for none. It is a time, not a column:
	// the picture moves under it.
	cursor time.Time
}

// New returns the pane showing TTFT and ITL, the first one focused.
func New() *Pane { return &Pane{shown: [2]measure{ttft, itl}} }

// ID, Title and Short name the pane.
func (*Pane) ID() string    { return "latency" }
func (*Pane) Title() string { return "Latency" }
func (*Pane) Short() string { return "Lat" }

// layout is which measures are drawn whole, in which size, and which as one
// line below.
type layout struct {
	whole   []measure
	columns int // how many stand side by side
	w, h    int // of each
	lines   []measure
	focus   int  // in whole
	four    bool // there is room for every measure, so that none is swapped
}

// The sizes from which on more than the focused part is drawn whole.
const (
	besideWidth  = 110
	belowHeight  = 36
	allWidth     = 200
	allHeight    = 56
	betweenParts = 3
)

func (p *Pane) layout(f pane.Frame) layout {
	all, focus := p.shown[:], p.focus%2
	four := f.W >= allWidth && f.H >= allHeight
	if four {
		all, focus = []measure{ttft, itl, e2e, queue}, p.focus
	}
	l := layout{whole: all[focus : focus+1], columns: 1, w: f.W, h: f.H, four: four}
	switch {
	case f.Zoom || f.H < 2:
	case four:
		l.whole, l.focus, l.columns = all, focus, 2
		l.w, l.h = (f.W-betweenParts)/2, f.H/2
	case f.W >= besideWidth:
		l.whole, l.focus, l.columns = all, focus, 2
		l.w = (f.W - betweenParts) / 2
	case f.H >= belowHeight:
		l.whole, l.focus = all, focus
		l.h = f.H / 2
	default:
		l.h, l.lines = f.H-1, all[1-focus:2-focus]
	}
	return l
}

// Needs asks three questions for a part, two for a part that is one line.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	var out []sources.Need
	l := p.layout(f)
	for _, part := range append(p.parts(f, l), p.summaries(f, l)...) {
		out = append(out, part.needs()...)
	}
	return out
}

// Explain gives what stands under the focus.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	l := p.layout(f)
	return p.parts(f, l)[l.focus].needs()
}

// parts are the measures that are drawn whole.
func (p *Pane) parts(f pane.Frame, l layout) []part {
	out := make([]part, len(l.whole))
	for i, m := range l.whole {
		out[i] = part{reading: m.read(f.Source), frame: f.Size(l.w, l.h), cursor: p.cursor}
		out[i].hint = "tab"
		if i == l.focus {
			out[i].focused, out[i].hint = true, p.hint(l, m)
		}
	}
	return out
}

// summaries are the measures that are one line each.
func (p *Pane) summaries(f pane.Frame, l layout) []part {
	out := make([]part, len(l.lines))
	for i, m := range l.lines {
		out[i] = part{reading: m.read(f.Source), frame: f.Size(f.W, 1), hint: "tab"}
	}
	return out
}

// hint says what enter and esc do to the focused part.
func (p *Pane) hint(l layout, m measure) string {
	slot := p.slot(l, m)
	if slot < 0 {
		return ""
	}
	out := "enter " + p.following(slot).String()
	if home := measure(slot); p.cursor.IsZero() && m != home {
		out += " · esc " + home.String()
	}
	return out
}

// slot is which of the two parts shows a measure, -1 where there is room for
// all of them.
func (p *Pane) slot(l layout, m measure) int {
	if !l.four {
		for i, s := range p.shown {
			if s == m {
				return i
			}
		}
	}
	return -1
}

// following is what enter shows next in a part: its own measure and those that
// have no part, in turn.
func (p *Pane) following(slot int) measure {
	for step := measure(1); step < measures; step++ {
		m := (p.shown[slot] + step) % measures
		if m != p.shown[1-slot] && m != measure(1-slot) {
			return m
		}
	}
	return p.shown[slot]
}

// Press moves the focus, swaps a part's measure, moves the cursor.
func (p *Pane) Press(a pane.Action, f pane.Frame) bool {
	l := p.layout(f)
	on := p.parts(f, l)[l.focus]
	switch a {
	case pane.Focus, pane.Unfocus:
		n := 2
		if l.four {
			n = int(measures)
		}
		by := 1
		if a == pane.Unfocus {
			by = n - 1
		}
		p.focus = (p.focus%n + by) % n
		return true
	case pane.Enter:
		slot := p.slot(l, on.measure)
		if slot < 0 {
			return false
		}
		p.shown[slot] = p.following(slot)
		return true
	case pane.Back:
		return p.back(p.slot(l, on.measure))
	case pane.Left, pane.Right, pane.Top, pane.Bottom:
		return p.move(a, on)
	}
	return false
}

// back clears the cursor, then brings a swapped part's own measure back.
func (p *Pane) back(slot int) bool {
	if !p.cursor.IsZero() {
		p.cursor = time.Time{}
		return true
	}
	if slot < 0 || p.shown[slot] == measure(slot) {
		return false
	}
	p.shown[slot] = measure(slot)
	return true
}

// move puts the cursor on another column of the part. The first press picks
// the newest one.
func (p *Pane) move(a pane.Action, on part) bool {
	c := on.course()
	if c.n == 0 || on.shape().heatH == 0 {
		return false
	}
	i, inside := c.index(p.cursor)
	switch {
	case a == pane.Top:
		i = 0
	case a == pane.Bottom || p.cursor.IsZero():
		i = c.n - 1
	case !inside: // it left the window: back in at its end of it
	case a == pane.Left:
		i--
	default:
		i++
	}
	i = min(max(i, 0), c.n-1)
	if t := c.time(i); !t.Equal(p.cursor) {
		p.cursor = t
		return true
	}
	return false
}

// View draws the parts.
func (p *Pane) View(f pane.Frame) string {
	if f.W <= 0 || f.H <= 0 {
		return cells.Blank(f.W, f.H)
	}
	l := p.layout(f)
	parts := p.parts(f, l)
	var rows []string
	for i := 0; i < len(parts); i += l.columns {
		var row []string
		for _, part := range parts[i:min(i+l.columns, len(parts))] {
			row = append(row, part.view())
		}
		rows = append(rows, cells.Join(f.Styles.Border.Render(" "+f.Styles.G.Or().VLine+" "), row...))
	}
	for _, part := range p.summaries(f, l) {
		rows = append(rows, part.line())
	}
	return cells.Block(cells.Lines(cells.Stack(rows...)), f.W, f.H)
}
