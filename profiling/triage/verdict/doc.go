// Package verdict turns the courses of the last minutes into sentences about
// what is wrong: rules are data (code, needs, hold, what silences them, how an
// alert says the same), and one engine judges them all.
//
// A judgement is a function of a snapshot, of baselines and of options, and so
// of (Querier, Baselines, at): nothing is remembered from one judgement to the
// next. Hold and hysteresis are found by judging every column of the courses.
//
// It holds no rule (those are in profiling/triage/rules), asks no source, draws
// nothing, and knows no metric name: rules name catalogue keys.
package verdict
