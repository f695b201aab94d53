package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dynascope/profiling/doctor"
	"dynascope/profiling/triage/rules"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/discover"
	"dynascope/sources/embedded"
	"dynascope/sources/engine"
	"dynascope/sources/feed"
	"dynascope/sources/gpu"
	"dynascope/themes"
	"dynascope/tui/pane"
)

// localScheme begins the URL of a page that is made in this process.
const localScheme = "local:"

// gather asks what the doctor's rules look at: the store as the console would
// fill it, one page of every target, and this host.
func gather(ctx context.Context, s settings) (g *doctor.Gathered, err error) {
	cat, err := s.catalogue()
	if err != nil {
		return nil, err
	}
	g = &doctor.Gathered{Version: version, Catalog: cat}
	if s.gpus {
		state := gpu.Probe()
		g.GPU = doctor.GPU{Code: string(state.Code), Why: state.Why, Hint: state.Hint, Driver: state.Driver, Devices: state.Devices, Wanted: true}
	}
	if s.remote.url != "" {
		return g, gatherRemote(ctx, s, g)
	}
	c, err := collect(ctx, s, cat, embedded.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	began := time.Now()
	if c.discovers() {
		found(g, discover.Local(ctx, discover.Options{Catalog: cat}))
	}
	o := &origin{store: c.store, observe: c.observe, warning: c.Warning, info: c.info}
	if err := o.fill(ctx, s.wait); err != nil {
		return nil, context.Canceled
	}
	ask(ctx, s, g, o, cat)
	index := doctor.NewIndex(cat)
	each(len(g.Endpoints), func(i int) {
		e := &g.Endpoints[i]
		e.Sent = began
		url, named := e.URL, i < len(s.targets)
		if named {
			url = s.targets[i] // the store lists them first, in this order
		}
		if e.Local || e.Health != sources.HealthUp || strings.Contains(url, "…") {
			return
		}
		p := newPageReader(s.auth, named).get(ctx, url, s.auth.bodyLimit)
		if p.err != nil {
			return // a scrape a moment ago was good; the next one tells
		}
		e.Date, e.Sent, e.Got = p.date, p.sent, p.got
		e.Page, _ = index.Read(p.body) // what stood before an error
	})
	g.Processes = processes(ctx, g.Snap, o)
	return g, nil
}

// ask takes one snapshot of all that screens and verdicts ask for, and the store's targets.
func ask(ctx context.Context, s settings, g *doctor.Gathered, o *origin, cat *catalog.Catalog) {
	g.Screens = doctorScreens(s)
	needs := doctor.Needs()
	for _, screen := range g.Screens {
		needs = append(needs, screen.Needs...)
	}
	for _, r := range rules.All() {
		g.Verdicts = append(g.Verdicts, doctor.Verdict{Code: r.Code, Title: r.Title, Proof: r.Proof})
		needs = append(needs, r.Proof...)
	}
	g.Snap = o.feed(cat).Tick(ctx, feed.Ask{Needs: needs, Window: s.window})
	g.At = g.Snap.At
	for _, t := range g.Snap.Targets {
		g.Endpoints = append(g.Endpoints, doctor.Endpoint{Target: t, Local: strings.HasPrefix(t.URL, localScheme)})
	}
}

// doctorScreens are the screens with all they ask where there is room for it.
func doctorScreens(s settings) []doctor.Screen {
	frame := pane.Frame{W: 200, H: 60, SLA: s.sla, Window: s.window, Source: pane.FromFrontend}
	theme, err := themes.Get("mono")
	if err == nil {
		frame.Styles = themes.NewStyles(theme.Plain(), s.ascii)
	}
	var out []doctor.Screen
	for i, p := range s.panes() {
		screen := doctor.Screen{Title: p.Title(), Needs: p.Needs(frame)}
		if i < 9 {
			screen.Key = fmt.Sprint(i + 1)
		}
		out = append(out, screen)
	}
	return out
}

// found keeps what discovery could not use and an engineer can mend.
func found(g *doctor.Gathered, r discover.Report) {
	for _, t := range r.Tried {
		byProcess := slices.ContainsFunc(t.Why, func(w discover.Reason) bool { return w.PID != 0 })
		told := t.Outcome == discover.OutcomeNoMetrics ||
			byProcess && t.Outcome != discover.OutcomeFound && t.Outcome != discover.OutcomeSame && t.Outcome != discover.OutcomeNotTried
		if !told {
			continue
		}
		detail, hint, _ := strings.Cut(t.Detail, "hint: ")
		s := doctor.Silent{Who: t.Addr, What: string(t.Outcome), Do: hint}
		if detail = strings.Trim(detail, "; "); detail != "" {
			s.What += ": " + detail
		}
		if s.Do == "" && byProcess {
			s.Do = "is the process still starting, or does it listen on another address? name that with --target"
		}
		if byProcess {
			s.What += " (" + t.Why[0].String() + ")"
		}
		g.Silent = append(g.Silent, s)
	}
	for _, p := range r.Programs {
		for _, n := range p.Notes {
			g.Silent = append(g.Silent, doctor.Silent{Who: fmt.Sprintf("%s, pid %d", p.Name, p.PID), What: n})
		}
	}
	g.Notes = append(g.Notes, r.Notes...)
}

// processes are the local processes of the workers, for their versions and
// their policies on routes.
func processes(ctx context.Context, snap *sources.Snapshot, o *origin) map[string]doctor.Process {
	out := map[string]doctor.Process{}
	reader := engine.NewReader()
	for _, w := range snap.Workers {
		if w.Instance == "" || len(out) >= 64 {
			continue
		}
		p := doctor.Process{Engine: w.Engine}
		if o.info != nil {
			if i := o.info(w.Instance); i != nil {
				p.Version = i.Version
			}
		}
		if local, err := reader.Process(ctx, w.Instance); err == nil {
			p.PID, p.Program, p.Env = local.PID, local.Program, local.Env
			p.Engine = cmp.Or(local.Engine, p.Engine)
		}
		if p.PID != 0 || p.Version != "" {
			out[w.Instance] = p
		}
	}
	return out
}

// each runs do over n items, eight at a time, and waits for all.
func each(n int, do func(i int)) {
	slots := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			do(i)
			<-slots
		})
	}
	all.Wait()
}
