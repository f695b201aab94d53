package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
)

// happenedRow is one row of the list of verdicts and events: a verdict that is
// active or that another one explains, or an event, which may be the beginning
// or the end of a verdict.
type happenedRow struct {
	verdict *verdict.Verdict
	event   *sources.Event
	// under: it is a consequence of the verdict above it.
	under bool
}

// happenedRows are the verdicts in force, worst first, each with its
// consequences, and then what happened, newest first; all as far as they match
// the filter.
func (m *Model) happenedRows() []happenedRow {
	var out []happenedRow
	j := m.judging.is
	words := strings.Fields(strings.ToLower(m.overlay.input))
	matches := func(hay ...string) bool {
		all := strings.ToLower(strings.Join(hay, "\n"))
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all, w) })
	}
	add := func(v *verdict.Verdict, under bool) {
		c := v.Culprit
		if matches("verdict", v.Code, v.Title, v.Sentence, v.Severity.String(), c.Kind, c.Name, c.Instance, c.Worker) {
			out = append(out, happenedRow{verdict: v, under: under})
		}
	}
	if j != nil {
		told := map[int]bool{}
		for i := range j.Verdicts {
			v := &j.Verdicts[i]
			add(v, false)
			for _, k := range consequences(j, v.Code, told) {
				add(&j.Silenced[k], true)
			}
		}
		for k := range j.Silenced { // what only a silent one explains
			if !told[k] {
				add(&j.Silenced[k], true)
			}
		}
	}
	for i := range m.events.all {
		e := &m.events.all[i]
		if matches(string(e.Kind), e.Subject, e.Detail, e.Instance, e.Worker) {
			out = append(out, happenedRow{event: e, verdict: m.verdictOf(e)})
		}
	}
	return out
}

// consequences are the silenced verdicts that a cause explains, by itself or
// through others, each under one cause only.
func consequences(j *verdict.Judgement, code string, told map[int]bool) (out []int) {
	for k := range j.Silenced {
		if v := &j.Silenced[k]; !told[k] && v.SilencedBy == code {
			told[k] = true
			out = append(out, k)
			out = append(out, consequences(j, v.Code, told)...)
		}
	}
	return out
}

// verdictOf is the verdict whose beginning or end an event is, nil when it is
// none or no longer known.
func (m *Model) verdictOf(e *sources.Event) *verdict.Verdict {
	j := m.judging.is
	if j == nil || e.Kind != sources.EventVerdict && e.Kind != sources.EventVerdictOver {
		return nil
	}
	for _, list := range [][]verdict.Verdict{j.Verdicts, j.Past} {
		for i := range list {
			v := &list[i]
			at := v.Since
			if e.Kind == sources.EventVerdictOver {
				at = v.Until
			}
			if at.Equal(e.At) && strings.HasSuffix(e.Detail, v.Title) && (v.Culprit.Name == e.Subject || v.Culprit.Name == "") {
				return v
			}
		}
	}
	return nil
}

// happenedLines draw one row; a verdict under the cursor is drawn whole.
func (m *Model) happenedLines(r happenedRow, picked bool, w int) []string {
	var lines []string
	if r.event != nil {
		lines = []string{m.eventLine(*r.event, w)}
	} else {
		lines = []string{m.verdictRow(*r.verdict, r.under, w)}
	}
	if picked {
		lines[0] = m.styles.Select.Render(cells.Fit(cells.Strip(lines[0]), w))
		if r.verdict != nil {
			lines = append(lines, m.verdictDetail(*r.verdict, w)...)
		}
	} else if r.event == nil && !r.under {
		if s := judged.Sentence(*r.verdict); s != "" {
			lines = append(lines, "   "+m.styles.Text.Render(cells.Clip(s, w-3)))
		}
	}
	return lines
}

