package gpu

import (
	"strings"
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
		{"exporter_80", []*card{exporter(h100("dcgm-x7f", 0)), exporter(h100("dcgm-x7f", 1))}, 80, 20, nil, ""},
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

// press presses and answers what is asked afterwards.
func press(p *Pane, f pane.Frame, cards []*card, all ...pane.Action) pane.Frame {
	for _, a := range all {
		p.Press(a, f)
		f = deploy(p, f, cards)
	}
	return f
}

// A fleet is hosts, a host its GPUs with the cursor on the worst, a GPU a
// sheet; back leads the same way out.
func TestDrillIn(t *testing.T) {
	cards := fleet(40)
	p := New()
	f := deploy(p, panetest.Frame(140, 38), cards)
	if at := p.level(f, p.listing(f)); at != levelHosts {
		t.Fatalf("320 GPUs are drawn one by one: %v", at)
	}
	f = press(p, f, cards, pane.Enter)
	l := p.listing(f)
	if !p.inHost || p.host != "gpu-node-37" || len(l.shownGPUs) != 8 || p.gpus.cursor.Key != l.shownGPUs[3].ID {
		t.Errorf("in %q, cursor on %q", p.host, p.gpus.cursor.Key)
	}
	f = press(p, f, cards, pane.Enter)
	if !p.open || p.focused(p.listing(f)).number != "3" {
		t.Errorf("the sheet is not GPU 3's")
	}
	f = press(p, f, cards, pane.Next)
	if got := p.focused(p.listing(f)).number; got != "4" {
		t.Errorf("n led to GPU %s", got)
	}
	f = press(p, f, cards, pane.Back)
	if p.open || !p.inHost {
		t.Error("back did not lead to the host")
	}
	f = press(p, f, cards, pane.Back)
	if p.inHost || p.Press(pane.Back, f) {
		t.Error("back did not lead to the fleet, and end there")
	}
	few := fleet(2)
	if at := p.level(f, New().listing(deploy(New(), f, few))); at != levelGPUs {
		t.Error("16 GPUs fit and are summed up")
	}
}

func TestFilter(t *testing.T) {
	cards := node()
	for _, c := range []struct{ text, want string }{
		{"", "0 1 2 3 4 5 6 7"}, {"why:thermal", "1"}, {"util>96", "1 5"}, {"!util>0", "3 4 7"}, {"power>=1000", "6"}, {"model:b200", "6"},
		{"gpu:1", "1"}, {"mem>90 !model:b200", ""}, {"state:lost", "4"}, {"process:python", "0"}, {"xid=94", "5"}, {"h100 temp<60", "3"}, {"mig>1", "3"},
	} {
		p := New()
		if err := p.SetFilter(c.text); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		var got []string
		for _, r := range p.listing(deploy(p, panetest.Frame(140, 38), cards)).shownGPUs {
			got = append(got, r.number)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%q: %s, want %s", c.text, s, c.want)
		}
	}
	p := New()
	for _, text := range []string{"role:decode", "util:9", "host>5", "util>x", "util>inf", "!", "host:"} {
		if err := p.SetFilter(text); err == nil || !strings.Contains(err.Error(), "hint:") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Missing numbers are last whichever way a column is sorted.
func TestSort(t *testing.T) {
	for _, c := range []struct {
		o    order
		want string
	}{
		{order{}, "0 1 2 3 4 5 6 7"}, {order{inverted: true}, "7 6 5 4 3 2 1 0"},
		{order{column: "util"}, "1 5 0 2 6 7 3 4"}, {order{column: "util", inverted: true}, "7 6 2 0 5 1 3 4"},
		{order{column: "power"}, "6 2 1 5 0 7 3 4"}, {order{column: "why"}, "1 4 5 2 7 0 3 6"},
	} {
		p := New()
		p.gpus.order = c.o
		var got []string
		for _, r := range p.listing(deploy(p, panetest.Frame(140, 38), node())).shownGPUs {
			got = append(got, r.number)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%+v: %s, want %s", c.o, s, c.want)
		}
	}
}

// Questions do not grow with GPUs, and without any there are three.
func TestNeedsDoNotGrow(t *testing.T) {
	for _, size := range [][2]int{{80, 20}, {140, 38}, {250, 66}} {
		f := panetest.Frame(size[0], size[1])
		few, many := New(), New()
		n, m := len(few.Needs(deploy(few, f, node()))), len(many.Needs(deploy(many, f, fleet(20))))
		if m > n || n > 60 {
			t.Errorf("%v: %d questions, %d for 160 GPUs", size, n, m)
		}
	}
	p := New()
	if n := len(p.Needs(deploy(p, panetest.Frame(140, 38), nil))); n != 3 {
		t.Errorf("%d questions about GPUs that are not there", n)
	}
}

func TestExplainFollowsTheOrder(t *testing.T) {
	cards := node()
	p := New()
	f := deploy(p, panetest.Frame(140, 38), cards)
	if got := p.Explain(f)[0].Key; got != "gpu.util" {
		t.Errorf("first %s", got)
	}
	p.gpus.order = order{column: "power"}
	if got := p.Explain(f)[0].Key; got != "gpu.power" {
		t.Errorf("sorted by power: first %s", got)
	}
	if a, b := len(p.Explain(f)), len(p.Needs(f)); a != b {
		t.Errorf("%d of %d questions are explained", a, b)
	}
}
