package tui

import (
	"context"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources/catalog"
	"dynascope/sources/text"
	"dynascope/tui/cells"
)

// Deployment is a part of what the store holds that can be looked at by
// itself: a deployment, one of its models, or both.
type Deployment struct {
	// Name tells it apart, is shown in the title, and stays the same while the
	// scope behind it changes. Outside text: it is cleaned where it is drawn.
	Name string
	// Detail says what it consists of: "1 frontend · 6 workers".
	Detail string
	Scope  catalog.Scope
}

// everything is the first row of the picker.
var everything = Deployment{Detail: "all targets, all models"}

// renewEvery is how often the scope of the deployment picked is found anew.
const renewEvery = 30 * time.Second

// listLimit is how long the list of deployments may take.
const listLimit = 20 * time.Second

// picker is the list of deployments and the one picked.
type picker struct {
	chosen Deployment
	list   []Deployment
	asking bool
	known  bool // the list has come at least once
	found  bool // the one picked has been on it
	at     time.Time
	err    string
}

// deploymentsMsg is the answer of Options.Deployments.
type deploymentsMsg struct {
	list []Deployment
	err  error
}

func (m *Model) openPicker() tea.Cmd {
	if m.Deployments == nil {
		m.say("there is nothing to pick from: one deployment is watched")
		return nil
	}
	m.overlay = overlay{kind: actDeployment, pick: m.picked()}
	return m.askDeployments()
}

// picked is the row of the deployment in force.
func (m *Model) picked() int {
	return 1 + slices.IndexFunc(m.picker.list, func(d Deployment) bool { return d.Name == m.picker.chosen.Name })
}

func (m *Model) askDeployments() tea.Cmd {
	if m.picker.asking {
		return nil
	}
	m.picker.asking, m.picker.at = true, m.Now()
	parent, list := m.ctx, m.Deployments
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, listLimit)
		defer cancel()
		ds, err := list(ctx)
		return deploymentsMsg{ds, err}
	}
}

// renewScope asks for the list again while one of it is picked: workers come
// and go, and a scope may be a list of them.
func (m *Model) renewScope() tea.Cmd {
	every := renewEvery
	if !m.picker.found {
		every = 0 // named from the start: until its scope is known, this is everything
	}
	if m.Deployments == nil || m.picker.chosen.Name == "" || m.Now().Sub(m.picker.at) < every {
		return nil
	}
	return m.askDeployments()
}

// listed takes the list in. A deployment that is no longer on it stays picked:
// it may come back, and its last figures are worth seeing.
func (m *Model) listed(msg deploymentsMsg) tea.Cmd {
	p := &m.picker
	p.asking = false
	if msg.err != nil {
		p.err = msg.err.Error()
		return nil
	}
	at := everything
	if rows := m.pickerRows(); m.overlay.kind == actDeployment && m.overlay.pick < len(rows) {
		at = rows[m.overlay.pick]
	}
	p.list, p.known, p.err = msg.list, true, ""
	if m.overlay.kind == actDeployment {
		// The cursor stays on its row, wherever that has gone.
		m.overlay.pick = 1 + slices.IndexFunc(p.list, func(d Deployment) bool { return d.Name == at.Name })
	}
	i := slices.IndexFunc(p.list, func(d Deployment) bool { return d.Name == p.chosen.Name })
	switch {
	case p.chosen.Name == "":
		return nil
	case i < 0 && !p.found && len(p.list) > 0:
		// Never on the list: everything must not go under a name that is none.
		m.say("there is no deployment " + text.Clean(p.chosen.Name, 60) + "; " + m.keyOf(actDeployment) + " lists them")
		p.chosen = Deployment{}
		return m.ask()
	case i < 0:
		return nil
	}
	p.chosen, p.found = p.list[i], true
	return m.ask()
}

func (m *Model) pickerRows() []Deployment {
	return append([]Deployment{everything}, m.picker.list...)
}

func (m *Model) pickerKey(key string) tea.Cmd {
	o, rows := &m.overlay, m.pickerRows()
	move := func(to int) { o.pick = max(0, min(to, len(rows)-1)) }
	switch key {
	case "esc", "q", "d":
		m.overlay = overlay{}
	case "j", "down":
		move(o.pick + 1)
	case "k", "up":
		move(o.pick - 1)
	case "pgdown", "ctrl+d":
		move(o.pick + 10)
	case "pgup", "ctrl+u":
		move(o.pick - 10)
	case "g", "home":
		move(0)
	case "G", "end":
		move(len(rows))
	case "r":
		return m.askDeployments()
	case "enter":
		d := rows[min(o.pick, len(rows)-1)]
		m.overlay = overlay{}
		return m.pickDeployment(d)
	}
	return nil
}

// pickDeployment limits the console to a deployment. What is on screen is of
// another one until the answer comes, so it goes.
func (m *Model) pickDeployment(d Deployment) tea.Cmd {
	if d.Name == m.picker.chosen.Name {
		return nil
	}
	m.picker.chosen, m.picker.found = d, d.Name != ""
	m.snap, m.drawn = nil, drawn{}
	return m.ask()
}

// pickerLines draw the list; the row under the cursor stays in sight.
func (m *Model) pickerLines(w, h int) []string {
	s := m.styles
	lines := []string{cells.Rule("deployment and model: up down, enter; r asks again", w, s), ""}
	rows := m.pickerRows()
	name := 20
	for _, d := range rows {
		name = max(name, min(cells.Width(text.Clean(d.Name, 60)), w/2))
	}
	room := max(h-4, 1)
	from := max(0, min(m.overlay.pick-room/2, len(rows)-room))
	for i := from; i < len(rows) && i < from+room; i++ {
		d := rows[i]
		title := text.Clean(d.Name, 60)
		if i == 0 {
			title = "everything"
		}
		mark := " "
		if d.Name == m.picker.chosen.Name {
			mark = s.G.Good
		}
		line := cells.Fit(" "+mark+" "+cells.Fit(title, name)+"  "+text.Clean(d.Detail, 200), w)
		if i == m.overlay.pick {
			line = s.Select.Render(line)
		}
		lines = append(lines, line)
	}
	p := m.picker
	switch {
	case p.err != "":
		for _, l := range cells.Wrap(text.Clean(p.err, 300), max(w-4, 10)) {
			lines = append(lines, "   "+s.Warn.Render(l))
		}
	case p.asking && !p.known:
		lines = append(lines, "   "+s.Dim.Render("asking the store"+s.G.Ellipsis))
	case p.known && len(p.list) == 0:
		lines = append(lines, "   "+s.Dim.Render("no page names a deployment or a model yet"))
	}
	return lines
}