// verdictRow is a verdict in one line.
func (m *Model) verdictRow(v verdict.Verdict, under bool, w int) string {
	s := m.styles
	level := judged.Level(v.Severity)
	lead := " " + s.Mark(level) + " " + s.Of(level).Render(cells.Fit(v.Severity.String(), 9))
	if under {
		lead = "   " + s.Dim.Render(s.G.Or().Corner+s.G.Or().HLine+" so also")
	}
	parts := []cells.Part{cells.L(lead, 0), {Text: s.Value.Render(judged.Title(v)), Sep: " "}}
	if who := judged.Who(v.Culprit); who != "" {
		parts = append(parts, cells.Part{Text: s.Accent.Render(who), Sep: s.Dim.Render(" " + s.G.Or().Sep + " ")})
	}
	if after := judged.After(v); after != "" {
		parts = append(parts, cells.R(s.Dim.Render(after), 2))
	}
	return cells.Line(w, append(parts, cells.R(s.Dim.Render(judged.Since(v, m.moment))+" ", 1))...)
}

// verdictDetail is all that is said of a verdict: the sentence, its evidence,
// what to do, where to look and what is missing.
func (m *Model) verdictDetail(v verdict.Verdict, w int) []string {
	s := m.styles
	var lines []string
	row := func(label, body string) {
		for i, l := range cells.Wrap(body, max(w-15, 10)) {
			if i > 0 {
				label = ""
			}
			lines = append(lines, "   "+s.Label.Render(cells.Fit(label, 10))+" "+s.Text.Render(l))
		}
	}
	row("what", judged.Sentence(v))
	for i, e := range v.Evidence {
		label := "evidence"
		if i > 0 {
			label = ""
		}
		body := judged.Evidence(e)
		if e.Window > 0 {
			body += " over " + text.Age(e.Window)
		}
		row(label, body)
	}
	if after := judged.After(v); after != "" {
		detail := ""
		if v.After.Detail != "" {
			detail = ": " + text.Clean(v.After.Detail, 160)
		}
		row("before it", after+detail)
	}
	for i, a := range v.Advice {
		label := "do"
		if i > 0 {
			label = ""
		}
		row(label, text.Clean(a, 400))
	}
	row("look at", m.nextWords(v))
	for _, x := range v.Missing {
		row("missing", text.Clean(x, 300))
	}
	if v.SilencedBy != "" {
		row("why so", "explained by "+text.Clean(v.SilencedBy, 60))
	}
	row("code", v.Code)
	return lines
}

// nextWords name the screen that shows a verdict, and the key of its queries.
func (m *Model) nextWords(v verdict.Verdict) string {
	queries := m.keyOf(actExplain) + " shows its queries"
	if i := m.screenOf(v); i >= 0 {
		return fmt.Sprintf("%d %s (enter); %s", i+1, text.Clean(m.Panes[i].Title(), 40), queries)
	}
	return queries
}

// screenOf is the screen of a verdict's key, or of its culprit; -1 for none.
func (m *Model) screenOf(v verdict.Verdict) int {
	if len(v.Key) == 1 && v.Key[0] >= '1' && int(v.Key[0]-'1') < len(m.Panes) && v.Key[0] <= '9' {
		return int(v.Key[0] - '1')
	}
	if v.Culprit.Kind == "worker" {
		return slices.IndexFunc(m.Panes, func(p pane.Pane) bool { return p.ID() == "workers" })
	}
	return -1
}

// blindLines say which causes cannot be judged here, and what would let them.
func (m *Model) blindLines(w int) []string {
	j, s := m.judging.is, m.styles
	if j == nil || len(j.Blind) == 0 {
		return nil
	}
	lines := []string{"", cells.Rule("not judged here, for want of their numbers", w, s)}
	for _, b := range j.Blind {
		lines = append(lines, cells.Line(w, cells.L("   "+s.Label.Render(cells.Fit(text.Clean(cmp.Or(b.Title, b.Code), 40), 28)), 0), cells.L(s.Dim.Render(text.Clean(b.Note, 300)), 0)))
	}
	return lines
}
