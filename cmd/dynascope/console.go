package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dynascope/tui"
	"dynascope/tui/pane"
)

// keys are the user's key table, refused with the line that is wrong.
func (c *configuration) keys() (map[string][]string, error) {
	if c == nil || c.Effective == nil || len(c.Keys) == 0 {
		return nil, nil
	}
	out := map[string][]string{}
	for _, b := range c.Keys {
		out[b.Action] = b.Keys
	}
	err := tui.CheckKeys(out)
	if err == nil {
		return out, nil
	}
	at := c.Path
	for _, b := range c.Keys {
		if strings.Contains(err.Error(), b.Action) {
			at = b.At.String()
			break
		}
	}
	return nil, fmt.Errorf("%s: keys: %w", at, err)
}

// actionLog is the user's file of what was sent to servers.
func actionLog() *tui.ActionLog {
	return tui.NewActionLog(filepath.Join(stateFolder(), "actions.jsonl"))
}

// stateFolder is where this program keeps what one run leaves for the next.
func stateFolder() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			home = os.TempDir() // still better than no log
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "dynascope")
}

// dummy is an action that reaches no server, for the demo.
func dummy() *pane.Command {
	return &pane.Command{
		Title:   "test action",
		Request: "no request: this tests the confirmation and the log (POST http://server/path {\"body\": 1} would stand here)",
		Changes: true,
		Run: func(ctx context.Context) (string, error) {
			select {
			case <-ctx.Done():
				return "", ctx.Err()
			case <-time.After(2 * time.Second):
				return "nothing was sent; this is where the server's answer stands", nil
			}
		},
	}
}
