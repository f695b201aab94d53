package tui

import (
	"fmt"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
)

// targetLines list the targets: health, and what each scrape costs the server
// (honesty.md rule 7).
func (m *Model) targetLines(w int) []string {
	s := m.styles
	lines := []string{cells.Rule("targets: health, and what each scrape costs", w, s), ""}
	if m.snap == nil {
		return lines
	}
	name := 26
	for _, t := range m.snap.Targets {
		name = max(name, min(cells.Width(text.Clean(t.Instance, 80))+2, w-60))
	}
	lines = append(lines, s.Label.Render(" "+cells.Fit("instance", name)+cells.Fit("role", 10)+cells.FitRight("every", 8)+cells.FitRight("took", 9)+cells.FitRight("server", 9)+cells.FitRight("body", 9)+cells.FitRight("lines", 8)))
	for _, t := range m.snap.Targets {
		mark := s.Good.Render(s.G.Good)
		switch t.Health {
		case sources.HealthDown:
			mark = s.Bad.Render(s.G.Bad)
		case sources.HealthPending:
			mark = s.Dim.Render(s.G.Idle)
		}
		every := text.Age(t.Interval)
		if t.Slowed {
			every += "!"
		}
		lines = append(lines, mark+cells.Fit(text.Clean(t.Instance, 80), name)+cells.Fit(t.Role, 10)+cells.FitRight(every, 8)+scrapeCost(t))
		if t.Error != "" {
			for _, l := range cells.Wrap(text.Clean(t.Error, 300), max(w-6, 10)) {
				lines = append(lines, "     "+s.Warn.Render(l))
			}
		}
		if !t.LastGood.IsZero() && t.Health == sources.HealthDown {
			lines = append(lines, "     "+s.Dim.Render("last good "+text.Age(m.snap.At.Sub(t.LastGood))+" ago"))
		}
		if t.Slowed {
			lines = append(lines, "     "+s.Dim.Render("scraped less often: its server spends over 5 % of the interval on a page"))
		}
		if t.Insecure {
			lines = append(lines, "     "+s.Bad.Render("TLS is not verified"))
		}
	}
	lines = append(lines, "", s.Dim.Render(fmt.Sprintf(" this tick: %d queries, %s", m.snap.Queries, text.Millis(m.snap.Took.Seconds()))))
	return lines
}

// scrapeCost are the columns of what a scrape costs. A recording and most
// remote servers do not tell: absent is not zero.
func scrapeCost(t sources.Target) string {
	took, server, body, samples := "–", "–", "–", "–"
	if t.Took > 0 {
		took = text.Millis(t.Took.Seconds())
	}
	if t.ServerShare > 0 {
		server = text.Millis(t.ServerShare.Seconds())
	}
	if t.Bytes > 0 {
		body = text.BytesShort(float64(t.Bytes))
	}
	if t.Samples > 0 {
		samples = text.Count(float64(t.Samples))
	}
	return cells.FitRight(took, 9) + cells.FitRight(server, 9) + cells.FitRight(body, 9) + cells.FitRight(samples, 8)
}

// triedLines list what discovery tried, and what came of it.
func (m *Model) triedLines(w int) []string {
	if len(m.tried) == 0 {
		return nil
	}
	s := m.styles
	lines := []string{"", cells.Rule("discovery: what was tried, and what came of it", w, s), ""}
	addr, why := 0, 0
	for _, t := range m.tried {
		addr = max(addr, min(cells.Width(text.Clean(t.Addr, 80)), w/4))
		why = max(why, min(cells.Width(text.Clean(t.Why, 120)), w*2/5))
	}
	left := 1 + addr + 1 + why + 1
	for _, t := range m.tried {
		row := " " + s.Text.Render(cells.Fit(text.Clean(t.Addr, 80), addr)) + " " + s.Dim.Render(cells.Fit(text.Clean(t.Why, 120), why)) + " "
		for _, l := range cells.Wrap(text.Clean(t.Outcome, 300), max(w-left-1, 10)) {
			lines = append(lines, row+s.Text.Render(l))
			row = cells.Blank(left, 1)
		}
	}
	return lines
}
