package verdict

import (
	"testing"

	"dynascope/sources"
)

// What rules share is worked out once a column, and anew for the next
// judgement.
func TestOncePerColumn(t *testing.T) {
	worked := 0
	shares := func(m Moment) []Finding {
		before := worked
		for range 3 {
			if got := m.Once("index", func() any { worked++; return m.i }); got != m.i {
				t.Errorf("column %d was given %v", m.i, got)
			}
		}
		if worked > before+1 {
			t.Errorf("column %d: worked out %d times", m.i, worked-before)
		}
		return nil
	}
	rule := Rule{Code: "a", Needs: []sources.Need{queue}, Judge: shares}
	in := Input{Snap: courses(queue, map[string]string{"w": "1 2 3"}), Rules: []Rule{rule, rule}}
	Judge(in)
	once := worked
	if once == 0 || once > int(Span/Step) {
		t.Errorf("worked out %d times for %d columns", once, int(Span/Step))
	}
	if Judge(in); worked != 2*once {
		t.Errorf("the second judgement worked out %d, the first %d", worked-once, once)
	}
}
