package report

import (
	"fmt"
	"strings"

	"dynascope/sources/text"
)

// TriedLine is one address that discovery looked at.
type TriedLine struct {
	Addr string // host:port
	Why  string // what led there: "documented port of a frontend"
	// Outcome says what came of it: "frontend", "refused", or why it was not
	// asked.
	Outcome string
}

type triedDoc struct {
	Addr    string `json:"addr"`
	Why     string `json:"why"`
	Outcome string `json:"outcome"`
}

func triedDocs(tried []TriedLine) []triedDoc {
	out := []triedDoc{}
	for _, t := range tried {
		out = append(out, triedDoc{text.Clean(t.Addr, 80), text.Clean(t.Why, errorRunes), text.Clean(t.Outcome, errorRunes)})
	}
	return out
}

func triedLine(t TriedLine) string {
	line := fmt.Sprintf("%-24s %-34s %s", text.Clean(t.Addr, 60), text.Clean(t.Why, 120), text.Clean(t.Outcome, errorRunes))
	return strings.TrimRight(line, " ")
}
