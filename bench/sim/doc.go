// Package sim is a simulated NVIDIA Dynamo deployment: demo, test bed and
// ground truth without a GPU. It has no code of its own; its parts are
//
//	engine    one engine (a worker process' DP rank): continuous batching as
//	          discrete events; no clock, no HTTP, no metric name
//	scenario  what to simulate: YAML, strict and documented; the shipped files
//	page      the metric pages of the real processes, family by family
//	world     the deployment: clients, frontends, router, workers, GPUs,
//	          faults, truth log, in virtual time and without HTTP
//	server    the world behind real HTTP on loopback, driven by the wall clock
//
// Below server nothing reads a clock or starts a goroutine: one seed, one
// history. It is not imported by any pane.
package sim
