package workers

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/profiling/triage"
	"dynascope/sources"
	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

func TestContract(t *testing.T) { panetest.Run(t, func() pane.Pane { return New() }) }

// deployment is a small disaggregated one: a busy decode worker of two ranks,
// a slow one, one whose page died, one that is gone, one that only the router
// knows, and an idle prefill worker.
func deployment(p *Pane, f pane.Frame) pane.Frame {
	at := panetest.Now()
	worker := func(id uint64, role string, st sources.WorkerState, ranks ...string) sources.Worker {
		w := sources.Worker{
			ID: fmt.Sprintf("%x", id), Decimal: fmt.Sprint(id), Instance: fmt.Sprintf("node-%d:9090", id>>60),
			Namespace: "dynamo", Component: "backend", Role: role, Engine: "sglang", Model: "Qwen3-32B", Ranks: ranks, State: st, LastGood: at,
		}
		w.Short = w.ID[:4]
		return w
	}
	dead := at.Add(-12 * time.Second)
	workers := []sources.Worker{
		worker(0x7f3a00000000000a, "decode", sources.WorkerUp, "0", "1"),
		worker(0x91c200000000000b, "decode", sources.WorkerUp, "0", "1"),
		worker(0xa01b00000000000c, "decode", sources.WorkerStale, "0"),
		worker(0xb22c00000000000d, "decode", sources.WorkerGone, "0"),
		worker(0xc33d00000000000e, "decode", sources.WorkerUnscraped, "0"),
		worker(0xd44e00000000000f, "prefill", sources.WorkerUp, "0"),
	}
	workers[2].LastGood, workers[3].LastGood = dead, dead
	workers[4].Instance, workers[4].Engine, workers[4].LastGood = "", "", time.Time{}

	snap := sources.Snapshot{Seq: 9, At: at, Live: true, Window: f.Window, Have: f.Window, Store: "embedded", Workers: workers}
	figures := map[sources.Need]*sources.Figure{}
	add := func(n sources.Need, unit string, series ...sources.Series) {
		figures[n] = &sources.Figure{Need: n, Status: sources.StatusOK, At: at, Unit: unit, Series: series, Tried: []string{"family"}}
		if n.Form != sources.FormNow {
			figures[n].Window = f.Window
		}
	}
	of := func(i int, rank string, v float64) sources.Series {
		l := sources.Labels{"instance": workers[i].Instance}
		if rank != "" {
			l["dp_rank"] = rank
		}
		t := at
		if s := workers[i].State; s == sources.WorkerStale || s == sources.WorkerGone {
			t = dead
		}
		return sources.Series{Labels: l, Points: []sources.Point{{T: t.UnixMilli(), V: v}}}
	}
	gauge := func(key string) sources.Need { return sources.Need{Key: key, Form: sources.FormNow, By: perRank} }
	add(gauge("engine.running"), "requests", of(0, "0", 64), of(0, "1", 60), of(1, "0", 40), of(1, "1", 41), of(2, "0", 50), of(3, "0", 64), of(5, "0", 0))
	add(gauge("engine.waiting"), "requests", of(0, "0", 31), of(0, "1", 3), of(1, "0", 0), of(1, "1", 3), of(2, "0", 11), of(3, "0", 99), of(5, "0", 0))
	add(gauge("engine.kv_usage"), "ratio", of(0, "0", 0.97), of(0, "1", 0.9), of(1, "0", 0.41), of(1, "1", 0.95), of(2, "0", 0.93), of(3, "0", 1))
	add(gauge("engine.max_running"), "requests", of(0, "0", 64), of(0, "1", 64), of(1, "0", 64), of(1, "1", 64), of(2, "0", 64))
	add(sources.Need{Key: "engine.decode_tokens", Form: sources.FormRate, By: perRank}, "tokens",
		of(0, "0", 2100), of(0, "1", 2400), of(1, "0", 4830), of(1, "1", 2500), of(2, "0", 2000), of(3, "0", 1000))
	add(sources.Need{Key: "worker.errors", Form: sources.FormIncrease, By: "instance"}, "errors", of(0, "", 3.2), of(1, "", 0), of(5, "", 0))
	add(sources.Need{Key: "worker.inflight", Form: sources.FormNow, By: "instance"}, "requests", of(0, "", 158), of(1, "", 84), of(5, "", 0))
	add(sources.Need{Key: "router.belief.active_blocks", Form: sources.FormNow, By: "worker_id,dp_rank"}, "blocks",
		sources.Series{Labels: sources.Labels{"worker_id": workers[0].Decimal, "dp_rank": "0"}, Points: []sources.Point{{T: at.UnixMilli(), V: 9120}}},
		sources.Series{Labels: sources.Labels{"worker_id": workers[2].Decimal, "dp_rank": "0"}, Points: []sources.Point{{T: at.UnixMilli(), V: 77}}},
		sources.Series{Labels: sources.Labels{"worker_id": workers[4].Decimal, "dp_rank": "0"}, Points: []sources.Point{{T: at.UnixMilli(), V: 4410}}})
	var ttft []sources.Series
	for i, le := range []string{"0.22", "0.47", "1", "2.2", "4.7", "10", "+Inf"} {
		for w, counts := range map[int][]float64{0: {20, 100, 200, 340, 400, 400, 400}, 1: {200, 398, 400, 400, 400, 400, 400}, 2: {0, 3, 9, 9, 9, 9, 9}} {
			s := of(w, "", counts[i])
			s.Labels["le"] = le
			ttft = append(ttft, s)
		}
	}
	add(sources.Need{Key: "engine.ttft", Form: sources.FormBuckets, By: "instance"}, "seconds", ttft...)
	for _, n := range triage.WorkerNeeds() {
		if figures[n] == nil {
			figures[n] = &sources.Figure{Need: n, Status: sources.StatusAbsent, At: at, Tried: []string{"family_of_" + n.Key}}
		}
	}
	for _, n := range p.Needs(f) {
		if n.IsRange() {
			fill := panetest.Fill(f, []sources.Need{n}, panetest.Full).Figure(n)
			points := fill.Series[0].Points
			figures[n] = &sources.Figure{Need: n, Status: sources.StatusOK, At: at, Unit: fill.Unit}
			now := figures[sources.Need{Key: n.Key, Form: n.Form, By: n.By}]
			for i, w := range workers {
				for _, rank := range w.Ranks {
					s := of(i, rank, 0)
					s.Points = nil
					v, _ := now.Where(s.Labels)
					for c, pt := range points {
						if c >= 2*i && (w.State == sources.WorkerUp || c < len(points)-2) && (i != 1 || c%5 != 0) {
							v := v * pt.V / points[len(points)-1].V
							if fill.Unit == "ratio" {
								v = min(v, 1)
							}
							s.Points = append(s.Points, sources.Point{T: pt.T, V: v})
						}
					}
					if w.Instance != "" {
						figures[n].Series = append(figures[n].Series, s)
					}
				}
			}
		}
	}
	f.Snap = sources.NewSnapshot(snap, figures)
	return f
}

