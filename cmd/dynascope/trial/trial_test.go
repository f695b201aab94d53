package trial

import (
	"flag"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
)

// shapes are the healthy forms of load, each watched for twenty minutes.
var shapes = []string{"healthy", "diurnal-healthy", "bursty-healthy", "ramp-healthy"}

// TestShipped plays the shipped scenarios: each expected verdict is told in
// time, and none that nothing calls for. SCENARIO=NAME,… plays only those and
// prints what is said when it changes, as does -run TestShipped/NAME;
// SCENARIO=all plays all and prints the table (make scenarios). Otherwise it is
// too long for a unit test.
func TestShipped(t *testing.T) {
	only := os.Getenv("SCENARIO")
	if only == "" && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		t.Skip("make scenarios plays them; hint: SCENARIO=kv-pressure, or SCENARIO=all")
	}
	table := Table{Every: verdict.Step}
	var mu sync.Mutex
	t.Run("play", func(t *testing.T) { // ends when the parallel ones have
		for _, name := range scenario.Names() {
			if only != "" && only != "all" && !slices.Contains(strings.Split(only, ","), name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := play(t, name, only != "all")
				mu.Lock()
				defer mu.Unlock()
				table.Add(s)
			})
		}
	})
	if only != "" {
		t.Logf("\n%s", &table)
	}
}

// play plays one scenario and complains of what is not right.
func play(t *testing.T, name string, tell bool) Score {
	t.Helper()
	sc, err := scenario.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	all := rules.All()
	s := NewScorer(sc, all)
	last := ""
	until := min(sc.Duration, 12*time.Minute)
	if slices.Contains(shapes, name) {
		until = min(sc.Duration, 20*time.Minute)
	}
	err = Run(t.Context(), sc, Options{Rules: all, Until: until, Evidence: true, Wants: s.Wants}, func(x Sight) error {
		s.Add(x)
		if now := line(x); tell && now != last {
			t.Logf("%v %s", x.At, now)
			last = now
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Expected {
		switch {
		case n.Told < 0:
			t.Errorf("%s %s was not told between %v and %v", n.Verdict, n.Culprit, n.From, n.To)
		case n.Late(verdict.Step):
			t.Errorf("%s %s was told at %v, %v after its condition was met; its hold is %v", n.Verdict, n.Culprit, n.Told, n.Told-n.First, n.Hold)
		case tell:
			t.Logf("%s %s: told at %v, %v after its cause; its condition was met at %v; first of the list in %d of %d judgements",
				n.Verdict, n.Culprit, n.Told, n.Told-n.From, n.First, n.Led, n.Judged)
		}
	}
	for _, f := range s.False {
		t.Errorf("false: %s %s from %v to %v: %s", f.Code, f.Culprit, f.From, f.To, f.Sentence)
	}
	return s.Score
}

// line says what a judgement names.
func line(x Sight) string {
	var out []string
	for _, v := range x.Judgement.Verdicts {
		out = append(out, v.Severity.String()+" "+v.Code+" "+Name(v.Culprit)+" since "+v.Since.Sub(Epoch).String())
	}
	for _, v := range x.Judgement.Silenced {
		out = append(out, "("+v.Code+" "+Name(v.Culprit)+" by "+v.SilencedBy+")")
	}
	return string(x.Judgement.State) + ": " + strings.Join(out, "; ")
}
