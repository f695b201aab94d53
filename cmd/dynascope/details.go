package main

import (
	"context"
	"fmt"
	"strconv"

	"dynascope/sources/catalog"
	"dynascope/sources/engine"
	"dynascope/sources/feed"
	"dynascope/tui/pane"
)

// logLines is how many of the last lines of a log are shown.
const logLines = 40

// details finds out about a worker what its metrics do not tell: the flags it
// was started with and its last log lines. The figures that tell a flag are
// asked with a feed of their own: one feed answers one question at a time.
func details(o *origin, cat *catalog.Catalog) func(context.Context, pane.DetailNeed) pane.Detail {
	reader := engine.NewReader()
	figures := feed.New(o.store, cat)
	return func(ctx context.Context, need pane.DetailNeed) pane.Detail {
		q := engine.Question{Instance: need.Instance, Engine: need.Engine, Figures: flagFigures(ctx, figures, need, o)}
		if o.info != nil {
			q.Info = o.info(need.Instance)
		}
		flags := reader.Flags(ctx, q)
		out := pane.Detail{Unknown: flags.Unknown}
		for _, s := range flags.Known() {
			v, ok := flags.Values[s.Name]
			if !ok {
				continue
			}
			row := pane.FlagRow{Name: s.Name, Value: v.Value, Source: string(v.Source), Origin: v.Origin, Note: v.Note}
			for _, other := range v.Others {
				row.Note += fmt.Sprintf("; %s says %s (%s)", other.Source, other.Value, other.Origin)
			}
			out.Flags = append(out.Flags, row)
		}
		if p := flags.Process; p != nil {
			out.Process, out.PID, out.Args = fmt.Sprintf("pid %d, %s", p.PID, p.Program), strconv.Itoa(p.PID), p.Args
			tail := reader.Log(ctx, *p, logLines)
			out.Log = pane.LogTail{From: tail.From, Lines: tail.Lines, Hint: tail.Hint}
		} else {
			out.Log.Hint = "the worker's process is not known here"
		}
		return out
	}
}

// flagFigures are the figures that tell settings, of the worker or its model.
func flagFigures(ctx context.Context, f *feed.Feed, need pane.DetailNeed, o *origin) map[string]float64 {
	snap := f.Tick(ctx, feed.Ask{Needs: flagNeeds(), At: o.now()})
	return flagFiguresOf(snap, need.Instance, need.Model)
}

// info is what a plain SGLang server answered on its own routes, nil when it
// is not asked.
func (c *collection) info(instance string) *engine.ServerInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.pollers[instance]; p != nil {
		return p.poller.Info()
	}
	return nil
}
