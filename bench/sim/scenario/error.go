package scenario

import (
	"fmt"
	"strings"
)

// Error is one thing that is wrong with a scenario.
type Error struct {
	File         string // name of the file, "" for a scenario made in Go
	Line, Column int    // where, from 1; 0 when not known
	Path         string // the key: "load[2].rate.start"; "" is the file itself
	Problem      string
	Hint         string // what to do; may be empty
}

// Error returns file:line:column: key: problem; hint: what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("reading scenario")
	if e.File != "" {
		fmt.Fprintf(&b, " %s", e.File)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if e.Path != "" {
		fmt.Fprintf(&b, ": %s", e.Path)
	}
	fmt.Fprintf(&b, ": %s", e.Problem)
	if e.Hint != "" {
		fmt.Fprintf(&b, "; hint: %s", e.Hint)
	}
	return b.String()
}

// Errors is everything found wrong, in the order of the file. errors.As finds
// single ones.
type Errors []*Error

// Error returns one line an error.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single errors.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// nearest returns the allowed word with the fewest edits to what was written,
// "" when none is near enough to be meant.
func nearest(written string, allowed []string) string {
	best, least := "", len(written)/2+1
	for _, w := range allowed {
		if d := edits(strings.ToLower(written), w); d < least {
			best, least = w, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// hintFor names the nearest word, or all of them.
func hintFor(written string, allowed []string) string {
	if w := nearest(written, allowed); w != "" {
		return fmt.Sprintf("did you mean %s?", w)
	}
	return "one of " + strings.Join(allowed, ", ")
}
