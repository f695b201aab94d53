package rules

import "dynascope/profiling/triage/verdict"

// saturation are the verdicts about demand beyond capacity: which resource
// binds first.
func saturation() []verdict.Rule {
	return []verdict.Rule{
		queueBoundPrefill(), queueBoundDecode(), kvCapacity(), prefixCacheCollapse(), prefillDecodeImbalance(), kvTransferBound(),
		slaBurnLongPrompts(), quantilePinned(), saturated(),
	}
}
