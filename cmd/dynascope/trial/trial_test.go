package trial

import (
	"os"
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/profiling/triage/rules"
)

// TestShipped plays every shipped scenario: each expected verdict is told,
// and none that nothing calls for. SCENARIO=NAME,… plays only those.
func TestShipped(t *testing.T) {
	if testing.Short() {
		t.Skip("make scenarios plays them; too long for the race detector")
	}
	only := os.Getenv("SCENARIO")
	for _, name := range scenario.Names() {
		if only != "" && !strings.Contains(","+only+",", ","+name+",") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sc, err := scenario.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			all := rules.All()
			s := NewScorer(sc, all)
			last := ""
			until := sc.Duration
			if sc.Repeat || until <= 0 || until > 12*time.Minute {
				until = min(max(until, 3*time.Minute), 12*time.Minute)
			}
			err = Run(t.Context(), sc, Options{Rules: all, Until: until, Evidence: true}, func(x Sight) error {
				s.Add(x)
				now := line(x)
				if now != last {
					t.Logf("%v %s", x.At, now)
					last = now
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range s.Expected {
				if n.Told < 0 {
					t.Errorf("%s %s was not told between %v and %v", n.Verdict, n.Culprit, n.From, n.To)
					continue
				}
				t.Logf("%s %s: told at %v, %v after its cause; its condition was met at %v; first of the list in %d of %d judgements",
					n.Verdict, n.Culprit, n.Told, n.Told-n.From, n.First, n.Led, n.Judged)
			}
			for _, f := range s.False {
				t.Errorf("false: %s %s from %v to %v: %s", f.Code, f.Culprit, f.From, f.To, f.Sentence)
			}
		})
	}
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
