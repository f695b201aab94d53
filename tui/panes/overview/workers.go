package overview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
	"dynascope/tui/figure"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
)

// item names a row over ticks: a worker, by id or by address where it has
// none, and its DP rank.
type item struct{ worker, rank string }

func itemOf(r *triage.WorkerRow) item { return item{cmp.Or(r.ID, r.Instance), r.Rank} }

// items are the names of rows.
func items(rows []triage.WorkerRow) []item {
	out := make([]item, len(rows))
	for i := range rows {
		out[i] = itemOf(&rows[i])
	}
	return out
}

// workerKeys are the figures of the compact rows, out of those that the join
// can read.
var workerKeys = map[string]bool{
	"engine.running": true, "engine.max_running": true, "model.max_num_seqs": true, "engine.waiting": true,
	"engine.kv_usage": true, "engine.decode_tokens": true, "engine.prefill_tokens": true,
}

func workerNeeds() []sources.Need {
	return slices.DeleteFunc(triage.WorkerNeeds(), func(n sources.Need) bool { return !workerKeys[n.Key] })
}

// Widths of a row and its pieces.
const (
	leastRow   = 66
	roleWord   = 74 // from here on roles are words
	runWidth   = 12
	queueWidth = 7
	kvWidth    = 9
	tokWidth   = 12
	stateLeast = 9
	rowGap     = 3
)

func workerCols(w int) int { return max((w+rowGap)/(leastRow+rowGap), 1) }

// workersHeight is how many lines all workers would take, the title included.
func workersHeight(s *sources.Snapshot, w int) int {
	n := 0
	if s != nil {
		for _, wk := range s.Workers {
			n += len(wk.Ranks)
		}
	}
	return 1 + max((n+workerCols(w)-1)/workerCols(w), 1)
}

// busiest are the rows by queue, KV and running, those that a verdict names
// before all; those whose page no longer answers are last.
func busiest(f pane.Frame) []triage.WorkerRow {
	rows := triage.WorkerRows(f.Snap)
	worst := map[item]int{}
	for i := range rows {
		if v, ok := named(f, &rows[i]); ok {
			worst[itemOf(&rows[i])] = int(v.Severity)
		}
	}
	slices.SortStableFunc(rows, func(a, b triage.WorkerRow) int {
		return cmp.Or(
			cmp.Compare(worst[itemOf(&b)], worst[itemOf(&a)]),
			cmp.Compare(presence(&a), presence(&b)),
			falling(a.Waiting, b.Waiting), falling(a.KV, b.KV), falling(a.Running, b.Running))
	})
	return rows
}

func presence(r *triage.WorkerRow) int {
	switch r.State {
	case sources.WorkerStale:
		return 1
	case sources.WorkerGone:
		return 2
	}
	return 0
}

// falling compares so that the greater is first and what has no number last.
func falling(a, b triage.Cell) int {
	switch {
	case a.Has() && b.Has():
		return cmp.Compare(b.V, a.V)
	case a.Has():
		return -1
	case b.Has():
		return 1
	}
	return 0
}

// drawWorkers draws a title and as many rows as fit, the cursor's among them,
// column by column.
func (p *Pane) drawWorkers(f pane.Frame, a area) string {
	st := f.Styles
	rows := busiest(f)
	lines := []string{p.workersTitle(f, rows, a.w)}
	if len(rows) == 0 {
		why := "no workers: no router lists one, and no target is a worker's page"
		if f.Snap == nil {
			why = "waiting for the first answer"
		}
		return cells.Stack(cells.Block(lines, a.w, min(1, a.h)), cells.Message(st.Dim.Render(why), a.w, a.h-1))
	}
	cols, h := workerCols(a.w), max(a.h-1, 0)
	more := len(rows) > cols*h
	if more && h > 1 {
		h--
	}
	at := p.worker.Place(items(rows))
	fits := cols * h
	first := 0
	if at >= fits {
		first = min(at-fits+1, max(len(rows)-fits, 0))
	}
	shown := rows[first:min(first+fits, len(rows))]
	w := (a.w - rowGap*(cols-1)) / cols
	sh := shapeOf(f, rows, w)
	var blocks []string
	for i := 0; i < len(shown) && h > 0; i += h {
		var column []string
		for k := i; k < min(i+h, len(shown)); k++ {
			line := cells.Fit(sh.row(f, &shown[k]), w)
			if first+k == at && p.focus == partWorkers && p.worker.Placed() {
				line = st.Select.Render(cells.Fit(cells.Strip(line), w))
			}
			column = append(column, line)
		}
		blocks = append(blocks, cells.Block(column, w, len(column)))
	}
	lines = append(lines, cells.Lines(cells.Join(strings.Repeat(" ", rowGap), blocks...))...)
	if more {
		note := fmt.Sprintf("%s %d more", st.G.Or().Ellipsis, len(rows)-len(shown))
		if first > 0 {
			note = fmt.Sprintf("%d–%d of %d", first+1, first+len(shown), len(rows))
		}
		lines = append(lines, st.Faint.Render(note))
	}
	return cells.Block(lines, a.w, a.h)
}

