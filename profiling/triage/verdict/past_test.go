package verdict

import (
	"testing"
	"time"

	"dynascope/sources"
)

var load = sources.Need{Key: "engine.waiting", Form: sources.FormNow}

// full is a rule that fires above a number.
func full(code string, above float64, silenced ...Silence) Rule {
	return Rule{
		Code: code, Title: "queue " + code, Needs: []sources.Need{load}, Hold: 10 * time.Second, Release: 10 * time.Second, Silenced: silenced,
		Judge: func(m Moment) []Finding {
			v, ok := m.Value(load)
			if !ok || v <= above {
				return nil
			}
			return []Finding{{Level: Fires, Severity: Warning, Culprit: Culprit{Kind: "worker", Name: "7f3a", Worker: "7f3a22"}}}
		},
		Tell: func(m Moment, _ Finding) Story {
			v, _ := m.Value(load)
			return Story{Sentence: "it waits", Evidence: []Evidence{m.Number("queue", load, nil, v, above)}}
		},
	}
}

// loaded is a snapshot whose load has these values in its last columns.
func loaded(at time.Time, last ...float64) *sources.Snapshot {
	n := course(load)
	f := &sources.Figure{Need: n, Status: sources.StatusOK, At: at, Series: []sources.Series{{}}}
	columns := int(Span / Step)
	newest := Column(at)
	for i := range columns {
		v := 0.0
		if k := i - columns + len(last); k >= 0 {
			v = last[k]
		}
		f.Series[0].Points = append(f.Series[0].Points, sources.Point{T: newest.Add(-time.Duration(columns-1-i) * Step).UnixMilli(), V: v})
	}
	return sources.NewSnapshot(sources.Snapshot{At: at}, map[sources.Need]*sources.Figure{n: f})
}

func TestWhatEndedIsPastAndBothEndsAreEvents(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 3, 0, time.UTC)
	last := Column(at)
	for _, c := range []struct {
		name      string
		load      []float64
		on, past  int
		began     time.Duration // before the last column
		ended     time.Duration
		events    int
		firstKind sources.EventKind
	}{
		{"calm", nil, 0, 0, 0, 0, 0, ""},
		{"on", []float64{9, 9, 9, 9}, 1, 0, 3 * Step, 0, 1, sources.EventVerdict},
		{"too short", []float64{9, 9, 0, 0, 0}, 0, 0, 0, 0, 0, ""},
		{"over", []float64{9, 9, 9, 0, 0, 0, 0}, 0, 1, 6 * Step, 3 * Step, 2, sources.EventVerdictOver},
		{"not over before its release", []float64{9, 9, 9, 0, 0}, 1, 0, 4 * Step, 0, 1, sources.EventVerdict},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := Court{Rules: []Rule{full("kv-capacity", 5)}}.Judge(loaded(at, c.load...))
			if len(j.Verdicts) != c.on || len(j.Past) != c.past {
				t.Fatalf("%d on, %d past, want %d and %d", len(j.Verdicts), len(j.Past), c.on, c.past)
			}
			for _, v := range append(j.Verdicts, j.Past...) {
				if want := last.Add(-c.began); !v.Since.Equal(want) {
					t.Errorf("since %v, want %v", v.Since, want)
				}
			}
			if c.past > 0 && !j.Past[0].Until.Equal(last.Add(-c.ended)) {
				t.Errorf("until %v, want %v", j.Past[0].Until, last.Add(-c.ended))
			}
			events := j.Events()
			if len(events) != c.events || c.events > 0 && (events[0].Kind != c.firstKind || events[0].Worker != "7f3a22") {
				t.Errorf("events %+v", events)
			}
		})
	}
}

// What another verdict explained while both lasted is no event of its own.
func TestAPastConsequenceIsNoEvent(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	rules := []Rule{full("straggler-worker", 7), full("load-imbalance", 5, Silence{Code: "straggler-worker", Same: true})}
	j := Court{Rules: rules}.Judge(loaded(at, 9, 9, 9, 0, 0, 0, 0))
	if len(j.Past) != 2 {
		t.Fatalf("%d past", len(j.Past))
	}
	for _, e := range j.Events() {
		if e.Detail != "warning: queue straggler-worker" && e.Detail != "no longer: queue straggler-worker" {
			t.Errorf("event %+v", e)
		}
	}
	if (*Judgement)(nil).Events() != nil {
		t.Error("events of no judgement")
	}
}
