package triage

import (
	"slices"
	"strings"

	"dynascope/sources"
)

// engines are the families' prefixes of what a worker can be.
var engines = [...]string{"sglang", "vllm", "trtllm"}

// Silent names the engines of the deployment when the families that were looked
// for are all of other engines: then no flag brings them. "" says that some
// could be there.
func Silent(s *sources.Snapshot, tried []string) string {
	if s == nil || len(tried) == 0 {
		return ""
	}
	var have []string
	for _, w := range s.Workers {
		if w.Engine != "" && !slices.Contains(have, w.Engine) {
			have = append(have, w.Engine)
		}
	}
	for _, family := range tried {
		i := slices.IndexFunc(engines[:], func(e string) bool { return strings.HasPrefix(family, e) })
		if i < 0 || slices.Contains(have, engines[i]) {
			return ""
		}
	}
	slices.Sort(have)
	return strings.Join(have, " and ")
}
