package kv

import (
	"testing"

	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

func TestContract(t *testing.T) { panetest.Run(t, func() pane.Pane { return New() }) }

func TestPictures(t *testing.T) {
	for name, size := range map[string][2]int{"80x20": {80, 20}, "140x38": {140, 38}, "250x66": {250, 66}} {
		p := New()
		golden.Check(t, name, p.View(panetest.With(p, panetest.Frame(size[0], size[1]), panetest.Full)))
	}
}

// 256 workers at the largest size: what a key waits for.
func BenchmarkView(b *testing.B) {
	p := New()
	f := panetest.With(p, panetest.Frame(250, 66), panetest.Many)
	b.ReportAllocs()
	for b.Loop() {
		p.View(f)
	}
}
