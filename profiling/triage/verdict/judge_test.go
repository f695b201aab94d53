package verdict

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"dynascope/sources"
)

var (
	at    = time.Date(2031, 2, 3, 12, 0, 3, 0, time.UTC)
	queue = sources.Need{Key: "engine.waiting", Form: sources.FormNow, By: "instance"}
	mean  = sources.Need{Key: "frontend.ttft", Form: sources.FormMean}
)

// courses builds a snapshot in which a figure has one group an instance; a
// course's last value is that of the last column. A blank is a gap.
func courses(n sources.Need, by map[string]string) *sources.Snapshot {
	names := slices.Sorted(maps.Keys(by))
	f := &sources.Figure{Need: course(n), Status: sources.StatusOK, At: at, Window: n.Window, Unit: "requests"}
	last := at.Truncate(Step)
	for _, instance := range names {
		text := by[instance]
		s := sources.Series{Labels: sources.Labels{"instance": instance}}
		words := strings.Split(text, " ")
		for i, w := range words {
			if w == "" {
				continue
			}
			var v float64
			if _, err := fmt.Sscan(w, &v); err != nil {
				panic(err)
			}
			s.Points = append(s.Points, sources.Point{T: last.Add(-time.Duration(len(words)-1-i) * Step).UnixMilli(), V: v})
		}
		f.Series = append(f.Series, s)
	}
	return sources.NewSnapshot(sources.Snapshot{At: at}, map[sources.Need]*sources.Figure{f.Need: f})
}

// above fires over 10 and stays over 5.
func above(hold, release time.Duration) Rule {
	return Rule{
		Code: "above", Title: "above", Hold: hold, Release: release, Needs: []sources.Need{queue}, Proof: []sources.Need{queue},
		Judge: func(m Moment) (out []Finding) {
			for _, g := range m.Groups(queue) {
				f := Finding{Culprit: m.CulpritOf(g.Labels["instance"]), Severity: Warning, Score: g.V}
				switch {
				case g.V > 10:
					f.Level = Fires
				case g.V > 5:
					f.Level = Stays
				}
				out = append(out, f)
			}
			return out
		},
		Tell: func(m Moment, f Finding) Story {
			v, _ := m.Where(queue, sources.Labels{"instance": f.Culprit.Instance})
			return Story{Sentence: fmt.Sprintf("%s has %v at %s", f.Culprit.Name, v, m.At().Format("15:04:05"))}
		},
	}
}

func firstOf(f []Finding) []Finding { return f[:min(len(f), 1)] }

func TestHoldAndHysteresis(t *testing.T) {
	for name, c := range map[string]struct {
		course        string
		hold, release time.Duration
		since         int // columns before the last; -1: no verdict
	}{
		"at once":                    {"0 0 11", 0, 0, 0},
		"not held yet":               {"0 0 11 11", 10 * time.Second, 0, -1},
		"held":                       {"0 11 11 11", 10 * time.Second, 0, 2},
		"a break starts anew":        {"11 11 0 11 11", 10 * time.Second, 0, -1},
		"a stay breaks the hold":     {"11 11 7 11 11", 10 * time.Second, 0, -1},
		"stays between the two":      {"0 11 11 11 7 7 6", 10 * time.Second, 0, 5},
		"never fired":                {"7 7 7 7", 0, 0, -1},
		"ends at once":               {"11 11 11 2", 0, 0, -1},
		"ends later":                 {"0 11 11 2 2", 0, 10 * time.Second, 3},
		"has ended":                  {"0 11 11 2 2 2", 0, 10 * time.Second, -1},
		"comes back before it ended": {"0 11 2 2 11", 0, 10 * time.Second, 3},
		"a gap is not a stay":        {"11 11  11", 10 * time.Second, 0, -1},
		"a gap is bridged":           {"0 11 11  7", 0, 5 * time.Second, 3},
	} {
		j := Judge(Input{Snap: courses(queue, map[string]string{"w": c.course}), Rules: []Rule{above(c.hold, c.release)}})
		switch {
		case c.since < 0 && len(j.Verdicts) == 0:
		case c.since < 0:
			t.Errorf("%s: %+v", name, j.Verdicts)
		case len(j.Verdicts) != 1:
			t.Errorf("%s: no verdict", name)
		default:
			if got := int(j.At.Sub(j.Verdicts[0].Since) / Step); got != c.since {
				t.Errorf("%s: since %d columns, want %d", name, got, c.since)
			}
		}
	}
}

