package overview

import (
	"testing"

	"dynascope/tui/golden"
	"dynascope/tui/pane/panetest"
)

// A verdict takes lines of its own above the parts, and marks whom it names.
func TestVerdict(t *testing.T) {
	for name, size := range map[string][2]int{"verdict_80x20": {80, 20}, "verdict_140x38": {140, 38}} {
		p := New()
		f := deployed(p, panetest.Frame(size[0], size[1]))
		f.Judgement = panetest.Judgement(f.Snap, panetest.Full)
		f = panetest.With(p, f, panetest.Full)
		golden.Check(t, name, p.View(f))
	}
}
