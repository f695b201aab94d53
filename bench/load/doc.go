// Package load sends chat requests to an OpenAI-compatible server (Dynamo's
// frontend, or an engine's own) and counts what comes back. It is the client
// of end-to-end tests and of the bursts that keep an engine busy while it is
// profiled.
//
// It does not write records, compute percentiles or judge the answers, and
// needs no tokenizer: prompt lengths are approximate, output lengths are the
// server's own count.
package load
