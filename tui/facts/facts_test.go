package facts

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dynascope/sources"
	"dynascope/tui/pane"
	"dynascope/tui/pane/panetest"
)

func need(key string) sources.Need { return sources.Need{Key: key, Form: sources.FormNow} }

// fed builds a frame in which some keys have a number, idle ones none, and the
// rest are absent.
func fed(w, h int, values map[string]float64, idle ...string) pane.Frame {
	f := panetest.Frame(w, h)
	at := panetest.Now()
	figures := map[sources.Need]*sources.Figure{}
	for _, key := range []string{"a", "b", "c", "d", "rare", "optional", "with"} {
		figures[need(key)] = &sources.Figure{Need: need(key), Status: sources.StatusAbsent, At: at, Tried: []string{"sglang:" + key}, Note: "start it with --" + key}
	}
	for key, v := range values {
		figures[need(key)] = &sources.Figure{Need: need(key), Status: sources.StatusOK, At: at, Unit: "requests",
			Series: []sources.Series{{Points: []sources.Point{{T: at.UnixMilli(), V: v}}}}}
	}
	for _, key := range idle {
		figures[need(key)] = &sources.Figure{Need: need(key), Status: sources.StatusIdle, At: at}
	}
	f.Snap = sources.NewSnapshot(sources.Snapshot{At: at, Window: f.Window, Have: f.Window}, figures)
	return f
}

func group(id string, facts ...Fact) Group { return Group{ID: id, Title: id, Facts: facts} }

func fact(key string, priority int) Fact {
	return Fact{Label: key, Need: need(key), Priority: priority}
}

func drawn(f pane.Frame, groups ...Group) string {
	var b Board
	return ansi.Strip(b.View(f, groups, false))
}

func TestWhatIsLeftOut(t *testing.T) {
	values := map[string]float64{"a": 1, "b": 2, "c": 0}
	nonzero, hidden, optional := fact("c", 0), fact("b", 0), fact("optional", 0)
	nonzero.Nonzero, nonzero.Priority = true, Rare
	hidden.Label, hidden.Hide = "hidden", func(pane.Frame) bool { return true }
	optional.Optional = true
	g := group("one", fact("a", 0), fact("b", 2), fact("rare", Rare), nonzero, hidden, optional, fact("d", 1))
	for h, want := range map[int]string{6: "a b d", 4: "a b d", 3: "a d", 2: "a"} {
		var got []string
		for _, l := range strings.Split(drawn(fed(60, h, values), g), "\n")[1:] {
			if name, _, _ := strings.Cut(strings.TrimSpace(l), " "); name != "" {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d lines hold %v, want %s", h, got, want)
		}
	}
}

func TestWhyNothingIsThere(t *testing.T) {
	f := fed(60, 6, nil)
	if out := drawn(f, group("one", fact("a", 0), fact("b", 0))); !strings.Contains(out, "start it with --a") {
		t.Errorf("no flag is named:\n%s", out)
	}
	said := group("one", fact("a", 0))
	said.Why = func(pane.Frame) string { return "none so far" }
	if out := drawn(f, said); !strings.Contains(out, "none so far") {
		t.Errorf("what is known is not said:\n%s", out)
	}
	quiet := group("one", fact("a", 0))
	quiet.Quiet = func(pane.Frame) string { return "nothing moves" }
	if out := drawn(fed(60, 6, map[string]float64{"a": 1}), quiet); !strings.Contains(out, "nothing moves") || strings.Contains(out, "1 req") {
		t.Errorf("a quiet group:\n%s", out)
	}
	s := *f.Snap
	s.Workers = []sources.Worker{{Engine: "trtllm"}}
	figures := map[sources.Need]*sources.Figure{}
	for _, g := range f.Snap.Figures() {
		figures[g.Need] = g
	}
	f.Snap = sources.NewSnapshot(s, figures)
	if out := drawn(f, group("one", fact("a", 0))); !strings.Contains(out, "trtllm workers export no such family") {
		t.Errorf("the flag of another engine:\n%s", out)
	}
}

func TestZeroOfSomeAndNumbersWithoutTheirBase(t *testing.T) {
	counted, alone, derived := fact("b", 0), fact("b", 0), fact("a", 0)
	counted.Basis, counted.Label = need("a"), "counted"
	alone.Label = "alone"
	derived.With, derived.Label = need("with"), "derived"
	out := drawn(fed(60, 6, map[string]float64{"a": 3}, "b"), group("one", counted, alone, derived))
	for label, want := range map[string]string{"counted": "0", "alone": "idle", "derived": "–"} {
		found := false
		for _, l := range strings.Split(out, "\n") {
			if fields := strings.Fields(l); len(fields) == 2 && fields[0] == label {
				found = fields[1] == want
			}
		}
		if !found {
			t.Errorf("%s is not %q:\n%s", label, want, out)
		}
	}
}

// The cursor goes down a column and over to the next, and e answers for the
// fact under it first.
func TestCursor(t *testing.T) {
	values := map[string]float64{"a": 1, "b": 2, "c": 3, "d": 4}
	f := fed(80, 3, values)
	groups := []Group{group("one", fact("a", 0), fact("b", 0)), group("two", fact("c", 0), fact("d", 0))}
	var b Board
	for i, step := range []struct {
		action pane.Action
		want   string
	}{{pane.Down, "a"}, {pane.Down, "b"}, {pane.Down, "b"}, {pane.Right, "d"}, {pane.Up, "c"}, {pane.Left, "a"}, {pane.Bottom, "b"}} {
		b.Press(step.action, f, groups)
		if first := b.Explain(f, groups)[0].Key; first != step.want {
			t.Errorf("step %d (%s): the cursor is on %s, want %s", i, step.action, first, step.want)
		}
	}
	if !b.Clear() || b.Clear() {
		t.Error("the cursor is not cleared once")
	}
}

func TestCourses(t *testing.T) {
	f := fed(60, 4, map[string]float64{"a": 1})
	c := fact("a", 0)
	c.Course = true
	var b Board
	needs := b.Needs(f, []Group{group("one", c)})
	if len(needs) != 2 || !needs[1].IsRange() || needs[1].Step < time.Second {
		t.Errorf("asks %+v", needs)
	}
}
