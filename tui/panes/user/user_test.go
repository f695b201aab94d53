package user

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
	"dynascope/sources/catalog"
	"dynascope/tui/cells"
	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

func mine() Spec {
	return Spec{ID: "user-kv", Title: "KV moves", Short: "KVm", Rows: [][]Widget{
		{{Key: "user.kv.rate", Title: "Moves", Kind: Line, Unit: "tokens", Legend: "{{pod}}"}, {Key: "user.kv.spark", Title: "Share", Kind: Sparkline, Unit: "ratio"}},
		{{Key: "user.kv.table", Title: "By pod", Kind: Table, Unit: "seconds"}, {Key: "user.kv.heat", Title: "Waits", Kind: Heatmap, Unit: "seconds"}},
	}}
}

// fill answers each widget as the feed would: pods, or buckets for the heat
// map.
func fill(p *Pane, f pane.Frame, pods int) pane.Frame {
	f.Snap = sources.NewSnapshot(sources.Snapshot{At: panetest.Now(), Have: f.Window}, nil) // needs follow the span
	figures := map[sources.Need]*sources.Figure{}
	now := panetest.Now()
	for _, n := range p.Needs(f) {
		fig := &sources.Figure{Need: n, Status: sources.StatusOK, At: now}
		series := func(l sources.Labels, v func(i int) float64) {
			s := sources.Series{Labels: l}
			if !n.IsRange() {
				s.Points = []sources.Point{{T: now.UnixMilli(), V: v(0)}}
			}
			for i, t := 0, now.Truncate(max(n.Step, 1)).Add(-n.Span); n.IsRange() && !t.After(now); i, t = i+1, t.Add(n.Step) {
				s.Points = append(s.Points, sources.Point{T: t.UnixMilli(), V: v(i)})
			}
			fig.Series = append(fig.Series, s)
		}
		if strings.HasSuffix(n.Key, "heat") {
			for k, le := range []string{"0.1", "1", "10", "+Inf"} {
				series(sources.Labels{"le": le}, func(i int) float64 { return float64((k + 1) * (10 + i%7)) })
			}
		} else {
			for k := range pods {
				series(sources.Labels{"pod": fmt.Sprintf("pod-%d\x1b[31m", k), "ns": "prod"}, func(i int) float64 { return float64(k) + float64(i%20)/20 })
			}
		}
		figures[n] = fig
	}
	f.Snap = sources.NewSnapshot(sources.Snapshot{Seq: 1, At: now, Live: true, Have: f.Window, Window: f.Window}, figures)
	return f
}

// The contract knows the built-in catalogue alone: its derived figures stand
// in for expressions.
func TestContract(t *testing.T) {
	var keys []string
	for _, m := range catalog.Default().Metrics() {
		if m.Kind == catalog.Derived {
			keys = append(keys, m.Key)
		}
	}
	spec := mine()
	for i, row := range spec.Rows {
		for j := range row {
			row[j].Key = keys[2*i+j]
		}
	}
	panetest.Run(t, func() pane.Pane { return New(spec) })
}

func TestPictures(t *testing.T) {
	for name, size := range map[string][2]int{"80x20": {80, 20}, "140x38": {140, 38}, "250x66": {250, 66}} {
		p := New(mine())
		golden.Check(t, name, p.View(fill(p, panetest.Frame(size[0], size[1]), 3)))
	}
}

func TestManySeriesAndHostileNames(t *testing.T) {
	p := New(mine())
	f := fill(p, panetest.Frame(140, 38), 40)
	view := p.View(f)
	for _, want := range []string{"pod-39", "and 32 more", "of 40"} {
		if !strings.Contains(cells.Strip(view), want) {
			t.Errorf("no %q in\n%s", want, cells.Strip(view))
		}
	}
	if strings.Contains(view, "39\x1b[31m") || strings.Contains(view, "prod") {
		t.Error("an outside sequence, or a label that tells nothing apart, is drawn")
	}
	p.Press(pane.Focus, f)
	p.Press(pane.Focus, f)
	p.Press(pane.Bottom, f)
	if !strings.Contains(cells.Strip(p.View(f)), "–40 of 40") {
		t.Errorf("the table does not scroll to its end\n%s", cells.Strip(p.View(f)))
	}
	if !p.Press(pane.Top, f) || p.Press(pane.Up, f) {
		t.Error("up from the top changes something")
	}
}

func TestCopy(t *testing.T) {
	p := New(mine())
	f := fill(p, panetest.Frame(140, 38), 3)
	if got := strings.Join(p.Copy(f), "|"); got != "Moves|pod-2  2 tok|pod-1  1 tok|pod-0  0 tok" {
		t.Error(got)
	}
	if got := p.Copy(panetest.Frame(140, 38)); len(got) != 2 || got[1] != "pending" {
		t.Error(got)
	}
}

// A small screen shows the focused part; zoom shows it alone.
func TestFocus(t *testing.T) {
	p := New(mine())
	f := panetest.Frame(40, 7)
	for _, key := range []string{"user.kv.rate", "user.kv.spark", "user.kv.table", "user.kv.heat"} {
		if got := p.Explain(f); len(got) == 0 || got[0].Key != key {
			t.Errorf("focus on %v, want %s", got, key)
		}
		p.Press(pane.Focus, f)
	}
	f = panetest.Frame(140, 38)
	f.Zoom = true
	for _, n := range p.Needs(f) {
		if n.Key != "user.kv.rate" {
			t.Errorf("zoomed, and asks for %s", n.Key)
		}
	}
	f.Zoom = false
	if !p.Click(100, 30, f) || p.Explain(f)[0].Key != "user.kv.heat" || p.Click(100, 30, f) {
		t.Error("a click does not focus")
	}
}

func TestEmptyAndAbsent(t *testing.T) {
	p := New(Spec{ID: "user-x", Title: "X", Short: "X"})
	f := panetest.Frame(40, 5)
	if got := p.View(f); strings.TrimSpace(cells.Strip(got)) != "" || p.Press(pane.Focus, f) {
		t.Errorf("%q", got)
	}
	p = New(Spec{ID: "user-x", Title: "X", Short: "X", Rows: [][]Widget{{{Key: "user.x.a", Title: "A", Kind: Table}}}})
	f = panetest.Frame(60, 8)
	n := p.Needs(f)[0]
	f.Snap = sources.NewSnapshot(sources.Snapshot{At: panetest.Now(), Have: time.Minute}, map[sources.Need]*sources.Figure{
		n: {Need: n, Status: sources.StatusAbsent, Tried: []string{"my_total"}},
	})
	if got := cells.Strip(p.View(f)); !strings.Contains(got, "absent: no my_total") {
		t.Error(got)
	}
}
