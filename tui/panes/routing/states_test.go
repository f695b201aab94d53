package routing

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/tui/golden"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

// changed fills a frame and changes its figures, twice: what is asked follows
// what was found.
func changed(p *Pane, f pane.Frame, do func(*sources.Snapshot, *sources.Figure)) pane.Frame {
	for range 2 {
		s := panetest.Fill(f, p.Needs(f), panetest.Full)
		figures := map[sources.Need]*sources.Figure{}
		for _, g := range s.Figures() {
			do(s, g)
			figures[g.Need] = g
		}
		f.Snap = sources.NewSnapshot(*s, figures)
	}
	return f
}

const routerHint = "needs a frontend with --router-mode kv, or a standalone router with DYN_SYSTEM_PORT"

// gone makes a figure absent as the feed does.
func gone(g *sources.Figure, note string) {
	g.Status, g.Series, g.Found, g.Note = sources.StatusAbsent, nil, nil, note
}

// one makes a figure a single number, over time where a course is asked.
func one(g *sources.Figure, v float64, labels sources.Labels) {
	s := sources.Series{Labels: labels}
	if g.Need.IsRange() {
		step := g.Need.Step.Milliseconds()
		last := g.At.UnixMilli() / step * step
		for k := g.Need.Span.Milliseconds()/step - 1; k >= 0; k-- {
			s.Points = append(s.Points, sources.Point{T: last - k*step, V: v})
		}
	} else {
		s.Points = []sources.Point{{T: g.At.UnixMilli(), V: v}}
	}
	g.Status, g.Series = sources.StatusOK, []sources.Series{s}
}

func hasRouter(key string) bool {
	return strings.HasPrefix(key, "router.overhead.") || strings.HasPrefix(key, "router.queue.") || strings.HasPrefix(key, "router.admission.") ||
		strings.HasPrefix(key, "router.kv_event") || strings.HasPrefix(key, "router.load_event") || strings.HasPrefix(key, "router.belief.") || key == "router.index_capacity"
}

// standalone is a deployment whose router is a process of its own, without a
// planner.
func standalone(_ *sources.Snapshot, g *sources.Figure) {
	switch key := g.Need.Key; {
	case hasRouter(key):
		gone(g, routerHint)
	case strings.HasPrefix(key, "planner."):
		gone(g, "start the planner with PLANNER_PROMETHEUS_PORT")
	case key == "router.requests":
		one(g, 12_402, sources.Labels{"instance": "10.0.0.11:9090"})
	}
}

// plain is a frontend that routes round robin.
func plain(s *sources.Snapshot, g *sources.Figure) {
	standalone(s, g)
	if g.Need.Key == "router.requests" {
		one(g, 0, sources.Labels{"instance": "10.0.0.1:8000"})
	} else if strings.HasPrefix(g.Need.Key, "router.") {
		gone(g, routerHint)
	}
}

// story is a KV router whose search became slow, that believes too much of
// one worker, sees two of three, and whose planner is at work.
func story(s *sources.Snapshot, g *sources.Figure) {
	stages := map[string]float64{
		"stage.preprocess": 0.0041, "router.overhead.block_hashing": 0.000025, "router.overhead.seq_hashing": 0.00001, "router.overhead.find_matches": 0.302,
		"router.overhead.scheduling": 0.0011, "router.overhead.total": 0.3035, "stage.route": 0.000003, "request_plane.queue": 0.000028,
		"request_plane.send": 0.0006, "stage.transport": 0.074, "request_plane.roundtrip_ttft": 0.074,
	}
	edges := []string{"0", "0.00001", "0.00003", "0.00009", "0.00027", "0.00081", "0.00243", "0.00729", "0.02187", "0.06561", "0.19683", "0.59049", "1.77147", "+Inf"}
	key := g.Need.Key
	if mean, ok := stages[key]; ok {
		switch g.Need.Form {
		case sources.FormMean:
			one(g, mean, sources.Labels{})
		case sources.FormCount:
			one(g, 120, sources.Labels{})
		case sources.FormSumRate:
			one(g, mean*120/30, sources.Labels{})
			if key == "router.overhead.find_matches" || key == "router.overhead.total" {
				for i := range g.Series[0].Points[:50] {
					g.Series[0].Points[i].V = stages[key] / 37 * 120 / 30
				}
			}
		case sources.FormBuckets:
			g.Series = nil
			at := slices.IndexFunc(edges[1:], func(e string) bool { return len(e) > 0 && parse(e) >= mean }) + 1
			for i, e := range edges {
				n := 0.0
				if i >= at {
					n = 1200
				}
				g.Series = append(g.Series, sources.Series{Labels: sources.Labels{"le": e}, Points: []sources.Point{{T: g.At.UnixMilli(), V: n}}})
			}
		}
		return
	}
	switch {
	case key == "stage.postprocess" || key == "router.overhead.shared_cache":
		gone(g, routerHint)
	case key == "router.requests":
		one(g, 12_402, sources.Labels{"instance": "10.0.0.1:8000"})
	case key == "router.kv_hit_rate":
		one(g, 0.61, sources.Labels{})
	case key == "engine.hit_ratio":
		one(g, 0.48, sources.Labels{})
	case key == "router.best_cached_tokens":
		one(g, 91_000, sources.Labels{"model": "Qwen3-32B"})
	case key == "router.selected_cached_tokens":
		one(g, 88_000, sources.Labels{"model": "Qwen3-32B"})
	case key == "router.reused_tokens":
		one(g, 71_000, sources.Labels{"model": "Qwen3-32B"})
	case key == "router.isl":
		one(g, 500, sources.Labels{"model": "Qwen3-32B"})
	case key == "model.block_size":
		one(g, 16, sources.Labels{"model": "Qwen3-32B"})
	case key == "router.kv_event_sources":
		one(g, 7, sources.Labels{"instance": "10.0.0.1:8000", "state": "active"})
	case key == "router.registered":
		for i := range g.Series {
			g.Series[i].Labels["instance"], g.Series[i].Labels["worker_type"] = "10.0.0.1:8000", "decode"
		}
	case key == "planner.load_decision":
		one(g, 1, sources.Labels{"state": "scale_up"})
	case key == "planner.throughput_decision":
		one(g, 1, sources.Labels{"state": "set_lower_bound"})
	case strings.HasSuffix(key, "_ttft") || strings.HasSuffix(key, "_itl"):
		one(g, 0.31, sources.Labels{})
	case key == "router.belief.active_blocks" || key == "engine.kv_used_tokens":
		for i := range g.Series {
			v := 4100.0 + 100*float64(i)
			if key == "engine.kv_used_tokens" {
				v *= 16
			} else if i == 2 {
				v *= 3
			}
			g.Series[i].Points[0].V = v
		}
	}
}

