package trial

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Table sums up scores: what was expected against what was told, and how long
// that took.
type Table struct {
	// Every is the time between two judgements, for the bound of detection.
	Every  time.Duration
	scores []Score
}

// Add takes a score in.
func (t *Table) Add(s Score) {
	t.scores = append(t.scores, s)
	slices.SortFunc(t.scores, func(a, b Score) int { return strings.Compare(a.Scenario, b.Scenario) })
}

// Right says that every score is.
func (t *Table) Right() bool {
	return !slices.ContainsFunc(t.scores, func(s Score) bool { return !s.Right(t.Every) })
}

// nothing is the row of stretches in which no verdict is expected.
const nothing = "nothing"

// String is the matrix, the times and what went wrong.
func (t *Table) String() string {
	var b strings.Builder
	t.matrix(&b)
	t.times(&b)
	t.wrong(&b)
	return b.String()
}

// matrix writes expected × told: how many stretches in which a verdict was
// expected, or nothing was, heard each code. Numbers in parentheses are of
// verdicts that the scenario calls for beside the expected one.
func (t *Table) matrix(b *strings.Builder) {
	type cell struct{ n, beside int }
	cells := map[[2]string]cell{}
	stretches, missed := map[string]int{}, map[string]int{}
	codes := map[string]bool{}
	for _, s := range t.scores {
		stretches[nothing]++ // every scenario has calm minutes, or is one
		for _, n := range s.Expected {
			codes[n.Verdict] = true
			stretches[n.Verdict]++
			if n.Told < 0 {
				missed[n.Verdict]++
			}
			for code, called := range n.Heard {
				codes[code] = true
				c := cells[[2]string{n.Verdict, code}]
				switch {
				case code == n.Verdict && n.Told < 0:
					continue // of somebody else
				case called && code != n.Verdict:
					c.beside++
				default:
					c.n++
				}
				cells[[2]string{n.Verdict, code}] = c
			}
		}
		calm := map[string]bool{}
		for _, f := range s.False {
			codes[f.Code] = true
			during := slices.ContainsFunc(s.Expected, func(n Named) bool { return f.From >= n.From && f.From <= n.To+Linger })
			if !during && !calm[f.Code] {
				calm[f.Code] = true
				c := cells[[2]string{nothing, f.Code}]
				c.n++
				cells[[2]string{nothing, f.Code}] = c
			}
		}
	}
	columns := slices.Sorted(maps.Keys(codes))
	fmt.Fprintf(b, "expected × told, in stretches; (n) may stand beside it; none: not told at all\n%-26s %4s %4s", "", "of", "none")
	for i := range columns {
		fmt.Fprintf(b, " %4d", i+1)
	}
	b.WriteString("\n")
	for i, row := range append([]string{nothing}, columns...) {
		if stretches[row] == 0 {
			continue
		}
		label := row
		if i > 0 {
			label = fmt.Sprintf("%2d %s", i, row)
		}
		fmt.Fprintf(b, "%-26s %4d %4s", label, stretches[row], count(missed[row]))
		for _, col := range columns {
			c := cells[[2]string{row, col}]
			switch {
			case c.n == 0 && c.beside > 0:
				fmt.Fprintf(b, " %4s", fmt.Sprintf("(%d)", c.beside))
			default:
				fmt.Fprintf(b, " %4s", count(c.n))
			}
		}
		b.WriteString("\n")
	}
	for i, code := range columns {
		if stretches[code] == 0 {
			fmt.Fprintf(b, "%2d %s\n", i+1, code)
		}
	}
}

func count(n int) string {
	if n == 0 {
		return "."
	}
	return fmt.Sprint(n)
}

// times writes, for every expected verdict, how long it took.
func (t *Table) times(b *strings.Builder) {
	fmt.Fprintf(b, "\n%-30s %-26s %-12s %8s %8s %8s %8s %6s\n", "scenario", "verdict", "culprit", "cause", "told", "evidence", "bound", "first")
	fmt.Fprintf(b, "%-30s %-26s %-12s %8s %8s %8s %8s %6s\n", "", "", "", "at", "after it", "to told", "", "listed")
	for _, s := range t.scores {
		for _, n := range s.Expected {
			told, evidence, led, note := "–", "–", "–", ""
			if n.Told >= 0 {
				told = (n.Told - n.From).String()
				if n.Judged > 0 {
					led = fmt.Sprintf("%d %%", 100*n.Led/n.Judged)
				}
			}
			if n.Told >= 0 && n.First >= 0 {
				evidence = (n.Told - n.First).String()
			}
			if n.Late(t.Every) {
				note = "  LATE"
			}
			if n.Told < 0 {
				note = "  NOT TOLD"
			}
			fmt.Fprintf(b, "%-30s %-26s %-12s %8s %8s %8s %8s %6s%s\n", s.Scenario, n.Verdict, n.Culprit, n.From, told, evidence, n.Hold+3*t.Every, led, note)
		}
	}
}

// wrong writes the false alarms, and the sums.
func (t *Table) wrong(b *strings.Builder) {
	b.WriteString("\n")
	judged, expected, told, late, wrong := 0, 0, 0, 0, 0
	var span time.Duration
	for _, s := range t.scores {
		judged += s.Judged
		span += s.Last
		for _, n := range s.Expected {
			expected++
			if n.Told >= 0 {
				told++
			}
			if n.Late(t.Every) {
				late++
			}
		}
		for _, f := range s.False {
			wrong++
			fmt.Fprintf(b, "false: %s: %s %s %s from %v to %v: %s\n", s.Scenario, f.Severity, f.Code, f.Culprit, f.From, f.To, f.Sentence)
		}
	}
	fmt.Fprintf(b, "%d scenarios, %v simulated, %d judgements: %d of %d expected verdicts told, %d late, %d false alarms\n", len(t.scores), span, judged, told, expected, late, wrong)
}
