// Package routing is the screen of the way from the frontend to a worker: the
// stages that frontend and router export, how well the router's picture of the
// workers fits, what waits in its queue, the health of its index, and the
// planner.
//
// It judges nothing but what triage marks, and adds up no stage that encloses
// another.
package routing

import (
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// part is a piece of the screen that can have the focus.
type part int

const (
	partStages part = iota
	partShares
	partCache
	partQueue
	partBelief
	partIndex
	partPlanner
	parts // how many there are
)

var titles = [parts]string{"stages", "shares of the stages' time", "prefix reuse", "queue and admission", "router's belief and the engine's numbers", "KV index", "planner"}

// Pane is the screen. The cursor of each part names what it stands on: rows
// come and go under it. An empty one stands on nothing.
type Pane struct {
	focus  part
	cursor [parts]string
	filter string // of the workers
	order  int    // of the workers, a place in orders

	memo listing // what was worked out for the last snapshot
}

// listing is the rows of one snapshot in one dress, worked out once.
type listing struct {
	snap   *sources.Snapshot
	course triage.Course
	brief  bool
	filter string
	order  int
	dress  dress

	lines  [parts][]line // nil until drawn
	stages []triage.RoutingStage
	absent []triage.RoutingStage
	quiet  []triage.RoutingStage // left out where rows are dear: nothing visits them, or their numbers stand elsewhere
	belief []believed
	lost   []string // ids that are no worker
}

// dress is what lines look like.
type dress struct {
	theme          string
	noColor, ascii bool
}

func (p *Pane) listing(f pane.Frame) *listing {
	l := &p.memo
	d := dress{f.Styles.Name, f.Styles.NoColor, f.Styles.G.ASCII}
	brief := f.H < titledRows
	if l.snap == f.Snap && l.course == course(f) && l.dress == d && l.brief == brief && l.filter == p.filter && l.order == p.order {
		return l
	}
	*l = listing{snap: f.Snap, course: course(f), dress: d, brief: brief, filter: p.filter, order: p.order}
	plain := triage.RouterModeOf(f.Snap) == triage.ModePlain
	for _, st := range triage.RoutingStages(f.Snap, l.course) {
		switch quiet := st.Status == sources.StatusIdle || st.Part == triage.Again; {
		case st.Status == sources.StatusAbsent:
			l.absent = append(l.absent, st)
		case brief && quiet, plain && st.Status == sources.StatusIdle && strings.HasPrefix(st.Key, "router."):
			l.quiet = append(l.quiet, st)
		default:
			l.stages = append(l.stages, st)
		}
	}
	if len(l.stages) == 0 {
		l.stages, l.quiet = l.quiet, nil
	}
	l.belief, l.lost = p.beliefs(f)
	return l
}

// New returns the pane with the stages focused.
func New() *Pane { return &Pane{} }

// ID is "routing".
func (*Pane) ID() string { return "routing" }

// Title is the tab's text.
func (*Pane) Title() string { return "Routing" }

// Short is the tab's text on narrow screens.
func (*Pane) Short() string { return "Rout" }

// Needs are the questions of the parts on screen: about a hundred, a quarter
// of them courses, however many workers there are.
func (p *Pane) Needs(f pane.Frame) []sources.Need {
	l := p.layout(f)
	out := headNeeds()
	for i := range parts {
		if l.areas[i].h > 0 {
			out = append(out, needsOf(i, f)...)
		}
	}
	return distinct(out)
}

func needsOf(i part, f pane.Frame) []sources.Need {
	switch i {
	case partStages, partShares:
		return triage.RoutingStageNeeds(f.Snap, course(f))
	case partCache:
		return cacheNeeds(f)
	case partQueue:
		return queueNeeds(f)
	case partBelief:
		return triage.BeliefNeeds()
	case partIndex:
		return indexNeeds()
	default:
		return plannerNeeds(f)
	}
}

// course is the axis of the courses.
func course(f pane.Frame) triage.Course {
	have := f.Window
	if f.Snap != nil {
		have = f.Snap.Have
	}
	return triage.RoutingCourse(f.Window, have)
}

// Explain are the questions under the cursor, then those of its part.
func (p *Pane) Explain(f pane.Frame) []sources.Need {
	var first []sources.Need
	switch p.focus {
	case partStages, partShares:
		for _, st := range p.rows(f) {
			if st.Key == p.cursor[partStages] {
				first = st.Needs
			}
		}
	case partBelief:
	default:
		for _, l := range p.lines(p.focus, f) {
			if l.id == p.cursor[p.focus] {
				first = l.needs
			}
		}
	}
	asked := map[sources.Need]bool{} // a part may have no room
	for _, n := range p.Needs(f) {
		asked[n] = true
	}
	all := append(slices.Clone(first), needsOf(p.focus, f)...)
	return slices.DeleteFunc(distinct(append(all, headNeeds()...)), func(n sources.Need) bool { return !asked[n] })
}

func distinct(needs []sources.Need) []sources.Need {
	seen := make(map[sources.Need]bool, len(needs))
	return slices.DeleteFunc(needs, func(n sources.Need) bool {
		again := seen[n]
		seen[n] = true
		return again
	})
}

// View draws the parts.
func (p *Pane) View(f pane.Frame) string {
	if f.W <= 0 || f.H <= 0 {
		return cells.Blank(f.W, f.H)
	}
	l := p.layout(f)
	var blocks [parts]string
	for i := range parts {
		if a := l.areas[i]; a.h > 0 {
			blocks[i] = p.draw(i, f, a, l.titled)
		}
	}
	head := ""
	if l.head > 0 {
		head = cells.Block(p.head(f, f.W), f.W, l.head)
	}
	if l.alone {
		return cells.Block(cells.Lines(cells.Stack(head, blocks[p.focus])), f.W, f.H)
	}
	stack := func(list []part) string {
		var out []string
		for _, i := range list {
			out = append(out, blocks[i])
		}
		return cells.Stack(out...)
	}
	body := stack(l.left)
	if len(l.right) > 0 {
		sep := f.Styles.Border.Render(" " + f.Styles.G.Or().VLine + " ")
		body = cells.Join(sep, body, stack(l.right))
	}
	return cells.Block(cells.Lines(cells.Stack(head, stack(l.top), body)), f.W, f.H)
}

// draw draws one part in its area, with a titled line where there is room.
func (p *Pane) draw(i part, f pane.Frame, a area, titled bool) string {
	title := ""
	if titled {
		st := f.Styles.Title
		if p.focus == i {
			st = f.Styles.Accent
		}
		note := p.note(i, f)
		title = cells.Rule(st.Render(titles[i])+f.Styles.Dim.Render(note), a.w, f.Styles)
		a.h--
	}
	if a.h <= 0 {
		return title
	}
	var body string
	switch i {
	case partStages:
		body = p.drawStages(f, a)
	case partShares:
		body = p.drawShares(f, a)
	case partBelief:
		body = p.drawBelief(f, a)
	default:
		body = p.drawLines(i, f, a)
	}
	return cells.Stack(title, body)
}

// SetFilter takes text that a worker's name, ids, address, role or engine must
// contain; the belief table shows only those.
func (p *Pane) SetFilter(s string) error {
	p.filter = strings.ToLower(strings.TrimSpace(text.Clean(s, 80)))
	return nil
}

// Filter is the filter in force.
func (p *Pane) Filter() string { return p.filter }

// note is what stands behind a part's title.
func (p *Pane) note(i part, f pane.Frame) string {
	switch i {
	case partStages:
		for _, st := range p.rows(f) {
			if st.Key == p.cursor[partStages] && st.Note != "" {
				return "  " + st.Note
			}
		}
	case partShares:
		return "  " + span(course(f).Span) + ", without enclosing ones"
	case partBelief:
		note := "  " + orders[p.order].name
		if p.filter != "" {
			note += ", filter " + cells.Strip(p.filter)
		}
		return note
	}
	if allModels(i, f) {
		return "  all models"
	}
	return ""
}

// allModels says whether a figure of the part covers more than the picked
// model.
func allModels(i part, f pane.Frame) bool {
	for _, n := range needsOf(i, f) {
		if fig := f.Snap.Figure(n); fig.AllModels && fig.HasValue() {
			return true
		}
	}
	return false
}
