package workers

import (
	"slices"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
	"dynascope/tui/pane"
	"dynascope/tui/selection"
)

// named is the worst verdict about a row's worker.
func named(f pane.Frame, r *row) (verdict.Verdict, bool) {
	return judged.About(f.Judgement, r.ID, r.address)
}

// Find puts the cursor on a worker and opens its sheet; a filter that hides it
// is dropped. A culprit's name may tell the DP rank: "7f3a/dp1".
func (p *Pane) Find(c verdict.Culprit, f pane.Frame) bool {
	l := p.listing(f)
	is := func(r *row) bool {
		return c.Worker != "" && r.ID == c.Worker || c.Instance != "" && r.address == c.Instance
	}
	whom := func(rows []row) int {
		if i := slices.IndexFunc(rows, func(r row) bool { return is(&r) && r.name == text.Clean(c.Name, 64) }); i >= 0 {
			return i
		}
		return slices.IndexFunc(rows, func(r row) bool { return is(&r) })
	}
	i := whom(l.all)
	if i < 0 {
		p.open = false
		return false
	}
	to := l.all[i].item
	if !slices.Contains(l.keys, to) {
		p.filter = selection.Filter[*row]{}
		l = p.listing(f)
	}
	p.move(f, l, slices.Index(l.keys, to))
	p.open, p.scroll = true, 0
	return true
}

// sheetVerdicts are what is said of the sheet's worker.
func sheetVerdicts(f pane.Frame, r *row) []string {
	if f.Judgement == nil {
		return nil
	}
	s := f.Styles
	var lines []string
	for _, list := range [][]verdict.Verdict{f.Judgement.Verdicts, f.Judgement.Silenced} {
		for _, v := range list {
			c := v.Culprit
			if (r.ID == "" || c.Worker != r.ID) && (r.address == "" || c.Instance != r.address) {
				continue
			}
			parts := []cells.Part{
				cells.L(s.Mark(judged.Level(v.Severity))+" "+s.Value.Render(judged.Title(v)), 0),
				cells.R(s.Dim.Render(judged.Since(v, text.Clock)), 1),
			}
			for i, e := range judged.Texts(v) {
				p := cells.L(s.Text.Render(e), 2+i)
				if i > 0 {
					p.Sep = s.Dim.Render(" " + s.G.Or().Sep + " ")
				}
				parts = append(parts, p)
			}
			if v.SilencedBy != "" {
				parts = append(parts, cells.R(s.Dim.Render("explained by "+text.Clean(v.SilencedBy, 40)), 2))
			}
			lines = append(lines, cells.Line(f.W, parts...))
		}
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return lines
}