func names(p *Pane, f pane.Frame) string {
	var out []string
	for _, r := range p.listing(f).shown {
		out = append(out, r.name)
	}
	return strings.Join(out, " ")
}

func TestPictures(t *testing.T) {
	for _, c := range []struct {
		name   string
		w, h   int
		press  []pane.Action
		filter string
	}{
		{"table_80", 80, 20, nil, ""},
		{"table_140", 140, 38, []pane.Action{pane.Down}, ""},
		{"table_250", 250, 66, nil, ""},
		{"filtered_80", 80, 20, []pane.Action{pane.Sort, pane.Sort}, "role:decode !state:gone kv>90"},
		{"sheet_80", 80, 20, []pane.Action{pane.Enter}, ""},
		{"sheet_140", 140, 38, []pane.Action{pane.Enter}, ""},
		{"sheet_stale_140", 140, 38, []pane.Action{pane.Down, pane.Enter}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := New()
			if err := p.SetFilter(c.filter); err != nil {
				t.Fatal(err)
			}
			f := deployment(p, panetest.Frame(c.w, c.h))
			for _, a := range c.press {
				p.Press(a, f)
			}
			golden.Check(t, c.name, p.View(deployment(p, f)))
		})
	}
	for name, d := range map[string]panetest.Dataset{"pending_80": panetest.Pending, "empty_80": panetest.Empty} {
		p := New()
		golden.Check(t, name, p.View(panetest.With(p, panetest.Frame(80, 20), d)))
	}
	p := New()
	golden.Check(t, "many_140", p.View(panetest.With(p, panetest.Frame(140, 20), panetest.Many)))
}

