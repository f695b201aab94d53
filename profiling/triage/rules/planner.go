package rules

import (
	"fmt"
	"math"
	"time"

	"dynascope/profiling/triage/verdict"
	"dynascope/sources"
	"dynascope/sources/text"
)

// planner are the verdicts about the planner's decisions.
func planner() []verdict.Rule { return []verdict.Rule{oscillation()} }

const (
	// flipsLeast is how often the number of replicas must have turned back
	// within the judged ten minutes: up, down, up is two turns. A ramp and its
	// end are one. No number of the references; a worker takes minutes to start
	// and begins cold, so that none should live for less.
	flipsLeast = 2
	// flipsOver is after which time without another change it is over.
	flipsOver = 4 * time.Minute
)

// replicaSide is one of the two numbers that a planner sets.
type replicaSide struct {
	name         string
	count, wants sources.Need
}

// The planner's load_scaling_decision lasts one interval and is missed between
// two scrapes; the numbers of replicas stay.
var replicaSides = [...]replicaSide{
	{"decode", nowOf("planner.decode_replicas", "instance"), nowOf("planner.predicted_decode_replicas", "instance")},
	{"prefill", nowOf("planner.prefill_replicas", "instance"), nowOf("planner.predicted_prefill_replicas", "instance")},
}

func oscillation() verdict.Rule {
	var needs, proof []sources.Need
	for _, s := range replicaSides {
		needs, proof = append(needs, s.count, s.wants), append(proof, s.count)
	}
	return verdict.Rule{
		Code: "planner-oscillation", Title: "planner flips", Rank: 12,
		Release: 15 * time.Second,
		Needs:   needs, Proof: proof,
		Judge: judgeReplicas,
		Tell:  tellReplicas,
		Key:   "3",
		Help: "The number of prefill or decode workers that the planner counts turned back at least twice within ten minutes (up, down, up), the last time less than 4 minutes ago, and so did the number that it wants where it tells that. " +
			"Workers that live for so short a time start cold and cost more than they carry: widen the planner's interval or its thresholds, or hold scaling down.",
		Alert: verdict.Alert{
			Expr: "changes(({planner.decode_replicas:now:instance})[10m:15s]) >= 3 or changes(({planner.prefill_replicas:now:instance})[10m:15s]) >= 3",
			Why:  "counts changes, not turns: three steps of one ramp look the same",
		},
	}
}

// flips is how often a number turned back in a course, and the changes that
// makes; last is how many columns ago the last change was.
func flips(course []float64) (turns int, low, high float64, last int) {
	was, up, last := math.NaN(), 0, -1
	low, high = math.Inf(1), math.Inf(-1)
	for i, v := range course {
		if math.IsNaN(v) {
			continue
		}
		low, high = min(low, v), max(high, v)
		if v == was || math.IsNaN(was) {
			was = v
			continue
		}
		dir := 1
		if v < was {
			dir = -1
		}
		if up == -dir {
			turns++
		}
		was, up, last = v, dir, len(course)-1-i
	}
	return turns, low, high, last
}

func (s replicaSide) judge(m verdict.Moment, who sources.Labels) (turns int, low, high float64, wanted bool) {
	turns, low, high, last := flips(m.Course(s.count, who, verdict.Span))
	if turns < flipsLeast || time.Duration(last)*verdict.Step > flipsOver {
		return 0, low, high, false
	}
	// What a dying worker does to the count is not the planner's wish.
	wants := m.Course(s.wants, who, verdict.Span)
	if averages, ok := averageOf(wants, flipsOver); ok && averages > 0 {
		if t, _, _, _ := flips(wants); t < flipsLeast {
			return 0, low, high, false
		}
		wanted = true
	}
	return turns, low, high, wanted
}

func judgeReplicas(m verdict.Moment) (out []verdict.Finding) {
	for _, s := range replicaSides {
		for _, g := range m.Groups(s.count) {
			in := g.Labels["instance"]
			if turns, _, _, _ := s.judge(m, instanceOf(in)); turns > 0 {
				out = append(out, verdict.Finding{
					Culprit: verdict.Culprit{Kind: "planner", Name: s.name + " replicas", Instance: in},
					Level:   verdict.Fires, Severity: verdict.Warning, Score: float64(turns) / flipsLeast,
				})
			}
		}
	}
	return out
}

func tellReplicas(m verdict.Moment, f verdict.Finding) (out verdict.Story) {
	who := instanceOf(f.Culprit.Instance)
	for _, s := range replicaSides {
		if s.name+" replicas" != f.Culprit.Name {
			continue
		}
		turns, low, high, wanted := s.judge(m, who)
		out.Sentence = fmt.Sprintf("the planner adds %s workers and takes them away again: %d turns between %s and %s in ten minutes", s.name, turns, text.Count(low), text.Count(high))
		v, _ := m.Where(s.count, who)
		out.Evidence = append(out.Evidence, m.Number(fmt.Sprintf("%s replicas now, %s to %s", text.Count(v), text.Count(low), text.Count(high)), s.count, who, v, none))
		out.Evidence = append(out.Evidence, verdict.Evidence{Text: fmt.Sprintf("%d turns", turns), Need: s.count, Labels: who, Value: float64(turns), Threshold: flipsLeast})
		if wanted {
			w, _ := m.Where(s.wants, who)
			out.Evidence = append(out.Evidence, m.Number("it wants "+text.Count(w)+", which turned too", s.wants, who, w, none))
		} else {
			out.Sentence = fmt.Sprintf("the number of %s workers flips: %d turns between %s and %s in ten minutes", s.name, turns, text.Count(low), text.Count(high))
			out.Missing = append(out.Missing, "predicted replicas: whether the planner wanted that, or workers died and came back, is not known")
		}
	}
	out.Advice = []string{
		"lengthen the planner's interval, or widen the distance between its thresholds for adding and removing",
		"hold scaling down until the load has been low for longer than a worker takes to start",
		"see predicted against observed load (Routing: planner): a forecast that swings makes replicas swing",
	}
	return out
}
