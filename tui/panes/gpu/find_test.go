package gpu

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dynascope/profiling/triage/verdict"
	"dynascope/tui/pane/panetest"
)

func TestAVerdictsGPUIsFound(t *testing.T) {
	p := New()
	f := panetest.With(p, panetest.Frame(140, 38), panetest.Full)
	l := p.listing(f)
	if len(l.rows) == 0 {
		t.Fatal("no GPU to find")
	}
	r := l.rows[len(l.rows)-1]
	_ = p.SetFilter("nothing like it")
	if !p.Find(verdict.Culprit{Kind: "gpu", Name: r.Host + "/" + r.Index}, f) || !p.open || p.Filter() != "" || p.gpus.cursor.Key != r.ID {
		t.Errorf("the sheet is open: %v, of %q, filter %q", p.open, p.gpus.cursor.Key, p.Filter())
	}
	f = panetest.With(p, f, panetest.Full)
	if out := ansi.Strip(p.View(f)); !strings.Contains(out, r.number) {
		t.Errorf("not to be seen:\n%s", out)
	}
	if !p.Find(verdict.Culprit{Kind: "host", Name: r.Host}, f) || p.open {
		t.Error("the host is not shown")
	}
	for _, c := range []verdict.Culprit{{Kind: "gpu", Name: "none/0"}, {Kind: "host", Name: "none"}, {Kind: "worker", Name: "7f3a"}} {
		if p.Find(c, f) {
			t.Errorf("found %+v", c)
		}
	}
}
