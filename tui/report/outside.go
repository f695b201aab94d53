package report

import (
	"dynascope/sources"
	"dynascope/sources/text"
)

// outsideRunes is the most that is written of a name or a label value.
const outsideRunes = 1000

// clean makes a name from outside fit to be written: JSON escapes controls,
// but what prints a document on a terminal may undo that.
func clean(s string) string { return text.Clean(s, outsideRunes) }

func cleanAll(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = clean(s)
	}
	return out
}

func cleanLabels(ls sources.Labels) sources.Labels {
	out := make(sources.Labels, len(ls))
	for n, v := range ls {
		out[clean(n)] = clean(v)
	}
	return out
}