// Absent values are last whichever way a column is sorted, and so are those of
// a worker that is gone; equal rows keep their order.
func TestSort(t *testing.T) {
	for _, c := range []struct {
		column   string
		inverted bool
		want     string
	}{
		{"", false, "7f3a/dp0 a01b 91c2/dp1 7f3a/dp1 91c2/dp0 d44e b22c c33d"},
		{"", true, "91c2/dp0 d44e 7f3a/dp1 91c2/dp1 a01b 7f3a/dp0 b22c c33d"},
		{"kv", false, "7f3a/dp0 91c2/dp1 a01b 7f3a/dp1 91c2/dp0 b22c c33d d44e"},
		{"kv", true, "91c2/dp0 7f3a/dp1 a01b 91c2/dp1 7f3a/dp0 b22c c33d d44e"},
		{"ttft", false, "7f3a/dp0 7f3a/dp1 a01b 91c2/dp0 91c2/dp1 b22c c33d d44e"},
		{"worker", false, "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c c33d d44e"},
		{"worker", true, "d44e c33d b22c a01b 91c2/dp1 91c2/dp0 7f3a/dp1 7f3a/dp0"},
		{"engine", false, "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c d44e c33d"},
		{"engine", true, "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 a01b b22c d44e c33d"},
		{"state", false, "b22c a01b c33d 7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 d44e"},
		{"blk", false, "7f3a/dp0 c33d a01b 7f3a/dp1 91c2/dp0 91c2/dp1 b22c d44e"},
		{"age", true, "7f3a/dp0 7f3a/dp1 91c2/dp0 91c2/dp1 d44e a01b b22c c33d"},
	} {
		p := New()
		p.order = order{c.column, c.inverted}
		f := deployment(p, panetest.Frame(140, 38))
		if got := names(p, f); got != c.want {
			t.Errorf("by %q, inverted %v:\n got %s\nwant %s", c.column, c.inverted, got, c.want)
		}
	}
}

func TestSortOddNumbers(t *testing.T) {
	inf := math.Inf(1)
	rows := make([]*row, 4)
	for i, b := range []sources.Bounds{{Lo: 4, Hi: inf, N: 9}, {Hi: 1}, {Lo: 480, Hi: inf, N: 9}, {Lo: 1, Hi: 4, N: 9}} {
		rows[i] = &row{index: i}
		rows[i].TTFT = b
	}
	order{column: "ttft"}.sort(rows)
	var got []int
	for _, r := range rows {
		got = append(got, r.index)
	}
	if !slices.Equal(got, []int{2, 0, 3, 1}) {
		t.Errorf("order %v", got)
	}
}

// Every column can be sorted by, and the one that is sorted by is on screen
// however narrow it is.
func TestSortKeyVisitsEveryColumn(t *testing.T) {
	p := New()
	f := deployment(p, panetest.Frame(60, 20))
	seen := map[string]bool{}
	for range columns() {
		p.Press(pane.Sort, f)
		if p.order.column == "" {
			break
		}
		c, _ := columnOf(p.order.column)
		head := strings.Split(golden.Picture(p.View(f)), "\n")[2]
		if short := strings.TrimSpace(head); !strings.Contains(short, "▼") && !strings.Contains(short, "▲") {
			t.Errorf("sorted by %s, and the head is %q", c.title, short)
		}
		seen[p.order.column] = true
	}
	if p.order != (order{}) || len(seen) != 19 {
		t.Errorf("%d columns, then %+v", len(seen), p.order)
	}
}

