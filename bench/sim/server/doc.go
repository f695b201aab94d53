// Package server puts a simulated deployment (bench/sim/world) behind real
// HTTP on loopback and lets the wall clock drive it: frontends with the OpenAI
// routes, workers with a Dynamo system port or as plain SGLang servers, metric
// pages and their faults, profile routes that write trace files. A second mode,
// Fixed, answers by a constant schedule and records when it wrote, as ground
// truth for load generators.
//
// It models nothing itself: what happens and when comes from the world. It
// speaks HTTP/1.1 without TLS or authentication, listens on 127.0.0.1 only and
// is no server for anything but simulation. It reports its own lateness: how
// long after its scheduled time each token was written.
package server
