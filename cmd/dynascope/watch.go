package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
	"dynascope/themes"
	"dynascope/tui"
	"dynascope/tui/pane"
	"dynascope/tui/report"
)

// watch opens the store, points it at the targets and shows it: on a terminal
// as the console, else as --once.
func watch(ctx context.Context, s settings, in, out, errOut *os.File) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	o, err := openOrigin(ctx, s, cat)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := o.Close(); err == nil {
			err = cerr
		}
	}()
	f := o.feed(cat)
	if s.once || !term.IsTerminal(out.Fd()) || !term.IsTerminal(in.Fd()) {
		return once(ctx, s, o, f, cat, out)
	}
	keys, err := s.conf.keys()
	if err != nil {
		return err
	}
	known := s.baselines()
	model, err := tui.New(ctx, tui.Options{
		Feed: f, Catalog: cat, Panes: s.panes(), Court: s.court(known), Name: s.name, Tick: o.tick, Pace: o.pace, Window: s.window,
		SLA: s.sla, Theme: s.theme, ASCII: s.ascii, NoColor: os.Getenv("NO_COLOR") != "", LowBandwidth: s.lean,
		At: o.at, Recording: o.recorded != nil, Recorded: o.recorded,
		Deployments: lister(o, cat), Deployment: tui.Deployment{Name: s.pick},
		Tried: o.tried, Details: details(o, cat), Advice: advises(o, cat, s.sla), Learn: learns(o, cat, known),
		Keys: keys, ReadOnly: s.readOnlyWhy(), Log: actionLog(), Mouse: s.mouse, Tmux: os.Getenv("TMUX") != "", Dummy: s.dummy,
	})
	if err != nil {
		return err
	}
	defer model.Close()
	program := tea.NewProgram(model, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out))
	_, err = program.Run()
	switch {
	case ctx.Err() != nil:
		return exitError{code: 143} // a signal ended it; the terminal is restored
	case err != nil && !errors.Is(err, tea.ErrInterrupted):
		return fmt.Errorf("run the console: %w", err)
	}
	report.Summary(out, model.Snapshot())
	return nil
}

// once collects, prints one snapshot and fails when no target answered.
func once(ctx context.Context, s settings, o *origin, f tui.Feed, cat *catalog.Catalog, out *os.File) error {
	frame := pane.Frame{W: 110, H: 40, SLA: s.sla, Window: min(s.window, max(s.wait, 10*time.Second)), Source: pane.FromFrontend}
	theme, err := themes.Get("mono")
	if err != nil {
		return err
	}
	if o.recorded != nil || o.remote {
		frame.Window = s.window // it is there already
	}
	frame.Styles = themes.NewStyles(theme.Plain(), s.ascii)
	if err := o.fill(ctx, s.wait); err != nil {
		return err
	}
	all := s.panes()
	court := s.court(s.baselines())
	needs := append(report.Needs(), court.Needs()...)
	for _, p := range all {
		needs = append(needs, p.Needs(frame)...)
	}
	ask := feed.Ask{Needs: needs, Window: frame.Window, At: o.now(), Events: verdict.Span}
	if s.pick != "" {
		list, err := lister(o, cat)(ctx)
		if err != nil {
			return err
		}
		picked, err := pickDeployment(list, s.pick)
		if err != nil {
			return err
		}
		ask.Scope = picked.Scope
	}
	frame.Snap = f.Tick(ctx, ask)
	frame.Judgement = court.Judge(frame.Snap)
	frame.Events = recent(frame)
	var tried []report.TriedLine
	if o.tried != nil {
		tried = o.tried()
	}
	if s.json {
		err = report.JSON(out, frame, tried...)
	} else {
		err = report.Text(out, frame, all, tried...)
	}
	if err != nil {
		return fmt.Errorf("print the snapshot: %w", err)
	}
	if w := frame.Snap.Warning; w != "" && !slices.ContainsFunc(frame.Snap.Targets, answered) {
		return exitError{code: 1, msg: w}
	}
	if !slices.ContainsFunc(frame.Snap.Targets, answered) {
		return exitError{code: 1, msg: "no target answered; hint: name the metrics ports with --target http://HOST:PORT"}
	}
	return nil
}

// recent are the events that charts show: those of the window.
func recent(f pane.Frame) []sources.Event {
	out := slices.Concat(f.Judgement.Events(), f.Snap.Events)
	out = slices.DeleteFunc(out, func(e sources.Event) bool { return f.Snap.At.Sub(e.At) > f.Window })
	slices.SortStableFunc(out, func(a, b sources.Event) int { return b.At.Compare(a.At) })
	return out
}
