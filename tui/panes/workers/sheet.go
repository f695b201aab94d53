package workers

import (
	"fmt"
	"math"
	"strings"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/chart"
	"dynascope/tui/figure"
	"dynascope/tui/pane"
)

// sheetCourses are the numbers that the sheet draws over time.
var sheetCourses = [...]struct {
	title string
	need  sources.Need
	spell func(float64) string
	of    func(*row) triage.Cell
	full  float64 // the end of the scale where there is a natural one
}{
	{"running", courseRunning, func(v float64) string { return text.Value(v, "requests") }, func(r *row) triage.Cell { return r.Running }, 0},
	{"queue", courseQueue, func(v float64) string { return text.Value(v, "requests") }, func(r *row) triage.Cell { return r.Waiting }, 0},
	{"KV", courseKV, text.Percent, func(r *row) triage.Cell { return r.KV }, 1},
	{"decode", courseDecode, func(v float64) string { return text.Rate(v, "tokens") }, func(r *row) triage.Cell { return r.Decode }, 0},
}

// byRouter is how the router's own numbers are grouped.
const byRouter = "worker_id,dp_rank"

// wide is the width from which the sheet has two columns.
const wide = 120

// sheetSpark is the width of the sheet's courses on a screen of width w.
func sheetSpark(w int) int {
	if w >= wide {
		w /= 2
	}
	return min(max(w-40, 10), 60)
}

// sheetRows is how many lines of the sheet an area of height h shows below its
// title.
func sheetRows(h int) int { return max(h-2, 1) }

// sheet draws the facts about the cursor's worker, scrolled.
func (p *Pane) sheet(f pane.Frame, l *listing) string {
	s := f.Styles
	r := l.row(p.cursor.Key)
	if r == nil {
		name := text.Clean(p.cursor.Key.worker, 32)
		return cells.Message(s.Dim.Render("worker "+name+" is not known at this moment. hint: esc goes back to the table"), f.W, f.H)
	}
	lines := p.sheetLines(f, l)
	rows := sheetRows(f.H)
	first := min(max(p.scroll, 0), max(len(lines)-rows, 0))
	last := min(first+rows, len(lines))
	more := ""
	if last-first < len(lines) {
		more = s.Faint.Render(fmt.Sprintf("%d–%d of %d", first+1, last, len(lines)))
	}
	title := cells.Line(f.W,
		cells.L(s.Title.Render("worker "+r.name), 0), cells.L(paintState(r, f, l), 0), cells.L(s.Dim.Render(role(r)), 3), cells.L(s.Dim.Render(r.Engine), 3),
		cells.R(more, 2), cells.R(s.Dim.Render("esc back  n N next, previous"), 4))
	return cells.Block(append([]string{title, ""}, lines[first:last]...), f.W, f.H)
}

// sheetLines are the facts, in two columns where there is room.
func (p *Pane) sheetLines(f pane.Frame, l *listing) []string {
	r := l.row(p.cursor.Key)
	if r == nil || f.W <= 0 {
		return nil
	}
	verdicts := sheetVerdicts(f, r)
	if f.W < wide {
		out := append(verdicts, sheetOverTime(f, l, r, f.W)...)
		out = append(out, sheetNumbers(f, l, r, f.W)...)
		out = append(out, sheetIdentity(f, r, f.W)...)
		return append(out, sheetBelow(f, r, f.W)...)
	}
	left := f.W/2 - 2
	right := f.W - left - 3
	a := append(sheetIdentity(f, r, left), "")
	a = append(a, sheetOverTime(f, l, r, left)...)
	b := sheetNumbers(f, l, r, right)
	h := max(len(a), len(b))
	top := cells.Lines(cells.Join("   ", cells.Block(a, left, h), cells.Block(b, right, h)))
	return append(append(verdicts, top...), sheetBelow(f, r, f.W)...)
}

