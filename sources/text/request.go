package text

import "strings"

// Request returns the lines of a request or a command as a user confirms it
// and a log keeps it: without secrets, control characters and sequences, and
// with all its blanks. A tab is one space.
func Request(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Split(Redact(strip(Redact(s), len(s)+1024, keepLines)), "\n")
}
