// Package advice holds the tuning rules as data: each looks at the numbers of
// the last minutes and at the flags that the processes were started with, and
// says what it saw, which flag to set, what that brings and what it costs.
//
// It says what could be better set, not what is wrong now (that is
// profiling/triage/verdict). It changes nothing, asks no source, reads no
// process, draws nothing, and names no metric: rules name catalogue keys and the
// canonical names of settings.
package advice