// A verdict that held at the first column began before it, and nothing is its
// cause.
func TestOpen(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("11 ", int(Span/Step)))
	snap := courses(queue, map[string]string{"w": long})
	snap.Events = []sources.Event{{At: at.Add(-Span), Kind: sources.EventRestarted, Instance: "w"}}
	j := Judge(Input{Snap: snap, Rules: []Rule{above(0, 0)}})
	if v := j.Verdicts[0]; !v.Open || v.After != nil || j.At.Sub(v.Since) != Span-Step {
		t.Errorf("%+v", v)
	}
}

// The culprit's own event comes before another's; what came later, or long
// before, is no cause.
func TestAfter(t *testing.T) {
	snap := courses(queue, map[string]string{"w": "0 11 11"})
	since := at.Truncate(Step).Add(-Step)
	for _, e := range []sources.Event{
		{At: since.Add(time.Second), Kind: sources.EventRestarted, Instance: "w", Detail: "later"},
		{At: since.Add(-time.Second), Kind: sources.EventVanished, Instance: "x"},
		{At: since.Add(-20 * time.Second), Kind: sources.EventRestarted, Instance: "w", Detail: "own"},
		{At: since.Add(-causal - time.Second), Kind: sources.EventRestarted, Instance: "w", Detail: "old"},
	} {
		snap.Events = append(snap.Events, e)
	}
	j := Judge(Input{Snap: snap, Rules: []Rule{above(0, 0)}})
	if e := j.Verdicts[0].After; e == nil || e.Detail != "own" {
		t.Errorf("after %+v", e)
	}
	snap.Events = snap.Events[:2]
	if e := Judge(Input{Snap: snap, Rules: []Rule{above(0, 0)}}).Verdicts[0].After; e == nil || e.Instance != "x" {
		t.Errorf("after %+v", e)
	}
}

func TestSilence(t *testing.T) {
	other := above(0, 0)
	other.Code, other.Silenced = "other", []Silence{{Code: "above", Same: true}}
	third := above(0, 0)
	third.Code, third.Silenced = "third", []Silence{{Code: "other"}}
	snap := courses(queue, map[string]string{"a": "11", "b": "11"})
	first := above(0, 0)
	only := first.Judge
	first.Judge = func(m Moment) []Finding { return firstOf(only(m)) }
	j := Judge(Input{Snap: snap, Rules: []Rule{third, other, first}})
	if len(j.Verdicts) != 2 || len(j.Silenced) != 3 {
		t.Fatalf("%d verdicts, %d silenced", len(j.Verdicts), len(j.Silenced))
	}
	for _, v := range j.Silenced {
		if want := map[string]string{"other": "above", "third": "other"}[v.Code]; v.SilencedBy != want {
			t.Errorf("%s is silenced by %s", v.Code, v.SilencedBy)
		}
	}
}

