//go:build linux

// Command cost measures what watching costs (make bench): the console beside a
// Prometheus server that scrapes the same targets and answers the same
// questions, and beside btop and htop on a terminal of the same size.
//
// Windows are only as long as the run: with BENCH_SETTLE=310 BENCH_TARGETS=16
// they are full, and their questions rest between the moments of their grid.
// The other parameters are BENCH_SECONDS, BENCH_INTERVAL (seconds),
// BENCH_SCREENS ("12", the keys) and BENCH_ECHOES. The page server is this
// program too, as a process of its own.
//
// It is a measurement, not a test: it prints tables and fails only where
// something could not be measured. It measures processes from outside, so
// nothing in the console knows of it.
package main
