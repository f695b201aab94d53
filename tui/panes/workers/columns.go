package workers

import (
	"math"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// column is one fact about a row: how it is drawn, sorted and filtered by.
type column struct {
	id           string // in filters and orders; empty for a drawing only
	title, short string // head on wide and on narrow screens
	width        int    // fixed, so that columns stand still from tick to tick
	priority     int    // the highest goes first when the screen is narrow
	scale        selection.Scale

	text  func(*row) string // of a column of words
	cell  func(*row) triage.Cell
	value func(*row) (lo, hi float64, ok bool) // of a column of numbers: the ends of what is known
	paint func(*row, pane.Frame, *listing) string

	head cells.Column // as placed on a screen
}

// compare orders two rows by the column.
func (c column) compare(a, b *row, falling bool) int {
	var d int
	if c.text != nil {
		x, y := c.text(a), c.text(b)
		if (x == "") != (y == "") {
			return last(x == "")
		}
		d = strings.Compare(x, y)
	} else {
		alo, ahi, aok := c.value(a)
		blo, bhi, bok := c.value(b)
		if !aok || !bok {
			if aok == bok {
				return 0
			}
			return last(!aok)
		}
		if d = sign(ahi - bhi); d == 0 || ahi == bhi { // two infinite ends differ by NaN
			d = sign(alo - blo)
		}
	}
	if falling {
		return -d
	}
	return d
}

func last(first bool) int {
	if first {
		return 1
	}
	return -1
}

func sign(v float64) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

// needs are the questions behind the column.
func (c column) needs(r *row) []sources.Need {
	if c.cell == nil {
		return nil
	}
	if n := c.cell(r).Need; c.id != "run" {
		return []sources.Need{n}
	}
	return []sources.Need{r.Running.Need, r.MaxRunning.Need}
}

func (c column) draw(r *row, f pane.Frame, l *listing) string { return c.paint(r, f, l) }

// columns are all columns in the order of the table.
func columns() []column {
	requests := func(v float64) string { return text.Cell(v, "requests") }
	return []column{
		marked(words("worker", "worker", 0, 0, func(r *row) string { return r.name })),
		words("role", "role", 8, 3, role),
		words("engine", "engine", 7, 11, func(r *row) string { return r.Engine }),
		words("host", "host:port", 0, 10, func(r *row) string { return r.Instance }),
		{id: "state", title: "state", width: 13, priority: 1, value: stateValue, paint: paintState},
		{id: "age", title: "age", width: 6, priority: 14, scale: selection.Seconds, value: ageValue, paint: paintAge},
		{id: "run", title: "run/max", width: 8, priority: 1,
			cell: func(r *row) triage.Cell { return r.engine(r.Running) }, value: valueOf(func(r *row) triage.Cell { return r.engine(r.Running) }), paint: paintRunning},
		course("running", courseRunning),
		number("queue", "queue", "", 6, 1, selection.Plain, requests, func(r *row) triage.Cell { return r.engine(r.Waiting) }),
		course("queue", courseQueue),
		number("kv", "KV", "", 7, 2, selection.Percent, text.Percent, func(r *row) triage.Cell { return r.engine(r.KV) }),
		number("hit", "hit", "", 7, 8, selection.Percent, text.Percent, func(r *row) triage.Cell { return r.engine(r.Hit) }),
		number("prefill", "prefill tok/s", "pre tok/s", 10, 7, selection.Plain, text.SI, func(r *row) triage.Cell { return r.engine(r.Prefill) }),
		number("decode", "decode tok/s", "dec tok/s", 10, 3, selection.Plain, text.SI, func(r *row) triage.Cell { return r.engine(r.Decode) }),
		bounds("ttft", "TTFT p95", 12, 4, func(r *row) (sources.Bounds, triage.Cell) { return r.TTFT, r.engine(r.TTFTAt) }),
		bounds("itl", "ITL p95", 12, 5, func(r *row) (sources.Bounds, triage.Cell) { return r.ITL, r.engine(r.ITLAt) }),
		number("preempt", "preempt", "", 8, 9, selection.Plain, text.Count, func(r *row) triage.Cell { return r.engine(r.Preemptions) }),
		number("errors", "errors", "", 7, 8, selection.Plain, text.Count, func(r *row) triage.Cell { return r.engine(r.Errors) }),
		number("inflight", "inflight", "", 9, 11, selection.Plain, requests, func(r *row) triage.Cell { return r.engine(r.Inflight) }),
		// The router's own numbers: of now even when the worker's page is dead.
		number("blk", "router blk", "", 11, 12, selection.Plain, requests, func(r *row) triage.Cell { return r.BelievedBlocks }),
		number("tok", "router tok", "", 11, 13, selection.Plain, text.SI, func(r *row) triage.Cell { return r.BelievedPrefill }),
	}
}

func columnOf(id string) (column, bool) {
	for _, c := range columns() {
		if id != "" && c.id == id {
			return c, true
		}
	}
	return column{}, false
}

// columnsFor places the columns on a screen of width w. The sorted one stays
// whatever the width.
func columnsFor(w int, o order, l *listing, marks bool) []column {
	var out []column
	for _, c := range columns() {
		c.head = cells.Column{Title: c.short, Min: c.width, Max: c.width, Priority: c.priority, Align: cells.Right}
		if w >= 200 || c.short == "" {
			c.head.Title = c.title
			c.head.Min = max(c.width, len(c.title)+1)
		}
		switch {
		case c.id == "":
			c.head.Title, c.head.Min = "", sparkWidth(w)
			if c.head.Min == 0 {
				continue
			}
		case c.id == "worker":
			c.head.Min = min(l.nameWidth, 22)
			if marks {
				c.head.Min += 2
			}
		case c.id == "host":
			c.head.Min = min(l.hostWidth, 28)
		}
		c.head.Max = c.head.Min
		if c.text != nil || c.id == "state" || c.id == "" {
			c.head.Align = cells.Left
		}
		if c.id != "" && c.id == o.column {
			c.head.Priority = 0
		}
		out = append(out, c)
	}
	return out
}

func words(id, title string, width, priority int, of func(*row) string) column {
	return column{id: id, title: title, width: width, priority: priority, text: of, paint: func(r *row, f pane.Frame, _ *listing) string {
		s := of(r)
		switch {
		case s == "":
			return figure.None(sources.StatusAbsent, f.Styles)
		case r.old:
			return f.Styles.Stale.Render(s)
		}
		return s
	}}
}

// marked puts the sign of the worst verdict about a worker before its name.
func marked(c column) column {
	paint := c.paint
	c.paint = func(r *row, f pane.Frame, l *listing) string {
		name := paint(r, f, l)
		v, ok := named(f, r)
		switch {
		case ok:
			return f.Styles.Mark(judged.Level(v.Severity)) + " " + name
		case judged.Names(f.Judgement):
			return "  " + name
		}
		return name
	}
	return c
}

func number(id, title, short string, width, priority int, sc selection.Scale, spell func(float64) string, of func(*row) triage.Cell) column {
	return column{
		id: id, title: title, short: short, width: width, priority: priority, scale: sc, cell: of, value: valueOf(of),
		paint: func(r *row, f pane.Frame, _ *listing) string { return paint(of(r), spell, f) },
	}
}

// paint draws a number, dim when it is old.
func paint(c triage.Cell, spell func(float64) string, f pane.Frame) string {
	switch {
	case !c.Has():
		return figure.None(c.Status, f.Styles)
	case c.Status == sources.StatusStale:
		return f.Styles.Stale.Render(spell(c.V))
	}
	return f.Styles.Value.Render(spell(c.V))
}

// valueOf is a number to sort and filter by. What a worker that is gone said
// last is no longer a fact about the deployment.
func valueOf(of func(*row) triage.Cell) func(*row) (lo, hi float64, ok bool) {
	return func(r *row) (float64, float64, bool) {
		c := of(r)
		return c.V, c.V, c.Has() && !r.gone
	}
}

// bounds is a quantile: the bucket it lies in.
func bounds(id, title string, width, priority int, of func(*row) (sources.Bounds, triage.Cell)) column {
	return column{
		id: id, title: title, width: width, priority: priority, scale: selection.Seconds,
		cell: func(r *row) triage.Cell { _, c := of(r); return c },
		value: func(r *row) (float64, float64, bool) {
			b, _ := of(r)
			return b.Lo, b.Hi, b.N > 0 && !r.gone
		},
		paint: func(r *row, f pane.Frame, _ *listing) string {
			b, c := of(r)
			return figure.Bounds(b, "seconds", c.Status, f.Styles)
		},
	}
}

func role(r *row) string {
	if r.Role == "aggregated" {
		return "agg"
	}
	return r.Role
}

// states in the order in which they want a look.
var states = [...]sources.WorkerState{
	sources.WorkerUp, sources.WorkerStandalone, sources.WorkerUnlisted, sources.WorkerUnscraped, sources.WorkerStale, sources.WorkerGone,
}

func stateValue(r *row) (lo, hi float64, ok bool) {
	for i, s := range states {
		if s == r.State {
			return float64(i), float64(i), true
		}
	}
	return math.NaN(), math.NaN(), false
}

func paintState(r *row, f pane.Frame, _ *listing) string {
	word := string(r.State)
	switch {
	case r.late(): // up by its last scrape, which is too long ago to be now
		return f.Styles.Stale.Render(f.Styles.G.Or().Stale + " " + word + " " + text.Age(r.age) + " ago")
	case r.old && r.aged:
		word += " " + text.Age(r.age)
	}
	return stateSign(r.State, f.Styles) + " " + stateStyle(r.State, f.Styles).Render(word)
}

func ageValue(r *row) (lo, hi float64, ok bool) {
	return r.age.Seconds(), r.age.Seconds(), r.aged
}

func paintAge(r *row, f pane.Frame, _ *listing) string {
	switch {
	case !r.aged:
		return figure.None(sources.StatusAbsent, f.Styles)
	case r.old:
		return f.Styles.Stale.Render(text.Age(r.age))
	}
	return f.Styles.Value.Render(text.Age(r.age))
}

// paintRunning draws the batch beside its limit.
func paintRunning(r *row, f pane.Frame, _ *listing) string {
	requests := func(v float64) string { return text.Cell(v, "requests") }
	running := r.engine(r.Running)
	out := paint(running, requests, f)
	if most := r.engine(r.MaxRunning); running.Has() && most.Has() {
		out += f.Styles.Dim.Render("/" + requests(most.V))
	}
	return out
}
