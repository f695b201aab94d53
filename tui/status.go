package tui

import (
	"fmt"
	"strings"
	"time"

	"dynascope/sources"
	"dynascope/sources/text"
	"dynascope/tui/cells"
	"dynascope/tui/judged"
)

// header is the first line: what is watched, by which store, at what moment.
func (m *Model) header() string {
	s := m.styles
	name := m.Name
	var models string
	if m.snap != nil && len(m.snap.Models) > 0 {
		models = text.Clean(strings.Join(m.snap.Models, ", "), 60)
	}
	if name == "" && m.picker.chosen.Name == "" {
		name, models = models, ""
	}
	title := s.Title.Render("dynascope")
	priority := 0
	if m.picker.chosen.Name != "" {
		priority = 2 // what was picked says more than what it was picked from
	}
	parts := []cells.Part{cells.L(" "+title, 4), cells.L(s.Text.Render(text.Clean(name, 60)), priority)}
	if scope := text.Clean(m.picker.chosen.Name, 60); scope != "" {
		parts = append(parts, cells.L(s.Accent.Render(scope), 0))
		if strings.Contains(strings.ToLower(scope), strings.ToLower(models)) {
			models = ""
		}
	}
	if models != "" {
		parts = append(parts, cells.L(s.Text.Render(models), 3))
	}
	parts = append(parts, cells.L(s.Dim.Render(m.census()), 5))

	if mark := m.baselineMark(); mark != "" {
		parts = append(parts, cells.R(s.Accent.Render(mark), 2))
	}
	if m.ReadOnly != "" {
		parts = append(parts, cells.R(s.Dim.Render("READ-ONLY"), 2))
	}
	parts = append(parts, cells.R(m.storeMark(), 1), cells.R(m.clockMark(), 0), cells.R(s.Dim.Render(m.windowMark())+" ", 0))
	return cells.Line(m.w, parts...)
}

// census counts what is watched: "1 frontend · 2 decode + 1 prefill".
func (m *Model) census() string {
	if m.snap == nil {
		return ""
	}
	frontends, roles := 0, map[string]int{}
	for _, t := range m.snap.Targets {
		if t.Role == "frontend" {
			frontends++
		}
	}
	for _, w := range m.snap.Workers {
		if w.State != sources.WorkerGone {
			roles[w.Role]++
		}
	}
	var out []string
	if frontends > 0 {
		out = append(out, plural(frontends, "frontend"))
	}
	var pools []string
	for _, r := range []string{"prefill", "decode", "encode"} {
		if n := roles[r]; n > 0 {
			pools = append(pools, fmt.Sprintf("%d %s", n, r))
		}
	}
	if n := roles["aggregated"] + roles[""]; n > 0 {
		pools = append(pools, plural(n, "worker"))
	}
	if len(pools) > 0 {
		out = append(out, strings.Join(pools, " + "))
	}
	return strings.Join(out, " · ")
}

// storeMark names the store and how old its newest page is; of a recording
// the time that it covers.
func (m *Model) storeMark() string {
	s := m.styles
	if m.snap == nil {
		return s.Dim.Render(s.G.Idle + " starting")
	}
	up := 0
	var newest time.Time
	for _, t := range m.snap.Targets {
		if t.Health == sources.HealthUp {
			up++
		}
		if t.LastGood.After(newest) {
			newest = t.LastGood
		}
	}
	store := m.snap.Store
	switch {
	case m.Recording:
		store = "recording" + m.spanMark()
	case m.at.IsZero() && !newest.IsZero():
		// Between two looks a page can be no younger than what is on screen.
		store += " " + text.Age(max(m.Now().Sub(newest), m.Tick).Round(time.Second))
	}
	if up == 0 {
		return s.Warn.Render(s.G.Warn + " " + store)
	}
	return s.Good.Render(s.G.Good) + " " + s.Dim.Render(store)
}

// spanMark is the time that a recording covers: " 01:12–03:12Z".
func (m *Model) spanMark() string {
	from, to := m.span.oldest, m.span.newest
	switch {
	case to.IsZero():
		return ""
	case from.IsZero() || m.w < 100:
		return " " + to.UTC().Format("15:04")
	case sameDay(from, to):
		return " " + from.UTC().Format("15:04") + "–" + to.UTC().Format("15:04Z")
	default:
		return " " + from.UTC().Format("01-02 15:04") + "–" + to.UTC().Format("01-02 15:04Z")
	}
}

func (m *Model) clockMark() string {
	s := m.styles
	switch {
	case m.snap == nil:
		return ""
	case m.at.IsZero() && m.Recording:
		return s.Good.Render("NEWEST") + " " + s.Text.Render(m.moment(m.snap.At))
	case m.at.IsZero():
		return s.Good.Render("LIVE") + " " + s.Text.Render(text.Clock(m.snap.At))
	case m.Recording:
		return s.Select.Render(" AT " + m.moment(m.at) + " ")
	default:
		return s.Select.Render(" PAUSED " + m.moment(m.at) + " ")
	}
}