func (p *Pane) workersTitle(f pane.Frame, rows []triage.WorkerRow, w int) string {
	title := "workers (busiest first)"
	if anyNamed(f, rows) {
		title = "workers (named by a verdict, then busiest first)"
	} else if w >= 100 {
		title = "workers (busiest first: queue, KV, running)"
		if slices.ContainsFunc(rows, func(r triage.WorkerRow) bool { return r.Role == "prefill" }) {
			title += " " + f.Styles.G.Or().Sep + " tok/s: decoded, of prefill workers prefilled"
		}
	}
	if p.focus == partWorkers {
		title = f.Styles.Accent.Render(title)
	}
	return cells.Rule(title, w, f.Styles)
}

// shape is the widths that all rows share.
type shape struct {
	name, role, rank int
	marks            bool // a verdict names one of them
	tok, state       int  // 0 where there is no room
}

func shapeOf(f pane.Frame, rows []triage.WorkerRow, w int) shape {
	s := shape{name: 4, role: 1, marks: anyNamed(f, rows)}
	if w >= roleWord {
		s.role = len("prefill")
	}
	for i := range rows {
		s.name = max(s.name, cells.Width(name(&rows[i])))
		if len(rows[i].Ranks) > 1 {
			s.rank = max(s.rank, len("dp")+cells.Width(text.Clean(rows[i].Rank, 8)))
		}
	}
	s.name = min(s.name, 16)
	if s.marks {
		w -= 2
	}
	rest := w - s.name - s.role - runWidth - queueWidth - kvWidth - 4
	if s.rank > 0 {
		rest -= s.rank + 1
	}
	if rest >= tokWidth+1 {
		s.tok = tokWidth
		rest -= tokWidth + 1
	}
	if rest > stateLeast {
		s.state = rest - 1
	}
	return s
}

func name(r *triage.WorkerRow) string {
	return cmp.Or(text.Clean(cmp.Or(r.Short, r.ID, r.Instance), 40), "?")
}

func role(r *triage.WorkerRow, w int) string {
	word := text.Clean(r.Role, 16)
	switch {
	case word == "":
		return " "
	case w > 1 && word == "aggregated":
		return "agg"
	}
	return cells.Clip(word, w)
}

// row draws one worker's rank.
func (s shape) row(f pane.Frame, r *triage.WorkerRow) string {
	st := f.Styles
	old := presence(r) > 0
	number := func(c triage.Cell, spell func(float64) string) string {
		switch {
		case !c.Has():
			return figure.None(c.Status, st)
		case old || c.Status == sources.StatusStale:
			return st.Stale.Render(spell(c.V))
		}
		return st.Value.Render(spell(c.V))
	}
	requests := func(v float64) string { return text.Cell(v, "requests") }
	title := st.Value
	if old {
		title = st.Stale
	}
	letter := role(r, s.role)
	if s.role == 1 && letter != " " {
		letter = string([]rune(text.Clean(r.Role, 16))[:1])
	}
	out := []string{cells.Fit(title.Render(name(r)), s.name), cells.Fit(st.Dim.Render(letter), s.role)}
	if s.rank > 0 {
		rank := ""
		if len(r.Ranks) > 1 {
			rank = "dp" + text.Clean(r.Rank, 8)
		}
		out = append(out, cells.Fit(st.Dim.Render(rank), s.rank))
	}
	running := number(r.Running, requests)
	if r.Running.Has() && r.MaxRunning.Has() {
		running += st.Dim.Render("/" + requests(r.MaxRunning.V))
	}
	labelled := func(label, value string, w int) string {
		return st.Label.Render(label) + " " + cells.FitRight(value, w-len(label)-1)
	}
	out = append(out,
		labelled("run", running, runWidth),
		labelled("q", number(r.Waiting, requests), queueWidth),
		labelled("KV", number(r.KV, text.Percent), kvWidth))
	rate := r.Decode
	if r.Role == "prefill" {
		rate = r.Prefill
	}
	tokens := number(rate, func(v float64) string { return text.Rate(v, "tokens") })
	state := stateOf(f, r)
	switch {
	case s.tok > 0 && s.state == 0 && state != "":
		out = append(out, cells.FitRight(state, s.tok)) // its numbers are old anyway
	case s.tok > 0:
		out = append(out, cells.FitRight(tokens, s.tok))
	}
	if s.state > 0 {
		out = append(out, cells.Fit(state, s.state))
	}
	mark := ""
	if s.marks {
		mark = "  "
		if v, ok := named(f, r); ok {
			mark = st.Mark(judged.Level(v.Severity)) + " "
		}
	}
	return mark + strings.Join(out, " ")
}

// stateOf is a worker's state in words, empty when it is simply up.
func stateOf(f pane.Frame, r *triage.WorkerRow) string {
	st := f.Styles
	if r.State == sources.WorkerUp {
		return ""
	}
	word := text.Clean(string(r.State), 16)
	if presence(r) == 0 {
		return st.Dim.Render(word)
	}
	if !r.LastGood.IsZero() {
		word += " " + text.Age(f.Now().Sub(r.LastGood))
	}
	return stale(st, word)
}

func stale(s themes.Styles, word string) string { return s.Theme.Stale.Render(word) }

func (p *Pane) explainWorker(f pane.Frame) []sources.Need {
	rows := busiest(f)
	if len(rows) == 0 {
		return workerNeeds()
	}
	r := rows[p.worker.Place(items(rows))]
	rate := r.Decode
	if r.Role == "prefill" {
		rate = r.Prefill
	}
	return []sources.Need{r.Waiting.Need, r.KV.Need, r.Running.Need, r.MaxRunning.Need, rate.Need}
}
