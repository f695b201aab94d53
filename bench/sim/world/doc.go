// Package world is a simulated Dynamo deployment in virtual time: clients,
// frontends with the KV router inside, the request plane, workers with their
// engines, GPUs, faults, and a log of the truth. It is event-driven and
// single-threaded: whoever holds a World advances it and reads the metric pages
// that its processes would show at that moment. The same scenario and seed give
// the same history, event for event.
//
// A request's path: client → frontend (preprocess) → router (KV-aware choice,
// its queue) → request plane → worker's handler → engine (queue, prefill, first
// token, decode) → frontend → client; disaggregated, the prompt is computed by
// one worker, its KV cache goes over the network, and another decodes. When
// what is counted on which page was read off recordings of the real processes:
// the books (frontend.go, workerbook.go) follow those, quirks included.
//
// It speaks no HTTP, reads no clock and starts no goroutine. It does not model
// the engine (bench/sim/engine) or know how a metric is spelt (bench/sim/page).
package world
