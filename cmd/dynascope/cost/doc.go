//go:build linux

// Command cost measures what watching costs (make bench): the console beside a
// Prometheus server that scrapes the same targets and answers the same
// questions, and beside btop and htop on a terminal of the same size.
//
// It is a measurement, not a test: it prints tables and fails only where
// something could not be measured. It measures processes from outside, so
// nothing in the console knows of it.
package main