// pairs lays names and words below each other.
func pairs(f pane.Frame, w int, rows [][]cells.Cell) []string {
	t := cells.Table{
		Columns: []cells.Column{{Min: 22, Max: 22}, {Min: 16}, {Min: 8, Priority: 1}},
		Rows:    rows, Selected: cells.None, NoHeader: true, Styles: f.Styles, Gap: 1,
	}
	return cells.Lines(t.View(w, len(rows)))
}

// sheetIdentity is who the worker is.
func sheetIdentity(f pane.Frame, r *row, w int) []string {
	s := f.Styles
	lastGood := ""
	if r.aged {
		lastGood = text.Clock(f.Now().Add(-r.age)) + ", " + text.Age(r.age) + " ago"
	}
	ranks := "dp " + r.Rank
	if len(r.Ranks) > 1 {
		var all []string
		for _, k := range r.Ranks {
			all = append(all, text.Clean(k, 8))
		}
		ranks += " of " + strings.Join(all, ", ")
	}
	var rows [][]cells.Cell
	for _, fact := range [][2]string{
		{"id, hexadecimal", r.ID}, {"id, decimal", r.Decimal}, {"namespace", r.Namespace}, {"component", r.Component},
		{"role", r.Role}, {"model", r.Model}, {"engine", r.Engine}, {"instance", r.Instance}, {"rank", ranks},
		{"state", stateWords(r.State)}, {"last good scrape", lastGood},
	} {
		value := s.Value.Render(fact[1])
		if fact[1] == "" {
			value = figure.None(sources.StatusAbsent, s)
		}
		rows = append(rows, []cells.Cell{cells.Styled(fact[0], s.Label), cells.Text(value)})
	}
	return append([]string{cells.Rule("identity", w, s)}, pairs(f, w, rows)...)
}

// stateWords says what a state rests on.
func stateWords(st sources.WorkerState) string {
	switch st {
	case sources.WorkerUp:
		return "up: its page answers"
	case sources.WorkerStale:
		return "stale: its page stopped answering"
	case sources.WorkerGone:
		return "gone: its page is dead, and the router dropped it"
	case sources.WorkerUnscraped:
		return "unscraped: the router lists it, no target is its page"
	case sources.WorkerUnlisted:
		return "unlisted: its page answers, the router does not list it"
	case sources.WorkerStandalone:
		return "standalone: an engine without Dynamo"
	}
	return string(st)
}

// sheetNumbers are all numbers of the row with their units, each with what
// stands behind it: live, its age, or why there is none.
func sheetNumbers(f pane.Frame, l *listing, r *row, w int) []string {
	in := func(unit string) func(float64) string {
		return func(v float64) string { return text.Value(v, unit) }
	}
	rate := func(unit string) func(float64) string {
		return func(v float64) string { return text.Rate(v, unit) }
	}
	number := func(title string, spell func(float64) string, c triage.Cell) []cells.Cell {
		return []cells.Cell{cells.Styled(title, f.Styles.Label), cells.Text(paint(c, spell, f)), cells.Styled(statusWords(f, r, c), f.Styles.Dim)}
	}
	quantile := func(title string, b sources.Bounds, c triage.Cell) []cells.Cell {
		note := statusWords(f, r, c)
		if b.N > 0 {
			note += ", n " + text.Count(b.N)
			if !b.Enough {
				note += fmt.Sprintf(" (p95 wants %.0f)", sources.LeastSamples(b.Q))
			}
		}
		return []cells.Cell{cells.Styled(title, f.Styles.Label), cells.Text(figure.Bounds(b, "seconds", c.Status, f.Styles)), cells.Styled(note, f.Styles.Dim)}
	}
	part := func(title string, rows ...[]cells.Cell) []string {
		return append([]string{cells.Rule(title, w, f.Styles)}, pairs(f, w, rows)...)
	}
	out := part("engine, this rank",
		number("running", in("requests"), r.engine(r.Running)),
		number("most running", in("requests"), r.engine(r.MaxRunning)),
		number("queue", in("requests"), r.engine(r.Waiting)),
		number("KV used", text.Percent, r.engine(r.KV)),
		number("prefix cache hits", text.Percent, r.engine(r.Hit)),
		number("prefill", rate("tokens"), r.engine(r.Prefill)),
		number("decode", rate("tokens"), r.engine(r.Decode)),
		number("preempted, retracted", text.Count, r.engine(r.Preemptions)),
	)
	seconds := in("seconds")
	way := triage.EnginePathOf(f.Snap, r.Worker)
	out = append(out, part("engine, all ranks",
		quantile("TTFT p95", r.TTFT, r.engine(r.TTFTAt)),
		number("TTFT mean", seconds, r.engine(way.TTFT)),
		number("  of it queue", seconds, r.engine(way.Queue)),
		number("  of it prefill", seconds, r.engine(way.Prefill)),
		number("  of it KV transfer", seconds, r.engine(way.Transfer)),
		quantile("ITL p95", r.ITL, r.engine(r.ITLAt)),
		number("ITL mean", seconds, r.engine(way.ITL)),
	)...)
	out = append(out, part("runtime, all ranks",
		number("requests inside", in("requests"), r.engine(r.Inflight)),
		number("arrivals", rate("requests"), r.engine(r.Arrivals)),
		number("errors", text.Count, r.engine(r.Errors)),
	)...)
	return append(out, part("router's book-keeping",
		number("active blocks", in("blocks"), r.BelievedBlocks),
		number("prefill in flight", in("tokens"), r.BelievedPrefill),
	)...)
}