func (m *Model) windowMark() string {
	w := "window " + text.Age(m.window)
	if m.snap != nil && m.snap.Have < m.snap.Window && m.snap.Window == m.window {
		w += " (have " + text.Age(m.snap.Have) + ")"
	}
	if m.w < 100 {
		w = strings.TrimPrefix(w, "window ")
	}
	return w
}

// verdictLine is the second line: what is wrong, or why nothing seems to be.
func (m *Model) verdictLine() string {
	s := m.styles
	if m.snap == nil {
		return cells.Line(m.w, cells.L(" "+s.Dim.Render("asking the targets for their first page"+s.G.Ellipsis), 0))
	}
	return judged.Line{Snap: m.snap, Judgement: m.judging.is, TTFT: m.SLA.TTFT, Styles: s, Clock: m.moment, Silence: m.silence()}.Draw(m.w)
}

// silence says why there is nothing to show, with the first hint that helps.
func (m *Model) silence() string {
	if len(m.snap.Targets) == 0 {
		switch {
		case m.picker.chosen.Name != "":
			return text.Clean(m.picker.chosen.Name, 60) + " has no targets at this moment; " + m.keyOf(actDeployment) + " picks another"
		case m.snap.Warning != "":
			return text.Safe(m.snap.Warning, 200)
		case m.Recording:
			return "the recording holds no targets"
		case m.Tried != nil:
			return "nothing on this host shows metrics yet; " + m.keyOf(actTargets) + " lists what was tried"
		case m.Deployments != nil:
			return "no targets were found in " + m.snap.Store
		}
		return "no targets; start with --target http://HOST:8000"
	}
	pending := true
	first := ""
	for _, t := range m.snap.Targets {
		if t.Health == sources.HealthUp {
			return ""
		}
		pending = pending && t.Health == sources.HealthPending
		if first == "" && t.Error != "" {
			first = t.Instance + ": " + t.Error
		}
	}
	if pending {
		return "waiting for the first answer of " + plural(len(m.snap.Targets), "target")
	}
	return text.Clean(first, 300)
}

// tabLabel is a screen's name with its number.
func (m *Model) tabLabel(i int) string {
	title := m.Panes[i].Title()
	if m.w < 100 {
		title = m.Panes[i].Short()
	}
	return fmt.Sprintf(" %d %s ", i+1, text.Clean(title, 40))
}

// tabs is the third line.
func (m *Model) tabs() string {
	s := m.styles
	var parts []cells.Part
	for i := range m.Panes {
		label := m.tabLabel(i)
		if i == m.active {
			label = s.TabActive.Render(label)
		} else {
			label = s.TabIdle.Render(label)
		}
		parts = append(parts, cells.Part{Text: label, Sep: " "})
	}
	if f := m.filter(); f != "" {
		parts = append(parts, cells.R(s.Accent.Render("/"+text.Clean(f, 40)), 0))
	}
	parts = append(parts, cells.R(s.Dim.Render(m.keyOf(actHelp)+" keys  "+m.keyOf(actPalette)+" command "), 1))
	return cells.Line(m.w, parts...)
}

// footer is the last line: the most useful keys, or the answer to the last
// one, and the targets' state.
func (m *Model) footer() string {
	s := m.styles
	left := []cells.Part{}
	switch {
	case m.notice.text != "":
		left = append(left, cells.L(" "+s.Accent.Render(text.Clean(m.notice.text, 200)), 0))
	default:
		for i, b := range m.keys {
			if b.hint == "" {
				continue
			}
			key := b.keys[0]
			left = append(left, cells.Part{Text: s.Accent.Render(key) + " " + s.Dim.Render(b.hint), Priority: 10 + i})
		}
		if len(left) > 0 {
			left[0].Text = " " + left[0].Text
		}
	}
	if mark := m.actionsMark(); mark != "" {
		left = append(left, cells.R(mark+s.Dim.Render(" ·"), 0))
	}
	return cells.Line(m.w, append(left, cells.R(m.targetsMark()+" ", 0))...)
}

func (m *Model) targetsMark() string {
	s := m.styles
	if m.snap == nil {
		return ""
	}
	if w := m.snap.Warning; w != "" {
		return s.Warn.Render(s.G.Warn + " " + text.Clean(w, 80))
	}
	up, slowed := 0, 0
	insecure := false
	for _, t := range m.snap.Targets {
		if t.Health == sources.HealthUp {
			up++
		}
		if t.Slowed {
			slowed++
		}
		insecure = insecure || t.Insecure
	}
	out := s.Dim.Render(plural(up, "target") + " ok")
	if slowed > 0 {
		out += s.Warn.Render(fmt.Sprintf(" · %d slowed", slowed))
	}
	if n := len(m.snap.Targets) - up; n > 0 {
		out += s.Warn.Render(fmt.Sprintf(" · %d not", n))
	}
	if insecure {
		out += s.Bad.Render(" · TLS NOT VERIFIED")
	}
	return out
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