// The worst comes first: severity, then what is more of a cause, then how far.
func TestOrder(t *testing.T) {
	symptom := above(0, 0)
	symptom.Code, symptom.Rank = "symptom", 5
	grave := symptom
	grave.Code = "grave"
	judge := grave.Judge
	grave.Judge = func(m Moment) []Finding {
		out := judge(m)
		for i := range out {
			out[i].Severity = Critical
		}
		return firstOf(out)
	}
	j := Judge(Input{Snap: courses(queue, map[string]string{"a": "11", "b": "12"}), Rules: []Rule{symptom, grave, above(0, 0)}})
	var got []string
	for _, v := range j.Verdicts {
		got = append(got, v.Code+" "+v.Culprit.Name)
	}
	if len(got) != 5 || !strings.HasPrefix(got[0], "grave") || strings.Join(got[1:], ",") != "above b,above a,symptom b,symptom a" || j.State != Critic {
		t.Errorf("%v, %s", got, j.State)
	}
	if v, ok := j.Head(); !ok || v.Code != "grave" {
		t.Errorf("head %+v", v)
	}
}

// A number whose look-back the store does not fill is not judged.
func TestLearning(t *testing.T) {
	n := mean
	n.Window = Look
	seen := 0
	r := Rule{Code: "m", Needs: []sources.Need{mean}, Judge: func(m Moment) []Finding {
		if _, ok := m.Value(mean); ok {
			seen++
		}
		return nil
	}}
	snap := courses(n, map[string]string{"": strings.TrimSpace(strings.Repeat("1 ", int(Span/Step)))})
	for _, c := range []struct {
		age   time.Duration
		seen  int
		state State
	}{
		{30 * time.Second, 0, Learning},
		{Look - 3*time.Second, 0, Learning},
		{Look + 8*time.Second, 2, Learning},
		{Look + 11*time.Second, 2, Healthy},
		{2 * Span, int(Span / Step), Healthy},
	} {
		snap.Oldest, seen = at.Add(-c.age), 0
		j := Judge(Input{Snap: snap, Rules: []Rule{r}})
		if seen != c.seen || j.State != c.state {
			t.Errorf("%v old: %d columns, %s; want %d, %s", c.age, seen, j.State, c.seen, c.state)
		}
	}
}

func TestBlindAndUnknown(t *testing.T) {
	n := course(queue)
	none := sources.NewSnapshot(sources.Snapshot{At: at}, map[sources.Need]*sources.Figure{
		n: {Need: n, Status: sources.StatusAbsent, Note: "start it with --enable-metrics"},
	})
	j := Judge(Input{Snap: none, Rules: []Rule{above(0, 0)}})
	if len(j.Blind) != 1 || j.Blind[0].Note != "start it with --enable-metrics" || j.State != Unknown {
		t.Errorf("%+v", j)
	}
}

func TestUndeclaredNeedPanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "frontend.ttft") {
			t.Errorf("recovered %v", r)
		}
	}()
	r := above(0, 0)
	r.Judge = func(m Moment) []Finding { m.Value(mean); return nil }
	Judge(Input{Snap: courses(queue, map[string]string{"a": "1"}), Rules: []Rule{r}})
}

func TestMoment(t *testing.T) {
	snap := courses(queue, map[string]string{"a": "1 2  4", "b": "9"})
	m := Moment{newMatter(snap, []Rule{above(0, 0)}, nil, SLA{TTFT: time.Second}), int(Span/Step) - 1}
	a := sources.Labels{"instance": "a"}
	if got := fmt.Sprint(m.Course(queue, a, 4*Step)); got != "[1 2 NaN 4]" {
		t.Error(got)
	}
	if v, ok := m.Where(queue, a); v != 4 || !ok {
		t.Error(v, ok)
	}
	earlier, ok := m.Before(Step)
	if _, has := earlier.Where(queue, a); has || !ok || !m.Newest() || earlier.Newest() {
		t.Error("the gap has a number")
	}
	if _, ok := m.Before(Span); ok {
		t.Error("a moment before the first")
	}
	if _, _, ok := m.Baseline("x"); ok {
		t.Error("a baseline out of nothing")
	}
	if v := m.Or(queue, math.Inf(1)); v != 4 && v != 9 {
		t.Error(v)
	}
	if e := m.Number("4 waiting", queue, a, 4, 3); e.Unit != "requests" {
		t.Errorf("%+v", e)
	}
}
