package tui

import (
	"fmt"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
)

// glossaryKeys are the catalogue's figures whose help makes the glossary.
var glossaryKeys = []string{
	"frontend.ttft", "frontend.itl", "frontend.e2e", "frontend.isl", "frontend.osl",
	"engine.running", "engine.waiting", "engine.kv_usage", "engine.preemptions", "engine.queue_time",
	"router.kv_hit_rate", "router.belief.active_blocks",
}

// wideHelp is the width from which keys stand left of signs and glossary.
const wideHelp = 130

func (m *Model) helpLines(w int) []string {
	if w < wideHelp {
		return append(append(m.keyLines(w), ""), m.glossaryLines(w)...)
	}
	left, right := m.keyLines(w*2/5), m.glossaryLines(w-w*2/5-1)
	block := cells.Join(" ", cells.Block(left, w*2/5, max(len(left), len(right))), strings.Join(right, "\n"))
	return cells.Lines(block)
}

func (m *Model) keyLines(w int) []string {
	s := m.styles
	lines := []string{cells.Rule("keys", w, s)}
	group := ""
	for _, b := range m.keys {
		if b.group != group {
			if group != "" {
				lines = append(lines, "")
			}
			group = b.group
			lines = append(lines, " "+s.Title.Render(group))
		}
		keys := strings.Join(b.keys, " ")
		if b.action == actScreen {
			keys = fmt.Sprintf("1-%d", len(m.Panes))
		}
		key, help := s.Accent, s.Text.Render(b.help)
		if why := m.refused(b.changes); why != "" {
			key, help = s.Dim, s.Dim.Render(b.help+" ("+why+")")
		}
		lines = append(lines, "   "+key.Render(cells.Fit(keys, 15))+help)
	}
	return lines
}

func (m *Model) glossaryLines(w int) []string {
	s := m.styles
	lines := []string{cells.Rule("signs", w, s)}
	for _, g := range [][2]string{
		{s.G.Good + " HEALTHY", "every rule judged, and nothing is wrong; " + s.G.Idle + " LEARNING: nothing so far, look-backs still fill"},
		{s.G.Warn + " " + s.G.Bad, "a warning, and what is critical; " + s.G.Unknown + " NO DATA: nothing can be known, the line says what is missing"},
		{"2.2–4.7 s", "a quantile is the bucket it lies in; the value is somewhere between"},
		{"~2.2–4.7 s", "dim: fewer samples than this quantile needs"},
		{"4.7–10 s!", "pinned at the last finite bucket edge: the true tail may be longer"},
		{s.G.Absent, "absent: no family of that name was seen; e says which names were tried"},
		{"n/a", "the answer is not a number"},
		{"idle", "the family is there; nothing happened in the window"},
		{"41 % (12 s)", "stale: the last good value and its age"},
		{s.G.Ellipsis, "pending: not enough scrapes yet"},
	} {
		lines = append(lines, "   "+s.Text.Render(cells.Fit(g[0], 13))+s.Dim.Render(g[1]))
	}
	lines = append(lines, "", cells.Rule("glossary", w, s))
	for _, key := range glossaryKeys {
		metric, ok := m.Catalog.Metric(key)
		if !ok {
			continue
		}
		lines = append(lines, "   "+s.Label.Render(metric.Title))
		for _, l := range cells.Wrap(metric.Help, max(w-8, 10)) {
			lines = append(lines, "     "+s.Dim.Render(l))
		}
	}
	return lines
}

// explainLines say what the focused figures are: meaning, value, window,
// count, source, query, age, and what would bring a missing one.
func (m *Model) explainLines(w int) []string {
	s := m.styles
	needs := judged.Needs()
	if ex, ok := m.pane().(pane.Explainer); ok {
		if got := ex.Explain(m.frame()); len(got) > 0 {
			needs = got
		}
	}
	lines := []string{cells.Rule("explain", w, s)}
	if m.snap == nil {
		return append(lines, s.Dim.Render(" nothing has been asked yet"))
	}
	for _, n := range needs {
		lines = append(lines, "")
		lines = append(lines, m.explainOne(n, w)...)
	}
	return lines
}

func (m *Model) explainOne(n sources.Need, w int) []string {
	s := m.styles
	f := m.snap.Figure(n)
	metric, _ := m.Catalog.Metric(n.Key)
	title := f.Title
	if title == "" {
		title = n.Key
	}
	lines := []string{" " + s.Title.Render(title) + s.Dim.Render("  "+n.Key+" · "+string(n.Form))}
	row := func(label, body string) {
		for i, l := range cells.Wrap(body, max(w-16, 10)) {
			if i > 0 {
				label = ""
			}
			lines = append(lines, "   "+s.Label.Render(cells.Fit(label, 11))+" "+s.Text.Render(l))
		}
	}
	row("means", metric.Help)
	row("status", statusWords(f))
	if v, ok := f.Value(); ok && n.Form != sources.FormBuckets && n.By == "" {
		row("value", text.Value(v, f.Unit))
	}
	if b, ok := f.Buckets(); ok && n.Form == sources.FormBuckets && n.By == "" {
		for _, q := range []float64{0.5, 0.95, 0.99} {
			if bounds, ok := b.Quantile(q); ok {
				note := ""
				if !bounds.Enough {
					note = fmt.Sprintf("  (%s samples are too few; %s are needed)", text.Count(b.N), text.Count(sources.LeastSamples(q)))
				}
				row(fmt.Sprintf("p%g", q*100), text.Bounds(bounds, f.Unit)+note)
			}
		}
		row("samples", text.Count(b.N))
	}
	if f.Window > 0 {
		row("window", text.Age(f.Window))
	}
	if age := m.snap.At.Sub(f.At); age > time.Second && !f.At.IsZero() {
		row("age", text.Age(age))
	}
	if f.AllModels {
		row("scope", "all models: this family does not tell them apart")
	}
	row("families", strings.Join(f.Tried, ", "))
	if len(f.Found) > 0 {
		row("found", strings.Join(f.Found, ", "))
	}
	if !f.HasValue() && f.Note != "" {
		row("hint", f.Note)
	}
	if f.Err != "" {
		row("error", text.Clean(f.Err, 300))
	}
	row("query", f.Expr)
	return lines
}

// statusWords is a figure's status in words.
func statusWords(f *sources.Figure) string {
	switch f.Status {
	case sources.StatusOK:
		return "live"
	case sources.StatusPending:
		return "pending: not enough scrapes yet"
	case sources.StatusAbsent:
		return "absent: none of these families was seen in the last 5 minutes"
	case sources.StatusIdle:
		return "idle: the family is there, nothing happened in the window"
	case sources.StatusNaN:
		return "the answer is not a number"
	case sources.StatusStale:
		return "stale: the scrape that brought it is dead; this is the last good value"
	default:
		return "the question failed"
	}
}
