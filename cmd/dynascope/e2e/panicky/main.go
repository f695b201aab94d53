//go:build e2e

// Command panicky is the console with a pane that panics after a second: the
// end-to-end test looks at the terminal it leaves.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/sources/feed"
	"dynascope/tui"
	"dynascope/tui/pane"
)

type bomb struct{}

func (bomb) ID() string                      { return "bomb" }
func (bomb) Title() string                   { return "Bomb" }
func (bomb) Short() string                   { return "Bomb" }
func (bomb) Needs(pane.Frame) []sources.Need { return nil }
func (bomb) View(f pane.Frame) string {
	if f.Snap != nil {
		panic("the pane panicked on purpose")
	}
	return ""
}

type late struct{}

func (late) Tick(context.Context, feed.Ask) *sources.Snapshot {
	time.Sleep(time.Second)
	return sources.NewSnapshot(sources.Snapshot{Seq: 1, At: time.Now(), Live: true}, nil)
}

func main() {
	m, err := tui.New(context.Background(), tui.Options{Feed: late{}, Catalog: catalog.Default(), Panes: []pane.Pane{bomb{}}})
	if err == nil {
		_, err = tea.NewProgram(m).Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
