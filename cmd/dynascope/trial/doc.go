// Package trial judges scenarios in virtual time: simulated pages at simulated
// moments go into a store, the console's own feed and rules look at it, and
// what they say is held against what the scenario expects.
//
// It holds no rule and simulates nothing itself; it prints nothing.
package trial
