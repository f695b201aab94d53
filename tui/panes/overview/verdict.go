package overview

import (
	"strings"

	"dynascope/profiling/triage"
	"dynascope/profiling/triage/verdict"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
)

// roomy is the height from which a verdict's sentence and evidence stand above
// the parts; below it only what to do.
const roomy = 30

// verdictLines say more of the first verdict than the frame's line has room
// for: the sentence, the evidence with its limits, and what to do. Nothing is
// drawn while nothing is wrong.
func verdictLines(f pane.Frame) []string {
	v, ok := f.Judgement.Head()
	if !ok || f.Snap == nil || f.H < leastAll {
		return nil
	}
	st := f.Styles
	advice := ""
	if len(v.Advice) > 0 {
		advice = text.Clean(v.Advice[0], 400)
	}
	row := func(label, body string) string {
		return cells.Line(f.W, cells.L(st.Label.Render(cells.Fit(label, 8))+" "+st.Text.Render(body), 0))
	}
	if f.H < roomy {
		if advice == "" {
			return []string{row("what", judged.Sentence(v))}
		}
		return []string{row("do", advice)}
	}
	lines := []string{row("what", judged.Sentence(v))}
	var numbers []string
	for _, e := range v.Evidence {
		numbers = append(numbers, judged.Evidence(e))
	}
	if len(numbers) > 0 {
		lines = append(lines, row("evidence", strings.Join(numbers, " "+st.G.Or().Sep+" ")))
	}
	if advice != "" {
		lines = append(lines, row("do", advice))
	}
	return append(lines, "")
}

// named is the worst verdict that names a row's worker.
func named(f pane.Frame, r *triage.WorkerRow) (verdict.Verdict, bool) {
	return judged.About(f.Judgement, r.ID, r.Instance)
}

// anyNamed says whether a verdict names one of the rows, which are in the order
// of busiest.
func anyNamed(f pane.Frame, rows []triage.WorkerRow) bool {
	if len(rows) == 0 {
		return false
	}
	_, ok := named(f, &rows[0])
	return ok
}
