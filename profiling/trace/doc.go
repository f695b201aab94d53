// Package trace reads PyTorch (Kineto) traces, gzip or plain JSON, in one
// streaming pass and says where the time went: per rank the temporal
// breakdown, categories, kernels, steps, idle causes, collectives and host
// operators; over ranks who arrives last.
//
// It never loads a trace whole: what must be sorted goes through bounded
// buffers and, beyond them, a private spill file. It starts no profiler, draws
// nothing, and judges no deployment: its findings speak of the trace only.
package trace
