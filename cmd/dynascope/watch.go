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

	"dynascope/sources/embedded"
	"dynascope/sources/feed"
	"dynascope/themes"
	"dynascope/tui"
	"dynascope/tui/pane"
	"dynascope/tui/panes"
	"dynascope/tui/report"
)

// watch opens the store, points it at the targets and shows it: on a terminal
// as the console, else as --once.
func watch(ctx context.Context, s settings, in, out, errOut *os.File) error {
	if err := s.check(); err != nil {
		return err
	}
	cat, err := s.catalogue()
	if err != nil {
		return err
	}
	store, err := embedded.Open(ctx, embedded.Options{KeepNames: cat.Keep()})
	if err != nil {
		return err
	}
	defer store.Close()

	// Adding returns at once: a black-holed target delays neither the first
	// frame nor its neighbours.
	for _, spec := range s.specs() {
		if _, err := store.Add(ctx, spec); err != nil {
			return err
		}
	}

	f := feed.New(store, cat)
	if s.once || !term.IsTerminal(out.Fd()) || !term.IsTerminal(in.Fd()) {
		return once(ctx, s, f, out)
	}
	model, err := tui.New(ctx, tui.Options{
		Feed: f, Catalog: cat, Panes: panes.All(), Name: s.name, Tick: max(s.interval, time.Second), Window: s.window,
		SLA: s.sla, Theme: s.theme, ASCII: s.ascii, NoColor: os.Getenv("NO_COLOR") != "", Warning: store.Warning,
	})
	if err != nil {
		return err
	}
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
func once(ctx context.Context, s settings, f *feed.Feed, out *os.File) error {
	frame := pane.Frame{W: 110, H: 40, SLA: s.sla, Window: min(s.window, max(s.wait, 10*time.Second)), Source: pane.FromFrontend}
	theme, err := themes.Get("mono")
	if err != nil {
		return err
	}
	frame.Styles = themes.NewStyles(theme.Plain(), s.ascii)
	select {
	case <-ctx.Done():
		return exitError{code: 130, msg: "stopped before the end of --for"}
	case <-time.After(s.wait):
	}
	all := panes.All()
	needs := report.Needs()
	for _, p := range all {
		needs = append(needs, p.Needs(frame)...)
	}
	frame.Snap = f.Tick(ctx, feed.Ask{Needs: needs, Window: frame.Window})
	if s.json {
		err = report.JSON(out, frame.Snap, s.sla)
	} else {
		err = report.Text(out, frame, all)
	}
	if err != nil {
		return fmt.Errorf("print the snapshot: %w", err)
	}
	if !slices.ContainsFunc(frame.Snap.Targets, answered) {
		return exitError{code: 1, msg: "no target answered; hint: name the metrics ports with --target http://HOST:PORT"}
	}
	return nil
}