func parse(s string) float64 {
	d, err := time.ParseDuration(s + "s")
	if err != nil {
		return 1e9
	}
	return d.Seconds()
}

func TestStates(t *testing.T) {
	for name, do := range map[string]func(*sources.Snapshot, *sources.Figure){"story": story, "standalone": standalone, "plain": plain} {
		p := New()
		golden.Check(t, name+"_140x38", p.View(changed(p, panetest.Frame(140, 38), do)))
	}
	p := New()
	golden.Check(t, "story_80x20", p.View(changed(p, panetest.Frame(80, 20), story)))
}

func TestWords(t *testing.T) {
	view := func(do func(*sources.Snapshot, *sources.Figure)) string {
		p := New()
		return ansi.Strip(p.View(changed(p, panetest.Frame(140, 38), do)))
	}
	for name, x := range map[string]struct {
		do        func(*sources.Snapshot, *sources.Figure)
		has, lack []string
	}{
		"story":      {story, []string{"KV router", "▲ 37×", "encloses", "blind to 1", "scale up", "believed, not reused", "not exported here: shared cache query"}, []string{"PLANNER_PROMETHEUS_PORT"}},
		"standalone": {standalone, []string{"standalone router", "not from a standalone router", "PLANNER_PROMETHEUS_PORT", "not exported here: block hashing"}, []string{"KV router  "}},
		"plain":      {plain, []string{"not in KV mode", "--router-mode kv", "PLANNER_PROMETHEUS_PORT"}, []string{"KV router  ", "standalone router"}},
	} {
		out := view(x.do)
		for _, s := range x.has {
			if !strings.Contains(out, s) {
				t.Errorf("%s does not say %q:\n%s", name, s, out)
			}
		}
		for _, s := range x.lack {
			if strings.Contains(out, s) {
				t.Errorf("%s says %q", name, s)
			}
		}
	}
}

// The cursor's stage is explained first, and every part explains something.
func TestExplain(t *testing.T) {
	p, f := New(), panetest.Frame(140, 38)
	f = changed(p, f, story)
	p.Press(pane.Down, f)
	p.Press(pane.Down, f)
	if got := p.Explain(f)[0]; got.Key != "router.overhead.block_hashing" || got.Form != sources.FormMean {
		t.Errorf("%+v first", got)
	}
	for range parts {
		p.Press(pane.Focus, f)
		p.Press(pane.Down, f)
		if len(p.Explain(f)) < 3 {
			t.Errorf("part %d explains %v", p.focus, p.Explain(f))
		}
	}
}

// The belief table is filtered and sorted; the cursor stays on its worker.
func TestFilterAndSort(t *testing.T) {
	p, f := New(), panetest.Frame(140, 60)
	f = changed(p, f, story)
	if err := p.SetFilter("ROLE:prefill"); err != nil {
		t.Fatal(err)
	}
	rows := p.listing(f).belief
	if len(rows) == 0 || slices.ContainsFunc(rows, func(b believed) bool { return b.Role != "prefill" }) {
		t.Errorf("%d rows of role:prefill", len(rows))
	}
	_ = p.SetFilter("")
	if all := p.listing(f).belief; len(all) <= len(rows) || !all[0].Drifted {
		t.Errorf("%d rows, the drifted one first: %v", len(all), all[0].Drifted)
	}
	p.Press(pane.Sort, f)
	all := p.listing(f).belief
	if !slices.IsSortedFunc(all, func(a, b believed) int { return int(worth(b.Blocks) - worth(a.Blocks)) }) {
		t.Error("not sorted by believed blocks")
	}
}
