package workers

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dynascope/profiling/triage/verdict"
	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

func TestVerdictsMarkTheirWorkersAndStandInTheSheet(t *testing.T) {
	p, f := New(), panetest.Frame(80, 20)
	f = panetest.With(p, f, panetest.Full)
	f.Judgement = panetest.Judgement(f.Snap, panetest.Full)
	golden.Check(t, "verdict_80", p.View(f))

	_ = p.SetFilter("role:nobody")
	whom := f.Judgement.Verdicts[0].Culprit
	if !p.Find(whom, f) || p.Filter() != "" || p.cursor.Key.worker != whom.Worker {
		t.Fatalf("the cursor is on %+v, filter %q", p.cursor.Key, p.Filter())
	}
	f = panetest.With(p, f, panetest.Full)
	for _, want := range []string{"worker " + whom.Name, "✗ decode KV-bound", "KV 97 %", "since 12:01:40"} {
		if out := ansi.Strip(p.View(f)); !strings.Contains(out, want) {
			t.Errorf("the sheet lacks %q:\n%s", want, out)
		}
	}
	if p.Find(verdict.Culprit{Kind: "worker", Name: "none", Worker: "abc"}, f) || p.open {
		t.Error("found a worker that is not there")
	}
	p.Press(pane.Back, f)
}
