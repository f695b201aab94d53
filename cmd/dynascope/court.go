package main

import (
	"dynascope/profiling/triage/rules"
	"dynascope/profiling/triage/verdict"
)

// court is by what this program judges: the console and check hold the same,
// so that they agree on one store at one time.
func (s settings) court(known *knownBaselines) verdict.Court {
	return verdict.Court{Rules: rules.All(), Base: known.of, SLA: verdict.SLA{TTFT: s.sla.TTFT, ITL: s.sla.ITL}}
}