// The cursor is on a worker, not on a place.
func TestCursorStaysOnItsWorker(t *testing.T) {
	p := New()
	f := deployment(p, panetest.Frame(140, 38))
	at := func() string { l := p.listing(f); return l.shown[p.place(l)].name }
	if at() != "7f3a/dp0" {
		t.Fatalf("starts at %s", at())
	}
	p.Press(pane.Down, f)
	p.Press(pane.Down, f)
	if at() != "91c2/dp1" {
		t.Fatalf("moved to %s", at())
	}
	for _, a := range []pane.Action{pane.Sort, pane.Invert, pane.Sort, pane.Sort} {
		p.Press(a, f)
		if at() != "91c2/dp1" {
			t.Errorf("after %s at %s", a, at())
		}
	}
	f = deployment(p, f) // another tick
	if at() != "91c2/dp1" {
		t.Errorf("after a tick at %s", at())
	}
	if err := p.SetFilter("state:stale"); err != nil {
		t.Fatal(err)
	}
	if at() != "a01b" {
		t.Errorf("filtered out, at %s", at())
	}
	_ = p.SetFilter("")
	if at() != "91c2/dp1" {
		t.Errorf("after the filter at %s", at())
	}

	// Enter opens what was on screen even when nothing was pressed before.
	p = New()
	p.Press(pane.Enter, f)
	if !strings.Contains(p.View(f), "worker 7f3a/dp0") {
		t.Error("the sheet is not of the first row")
	}
	p.Press(pane.Next, f)
	if !strings.Contains(p.View(f), "worker a01b") {
		t.Error("n does not turn to the next worker")
	}
	if !p.Press(pane.Back, f) || p.Press(pane.Back, f) {
		t.Error("esc leaves the sheet once")
	}
}

// What is not of now never looks like now.
func TestOldRowsAreDim(t *testing.T) {
	p := New()
	f := deployment(p, panetest.Frame(250, 66))
	l := p.listing(f)
	stale := f.Styles.Stale.Render
	for _, c := range []struct{ row, column, want string }{
		{"a01b", "worker", stale("a01b")},
		{"a01b", "queue", stale("11")},
		{"a01b", "kv", stale("93 %")},
		{"a01b", "decode", stale("2k")},
		{"a01b", "age", stale("12 s")},
		{"a01b", "ttft", stale("~0.47–1 s")},
		{"a01b", "blk", f.Styles.Value.Render("77")}, // the router's number is of now
		{"b22c", "queue", stale("99")},
		{"b22c", "ttft", f.Styles.Dim.Render("–")}, // not idle: nobody knows
		{"c33d", "queue", f.Styles.Dim.Render("–")},
		{"c33d", "engine", f.Styles.Dim.Render("–")},
		{"c33d", "blk", f.Styles.Value.Render("4 410")},
		{"d44e", "queue", f.Styles.Value.Render("0")},
		{"d44e", "ttft", f.Styles.Dim.Render("idle")},
	} {
		i := slices.IndexFunc(l.all, func(r row) bool { return r.name == c.row })
		col, _ := columnOf(c.column)
		if got := col.draw(&l.all[i], f, l); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.column, c.row, got, c.want)
		}
	}
	for i, want := range map[int]string{4: "stale 12 s", 5: "gone 12 s", 6: "unscraped", 7: "up"} {
		if !strings.Contains(golden.Picture(paintState(&l.all[i], f, l)), want) {
			t.Errorf("state of %s: %q, want %q", l.all[i].name, paintState(&l.all[i], f, l), want)
		}
	}
	// A page whose scrapes hang is up and its numbers are old.
	slow := *f.Snap
	slow.Targets = []sources.Target{{Instance: "node-7:9090", Health: sources.HealthUp, Interval: time.Second, LastGood: slow.At.Add(-6 * time.Second)}}
	late := New()
	lf := f
	lf.Snap = &slow
	first := late.listing(lf).shown[0]
	queue, _ := columnOf("queue")
	if got := queue.draw(first, lf, l); first.name != "7f3a/dp0" || got != stale("31") {
		t.Errorf("queue of %s, six intervals old: %q", first.name, got)
	}
	if got := paintState(first, lf, l); got != stale("◌ up 6 s ago") {
		t.Errorf("its state: %q", got)
	}
	// A live status on a dead page is still not live.
	r := row{old: true}
	if got := r.engine(triage.Cell{V: 1, Status: sources.StatusOK}); got.Status != sources.StatusStale {
		t.Errorf("status %v", got.Status)
	}
}

