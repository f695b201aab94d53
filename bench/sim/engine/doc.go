// Package engine is a discrete-event model of one inference engine (one data
// parallel rank of one worker): continuous batching in the manner of SGLang's
// scheduler. A first-come waiting queue, chunked prefill under a token budget,
// a paged KV pool with radix prefix reuse and eviction of the least recently
// used pages, decode steps that grow with batch and context, a limit on
// running requests, retraction when the pool is full, and the prefill and
// decode roles of a disaggregated pair.
//
// It is pure: the same calls give the same events. It reads no clock, starts
// no goroutine, draws no random number, speaks no HTTP, knows no metric name,
// and neither routes requests nor moves KV between engines (that is the
// world's work; Params.TransferTime only says how long a move takes).
//
// An engine is driven from outside:
//
//	p, err := engine.Qwen3_32B_H200(4)
//	e := engine.New(p)
//	e.Submit(0, engine.Request{ID: 1, ISL: 3000, OSL: 200})
//	for at, ok := e.Next(); ok; at, ok = e.Next() {
//		e.Step(at, func(ev engine.Event) { … })
//	}
//
// Time is the duration since the simulation's start. What is left out:
// overlap of scheduling with the step under way, speculative decoding,
// priorities, sliding windows, host-memory tiers of the KV cache.
package engine
