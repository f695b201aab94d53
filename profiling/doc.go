// Package profiling runs torch profile sessions on SGLang and vLLM workers:
// one request starts a bounded recording, the worker stands still while it
// exports, and the files are then checked one by one. The servers tell nobody
// what state their profiler is in, so a session is a small state machine that
// learns it from answers and files, and a lock with a state file lets the next
// start pick up what a crash left.
//
// It does not read what a trace says (profiling/trace), draw, ask for
// confirmation or log requests: whoever starts a session does.
package profiling