func TestSpread(t *testing.T) {
	p := New()
	f := deployment(p, panetest.Frame(140, 38))
	l := p.listing(f)
	ok := func(v float64) triage.Cell { return triage.Cell{V: v, Status: sources.StatusOK} }
	rows := func(ranks int, cells ...triage.Cell) []*row {
		var out []*row
		for i, c := range cells {
			w := string(rune('a' + i/ranks))
			r := &row{item: item{w, fmt.Sprint(i % ranks)}, name: fmt.Sprintf("%s/dp%d", w, i%ranks)}
			r.Short, r.State, r.Decode, r.Ranks = w, sources.WorkerUp, c, make([]string, ranks)
			if ranks == 1 {
				r.name = w
			}
			out = append(out, r)
		}
		return out
	}
	uneven := append(rows(1, ok(100)), rows(2, ok(80), ok(120))...)
	uneven[0].item.worker, uneven[0].Short = "z", "z"
	idle, nan, absent := triage.Cell{V: math.NaN(), Status: sources.StatusIdle}, ok(math.NaN()), triage.Cell{Status: sources.StatusAbsent}
	for name, c := range map[string]struct {
		rows []*row
		want string
	}{
		"even":          {rows(1, ok(100), ok(100)), "decode spread 1.0×"},
		"uneven":        {rows(1, ok(230), ok(100), ok(180)), "decode spread 2.3×: b slowest"},
		"extreme":       {rows(1, ok(0.01), ok(2000)), "decode spread >100×: a slowest"},
		"one idle":      {rows(1, ok(230), ok(100), ok(0)), "decode spread 2.3×: b slowest, 1 of 3 idle"},
		"idle by none":  {rows(1, ok(230), idle, idle), "decode spread 2 of 3 idle"},
		"all idle":      {rows(1, ok(0), idle), "decode spread idle (all 2)"},
		"one":           {rows(1, ok(100)), ""},
		"one known":     {rows(1, ok(100), nan, absent), ""},
		"ranks":         {rows(2, ok(100), ok(50)), "decode spread 2.0×: a/dp1 slowest"},
		"unequal ranks": {uneven, "decode spread 1.5×: a/dp0 slowest"},
		"none":          {nil, ""},
	} {
		got := spreadOf("decode", shares(c.rows, func(r *row) triage.Cell { return r.Decode }), f.Styles)
		if got = strings.TrimSpace(golden.Picture(got)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	old := rows(1, ok(1), ok(2))
	old[0].old, old[1].State = true, sources.WorkerUnscraped
	if got := shares(old, func(r *row) triage.Cell { return r.Decode }); len(got) != 0 {
		t.Errorf("old rates count as live: %v", got)
	}
	if got := golden.Picture(spread(l, f.Styles)); !strings.HasPrefix(got, "decode spread ") {
		t.Errorf("spread %q", got)
	}
}

func TestExplainStartsWithTheSortedColumn(t *testing.T) {
	p := New()
	f := deployment(p, panetest.Frame(250, 66))
	if got := p.Explain(f); got[0].Key != "engine.waiting" || got[1].Key != "engine.kv_usage" || got[2].Key != "engine.running" {
		t.Errorf("busiest first: %v", got[:3])
	}
	for column, key := range map[string]string{"ttft": "engine.ttft", "blk": "router.belief.active_blocks", "errors": "worker.errors"} {
		p.order = order{column: column}
		if got := p.Explain(f); got[0].Key != key || len(got) < 15 {
			t.Errorf("by %s: %d questions, the first is %s", column, len(got), got[0].Key)
		}
	}
}

// A sheet of a worker that the snapshot does not have says so.
func TestSheetOfAWorkerThatIsGone(t *testing.T) {
	p := New()
	f := deployment(p, panetest.Frame(80, 20))
	p.Press(pane.Enter, f)
	f.Snap = panetest.Fill(f, p.Needs(f), panetest.Empty)
	if got := golden.Picture(p.View(f)); !strings.Contains(got, "not known at this moment") {
		t.Error(got)
	}
	if err := p.SetFilter("state:stale"); err != nil { // filtered out is not unknown
		t.Fatal(err)
	}
	if got := p.View(deployment(p, f)); !strings.Contains(got, "worker 7f3a/dp0") {
		t.Error(golden.Picture(got))
	}
}

func BenchmarkView256(b *testing.B) {
	p := New()
	f := panetest.With(p, panetest.Frame(250, 66), panetest.Many)
	p.View(f)
	for b.Loop() {
		p.View(f)
	}
}

func BenchmarkTick256(b *testing.B) {
	p := New()
	f := panetest.With(p, panetest.Frame(250, 66), panetest.Many)
	for b.Loop() {
		p.memo = listing{}
		p.View(f)
	}
}
