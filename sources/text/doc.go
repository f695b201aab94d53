// Package text turns numbers into the few characters an engineer reads and
// outside strings into characters that are safe to write: units, ranges,
// stripping, escaping for each place, redaction of secrets.
//
// It does not measure or lay out (that is tui/cells), knows no metric name,
// and keeps no state. Grouping and the gap before a unit are plain spaces, so
// that every terminal agrees on the width; ASCII spells the rest for --ascii.
package text

import "strings"

// None stands for a number that is not there or is not a number.
const None = "–"

var asciiSpelling = strings.NewReplacer(
	"–", "-", "µ", "u", "…", "~", "×", "x", "≤", "<", "≥", ">", "°", "",
)

// ASCII spells what this package prints with ASCII characters only: "2.2-4.7 s",
// "420 us", "64 C". The answer is never wider than s. Other characters stay.
func ASCII(s string) string { return asciiSpelling.Replace(s) }
