package overview

import (
	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/pane"
)

// keyTokens is the cursor's place on the title of the token path.
const keyTokens = "itl"

// needTokens is the token path's total.
var needTokens = sources.Need{Key: "frontend.itl", Form: sources.FormMean}

// tokensHeight is how many lines the token path has to say; zero without one.
func tokensHeight(f pane.Frame) int {
	path := triage.TokenPathOf(f.Snap)
	if len(path.Stages) == 0 {
		return 0
	}
	h := 1 + len(path.Stages)
	if path.Note != "" {
		h++
	}
	return h
}

// drawTokens draws where the time between two tokens goes.
func (p *Pane) drawTokens(f pane.Frame, a area) string {
	path, s := triage.TokenPathOf(f.Snap), f.Styles
	style, number := s.Title, s.Value
	if path.Status != sources.StatusOK {
		number = s.Stale
	}
	head := cells.Line(a.w,
		cells.L(style.Render("ITL path"), 0),
		cells.L(s.Label.Render("mean ")+number.Render(text.Duration(path.Total)), 0),
		cells.L(s.Dim.Render("(n ")+number.Render(text.Count(path.N))+s.Dim.Render(")"), 1))
	selected := func(key, line string) string {
		if p.focus == partPath && p.stage == key {
			return s.Select.Render(cells.Fit(cells.Strip(line), a.w))
		}
		return line
	}
	title := 0
	for _, st := range path.Stages {
		title = max(title, cells.Width(st.Title))
	}
	title = min(title, max(a.w-meanWidth-shareWidth-leastBar-3, a.w/3))
	lines := []string{selected(keyTokens, head)}
	for _, st := range path.Stages {
		lines = append(lines, selected(st.Key, stageLine(s, st, title, a.w)))
	}
	if path.Note != "" {
		lines = append(lines, cells.Fit(s.Dim.Render(path.Note), a.w))
	}
	return cells.Block(lines, a.w, a.h)
}
