package trial

import (
	"slices"
	"time"

	"dynascope/bench/sim/scenario"
	"dynascope/profiling/triage/verdict"
)

// Linger is how long after its stretch an expected verdict, or one that may
// stand beside it, may still be told: look-backs, releases and what the fault
// left behind have to run out.
const Linger = 2 * time.Minute

// Named is one expectation and what came of it. Times count from the
// scenario's start; those that did not come are negative.
type Named struct {
	scenario.Expect
	Told  time.Duration // first judgement that names it, whom it must and as severely as it must
	First time.Duration // first judgement at which its condition was met, without any hold
	Hold  time.Duration // of its rule
	// Judged are the judgements from Told to the end of the stretch, Led those
	// of them of which it was the first verdict.
	Judged, Led int
	// Heard are the codes that were told in its stretch, its own and those
	// above info; true for those that something in the scenario calls for.
	Heard map[string]bool
}

// Late says that it was told later than its rule's hold and three judgements
// after its condition was met.
func (n *Named) Late(every time.Duration) bool {
	return n.Told >= 0 && n.First >= 0 && n.Told-n.First > n.Hold+3*every
}

// False is a verdict that nothing in the scenario calls for.
type False struct {
	From, To time.Duration // first and last judgement that told it
	Code     string
	Culprit  string
	Severity verdict.Severity
	Sentence string
}

// Score is a scenario's outcome.
type Score struct {
	Scenario string
	Judged   int
	Last     time.Duration // of the last judgement
	Expected []Named
	False    []False // above info only
}

// Right says that every expected verdict was told in time, and nothing that is
// not called for.
func (s *Score) Right(every time.Duration) bool {
	for _, n := range s.Expected {
		if n.Told < 0 || n.Late(every) {
			return false
		}
	}
	return len(s.False) == 0
}

// Scorer collects a score from judgements in their order.
type Scorer struct {
	Score
	sc    *scenario.Scenario
	rules map[string]verdict.Rule
}

// NewScorer begins the score of a scenario.
func NewScorer(sc *scenario.Scenario, rules []verdict.Rule) *Scorer {
	s := &Scorer{Score: Score{Scenario: sc.Name}, sc: sc, rules: map[string]verdict.Rule{}}
	for _, r := range rules {
		s.rules[r.Code] = r
	}
	for _, e := range sc.Expect {
		if e.Verdict != "healthy" {
			s.Expected = append(s.Expected, Named{Expect: e, Told: -1, First: -1, Hold: s.rules[e.Verdict].Hold, Heard: map[string]bool{}})
		}
	}
	return s
}

// Wants says whether it takes a judgement without holds of a moment: while an
// expected verdict's condition is still to be met.
func (s *Scorer) Wants(at time.Duration) bool {
	return slices.ContainsFunc(s.Expected, func(n Named) bool { return n.First < 0 && at >= n.From && at <= n.To })
}

// Add takes the next judgement.
func (s *Scorer) Add(x Sight) {
	s.Judged++
	s.Last = x.At
	for i := range s.Expected {
		n := &s.Expected[i]
		if n.First < 0 && x.At >= n.From && slices.ContainsFunc(x.Met, n.is) {
			n.First = x.At
		}
		found := slices.IndexFunc(x.Judgement.Verdicts, n.is)
		if x.At >= n.From && x.At <= n.To && found >= 0 {
			n.Heard[n.Verdict] = true // of severity info too
			if n.Told < 0 {
				n.Told = x.At
			}
		}
		if n.Told >= 0 && x.At <= n.To {
			n.Judged++
			if found == 0 {
				n.Led++
			}
		}
	}
	for _, v := range x.Judgement.Verdicts {
		if v.Severity == verdict.Info {
			continue
		}
		called := s.called(v, x.At)
		for i := range s.Expected {
			if n := &s.Expected[i]; x.At >= n.From && x.At <= n.To+Linger {
				was, heard := n.Heard[v.Code]
				n.Heard[v.Code] = called && (was || !heard)
			}
		}
		if !called {
			s.wrong(v, x.At)
		}
	}
}

// is says whether a verdict is the expected one.
func (n *Named) is(v verdict.Verdict) bool {
	if v.Code != n.Verdict || v.Severity.String() != n.Severity && v.Severity != verdict.Critical && n.Severity != "info" {
		return false
	}
	return n.Culprit.Kind == scenario.TargetNone || n.Culprit.String() == Name(v.Culprit)
}

// called says whether a scenario calls for a verdict at a moment: it is
// expected then, whomever else it names too, or may stand beside what is.
func (s *Scorer) called(v verdict.Verdict, at time.Duration) bool {
	for _, e := range s.sc.Expect {
		if e.Verdict == "healthy" || at < e.From || at > e.To+Linger {
			continue
		}
		if slices.Contains(s.sc.Also, v.Code) || s.rules[v.Code].General {
			return true
		}
		n := Named{Expect: e}
		n.Severity = "info"
		if n.is(v) {
			return true
		}
	}
	return false
}

func (s *Scorer) wrong(v verdict.Verdict, at time.Duration) {
	who := Name(v.Culprit)
	for i := range s.False {
		f := &s.False[i]
		if f.Code == v.Code && f.Culprit == who && at-f.To <= time.Minute {
			f.To = at
			return
		}
	}
	s.False = append(s.False, False{From: at, To: at, Code: v.Code, Culprit: who, Severity: v.Severity, Sentence: v.Sentence})
}
