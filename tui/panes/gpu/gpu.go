// Package gpu is the screen of all GPUs, whoever shows them, NVML or an
// exporter: how busy each is and how full, what it draws and why its clocks
// are held down, its errors, its MIG instances, the processes on it and the
// worker that each serves; a fleet is summed up by host first.
//
// It asks no driver and judges nothing itself: what wants a look, in words, is
// triage's. What no figure proves, such as the worker of a process, is left
// open or marked as a guess.
package gpu

import (
	"fmt"
	"slices"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// Pane is the GPU screen. Its cursors stay on a host and a GPU, not on a place.
type Pane struct {
	filter selection.Filter[*row]

	hosts list // of the fleet
	gpus  list // of one host, or of all when they fit

	inHost bool   // one host of the fleet is drilled into
	host   string // which one

	open   bool // the sheet of the cursor's GPU lies over the table
	scroll int  // of the sheet

	memo listing // what was worked out for the last snapshot
}

// list is the cursor and the order of one table.
type list struct {
	order  order
	cursor selection.Cursor[string]
	offset int // the first row drawn
}

// reset puts the cursor on a row, wherever it stands, or on none.
func (at *list) reset(id string) {
	at.cursor, at.offset = selection.Cursor[string]{Key: id}, 0
}

// New returns the pane with GPUs by number and hosts worst first.
func New() *Pane { return &Pane{} }

// ID is "gpu".
func (*Pane) ID() string { return "gpu" }

// Title is the tab's text.
func (*Pane) Title() string { return "GPU" }

// Short is the tab's text on narrow screens.
func (*Pane) Short() string { return "GPU" }

// level is which table is on screen.
type level int

const (
	levelGPUs  level = iota // all GPUs, or those of one host
	levelHosts              // a row a host
)

// level follows from what fits: GPUs of several hosts that do not are summed
// up by host.
func (p *Pane) level(f pane.Frame, l *listing) level {
	if len(l.hosts) < 2 || p.inHost || len(l.rows) <= f.H-headLines(f.H)-1 {
		return levelGPUs
	}
	return levelHosts
}

// Needs are three questions as long as there is no GPU, then the figures of
// the table and the courses that are drawn: each one question for all GPUs.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	out := triage.GPUIdentityNeeds()
	l := p.listing(f)
	if len(l.rows) == 0 {
		return out
	}
	out = append(out, triage.GPUTableNeeds()...)
	v := p.parts(f, l)
	if v.detail.h > 0 {
		out = append(out, triage.GPUSheetNeeds()...)
		for _, fig := range v.detail.figures() {
			out = append(out, course(fig, f, v.detail.columns(f)))
		}
	}
	if n := sparkWidth(f.W); n > 0 && v.table > 0 {
		if v.level == levelHosts {
			out = append(out, hostCourse(f, n))
		} else {
			out = append(out, course(triage.GPUUtil, f, n))
		}
	}
	return distinct(out)
}

func distinct(needs []sources.Need) []sources.Need {
	seen := make(map[sources.Need]bool, len(needs))
	return slices.DeleteFunc(needs, func(n sources.Need) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// parts are the heights on screen.
type parts struct {
	level  level
	head   int
	table  int
	detail detail // of the GPU under the cursor; no height when it is not drawn
}

// leastDetail is the height from which the GPU under the cursor is drawn below
// its table.
const leastDetail = 10

func (p *Pane) parts(f pane.Frame, l *listing) parts {
	if p.open {
		return parts{detail: detail{w: f.W, h: max(f.H-2, 0)}}
	}
	v := parts{level: p.level(f, l), head: headLines(f.H)}
	v.table = f.H - v.head
	if v.level == levelHosts || f.Zoom {
		return v
	}
	// The table keeps its rows and a blank line.
	if rest := v.table - len(l.scope) - 2; rest >= leastDetail && len(l.scope) > 0 {
		v.table -= rest
		v.detail = detail{w: f.W, h: rest - 1} // below its title
	}
	return v
}

// View draws a table and, where there is room, the GPU under the cursor below
// it; or the sheet of one GPU.
func (p *Pane) View(f pane.Frame) string {
	if f.W <= 0 || f.H <= 0 {
		return cells.Blank(f.W, f.H)
	}
	l := p.listing(f)
	if len(l.rows) == 0 {
		return none(f)
	}
	if p.open {
		return p.sheet(f, l)
	}
	v := p.parts(f, l)
	head := p.head(f, l, v.level)
	out := []string{cells.Block(head, f.W, len(head))}
	if v.level == levelHosts {
		shown := l.shownHosts
		out = append(out, draw(&p.hosts, hostColumns(f, l), shown, f, v.table, p.empty(l)))
	} else {
		shown := l.shownGPUs
		out = append(out, draw(&p.gpus, p.gpuColumns(f, l), shown, f, v.table, p.empty(l)))
		if i := p.gpus.cursor.Place(names(shown)); v.detail.h > 0 && i >= 0 {
			out = append(out, p.below(f, l, shown[i], v.detail))
		}
	}
	return cells.Block(cells.Lines(cells.Stack(out...)), f.W, f.H)
}

// empty is why a table has no rows.
func (p *Pane) empty(l *listing) string {
	if p.inHost && len(l.scope) == 0 {
		return "host " + text.Clean(p.host, 40) + " shows no GPU at this moment. hint: esc goes back to all hosts"
	}
	return "no GPU matches " + cells.Strip(p.filter.Text) + ". hint: esc clears the filter"
}

// Explain are the questions under the sorted column first, then those of the
// other columns and of the sheet.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	l := p.listing(f)
	asked := p.Needs(f)
	if len(l.rows) == 0 {
		return asked
	}
	var out []sources.Need
	if p.level(f, l) == levelHosts && !p.open {
		out = explainColumns(p.hosts.order, allHostColumns())
	} else {
		out = explainColumns(p.gpus.order, allGPUColumns())
	}
	out = distinct(append(out, asked...))
	return slices.DeleteFunc(out, func(n sources.Need) bool { return !slices.Contains(asked, n) })
}

// SetFilter takes terms that a GPU must all satisfy; see language. With an error
// the filter in force stays. A host is shown when one of its GPUs is.
func (p *Pane) SetFilter(text string) error { return p.filter.Set(language(), text) }

// Filter is the filter in force.
func (p *Pane) Filter() string { return p.filter.Text }

// headLines is how many lines stand above the table in an area of height h.
func headLines(h int) int {
	switch {
	case h < 5:
		return 0
	case h < 10:
		return 1
	case h < 30:
		return 2
	default:
		return 3 // with a blank one
	}
}

// plural counts things: "1 GPU", "8 GPUs".
func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
