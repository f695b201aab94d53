package trial

import (
	"strings"
	"testing"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/profiling/triage/verdict"
)

// scored scores judgements of a scenario with two expectations: each argument
// is what one judgement tells, five seconds apart from 1m on.
func scored(t *testing.T, told ...string) Score {
	t.Helper()
	sc, err := scenario.Parse("two.yaml", []byte(`
name: two
duration: 10m
deployment: {pools: [{workers: 2}]}
load: [{rate: 1}]
expect:
  - {verdict: kv-capacity, from: 1m, to: 2m, culprit: worker1}
  - {verdict: errors, from: 1m, to: 2m, severity: critical}
also: [queue-bound-decode]
`))
	if err != nil {
		t.Fatal(err)
	}
	s := NewScorer(sc, []verdict.Rule{{Code: "kv-capacity", Hold: 10 * time.Second}, {Code: "errors"}})
	for i, codes := range told {
		at := time.Minute + time.Duration(i)*verdict.Step
		j := &verdict.Judgement{}
		for word := range strings.FieldsSeq(codes) {
			code, who, _ := strings.Cut(word, "@")
			v := verdict.Verdict{Code: code, Severity: verdict.Warning, Culprit: verdict.Culprit{Kind: "worker", Name: who}}
			if code == "errors" {
				v.Severity = verdict.Critical
			}
			j.Verdicts = append(j.Verdicts, v)
		}
		s.Add(Sight{At: at, Judgement: j, Met: j.Verdicts})
	}
	return s.Score
}

func TestScore(t *testing.T) {
	s := scored(t, "", "kv-capacity@worker0 queue-bound-decode@worker0", "errors@ kv-capacity@worker1 queue-bound-decode@worker0", "load-imbalance@worker0", "load-imbalance@worker0")
	kv, errs := s.Expected[0], s.Expected[1]
	if kv.Told != 70*time.Second || kv.First != 70*time.Second || kv.Judged != 3 || kv.Led != 0 {
		t.Errorf("%+v", kv)
	}
	if errs.Told != 70*time.Second || errs.Led != 1 || s.Right(verdict.Step) {
		t.Errorf("%+v", errs)
	}
	// One that is told of somebody else is false until it is told of the right
	// one too; it stays the same false alarm for a minute.
	if len(s.False) != 2 || s.False[0].Code != "kv-capacity" || s.False[0].Culprit != "worker0" || s.False[1].From != 75*time.Second || s.False[1].To != 80*time.Second {
		t.Errorf("%+v", s.False)
	}
	if called, ok := kv.Heard["queue-bound-decode"]; !called || !ok || kv.Heard["load-imbalance"] {
		t.Errorf("%v", kv.Heard)
	}
}

func TestLate(t *testing.T) {
	for _, c := range []struct {
		told, first, hold time.Duration
		late              bool
	}{
		{70 * time.Second, 60 * time.Second, 10 * time.Second, false},
		{85 * time.Second, 60 * time.Second, 10 * time.Second, false},
		{90 * time.Second, 60 * time.Second, 10 * time.Second, true},
		{90 * time.Second, -1, 10 * time.Second, false},
		{-1, 60 * time.Second, 0, false},
	} {
		if n := (Named{Told: c.told, First: c.first, Hold: c.hold}); n.Late(5*time.Second) != c.late {
			t.Errorf("%+v", c)
		}
	}
}

func TestTable(t *testing.T) {
	table := Table{Every: verdict.Step}
	table.Add(scored(t, "kv-capacity@worker1 queue-bound-decode@worker0 errors@", "kv-capacity@worker1"))
	if !table.Right() {
		t.Errorf("%s", &table)
	}
	table.Add(Score{Scenario: "calm", Judged: 10, Last: time.Minute, False: []False{{Code: "straggler-worker", Culprit: "worker3", Sentence: "slow"}}})
	got := table.String()
	for _, want := range []string{
		"                             of none    1    2    3    4\n",
		"nothing                       2    .    .    .    .    1\n",
		" 1 errors                     1    .    1  (1)  (1)    .\n",
		" 2 kv-capacity                1    .  (1)    1  (1)    .\n",
		" 3 queue-bound-decode\n", " 4 straggler-worker\n",
		"two                            kv-capacity                worker1          1m0s       0s       0s      25s  100 %\n",
		"false: calm: info straggler-worker worker3 from 0s to 0s: slow\n",
		"2 scenarios, 2m5s simulated, 12 judgements: 2 of 2 expected verdicts told, 0 late, 1 false alarms\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if table.Right() {
		t.Error("a false alarm is right")
	}
}