// statusWords says what a number rests on, or why there is none.
func statusWords(f pane.Frame, r *row, c triage.Cell) string {
	fig := f.Snap.Figure(c.Need)
	switch c.Status {
	case sources.StatusOK:
		return "live" + window(fig)
	case sources.StatusStale:
		at := c.At
		if r.old && r.aged && f.Now().Sub(at) < r.age {
			at = f.Now().Add(-r.age)
		}
		return "stale, " + text.Age(f.Now().Sub(at)) + " old"
	case sources.StatusIdle:
		return "idle: nothing happened" + window(fig)
	case sources.StatusNaN:
		return "not a number"
	case sources.StatusPending:
		return "pending: not scraped often enough yet"
	case sources.StatusError:
		return text.Safe("error: "+fig.Err, 160)
	}
	switch {
	case r.address == "" && c.Need.By != byRouter:
		return "absent: its page is not scraped"
	case r.old && c.Need.By != byRouter:
		return "absent: its page stopped answering"
	case fig.HasValue():
		return "absent: other workers have it"
	case fig.Note != "":
		return text.Clean("absent: "+fig.Note, 160)
	case len(fig.Tried) > 0:
		return text.Clean("absent: no "+strings.Join(fig.Tried, ", "), 160)
	}
	return "absent"
}

func window(fig *sources.Figure) string {
	if fig.Window <= 0 {
		return ""
	}
	return " in " + text.Age(fig.Window)
}

// sheetOverTime draws the courses over the window, all from zero.
func sheetOverTime(f pane.Frame, l *listing, r *row, w int) []string {
	n := sheetSpark(f.W)
	span, step := f.Columns(n)
	title := fmt.Sprintf("over %s, %s a column", text.Age(span), text.Age(step))
	if span == time.Duration(n)*time.Second {
		title = "over " + text.Age(span)
	}
	out := []string{cells.Rule(title, w, f.Styles)}
	st := f.Styles.Theme.Bar
	if r.old {
		st = f.Styles.Stale
	}
	for _, c := range sheetCourses {
		points := l.points(c.need, r, f, n)
		label := f.Styles.Label.Render(cells.Fit(c.title, 8))
		if points == nil {
			out = append(out, label+figure.None(f.Snap.Figure(c.need.Over(span, step)).Status, f.Styles))
			continue
		}
		most := math.Inf(-1)
		for _, v := range points {
			if !math.IsNaN(v) {
				most = max(most, v)
			}
		}
		out = append(out, label+chart.Spark(points, n, chart.SparkOpts{Zero: true, Hi: c.full, Style: st, Glyphs: f.Styles.G})+
			"  "+paint(r.engine(c.of(r)), c.spell, f)+f.Styles.Dim.Render("  most "+c.spell(most)))
	}
	return out
}
