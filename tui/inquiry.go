package tui

import (
	"context"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources/catalog"
	"dynascope/sources/text"
	"dynascope/themes"
	"dynascope/tui/cells"
)

// Inquiry finds out something that takes longer than a drawing may, and answers
// in lines of text, which may hold outside words. at is zero for the present;
// window is the one on screen.
type Inquiry func(ctx context.Context, at time.Time, window time.Duration, scope catalog.Scope) (string, error)

const (
	// inquiryLimit is how long an answer may take.
	inquiryLimit = 30 * time.Second
	// inquiryRunes is the most of an answer that is shown.
	inquiryRunes = 40_000
	// labelCells is the width of a label.
	labelCells = 8
)

// inquiry is the newest question of its overlay and what came of it.
type inquiry struct {
	action string
	n      int // tells answers of earlier questions apart
	asking bool
	answer string
	err    error
}

// inquiryMsg is an answer.
type inquiryMsg struct {
	n      int
	answer string
	err    error
}

// inquiries are the actions that ask, and over what they stand.
func (m *Model) inquiries(action string) (ask Inquiry, title string) {
	switch action {
	case actAdvice:
		return m.Advice, "outlook and advice: what the promise leaves, and what could be set better"
	case actLearn:
		return m.Learn, "baselines: what the figures of the window on screen are while there is little to do"
	}
	return nil, ""
}

// inquire asks, and opens the overlay that waits for the answer.
func (m *Model) inquire(action string) tea.Cmd {
	ask, _ := m.inquiries(action)
	if ask == nil {
		m.say("nothing here can answer that")
		return nil
	}
	m.overlay = overlay{kind: action}
	if m.inquiry.asking && m.inquiry.action == action {
		return nil // one at a time
	}
	m.inquiry = inquiry{action: action, n: m.inquiry.n + 1, asking: true}
	parent, n, at, window, scope := m.ctx, m.inquiry.n, m.at, m.window, m.picker.chosen.Scope
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, inquiryLimit)
		defer cancel()
		answer, err := ask(ctx, at, window, scope)
		return inquiryMsg{n, answer, err}
	}
}

func (m *Model) inquired(msg inquiryMsg) {
	if msg.n == m.inquiry.n {
		m.inquiry.asking, m.inquiry.answer, m.inquiry.err = false, msg.answer, msg.err
	}
}

// inquiryLines draw the answer.
func (m *Model) inquiryLines(w int) []string {
	s := m.styles
	_, title := m.inquiries(m.overlay.kind)
	lines := []string{cells.Rule(title, min(w, m.w), s), ""}
	switch i := m.inquiry; {
	case i.asking:
		return append(lines, s.Dim.Render("  asking"))
	case i.err != nil:
		for _, l := range cells.Wrap(text.Clean(i.err.Error(), inquiryRunes), max(w-4, 10)) {
			lines = append(lines, "  "+s.Warn.Render(l))
		}
		return lines
	}
	for l := range strings.Lines(m.inquiry.answer) {
		l = strings.TrimRight(l, "\n")
		body := strings.TrimLeft(l, " ")
		if body == "" {
			lines = append(lines, "")
			continue
		}
		// What stands before two blanks is a label.
		label, rest, labelled := strings.Cut(body, "  ")
		indent := strings.Repeat(" ", len(l)-len(body)+2)
		switch {
		case !labelled && len(l) == len(body):
			lines = append(lines, indented(indent, body, w, s.Title)...)
		case !labelled:
			lines = append(lines, indented(indent, body, w, s.Text)...)
		default:
			column := indent + s.Label.Render(cells.Fit(text.Clean(label, 40), max(labelCells, cells.Width(label)))) + " "
			for _, part := range indented("", strings.TrimSpace(rest), w-cells.Width(column), s.Text) {
				lines = append(lines, column+part)
				column = strings.Repeat(" ", cells.Width(column))
			}
		}
	}
	return lines
}

func indented(indent, body string, w int, style themes.Style) (out []string) {
	for _, l := range cells.Wrap(text.Clean(body, inquiryRunes), max(w-len(indent)-1, 10)) {
		out = append(out, indent+style.Render(l))
	}
	return out
}
