package gpu

import (
	"testing"

	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

func TestContract(t *testing.T) { panetest.Run(t, func() pane.Pane { return New() }) }

func TestPictures(t *testing.T) {
	enter := []pane.Action{pane.Enter}
	for _, c := range []struct {
		name   string
		cards  []*card
		w, h   int
		press  []pane.Action
		filter string
	}{
		{"node_80", node(), 80, 20, nil, ""},
		{"node_140", node(), 140, 38, []pane.Action{pane.Down}, ""},
		{"node_250", node(), 250, 66, nil, ""},
		{"node_filtered_80", node(), 80, 20, []pane.Action{pane.Sort, pane.Sort}, "temp>60 !why:power"},
		{"exporter_140", []*card{exporter(h100("dcgm-x7f", 0)), exporter(h100("dcgm-x7f", 1))}, 140, 38, nil, ""},
		{"fleet_80", fleet(64), 80, 20, nil, ""},
		{"fleet_140", fleet(64), 140, 38, nil, ""},
		{"fleet_250", fleet(64), 250, 66, nil, ""},
		{"fleet_host_140", fleet(64), 140, 38, enter, ""},
		{"sheet_80", node(), 80, 20, []pane.Action{pane.Down, pane.Enter}, ""},
		{"sheet_140", node(), 140, 38, []pane.Action{pane.Down, pane.Enter}, ""},
		{"sheet_mig_140", node(), 140, 38, []pane.Action{pane.Down, pane.Down, pane.Down, pane.Enter}, ""},
		{"none_80", nil, 80, 20, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New()
			if err := p.SetFilter(c.filter); err != nil {
				t.Fatal(err)
			}
			f := deploy(p, panetest.Frame(c.w, c.h), c.cards, oneWorker)
			for _, a := range c.press {
				p.Press(a, f)
				f = deploy(p, f, c.cards, oneWorker)
			}
			golden.Check(t, c.name, p.View(f))
		})
	}
}

// BenchmarkView draws 64 hosts of 8 GPUs at 250×70: a new snapshot each time,
// as a tick brings it, and the same one again, as a key does.
func BenchmarkView(b *testing.B) {
	cards := fleet(64)
	for name, press := range map[string][]pane.Action{"hosts": nil, "host": {pane.Enter}, "sheet": {pane.Enter, pane.Enter}} {
		p := New()
		f := deploy(p, panetest.Frame(250, 66), cards)
		for _, a := range press {
			p.Press(a, f)
			f = deploy(p, f, cards)
		}
		b.Run(name+"/tick", func(b *testing.B) {
			for b.Loop() {
				p.memo = listing{}
				p.View(f)
			}
		})
		b.Run(name+"/key", func(b *testing.B) {
			for b.Loop() {
				p.View(f)
			}
		})
	}
}
