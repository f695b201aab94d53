package rules

import (
	"slices"

	"dynascope/profiling/triage/verdict"
)

// All are the verdicts, group by group.
func All() []verdict.Rule {
	causes := slices.Concat(
		saturation(),
		presence(),
		straggler(),
		gpus(),
		host(),
		spread(),
		memory(),
		router(),
		frontend(),
		requests(),
		planner(),
		telemetry(),
	)
	return append(causes, promiseMissed(causes))
}
